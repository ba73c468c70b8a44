//! Whom a URL leads to: scheme, host and port (RFC 6454, section 4).

use std::fmt;

use http::Uri;

/// Ports where none is said (RFC 9110, 4.2.1, 4.2.2).
const HTTP: u16 = 80;
const HTTPS: u16 = 443;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub is_secure: bool,
    /// A name in lower case, or an address without brackets.
    pub host: String,
    pub port: u16,
}

impl Origin {
    /// Of an absolute `http` or `https` URL; `None` where it is no such, names nobody or somebody's account, or says port 0.
    pub fn of(uri: &Uri) -> Option<Origin> {
        let is_secure = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let has_port = authority.as_str().len() > authority.host().len();
        let port = match authority.port_u16() {
            Some(port) if port > 0 => port,
            None if !has_port => usual(is_secure),
            _ => return None,
        };
        (!host.is_empty()).then_some(Origin { is_secure, host, port })
    }

    /// `Host`, or `:authority`.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == usual(self.is_secure) { host } else { format!("{host}:{}", self.port) }
    }

    pub fn scheme(&self) -> &'static str {
        if self.is_secure { "https" } else { "http" }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority())
    }
}

fn usual(is_secure: bool) -> u16 {
    if is_secure { HTTPS } else { HTTP }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<Origin> {
        Origin::of(&text.parse().ok()?)
    }

    #[test]
    fn whom_a_url_leads_to() {
        for (text, host, port, shown) in [
            ("http://127.0.0.1:8080", "127.0.0.1", 8080, "http://127.0.0.1:8080"),
            ("https://PREP.example.mx/datos/?a=b", "prep.example.mx", 443, "https://prep.example.mx"),
            ("http://[::1]:80/", "::1", 80, "http://[::1]"),
        ] {
            let origin = read(text).unwrap();
            assert_eq!((origin.host.as_str(), origin.port), (host, port));
            assert_eq!(origin.to_string(), shown);
        }
        for bad in ["a", "/a", "ftp://a/", "http://u:p@a/", "http://a:0/", "http://a:x/", "http://a:99999/", "http:///"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_read_again(text in "https?://\\PC{0,30}") {
            if let Some(origin) = read(&text) {
                prop_assert_eq!(read(&origin.to_string()), Some(origin));
            }
        }
    }
}
