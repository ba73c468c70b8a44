//! `[[route]]`: which requests, and how their answers are kept.

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};

use crate::base::units;
use crate::config::schedule::host;
use crate::config::source::name;
use crate::config::typed::{Given, Section};
use crate::proxy::route::{Query, Route};

/// Bytes of a path, and of a parameter's name.
const TEXT_BYTES: usize = 256;
/// Names in a list: each of them multiplies what is kept of one page.
const LIST_MAX: usize = 32;
/// Fields that are in the key already, or mean nothing beyond the connection.
const NO_KEYS: [HeaderName; 6] = [HOST, CONNECTION, CONTENT_LENGTH, TE, TRANSFER_ENCODING, UPGRADE];
/// Where the service's own pages are.
const OWN: &str = "/.prep";

/// `query` without its `parameters`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Keep,
    Sort,
    Drop,
    Only,
}

/// The place of its upstream among `names`, and all of it; each `None` only where a fault has been noted. Of `names`, `None` is
/// one that could not be read. `number` counts from 1 on.
pub fn route(section: &Section, number: usize, names: &[Option<String>]) -> (Option<usize>, Option<Route>) {
    let upstream = section.text("upstream", name).and_then(|given| place(section, given, names));
    (upstream, rest(section, number, upstream))
}

fn rest(section: &Section, number: usize, upstream: Option<usize>) -> Option<Route> {
    let (prefix, host) = (section.text("path", prefix), section.text_if_given("host", host));
    let name = section.text_if_given("name", name);
    let first = section.truth("first");
    let (cache, compress) = (section.truth("cache"), section.truth("compress"));
    let query = query(section);
    let headers = once(section, "headers", section.list("headers", field));
    let (by_corte, results) = (section.truth("by_corte"), section.truth("results"));
    let stale = section.text("stale_if_error", units::duration_or_zero);
    let negative = section.text("negative", units::duration_or_zero);
    let time = |key| section.text_if_given(key, units::duration);
    let (first_byte, idle, total) = (time("first_byte"), time("idle"), time("total"));
    let (wait, body) = (section.text("wait", units::duration), section.text("body_bytes", units::size));
    let (prefix, host, first) = (prefix?.value, host?, first?);
    if first && prefix == "/" && host.is_none() {
        let remedy = "give the route a longer `path` or a `host` of its own, or leave `first` out";
        section.fault_of("first", &format!("with `path = \"/\"` would hide the whole package: {remedy}"));
    }
    Some(Route {
        number: 0,
        name: name?.unwrap_or_else(|| format!("route-{number}")),
        host,
        prefix,
        upstream: upstream?,
        before_package: first,
        cache: cache?,
        compress: compress?,
        query: query?,
        headers: headers?,
        by_corte: by_corte?,
        results: results?,
        stale_if_error: stale?.value,
        negative: negative?.value,
        first_byte: first_byte?,
        idle: idle?,
        total: total?,
        wait: wait?.value,
        body_bytes: body?.value,
    })
}

/// Where the upstream of this name stands.
fn place(section: &Section, given: Given<String>, names: &[Option<String>]) -> Option<usize> {
    let found = names.iter().position(|name| name.as_ref() == Some(&given.value));
    // One whose name cannot be read may be meant.
    if found.is_none() && !names.contains(&None) {
        let there: Vec<_> = names.iter().flatten().map(|name| format!("`{name}`")).collect();
        let there = if there.is_empty() { String::new() } else { format!(" beside {}", there.join(", ")) };
        let remedy = format!("add an `[[upstream]]` with that name{there}, or correct it");
        section.note(given.span, format!("`route.upstream`: there is no upstream `{}`: {remedy}", given.value));
    }
    found
}

fn query(section: &Section) -> Option<Query> {
    let kind = section.text("query", kind);
    let parameters = once(section, "parameters", section.list("parameters", parameter));
    let (kind, parameters) = (kind?.value, parameters?);
    if kind != Kind::Only && section.has("parameters") {
        section.fault_of("parameters", "is for `query = \"only\"`: write that, or remove it");
    }
    if kind == Kind::Only && parameters.is_empty() {
        section.fault_of("query", "needs `parameters`: name them, or write `query = \"drop\"`");
    }
    Some(match kind {
        Kind::Keep => Query::Keep,
        Kind::Sort => Query::Sort,
        Kind::Drop => Query::Drop,
        Kind::Only => Query::Only(parameters),
    })
}

/// The values of a list in which none may be twice.
fn once<T: PartialEq>(section: &Section, key: &str, list: Option<Vec<Given<T>>>) -> Option<Vec<T>> {
    let list = list?;
    if list.len() > LIST_MAX {
        section.fault_of(key, &format!("has {} names; {LIST_MAX} are the most", list.len()));
    }
    let mut kept = Vec::new();
    for Given { value, span } in list {
        if kept.contains(&value) {
            section.note(span, format!("`{}`: this one is there twice", section.full(key)));
        } else {
            kept.push(value);
        }
    }
    Some(kept)
}

/// As it stands in a URL, so that it can be compared with what comes; without a `/` at its end.
fn prefix(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err(format!("`{text}` does not begin with `/`"));
    }
    if text.len() > TEXT_BYTES || !is_of_url(text) {
        let remedy = "escape what has to be, such as é as %C3%A9, and nothing else";
        return Err(format!("`{text}` is no path of a URL of at most {TEXT_BYTES} bytes: {remedy}"));
    }
    let prefix = text.strip_suffix('/').unwrap_or(text);
    if prefix == OWN || prefix.strip_prefix(OWN).is_some_and(|rest| rest.starts_with('/')) {
        return Err(format!("`{OWN}/` is the service's own; take another path"));
    }
    if prefix.split('/').skip(1).any(|segment| matches!(segment, "" | "." | "..")) {
        return Err(format!("`{text}` has a segment that is empty, `.` or `..`"));
    }
    Ok(if prefix.is_empty() { "/".into() } else { prefix.into() })
}

/// Nothing but what stands in a path (RFC 3986, 3.3), and nothing escaped that need not be (6.2.2.2).
fn is_of_url(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let mut parts = text.split('%');
    let stands = |part: &str| part.bytes().all(|b| is_plain(b) || b"/!$&'()*+,;=:@".contains(&b));
    let escaped = |part: &str| {
        let digits = part.get(..2).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        byte.is_some_and(|byte| !is_plain(byte)) && part.get(2..).is_some_and(stands)
    };
    parts.next().is_some_and(stands) && parts.all(escaped)
}

fn kind(text: &str) -> Result<Kind, String> {
    match text {
        "keep" => Ok(Kind::Keep),
        "sort" => Ok(Kind::Sort),
        "drop" => Ok(Kind::Drop),
        "only" => Ok(Kind::Only),
        _ => Err(String::new()),
    }
}

/// As it stands in a URL.
fn parameter(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_graphic() && !b"&=#\"<>".contains(&b);
    let is_name = (1..=TEXT_BYTES).contains(&text.len()) && text.bytes().all(fits);
    is_name.then(|| text.to_owned()).ok_or_else(|| format!("`{text}` is no name of a parameter as it stands in a URL"))
}

fn field(text: &str) -> Result<HeaderName, String> {
    let name = HeaderName::try_from(text).map_err(|_| format!("`{text}` is no name of a field"))?;
    if NO_KEYS.contains(&name) { Err(format!("`{name}` tells no answers apart; remove it")) } else { Ok(name) }
}
