//! Fields that are lists (RFC 9110, 5.6.1), tokens (5.6.2), quoted strings (5.6.4), numbers of seconds and dates.

use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use http::header::{AsHeaderName, HeaderMap, HeaderValue};

use super::SECONDS_MOST;

/// The last second of the year 9999.
const DATE_LAST: u64 = 253_402_300_799;

/// What a list of one field line came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Members<'h> {
    /// Without white space around them; empty ones are left out (5.6.1.2).
    pub members: Vec<&'h [u8]>,
    /// True where a quoted string never ends: then every comma after its quote parts members too, so that nothing can
    /// hide behind it.
    pub unclosed: bool,
}

/// The members of one line.
pub fn split(line: &[u8]) -> Members<'_> {
    let (mut members, mut start, mut at) = (Vec::new(), 0, 0);
    let mut unclosed = false;
    while at < line.len() {
        match line[at] {
            b'"' if !unclosed => match closing(&line[at..]) {
                Some(length) => at += length,
                None => (unclosed, at) = (true, at + 1),
            },
            b',' => {
                members.push(&line[start..at]);
                at += 1;
                start = at;
            }
            _ => at += 1,
        }
    }
    members.push(&line[start..]);
    let members = members.into_iter().map(trim).filter(|member| !member.is_empty()).collect();
    Members { members, unclosed }
}

/// The bytes up to and with the quote that ends the quoted string at the start; `None` where it never ends.
fn closing(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// The members of every line of a field, in order (5.3).
pub fn of<'h>(headers: &'h HeaderMap, name: impl AsHeaderName) -> Members<'h> {
    let mut all = Members { members: Vec::new(), unclosed: false };
    for line in headers.get_all(name) {
        let of_line = split(line.as_bytes());
        all.members.extend(of_line.members);
        all.unclosed |= of_line.unclosed;
    }
    all
}

/// Without the optional white space (5.6.3) at both ends.
pub fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

pub fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| is_token_byte(*byte))
}

/// The value of an argument in either form, for a recipient takes both (RFC 9111, 5.2); `None` for anything else.
pub fn argument(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    if is_token(text) {
        return Some(Cow::Borrowed(text));
    }
    if text.first() != Some(&b'"') || closing(text)? != text.len() {
        return None;
    }
    let (mut value, mut inner) = (Vec::new(), text[1..text.len() - 1].iter());
    while let Some(byte) = inner.next() {
        value.push(if *byte == b'\\' { *inner.next()? } else { *byte });
    }
    Some(Cow::Owned(value))
}

/// delta-seconds (RFC 9111, 1.2.2): digits alone; what is greater than [`SECONDS_MOST`] counts as that.
pub fn seconds(text: &[u8]) -> Option<u32> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: u32, digit: &u8| sum.saturating_mul(10).saturating_add(u32::from(digit - b'0'));
    Some(text.iter().fold(0, add).min(SECONDS_MOST))
}

/// The seconds since 1970 of a date in any of the three forms (RFC 9110, 5.6.7), in any case (RFC 9111, 4.2); `None` for
/// another zone than GMT. Two digits of a year from 70 on are taken as of the last century: too old rather than too new.
pub fn date(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(trim(text)).ok()?.to_ascii_lowercase();
    let mut cased = String::with_capacity(text.len());
    let mut after_letter = false;
    for c in text.chars() {
        cased.push(if after_letter { c } else { c.to_ascii_uppercase() });
        after_letter = c.is_ascii_alphabetic();
    }
    let at = httpdate::parse_http_date(&cased.replace("Gmt", "GMT")).ok()?;
    at.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

/// Seconds since 1970 as a date; `None` beyond the year 9999, which has no such form.
pub fn printed(seconds: u64) -> Option<HeaderValue> {
    let at = UNIX_EPOCH + Duration::from_secs(Some(seconds).filter(|seconds| *seconds <= DATE_LAST)?);
    HeaderValue::try_from(httpdate::fmt_http_date(at)).ok()
}

/// The date in a field that stands once; `None` where it is absent, `Some(None)` where it is no date or there are several
/// that differ.
pub fn date_of(headers: &HeaderMap, name: impl AsHeaderName) -> Option<Option<u64>> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next()?;
    Some(if lines.all(|line| line == first) { date(first.as_bytes()) } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_parted_at_commas_outside_quotes() {
        let cases: [(&str, &[&str], bool); 7] = [
            ("", &[], false),
            (" , a,,\tb ,", &["a", "b"], false),
            (r#"a="x, y", b"#, &[r#"a="x, y""#, "b"], false),
            (r#"a="x\", y", b"#, &[r#"a="x\", y""#, "b"], false),
            (r#"a="x, no-store"#, &[r#"a="x"#, "no-store"], true),
            (r#"a="x\"#, &[r#"a="x\"#], true),
            (r#"a="x, b="y", c"#, &[r#"a="x, b="y""#, "c"], true),
        ];
        for (line, members, unclosed) in cases {
            let found = split(line.as_bytes());
            let found: (Vec<_>, _) =
                (found.members.iter().map(|m| std::str::from_utf8(m).unwrap()).collect(), found.unclosed);
            assert_eq!(found, (members.to_vec(), unclosed), "{line}");
        }
    }

    #[test]
    fn arguments_in_both_forms() {
        for (text, value) in [
            ("a", Some("a")),
            (r#""a, b""#, Some("a, b")),
            (r#""a\"b""#, Some("a\"b")),
            (r#""""#, Some("")),
            ("", None),
            (r#""a"#, None),
            (r#""a"b"#, None),
            ("a b", None),
        ] {
            assert_eq!(argument(text.as_bytes()).as_deref(), value.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn numbers_of_seconds_are_digits_and_bounded() {
        for (text, value) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("2147483648", Some(SECONDS_MOST)),
            ("99999999999999999999999", Some(SECONDS_MOST)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("1 ", None),
        ] {
            assert_eq!(seconds(text.as_bytes()), value, "{text}");
        }
    }

    #[test]
    fn dates_in_three_forms_and_any_case() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "sun, 06 nov 1994 08:49:37 gmt",
            "SUN, 06 NOV 1994 08:49:37 GMT",
        ] {
            assert_eq!(date(text.as_bytes()), Some(784_111_777), "{text}");
        }
        assert_eq!(printed(784_111_777).unwrap(), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert!(printed(DATE_LAST).is_some() && printed(DATE_LAST + 1).is_none());
        for text in
            ["0", "", "Sun, 06 Nov 1994 08:49:37 PST", "Sun, 06 Nov 1994 08:49:37 +0000", "1994-11-06", "\u{ff}"]
        {
            assert_eq!(date(text.as_bytes()), None, "{text}");
        }
    }
}
