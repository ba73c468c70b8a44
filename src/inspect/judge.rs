//! What an answer is worth. Pure: it sees what came, and what should have come.

use std::collections::HashMap;

use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_ENCODING, DATE, ETAG, HeaderMap, HeaderName, LOCATION, SET_COOKIE,
};
use jiff::Timestamp;

use super::body::Body;
use super::report::Findings;
use crate::base::digest::Digest;
use crate::base::digests;
use crate::base::shown::Shown;
use crate::schedule::State;
use crate::snapshot::{CODINGS, Coding};

pub const CORTE: HeaderName = HeaderName::from_static("corte");
pub const CORTE_FECHA_HORA: HeaderName = HeaderName::from_static("corte-fecha-hora");
pub const CORTE_ESTADO: HeaderName = HeaderName::from_static("corte-estado");
pub const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
pub const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// Over which protocol something came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Http11,
    Http2,
}

impl Way {
    pub fn name(self) -> &'static str {
        match self {
            Way::Http11 => "HTTP/1.1",
            Way::Http2 => "HTTP/2",
        }
    }
}

/// A response.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What was asked for, for people: `/datos/total.json (gzip, HTTP/2)`.
    pub asked: String,
    pub status: u16,
    pub fields: HeaderMap,
    pub body: Body,
}

impl Answer {
    /// The value of a field that comes once, as text that can be shown.
    pub fn field(&self, name: &HeaderName) -> Option<&str> {
        self.fields.get(name).and_then(|value| value.to_str().ok())
    }

    /// The seconds since 1970 that `Date` says.
    pub fn date_s(&self) -> Option<i64> {
        let date = httpdate::parse_http_date(self.field(&DATE)?).ok()?;
        Some(Timestamp::try_from(date).ok()?.as_second())
    }
}

/// The content coding that a response says it has; `None` for one that we do not know.
pub fn coding(fields: &HeaderMap) -> Option<Coding> {
    let mut said = fields.get_all(CONTENT_ENCODING).iter();
    match (said.next(), said.next()) {
        (None, _) => Some(Coding::Identity),
        (Some(one), None) => {
            CODINGS.into_iter().find(|coding| one.as_bytes().eq_ignore_ascii_case(coding.name().as_bytes()))
        }
        _ => None,
    }
}

/// What holds of every response whatever it is of.
pub fn manners(answer: &Answer, found: &mut Findings) {
    let asked = &answer.asked;
    if answer.fields.contains_key(SET_COOKIE) {
        found.fault("fields", format!("{asked}: sets a cookie"));
    }
    if let Some(to) = answer.fields.get(LOCATION) {
        found.fault("fields", format!("{asked}: leads elsewhere, to {}", Shown::bytes(to.as_bytes())));
    }
    match answer.field(&ACCESS_CONTROL_ALLOW_ORIGIN) {
        Some("*") => found.ok("fields", "no cookies, nothing that leads elsewhere, open to scripts of other pages"),
        _ => {
            found.fault("fields", format!("{asked}: no access-control-allow-origin: *, so other pages cannot show it"))
        }
    }
}

/// That a response says where transmission stands.
pub fn state(answer: &Answer, expected: State, found: &mut Findings) {
    let asked = &answer.asked;
    match answer.fields.get(CORTE_ESTADO) {
        None => found.fault("state", format!("{asked}: no corte-estado")),
        Some(said) if said.as_bytes() != expected.token().as_bytes() => {
            let said = Shown::bytes(said.as_bytes());
            found.fault("state", format!("{asked}: corte-estado is {said}, but estado.json says {}", expected.token()));
        }
        Some(_) => found.ok("state", expected.token()),
    }
}

/// Which corte everything should be of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub corte: String,
    pub fecha_hora: String,
}

impl Expected {
    /// That a response is of it.
    pub fn check(&self, answer: &Answer, found: &mut Findings) {
        for (name, expected) in [(CORTE, &self.corte), (CORTE_FECHA_HORA, &self.fecha_hora)] {
            let said: Vec<_> = answer.fields.get_all(&name).iter().collect();
            let asked = &answer.asked;
            match said[..] {
                [one] if one.as_bytes() == expected.as_bytes() => {}
                [one] => {
                    let said = Shown::bytes(one.as_bytes());
                    found.fault("corte", format!("{asked}: {name} is {said}, expected {expected}"));
                }
                [] => found.fault("corte", format!("{asked}: no {name}")),
                _ => found.fault("corte", format!("{asked}: {name} comes twice")),
            }
        }
        found.ok("corte", format!("every response is of {}, {}", self.corte, self.fecha_hora));
    }
}

/// The entity tags of one path, each with the bytes that it stands for.
#[derive(Debug, Default)]
pub struct Tags(HashMap<Vec<u8>, Digest>);

impl Tags {
    /// That the tag is strong, and stands for no other bytes (RFC 9110, 8.8.1).
    pub fn check(&mut self, answer: &Answer, found: &mut Findings) {
        let asked = &answer.asked;
        let Some(tag) = answer.fields.get(ETAG).map(|tag| tag.as_bytes().to_vec()) else {
            return found.fault("tags", format!("{asked}: no etag"));
        };
        let is_strong = tag.len() > 2 && tag.starts_with(b"\"") && tag.ends_with(b"\"");
        if !is_strong {
            return found.fault("tags", format!("{asked}: the etag {} is not strong", Shown::bytes(&tag)));
        }
        let shown = Shown::bytes(&tag);
        let is_same = *self.0.entry(tag).or_insert(answer.body.coded) == answer.body.coded;
        match is_same {
            true => found.ok("tags", "strong, and another for other bytes"),
            false => found.fault("tags", format!("{asked}: the etag {shown} stands for other bytes too")),
        }
    }
}

/// That the digests which a response announces are those of its bytes.
pub fn digests_of(answer: &Answer, found: &mut Findings) {
    let asked = &answer.asked;
    for name in [REPR_DIGEST, CONTENT_DIGEST] {
        let said = digests::sha256(answer.fields.get_all(&name).iter().map(|value| value.as_bytes()));
        match said {
            Err(why) => found.fault("digests", format!("{asked}: {name} {why}")),
            Ok(Some(said)) if said != answer.body.coded => {
                found.fault("digests", format!("{asked}: {name} is not the SHA-256 of what came"));
            }
            Ok(None) if name == REPR_DIGEST => found.fault("digests", format!("{asked}: no repr-digest with sha-256")),
            Ok(_) => found.ok("digests", "every response says the SHA-256 of its bytes, and it is"),
        }
    }
}

/// That a response is this file.
pub fn file(answer: &Answer, expected: &Digest, asked_for: Coding, found: &mut Findings) {
    let asked = &answer.asked;
    if answer.status != 200 {
        return found.fault("files", format!("{asked}: {}, expected 200", answer.status));
    }
    match coding(&answer.fields) {
        Some(coding) if coding == asked_for || coding == Coding::Identity => {}
        _ => return found.fault("files", format!("{asked}: comes in a content coding that was not asked for")),
    }
    match &answer.body.plain {
        Ok(plain) if plain == expected => found.ok("files", ""),
        Ok(plain) => {
            found.fault("files", format!("{asked}: SHA-256 {plain}, but the signed list says {expected}"));
        }
        Err(why) => found.fault("files", format!("{asked}: {why}")),
    }
}

/// How old a corte may be in a state before that state is not true; `None` where it may be of any age.
pub fn oldest_s(state: State, interval_s: i64) -> Option<i64> {
    match state {
        // One interval and the usual grace, and what clocks may differ by.
        State::Current => Some(interval_s.saturating_add(GRACE_S + CLOCKS_S)),
        // The call, III: 30 minutes, which is three intervals.
        State::Late => Some(interval_s.saturating_mul(PERIODS).saturating_add(GRACE_S + CLOCKS_S)),
        State::Before | State::Waiting | State::Interrupted | State::Final | State::Closed => None,
    }
}

/// From one corte to the next, where nobody says (the call, I).
pub const INTERVAL_S: i64 = 600;
/// Cortes that may be missed (the call, III).
const PERIODS: i64 = 3;
/// What a corte may come late: `window.grace` is this unless somebody sets it.
const GRACE_S: i64 = 60;
/// What two clocks that are right may differ by.
pub const CLOCKS_S: i64 = 60;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::inspect::body::Sink;
    use crate::inspect::report::Mark;

    pub fn answer(status: u16, fields: &[(&'static str, &str)], body: &[u8]) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, value.parse().unwrap());
        }
        let mut sink = Sink::new(coding(&map), None);
        sink.take(body).unwrap();
        Answer { asked: "/x".into(), status, fields: map, body: sink.finish() }
    }

    fn marks(found: &Findings) -> Vec<(&'static str, Mark)> {
        found.checks().iter().map(|check| (check.name, check.mark)).collect()
    }

    #[test]
    fn a_byte_a_digest_and_a_coding_are_seen() {
        let judged = |fields: &[(&'static str, &str)], body: &[u8]| {
            let (answer, mut found) = (answer(200, fields, body), Findings::default());
            file(&answer, &Digest::of(b"abc"), Coding::Gzip, &mut found);
            digests_of(&answer, &mut found);
            marks(&found)
        };
        let right = digests::value(&Digest::of(b"abc"));
        let wrong = digests::value(&Digest::of(b"abd"));
        use Mark::{Fault, Ok};
        assert_eq!(judged(&[("repr-digest", &right)], b"abc"), [("files", Ok), ("digests", Ok)]);
        assert_eq!(judged(&[("repr-digest", &wrong)], b"abc"), [("files", Ok), ("digests", Fault)]);
        assert_eq!(judged(&[], b"abc"), [("files", Ok), ("digests", Fault)]);
        assert_eq!(judged(&[("repr-digest", &wrong)], b"abd"), [("files", Fault), ("digests", Ok)]);
        let twice = [("repr-digest", &*right), ("content-digest", "sha-256=abc")];
        assert_eq!(judged(&twice, b"abc"), [("files", Ok), ("digests", Fault)]);
        for other in ["br", "deflate", "gzip"] {
            let found = judged(&[("repr-digest", &right), ("content-encoding", other)], b"abc");
            assert_eq!(found[0], ("files", Fault), "{other}");
        }
    }

    #[test]
    fn a_tag_stands_for_the_same_bytes() {
        let mut tags = Tags::default();
        let mut judged = |tag: &str, body: &[u8]| {
            let mut found = Findings::default();
            let fields: &[_] = if tag.is_empty() { &[] } else { &[("etag", tag)] };
            tags.check(&answer(200, fields, body), &mut found);
            marks(&found)[0].1
        };
        assert_eq!(judged("\"a\"", b"a"), Mark::Ok);
        assert_eq!(judged("\"b\"", b"b"), Mark::Ok);
        assert_eq!(judged("\"a\"", b"a"), Mark::Ok);
        for (tag, body) in [("\"a\"", b"b"), ("W/\"c\"", b"c"), ("\"\"", b"c"), ("", b"c")] {
            assert_eq!(judged(tag, body), Mark::Fault, "{tag}");
        }
    }

    #[test]
    fn manners_are_minded() {
        let judged = |fields: &[(&'static str, &str)]| {
            let mut found = Findings::default();
            manners(&answer(200, fields, b""), &mut found);
            marks(&found)[0].1
        };
        let open = ("access-control-allow-origin", "*");
        assert_eq!(judged(&[open]), Mark::Ok);
        assert_eq!(judged(&[]), Mark::Fault);
        assert_eq!(judged(&[open, ("set-cookie", "a=b")]), Mark::Fault);
        assert_eq!(judged(&[open, ("location", "https://otro/")]), Mark::Fault);
    }

    #[test]
    fn a_response_of_another_corte_is_seen() {
        let expected = Expected { corte: "20260607_2010".into(), fecha_hora: "2026-06-07T20:10:00-06:00".into() };
        let judged = |fields: &[(&'static str, &str)]| {
            let mut found = Findings::default();
            expected.check(&answer(200, fields, b""), &mut found);
            marks(&found)[0].1
        };
        let right = [("corte", "20260607_2010"), ("corte-fecha-hora", "2026-06-07T20:10:00-06:00")];
        assert_eq!(judged(&right), Mark::Ok);
        assert_eq!(judged(&right[..1]), Mark::Fault);
        assert_eq!(judged(&[right[0], right[1], right[0]]), Mark::Fault);
        assert_eq!(judged(&[("corte", "20260607_2000"), right[1]]), Mark::Fault);
    }
}
