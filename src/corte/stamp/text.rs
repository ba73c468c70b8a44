//! The text of a stamp in a file: behind JSON pointers, in a line, where a regular expression finds it.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use crate::base::shown::Shown;

/// Characters of a regular expression.
const REGEX_CHARS: usize = 1024;
/// Bytes that a compiled expression, and the automaton made of it while it runs, may take: some thousand states.
const REGEX_BYTES: usize = 1 << 20;
/// Parentheses within each other.
const REGEX_NESTING: u32 = 32;
/// JSON pointers of one rule: date, hour, minute, and some to spare.
const POINTERS: usize = 8;
/// Characters of one: a path of some names.
const POINTER_CHARS: usize = 256;

/// Compiles a regular expression within limits.
pub(super) fn regex(text: &str) -> Result<Regex, String> {
    if text.is_empty() || text.chars().count() > REGEX_CHARS {
        return Err(format!("is empty or longer than {REGEX_CHARS} characters"));
    }
    let mut builder = RegexBuilder::new(text);
    builder.size_limit(REGEX_BYTES).dfa_size_limit(REGEX_BYTES).nest_limit(REGEX_NESTING);
    let regex =
        builder.build().map_err(|error| format!("is no regular expression: {}", last_line(&error.to_string())))?;
    match regex.is_match("") {
        true => Err("matches nothing at all, so it would find no date".into()),
        false => Ok(regex),
    }
}

/// The crate draws the expression over several lines and says at the end what is wrong with it.
fn last_line(text: &str) -> &str {
    text.lines().next_back().unwrap_or(text).trim_start_matches("error: ")
}

/// Checks JSON pointers (RFC 6901).
pub(super) fn pointers(pointers: &[&str]) -> Result<Vec<String>, String> {
    if pointers.is_empty() || pointers.len() > POINTERS {
        return Err(format!("expected 1 to {POINTERS} JSON pointers, such as /fechaCorte"));
    }
    for pointer in pointers {
        let escaped = pointer.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
        if !pointer.starts_with('/') || !escaped || pointer.chars().count() > POINTER_CHARS {
            let pointer = Shown::text(pointer);
            return Err(format!("`{pointer}` is no JSON pointer; expected e.g. /datos/0/fecha (RFC 6901)"));
        }
    }
    Ok(pointers.iter().map(|pointer| pointer.to_string()).collect())
}

/// The texts and numbers behind the pointers, in order, with a blank between them.
pub(super) fn pointed(bytes: &[u8], pointers: &[String]) -> Result<String, String> {
    let json: Value = serde_json::from_str(&decoded(bytes)).map_err(|error| format!("it is no JSON: {error}"))?;
    let found = pointers.iter().map(|pointer| match json.pointer(pointer) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(_) => Err(format!("what is at {} is neither text nor number", Shown::text(pointer))),
        None => Err(format!("nothing is at {}", Shown::text(pointer))),
    });
    Ok(found.collect::<Result<Vec<_>, _>>()?.join(" "))
}

/// What the groups of the first match hold, with a blank between them; without groups, the match.
pub(super) fn captured(text: &str, regex: &Regex) -> Option<String> {
    let found = regex.captures(text)?;
    let groups: Vec<&str> = found.iter().skip(1).flatten().map(|group| group.as_str()).collect();
    Some(if regex.captures_len() == 1 { found[0].to_string() } else { groups.join(" ") })
}

/// The line of that number, from 1 on, without its end.
pub(super) fn line(text: &str, number: usize) -> Option<&str> {
    text.lines().nth(number.checked_sub(1)?)
}

/// UTF-8, with a byte order mark or without, perhaps cut within a character; anything else counts as Latin-1, in which
/// every byte is a character.
pub(super) fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    match str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(cut) if cut.error_len().is_none() => String::from_utf8_lossy(&bytes[..cut.valid_up_to()]),
        Err(_) => bytes.iter().map(|b| char::from(*b)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn encodings_of_the_field() {
        assert_eq!(decoded("\u{feff}año".as_bytes()), "año");
        assert_eq!(decoded(b"a\xf1o"), "año");
        assert_eq!(decoded(&"año".as_bytes()[..2]), "a", "cut within a character");
        assert_eq!(decoded(b""), "");
    }

    #[test]
    fn groups_are_joined_by_a_blank() {
        let find = |pattern: &str, text: &str| captured(text, &regex(pattern).unwrap());
        assert_eq!(find(r"(\d+)_(\d+)", "a 1_2 3_4").as_deref(), Some("1 2"));
        assert_eq!(find(r"\d+_\d+", "a 1_2").as_deref(), Some("1_2"));
        assert_eq!(find(r"(?:a(\d)|b(\d))", "b2").as_deref(), Some("2"));
        assert_eq!(find(r"\d", "a"), None);
        assert_eq!(line("a\r\nb\nc", 2), Some("b"));
        assert_eq!((line("a", 0), line("a", 2)), (None, None));
    }

    #[test]
    fn what_would_be_costly_or_pointless_is_refused() {
        for (pattern, why) in [
            ("", "empty"),
            ("(", "is no regular expression: unclosed group"),
            (r"\w{1000}{1000}", "is no regular expression"),
            (".*", "matches nothing at all"),
            (&"(".repeat(40), "is no regular expression"),
            (&"x".repeat(2000), "longer"),
        ] {
            let fault = regex(pattern).unwrap_err();
            assert!(fault.contains(why) && !fault.contains('\n'), "{pattern}: {fault}");
        }
        for bad in ["", "fecha", "/a~2", "/a~"] {
            assert!(pointers(&[bad]).unwrap_err().contains("no JSON pointer"), "{bad}");
        }
        assert!(pointers(&[]).is_err() && pointers(&["/a"; 9]).is_err());
    }

    #[test]
    fn pointers_find_texts_and_numbers() {
        let found = |json: &str, at: &[&str]| pointed(json.as_bytes(), &pointers(at).unwrap());
        assert_eq!(found(r#"{"a":[{"b/c":"x"}],"n":7}"#, &["/a/0/b~1c", "/n"]).as_deref(), Ok("x 7"));
        assert!(found(r#"{"a":null}"#, &["/a"]).unwrap_err().contains("neither"));
        assert!(found("{}", &["/a"]).unwrap_err().contains("nothing is at /a"));
        assert!(found("<html>", &["/a"]).unwrap_err().contains("no JSON"));
        assert!(pointed(&[b"[".repeat(1000), vec![]].concat(), &["/a".into()]).is_err(), "nesting is bounded");
        assert_eq!(pointed(b"{\"a\":\"a\xf1o\"}", &["/a".into()]).as_deref(), Ok("año"));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in any::<Vec<u8>>(), pattern in ".{0,20}", number in any::<usize>()) {
            let text = decoded(&bytes);
            let _ = regex(&pattern).map(|regex| captured(&text, &regex));
            let _ = line(&text, number);
            let _ = pointers(&[&pattern]).map(|pointers| pointed(&bytes, &pointers));
        }
    }
}
