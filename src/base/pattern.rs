//! One pattern of `*` and `?`, as shells and ssh_config(5) have them.

/// Whether `pattern` matches all of `text`; `*` is any number of bytes, `?` one. Backtracks to the last `*` only, which is
/// enough and keeps it from exploding.
pub fn matches(pattern: &str, text: &str) -> bool {
    matches_by(pattern, text, |a, b| a == b)
}

/// The same whatever the case of ASCII letters.
pub fn matches_any_case(pattern: &str, text: &str) -> bool {
    matches_by(pattern, text, |a, b| a.eq_ignore_ascii_case(b))
}

fn matches_by(pattern: &str, text: &str, is_same: impl Fn(&u8, &u8) -> bool) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut retry = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || is_same(c, &text[t]) => (p, t) = (p + 1, t + 1),
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

    /// By the definition, however long it takes.
    fn oracle(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', rest @ ..] => (0..=text.len()).any(|from| oracle(rest, &text[from..])),
            [c, rest @ ..] => text.split_first().is_some_and(|(t, left)| (*c == b'?' || c == t) && oracle(rest, left)),
        }
    }

    proptest! {
        #[test]
        fn as_the_definition_says(pattern in "[ab*?]{0,8}", text in "[abc]{0,10}") {
            prop_assert_eq!(matches(&pattern, &text), oracle(pattern.as_bytes(), text.as_bytes()));
            prop_assert_eq!(matches_any_case(&pattern.to_uppercase(), &text), matches(&pattern, &text));
        }

        #[test]
        fn never_panics_and_star_takes_all(pattern in ".{0,20}", text in ".{0,20}") {
            let _ = matches(&pattern, &text);
            prop_assert!(matches("*", &text));
        }
    }
}
