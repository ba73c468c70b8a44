//! How a request sounds to its origin: what is made of one need not be made of another who asks otherwise.

use std::hash::{DefaultHasher, Hash, Hasher};

use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CACHE_CONTROL, DNT, FORWARDED, HeaderMap, HeaderName, PRAGMA, REFERER,
    UPGRADE_INSECURE_REQUESTS, USER_AGENT, VIA,
};

use super::route::Route;

/// What every browser says of itself, and we of the way; no origin knows anybody by it.
const PLAIN: [HeaderName; 14] = [
    ACCEPT,
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    CACHE_CONTROL,
    DNT,
    FORWARDED,
    PRAGMA,
    HeaderName::from_static("priority"),
    REFERER,
    HeaderName::from_static("save-data"),
    HeaderName::from_static("sec-gpc"),
    UPGRADE_INSECURE_REQUESTS,
    USER_AGENT,
    VIA,
];
/// `X-Forwarded-*` is ours alone by now.
const PLAIN_BEGIN: [&str; 3] = ["sec-ch-", "sec-fetch-", "x-forwarded-"];

/// See above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Voice {
    heard: u64,
    /// It says nothing of its own, such as a cookie.
    pub is_plain: bool,
}

impl Voice {
    /// `heard`: the fields as the origin hears them.
    pub fn of(heard: &HeaderMap, route: &Route) -> Voice {
        let mut hasher = DefaultHasher::new();
        for (name, value) in heard {
            (name.as_str(), value.as_bytes()).hash(&mut hasher);
        }
        let is_plain = |name: &HeaderName| {
            PLAIN.contains(name)
                || PLAIN_BEGIN.iter().any(|begin| name.as_str().starts_with(begin))
                || route.headers.contains(name)
        };
        Voice { heard: hasher.finish(), is_plain: heard.keys().all(is_plain) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::route::specimen;
    use super::*;

    #[test]
    fn who_says_something_of_his_own_is_heard() {
        let route = Route { headers: vec!["x-edicion".parse().unwrap()], ..specimen("/") };
        let voice = |fields: &[(&'static str, &'static str)]| {
            let heard = fields.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect();
            Voice::of(&heard, &route)
        };
        let browser = [("user-agent", "a"), ("sec-fetch-mode", "navigate"), ("x-forwarded-for", "192.0.2.1")];
        assert!(voice(&browser).is_plain && voice(&[]).is_plain && voice(&[("x-edicion", "es")]).is_plain);
        for own in ["cookie", "x-api-key", "sec-websocket-key"] {
            assert!(!voice(&[("accept", "*/*"), (own, "1")]).is_plain, "{own}");
        }
        assert_eq!(voice(&browser), voice(&browser));
        assert_ne!(voice(&[("cookie", "1")]), voice(&[("cookie", "2")]));
    }
}
