//! Bodies without their content coding, bounded.

use std::io::Read;

use zstd::zstd_safe;

use crate::base::digest::Digest;
use crate::snapshot::Coding;

/// Bytes of a body, coded or decoded, at most: the databases of a whole country have some 60 MB.
pub const BODY_MAX_BYTES: usize = 256 << 20;
/// 8 MiB, as a power of two: a decoder of the `zstd` coding need not take a larger window (RFC 9659, section 3).
const ZSTD_WINDOW_LOG: u32 = 23;
/// What begins a brotli stream of a window that RFC 7932, section 9.1, does not know: up to 1 GiB of memory.
const BROTLI_LARGE: u8 = 0x11;
/// Bytes that brotli reads at once.
const BUFFER: usize = 16 << 10;
/// What a body in `dcb` begins with, and one in `dcz`, each before the dictionary's SHA-256 (RFC 9842, sections 4 and 5). Written down
/// here once more: what looks at the server shares nothing with it but the format.
const DCB_MAGIC: [u8; 4] = [0xff, 0x44, 0x43, 0x42];
const DCZ_MAGIC: [u8; 8] = [0x5e, 0x2a, 0x4d, 0x18, 0x20, 0x00, 0x00, 0x00];
/// What every client of `dcz` takes as a window, or a quarter more than the dictionary has, to 128 MiB at most (section 5).
const DCZ_WINDOW_BYTES: u64 = 8 << 20;
const DCZ_WINDOW_MAX_BYTES: u64 = 128 << 20;
/// A Zstandard frame's (RFC 8878, 3.1.1).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

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
        Coding::Dcb => dcb(coded, dictionary?),
        Coding::Dcz => dcz(coded, dictionary?),
    }
}

fn whole(decoder: impl Read) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    decoder.take(BODY_MAX_BYTES as u64 + 1).read_to_end(&mut out).ok()?;
    (out.len() <= BODY_MAX_BYTES).then_some(out)
}

/// A body in `dcb`: brotli behind its head, with the window that RFC 7932 knows, 16 MiB at most.
fn dcb(coded: &[u8], dictionary: &[u8]) -> Option<Vec<u8>> {
    let stream = stream(coded, &DCB_MAGIC, dictionary)?;
    if stream.first().is_some_and(|first| first & 0x7f == BROTLI_LARGE) {
        return None;
    }
    whole(brotli::Decompressor::new_with_custom_dict(stream, BUFFER, dictionary.to_vec().into()))
}

/// A body in `dcz`: a Zstandard frame behind its head, whose window is no larger than every browser takes.
fn dcz(coded: &[u8], dictionary: &[u8]) -> Option<Vec<u8>> {
    let frame = stream(coded, &DCZ_MAGIC, dictionary)?;
    let most = (dictionary.len() as u64 * 5 / 4).clamp(DCZ_WINDOW_BYTES, DCZ_WINDOW_MAX_BYTES);
    if window(frame)? > most {
        return None;
    }
    let mut decoder = zstd::Decoder::with_ref_prefix(frame, dictionary).ok()?.single_frame();
    decoder.window_log_max(DCZ_WINDOW_MAX_BYTES.ilog2()).ok()?;
    let mut out = Vec::new();
    (&mut decoder).take(BODY_MAX_BYTES as u64 + 1).read_to_end(&mut out).ok()?;
    // Nothing follows the frame.
    let rest = decoder.finish();
    (out.len() <= BODY_MAX_BYTES && rest.is_empty()).then_some(out)
}

/// What follows the head of a difference: `magic`, and the dictionary's SHA-256.
fn stream<'c>(coded: &'c [u8], magic: &[u8], dictionary: &[u8]) -> Option<&'c [u8]> {
    coded.strip_prefix(magic)?.strip_prefix(&Digest::of(dictionary).as_bytes()[..])
}

/// Bytes of window that a Zstandard frame asks for (RFC 8878, 3.1.1.1.2): said by itself, or the whole content.
fn window(frame: &[u8]) -> Option<u64> {
    let rest = frame.strip_prefix(&ZSTD_MAGIC)?;
    let is_single_segment = rest.first()? & 0x20 != 0;
    if is_single_segment {
        return zstd_safe::get_frame_content_size(frame).ok().flatten();
    }
    let descriptor = rest.get(1)?;
    let base = 1u64 << (10 + (descriptor >> 3));
    Some(base + base / 8 * u64::from(descriptor & 7))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{CODINGS, Content, DICTIONARY_CODINGS, Difference, Level, media};
    use brotli::enc::{BrotliEncoderParams, StandardAlloc};
    use bytes::Bytes;
    use proptest::prelude::*;
    use zstd::zstd_safe::{CCtx, CParameter};

    fn content(bytes: &[u8]) -> Content {
        Content::new(Bytes::copy_from_slice(bytes), Digest::of(bytes), media::of("a.csv"), Level::Fast)
    }

    /// `text` in `dcz`, in a frame that asks for this window.
    fn in_dcz(text: &[u8], dictionary: &[u8], log: u8) -> Vec<u8> {
        let mut encoder = CCtx::create();
        encoder.set_parameter(CParameter::ContentSizeFlag(false)).unwrap();
        encoder.ref_prefix(dictionary).unwrap();
        let mut frame = Vec::with_capacity(zstd_safe::compress_bound(text.len()));
        encoder.compress2(&mut frame, text).unwrap();
        // Encoders take no more than a short text needs; more may be asked for all the same.
        assert_eq!(frame[4] & 0x20, 0, "not a single segment: the next byte is the window's");
        frame[5] = (log - 10) << 3;
        [&DCZ_MAGIC[..], Digest::of(dictionary).as_bytes(), &frame].concat()
    }

    fn in_brotli(text: &[u8], dictionary: &[u8], params: &BrotliEncoderParams) -> Vec<u8> {
        let mut out = Vec::new();
        brotli::enc::BrotliCompressCustomIoCustomDict(
            &mut brotli::IoReaderWrapper(&mut &text[..]),
            &mut brotli::IoWriterWrapper(&mut out),
            &mut [0; BUFFER],
            &mut [0; BUFFER],
            params,
            StandardAlloc::default(),
            &mut |_, _, _, _| (),
            dictionary,
            std::io::ErrorKind::UnexpectedEof.into(),
        )
        .unwrap();
        out
    }

    #[test]
    fn a_window_that_browsers_refuse_is_no_body() {
        let text = "acta,votos\n".repeat(100).into_bytes();
        // A quarter more than these is 16 MiB and some.
        let (small, large) = (vec![b'a'; 1000], vec![b'a'; (13 << 20) + (1 << 19)]);
        for (dictionary, log, is_read) in
            [(&small, 11, true), (&small, 23, true), (&small, 24, false), (&large, 24, true), (&large, 25, false)]
        {
            let body = in_dcz(&text, dictionary, log);
            let read = decode(Coding::Dcz, &body, Some(dictionary));
            assert_eq!(
                read,
                is_read.then(|| text.clone()),
                "a window of 2^{log}, a dictionary of {}",
                dictionary.len()
            );
            assert_eq!(decode(Coding::Dcz, &[&body[..], b"x"].concat(), Some(dictionary)), None, "more behind it");
        }
        for (is_large, lgwin) in [(false, 16), (false, 24), (true, 16), (true, 25)] {
            let params = BrotliEncoderParams { lgwin, large_window: is_large, quality: 5, ..Default::default() };
            let stream = in_brotli(&text, &small, &params);
            let body = [&DCB_MAGIC[..], Digest::of(&small).as_bytes(), &stream].concat();
            let read = decode(Coding::Dcb, &body, Some(&small));
            assert_eq!(read, (!is_large).then(|| text.clone()), "large: {is_large}, {lgwin}");
        }
    }

    #[test]
    fn windows_are_read_as_they_are_written() {
        let frame = |header: &[u8]| window(&[&ZSTD_MAGIC[..], header].concat());
        assert_eq!(frame(&[0x00, 0x00]), Some(1 << 10));
        assert_eq!(frame(&[0x00, 13 << 3 | 1]), Some((8 << 20) + (1 << 20)));
        assert_eq!(frame(&[0x00, 0xff]), Some((1 << 41) / 8 * 15), "nearly 4 TB");
        assert_eq!(frame(&[0x20, 200]), Some(200), "a single segment is its own window");
        assert_eq!((frame(&[0x00]), frame(&[]), window(b"abcdefgh")), (None, None, None));
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
