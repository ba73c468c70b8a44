//! A content as a difference from an earlier one: `dcb` and `dcz` of RFC 9842, made ahead of time.
//!
//! A difference carries the digest of the bytes it was made of, in its body as in its fields, and is found by that alone:
//! a client with another dictionary is never given it.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use zstd::zstd_safe::{CCtx, CParameter, DCtx};

use super::build::{Key, key};
use super::compress::Level;
use super::content::{Coding, Content, DICTIONARY_CODINGS, Representation};
use super::encode::{self, ALWAYS, Still};
use crate::base::digest::Digest;
use crate::store::Coded;

/// What a body in `dcb` begins with, before the dictionary's SHA-256 (RFC 9842, section 4).
const DCB_MAGIC: [u8; 4] = [0xff, 0x44, 0x43, 0x42];
/// The same for `dcz`: a skippable frame (section 5).
const DCZ_MAGIC: [u8; 8] = [0x5e, 0x2a, 0x4d, 0x18, 0x20, 0x00, 0x00, 0x00];
/// Shorter contents are less than the fields around them.
pub const LEAST_BYTES: usize = 256;
/// A difference is kept only where it saves this part of the shortest other body, and this many bytes.
const LEAST_GAIN: usize = 8;
const LEAST_SAVING_BYTES: usize = 64;
/// Brotli's largest window, as a power of two (section 4). Both contents have to lie in it, and 16 bytes: only there do
/// encoders that put the dictionary before the text, and decoders that put it behind the window, mean the same distance.
const DCB_WINDOW_LOG: u32 = 24;
const DCB_WINDOW_GAP: usize = 16;
/// Bytes that every decoder of `dcz` takes as a window, and as many more as the dictionary has, by a quarter; to 128 MiB
/// at most (section 5).
const DCZ_WINDOW_BYTES: usize = 8 << 20;
const DCZ_WINDOW_MAX_BYTES: usize = 128 << 20;
/// Above it the best encoders take memory by the gigabyte, and minutes: the fast one has to do.
const BEST_MAX_BYTES: usize = 32 << 20;
/// Of contents that zstd has a table of its own for, its last level says the difference in 7 % fewer bytes than 19, in 40 ms;
/// of longer ones in no fewer. Level 9 takes 5 ms for 700 KB, and a seventh less room than 3, which takes one.
const ZSTD_BEST_SMALL: i32 = 22;
const ZSTD_BEST: i32 = 19;
const ZSTD_SMALL_BYTES: usize = 256 << 10;
const ZSTD_FAST: i32 = 9;
/// Bytes that brotli gives one set of codes, as a power of two: more than its own choice, 0.3 % fewer bytes.
pub(super) const BROTLI_BLOCK_BITS: u32 = 20;

/// What a difference takes in memory beside its body and its fields: they are held twice, as a map has them and as text, and found
/// by its pair.
const AROUND_BYTES: usize = 512;

/// One content, told as what is different from another one.
#[derive(Debug)]
pub struct Difference {
    pair: Pair,
    level: Level,
    representation: Representation,
}

impl Difference {
    /// `content` in `coding` with `dictionary`; `None` where that does not pay, or cannot be read back.
    pub fn new(content: &Content, dictionary: &Content, coding: Coding, level: Level) -> Option<Difference> {
        Difference::new_while(content, dictionary, coding, level, ALWAYS)
    }

    /// The same, or `None` where it was given up.
    pub fn new_while(
        content: &Content,
        dictionary: &Content,
        coding: Coding,
        level: Level,
        still: Still,
    ) -> Option<Difference> {
        let (bytes, prefix) = (&content.identity().body, &dictionary.identity().body);
        let len = bytes.len().checked_add(prefix.len())?;
        if bytes.len() < LEAST_BYTES || prefix.is_empty() || (level == Level::Best && len > BEST_MAX_BYTES) {
            return None;
        }
        let body = match coding {
            Coding::Dcb => [&DCB_MAGIC[..], dictionary.digest.as_bytes(), &brotli(bytes, prefix, still)?].concat(),
            Coding::Dcz => [&DCZ_MAGIC[..], dictionary.digest.as_bytes(), &zstd(bytes, prefix, level, still)?].concat(),
            _ => return None,
        };
        let shortest = content.shortest();
        let is_shorter = body.len() + LEAST_SAVING_BYTES.max(shortest / LEAST_GAIN) <= shortest;
        // The encoders are other people's, and a reader cannot ask again: what is kept has been read back.
        if !is_shorter || decode(&body, coding, prefix, bytes.len()).as_deref() != Some(&bytes[..]) {
            return None;
        }
        let representation = Representation::new(coding, Coded::of(Bytes::from(body)), &content.about());
        Some(Difference { pair: pair(content, &dictionary.digest), level, representation })
    }

    /// SHA-256 of the bytes that a client must have.
    pub fn dictionary(&self) -> &Digest {
        &self.pair.1
    }

    /// Bytes of memory: body, fields, and what is around them.
    pub fn weight(&self) -> usize {
        self.representation.body.len() + self.representation.head.len() + AROUND_BYTES
    }

    pub fn representation(&self) -> &Representation {
        &self.representation
    }
}

/// The smallest window that holds both; `None` where none does.
fn brotli(bytes: &[u8], prefix: &[u8], still: Still) -> Option<Vec<u8>> {
    let all = bytes.len() + prefix.len() + DCB_WINDOW_GAP;
    let window = all.next_power_of_two().trailing_zeros().max(16);
    if window > DCB_WINDOW_LOG {
        return None;
    }
    let params = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: window as i32,
        lgblock: BROTLI_BLOCK_BITS.min(window) as i32,
        size_hint: bytes.len(),
        ..Default::default()
    };
    encode::brotli(bytes, prefix, params, still)
}

/// What a decoder reads at once.
const BUFFER: usize = 16 << 10;

fn zstd(bytes: &[u8], prefix: &[u8], level: Level, still: Still) -> Option<Vec<u8>> {
    let number = match level {
        Level::Plain | Level::Fast => ZSTD_FAST,
        Level::Best if bytes.len() <= ZSTD_SMALL_BYTES => ZSTD_BEST_SMALL,
        Level::Best => ZSTD_BEST,
    };
    let allowed = (prefix.len() + prefix.len() / 4).clamp(DCZ_WINDOW_BYTES, DCZ_WINDOW_MAX_BYTES);
    // As long as the text is no longer than its window, all of the dictionary stays in reach.
    let window = bytes.len().next_power_of_two().min(allowed).ilog2().max(10);
    let mut encoder = CCtx::try_create()?;
    encoder.set_parameter(CParameter::CompressionLevel(number)).ok()?;
    encoder.set_parameter(CParameter::WindowLog(window)).ok()?;
    encoder.set_parameter(CParameter::ChecksumFlag(false)).ok()?;
    encoder.ref_prefix(prefix).ok()?;
    encode::zstd(bytes, &mut encoder, level, still)
}

/// A body decoded with `prefix` as its dictionary: `len` bytes, or `None`.
pub fn decode(body: &[u8], coding: Coding, prefix: &[u8], len: usize) -> Option<Vec<u8>> {
    let digest = Digest::of(prefix);
    let coded = match coding {
        Coding::Dcb => body.strip_prefix(&DCB_MAGIC)?,
        Coding::Dcz => body.strip_prefix(&DCZ_MAGIC)?,
        _ => return None,
    };
    let coded = coded.strip_prefix(&digest.as_bytes()[..])?;
    let mut out = Vec::with_capacity(len);
    if coding == Coding::Dcz {
        let mut decoder = DCtx::try_create()?;
        decoder.ref_prefix(prefix).ok()?;
        decoder.decompress(&mut out, coded).ok()?;
    } else {
        let decoder = brotli::Decompressor::new_with_custom_dict(coded, BUFFER, prefix.to_vec().into());
        decoder.take(len as u64 + 1).read_to_end(&mut out).ok()?;
    }
    Some(out)
}

/// A content, which is another one under another media type, for its fields say so; and a dictionary for it.
pub(super) type Pair = (Key, Digest);

pub(super) fn pair(content: &Content, dictionary: &Digest) -> Pair {
    (key(content), *dictionary)
}

/// Differences that were made, the better one of each kind.
#[derive(Clone, Debug, Default)]
pub struct Differences(HashMap<Pair, [Option<Arc<Difference>>; DICTIONARY_CODINGS.len()]>);

impl Differences {
    pub fn add(&mut self, difference: Arc<Difference>) {
        let place = usize::from(difference.representation.coding == Coding::Dcz);
        let there = &mut self.0.entry(difference.pair).or_default()[place];
        if there.as_ref().is_none_or(|there| there.level <= difference.level) {
            *there = Some(difference);
        }
    }

    /// Those of this content with this dictionary.
    pub fn get(&self, of: &Content, dictionary: &Digest) -> impl Iterator<Item = &Arc<Difference>> {
        self.0.get(&pair(of, dictionary)).into_iter().flatten().flatten()
    }

    /// Whether there is one that was worked on as hard.
    pub fn has(&self, of: &Content, dictionary: &Digest, coding: Coding, level: Level) -> bool {
        let mut all = self.get(of, dictionary);
        all.any(|difference| difference.representation.coding == coding && difference.level >= level)
    }

    pub fn len(&self) -> usize {
        self.0.values().flatten().flatten().count()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of memory.
    pub fn weight(&self) -> usize {
        self.0.values().flatten().flatten().map(|difference| difference.weight()).sum()
    }
}

impl FromIterator<Arc<Difference>> for Differences {
    fn from_iter<I: IntoIterator<Item = Arc<Difference>>>(all: I) -> Differences {
        let mut differences = Differences::default();
        all.into_iter().for_each(|difference| differences.add(difference));
        differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::media;
    use proptest::prelude::*;

    fn content(bytes: &[u8]) -> Content {
        Content::new(Bytes::copy_from_slice(bytes), Digest::of(bytes), media::of("a.csv"), Level::Fast)
    }

    /// Rows of which some differ from one corte to the next.
    fn rows(n: usize, counted: usize) -> Vec<u8> {
        let row = |i: usize| match i % 97 < counted {
            true => format!("{i}|B|{}|{}|{}\n", i * 7919 % 499, i * 104_729 % 733, i * 1_299_709 % 9973),
            false => format!("{i}|B|-|-|-\n"),
        };
        (0..n).map(row).collect::<String>().into_bytes()
    }

    const ALL: [(Coding, Level); 3] =
        [(Coding::Dcz, Level::Fast), (Coding::Dcz, Level::Best), (Coding::Dcb, Level::Best)];

    #[test]
    fn a_corte_is_little_more_than_the_one_before() {
        let (before, after) = (content(&rows(4000, 40)), content(&rows(4000, 42)));
        for (coding, level) in ALL {
            let difference = Difference::new(&after, &before, coding, level).unwrap();
            let body = &difference.representation().body;
            assert!(body.len() * 4 < after.shortest(), "{coding:?} {level:?}: {} of {}", body.len(), after.shortest());
            let magic: &[u8] = if coding == Coding::Dcb { &DCB_MAGIC } else { &DCZ_MAGIC };
            assert_eq!(body.strip_prefix(magic).unwrap()[..32], before.digest.as_bytes()[..], "the header of RFC 9842");
            assert_eq!(decode(body, coding, &rows(4000, 41), after.identity().body.len()), None, "another dictionary");
            assert!(difference.representation().etag.to_str().unwrap().contains(coding.letter().unwrap()));
        }
    }

    #[test]
    fn what_does_not_pay_is_not_kept() {
        let random: Vec<u8> = (0..20_000u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect();
        for (coding, level) in ALL {
            for (after, before) in [(&b"short"[..], &b"shorter"[..]), (&random, b"nothing of it"), (&random, b"")] {
                assert!(Difference::new(&content(after), &content(before), coding, level).is_none());
            }
        }
        assert!(Difference::new(&content(&rows(900, 9)), &content(&rows(900, 8)), Coding::Br, Level::Best).is_none());
    }

    #[test]
    fn a_window_that_no_decoder_must_take_is_not_asked_for() {
        // Of RFC 8878, 3.1.1.1: descriptor, then the window where the frame is not a single segment.
        let text = rows(40_000, 50);
        let coded = zstd(&text, b"small", Level::Fast, ALWAYS).unwrap();
        let single = coded[4] & 0x20 != 0;
        assert!(single || coded[5] >> 3 <= 13, "8 MiB at most");
        assert_eq!(brotli(&text, &vec![0; 16 << 20], ALWAYS), None);
    }

    #[test]
    fn of_two_the_better_one_is_kept() {
        let (before, after) = (content(&rows(900, 40)), content(&rows(900, 42)));
        let make = |(coding, level)| Arc::new(Difference::new(&after, &before, coding, level).unwrap());
        let mut all: Differences = ALL.into_iter().map(make).collect();
        all.add(make(ALL[0]));
        assert_eq!(all.len(), 2);
        assert!(all.has(&after, &before.digest, Coding::Dcz, Level::Best));
        assert!(!all.has(&before, &after.digest, Coding::Dcz, Level::Fast));
        assert_eq!(all.weight(), all.get(&after, &before.digest).map(|d| d.weight()).sum::<usize>());
    }

    #[test]
    fn the_same_bytes_under_another_type_have_a_difference_of_their_own() {
        let (before, after) = (content(&rows(900, 40)), content(&rows(900, 42)));
        let text = Content::new(after.identity().body.clone(), after.digest, media::of("a.txt"), Level::Fast);
        let all: Differences =
            [Arc::new(Difference::new(&after, &before, Coding::Dcz, Level::Fast).unwrap())].into_iter().collect();
        assert!(all.has(&after, &before.digest, Coding::Dcz, Level::Fast));
        assert!(!all.has(&text, &before.digest, Coding::Dcz, Level::Fast), "its head says text/csv");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Decoded by the crates' streaming decoders, which share nothing with what made it but the format.
        #[test]
        fn whatever_it_is_it_comes_back(old in prop::collection::vec(any::<u8>(), 1..3000), cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<[u8; 3]>()), 0..20), more in "[a-z]{0,400}") {
            let mut new = old.clone();
            for (at, bytes) in cuts {
                let at = at.index(new.len());
                new.splice(at..at, bytes);
            }
            new.extend(more.bytes());
            let (before, after) = (content(&old), content(&new));
            for (coding, level) in ALL {
                let Some(difference) = Difference::new(&after, &before, coding, level) else { continue };
                let body = &difference.representation().body;
                let mut out = Vec::new();
                if coding == Coding::Dcz {
                    zstd::stream::read::Decoder::with_ref_prefix(&body[40..], &old[..]).unwrap().read_to_end(&mut out).unwrap();
                } else {
                    brotli::Decompressor::new_with_custom_dict(&body[36..], 64, old.clone().into()).read_to_end(&mut out).unwrap();
                }
                prop_assert_eq!(&out, &new);
                prop_assert_eq!(difference.dictionary(), &Digest::of(&old));
            }
        }
    }
}
