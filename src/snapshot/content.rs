//! One content in all its codings. Shared between snapshots, and between paths that hold the same bytes.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;

use super::compress::{Level, compress_while, is_gzip_final};
use super::encode::{ALWAYS, Still};
use super::kind;
use super::media::Media;
use crate::base::digest::Digest;
use crate::base::digests;
use crate::base::filed::{self, Filed};
use crate::store::{Coded, Codings};

/// A content coding (RFC 9110, 8.4.1; br: RFC 7932; zstd: RFC 8878, 9659; dcb, dcz: RFC 9842).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    Identity,
    Gzip,
    Br,
    Zstd,
    /// Brotli with a dictionary that the client has.
    Dcb,
    /// Zstandard with one.
    Dcz,
}

/// Those that need nothing but the body; a representation's place in its content is its coding's place here.
pub const CODINGS: [Coding; 4] = [Coding::Identity, Coding::Gzip, Coding::Br, Coding::Zstd];
/// Those that need a dictionary.
pub const DICTIONARY_CODINGS: [Coding; 2] = [Coding::Dcb, Coding::Dcz];
/// How many there are.
pub(super) const ALL_CODINGS: usize = CODINGS.len() + DICTIONARY_CODINGS.len();

impl Coding {
    /// The name that `Accept-Encoding` and `Content-Encoding` use.
    pub fn name(self) -> &'static str {
        match self {
            Coding::Identity => "identity",
            Coding::Gzip => "gzip",
            Coding::Br => "br",
            Coding::Zstd => "zstd",
            Coding::Dcb => "dcb",
            Coding::Dcz => "dcz",
        }
    }

    /// The letter that marks it in an entity tag.
    pub fn letter(self) -> Option<char> {
        match self {
            Coding::Identity => None,
            Coding::Gzip => Some('g'),
            Coding::Br => Some('b'),
            Coding::Zstd => Some('z'),
            Coding::Dcb => Some('B'),
            Coding::Dcz => Some('Z'),
        }
    }

    /// Whether what is coded so can be read only with a dictionary.
    pub fn has_dictionary(self) -> bool {
        DICTIONARY_CODINGS.contains(&self)
    }
}

/// How `Codings` write the levels.
const KEPT_FAST: u8 = 1;
const KEPT_BEST: u8 = 2;

/// Characters of an entity tag that name the content: 96 bits of its SHA-256. A tag tells the versions of one resource apart
/// (RFC 9110, 8.8.3): of a thousand versions of each of 100,000 files two are called the same by one chance in 10^18. Who would
/// make two such contents on purpose needs 2^48 hashes and the authority's key; whoever wants proof has the whole digest beside it.
pub const TAG_CONTENT_LEN: usize = 16;
/// Characters that name the coded bytes: two runs of an encoder that differ never share a strong validator.
const TAG_CODED_LEN: usize = 6;

/// One content in one coding, with the part of the response head that belongs to it.
#[derive(Debug)]
pub struct Representation {
    pub coding: Coding,
    pub body: Bytes,
    /// The same as a file, where it is large.
    pub file: Option<Arc<Filed>>,
    /// Strong (RFC 9110, 8.8.3): from content and coding, never from time or size.
    pub etag: HeaderValue,
    pub length: HeaderValue,
    /// Of the coded bytes: `Repr-Digest` (RFC 9530, section 3). Where the whole is sent, `Content-Digest` (section 2) would say
    /// the same again.
    pub repr_digest: HeaderValue,
    /// The fields of a 200 that depend on content and coding alone, as HTTP/1.1 writes them, each with its line end;
    /// `Vary` depends on the path too.
    pub head: Bytes,
    /// Those of them that other files have too, in memory that is theirs as well; and those that are its own.
    pub kind: Bytes,
    pub own: Bytes,
}

/// The bytes of a file, and every coding of them that pays.
#[derive(Debug)]
pub struct Content {
    pub digest: Digest,
    pub media: &'static Media,
    pub content_type: HeaderValue,
    pub level: Level,
    representations: [Option<Representation>; CODINGS.len()],
}

impl Content {
    /// Makes every coding of `bytes` at `level`; the costly part of a snapshot.
    pub fn new(bytes: Bytes, digest: Digest, media: &'static Media, level: Level) -> Content {
        let bodies = bodies(&bytes, media, level, ALWAYS);
        Content::of(bytes, digest, media, level, bodies)
    }

    /// From codings that were kept; they must be of these bytes.
    pub fn restored(bytes: Bytes, digest: Digest, media: &'static Media, kept: Codings) -> Content {
        let level = if kept.level == KEPT_BEST { Level::Best } else { Level::Fast };
        Content::of(bytes, digest, media, level, kept.bodies)
    }

    /// What is worth keeping of it besides its bytes: the codings, or a second copy where there are none. `None` where
    /// they have not been tried yet.
    pub fn to_keep(&self) -> Option<Codings> {
        let level = match self.level {
            Level::Plain => return None,
            Level::Fast => KEPT_FAST,
            Level::Best => KEPT_BEST,
        };
        let body = |coding| self.get(coding).map(|rep| Coded::of(rep.body.clone()));
        let bodies = [body(Coding::Gzip), body(Coding::Br), body(Coding::Zstd)];
        let copy = (!self.is_negotiated()).then(|| self.identity().body.clone());
        Some(Codings { level, bodies, copy })
    }

    /// `bodies`: gzip, br, zstd.
    fn of(bytes: Bytes, digest: Digest, media: &'static Media, level: Level, bodies: [Option<Coded>; 3]) -> Content {
        let content_type = match std::str::from_utf8(&bytes) {
            Ok(_) => media.utf8,
            Err(_) => media.essence,
        };
        let about = About { digest, content_type };
        let [gzip, br, zstd] = bodies;
        let make = |coding, coded: Option<Coded>| coded.map(|coded| Representation::new(coding, coded, &about));
        let representations = [
            make(Coding::Identity, Some(Coded { body: bytes, digest })),
            make(Coding::Gzip, gzip),
            make(Coding::Br, br),
            make(Coding::Zstd, zstd),
        ];
        Content {
            digest,
            media,
            content_type: HeaderValue::from_static(content_type),
            // What has no codings cannot get better.
            level: if media.compressible { level } else { Level::Best },
            representations,
        }
    }

    /// The same content, compressed anew.
    pub fn at(&self, level: Level) -> Content {
        Content::new(self.identity().body.clone(), self.digest, self.media, level)
    }

    /// The same; `None` where it was given up.
    pub fn at_while(&self, level: Level, still: Still) -> Option<Content> {
        let bytes = &self.identity().body;
        let there = self.get(Coding::Gzip).filter(|_| level > Level::Plain && is_gzip_final(bytes.len()));
        let bodies = match there {
            Some(gzip) => {
                let coded = |coding| compress_while(bytes, coding, level, still).map(Coded::of);
                [Some(Coded::of(gzip.body.clone())), coded(Coding::Br), coded(Coding::Zstd)]
            }
            None => bodies(bytes, self.media, level, still),
        };
        still().then(|| Content::of(bytes.clone(), self.digest, self.media, level, bodies))
    }

    pub fn get(&self, coding: Coding) -> Option<&Representation> {
        self.representations.get(coding as usize)?.as_ref()
    }

    pub fn identity(&self) -> &Representation {
        // The constructor always fills the first place.
        self.representations[0].as_ref().expect("every content has its identity")
    }

    /// Those that exist, identity first.
    pub fn representations(&self) -> impl Iterator<Item = &Representation> {
        self.representations.iter().flatten()
    }

    /// True where the answer depends on `Accept-Encoding`, so that `Vary` must say so.
    pub fn is_negotiated(&self) -> bool {
        self.representations[1..].iter().any(Option::is_some)
    }

    /// The shortest body that needs no dictionary.
    pub fn shortest(&self) -> usize {
        self.representations().map(|r| r.body.len()).min().unwrap_or_default()
    }

    /// Bytes of memory that its bodies hold.
    pub fn weight(&self) -> usize {
        self.representations().map(|r| r.body.len()).sum()
    }

    /// What all its representations have in common.
    pub(super) fn about(&self) -> About {
        let is_utf8 = self.content_type == self.media.utf8;
        About { digest: self.digest, content_type: if is_utf8 { self.media.utf8 } else { self.media.essence } }
    }

    /// The part of an entity tag that all codings of this content share, without quotes.
    pub fn tag(&self) -> &[u8] {
        &self.identity().etag.as_bytes()[1..=TAG_CONTENT_LEN]
    }
}

/// Every coding that pays: gzip, br, zstd.
fn bodies(bytes: &[u8], media: &Media, level: Level, still: Still) -> [Option<Coded>; 3] {
    let is_tried = media.compressible && level > Level::Plain;
    let coded = |coding| is_tried.then(|| compress_while(bytes, coding, level, still))?.map(Coded::of);
    [Coding::Gzip, Coding::Br, Coding::Zstd].map(coded)
}

/// What all representations of a content have in common.
pub(super) struct About {
    digest: Digest,
    content_type: &'static str,
}

impl Representation {
    pub(super) fn new(coding: Coding, Coded { body, digest }: Coded, about: &About) -> Representation {
        let mut tag = String::with_capacity(TAG_CONTENT_LEN + TAG_CODED_LEN + 4);
        tag.push('"');
        push_base64url(&mut tag, about.digest.as_bytes(), TAG_CONTENT_LEN);
        if let Some(letter) = coding.letter() {
            tag.extend(['.', letter]);
            push_base64url(&mut tag, digest.as_bytes(), TAG_CODED_LEN);
        }
        tag.push('"');
        let digest = digests::value(&digest);
        let kind = kind::lines(about.content_type, coding);
        let own = format!("etag: {tag}\r\nrepr-digest: {digest}\r\ncontent-length: {}\r\n", body.len());
        let head = Bytes::from([&kind, own.as_bytes()].concat());
        let file = filed::of(&body);
        Representation {
            coding,
            etag: HeaderValue::try_from(tag).expect("base64url is a header value"),
            length: HeaderValue::from(body.len()),
            repr_digest: HeaderValue::try_from(digest).expect("Base64 is a header value"),
            own: head.slice(kind.len()..),
            head,
            kind,
            body: file.as_ref().map_or(body, Filed::bytes),
            file,
        }
    }
}

/// The first `chars` characters of `bytes` in base64url (RFC 4648, 5), six bits each.
fn push_base64url(out: &mut String, bytes: &[u8], chars: usize) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |b| b >> (7 - at % 8) & 1);
    out.extend((0..chars).map(|i| {
        let six = (0..6).fold(0u8, |six, b| six << 1 | bit(i * 6 + b));
        ALPHABET[usize::from(six)] as char
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::media;

    fn content(path: &str, bytes: &[u8], level: Level) -> Content {
        Content::new(Bytes::copy_from_slice(bytes), Digest::of(bytes), media::of(path), level)
    }

    #[test]
    fn tags_are_strong_and_share_the_contents_part() {
        let text = "acta,votos\n".repeat(500);
        let (fast, best) =
            (content("a.csv", text.as_bytes(), Level::Fast), content("a.csv", text.as_bytes(), Level::Best));
        assert!(fast.is_negotiated());
        assert_eq!(fast.identity().etag, best.identity().etag);
        for rep in fast.representations().chain(best.representations()) {
            let tag = rep.etag.to_str().unwrap();
            assert!(tag.starts_with('"') && tag.ends_with('"') && !tag.starts_with("W/"), "{tag}");
            assert_eq!(&tag.as_bytes()[1..=TAG_CONTENT_LEN], fast.tag());
        }
        for (a, b) in fast.representations().zip(best.representations()) {
            assert_eq!(a.etag == b.etag, a.body == b.body, "{:?}", a.coding);
        }
        assert_ne!(content("b.csv", b"other", Level::Fast).tag(), fast.tag());
    }

    #[test]
    fn what_is_given_up_between_two_codings_is_no_content() {
        let fast = content("a.csv", "acta,votos\n".repeat(500).as_bytes(), Level::Fast);
        let asked = std::cell::Cell::new(0);
        let wanted_for = |n: usize| {
            asked.set(0);
            fast.at_while(Level::Best, &|| asked.replace(asked.get() + 1) < n)
        };
        let whole = (1..100).find(|n| wanted_for(*n).is_some()).unwrap();
        // Before each coding, in it, and in the end.
        assert!(whole > 5, "{whole}");
        assert_eq!(asked.get(), whole);
        let (made, at_once) = (wanted_for(whole).unwrap(), fast.at(Level::Best));
        assert!(made.representations().map(|rep| &rep.etag).eq(at_once.representations().map(|rep| &rep.etag)));
    }

    #[test]
    fn digests_are_of_the_coded_bytes() {
        let content = content("a.csv", "acta,votos\n".repeat(500).as_bytes(), Level::Fast);
        assert_eq!(content.representations().count(), 4);
        for rep in content.representations() {
            let said = digests::sha256([rep.repr_digest.as_bytes()]);
            assert_eq!(said, Ok(Some(Digest::of(&rep.body))), "{:?}", rep.coding);
            let head = str::from_utf8(&rep.head).unwrap();
            let line = format!("\r\nrepr-digest: {}\r\n", rep.repr_digest.to_str().unwrap());
            assert!(head.contains(&line), "{head}");
            assert_eq!([&rep.kind[..], &rep.own].concat(), rep.head);
        }
    }

    #[test]
    fn base64url_is_the_standards() {
        let mut out = String::new();
        push_base64url(&mut out, &[0xfb, 0xff, 0xbf, 0x00], 5);
        assert_eq!(out, "-_-_A");
    }

    #[test]
    fn compressed_types_are_kept_as_they_are() {
        let zip = content("base.zip", &[b'P', b'K', 0, 0].repeat(1000), Level::Fast);
        assert!(!zip.is_negotiated());
        assert_eq!(zip.level, Level::Best);
    }

    #[test]
    fn latin1_is_not_called_utf8() {
        assert_eq!(content("a.csv", b"Ni\xf1os H\xe9roes", Level::Fast).content_type, "text/csv");
        assert_eq!(content("a.csv", "Niños Héroes".as_bytes(), Level::Fast).content_type, "text/csv; charset=utf-8");
    }
}
