//! A response's body, hashed as it comes and decoded on the way. Of a large one nothing is kept but two digests.

use std::io::{self, Write};

use bytes::Bytes;

use crate::base::digest::{Digest, Hasher};
use crate::corte::limits::FILE_BYTES;
use crate::snapshot::Coding;

/// Bytes of a body, coded or decoded, at most: no file of a package is larger. The signed list gives no sizes.
const BODY_BYTES: u64 = FILE_BYTES;
/// 8 MiB, as a power of two: a decoder of the `zstd` coding need not take a larger window (RFC 9659, section 3).
const ZSTD_WINDOW_LOG: u32 = 23;
/// What begins a brotli stream of a window that RFC 7932, section 9.1, does not know: up to 1 GiB of memory.
const BROTLI_LARGE: u8 = 0x11;
/// Bytes that brotli writes at once.
const BROTLI_BUFFER: usize = 16 << 10;

/// What came.
#[derive(Clone, Debug)]
pub struct Body {
    /// Of the bytes as they came, and how many they are.
    pub coded: Digest,
    pub coded_len: u64,
    /// Of what they decode to, or why they do not.
    pub plain: Result<Digest, Fault>,
    /// What they decode to, as far as it was asked for.
    pub bytes: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("more than {0} bytes")]
    TooLong(u64),
    #[error("cannot be decoded: {0}")]
    Coding(String),
    #[error("a content coding that was not asked for")]
    Unknown,
}

/// Takes a body in, in pieces.
pub struct Sink {
    coded: Hasher,
    coded_len: u64,
    decoder: Result<Decoder, Fault>,
}

/// The end of every decoder: hashes, counts and keeps.
struct Plain {
    hasher: Hasher,
    len: u64,
    kept: Vec<u8>,
    keep: u64,
    most: u64,
}

enum Decoder {
    Identity(Plain),
    Gzip(Box<flate2::write::MultiGzDecoder<Plain>>),
    /// Whether anything has come.
    Br(Box<brotli::DecompressorWriter<Plain>>, bool),
    Zstd(Box<zstd::stream::write::Decoder<'static, Plain>>),
}

impl Write for Plain {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.len = self.len.saturating_add(bytes.len() as u64);
        if self.len > self.most {
            return Err(io::Error::other(Fault::TooLong(self.most)));
        }
        self.hasher.update(bytes);
        let room = usize::try_from(self.keep).unwrap_or(usize::MAX).saturating_sub(self.kept.len());
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink {
    /// For a body in this coding; `None` for one that we do not know. Where `keep` is given, it is kept, and may decode
    /// to no more than that.
    pub fn new(coding: Option<Coding>, keep: Option<u64>) -> Sink {
        let most = keep.unwrap_or(BODY_BYTES);
        let plain = Plain { hasher: Hasher::default(), len: 0, kept: Vec::new(), keep: keep.unwrap_or(0), most };
        let decoder = match coding {
            None | Some(Coding::Dcb | Coding::Dcz) => Err(Fault::Unknown),
            Some(Coding::Identity) => Ok(Decoder::Identity(plain)),
            Some(Coding::Gzip) => Ok(Decoder::Gzip(Box::new(flate2::write::MultiGzDecoder::new(plain)))),
            Some(Coding::Br) => Ok(Decoder::Br(Box::new(brotli::DecompressorWriter::new(plain, BROTLI_BUFFER)), false)),
            Some(Coding::Zstd) => zstd(plain).map(|decoder| Decoder::Zstd(Box::new(decoder))),
        };
        Sink { coded: Hasher::default(), coded_len: 0, decoder }
    }

    /// Takes a piece in; an error where there are too many. What cannot be decoded is told at the end.
    pub fn take(&mut self, piece: &[u8]) -> Result<(), Fault> {
        self.coded_len = self.coded_len.saturating_add(piece.len() as u64);
        if self.coded_len > BODY_BYTES {
            return Err(Fault::TooLong(BODY_BYTES));
        }
        self.coded.update(piece);
        if let Ok(decoder) = &mut self.decoder {
            match decoder.write(piece).map_err(fault) {
                Err(too_long @ Fault::TooLong(_)) => return Err(too_long),
                Err(why) => self.decoder = Err(why),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// The body, when nothing more comes.
    pub fn finish(self) -> Body {
        let plain = self.decoder.and_then(|decoder| decoder.finish().map_err(fault));
        let (plain, bytes) = match plain {
            Ok(plain) => (Ok(plain.hasher.finish()), plain.kept.into()),
            Err(why) => (Err(why), Bytes::new()),
        };
        Body { coded: self.coded.finish(), coded_len: self.coded_len, plain, bytes }
    }
}

fn zstd(plain: Plain) -> Result<zstd::stream::write::Decoder<'static, Plain>, Fault> {
    let mut decoder = zstd::stream::write::Decoder::new(plain).map_err(fault)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(fault)?;
    Ok(decoder)
}

/// What a decoder says; it hands on what the end of it said.
fn fault(error: io::Error) -> Fault {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Fault>()) {
        Some(fault) => fault.clone(),
        None => Fault::Coding(error.to_string()),
    }
}

impl Decoder {
    fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            Decoder::Identity(plain) => plain.write_all(piece),
            Decoder::Gzip(decoder) => decoder.write_all(piece),
            Decoder::Br(decoder, has_begun) => {
                if !*has_begun && piece.first().is_some_and(|first| first & 0x7f == BROTLI_LARGE) {
                    return Err(io::Error::other("its window is larger than RFC 7932 has them"));
                }
                *has_begun |= !piece.is_empty();
                decoder.write_all(piece)
            }
            Decoder::Zstd(decoder) => decoder.write_all(piece),
        }
    }

    fn finish(self) -> io::Result<Plain> {
        let cut = || io::Error::other("it ends too early");
        match self {
            Decoder::Identity(plain) => Ok(plain),
            Decoder::Gzip(decoder) => decoder.finish(),
            Decoder::Br(mut decoder, _) => {
                decoder.close()?;
                decoder.into_inner().map_err(|_| cut())
            }
            Decoder::Zstd(decoder) => decoder.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{CODINGS, Content, Level, media};
    use proptest::prelude::*;

    fn through(coding: Coding, bytes: &[u8], piece: usize, keep: Option<u64>) -> Result<Body, Fault> {
        let mut sink = Sink::new(Some(coding), keep);
        bytes.chunks(piece).try_for_each(|piece| sink.take(piece))?;
        Ok(sink.finish())
    }

    fn content(bytes: &[u8]) -> Content {
        Content::new(Bytes::copy_from_slice(bytes), Digest::of(bytes), media::of("a.csv"), Level::Fast)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn every_coding_gives_the_content_and_a_cut_one_does_not(word in "[a-z]{1,9}", n in 60usize..2000, piece in 1usize..900) {
            let bytes = word.repeat(n);
            let content = content(bytes.as_bytes());
            for coding in CODINGS {
                let Some(rep) = content.get(coding) else { continue };
                let body = through(coding, &rep.body, piece, None).unwrap();
                prop_assert_eq!((body.plain, body.coded), (Ok(content.digest), Digest::of(&rep.body)), "{:?}", coding);
                prop_assert!(body.bytes.is_empty());
                let kept = through(coding, &rep.body, piece, Some(20_000)).unwrap();
                prop_assert_eq!(&kept.bytes[..], bytes.as_bytes());
                let cut = through(coding, &rep.body[..rep.body.len() - 1], piece, None).unwrap();
                prop_assert_ne!(cut.plain, Ok(content.digest), "{:?}", coding);
            }
        }

        #[test]
        fn never_panics(bytes: Vec<u8>, piece in 1usize..50) {
            for coding in CODINGS {
                let _ = through(coding, &bytes, piece, Some(1 << 16));
            }
        }
    }

    #[test]
    fn a_bomb_is_put_out() {
        let zeros = vec![0; 4 << 20];
        let content = content(&zeros);
        for coding in CODINGS {
            let rep = content.get(coding).unwrap();
            let found = through(coding, &rep.body, 4096, Some(1 << 20)).unwrap_err();
            assert_eq!(found, Fault::TooLong(1 << 20), "{coding:?}");
        }
        let large = through(Coding::Br, &[BROTLI_LARGE, 0x1e, 0, 0], 4, None).unwrap();
        assert!(matches!(large.plain, Err(Fault::Coding(_))));
    }
}
