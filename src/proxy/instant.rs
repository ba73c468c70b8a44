//! A hit on the plain path: what lies ready, found without building a request and written without building a response.
//!
//! It answers what [`Corridor::ready`] would, with the same fields; where it cannot tell at a glance it leaves the request to
//! that.

use bytes::Bytes;
use http::header::{ETAG, HeaderMap};
use http::uri::Scheme;
use http::{Request, StatusCode, Uri};

use super::coded;
use super::corridor::Corridor;
use super::key::{self, Key, OF_UPSTREAM};
use super::lines::Lines;
use super::reply::BRIEF;
use super::route::{Query, Route};
use super::status::{CACHE_STATUS, Outcome, Status};
use super::upstream::{HostOut, Plan};
use super::validate;
use crate::snapshot::negotiate::Accepted;

/// A GET or HEAD without a body, a range or a word to caches, whose fields are these.
pub struct Glance<'r> {
    /// As it was sent.
    pub host: &'r str,
    pub path: &'r str,
    pub query: Option<&'r str>,
    pub accept_encoding: Option<&'r [u8]>,
    pub if_none_match: Option<&'r [u8]>,
    /// Asked over TLS.
    pub is_secure: bool,
    /// The ID of the corte that is shown.
    pub corte: Option<&'r str>,
}

/// What the keys of an upstream's requests begin with, and end with.
pub struct Beginning {
    scheme: &'static str,
    /// `None`: the host that was asked for.
    host: Option<String>,
    /// What it ends with over TLS and in clear: that it is in clear, where the origin is told, and the upstream, where another
    /// has the same scheme and host.
    ends: [String; 2],
    is_apart: bool,
}

impl Beginning {
    fn of(is_secure: bool, host: &HostOut, tells_scheme: bool) -> Beginning {
        let host = match host {
            HostOut::Named(name) => Some(name.to_ascii_lowercase()),
            HostOut::Client => None,
        };
        let in_clear = if tells_scheme { key::IN_CLEAR } else { "" };
        let scheme = if is_secure { "https://" } else { "http://" };
        Beginning { scheme, host, ends: ["".into(), in_clear.into()], is_apart: false }
    }

    /// Of all upstreams, in their order. Two may be told the same host: their answers are none of each other's.
    pub fn of_all(plans: &[Plan]) -> Vec<Beginning> {
        let mut all: Vec<Beginning> = Vec::with_capacity(plans.len());
        for (number, plan) in plans.iter().enumerate() {
            let mut one = Beginning::of(plan.tls.is_some(), &plan.host, plan.tells_scheme());
            if all.iter().any(|other| (other.scheme, &other.host) == (one.scheme, &one.host)) {
                one.is_apart = true;
                one.ends.iter_mut().for_each(|end| *end += &format!("{OF_UPSTREAM}{number}"));
            }
            all.push(one);
        }
        all
    }

    /// True where its keys are more than addresses and how they were asked for.
    pub fn is_apart(&self) -> bool {
        self.is_apart
    }

    fn end(&self, is_secure: bool) -> &str {
        &self.ends[usize::from(!is_secure)]
    }

    /// The key of an addressed request, see below.
    pub fn write_of(&self, route: &Route, request: &Request<()>, corte: Option<&str>, key: &mut String) -> Option<()> {
        let (host, path, query) = (request.uri().authority()?.as_str(), request.uri().path(), request.uri().query());
        let is_secure = is_secure(request.uri());
        let glance = Glance { host, path, query, accept_encoding: None, if_none_match: None, is_secure, corte };
        self.write(route, &glance, key)
    }

    /// The key of a request, as [`super::key::key`] makes it; `None`, and nothing is written, where that takes more than a look.
    fn write(&self, route: &Route, asked: &Glance, key: &mut String) -> Option<()> {
        let changes_query = asked.query.is_some() && route.query != Query::Keep;
        if changes_query || !route.headers.is_empty() || !is_plain(asked.host) {
            return None;
        }
        key.clear();
        key.push_str(self.scheme);
        match &self.host {
            Some(host) => key.push_str(host),
            None => key.extend(asked.host.chars().map(|c| c.to_ascii_lowercase())),
        }
        key.push_str(asked.path);
        if let Some(query) = asked.query {
            key.push('?');
            key.push_str(query);
        }
        if route.by_corte {
            key.push_str(key::BY_CORTE);
            key.push_str(asked.corte.unwrap_or_default());
        }
        key.push_str(self.end(asked.is_secure));
        Some(())
    }
}

impl Corridor {
    /// The key of a request of `route` for `asked` that goes to `address`, where it is heard with these fields.
    pub(super) fn key(
        &self,
        route: &Route,
        address: &Uri,
        fields: &HeaderMap,
        asked: &Uri,
        corte: Option<&str>,
    ) -> Key {
        let (key, end) = (key::key(route, address, fields, corte), self.beginning(route).end(is_secure(asked)));
        if end.is_empty() { key } else { [&*key, end].concat().into() }
    }

    /// Whether an answer to this GET is for nobody else, as far as a glance tells, and goes by [`pass`](super::pass). `room` is for the key.
    pub(super) fn is_alone(&self, route: &Route, asked: &Glance, room: &mut String) -> bool {
        let is_key = self.beginning(route).write(route, asked, room).is_some();
        is_key && self.store().is_alone_and_no_more(room, self.now())
    }

    /// What lies ready for a request; `None` where [`Corridor::ready`] has to be asked. `room` is for the key.
    pub fn glanced(&self, route: &Route, asked: &Glance, room: &mut String) -> Option<Glanced> {
        if !route.cache {
            return None;
        }
        self.beginning(route).write(route, asked, room)?;
        let now = self.now();
        let stored = self.store().only(room, now)?;
        if !stored.is_ready(now) || !stored.is_for_codings(asked.accept_encoding)? {
            return None;
        }
        status_line(stored.status)?;
        let accepted = || Accepted::read(asked.accept_encoding);
        let coded = stored.coded.as_deref().and_then(|coded| coded::best(coded, stored.body.len(), &accepted()));
        let (lines, body) = coded.map_or((stored.lines(), &stored.body), |coded| (&coded.lines, &coded.body));
        let is_known = stored.status == StatusCode::OK && is_known(asked, lines);
        let ttl = stored.left(now);
        let status = Status { ttl: Some(ttl), ..Status::of(Outcome::Hit) };
        self.tally(route).count(&status, asked.path, if is_known { StatusCode::NOT_MODIFIED } else { stored.status });
        Some(Glanced {
            stored: stored.status,
            is_known,
            is_negotiated: stored.coded.is_some(),
            lines: lines.clone(),
            age: stored.age(now),
            // What is ready is fresh.
            ttl: u32::try_from(ttl).unwrap_or(0),
            body: if is_known { Bytes::new() } else { body.clone() },
        })
    }

    /// Writes status line and fields of the answer behind `out`, without the empty line, and returns the body; `None`, and
    /// nothing is written, where nothing is found at a glance.
    pub fn glance(&self, route: &Route, asked: &Glance, room: &mut String, out: &mut Vec<u8>) -> Option<Bytes> {
        let found = self.glanced(route, asked, room)?;
        out.extend_from_slice(if found.is_known {
            b"HTTP/1.1 304 Not Modified\r\n"
        } else {
            status_line(found.stored)?
        });
        match found.is_known {
            true => brief(&found.lines, out),
            false => out.extend_from_slice(found.lines.as_bytes()),
        }
        if found.is_negotiated {
            out.extend_from_slice(b"vary: accept-encoding\r\n");
        }
        out.extend_from_slice(b"age: ");
        number(found.age, out);
        out.extend_from_slice(self.signature());
        number(found.ttl, out);
        out.extend_from_slice(b"\r\n");
        Some(found.body)
    }

    /// The value of `Cache-Status` of a hit, up to the time that is left.
    pub fn hit(&self) -> &[u8] {
        self.signature().get(BEFORE_VALUE..).unwrap_or_default()
    }
}

fn is_secure(asked: &Uri) -> bool {
    asked.scheme() == Some(&Scheme::HTTPS)
}

/// What is found at a glance.
pub struct Glanced {
    stored: StatusCode,
    /// The client has it: 304.
    pub is_known: bool,
    /// The coding was chosen by us.
    pub is_negotiated: bool,
    /// Its fields; of those of a 304 the brief ones count, see [`is_brief`].
    pub lines: Lines,
    /// Seconds, both.
    pub age: u32,
    pub ttl: u32,
    pub body: Bytes,
}

impl Glanced {
    pub fn status(&self) -> StatusCode {
        if self.is_known { StatusCode::NOT_MODIFIED } else { self.stored }
    }
}

/// What stands before the value in a signature.
const BEFORE_VALUE: usize = "\r\ncache-status: ".len();

/// What stands between the age and the time that is left.
pub fn signature(name: &str) -> Box<[u8]> {
    format!("\r\n{CACHE_STATUS}: {name}; hit; ttl=").into_bytes().into()
}

/// A host that every parser takes as it is.
fn is_plain(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte))
}

/// The statuses that caches see.
fn status_line(status: StatusCode) -> Option<&'static [u8]> {
    Some(match status.as_u16() {
        200 => b"HTTP/1.1 200 OK\r\n",
        301 => b"HTTP/1.1 301 Moved Permanently\r\n",
        302 => b"HTTP/1.1 302 Found\r\n",
        404 => b"HTTP/1.1 404 Not Found\r\n",
        410 => b"HTTP/1.1 410 Gone\r\n",
        _ => return None,
    })
}

fn is_known(asked: &Glance, lines: &Lines) -> bool {
    let tag = || lines.get(&ETAG).and_then(validate::tag).map(|(_, opaque)| opaque);
    asked.if_none_match.is_some_and(|line| validate::names(line, tag()))
}

/// Whether 304 says a field again.
pub fn is_brief(name: &[u8]) -> bool {
    BRIEF.iter().any(|known| known.as_str().as_bytes() == name)
}

/// The lines that 304 says again.
fn brief(lines: &Lines, out: &mut Vec<u8>) {
    for (name, _, line) in lines.iter() {
        if is_brief(name) {
            out.extend_from_slice(line);
        }
    }
}

/// Digits, without the machinery of formatting.
pub fn number(n: impl Into<u64>, out: &mut Vec<u8>) {
    let (mut digits, mut at, mut n) = ([0; 20], 20, n.into());
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break out.extend_from_slice(&digits[at..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::forward;
    use super::super::route::specimen;
    use super::*;

    #[test]
    fn numbers_are_written_as_they_are_read() {
        for n in [0, 7, 10, u64::MAX] {
            let mut out = Vec::new();
            number(n, &mut out);
            assert_eq!(out, n.to_string().as_bytes());
        }
    }

    proptest::proptest! {
        /// Else a hit would never be found, or another's would.
        #[test]
        fn keys_are_those_of_the_general_path(
            path in "(/[a-zA-Z0-9._~%!$&'()*+,;=:@-]{0,8}){1,4}",
            query in proptest::option::of("[a-z0-9=&%?/]{0,12}"),
            host in "[a-zA-Z0-9.-]{1,9}(:[0-9]{1,4})?",
            (named, secure, by_corte) in proptest::prelude::any::<(bool, bool, bool)>(),
            kind in 0..4,
        ) {
            let query_rule = match kind {
                0 => Query::Keep,
                1 => Query::Drop,
                2 => Query::Sort,
                _ => Query::Only(vec!["a".into()]),
            };
            let route = Route { query: query_rule, by_corte, ..specimen("/") };
            let host_out = if named { HostOut::Named("Origen.Example:80".into()) } else { HostOut::Client };
            let asked = Glance {
                host: &host, path: &path, query: query.as_deref(),
                accept_encoding: None, if_none_match: None, is_secure: true, corte: Some("20260607_2010"),
            };
            let mut glanced = String::new();
            let target = format!("http://{host}{path}{}", query.as_ref().map(|q| format!("?{q}")).unwrap_or_default());
            let told = Beginning::of(secure, &host_out, true).write(&route, &asked, &mut glanced);
            let address = target.parse::<Uri>().ok().and_then(|uri| {
                forward::address(&route, secure, &host_out, &uri, &HeaderMap::new())
            });
            if let (Some(()), Some(address)) = (told, address) {
                let general = key::key(&route, &address, &HeaderMap::new(), Some("20260607_2010"));
                proptest::prop_assert_eq!(&*general, glanced.as_str());
            }
        }
    }
}
