//! Text that came from outside, made fit for a terminal, a log line or an error message.

use std::fmt;

/// Characters of a foreign text that are shown; the rest is cut. Long enough for any honest path.
const SHOWN_CHARS: usize = 160;

/// A foreign text without control or invisible characters, and of bounded length.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown(Box<str>);

impl Shown {
    pub fn text(text: &str) -> Shown {
        let mut out = String::new();
        for (count, c) in text.chars().enumerate() {
            if count == SHOWN_CHARS {
                out.push('…');
                break;
            }
            match c {
                '"' | '\'' => out.push(c),
                _ => out.extend(c.escape_debug()),
            }
        }
        Shown(out.into())
    }

    /// Bytes that may not be UTF-8; what is not shows as U+FFFD.
    pub fn bytes(bytes: &[u8]) -> Shown {
        // Four bytes a character is the most that UTF-8 takes: the rest would be cut anyway.
        Shown::text(&String::from_utf8_lossy(&bytes[..bytes.len().min(4 * (SHOWN_CHARS + 1))]))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn terminal_sequences_and_mirrored_text_are_escaped() {
        assert_eq!(Shown::text("a\u{1b}[31mb").as_str(), r"a\u{1b}[31mb");
        assert_eq!(Shown::text("x\u{202e}gpj.exe").as_str(), r"x\u{202e}gpj.exe");
        assert_eq!(Shown::text("línea\n").as_str(), r"línea\n");
        assert_eq!(Shown::bytes(b"\xff'").as_str(), "\u{fffd}'");
    }

    proptest! {
        #[test]
        fn one_bounded_line(text in any::<Vec<u8>>()) {
            let shown = Shown::bytes(&text);
            prop_assert!(shown.as_str().len() <= 10 * (SHOWN_CHARS + 1));
            prop_assert!(!shown.as_str().chars().any(char::is_control));
        }
    }
}
