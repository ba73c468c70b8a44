//! A stored response as one client gets it: conditions, ranges, age, and the names of the way that it came.

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, AGE, CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, HeaderMap, HeaderName, HeaderValue,
    IF_MATCH, IF_UNMODIFIED_SINCE, RANGE, VARY, VIA,
};
use http::{Method, Response, StatusCode};

use super::coded::{self, Coded};
use super::directives::CDN_CACHE_CONTROL;
use super::status::Status;
use super::store::Stored;
use super::{cut, request, update, validate};
use crate::base::range::Wanted;
use crate::snapshot::negotiate::Accepted;

/// What an answer that we have in several codings varies by.
pub const ENCODING: HeaderValue = HeaderValue::from_static("accept-encoding");

/// What 304 says again (RFC 9110, 15.4.5), and the way that it came.
pub const BRIEF: [HeaderName; 9] =
    [CACHE_CONTROL, CDN_CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, VARY, AGE, VIA];

/// What a client asked, as far as a reply depends on it.
#[derive(Clone, Copy)]
pub struct For<'r> {
    pub method: &'r Method,
    pub fields: &'r HeaderMap,
}

/// The reply from the store. `is_validated`: the origin has just said that it holds.
pub fn stored(
    stored: &Stored,
    asked: For,
    is_validated: bool,
    status: &Status,
    name: &str,
    now: u64,
) -> Response<Bytes> {
    let coded = chosen(stored, asked.fields);
    let lines = coded.map_or(stored.lines(), |coded| &coded.lines);
    let mut fields = lines.to_map();
    if !is_validated && stored.needs_word() {
        fields = update::unvalidated(&fields);
    }
    fields.insert(AGE, stored.age(now).into());
    if stored.coded.is_some() {
        fields.append(VARY, ENCODING);
    }
    let body = coded.map_or(&stored.body, |coded| &coded.body);
    let (status_code, body) = part(stored.status, &mut fields, body, stored.received(), asked);
    finish(&mut fields, status, name);
    let body = if *asked.method == Method::HEAD { Bytes::new() } else { body };
    let mut response = Response::new(body);
    *response.status_mut() = status_code;
    *response.headers_mut() = fields;
    response
}

/// The body in the coding that the client likes best, if that is one of our making. A part is cut from what the origin sent.
fn chosen<'s>(stored: &'s Stored, asked: &HeaderMap) -> Option<&'s Coded> {
    let coded = stored.coded.as_deref().filter(|_| !asked.contains_key(RANGE))?;
    if request::Directives::read(asked).no_transform {
        return None;
    }
    let accepted = Accepted::read(asked.get_all(ACCEPT_ENCODING).iter().map(HeaderValue::as_bytes));
    coded::best(coded, stored.body.len(), &accepted)
}

/// 200, or what conditions and ranges make of it.
fn part(status: StatusCode, fields: &mut HeaderMap, body: &Bytes, received: u64, asked: For) -> (StatusCode, Bytes) {
    if status != StatusCode::OK {
        return (status, body.clone());
    }
    if is_not_modified(asked.fields, fields, received) {
        brief(fields);
        return (StatusCode::NOT_MODIFIED, Bytes::new());
    }
    match cut::wanted(asked, fields, body.len()) {
        Wanted::Whole => {}
        Wanted::Part(part) => return (cut::tell_part(fields, &part, body.len()), body.slice(part)),
        Wanted::Unsatisfiable => return (cut::tell_unsatisfiable(fields, body.len()), Bytes::new()),
    }
    (status, body.clone())
}

/// `If-Match` and `If-Unmodified-Since` are for who changes something: a cache leaves them out (RFC 9111, 4.3.2).
pub fn is_not_modified(asked: &HeaderMap, fields: &HeaderMap, received: u64) -> bool {
    !asked.contains_key(IF_MATCH)
        && !asked.contains_key(IF_UNMODIFIED_SINCE)
        && validate::is_not_modified(asked, fields, received)
}

/// Leaves what 304 says.
pub fn brief(fields: &mut HeaderMap) {
    let names: Vec<HeaderName> = fields.keys().filter(|name| !BRIEF.contains(name)).cloned().collect();
    for name in names {
        fields.remove(name);
    }
}

/// Tells how the answer was come by; `Via` has told of this hop since it came.
pub fn finish(fields: &mut HeaderMap, status: &Status, name: &str) {
    status.append(fields, name);
}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_LENGTH, CONTENT_RANGE};

    use super::super::freshness::Kept;
    use super::super::status::Outcome;
    use super::super::vary::Vary;
    use super::*;

    fn head(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect()
    }

    fn reply(method: Method, asked: &[(&'static str, &'static str)]) -> Response<Bytes> {
        let fields = head(&[
            ("etag", "\"a\""),
            ("content-type", "text/plain"),
            ("content-length", "10"),
            ("cache-control", "max-age=60, no-cache=\"x-a\""),
            ("x-a", "1"),
            ("via", "1.1 difusor"),
        ]);
        let kept = Kept::of(StatusCode::OK, &fields, 100, 100, None);
        let (vary, selects, body) = (Vary::read(&fields), Vec::new(), "0123456789".into());
        let one = Stored::new(StatusCode::OK, fields, body, kept, vary, selects);
        let asked = head(asked);
        let asked = For { method: &method, fields: &asked };
        stored(&one, asked, false, &Status::of(Outcome::Hit), "difusor", 107)
    }

    #[test]
    fn conditions_and_ranges_are_answered_from_the_whole() {
        // (method, fields, status, body, Content-Length, Content-Range)
        for (method, asked, status, body, length, range) in [
            (Method::GET, ("x", "y"), 200, "0123456789", Some("10"), None),
            (Method::HEAD, ("x", "y"), 200, "", Some("10"), None),
            (Method::GET, ("if-none-match", "\"a\""), 304, "", None, None),
            (Method::GET, ("if-none-match", "\"b\""), 200, "0123456789", Some("10"), None),
            (Method::GET, ("range", "bytes=2-3"), 206, "23", Some("2"), Some("bytes 2-3/10")),
            (Method::HEAD, ("range", "bytes=2-3"), 200, "", Some("10"), None),
            (Method::GET, ("range", "bytes=10-"), 416, "", Some("0"), Some("bytes */10")),
            (Method::GET, ("range", "lines=1-2"), 200, "0123456789", Some("10"), None),
        ] {
            let response = reply(method.clone(), &[asked]);
            let text = |name: HeaderName| response.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
            assert_eq!(response.status().as_u16(), status, "{method} {asked:?}");
            assert_eq!(response.body(), body, "{method} {asked:?}");
            assert_eq!((text(CONTENT_LENGTH).as_deref(), text(CONTENT_RANGE).as_deref()), (length, range), "{asked:?}");
            assert_eq!(text(AGE).as_deref(), Some("7"));
            assert_eq!(text("cache-status".parse().unwrap()).as_deref(), Some("difusor; hit"));
            assert_eq!(text("via".parse().unwrap()).as_deref(), Some("1.1 difusor"), "once, since it came");
            assert!(!response.headers().contains_key("x-a"), "named by no-cache, and not validated");
        }
    }
}
