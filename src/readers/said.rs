//! What the head of a response says, as far as a reader cares; whichever protocol it came by.

use crate::base::digest::Digest;
use crate::base::digests;
use crate::proxy::structured::{self, Value};
use crate::snapshot::Coding;

/// Fields of a head, at most; real ones have some 20.
pub const FIELDS_MAX: usize = 64;

/// The values that count, borrowed from the head. Of a field that comes twice the last one counts, but for digests: there
/// both must hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said<'h> {
    pub status: u16,
    pub etag: Option<&'h [u8]>,
    pub cache_control: Option<&'h [u8]>,
    pub age: Option<&'h [u8]>,
    pub coding: Option<&'h [u8]>,
    pub length: Option<&'h [u8]>,
    pub corte: Option<&'h [u8]>,
    pub content_digest: Option<&'h [u8]>,
    pub repr_digest: Option<&'h [u8]>,
    pub use_as_dictionary: Option<&'h [u8]>,
    pub ends: bool,
    /// Of a length that is told as it comes (RFC 9112, 7.1), which no answer of a package has.
    pub is_chunked: bool,
}

impl<'h> Said<'h> {
    pub fn take(&mut self, name: &[u8], value: &'h [u8]) {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        let place = match name.len() {
            3 if is(b"age") => &mut self.age,
            4 if is(b"etag") => &mut self.etag,
            5 if is(b"corte") => &mut self.corte,
            11 if is(b"repr-digest") => &mut self.repr_digest,
            13 if is(b"cache-control") => &mut self.cache_control,
            14 if is(b"content-length") => &mut self.length,
            14 if is(b"content-digest") => &mut self.content_digest,
            16 if is(b"content-encoding") => &mut self.coding,
            17 if is(b"use-as-dictionary") => &mut self.use_as_dictionary,
            17 if is(b"transfer-encoding") => {
                self.is_chunked = true;
                return;
            }
            10 if is(b"connection") => {
                self.ends |= value.eq_ignore_ascii_case(b"close");
                return;
            }
            _ => return,
        };
        *place = Some(value);
    }

    /// Reads a head over HTTP/1.1 from the beginning of `bytes`: its length, and what it says. `Ok(None)` where more is to
    /// come.
    pub fn read(bytes: &'h [u8]) -> Result<Option<(usize, Said<'h>)>, httparse::Error> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut head = httparse::Response::new(&mut fields);
        let httparse::Status::Complete(len) = head.parse(bytes)? else { return Ok(None) };
        let mut said = Said { status: head.code.unwrap_or(0), ..Said::default() };
        said.ends = head.version == Some(0);
        for field in head.headers.iter() {
            said.take(field.name.as_bytes(), field.value);
        }
        Ok(Some((len, said)))
    }

    /// How many bytes the body has over HTTP/1.1; `None` where that cannot be told.
    pub fn body_len(&self) -> Option<u64> {
        match self.status {
            204 | 304 => Some(0),
            _ if self.is_chunked => None,
            _ => str::from_utf8(self.length?).ok()?.parse().ok(),
        }
    }

    /// `None` for a coding that we do not know, and so have not asked for.
    pub fn coding(&self) -> Option<Coding> {
        let name = self.coding.unwrap_or(b"identity");
        let all = [Coding::Identity, Coding::Gzip, Coding::Br, Coding::Zstd, Coding::Dcb, Coding::Dcz];
        all.into_iter().find(|coding| name.eq_ignore_ascii_case(coding.name().as_bytes()))
    }

    /// The digests that the coded body must have (RFC 9530); whether there is one at all.
    pub fn digests(&self) -> Result<[Option<Digest>; 2], &'static str> {
        Ok([digests::sha256(self.content_digest)?, digests::sha256(self.repr_digest)?])
    }

    /// Whether the body, which came from `path`, is a dictionary for what will come from there (RFC 9842, section 2.1): a pattern
    /// that is this path or its last segment, or begins one of them and ends with a star. What patterns can say besides is left to
    /// browsers.
    pub fn is_dictionary_for(&self, path: &str) -> bool {
        let Some(members) = self.use_as_dictionary.and_then(structured::dictionary) else { return false };
        let pattern = members.into_iter().find_map(|(name, value)| match value {
            Value::Text(text) if name == "match" => Some(text),
            _ => None,
        });
        pattern.is_some_and(|pattern| {
            let within = path.rsplit_once('/').map_or(path, |(_, name)| name);
            let named = if pattern.starts_with('/') { path } else { within };
            match pattern.strip_suffix('*') {
                Some(beginning) => named.starts_with(beginning),
                None => named == pattern,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &[u8] =
        b"HTTP/1.1 200 OK\r\nETag: \"a\"\r\ncontent-length: 12\r\nCONTENT-ENCODING: dcb\r\ncorte: 20260607_2010\r\n\
                          use-as-dictionary: match=\"/datos/*\"\r\nconnection: close\r\n\r\ncuerpo";

    #[test]
    fn a_head_is_read_and_what_follows_is_not() {
        let (len, said) = Said::read(HEAD).unwrap().unwrap();
        assert_eq!(&HEAD[len..], b"cuerpo");
        assert_eq!((said.status, said.body_len(), said.coding()), (200, Some(12), Some(Coding::Dcb)));
        assert_eq!((said.etag, said.corte, said.ends), (Some(&b"\"a\""[..]), Some(&b"20260607_2010"[..]), true));
        assert!(said.is_dictionary_for("/datos/a.json") && !said.is_dictionary_for("/otros/a.json"));
        for short in 0..len {
            assert!(Said::read(&HEAD[..short]).unwrap().is_none(), "{short}");
        }
    }

    #[test]
    fn patterns_are_relative_to_where_they_came_from() {
        for (pattern, path, is) in [
            ("/datos/a.json", "/datos/a.json", true),
            ("a.json", "/datos/a.json", true),
            ("a.json", "/a.json", true),
            ("a.json", "/datos/b.json", false),
            ("datos/a.json", "/datos/a.json", false),
            ("a*", "/datos/a.json", true),
            ("*", "/datos/a.json", true),
            ("/datos*", "/datos/a.json", true),
            ("/*.json", "/a.json", false),
            ("/", "/", true),
            ("", "/", true),
        ] {
            let line = format!("match=\"{pattern}\"");
            let said = Said { use_as_dictionary: Some(line.as_bytes()), ..Said::default() };
            assert_eq!(said.is_dictionary_for(path), is, "{pattern} from {path}");
        }
    }

    #[test]
    fn lengths_that_mean_nothing() {
        let said =
            |status, length: Option<&'static [u8]>, is_chunked| Said { status, length, is_chunked, ..Said::default() };
        assert_eq!(said(304, Some(b"12"), false).body_len(), Some(0));
        for (length, is_chunked) in
            [(None, false), (Some(&b"-1"[..]), false), (Some(b"1 2"), false), (Some(b"1"), true)]
        {
            assert_eq!(said(200, length, is_chunked).body_len(), None);
        }
        let odd = Said { coding: Some(b"compress"), ..Said::default() };
        assert_eq!(odd.coding(), None);
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, tail: Vec<u8>) {
            for bytes in [bytes, [HEAD, &tail].concat()] {
                if let Ok(Some((len, said))) = Said::read(&bytes) {
                    prop_assert!(len <= bytes.len());
                    let _ = (said.body_len(), said.coding(), said.digests(), said.is_dictionary_for("/"));
                }
            }
        }
    }
}
