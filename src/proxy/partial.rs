//! A response whose body broke off: kept to be completed (RFC 9111, 3.3), put together with the rest that the origin sends
//! later (3.4), and meanwhile good for ranges that lie in what there is. It is never sent as a whole one.

use std::ops::Range;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderValue, IF_RANGE, RANGE};
use http::{Method, Response, StatusCode};

use super::cut::{self, Told};
use super::reply::{self, For};
use super::status::Status;
use super::store::Stored;
use super::{update, validate};
use crate::base::range::Wanted;

/// See above.
#[derive(Debug, Clone)]
pub struct Partial {
    /// Its head, and of its body what there is, from the beginning.
    pub stored: Stored,
    /// Bytes of the whole body.
    whole: usize,
}

impl Partial {
    /// `whole`: the length that the origin has told. `None` where nothing could be completed: without a strong validator
    /// nobody knows whether the rest belongs to it.
    pub fn of(stored: Stored, whole: Option<u64>) -> Option<Partial> {
        let whole = usize::try_from(whole?).ok()?;
        let is_part = stored.status == StatusCode::OK && !stored.body.is_empty() && stored.body.len() < whole;
        let is_known = validate::strong(&stored.fields()).is_some();
        (is_part && is_known).then_some(Partial { stored, whole })
    }

    /// Makes a request ask for the rest, or for all where it is another body by now (RFC 9110, 13.1.5).
    pub fn ask(&self, request: &mut HeaderMap) {
        let range = HeaderValue::try_from(format!("bytes={}-", self.stored.body.len()));
        if let (Some(validator), Ok(range)) = (validate::strong(&self.stored.fields()), range) {
            request.insert(IF_RANGE, validator);
            request.insert(RANGE, range);
        }
    }

    /// The fields of the whole, where a 206 brings exactly the rest of the same body; `None` where it must not be put to it
    /// (RFC 9110, 15.3.7.3).
    pub fn completed(&self, answered: &HeaderMap) -> Option<HeaderMap> {
        let (here, whole) = (self.stored.body.len() as u64, self.whole as u64);
        let mut fields = self.stored.fields();
        let is_rest = Told::read(answered)? == Told { part: here..whole, whole };
        let is_long = cut::length(answered).is_none_or(|length| length == whole - here);
        let is_same = validate::is_same(&fields, answered) && is_coded_alike(&fields, answered);
        if !is_rest || !is_long || !is_same {
            return None;
        }
        update::renew(&mut fields, answered).ok()?;
        fields.insert(CONTENT_LENGTH, self.whole.into());
        Some(fields)
    }

    /// The range that a request wants, if all of it is here.
    pub fn within(&self, asked: For) -> Option<Range<usize>> {
        let fields = self.stored.fields();
        // HEAD and conditions are for who has the whole.
        if *asked.method != Method::GET || reply::is_not_modified(asked.fields, &fields, self.stored.received()) {
            return None;
        }
        match cut::wanted(asked, &fields, self.whole) {
            Wanted::Part(part) if part.end <= self.stored.body.len() => Some(part),
            _ => None,
        }
    }

    /// 206 with a range of [`Partial::within`].
    pub fn reply(&self, part: Range<usize>, status: &Status, name: &str, now: u64) -> Response<Bytes> {
        let mut fields = update::unvalidated(&self.stored.fields());
        fields.insert(http::header::AGE, self.stored.age(now).into());
        let code = cut::tell_part(&mut fields, &part, self.whole);
        reply::finish(&mut fields, status, name);
        let mut response = Response::new(self.stored.body.slice(part));
        *response.status_mut() = code;
        *response.headers_mut() = fields;
        response
    }
}

/// One body has one coding: a part that says another is of another, whatever its tag.
fn is_coded_alike(stored: &HeaderMap, answered: &HeaderMap) -> bool {
    let told = answered.get(CONTENT_ENCODING);
    told.is_none() || told == stored.get(CONTENT_ENCODING)
}

#[cfg(test)]
mod tests {
    use super::super::freshness::Kept;
    use super::super::status::Outcome;
    use super::super::vary::Vary;
    use super::*;

    fn head(lines: &str) -> HeaderMap {
        let parts = lines.split('|').filter_map(|line| line.split_once(": "));
        parts.map(|(n, v)| (n.parse::<http::HeaderName>().unwrap(), v.parse().unwrap())).collect()
    }

    fn stored(status: u16, fields: &str, body: &'static str) -> Stored {
        let (status, fields) = (status.try_into().unwrap(), head(fields));
        let kept = Kept::of(status, &fields, 100, 100, None);
        let vary = Vary::read(&fields);
        Stored::new(status, fields, body.into(), kept, vary, Vec::new())
    }

    const TAGGED: &str = "etag: \"a\"|cache-control: max-age=60|content-length: 10|x: 1|age: 0";

    #[test]
    fn what_can_be_completed() {
        let old = "last-modified: Sun, 06 Nov 1994 08:49:37 GMT|date: Mon, 07 Nov 1994 08:49:37 GMT";
        let young = "last-modified: Sun, 06 Nov 1994 08:49:37 GMT|date: Sun, 06 Nov 1994 08:49:47 GMT";
        for (status, fields, body, whole, can) in [
            (200, TAGGED, "0123", Some(10), true),
            (200, old, "0123", Some(10), true),
            (200, young, "0123", Some(10), false),
            (200, "etag: W/\"a\"", "0123", Some(10), false),
            (200, "", "0123", Some(10), false),
            (200, TAGGED, "", Some(10), false),
            (200, TAGGED, "0123456789", Some(10), false),
            (200, TAGGED, "0123", None, false),
            (404, TAGGED, "0123", Some(10), false),
        ] {
            let part = Partial::of(stored(status, fields, body), whole);
            assert_eq!(part.is_some(), can, "{status} {fields} {body} {whole:?}");
        }
        let mut asks = HeaderMap::new();
        Partial::of(stored(200, TAGGED, "0123"), Some(10)).unwrap().ask(&mut asks);
        assert_eq!(asks, head("if-range: \"a\"|range: bytes=4-"));
    }

    #[test]
    fn only_the_rest_of_the_same_body_completes_it() {
        let part = Partial::of(stored(200, TAGGED, "0123"), Some(10)).unwrap();
        let rest = "content-range: bytes 4-9/10";
        // RFC 9110, 15.3.7.3
        for (answered, fits) in [
            (format!("{rest}|etag: \"a\""), true),
            (format!("{rest}|etag: \"a\"|content-length: 6"), true),
            (format!("{rest}|etag: \"a\"|content-length: 7"), false),
            (format!("{rest}|etag: \"b\""), false),
            (format!("{rest}|etag: W/\"a\""), false),
            (rest.into(), false),
            (format!("{rest}|etag: \"a\"|content-encoding: gzip"), false),
            ("content-range: bytes 3-9/10|etag: \"a\"".into(), false),
            ("content-range: bytes 5-9/10|etag: \"a\"".into(), false),
            ("content-range: bytes 4-8/10|etag: \"a\"".into(), false),
            ("content-range: bytes 4-9/11|etag: \"a\"".into(), false),
            ("content-range: bytes 4-9/*|etag: \"a\"".into(), false),
            ("content-type: multipart/byteranges; boundary=x|etag: \"a\"".into(), false),
            (format!("{rest}|etag: \"a\"|connection: host"), false),
        ] {
            assert_eq!(part.completed(&head(&answered)).is_some(), fits, "{answered}");
        }
        let answered = format!("{rest}|etag: \"a\"|x: 2|content-length: 6|cache-control: max-age=9");
        let whole = part.completed(&head(&answered)).unwrap();
        let expected = "etag: \"a\"|cache-control: max-age=9|content-length: 10|x: 2|accept-ranges: bytes";
        assert_eq!(whole, head(expected), "RFC 9111, 3.4");
    }

    #[test]
    fn ranges_that_are_here_are_answered_and_no_others() {
        let part = Partial::of(stored(200, TAGGED, "0123"), Some(10)).unwrap();
        for (method, asked, within) in [
            (Method::GET, "range: bytes=0-3", Some(0..4)),
            (Method::GET, "range: bytes=1-2", Some(1..3)),
            (Method::GET, "range: bytes=1-2|if-range: \"a\"", Some(1..3)),
            (Method::GET, "range: bytes=1-2|if-range: \"b\"", None),
            (Method::GET, "range: bytes=1-2|if-none-match: \"a\"", None),
            (Method::GET, "range: bytes=1-4", None),
            (Method::GET, "range: bytes=1-", None),
            (Method::GET, "range: bytes=-3", None),
            (Method::GET, "range: bytes=10-", None),
            (Method::GET, "range: bytes=0-0,2-3", None),
            (Method::GET, "", None),
            (Method::HEAD, "range: bytes=1-2", None),
        ] {
            let fields = head(asked);
            assert_eq!(part.within(For { method: &method, fields: &fields }), within, "{method} {asked}");
        }
        let reply = part.reply(1..3, &Status::of(Outcome::Hit), "difusor", 107);
        assert_eq!((reply.status(), &reply.body()[..]), (StatusCode::PARTIAL_CONTENT, &b"12"[..]));
        assert_eq!(reply.headers()["content-range"], "bytes 1-2/10");
        assert_eq!((&reply.headers()["content-length"], &reply.headers()["age"]), (&"2".parse().unwrap(), &7.into()));
    }
}
