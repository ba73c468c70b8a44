//! What is to be simulated, and whom it may be aimed at.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use http::Uri;

use super::keep::Mode;
use crate::base::origin::Origin;
use crate::base::shown::Shown;

/// Files besides page and poll file that a reader looks at; the pages of a site ask for a handful.
pub const PATHS_MAX: usize = 64;

/// Who reads, what, and how often. Parts are in [0, 1].
#[derive(Clone, Debug)]
pub struct Plan {
    pub readers: u32,
    /// Part of them who come for each corte and go again; the others stay.
    pub comers: f64,
    /// How long after a corte they come, most of them at once.
    pub rush: Duration,
    pub stay: Duration,
    /// Part of those who come who have been here before, with what their caches kept.
    pub returning: f64,
    /// Part of them whose browsers know compression dictionaries.
    pub dictionaries: f64,
    /// Part of them who come over HTTP/2.
    pub http2: f64,
    pub poll: Duration,
    /// Before each of the files that a reader looks at.
    pub think: Duration,
    /// How poll file and files are asked for; the page always as a navigation does.
    pub mode: Mode,
    /// Page, poll file, and the files that are asked for at first and after each new corte.
    pub page: String,
    pub poll_file: String,
    pub paths: Vec<String>,
    /// Requests a second, at most.
    pub rate_max: Option<u32>,
    pub seed: u64,
}

impl Plan {
    /// The page's place among the resources.
    pub const PAGE: u16 = 0;
    /// The poll file's.
    pub const POLL: u16 = 1;
    /// The first file's.
    pub const FIRST: u16 = 2;

    /// Every resource in its place.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        [&self.page, &self.poll_file].into_iter().chain(&self.paths).map(String::as_str)
    }
}

/// Whom to ask, and for which page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    pub origin: Origin,
    /// Path and query.
    pub page: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no page's address; expected such as http://127.0.0.1:8080/")]
pub struct NotASite(Shown);

impl FromStr for Site {
    type Err = NotASite;

    fn from_str(text: &str) -> Result<Site, NotASite> {
        let fault = || NotASite(Shown::text(text));
        let uri: Uri = text.parse().map_err(|_| fault())?;
        let page = uri.path_and_query().map_or("/", |page| page.as_str()).to_owned();
        Origin::of(&uri).map(|origin| Site { origin, page }).ok_or_else(fault)
    }
}

impl Site {
    /// Whether a browser would use dictionaries here (RFC 9842, section 8; Secure Contexts, 3.1).
    pub fn is_trustworthy(&self) -> bool {
        let Origin { is_secure, host, .. } = &self.origin;
        *is_secure || host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }

    /// Whether so many readers may be sent there: to this machine at once, to others only where the host's name is typed
    /// a second time. `addresses` are what the host's name leads to.
    pub fn may_be_asked(&self, addresses: &[IpAddr], meant: Option<&str>) -> bool {
        let is_here = !addresses.is_empty() && addresses.iter().all(IpAddr::is_loopback);
        is_here || meant.is_some_and(|meant| meant.eq_ignore_ascii_case(&self.origin.host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_of_pages() {
        for (text, host, port, page) in [
            ("http://127.0.0.1:8080", "127.0.0.1", 8080, "/"),
            ("https://PREP.example.mx/datos/?a=b", "prep.example.mx", 443, "/datos/?a=b"),
            ("http://[::1]:80/", "::1", 80, "/"),
        ] {
            let site: Site = text.parse().unwrap();
            assert_eq!((site.origin.host.as_str(), site.origin.port, site.page.as_str()), (host, port, page));
        }
        for bad in ["", "127.0.0.1:8080", "ftp://a/", "http://u:p@a/", "http://a:0/", "http://a:x/", "/index.html"] {
            assert!(bad.parse::<Site>().is_err(), "{bad}");
        }
    }

    #[test]
    fn others_are_asked_only_where_their_name_is_typed_twice() {
        let site: Site = "https://prep.example.mx/".parse().unwrap();
        let (here, there): (IpAddr, IpAddr) = ("127.0.0.1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        assert!(site.may_be_asked(&[here], None) && site.may_be_asked(&["::1".parse().unwrap()], None));
        for addresses in [vec![there], vec![here, there], vec![]] {
            assert!(!site.may_be_asked(&addresses, None), "{addresses:?}");
            assert!(!site.may_be_asked(&addresses, Some("example.mx")), "{addresses:?}");
            assert!(site.may_be_asked(&addresses, Some("PREP.example.mx")), "{addresses:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "(https?://)?\\PC{0,30}") {
            if let Ok(site) = text.parse::<Site>() {
                let _ = (site.origin.authority(), site.is_trustworthy());
            }
        }
    }
}
