//! Validators (RFC 9110, 8.8): a client's conditions answered from the store (RFC 9111, 4.3.2), and those that the origin
//! is asked with (4.3.1).

use http::header::{DATE, ETAG, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED};

use super::list;

/// Seconds between `Last-Modified` and `Date` from which the first is a strong validator (RFC 9110, 8.8.2.2 names 1 s at
/// the least; 60 bears clocks that differ).
const STRONG_AFTER: u64 = 60;

/// An entity tag's opaque part with its quotes, and whether it is weak; `None` for what is no tag (RFC 9110, 8.8.3).
pub fn tag(text: &[u8]) -> Option<(bool, &[u8])> {
    let text = list::trim(text);
    let (weak, opaque) = text.strip_prefix(b"W/").map_or((false, text), |rest| (true, rest));
    let inner = opaque.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    inner.iter().all(|byte| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..)).then_some((weak, opaque))
}

pub fn etag(headers: &HeaderMap) -> Option<(bool, &[u8])> {
    headers.get(ETAG).and_then(|value| tag(value.as_bytes()))
}

/// True where a request's conditions are met by 304 from the store. `If-None-Match` compares weakly and comes before
/// `If-Modified-Since`, which a stored response without `Last-Modified` answers by its `Date`, else by when it was
/// `received` (4.3.2).
pub fn is_not_modified(request: &HeaderMap, stored: &HeaderMap, received: u64) -> bool {
    if request.contains_key(IF_NONE_MATCH) {
        let held = etag(stored).map(|(_, opaque)| opaque);
        // A tag may hold a comma, and a backslash that escapes nothing: looked for between quotes, not as a list of strings.
        return request.get_all(IF_NONE_MATCH).iter().any(|line| names(line.as_bytes(), held));
    }
    let Some(since) = list::date_of(request, IF_MODIFIED_SINCE).flatten() else { return false };
    let changed = [LAST_MODIFIED, DATE].into_iter().find_map(|name| list::date_of(stored, name).flatten());
    changed.unwrap_or(received) <= since
}

/// True where a line of `If-None-Match` is `*` or has the tag.
pub fn names(line: &[u8], held: Option<&[u8]>) -> bool {
    let mut rest = list::trim(line);
    if rest == b"*" {
        return true;
    }
    while let Some(start) = rest.iter().position(|byte| *byte == b'"') {
        let Some(length) = rest[start + 1..].iter().position(|byte| *byte == b'"') else { return false };
        let end = start + length + 2;
        if held == Some(&rest[start..end]) {
            return true;
        }
        rest = &rest[end..];
    }
    false
}

/// Makes a request ask with what is stored, and with nothing of the client's (4.3.1). False where there is no validator.
pub fn ask(request: &mut HeaderMap, stored: &HeaderMap) -> bool {
    request.remove(IF_NONE_MATCH);
    request.remove(IF_MODIFIED_SINCE);
    let mut asks = false;
    for (from, to) in [(ETAG, IF_NONE_MATCH), (LAST_MODIFIED, IF_MODIFIED_SINCE)] {
        let value: Option<&HeaderValue> = stored.get(&from).filter(|value| match from {
            ETAG => tag(value.as_bytes()).is_some(),
            _ => list::date(value.as_bytes()).is_some(),
        });
        if let Some(value) = value {
            request.insert(to, value.clone());
            asks = true;
        }
    }
    asks
}

/// True where a range may be cut from the stored response: there is no `If-Range`, or it names it by a strong validator
/// (RFC 9110, 13.1.5).
pub fn range_holds(request: &HeaderMap, stored: &HeaderMap) -> bool {
    let Some(condition) = request.get(IF_RANGE).map(HeaderValue::as_bytes) else { return true };
    if let Some((weak, asked)) = tag(condition) {
        return !weak && etag(stored) == Some((false, asked));
    }
    let date = |name| list::date_of(stored, name).flatten();
    match (list::date(condition), date(LAST_MODIFIED), date(DATE)) {
        (Some(asked), Some(changed), Some(sent)) => asked == changed && sent.saturating_sub(changed) >= STRONG_AFTER,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn head(lines: &str) -> HeaderMap {
        let parts = lines.split('|').filter_map(|line| line.split_once(": "));
        parts.map(|(n, v)| (HeaderName::try_from(n).unwrap(), HeaderValue::try_from(v).unwrap())).collect()
    }

    #[test]
    fn conditions_answered_from_the_store() {
        let (older, newer) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Mon, 07 Nov 1994 08:49:37 GMT");
        let since = format!("if-modified-since: {older}");
        let tagged = "etag: \"a\"".to_owned();
        // (section of RFC 9111, request, stored, 304)
        for (section, request, stored, expected) in [
            ("4.3.2", "if-none-match: \"a\"".into(), tagged.clone(), true),
            ("4.3.2", "if-none-match: \"b\", W/\"a\"".into(), tagged.clone(), true),
            ("4.3.2", "if-none-match: \"a,b\"".into(), "etag: W/\"a,b\"".into(), true),
            ("4.3.2", "if-none-match: \"b\\\", \"a\"".into(), tagged.clone(), true),
            ("4.3.2", "if-none-match: *".into(), String::new(), true),
            ("4.3.2", "if-none-match: a".into(), tagged.clone(), false),
            ("4.3.2", format!("if-none-match: \"b\"|{since}"), format!("last-modified: {older}"), false),
            ("4.3.2", since.clone(), format!("last-modified: {older}"), true),
            ("4.3.2", since.clone(), format!("last-modified: {newer}"), false),
            ("4.3.2", since.clone(), format!("date: {older}"), true),
            ("4.3.2", since.clone(), String::new(), false),
            ("4.3.2", String::new(), tagged, false),
        ] {
            let got = is_not_modified(&head(&request), &head(&stored), u64::MAX);
            assert_eq!(got, expected, "{section} {request} {stored}");
        }
    }

    #[test]
    fn ranges_need_strong_validators() {
        let (older, newer) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Mon, 07 Nov 1994 08:49:37 GMT");
        // RFC 9110, 13.1.5 and 8.8.2.2
        for (request, stored, expected) in [
            (String::new(), String::new(), true),
            ("if-range: \"a\"".into(), "etag: \"a\"".into(), true),
            ("if-range: \"a\"".into(), "etag: W/\"a\"".into(), false),
            ("if-range: W/\"a\"".into(), "etag: W/\"a\"".into(), false),
            (format!("if-range: {older}"), format!("last-modified: {older}|date: {newer}"), true),
            (format!("if-range: {older}"), format!("last-modified: {older}|date: {older}"), false),
            ("if-range: x".into(), format!("last-modified: {older}|date: {newer}"), false),
        ] {
            assert_eq!(range_holds(&head(&request), &head(&stored)), expected, "{request} {stored}");
        }
    }
}
