//! A stored body in a coding of our making: only of what the origin sent in none, and lets be transformed.

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
};

use super::directives::Directives;
use super::lines::Lines;
use super::validate;
use crate::snapshot::negotiate::Accepted;
use crate::snapshot::{Coding, media};

/// Below it a head is most of a response; see `snapshot::MIN_SAVING_BYTES` for what has to be gained.
const LEAST_BYTES: usize = 256;
/// Above it a body would keep the thread that compresses busy for a second and more.
const MOST_BYTES: usize = 4 << 20;
/// What tells of the bytes that were sent, and so of none that are coded (RFC 9530; the older two are gone from the registry,
/// but not from the net).
const OF_THE_BYTES: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

/// A body in one coding, and the head that goes with it.
#[derive(Debug, Clone)]
pub struct Coded {
    pub coding: Coding,
    pub lines: Lines,
    pub body: Bytes,
}

impl Coded {
    /// `fields`: those of the body that is not coded.
    pub fn new(coding: Coding, body: Bytes, fields: &HeaderMap) -> Coded {
        let mut fields = fields.clone();
        for name in OF_THE_BYTES.iter().chain([&ACCEPT_RANGES]) {
            fields.remove(name);
        }
        // The bytes are others, their meaning is the same: a weak tag (RFC 9110, 8.8.1).
        let weak = match validate::etag(&fields) {
            Some((false, opaque)) => HeaderValue::from_bytes(&[b"W/", opaque].concat()).ok(),
            _ => None,
        };
        if let Some(weak) = weak {
            fields.insert(ETAG, weak);
        }
        fields.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        fields.insert(CONTENT_LENGTH, body.len().into());
        Coded { coding, lines: Lines::of(&fields), body }
    }

    pub fn bytes(&self) -> usize {
        size_of::<Coded>() + self.lines.as_bytes().len() + self.body.len()
    }
}

/// The one that is sent to who takes these codings; `None`: the body as the origin sent it, of `len` bytes.
pub fn best<'c>(coded: &'c [Coded], len: usize, accepted: &Accepted) -> Option<&'c Coded> {
    let all = coded.iter().map(|one| (one.coding, one.body.len())).chain([(Coding::Identity, len)]);
    // Who takes none of them, not even the body as it is, is nevertheless better off with that (RFC 9110, 12.5.3).
    let coding = accepted.among(all)?;
    coded.iter().find(|one| one.coding == coding)
}

/// Whether compressing it pays, and does not take too long.
pub fn is_of_size(body: &[u8]) -> bool {
    (LEAST_BYTES..=MOST_BYTES).contains(&body.len())
}

/// Whether a stored 200 deserves to be compressed. `no-transform` forbids it (RFC 9111, 5.2.2.6), and so does a tag that is no
/// tag: nobody could say what it means of other bytes.
pub fn deserves(fields: &HeaderMap, body: &[u8]) -> bool {
    is_of_size(body)
        && !fields.contains_key(CONTENT_ENCODING)
        && !Directives::read(fields).no_transform
        && !Directives::plain(fields).no_transform
        && (!fields.contains_key(ETAG) || validate::etag(fields).is_some())
        && fields.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(is_text)
}

/// Text and its like, by name.
fn is_text(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let known = media::called(&essence);
    (known.essence == essence && known.compressible && essence != "application/octet-stream")
        || essence.starts_with("text/")
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
        || matches!(essence.as_str(), "application/javascript" | "application/xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect()
    }

    #[test]
    fn what_deserves_it() {
        let body = [b'x'; LEAST_BYTES];
        for (lines, is) in [
            (vec![("content-type", "text/html; charset=utf-8")], true),
            (vec![("content-type", "Application/JSON")], true),
            (vec![("content-type", "application/ld+json")], true),
            (vec![("content-type", "image/svg+xml")], true),
            (vec![("content-type", "image/jpeg")], false),
            (vec![("content-type", "application/octet-stream")], false),
            (vec![], false),
            (vec![("content-type", "text/css"), ("content-encoding", "br")], false),
            (vec![("content-type", "text/css"), ("cache-control", "no-transform")], false),
            (
                vec![
                    ("content-type", "text/css"),
                    ("cdn-cache-control", "max-age=5"),
                    ("cache-control", "no-transform"),
                ],
                false,
            ),
            (vec![("content-type", "text/css"), ("etag", "bare")], false),
        ] {
            assert_eq!(deserves(&head(&lines), &body), is, "{lines:?}");
        }
        assert!(!deserves(&head(&[("content-type", "text/css")]), &body[1..]), "too short");
    }

    #[test]
    fn the_head_tells_of_the_coded_bytes_alone() {
        let fields = head(&[
            ("etag", "\"a\""),
            ("content-length", "9"),
            ("accept-ranges", "bytes"),
            ("repr-digest", "sha-256=:x:"),
            ("x-a", "1"),
        ]);
        let coded = Coded::new(Coding::Br, Bytes::from_static(b"br"), &fields).lines.to_map();
        let expected = head(&[("etag", "W/\"a\""), ("content-length", "2"), ("x-a", "1"), ("content-encoding", "br")]);
        assert_eq!(coded, expected);
        let weak = Coded::new(Coding::Br, Bytes::new(), &head(&[("etag", "W/\"a\"")])).lines.to_map();
        assert_eq!(weak[ETAG], "W/\"a\"");
    }
}
