//! Addresses of packages: reading them, resolving one against another, and whether one may be gone to.

use std::fmt;

use fluent_uri::{Uri, UriRef};

/// Bytes of an address. Longer ones are no file's, and servers refuse them.
const ADDRESS_BYTES: usize = 2_048;
/// Bytes of a package's name here: what leaves room in a file name (NAME_MAX, 255) for what is put before it.
const NAME_BYTES: usize = 120;
/// The name of a package whose address ends in none.
const NAMELESS: &str = "package";

/// An absolute http or https URL, with a host, without credentials or fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Uri<String>);

/// Scheme, host and port: what decides who is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub is_secure: bool,
    pub host: String,
    pub port: u16,
}

impl Address {
    /// Reads what people type; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Address, String> {
        if text.len() > ADDRESS_BYTES {
            return Err(format!("an address of more than {ADDRESS_BYTES} bytes"));
        }
        let uri = Uri::parse(escaped(text)).map_err(|(why, _)| format!("not a URL: {why}"))?;
        Address::checked(uri)
    }

    /// What `reference` means to somebody who reads it at this address (RFC 3986, section 5): a URL, or a part of one.
    pub fn join(&self, reference: &str) -> Result<Address, String> {
        if reference.is_empty() || reference.len() > ADDRESS_BYTES {
            return Err(format!("expected 1 to {ADDRESS_BYTES} bytes"));
        }
        let reference = UriRef::parse(escaped(reference)).map_err(|(why, _)| format!("not a URL: {why}"))?;
        Address::checked(reference.resolve_against(&self.0).map_err(|why| why.to_string())?)
    }

    fn checked(uri: Uri<String>) -> Result<Address, String> {
        // Nothing else is made uniform: some servers sign their URLs, letter by letter.
        let (scheme, rest) = uri.strip_fragment().as_str().split_once(':').unwrap_or_default();
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "http" | "https") {
            return Err("expected http:// or https://".into());
        }
        let uri = Uri::parse(format!("{scheme}:{rest}")).map_err(|(why, _)| format!("not a URL: {why}"))?;
        let authority = uri.authority().filter(|a| !a.host().is_empty()).ok_or("it names no host")?;
        if authority.has_userinfo() {
            return Err("it holds a user or password, which ends up in logs; use `authorization_file`".into());
        }
        authority.port_to_u16().map_err(|_| "its port is no port")?;
        Ok(Address(uri))
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub fn origin(&self) -> Origin {
        let is_secure = self.0.scheme().as_str() == "https";
        let authority = self.0.authority();
        let port = authority.and_then(|a| a.port_to_u16().ok().flatten());
        Origin {
            is_secure,
            host: authority.map(|a| a.host().to_ascii_lowercase()).unwrap_or_default(),
            port: port.unwrap_or(if is_secure { 443 } else { 80 }),
        }
    }

    /// The last segment of the path, fit to be a file's name.
    pub fn file_name(&self) -> String {
        let last = self.0.path().as_str().rsplit('/').next().unwrap_or_default();
        let fits = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
        let name: String = last.chars().map(fits).collect();
        // The end tells the form, so it is the beginning that goes.
        let name = name[name.len().saturating_sub(NAME_BYTES)..].trim_start_matches('.');
        if name.is_empty() { NAMELESS.into() } else { name.into() }
    }
}

impl Origin {
    /// Whether somebody who was sent to this origin may lead on to `to`: the same one, the same in TLS, or one whose host
    /// is among `hosts` (`HOST`, or `HOST:PORT` where the port is not the scheme's). Never out of TLS.
    pub fn may_lead_to(&self, to: &Origin, hosts: &[String]) -> bool {
        if self.is_secure && !to.is_secure {
            return false;
        }
        let is_usual = |origin: &Origin| origin.port == if origin.is_secure { 443 } else { 80 };
        let is_upgrade = self.host == to.host && to.is_secure && is_usual(self) && is_usual(to);
        let named = format!("{}:{}", to.host, to.port);
        let is_allowed = |host: &String| {
            let host = host.to_ascii_lowercase();
            host == named || (host == to.host && is_usual(to))
        };
        self == to || is_upgrade || hosts.iter().any(is_allowed)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Spaces, accents and the like as a URL has them: people and programs write file names as they are.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.trim().bytes() {
        match byte {
            b' ' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0x80.. => {
                out.push_str(&format!("%{byte:02X}"));
            }
            // Control characters stay, and are refused by the parser.
            _ => out.push(char::from(byte)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[test]
    fn references_are_resolved_as_browsers_do() {
        let base = at("https://prep.example:8443/datos/ultimo.json?t=1#x");
        for (reference, expected) in [
            ("20260607_2010.zip", "https://prep.example:8443/datos/20260607_2010.zip"),
            ("corte 1/á.zip", "https://prep.example:8443/datos/corte%201/%C3%A1.zip"),
            ("../a/./b.tar", "https://prep.example:8443/a/b.tar"),
            ("../../../../x", "https://prep.example:8443/x"),
            ("/x.zip", "https://prep.example:8443/x.zip"),
            ("//cdn.example/x.zip#y", "https://cdn.example/x.zip"),
            ("?v=2", "https://prep.example:8443/datos/ultimo.json?v=2"),
            ("HTTPS://Otro.Example:443/%7ex?firma=%2f", "https://Otro.Example:443/%7ex?firma=%2f"),
        ] {
            assert_eq!(base.join(reference).unwrap().as_str(), expected, "{reference}");
        }
        for bad in ["", "ftp://a/b", "file:///etc/passwd", "javascript:1", "https://", "http://u:p@a/", "a\nb", "%zz"] {
            assert!(base.join(bad).is_err(), "{bad}");
        }
        assert!(Address::parse("prep.example/x").is_err() && Address::parse("https://a:99999/").is_err());
    }

    #[test]
    fn nobody_is_led_elsewhere_unless_it_was_said() {
        let leads = |from: &str, to: &str, hosts: &[&str]| {
            let hosts: Vec<_> = hosts.iter().map(|h| (*h).to_owned()).collect();
            at(from).origin().may_lead_to(&at(to).origin(), &hosts)
        };
        assert!(leads("https://a/x", "https://A:443/y", &[]));
        assert!(leads("http://a/x", "https://a/y", &[]));
        assert!(!leads("http://a:8080/x", "https://a/y", &[]));
        assert!(!leads("https://a/x", "http://a/y", &["a"]), "never out of TLS");
        assert!(!leads("https://a/x", "https://b/y", &[]));
        assert!(leads("https://a/x", "https://b/y", &["B"]));
        assert!(!leads("https://a/x", "https://b:8443/y", &["b"]));
        assert!(leads("https://a/x", "https://b:8443/y", &["c", "b:8443"]));
        assert!(!leads("https://a/x", "https://a.evil/y", &["a"]));
        assert!(!leads("http://a:8000/x", "http://a:8001/y", &[]));
    }

    #[test]
    fn names_are_fit_for_a_folder() {
        for (address, name) in [
            ("https://a/d/20260607_2010.tar.zst?x=/y", "20260607_2010.tar.zst"),
            ("https://a/d/", "package"),
            ("https://a", "package"),
            ("https://a/..%2f..%2fetc", "_2f.._2fetc"),
            ("https://a/.hidden.zip", "hidden.zip"),
        ] {
            assert_eq!(at(address).file_name(), name);
        }
        assert_eq!(at(&format!("https://a/{}.zip", "x".repeat(300))).file_name().len(), NAME_BYTES);
    }

    proptest! {
        #[test]
        fn what_is_joined_can_be_spoken_to(reference in "(//|/|[a-z]{1,5}:|[.]{1,2}/)?[ -~á]{0,30}") {
            let base = at("https://prep.example/datos/ultimo.json");
            if let Ok(to) = base.join(&reference) {
                prop_assert!(!to.origin().host.is_empty());
                let name = to.file_name();
                prop_assert!(!name.starts_with('.') && !name.contains('/') && !name.is_empty());
                prop_assert_eq!(&at(to.as_str()), &to);
            }
        }
    }
}
