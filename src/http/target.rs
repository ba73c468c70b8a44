//! From a request target to the path that a snapshot knows: percent-decoded once (RFC 3986, 2.1), nothing resolved.

use std::borrow::Cow;

/// Longest request target that is answered; RFC 9112, 3, recommends to support at least 8000 octets.
pub const TARGET_MAX_BYTES: usize = 8 << 10;

/// Not a path that can name anything: a broken escape, a control character, or bytes that are not UTF-8.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

/// The path below the root: `/a%20b/` gives `a b/`. Dot segments are not resolved, for no path of a package has any:
/// they name nothing and are answered 404.
pub fn decode(path: &str) -> Result<Cow<'_, str>, Malformed> {
    let path = path.strip_prefix('/').ok_or(Malformed)?;
    if !path.contains('%') {
        return if path.bytes().any(is_control) { Err(Malformed) } else { Ok(Cow::Borrowed(path)) };
    }
    let mut out = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(b) = bytes.next() {
        let b = match b {
            b'%' => hex(bytes.next())? << 4 | hex(bytes.next())?,
            b => b,
        };
        if is_control(b) {
            return Err(Malformed);
        }
        out.push(b);
    }
    String::from_utf8(out).map(Cow::Owned).map_err(|_| Malformed)
}

fn is_control(b: u8) -> bool {
    b < b' ' || b == 0x7f
}

fn hex(digit: Option<u8>) -> Result<u8, Malformed> {
    let digit = digit.and_then(|d| (d as char).to_digit(16));
    digit.map(|d| d as u8).ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decodes_once_and_resolves_nothing() {
        let cases = [
            ("/", Ok("")),
            ("/datos/total.json", Ok("datos/total.json")),
            ("/ni%C3%B1os.csv", Ok("niños.csv")),
            ("/a%252e", Ok("a%2e")),
            ("/%2e%2e/etc/passwd", Ok("../etc/passwd")),
            ("/a%2Fb", Ok("a/b")),
            ("//a", Ok("/a")),
            ("/%", Err(Malformed)),
            ("/%4", Err(Malformed)),
            ("/%zz", Err(Malformed)),
            ("/%00", Err(Malformed)),
            ("/%C0%AF", Err(Malformed)),
            ("/%ff", Err(Malformed)),
            ("*", Err(Malformed)),
            ("", Err(Malformed)),
        ];
        for (path, expected) in cases {
            assert_eq!(decode(path).as_deref(), expected.as_deref(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn encoding_everything_comes_back(path in "[^\\x00-\\x1f\\x7f]{0,40}") {
            let encoded: String = path.bytes().map(|b| format!("%{b:02X}")).collect();
            let target = format!("/{encoded}");
            prop_assert_eq!(decode(&target).unwrap(), path);
        }

        #[test]
        fn never_panics(path in ".{0,60}") {
            let _ = decode(&path);
        }
    }
}
