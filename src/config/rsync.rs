//! `[rsync]`: who may push by rsync, and where. The service itself does not read it: `rsyncd` prints what rsyncd needs.

use std::path::{Path, PathBuf};

use super::typed::{Given, Section};
use crate::base::network::Network;

/// Most transfers at once: each is a process, and an authority has few addresses.
const CONNECTIONS_MAX: u64 = 1000;
/// Characters of a module's name, and of a user's.
const MODULE_MAX: usize = 64;
const USER_MAX: usize = 32;

/// What rsyncd is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rsync {
    /// Who may push; nobody, where it is empty.
    pub trusted: Vec<Network>,
    /// One instance listens on each; at least one, none twice.
    pub ports: Vec<u16>,
    pub module: String,
    pub login: Option<Login>,
    /// Transfers at once, all ports together.
    pub connections: u64,
}

impl Default for Rsync {
    /// As in the table: nobody may push.
    fn default() -> Rsync {
        Rsync { trusted: Vec::new(), ports: vec![873, 2873], module: "cortes".into(), login: None, connections: 8 }
    }
}

/// Whom rsyncd asks for a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    /// The file with a line `USER:PASSWORD`.
    pub secrets: PathBuf,
}

/// `None` only where a fault has been noted.
pub fn rsync(section: &Section, folder: &Path) -> Option<Rsync> {
    let trusted = section.list("trusted", Network::read);
    let ports = ports(section);
    let module = section.text("module", module);
    let login = login(section, folder);
    let connections = section.number("connections", 1..CONNECTIONS_MAX + 1);
    Some(Rsync {
        trusted: trusted?.into_iter().map(|given| given.value).collect(),
        ports: ports?,
        module: module?.value,
        login: login?,
        connections: connections?,
    })
}

fn ports(section: &Section) -> Option<Vec<u16>> {
    let given = section.numbers("ports", 1..u64::from(u16::MAX) + 1)?;
    let mut ports = Vec::new();
    for Given { value, span } in given {
        let port = u16::try_from(value).ok()?;
        if ports.contains(&port) {
            section.note(span, format!("`rsync.ports`: {port} is there twice; remove one"));
        }
        ports.push(port);
    }
    if ports.is_empty() {
        section.fault_of("ports", "is empty: rsyncd has to listen somewhere, such as [873, 2873]");
    }
    Some(ports)
}

/// Both or neither. `Some(None)` for neither.
fn login(section: &Section, folder: &Path) -> Option<Option<Login>> {
    let (is_user, is_secrets) = (section.has("user"), section.has("secrets"));
    let (user, secrets) = (section.text("user", user), section.text("secrets", |text| Ok(folder.join(text))));
    match (is_user, is_secrets) {
        (false, false) => return Some(None),
        (true, false) => {
            section.fault_of("user", "needs `secrets`: the file with a line USER:PASSWORD; add it, or remove `user`");
        }
        (false, true) => section.fault_of("secrets", "needs `user`: who logs in with it; add it, or remove `secrets`"),
        (true, true) => {}
    }
    Some(Some(Login { user: user?.value, secrets: secrets?.value }))
}

fn module(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    // `[global]` is a section of rsyncd's own.
    let is_name = (1..=MODULE_MAX).contains(&text.len()) && text.bytes().all(fits) && text != "global";
    is_name.then(|| text.to_owned()).ok_or_else(String::new)
}

fn user(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let is_name = (1..=USER_MAX).contains(&text.len()) && text.bytes().all(fits);
    is_name.then(|| text.to_owned()).ok_or_else(String::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_and_networks() {
        for text in ["203.0.113.10", "198.51.100.0/28", "10.0.0.0/8", "2001:db8::1", "2001:db8::/32", "::/1"] {
            assert_eq!(Network::read(text).unwrap().to_string(), text);
        }
        assert_eq!(Network::read("203.0.113.10/32").unwrap().to_string(), "203.0.113.10");
        assert_eq!(Network::read("::ffff:203.0.113.10").unwrap().to_string(), "203.0.113.10");
        for bad in
            ["", "203.0.113", "203.0.113.10/33", "203.0.113.10/", "10.0.0.0/+8", "2001:db8::/129", "iec.org.mx", "*"]
        {
            assert!(Network::read(bad).unwrap_err().contains("is no address or network"), "{bad}");
        }
        assert!(Network::read("198.51.100.5/28").unwrap_err().contains("`198.51.100.0/28`"));
        assert!(Network::read("2001:db8::1/32").unwrap_err().contains("`2001:db8::/32`"));
        assert!(Network::read("0.0.0.0/0").unwrap_err().contains("everybody"));
    }

    #[test]
    fn names_that_rsyncd_would_take_for_something_else() {
        assert!(module("cortes").is_ok() && module("PREP_2026-1").is_ok());
        assert!(user("iec").is_ok() && user("iec.prep-1").is_ok());
        for bad in ["", "global", "a/b", "a]", "a b", "[x", "a\nb", &"a".repeat(65)] {
            assert!(module(bad).is_err(), "{bad}");
        }
        for bad in ["", "@admin", "iec:deny", "iec,root", "*", "a b", "iec\n", &"a".repeat(33)] {
            assert!(user(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_passes_is_a_network_again(text in "[0-9a-f:./]{0,24}") {
            if let Ok(found) = Network::read(&text) {
                prop_assert_eq!(Network::read(&found.to_string()), Ok(found));
            }
        }
    }
}
