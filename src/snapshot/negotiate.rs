//! Which coding to send (RFC 9110, 12.5.3; with a dictionary RFC 9842).

use std::cmp::Reverse;

use super::content::ALL_CODINGS;
use super::{CODINGS, Coding, Content, DICTIONARY_CODINGS, Difference, Representation};

/// A weight in thousandths (RFC 9110, 12.4.2): 1000 is `q=1`.
type Weight = u16;

/// What a client said of each coding that we know, and of all others by `*`.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
pub struct Accepted {
    codings: [Option<Weight>; ALL_CODINGS],
    star: Option<Weight>,
    /// Without the field, or with an empty one, only identity is sure to be understood.
    said: bool,
}

impl Accepted {
    /// Reads the lines of `Accept-Encoding`. Members that are malformed or unknown are passed over.
    pub fn read<'l>(lines: impl IntoIterator<Item = &'l [u8]>) -> Accepted {
        let mut accepted = Accepted::default();
        for line in lines {
            accepted.said = true;
            for member in line.split(|b| *b == b',') {
                accepted.take(member);
            }
        }
        accepted
    }

    fn take(&mut self, member: &[u8]) {
        let mut parts = member.split(|b| *b == b';');
        let name = parts.next().unwrap_or_default().trim_ascii();
        let Some(weight) = weight(parts.next(), parts.next()) else { return };
        if name == b"*" {
            self.star.get_or_insert(weight);
        } else if let Some(coding) = coding(name) {
            self.codings[coding as usize].get_or_insert(weight);
        }
    }

    /// The weight of a coding; `None` where it is refused. Identity that nobody named is acceptable, but last. What needs a
    /// dictionary must be named: who takes anything need not have one (RFC 9842, section 6.1).
    fn weight(&self, coding: Coding) -> Option<Weight> {
        let named = self.codings[coding as usize];
        match (coding, named.or(self.star.filter(|_| !coding.has_dictionary()))) {
            (_, Some(0)) => None,
            (_, Some(weight)) => Some(weight),
            (Coding::Identity, None) => Some(0),
            (_, None) => None,
        }
    }

    /// Whether the client takes this coding; without the field it takes any (RFC 9110, 12.5.3) that needs no dictionary.
    pub fn takes(&self, coding: Coding) -> bool {
        (!self.said && !coding.has_dictionary()) || self.weight(coding).is_some()
    }

    /// Whether it says that it has a dictionary.
    pub fn takes_differences(&self) -> bool {
        DICTIONARY_CODINGS.into_iter().any(|coding| self.takes(coding))
    }

    /// The best form of `content`: one of its own, or one of `differences`, which are all from a dictionary that the client
    /// has.
    pub fn best<'c>(
        &self,
        content: &'c Content,
        differences: impl Iterator<Item = &'c Difference>,
    ) -> Option<&'c Representation> {
        let all = content.representations().chain(differences.map(Difference::representation));
        match self.said {
            false => Some(content.identity()),
            true => all
                .filter_map(|one| Some((self.rate(one.coding, one.body.len())?, one)))
                .max_by_key(|(rate, _)| *rate)
                .map(|(_, one)| one),
        }
    }

    /// The heavier the better, then the shorter; `None` where it is refused.
    fn rate(&self, coding: Coding, len: usize) -> Option<(Weight, Reverse<usize>)> {
        Some((self.weight(coding)?, Reverse(len)))
    }

    /// The best coding that `content` has, see [`Accepted::among`].
    pub fn choose(&self, content: &Content) -> Option<Coding> {
        self.among(CODINGS.into_iter().filter_map(|coding| Some((coding, content.get(coding)?.body.len()))))
    }

    /// The best of these codings, each with the bytes that it takes: the heaviest weight, then the fewest bytes. `None` where
    /// the client refuses all of them.
    pub fn among(&self, codings: impl IntoIterator<Item = (Coding, usize)>) -> Option<Coding> {
        if !self.said {
            return Some(Coding::Identity);
        }
        let rated = |(coding, len)| Some((self.rate(coding, len)?, coding));
        codings.into_iter().filter_map(rated).max_by_key(|(rate, _)| *rate).map(|(_, coding)| coding)
    }
}

fn coding(name: &[u8]) -> Option<Coding> {
    let mut all = CODINGS.into_iter().chain(DICTIONARY_CODINGS);
    let known = all.find(|c| name.eq_ignore_ascii_case(c.name().as_bytes()));
    // RFC 9110, 8.4.1.3: x-gzip is gzip.
    known.or_else(|| name.eq_ignore_ascii_case(b"x-gzip").then_some(Coding::Gzip))
}

/// `q=0.5` as 500; nothing said is 1000; anything malformed is `None`.
fn weight(parameter: Option<&[u8]>, more: Option<&[u8]>) -> Option<Weight> {
    if more.is_some() {
        return None;
    }
    let Some(parameter) = parameter else { return Some(1000) };
    let value = match parameter.trim_ascii() {
        [b'q' | b'Q', b'=', value @ ..] => value,
        _ => return None,
    };
    let (whole, fraction) = match value {
        [whole] => (whole, &[][..]),
        [whole, b'.', fraction @ ..] if fraction.len() <= 3 => (whole, fraction),
        _ => return None,
    };
    let mut thousandths = 0;
    for place in 0..3 {
        let digit = fraction.get(place).copied().unwrap_or(b'0');
        thousandths = thousandths * 10 + Weight::from(digit.is_ascii_digit().then(|| digit - b'0')?);
    }
    match whole {
        b'0' => Some(thousandths),
        b'1' if thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::digest::Digest;
    use crate::snapshot::{Level, media};
    use bytes::Bytes;
    use proptest::prelude::*;

    fn text() -> Content {
        let bytes = Bytes::from("casilla,votos\n".repeat(200));
        Content::new(bytes.clone(), Digest::of(&bytes), media::of("a.csv"), Level::Fast)
    }

    fn jpeg() -> Content {
        let bytes = Bytes::from_static(b"\xff\xd8\xff\xe0");
        Content::new(bytes.clone(), Digest::of(&bytes), media::of("a.jpg"), Level::Fast)
    }

    fn choose(content: &Content, line: &str) -> Option<Coding> {
        Accepted::read([line.as_bytes()]).choose(content)
    }

    #[test]
    fn by_weight_then_by_size() {
        let text = text();
        let smallest = text.representations().min_by_key(|r| r.body.len()).unwrap().coding;
        assert_eq!(Accepted::read([]).choose(&text), Some(Coding::Identity));
        let cases = [
            ("", Some(Coding::Identity)),
            ("gzip, deflate, br, zstd", Some(smallest)),
            ("*", Some(smallest)),
            ("gzip", Some(Coding::Gzip)),
            ("GZip", Some(Coding::Gzip)),
            ("x-gzip", Some(Coding::Gzip)),
            ("gzip;q=0.5, br;q=0.4", Some(Coding::Gzip)),
            ("gzip;q=0.500 , zstd ; q=0.501", Some(Coding::Zstd)),
            (
                "br;q=0, *",
                Some(
                    [Coding::Gzip, Coding::Zstd].into_iter().min_by_key(|c| text.get(*c).unwrap().body.len()).unwrap(),
                ),
            ),
            ("deflate", Some(Coding::Identity)),
            ("identity, gzip;q=0.1", Some(Coding::Identity)),
            ("identity;q=0", None),
            ("*;q=0", None),
            ("gzip;q=0, identity;q=0", None),
            ("gzip, *;q=0", Some(Coding::Gzip)),
            ("*;q=0, identity", Some(Coding::Identity)),
            ("gzip;q=2", Some(Coding::Identity)),
            ("gzip;q=0.1234", Some(Coding::Identity)),
            ("gzip;level=9", Some(Coding::Identity)),
            ("gzip;q=0.*", Some(Coding::Identity)),
        ];
        for (line, expected) in cases {
            assert_eq!(choose(&text, line), expected, "{line}");
        }
        assert_eq!(Accepted::read([&b"br;q=0.2"[..], b"gzip;q=0.3"]).choose(&text), Some(Coding::Gzip));
    }

    #[test]
    fn what_has_one_form_is_sent_in_it_unless_refused() {
        let jpeg = jpeg();
        assert_eq!(choose(&jpeg, "gzip, br"), Some(Coding::Identity));
        assert_eq!(choose(&jpeg, "gzip, identity;q=0"), None);
    }

    proptest! {
        /// The oracle reads the field as a list of (name, weight) and rates every coding by the RFC's own words.
        #[test]
        fn agrees_with_a_plain_oracle(members in proptest::collection::vec((prop::sample::select(vec!["gzip", "br", "zstd", "identity", "*", "deflate"]), 0u16..=1000), 0..6)) {
            let content = text();
            let line = members.iter().map(|(n, q)| format!("{n};q={}.{:03}", q / 1000, q % 1000)).collect::<Vec<_>>().join(", ");
            let named = |name: &str| members.iter().find(|(n, _)| *n == name).map(|(_, q)| *q);
            let mut best: Option<(u16, usize, Coding)> = None;
            for coding in CODINGS {
                let rule = named(coding.name()).or(named("*"));
                let q = match rule { Some(0) => continue, Some(q) => q, None if coding == Coding::Identity => 0, None => continue };
                let len = content.get(coding).unwrap().body.len();
                let better = best.is_none_or(|(bq, blen, _)| q > bq || (q == bq && len < blen));
                if better { best = Some((q, len, coding)); }
            }
            prop_assert_eq!(choose(&content, &line), best.map(|b| b.2), "{}", line);
        }

        #[test]
        fn never_panics(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Accepted::read([&line[..]]).choose(&jpeg());
        }
    }
}
