//! Bodies without their content coding, bounded.

use std::io::Read;

use zstd::zstd_safe;

use crate::snapshot::{self, Coding};

/// Bytes of a body, coded or decoded, at most: the databases of a whole country have some 60 MB.
pub const BODY_MAX_BYTES: usize = 256 << 20;
/// 8 MiB, as a power of two: a decoder of the `zstd` coding need not take a larger window (RFC 9659, section 3).
const ZSTD_WINDOW_LOG: u32 = 23;
/// What begins a brotli stream of a window that RFC 7932, section 9.1, does not know: up to 1 GiB of memory.
const BROTLI_LARGE: u8 = 0x11;
/// Bytes that brotli reads at once.
const BUFFER: usize = 16 << 10;
/// Before the frame in a body in `dcz`: a skippable frame with the dictionary's SHA-256 (RFC 9842, section 5).
const DCZ_HEAD_BYTES: usize = 40;

/// What `coded` decodes to, with the bytes of a dictionary where the coding needs one; `None` where it does not.
pub fn decode(coding: Coding, coded: &[u8], dictionary: Option<&[u8]>) -> Option<Vec<u8>> {
    match coding {
        Coding::Identity => Some(coded.to_vec()),
        Coding::Gzip => whole(flate2::read::MultiGzDecoder::new(coded)),
        Coding::Br if coded.first().is_some_and(|first| first & 0x7f == BROTLI_LARGE) => None,
        Coding::Br => whole(brotli::Decompressor::new(coded, BUFFER)),
        Coding::Zstd => {
            let mut decoder = zstd::Decoder::new(coded).ok()?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).ok()?;
            whole(decoder)
        }
        Coding::Dcb | Coding::Dcz => {
            let dictionary = dictionary?;
            snapshot::decode(coded, coding, dictionary, most(coding, coded, dictionary))
        }
    }
}

fn whole(decoder: impl Read) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    decoder.take(BODY_MAX_BYTES as u64 + 1).read_to_end(&mut out).ok()?;
    (out.len() <= BODY_MAX_BYTES).then_some(out)
}

/// How many bytes a difference may have, decoded: what a frame says of itself; else many times what there was.
fn most(coding: Coding, coded: &[u8], dictionary: &[u8]) -> usize {
    let frame = coded.get(DCZ_HEAD_BYTES..).filter(|_| coding == Coding::Dcz);
    let said = frame.and_then(|frame| zstd_safe::get_frame_content_size(frame).ok().flatten());
    let said = said.and_then(|said| usize::try_from(said).ok());
    said.unwrap_or(4 * dictionary.len() + (1 << 20)).min(BODY_MAX_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::digest::Digest;
    use crate::snapshot::{CODINGS, Content, DICTIONARY_CODINGS, Difference, Level, media};
    use bytes::Bytes;
    use proptest::prelude::*;

    fn content(bytes: &[u8]) -> Content {
        Content::new(Bytes::copy_from_slice(bytes), Digest::of(bytes), media::of("a.csv"), Level::Fast)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]
        #[test]
        fn what_the_server_makes_is_read_back(word in "[a-z]{3,9}", n in 200usize..900, cut in 1usize..50) {
            let (old, new) = (content(word.repeat(n).as_bytes()), content(format!("{}!", word.repeat(n + 3)).as_bytes()));
            for rep in CODINGS.into_iter().filter_map(|coding| new.get(coding)) {
                let read = decode(rep.coding, &rep.body, None);
                prop_assert_eq!(read.as_deref(), Some(&new.identity().body[..]));
                let short = &rep.body[..rep.body.len() - cut.min(rep.body.len())];
                prop_assert_ne!(decode(rep.coding, short, None), read);
            }
            for coding in DICTIONARY_CODINGS {
                let Some(difference) = Difference::new(&new, &old, coding, Level::Fast) else { continue };
                let body = &difference.representation().body;
                let read = decode(coding, body, Some(&old.identity().body));
                prop_assert_eq!(read.as_deref(), Some(&new.identity().body[..]));
                prop_assert_eq!(decode(coding, body, None), None);
                prop_assert_eq!(decode(coding, body, Some(b"otro")), None);
            }
        }

        #[test]
        fn never_panics(bytes: Vec<u8>, dictionary: Vec<u8>) {
            for coding in CODINGS.into_iter().chain(DICTIONARY_CODINGS) {
                let _ = decode(coding, &bytes, Some(&dictionary));
            }
        }
    }
}
