//! Single byte ranges (RFC 9110, 14). Several ranges at once are answered whole, as 14.2 allows.

use std::ops::Range;

/// What a `Range` field comes to for a body of a known length.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    Whole,
    Part(Range<usize>),
    /// 416
    Unsatisfiable,
}

/// Reads a `Range` field value; whatever is malformed is passed over, as 14.2 asks for.
pub fn read(value: &[u8], len: usize) -> Wanted {
    match parse(value) {
        None => Wanted::Whole,
        Some(Spec::From(first, last)) if first < len && first <= last => {
            Wanted::Part(first..last.saturating_add(1).min(len))
        }
        Some(Spec::From(first, last)) if first > last => Wanted::Whole,
        Some(Spec::Last(n)) if n > 0 && len > 0 => Wanted::Part(len.saturating_sub(n)..len),
        Some(_) => Wanted::Unsatisfiable,
    }
}

enum Spec {
    /// First and last position, both included.
    From(usize, usize),
    /// The last so many bytes.
    Last(usize),
}

fn parse(value: &[u8]) -> Option<Spec> {
    let value = std::str::from_utf8(value).ok()?;
    let (unit, set) = value.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = set.trim_matches([' ', '\t']).split_once('-')?;
    match (first, last) {
        ("", last) => Some(Spec::Last(number(last)?)),
        (first, "") => Some(Spec::From(number(first)?, usize::MAX)),
        (first, last) => Some(Spec::From(number(first)?, number(last)?)),
    }
}

/// Digits only; what is too large for any body counts as the largest number.
fn number(text: &str) -> Option<usize> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn as_the_rfc_has_it() {
        let cases = [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=2-5", Wanted::Part(2..6)),
            ("Bytes=5-", Wanted::Part(5..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-99", Wanted::Part(0..10)),
            ("bytes=0-99999999999999999999999", Wanted::Part(0..10)),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=10-12", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=5-2", Wanted::Whole),
            ("bytes=0-1,3-4", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes", Wanted::Whole),
            ("lines=1-2", Wanted::Whole),
        ];
        for (value, expected) in cases {
            assert_eq!(read(value.as_bytes(), 10), expected, "{value}");
        }
        assert_eq!(read(b"bytes=0-0", 0), Wanted::Unsatisfiable);
        assert_eq!(read(b"bytes=-1", 0), Wanted::Unsatisfiable);
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_body(value in "bytes=[0-9]{0,25}-[0-9]{0,25}", len in 0usize..5000) {
            if let Wanted::Part(part) = read(value.as_bytes(), len) {
                prop_assert!(part.start < part.end && part.end <= len);
            }
        }

        #[test]
        fn never_panics(value in proptest::collection::vec(any::<u8>(), 0..40), len in 0usize..100) {
            let _ = read(&value, len);
        }
    }
}
