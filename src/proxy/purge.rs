//! What an operator has forgotten: chosen by address, by the beginning of a path, by host, or by a tag that the origin gave.

use http::uri::Uri;
use http::{HeaderMap, HeaderName};

use super::list;

/// Tags as CDNs have them: the one parted by blanks, the other by commas.
const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");
const CACHE_TAG: HeaderName = HeaderName::from_static("cache-tag");

/// Which stored responses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Path and query, as the origin is asked for them.
    Path(String),
    /// Paths that begin so.
    Prefix(String),
    /// As the origin is told it; with its port where that is not the scheme's own.
    Host(String),
    /// A member of `Surrogate-Key` or `Cache-Tag`.
    Tag(String),
    Everything,
}

/// See the names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purge {
    pub which: Which,
    /// True: kept, and validated before it is sent again.
    pub soft: bool,
}

impl Which {
    /// True where what is stored under `address` is meant whatever its fields say; `None` where they have to be asked.
    pub fn has(&self, address: &str) -> Option<bool> {
        let uri: Option<Uri> = address.parse().ok();
        let target = uri.as_ref().and_then(Uri::path_and_query).map_or("", |target| target.as_str());
        match self {
            Which::Path(path) => Some(target == path),
            Which::Prefix(prefix) => Some(target.starts_with(prefix.as_str())),
            Which::Host(host) => {
                let own = uri.as_ref().and_then(Uri::authority);
                Some(own.is_some_and(|own| own.as_str().eq_ignore_ascii_case(host)))
            }
            Which::Everything => Some(true),
            Which::Tag(_) => None,
        }
    }

    /// True where the fields have the tag.
    pub fn tags(&self, fields: &HeaderMap) -> bool {
        let Which::Tag(tag) = self else { return false };
        let keys = fields.get_all(SURROGATE_KEY).iter().flat_map(|line| line.as_bytes().split(|b| b" \t".contains(b)));
        let tags = list::of(fields, CACHE_TAG).members;
        keys.chain(tags).any(|one| one == tag.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant() {
        let address = "http://o.example:8080/actas/1?x=1";
        for (which, has) in [
            (Which::Path("/actas/1?x=1".into()), Some(true)),
            (Which::Path("/actas/1".into()), Some(false)),
            (Which::Prefix("/actas/".into()), Some(true)),
            (Which::Prefix("/notas".into()), Some(false)),
            (Which::Host("O.example:8080".into()), Some(true)),
            (Which::Host("o.example".into()), Some(false)),
            (Which::Everything, Some(true)),
            (Which::Tag("a".into()), None),
        ] {
            assert_eq!(which.has(address), has, "{which:?}");
        }
    }

    #[test]
    fn tags_in_both_forms() {
        let lines = [("surrogate-key", "nota  acta-7"), ("cache-tag", "portada, acta-8"), ("cache-tag", "x y")];
        let fields: HeaderMap = lines.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect();
        for (tag, has) in
            [("acta-7", true), ("acta-8", true), ("x y", true), ("x", false), ("acta", false), ("", false)]
        {
            let has_it = !tag.is_empty() && Which::Tag(tag.into()).tags(&fields);
            assert_eq!(has_it, has, "{tag}");
        }
    }
}
