//! Pattern lists as in ssh_config(5), PATTERNS: `*`, `?`, and `!` for what is excluded.

use crate::base::pattern::matches;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
