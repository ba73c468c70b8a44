//! Whom to look at.

use std::fmt;
use std::str::FromStr;

use http::Uri;

use crate::base::origin::Origin;
use crate::base::shown::Shown;

/// A difusor's address. It publishes at the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub origin: Origin,
}

/// Not the address of a difusor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no difusor's address; expected such as https://prep2026.example.mx")]
pub struct NotATarget(Shown);

impl Target {
    /// Where `Location: TO` leads from a clear port, if that is the same host: its root. From TLS nothing leads away: who
    /// has asked for it would not see that he gets something else.
    pub fn sent_to(&self, to: &str) -> Option<Target> {
        if self.origin.is_secure {
            return None;
        }
        let there: Target = to.split_at_checked(to.find("://")? + 3).and_then(|(scheme, rest)| {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            format!("{scheme}{}", &rest[..end]).parse().ok()
        })?;
        (there.origin.host == self.origin.host).then_some(there)
    }
}

impl FromStr for Target {
    type Err = NotATarget;

    fn from_str(text: &str) -> Result<Target, NotATarget> {
        let fault = || NotATarget(Shown::text(text));
        let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let uri: Uri = whole.parse().map_err(|_| fault())?;
        let is_root = matches!(uri.path_and_query().map(|rest| rest.as_str()), None | Some("/" | ""));
        let origin = Origin::of(&uri).filter(|_| is_root).ok_or_else(fault)?;
        Ok(Target { origin })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.origin.fmt(f)
    }
}

/// A path of a package as a URL has it.
pub(super) fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 1);
    out.push('/');
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(byte as char),
            _ => out += &format!("%{byte:02X}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        for (text, shown) in [
            ("prep.example.mx", "https://prep.example.mx"),
            ("https://PREP.example.mx/", "https://prep.example.mx"),
            ("https://prep.example.mx:443", "https://prep.example.mx"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), shown);
        }
        for bad in
            ["", "ftp://a", "https://u:p@a", "https://a/datos", "https://a/?x", "https://a:0", "https://a:99999", "a b"]
        {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
        assert_eq!(encoded("a b/100% ñ.json"), "/a%20b/100%25%20%C3%B1.json");
    }

    #[test]
    fn redirects_stay_with_the_host() {
        let target: Target = "http://prep.example.mx:8080".parse().unwrap();
        let to = |to: &str| target.sent_to(to).map(|target| target.to_string());
        assert_eq!(to("https://prep.example.mx/x?y").as_deref(), Some("https://prep.example.mx"));
        for other in ["https://otro.example.mx/", "/index.html", "https://prep.example.mx@otro/", "javascript://x"] {
            assert_eq!(to(other), None, "{other}");
        }
        // Nobody who asked for TLS is led away from it.
        let secured: Target = "https://prep.example.mx".parse().unwrap();
        for to in ["http://prep.example.mx/", "https://prep.example.mx:8443/"] {
            assert_eq!(secured.sent_to(to), None, "{to}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "(https?://)?\\PC{0,30}") {
            if let Ok(target) = text.parse::<Target>() {
                prop_assert_eq!(target.to_string().parse::<Target>(), Ok(target));
            }
        }
    }
}
