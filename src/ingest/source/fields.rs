//! What header fields of an answer say (RFC 9110): validators, ranges, when to come again.

use std::time::Duration;

use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG, LAST_MODIFIED, RETRY_AFTER};

/// Bytes of a validator that is kept and sent back. Real ones are some 40.
const VALIDATOR_BYTES: usize = 256;

/// What tells one version of a file from another, as the server gave it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    pub etag: Option<String>,
    pub modified: Option<String>,
    /// The file may have changed after this within the same second, which neither says on most servers: nginx makes its
    /// tags of size and second. RFC 9110, section 8.8.2.2, says it of dates.
    pub is_fresh: bool,
}

impl Validators {
    pub fn of(fields: &HeaderMap) -> Validators {
        let text = |name| one(fields, name).filter(|v| v.len() <= VALIDATOR_BYTES).map(str::to_owned);
        let (etag, modified) = (text(ETAG).filter(|tag| is_tag(tag)), text(LAST_MODIFIED));
        let date = |text: &str| httpdate::parse_http_date(text).ok();
        let (written, answered) = (modified.as_deref().and_then(date), one(fields, DATE).and_then(date));
        let is_fresh = written.zip(answered).is_some_and(|(written, answered)| written >= answered);
        Validators { etag, modified, is_fresh }
    }

    /// The entity tag, if equal tags mean equal bytes (section 8.8.1): what else there is may be good to the second only.
    pub fn strong(&self) -> Option<&str> {
        self.etag.as_deref().filter(|tag| tag.starts_with('"') && !self.is_fresh)
    }

    /// Whether a server can be asked by them for what is newer.
    pub fn are_of_use(&self) -> bool {
        !self.is_none() && !self.is_fresh
    }

    pub fn is_none(&self) -> bool {
        self.etag.is_none() && self.modified.is_none()
    }
}

/// `"..."` or `W/"..."`, of what may stand in one (section 8.8.3).
fn is_tag(text: &str) -> bool {
    let opaque = text.strip_prefix("W/").unwrap_or(text);
    let inner = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| inner.bytes().all(|b| b > b' ' && b != b'"' && b != 0x7f))
}

/// The only value of a field, if it is text.
pub fn one(fields: &HeaderMap, name: impl http::header::AsHeaderName) -> Option<&str> {
    let mut values = fields.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(first.trim())
}

pub fn content_length(fields: &HeaderMap) -> Option<u64> {
    digits(one(fields, CONTENT_LENGTH)?)
}

/// A range of a file, `to` not included, and the size of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    pub from: u64,
    pub to: u64,
    pub whole: u64,
}

pub fn content_range(fields: &HeaderMap) -> Option<ContentRange> {
    read_content_range(one(fields, CONTENT_RANGE)?)
}

/// `bytes 0-499/1234`; one of unknown size is none that can be gone by.
pub fn read_content_range(text: &str) -> Option<ContentRange> {
    let (unit, rest) = text.split_once(' ')?;
    let (range, whole) = rest.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (from, to, whole) = (digits(first)?, digits(last)?.checked_add(1)?, digits(whole)?);
    (unit.eq_ignore_ascii_case("bytes") && from < to && to <= whole).then_some(ContentRange { from, to, whole })
}

/// How long the server asks to wait: seconds, or a date, which counts from the server's own `Date`.
pub fn retry_after(fields: &HeaderMap) -> Option<Duration> {
    read_retry_after(one(fields, RETRY_AFTER)?, one(fields, DATE))
}

pub fn read_retry_after(text: &str, date: Option<&str>) -> Option<Duration> {
    if let Some(seconds) = digits(text) {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let now = httpdate::parse_http_date(date?).ok()?;
    Some(until.duration_since(now).unwrap_or_default())
}

/// Digits alone: no sign, no blank.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_that_cannot_be_are_none() {
        let range = |from, to, whole| Some(ContentRange { from, to, whole });
        assert_eq!(read_content_range("bytes 0-499/1234"), range(0, 500, 1234));
        assert_eq!(read_content_range("Bytes 1233-1233/1234"), range(1233, 1234, 1234));
        for bad in [
            "",
            "bytes",
            "bytes */1234",
            "bytes 0-499/*",
            "bytes 5-4/10",
            "bytes 0-10/10",
            "bytes -1/10",
            "bytes 0-+4/10",
            "rows 0-1/10",
            "bytes 0-18446744073709551615/18446744073709551615",
        ] {
            assert_eq!(read_content_range(bad), None, "{bad}");
        }
    }

    #[test]
    fn waits_are_seconds_or_dates() {
        let date = Some("Mon, 08 Jun 2026 02:10:00 GMT");
        assert_eq!(read_retry_after("120", None), Some(Duration::from_secs(120)));
        assert_eq!(read_retry_after("Mon, 08 Jun 2026 02:10:30 GMT", date), Some(Duration::from_secs(30)));
        assert_eq!(read_retry_after("Mon, 08 Jun 2026 02:00:00 GMT", date), Some(Duration::ZERO));
        assert_eq!(read_retry_after("Mon, 08 Jun 2026 02:10:30 GMT", None), None);
        assert_eq!(read_retry_after("-3", date), None);
    }

    #[test]
    fn only_a_strong_tag_is_strong() {
        let of = |tag: &str| {
            let mut fields = HeaderMap::new();
            fields.insert(ETAG, tag.parse().unwrap());
            fields.insert(LAST_MODIFIED, "Mon, 08 Jun 2026 02:10:00 GMT".parse().unwrap());
            Validators::of(&fields)
        };
        assert_eq!(of("\"a\"").strong(), Some("\"a\""));
        assert_eq!((of("W/\"a\"").strong(), of("W/\"a\"").etag.is_some()), (None, true));
        for bad in ["a", "\"a", "\"a\"b\"", "\"a b\""] {
            assert_eq!(of(bad).etag, None, "{bad}");
        }
        assert!(!of("a").is_none(), "a date is a validator too");
    }

    #[test]
    fn what_was_written_in_the_second_of_the_answer_may_change_in_it() {
        let of = |modified: &str, date: &str| {
            let list = [(ETAG, "\"a\""), (LAST_MODIFIED, modified), (DATE, date)];
            let fields = list.into_iter().filter(|(_, value)| !value.is_empty());
            Validators::of(&fields.map(|(name, value)| (name, value.parse().unwrap())).collect())
        };
        let (at, later) = ("Mon, 08 Jun 2026 02:10:00 GMT", "Mon, 08 Jun 2026 02:10:01 GMT");
        assert!(!of(at, at).are_of_use() && of(at, at).strong().is_none() && !of(at, at).is_none());
        for settled in [of(at, later), of("", at), of(at, "")] {
            assert!(settled.are_of_use() && settled.strong().is_some());
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "(bytes )?[0-9/*a-z -]{0,30}") {
            let _ = (read_content_range(&text), read_retry_after(&text, Some(&text)));
        }
    }
}
