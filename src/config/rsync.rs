//! `[rsync]`: who may push by rsync, and where. The service itself does not read it: `rsyncd` prints what rsyncd needs.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::typed::{Given, Section};

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

/// An address, or all those that begin like it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// Bits that count.
    prefix: u8,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix == bits(self.address) {
            true => write!(f, "{}", self.address),
            false => write!(f, "{}/{}", self.address, self.prefix),
        }
    }
}

impl std::str::FromStr for Network {
    type Err = String;

    /// From `ADDRESS` or `ADDRESS/PREFIX`.
    fn from_str(text: &str) -> Result<Network, String> {
        network(text)
    }
}

/// `None` only where a fault has been noted.
pub fn rsync(section: &Section, folder: &Path) -> Option<Rsync> {
    let trusted = section.list("trusted", network);
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

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// `ADDRESS` or `ADDRESS/PREFIX`.
fn network(text: &str) -> Result<Network, String> {
    let no_network = || format!("`{text}` is no address or network");
    let Some((address, prefix)) = text.split_once('/') else {
        // rsyncd sees a client of IPv4 as such, however the socket does.
        let address: IpAddr = text.parse().map_err(|_| no_network())?;
        let address = address.to_canonical();
        return Ok(Network { address, prefix: bits(address) });
    };
    let address: IpAddr = address.parse().map_err(|_| no_network())?;
    let is_number = !prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_digit());
    let prefix = prefix.parse().ok().filter(|prefix| is_number && *prefix <= bits(address)).ok_or_else(no_network)?;
    if prefix == 0 {
        return Err(format!("`{text}` is everybody; name who may push"));
    }
    let first = first_of(address, prefix);
    if first != address {
        return Err(format!("`{text}` is no network; one begins at `{first}/{prefix}`, or leave `/{prefix}` out"));
    }
    Ok(Network { address, prefix })
}

/// The first address of the network that an address is in.
fn first_of(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)).into()),
        IpAddr::V6(v6) => {
            IpAddr::V6((v6.to_bits() & u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)).into())
        }
    }
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
            assert_eq!(network(text).unwrap().to_string(), text);
        }
        assert_eq!(network("203.0.113.10/32").unwrap().to_string(), "203.0.113.10");
        assert_eq!(network("::ffff:203.0.113.10").unwrap().to_string(), "203.0.113.10");
        for bad in
            ["", "203.0.113", "203.0.113.10/33", "203.0.113.10/", "10.0.0.0/+8", "2001:db8::/129", "iec.org.mx", "*"]
        {
            assert!(network(bad).unwrap_err().contains("is no address or network"), "{bad}");
        }
        assert!(network("198.51.100.5/28").unwrap_err().contains("`198.51.100.0/28`"));
        assert!(network("2001:db8::1/32").unwrap_err().contains("`2001:db8::/32`"));
        assert!(network("0.0.0.0/0").unwrap_err().contains("everybody"));
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
            if let Ok(found) = network(&text) {
                prop_assert_eq!(network(&found.to_string()), Ok(found));
            }
        }
    }
}
