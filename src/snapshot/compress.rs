//! Content codings made ahead of time: fast ones to go live with, the best ones soon after.

use bytes::Bytes;
use zstd::zstd_safe::{CCtx, CParameter};

use super::content::Coding;
use super::difference::BROTLI_BLOCK_BITS;
use super::encode::{self, ALWAYS, Still};

/// How hard a coding was worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Not yet: read back from the vault without its codings, to be live at once.
    Plain,
    /// Good enough to go live with: gzip 6, br 5, zstd 3.
    Fast,
    /// As small as pays: gzip by libdeflate 12 (zopfli gains under 3 % for 5 to 50 times the time), of long files 10 and then as it is;
    /// br 11, zstd 19.
    Best,
}

/// A coding is kept only if it saves at least this many bytes: the `Content-Encoding` and `Vary` fields that it
/// brings along cost about as much.
pub const MIN_SAVING_BYTES: usize = 48;

/// libdeflate cannot be given up in the middle. Of a megabyte of CSV level 12 takes 0.2 s of a processor, 10 half of that, for 0.2 %
/// more bytes, and 6 a tenth: so a second or two, and three. What is longer keeps what it went live with.
const GZIP_BEST_MAX_BYTES: usize = 4 << 20;
const GZIP_BETTER_MAX_BYTES: usize = 32 << 20;

/// Brotli's largest window that every decoder of RFC 7932 takes, as a power of two.
const BROTLI_WINDOW_BITS: u32 = 22;

/// Whether the best gzip is the fast one too: nobody need make it again.
pub(super) fn is_gzip_final(len: usize) -> bool {
    len > GZIP_BETTER_MAX_BYTES
}

/// `bytes` in `coding`, or `None` where that does not pay (or the encoder gives up: then identity serves).
pub fn compress(bytes: &[u8], coding: Coding, level: Level) -> Option<Bytes> {
    compress_while(bytes, coding, level, ALWAYS)
}

/// The same, or `None` where it was given up.
pub(super) fn compress_while(bytes: &[u8], coding: Coding, level: Level, still: Still) -> Option<Bytes> {
    if !still() {
        return None;
    }
    let coded = match coding {
        // With a dictionary: see `difference`.
        Coding::Identity | Coding::Dcb | Coding::Dcz => return None,
        Coding::Gzip => gzip(bytes, level)?,
        Coding::Br => brotli(bytes, level, still)?,
        Coding::Zstd => zstd(bytes, level, still)?,
    };
    (coded.len() + MIN_SAVING_BYTES <= bytes.len()).then(|| {
        let mut coded = coded;
        coded.shrink_to_fit();
        Bytes::from(coded)
    })
}

fn gzip(bytes: &[u8], level: Level) -> Option<Vec<u8>> {
    let level = match level {
        Level::Best if bytes.len() <= GZIP_BEST_MAX_BYTES => 12,
        Level::Best if bytes.len() <= GZIP_BETTER_MAX_BYTES => 10,
        Level::Best | Level::Plain | Level::Fast => 6,
    };
    let level = libdeflater::CompressionLvl::new(level);
    let mut encoder = libdeflater::Compressor::new(level.ok()?);
    let mut out = vec![0; encoder.gzip_compress_bound(bytes.len())];
    let written = encoder.gzip_compress(bytes, &mut out).ok()?;
    out.truncate(written);
    Some(out)
}

fn brotli(bytes: &[u8], level: Level, still: Still) -> Option<Vec<u8>> {
    let params = brotli::enc::BrotliEncoderParams {
        quality: if level == Level::Best { 11 } else { 5 },
        lgwin: BROTLI_WINDOW_BITS as i32,
        lgblock: if level == Level::Best { BROTLI_BLOCK_BITS as i32 } else { 0 },
        size_hint: bytes.len(),
        ..Default::default()
    };
    encode::brotli(bytes, &[], params, still)
}

fn zstd(bytes: &[u8], level: Level, still: Still) -> Option<Vec<u8>> {
    let mut encoder = CCtx::try_create()?;
    encoder.set_parameter(CParameter::CompressionLevel(if level == Level::Best { 19 } else { 3 })).ok()?;
    // RFC 9659: a decoder of the `zstd` coding need not take a window above 8 MiB.
    encoder.set_parameter(CParameter::WindowLog(ZSTD_WINDOW_LOG.min(window_log(bytes.len())))).ok()?;
    encode::zstd(bytes, &mut encoder, level, still)
}

/// 8 MiB, as a power of two (RFC 9659, section 3).
const ZSTD_WINDOW_LOG: u32 = 23;

/// The smallest window that holds `len` bytes whole; zstd takes none below 2^10.
fn window_log(len: usize) -> u32 {
    len.next_power_of_two().trailing_zeros().max(10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Read;

    fn decode(coding: Coding, coded: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match coding {
            Coding::Identity | Coding::Dcb | Coding::Dcz => out.extend_from_slice(coded),
            Coding::Gzip => drop(flate2::read::GzDecoder::new(coded).read_to_end(&mut out).unwrap()),
            Coding::Br => drop(brotli::Decompressor::new(coded, 4096).read_to_end(&mut out).unwrap()),
            Coding::Zstd => drop(zstd::Decoder::new(coded).unwrap().read_to_end(&mut out).unwrap()),
        }
        out
    }

    const CODED: [Coding; 3] = [Coding::Gzip, Coding::Br, Coding::Zstd];

    #[test]
    fn what_does_not_get_smaller_is_not_kept() {
        for coding in CODED {
            assert_eq!(compress(b"", coding, Level::Best), None);
            assert_eq!(compress(b"{\"a\":1}", coding, Level::Best), None);
        }
    }

    #[test]
    fn what_is_given_up_is_not_kept() {
        let text = "acta,votos\n".repeat(500);
        for coding in CODED {
            assert_eq!(compress_while(text.as_bytes(), coding, Level::Best, &|| false), None);
            assert!(compress(text.as_bytes(), coding, Level::Best).is_some());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn decoders_of_others_give_the_bytes_back(word in "[a-z]{1,12}", n in 60usize..4000, tail in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let mut bytes = word.repeat(n).into_bytes();
            bytes.extend(tail);
            for coding in CODED {
                for level in [Level::Fast, Level::Best] {
                    if let Some(coded) = compress(&bytes, coding, level) {
                        prop_assert!(coded.len() + MIN_SAVING_BYTES <= bytes.len());
                        prop_assert_eq!(&decode(coding, &coded), &bytes);
                    }
                }
            }
        }
    }
}
