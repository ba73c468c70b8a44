//! What a request says to a cache (RFC 9111, 5.2.1 and 5.4), and which methods a cache may answer.
//!
//! These directives are advice (5.2.1). Where a crowd that reloads must not reach the origin, the caller decides with
//! `Directives::default()`; `only-if-cached` alone should always be heeded.

use http::Method;
use http::header::{CACHE_CONTROL, HeaderMap, PRAGMA};

use super::directives::{Argument, parts};
use super::list;

/// How much staler than fresh a client takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxStale {
    Any,
    /// Seconds.
    Up(u32),
}

/// What a request says. Numbers are seconds; one that is none counts as absent, for what it advises cannot be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directives {
    pub max_age: Option<u32>,
    pub max_stale: Option<MaxStale>,
    pub min_fresh: Option<u32>,
    pub no_cache: bool,
    /// Neither the request nor what answers it is stored (5.2.1.5).
    pub no_store: bool,
    pub no_transform: bool,
    /// With nothing that may be sent from the store: 504 (5.2.1.7).
    pub only_if_cached: bool,
    /// RFC 5861, 4.
    pub stale_if_error: Option<u32>,
}

impl Directives {
    pub fn read(headers: &HeaderMap) -> Self {
        let mut found = Directives::default();
        if !headers.contains_key(CACHE_CONTROL) {
            // 5.4: only where there is no Cache-Control.
            let pragma = list::of(headers, PRAGMA).members;
            found.no_cache = pragma.iter().any(|member| member.eq_ignore_ascii_case(b"no-cache"));
            return found;
        }
        for member in list::of(headers, CACHE_CONTROL).members {
            let (name, argument) = parts(member);
            found.add(name, &argument);
        }
        found
    }

    fn add(&mut self, name: &[u8], argument: &Argument) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        let number = argument.value().and_then(list::seconds);
        if is("max-age") {
            tighten(&mut self.max_age, number, u32::min);
        } else if is("max-stale") {
            self.max_stale = match (self.max_stale, argument, number) {
                (known, Argument::None, _) => known.or(Some(MaxStale::Any)),
                (Some(MaxStale::Up(known)), _, Some(new)) => Some(MaxStale::Up(known.min(new))),
                (_, _, Some(new)) => Some(MaxStale::Up(new)),
                (known, _, None) => known,
            };
        } else if is("min-fresh") {
            tighten(&mut self.min_fresh, number, u32::max);
        } else if is("stale-if-error") {
            tighten(&mut self.stale_if_error, number, u32::min);
        } else {
            self.no_cache |= is("no-cache");
            self.no_store |= is("no-store");
            self.no_transform |= is("no-transform");
            self.only_if_cached |= is("only-if-cached");
        }
    }
}

fn tighten(known: &mut Option<u32>, new: Option<u32>, pick: fn(u32, u32) -> u32) {
    *known = match (*known, new) {
        (Some(known), Some(new)) => Some(pick(known, new)),
        (known, new) => known.or(new),
    };
}

/// What a cache does with a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// GET and HEAD: may be answered from a stored response to GET (RFC 9110, 9.3.1 and 9.3.2).
    Answer,
    /// Safe (9.2.1), never answered from the store: OPTIONS, TRACE.
    Pass,
    /// Unsafe, or of unknown safety: written through (RFC 9111, 4), and what it changed is invalidated (4.4).
    Write,
}

pub fn use_of(method: &Method) -> Use {
    match *method {
        Method::GET | Method::HEAD => Use::Answer,
        Method::OPTIONS | Method::TRACE => Use::Pass,
        _ => Use::Write,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// Section of RFC 9111, lines, what they say.
    type Row = (&'static str, &'static [(&'static str, &'static str)], Directives);

    #[test]
    fn what_requests_say() {
        let empty = Directives::default;
        let cases: [Row; 15] = [
            ("5.2.1", &[], empty()),
            ("5.4", &[("pragma", "x, No-Cache")], Directives { no_cache: true, ..empty() }),
            (
                "5.4",
                &[("pragma", "no-cache"), ("cache-control", "max-age=1")],
                Directives { max_age: Some(1), ..empty() },
            ),
            ("5.4", &[("pragma", "no-cache"), ("cache-control", "")], empty()),
            ("5.2.1.1", &[("cache-control", "max-age=5, max-age=\"3\"")], Directives { max_age: Some(3), ..empty() }),
            ("5.2.1.1", &[("cache-control", "max-age=x")], empty()),
            ("5.2.1.2", &[("cache-control", "max-stale")], Directives { max_stale: Some(MaxStale::Any), ..empty() }),
            (
                "5.2.1.2",
                &[("cache-control", "max-stale=4")],
                Directives { max_stale: Some(MaxStale::Up(4)), ..empty() },
            ),
            (
                "5.2.1.2",
                &[("cache-control", "max-stale, max-stale=4"), ("cache-control", "max-stale")],
                Directives { max_stale: Some(MaxStale::Up(4)), ..empty() },
            ),
            ("5.2.1.2", &[("cache-control", "max-stale=x")], empty()),
            ("5.2.1.3", &[("cache-control", "min-fresh=4, min-fresh=9")], Directives { min_fresh: Some(9), ..empty() }),
            ("5.2.1.4", &[("cache-control", "no-cache")], Directives { no_cache: true, ..empty() }),
            ("5.2.1.5", &[("cache-control", "no-store")], Directives { no_store: true, ..empty() }),
            ("5.2.1.6", &[("cache-control", "no-transform")], Directives { no_transform: true, ..empty() }),
            ("5.2.1.7", &[("cache-control", "only-if-cached")], Directives { only_if_cached: true, ..empty() }),
        ];
        for (section, lines, expected) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(Directives::read(&headers), expected, "{section} {lines:?}");
        }
    }

    #[test]
    fn methods() {
        for (method, expected) in [
            ("GET", Use::Answer),
            ("HEAD", Use::Answer),
            ("OPTIONS", Use::Pass),
            ("POST", Use::Write),
            ("QUUX", Use::Write),
        ] {
            assert_eq!(use_of(&method.parse().unwrap()), expected, "{method}");
        }
    }
}
