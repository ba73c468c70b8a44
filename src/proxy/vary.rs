//! `Vary` (RFC 9110, 12.5.5) and the secondary key that it asks for (RFC 9111, 4.1).

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderName, VARY};

use super::list;
use super::reply::ENCODING;

/// More field names than any honest origin varies by; with more, nothing matches.
const FIELDS_MOST: usize = 32;

/// What selects a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vary {
    /// Sorted, each once; empty where every request selects it.
    Fields(Vec<HeaderName>),
    /// `*`, a member that is no field name, or too many: never matches without the origin (4.1).
    Star,
}

impl Vary {
    pub fn read(headers: &HeaderMap) -> Self {
        let lines = list::of(headers, VARY);
        // HeaderName takes no `*` apart from names that have it inside: it is a byte of a token.
        let read = |member: &&[u8]| HeaderName::from_bytes(member).ok().filter(|_| *member != b"*");
        match lines.members.iter().map(read).collect::<Option<Vec<_>>>() {
            Some(mut names) => {
                names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
                names.dedup();
                if names.len() > FIELDS_MOST { Vary::Star } else { Vary::Fields(names) }
            }
            None => Vary::Star,
        }
    }

    /// What its names take in memory.
    pub fn bytes(&self) -> usize {
        let Vary::Fields(names) = self else { return 0 };
        names.iter().map(|name| size_of::<HeaderName>() + name.as_str().len()).sum()
    }

    /// The secondary key of a request: equal keys are selected by the same fields (4.1). Lines are combined, white space at
    /// members' ends goes; an absent field differs from an empty one. `None` for `*`.
    pub fn key(&self, request: &HeaderMap) -> Option<Vec<u8>> {
        let Vary::Fields(names) = self else { return None };
        let mut key = Vec::new();
        for name in names {
            key.extend_from_slice(name.as_str().as_bytes());
            if request.contains_key(name) {
                key.push(b':');
                key.extend(value(request, name));
            }
            // No value can hold one.
            key.push(b'\n');
        }
        Some(key)
    }
}

/// Says what many an origin forgets: that a coded body is for who takes its coding (RFC 9110, 12.5.3).
pub fn complete(fields: &mut HeaderMap) {
    if fields.contains_key(CONTENT_ENCODING)
        && let Vary::Fields(names) = Vary::read(fields)
        && !names.contains(&ACCEPT_ENCODING)
    {
        fields.append(VARY, ENCODING);
    }
}

/// Normalised as far as it surely keeps its meaning (4.1): codings are in any case and order (RFC 9110, 12.5.3), in other
/// lists only the white space around members is free.
fn value(request: &HeaderMap, name: &HeaderName) -> Vec<u8> {
    let members = list::of(request, name).members;
    if *name != ACCEPT_ENCODING {
        return members.join(&b","[..]);
    }
    let plain = |m: &&[u8]| m.iter().filter(|b| !b" \t".contains(b)).map(u8::to_ascii_lowercase).collect::<Vec<_>>();
    let mut codings: Vec<Vec<u8>> = members.iter().map(plain).collect();
    codings.sort();
    codings.dedup();
    codings.join(&b","[..])
}

/// Members of `Accept-Encoding` that browsers send, and some more.
const CODINGS_MOST: usize = 8;

/// Whether a request with this line of `Accept-Encoding`, or none, has the secondary key `key` of `Vary: accept-encoding`;
/// `None` where the line is not written as plainly as browsers write it. The same as [`Vary::key`], without allocating.
pub fn is_same(key: &[u8], line: Option<&[u8]>) -> Option<bool> {
    let name = ACCEPT_ENCODING.as_str().as_bytes();
    let rest = key.strip_prefix(name)?;
    let Some(line) = line else { return Some(rest == b"\n") };
    let Some(mut rest) = rest.strip_prefix(b":") else { return Some(false) };
    let (mut members, mut count) = ([&b""[..]; CODINGS_MOST], 0);
    for member in line.split(|byte| *byte == b',').map(list::trim).filter(|member| !member.is_empty()) {
        if !member.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-;=.*".contains(byte)) {
            return None;
        }
        *members.get_mut(count)? = member;
        count += 1;
    }
    let members = &mut members[..count];
    members.sort_unstable();
    let mut last = None;
    for (n, member) in members.iter().filter(|member| last.replace(**member) != Some(**member)).enumerate() {
        let begun = if n == 0 { Some(rest) } else { rest.strip_prefix(b",") };
        match begun.and_then(|begun| begun.strip_prefix(*member)) {
            Some(left) => rest = left,
            None => return Some(false),
        }
    }
    Some(rest == b"\n")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn head(name: &'static str, lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, HeaderValue::from_static(line));
        }
        headers
    }

    #[test]
    fn every_syntax() {
        // RFC 9110, 12.5.5
        for (lines, names) in [
            (vec![], Some("")),
            (vec!["", " , "], Some("")),
            (vec!["Accept", "X-a, accept,"], Some("accept x-a")),
            (vec!["*"], None),
            (vec!["a, *"], None),
            (vec!["a", " * ,b"], None),
            (vec!["a b"], None),
            (vec!["\"a\""], None),
        ] {
            let names = names.map_or(Vary::Star, |names| {
                Vary::Fields(names.split_whitespace().map(|name| name.parse().unwrap()).collect())
            });
            assert_eq!(Vary::read(&head("vary", &lines)), names, "{lines:?}");
        }
    }

    #[test]
    fn requests_that_are_selected_alike() {
        // RFC 9111, 4.1
        for (name, a, b, same) in [
            ("x", vec![], vec![], true),
            ("x", vec![], vec![""], false),
            ("x", vec!["a", "b"], vec!["a , b"], true),
            ("x", vec!["a"], vec!["A"], false),
            ("x", vec!["a,b"], vec!["b,a"], false),
            ("accept-encoding", vec!["gzip, br;q=0.5"], vec!["BR; q=0.5", "gzip"], true),
            ("accept-encoding", vec!["gzip"], vec!["gzip;q=0"], false),
        ] {
            let vary = Vary::Fields(vec![name.parse().unwrap()]);
            assert_eq!(vary.key(&head(name, &a)) == vary.key(&head(name, &b)), same, "{name} {a:?} {b:?}");
        }
        assert_eq!(Vary::Star.key(&HeaderMap::new()), None);
    }

    proptest::proptest! {
        #[test]
        fn codings_are_compared_as_their_keys_are(
            held in proptest::option::of("(gzip|br|zstd|GZIP|\\*|q|;q=0[.]5|, ?| |\"){0,6}"),
            asked in proptest::option::of("(gzip|br|zstd|BR|\\*|q|;q=0[.]5|, ?| |\"){0,6}"),
        ) {
            let vary = Vary::Fields(vec![ACCEPT_ENCODING]);
            let map = |line: &Option<String>| {
                HeaderMap::from_iter(line.iter().map(|line| (ACCEPT_ENCODING, HeaderValue::from_str(line).unwrap())))
            };
            let key = vary.key(&map(&held)).unwrap();
            if let Some(told) = is_same(&key, asked.as_deref().map(str::as_bytes)) {
                proptest::prop_assert_eq!(told, vary.key(&map(&asked)).unwrap() == key);
            }
        }
    }
}
