//! Bodies as they came, each kept once for all readers, and the proof that they are what their heads say.
//!
//! A body that is known already is compared byte for byte, and so is what its head says of it; one that is new is hashed and
//! decoded. So every body is checked, and the same bytes are hashed once.

use std::sync::Arc;

use bytes::Bytes;

use super::decode::{BODY_MAX_BYTES, decode};
use super::said::Said;
use crate::base::digest::Digest;
use crate::snapshot::{Coding, TAG_CONTENT_LEN};

/// Bytes of all bodies that are kept at once, coded and decoded: two cortes of a large site in every coding.
const KEPT_MAX_BYTES: usize = 1 << 30;

/// A body that was found to be right.
#[derive(Debug)]
pub struct Stored {
    pub coding: Coding,
    pub etag: Option<Bytes>,
    pub coded: Bytes,
    pub plain: Bytes,
    /// Of `plain`.
    pub digest: Digest,
    /// Of the bytes that it was decoded with.
    pub dictionary: Option<Digest>,
    /// Its head named the SHA-256 of it, or it stands in its entity tag as difusor's does.
    pub is_proven: bool,
    /// May be a dictionary for what comes under its path.
    pub is_dictionary: bool,
    /// `Content-Digest` and `Repr-Digest` as they came with it.
    pub digests: [Option<Bytes>; 2],
}

impl Stored {
    /// An uncoded body that says nothing of itself: of servers that are invented.
    pub fn plain(bytes: &[u8]) -> Stored {
        let plain = Bytes::copy_from_slice(bytes);
        let (coding, digest) = (Coding::Identity, Digest::of(bytes));
        Stored {
            coding,
            etag: None,
            coded: plain.clone(),
            plain,
            digest,
            dictionary: None,
            is_proven: false,
            is_dictionary: false,
            digests: [None, None],
        }
    }

    fn weight(&self) -> usize {
        let plain = if self.coding == Coding::Identity { 0 } else { self.plain.len() };
        self.coded.len() + plain
    }

    fn is(&self, came: &Came) -> bool {
        let etag = self.etag.as_deref() == came.said.etag;
        let dictionary = self.dictionary == came.dictionary.map(|dictionary| dictionary.digest);
        etag && self.coding == came.coding && (dictionary || self.dictionary.is_none()) && self.coded == came.coded
    }

    fn says(&self, said: &Said) -> bool {
        self.digests[0].as_deref() == said.content_digest && self.digests[1].as_deref() == said.repr_digest
    }
}

/// A body that was not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wrong {
    /// Not the bytes whose SHA-256 its head names (RFC 9530), or that field is malformed.
    Digest,
    /// Decoded, not the content that its entity tag names.
    Content,
    /// Cannot be decoded.
    Coding,
    /// In a coding that was not asked for.
    Unasked,
    /// One strong validator, two different bodies (RFC 9110, 8.8.1).
    Validator,
    /// More different bodies than there is room for.
    TooMany,
}

/// What came for one request.
#[derive(Clone, Copy)]
pub struct Came<'b> {
    pub said: &'b Said<'b>,
    pub coding: Coding,
    pub coded: &'b [u8],
    /// What the request said that the reader has.
    pub dictionary: Option<&'b Stored>,
    /// The path of the resource, for what may be a dictionary for it.
    pub path: &'b str,
}

/// All bodies of one run, by resource.
#[derive(Debug, Default)]
pub struct Bodies {
    by_resource: Vec<Vec<Arc<Stored>>>,
    pub hashed: u64,
    pub compared: u64,
}

impl Bodies {
    /// The body as everybody shares it, or what is wrong with it.
    pub fn take(&mut self, resource: usize, came: &Came) -> Result<Arc<Stored>, Wrong> {
        if self.by_resource.len() <= resource {
            self.by_resource.resize_with(resource + 1, Vec::new);
        }
        let known = self.by_resource.get(resource).into_iter().flatten().rev().find(|stored| stored.is(came));
        if let Some(known) = known.filter(|known| known.says(came.said)) {
            let known = known.clone();
            self.compared += 1;
            return Ok(known);
        }
        let stored = Arc::new(self.check(resource, came)?);
        self.hashed += 1;
        self.make_room(stored.weight())?;
        self.by_resource[resource].push(stored.clone());
        Ok(stored)
    }

    fn check(&self, resource: usize, came: &Came) -> Result<Stored, Wrong> {
        let dictionary = came.dictionary.filter(|_| came.coding.has_dictionary());
        if came.coding.has_dictionary() && dictionary.is_none() {
            return Err(Wrong::Unasked);
        }
        let named = came.said.digests().map_err(|_| Wrong::Digest)?;
        let of_coded = named.iter().flatten().next().map(|_| Digest::of(came.coded));
        if named.iter().flatten().any(|named| Some(*named) != of_coded) {
            return Err(Wrong::Digest);
        }
        if self.contradicts(resource, came) {
            return Err(Wrong::Validator);
        }
        let with = dictionary.map(|dictionary| &dictionary.plain[..]);
        let plain = decode(came.coding, came.coded, with).ok_or(Wrong::Coding)?;
        if plain.len() > BODY_MAX_BYTES {
            return Err(Wrong::Coding);
        }
        let digest = Digest::of(&plain);
        let in_tag = came.said.etag.and_then(content_in_tag);
        if in_tag.is_some_and(|tag| *tag != tag_of(&digest)[..]) {
            return Err(Wrong::Content);
        }
        let (coded, etag) = (Bytes::copy_from_slice(came.coded), came.said.etag.map(Bytes::copy_from_slice));
        Ok(Stored {
            coding: came.coding,
            etag,
            plain: if came.coding == Coding::Identity { coded.clone() } else { plain.into() },
            coded,
            digest,
            dictionary: dictionary.map(|dictionary| dictionary.digest),
            is_proven: of_coded.is_some() || in_tag.is_some(),
            is_dictionary: came.said.is_dictionary_for(came.path),
            digests: [came.said.content_digest, came.said.repr_digest].map(|value| value.map(Bytes::copy_from_slice)),
        })
    }

    /// Whether another body came under the same strong validator.
    fn contradicts(&self, resource: usize, came: &Came) -> bool {
        let Some(etag) = came.said.etag.filter(|etag| !etag.starts_with(b"W/")) else { return false };
        let others = self.by_resource.get(resource).into_iter().flatten();
        others.filter(|other| other.etag.as_deref() == Some(etag)).any(|other| other.coded != came.coded)
    }

    /// Forgets what no reader has any more, once it is too much.
    fn make_room(&mut self, more: usize) -> Result<(), Wrong> {
        let weight = |all: &Vec<Vec<Arc<Stored>>>| all.iter().flatten().map(|stored| stored.weight()).sum::<usize>();
        if weight(&self.by_resource) + more <= KEPT_MAX_BYTES {
            return Ok(());
        }
        for all in &mut self.by_resource {
            all.retain(|stored| Arc::strong_count(stored) > 1);
        }
        if weight(&self.by_resource) + more <= KEPT_MAX_BYTES { Ok(()) } else { Err(Wrong::TooMany) }
    }
}

/// The part of an entity tag of a difusor's that names the content: `"CONTENT"` or `"CONTENT.xCODED"`, with 16 and 6
/// characters of base64url. `None` for a tag of another form.
fn content_in_tag(tag: &[u8]) -> Option<&[u8]> {
    let inner = tag.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let (content, rest) = inner.split_at_checked(TAG_CONTENT_LEN)?;
    let is_base64url = |text: &[u8]| text.iter().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(b));
    // Others write digits of base 16 and a hyphen (nginx's time and size, Apache's size and time): so does one of ours in 10^9.
    let is_another = content.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-'));
    let is_coded = rest.is_empty() || (rest.len() == 8 && rest[0] == b'.' && is_base64url(&rest[1..]));
    (is_coded && is_base64url(content) && !is_another).then_some(content)
}

/// How difusor's entity tags name a content: the beginning of its SHA-256 in base64url.
fn tag_of(digest: &Digest) -> Vec<u8> {
    use base64ct::{Base64UrlUnpadded, Encoding};
    let mut text = Base64UrlUnpadded::encode_string(digest.as_bytes()).into_bytes();
    text.truncate(TAG_CONTENT_LEN);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::digests;
    use crate::snapshot::{CODINGS, Content, DICTIONARY_CODINGS, Difference, Level, Representation, media};

    fn content(text: &str) -> Content {
        let row = |n: u32| format!("{n},{},{},{text}", n * 7919 % 9973, n * 31 % 541);
        let bytes: Vec<u8> = (0..300).flat_map(|n| row(n).into_bytes()).collect();
        Content::new(Bytes::from(bytes.clone()), Digest::of(&bytes), media::of("a.csv"), Level::Fast)
    }

    fn said(rep: &Representation) -> Said<'_> {
        let digest = Some(rep.repr_digest.as_bytes());
        let use_as_dictionary = Some(&b"match=\"/a.csv\""[..]);
        let etag = Some(rep.etag.as_bytes());
        Said { status: 200, etag, content_digest: digest, repr_digest: digest, use_as_dictionary, ..Said::default() }
    }

    fn came<'b>(said: &'b Said<'b>, rep: &'b Representation, dictionary: Option<&'b Stored>) -> Came<'b> {
        Came { said, coding: rep.coding, coded: &rep.body, dictionary, path: "/a.csv" }
    }

    #[test]
    fn what_a_difusor_sends_is_proven_once_and_then_compared() {
        let (old, new, mut bodies) = (content("acta,1\n"), content("acta,2\n"), Bodies::default());
        for rep in CODINGS.into_iter().filter_map(|coding| old.get(coding)) {
            let first = bodies.take(0, &came(&said(rep), rep, None)).unwrap();
            assert!(first.is_proven && first.is_dictionary && first.digest == old.digest);
            assert!(Arc::ptr_eq(&first, &bodies.take(0, &came(&said(rep), rep, None)).unwrap()));
        }
        assert_eq!((bodies.hashed, bodies.compared), (4, 4));
        let had = bodies.by_resource[0][0].clone();
        for coding in DICTIONARY_CODINGS {
            let difference = Difference::new(&new, &old, coding, Level::Fast).unwrap();
            let rep = difference.representation();
            let read = bodies.take(0, &came(&said(rep), rep, Some(&had))).unwrap();
            assert_eq!((read.digest, read.dictionary), (new.digest, Some(old.digest)));
            let unasked = bodies.take(1, &came(&said(rep), rep, None)).unwrap_err();
            assert_eq!(unasked, Wrong::Unasked);
        }
    }

    #[test]
    fn tags_of_others_name_no_content() {
        let digest = Digest::of(b"acta,1\n");
        let ours = String::from_utf8(tag_of(&digest)).unwrap();
        let tag = |text: &str| content_in_tag(text.as_bytes()).map(<[u8]>::to_vec);
        let content = Some(ours.clone().into_bytes());
        assert_eq!((tag(&format!("\"{ours}\"")), tag(&format!("\"{ours}.bAAAAAA\""))), (content.clone(), content));
        for other in
            ["\"65f1c2b0-1a2b3c4\"", "\"a2-5b0f2c8d8e9f0\"", "\"0123456789abcdef\"", "\"x\"", "\"\"", "W/\"x\""]
        {
            assert_eq!(tag(other), None, "{other}");
        }
        assert_eq!((tag(&format!("W/\"{ours}\"")), tag(&format!("\"{ours}x\""))), (None, None));
    }

    #[test]
    fn every_lie_is_found_again_each_time() {
        let (one, other) = (content("acta,1\n"), content("acta,2\n"));
        let (right, wrong) = (one.get(Coding::Br).unwrap(), other.get(Coding::Br).unwrap());
        let named = digests::value(&other.digest);
        let mut bodies = Bodies::default();
        bodies.take(0, &came(&said(right), right, None)).unwrap();
        let no_tag = Said { etag: None, ..said(right) };
        let lies = [
            (Said { repr_digest: Some(named.as_bytes()), ..said(right) }, right, Wrong::Digest),
            (Said { content_digest: Some(b"sha-256=:x:"), ..said(right) }, right, Wrong::Digest),
            (Said { content_digest: None, ..no_tag }, wrong, Wrong::Digest),
            (Said { etag: Some(right.etag.as_bytes()), ..said(wrong) }, wrong, Wrong::Validator),
            (Said { etag: Some(one.identity().etag.as_bytes()), ..said(wrong) }, wrong, Wrong::Content),
            (Said { etag: None, content_digest: None, repr_digest: None, ..no_tag }, one.identity(), Wrong::Coding),
        ];
        for (said, rep, wrong) in lies {
            let mut came = came(&said, rep, None);
            if wrong == Wrong::Coding {
                came.coding = Coding::Gzip;
            }
            for _ in 0..2 {
                assert_eq!(bodies.take(0, &came).unwrap_err(), wrong);
            }
        }
    }

    #[test]
    fn tags_of_others_prove_nothing() {
        for tag in ["\"5f3a-61\"", "W/\"AAAAAAAAAAAAAAAAAAAAAA\"", "\"\"", "\"", "\"AAAAAAAAAAAAAAAAAAAAAA.b\"", ""] {
            assert_eq!(content_in_tag(tag.as_bytes()), None, "{tag}");
        }
        let one = content("acta,1\n");
        for rep in one.representations() {
            assert_eq!(content_in_tag(rep.etag.as_bytes()), Some(&tag_of(&one.digest)[..]));
        }
    }
}
