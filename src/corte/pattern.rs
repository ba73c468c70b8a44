//! Pattern lists as in ssh_config(5), PATTERNS: `*`, `?`, and `!` for what is excluded.

/// A comma-separated list of patterns, of which one must match and no negated one may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PatternList(String);

impl PatternList {
    pub fn new(list: &str) -> PatternList {
        PatternList(list.into())
    }

    pub fn matches(&self, text: &str) -> bool {
        let mut found = false;
        for pattern in self.0.split(',') {
            match pattern.strip_prefix('!') {
                Some(negated) if matches(negated, text) => return false,
                Some(_) => {}
                None => found |= matches(pattern, text),
            }
        }
        found
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether one pattern, of `*` and `?` and no list, matches all of `text`.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    glob(pattern.as_bytes(), text.as_bytes())
}

/// Backtracks to the last `*` only, which is enough and keeps it from exploding.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    (p, t) = (star + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn as_ssh_does() {
        let list = |list: &str, text: &str| PatternList::new(list).matches(text);
        assert!(list("iec", "iec"));
        assert!(!list("iec", "iec2"));
        assert!(list("a,i?c", "iec"));
        assert!(list("*@iec.org.mx", "prep@iec.org.mx"));
        assert!(list("*a*b*c", "xaxbxbc"));
        assert!(!list("*a*b*c", "xaxbxb"));
        assert!(!list("*,!iec", "iec"));
        assert!(!list("!iec,*", "iec"));
        assert!(!list("!otro", "iec"), "nothing but negations matches nothing");
        assert!(!list("", "iec"));
        assert!(list("*", ""));
    }

    proptest! {
        #[test]
        fn never_panics_and_star_takes_all(pattern in ".{0,20}", text in ".{0,20}") {
            let _ = PatternList::new(&pattern).matches(&text);
            prop_assert!(PatternList::new("*").matches(&text));
        }
    }
}
