//! Which requests go to which upstream, and how their answers are kept.

use std::time::Duration;

use http::header::HeaderName;

/// What a query adds to the key under which an answer is kept; what is dropped does not go upstream either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// All of it, as it came.
    Keep,
    /// All parameters, in the order of their names.
    Sort,
    /// None of it.
    Drop,
    /// These parameters alone, in the order of their names.
    Only(Vec<String>),
}

/// Requests of a host under a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Its place in the order in which routes are tried; set by [`ordered`].
    pub number: usize,
    /// What the log and the metrics call it.
    pub name: String,
    /// In lower case, without a port; `None` takes any.
    pub host: Option<String>,
    /// Begins with `/`; matches whole segments: `/actas` has `/actas` and `/actas/1.jpg`, not `/actas2`.
    pub prefix: String,
    /// Place in the list of upstreams.
    pub upstream: usize,
    /// True: asked before the package; false: only for what is not in it.
    pub before_package: bool,
    pub cache: bool,
    /// What is stored is compressed, where that pays and its origin lets it be transformed.
    pub compress: bool,
    pub query: Query,
    /// Fields of the request that are part of the key, whatever `Vary` says.
    pub headers: Vec<HeaderName>,
    /// The corte that is shown is part of the key: a swap renews everything at once.
    pub by_corte: bool,
    /// These are results: they are shown only while the package's are.
    pub results: bool,
    /// How long any answer may be sent stale while the origin fails.
    pub stale_if_error: Duration,
    /// How long 404 and 410 are kept where the origin says nothing.
    pub negative: Duration,
    /// Where they are set, they count in place of the upstream's.
    pub first_byte: Option<Duration>,
    pub idle: Option<Duration>,
    pub total: Option<Duration>,
    /// How long one waits for an answer that another has asked for.
    pub wait: Duration,
    /// A request's body at most.
    pub body_bytes: u64,
}

impl Route {
    /// `host` in any case, with or without a port; `path` as it came.
    pub fn takes(&self, host: Option<&str>, path: &str) -> bool {
        let rest = path.strip_prefix(self.prefix.trim_end_matches('/'));
        let is_under = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        is_under && self.host.as_deref().is_none_or(|own| host.is_some_and(|host| own.eq_ignore_ascii_case(bare(host))))
    }
}

/// The routes in the order in which they are tried: those of a host first, then longer prefixes first.
pub fn ordered(mut routes: Vec<Route>) -> Vec<Route> {
    routes.sort_by_key(|route| (route.host.is_none(), std::cmp::Reverse(route.prefix.len())));
    for (number, route) in routes.iter_mut().enumerate() {
        route.number = number;
    }
    routes
}

/// A host without its port.
fn bare(host: &str) -> &str {
    match host.rfind(':') {
        Some(at) if !host[at..].contains(']') => &host[..at],
        _ => host,
    }
}

#[cfg(test)]
pub(crate) fn specimen(prefix: &str) -> Route {
    Route {
        number: 0,
        name: "prueba".into(),
        host: None,
        prefix: prefix.into(),
        upstream: 0,
        before_package: false,
        cache: true,
        compress: true,
        query: Query::Keep,
        headers: Vec::new(),
        by_corte: false,
        results: false,
        stale_if_error: Duration::ZERO,
        negative: Duration::ZERO,
        first_byte: None,
        idle: None,
        total: None,
        wait: Duration::from_secs(10),
        body_bytes: 1 << 20,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_take_whole_segments() {
        for (prefix, path, takes) in [
            ("/", "/", true),
            ("/", "/x/y", true),
            ("/actas", "/actas", true),
            ("/actas", "/actas/1.jpg", true),
            ("/actas/", "/actas/1.jpg", true),
            ("/actas", "/actas2", false),
            ("/actas", "/", false),
            ("/actas", "*", false),
        ] {
            assert_eq!(specimen(prefix).takes(None, path), takes, "{prefix} {path}");
        }
    }

    #[test]
    fn hosts_are_compared_without_case_and_port() {
        let route = Route { host: Some("diario.example".into()), ..specimen("/") };
        for (host, takes) in [
            (Some("diario.example"), true),
            (Some("Diario.Example:8443"), true),
            (Some("otro.example"), false),
            (Some("[::1]:80"), false),
            (None, false),
        ] {
            assert_eq!(route.takes(host, "/"), takes, "{host:?}");
        }
        assert_eq!(bare("[::1]:80"), "[::1]");
        assert_eq!(bare("[::1]"), "[::1]");
    }

    #[test]
    fn what_is_said_more_exactly_is_tried_first() {
        let of_host = Route { host: Some("a.example".into()), ..specimen("/") };
        let sorted = ordered(vec![specimen("/"), specimen("/a/b"), specimen("/a"), of_host.clone()]);
        let prefixes: Vec<_> = sorted.iter().map(|route| route.prefix.as_str()).collect();
        assert_eq!((prefixes, &sorted[0]), (vec!["/", "/a/b", "/a", "/"], &of_host));
    }
}
