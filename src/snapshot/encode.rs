//! Encoders that can be given up in the middle of a file: they take it in pieces, and ask before each whether anybody still wants it.
//!
//! The best levels take one to three seconds of a processor for a megabyte, and a file may have hundreds. Two things are not cut: a
//! block of brotli's, a megabyte, which takes three seconds at the most; and the look through a dictionary before anything else, 0.8 s
//! for each megabyte of it.

use brotli::enc::encode::{BrotliEncoderDestroyInstance, BrotliEncoderOperation, BrotliEncoderStateStruct};
use brotli::enc::{BrotliEncoderParams, StandardAlloc};
use zstd::zstd_safe::zstd_sys::ZSTD_EndDirective;
use zstd::zstd_safe::{self, CCtx, InBuffer, OutBuffer};

use super::compress::Level;

/// Whether what is being made is still wanted; asked between pieces.
pub type Still<'a> = &'a dyn Fn() -> bool;

/// Of what goes live, or is small.
pub const ALWAYS: Still = &|| true;

/// Bytes that brotli is handed at once, and room for what comes out. It works whenever it has a block of them.
const BROTLI_PIECE: usize = 64 << 10;
/// The same for zstd: a quarter of a second at its best levels. A file that is no longer is coded as in one go; a longer one in blocks
/// of full length, where quick levels would look for better places to end one; level 19 made the same of CSVs of 0.7 and 5 MB.
const ZSTD_BEST_PIECE: usize = 256 << 10;
/// And at the others.
const ZSTD_PIECE: usize = 16 << 20;

/// `bytes` behind `prefix`, which may be empty. The pieces change nothing: blocks are as `params` has them.
pub fn brotli(bytes: &[u8], prefix: &[u8], params: BrotliEncoderParams, still: Still) -> Option<Vec<u8>> {
    let mut encoder = BrotliEncoderStateStruct::new(StandardAlloc::default());
    encoder.params = params;
    if !prefix.is_empty() {
        encoder.set_custom_dictionary(prefix.len(), prefix);
    }
    let (mut out, mut room) = (Vec::with_capacity(bytes.len() / 4), [0; BROTLI_PIECE]);
    let last: (&[u8], _) = (&[], BrotliEncoderOperation::BROTLI_OPERATION_FINISH);
    let pieces = bytes.chunks(BROTLI_PIECE).map(|piece| (piece, BrotliEncoderOperation::BROTLI_OPERATION_PROCESS));
    let is_done = pieces.chain([last]).all(|(piece, operation)| {
        still() && {
            let (mut left, mut read) = (piece.len(), 0);
            loop {
                let (mut free, mut written) = (room.len(), 0);
                let is_fine = encoder.compress_stream(
                    operation,
                    &mut left,
                    piece,
                    &mut read,
                    &mut free,
                    &mut room,
                    &mut written,
                    &mut None,
                    &mut |_, _, _, _| (),
                );
                out.extend_from_slice(&room[..written]);
                if !is_fine || (left == 0 && !encoder.has_more_output()) {
                    break is_fine;
                }
            }
        }
    });
    let is_whole = is_done && encoder.is_finished();
    BrotliEncoderDestroyInstance(&mut encoder);
    is_whole.then_some(out)
}

/// One frame of `bytes` by an encoder whose parameters and dictionary are set.
pub fn zstd(bytes: &[u8], encoder: &mut CCtx, level: Level, still: Still) -> Option<Vec<u8>> {
    encoder.set_pledged_src_size(Some(bytes.len() as u64)).ok()?;
    let mut out = Vec::with_capacity(zstd_safe::compress_bound(bytes.len()));
    let mut room = OutBuffer::around(&mut out);
    let mut rest = bytes;
    loop {
        if !still() {
            return None;
        }
        let most = if level == Level::Best { ZSTD_BEST_PIECE } else { ZSTD_PIECE };
        let piece;
        (piece, rest) = rest.split_at(rest.len().min(most));
        let mut piece = InBuffer::around(piece);
        let is_last = rest.is_empty();
        let operation = if is_last { ZSTD_EndDirective::ZSTD_e_end } else { ZSTD_EndDirective::ZSTD_e_continue };
        loop {
            let before = (room.pos(), piece.pos());
            let left = encoder.compress_stream2(&mut room, &mut piece, operation).ok()?;
            match piece.pos() == piece.src.len() && (left == 0 || !is_last) {
                true => break,
                // There is room for all of it, or it would get longer.
                false if before == (room.pos(), piece.pos()) => return None,
                false => {}
            }
        }
        if is_last {
            return Some(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::Read;

    use zstd::zstd_safe::CParameter;

    use super::*;

    fn rows(n: usize) -> Vec<u8> {
        let row = |i: usize| format!("{i}|B|{}|{}|{}\n", i * 7919 % 499, i * 104_729 % 733, i * 1_299_709 % 9973);
        (0..n).map(row).collect::<String>().into_bytes()
    }

    fn params(bytes: &[u8], quality: i32) -> BrotliEncoderParams {
        BrotliEncoderParams { quality, lgwin: 22, lgblock: 16, size_hint: bytes.len(), ..Default::default() }
    }

    fn encoder<'a>(level: i32, prefix: &'a [u8]) -> CCtx<'a> {
        let mut encoder = CCtx::create();
        encoder.set_parameter(CParameter::CompressionLevel(level)).unwrap();
        encoder.set_parameter(CParameter::WindowLog(22)).unwrap();
        encoder.ref_prefix(prefix).unwrap();
        encoder
    }

    /// Wanted so many times that somebody asks.
    fn times(n: usize) -> (impl Fn() -> bool, impl Fn() -> usize) {
        let asked = std::rc::Rc::new(Cell::new(0));
        let counted = asked.clone();
        let still = move || asked.replace(asked.get() + 1) < n;
        (still, move || counted.get())
    }

    #[test]
    fn brotli_in_pieces_gives_the_bytes_that_it_gives_at_once() {
        let text = rows(12_000);
        assert!(text.len() > 3 * BROTLI_PIECE);
        let all = [(0, 11), (1, 11), (BROTLI_PIECE + 1, 11), (BROTLI_PIECE, 5), (2 * BROTLI_PIECE, 5), (text.len(), 5)];
        for (len, quality) in all {
            let (bytes, mut once) = (&text[..len], Vec::new());
            brotli::BrotliCompress(&mut &bytes[..], &mut once, &params(bytes, quality)).unwrap();
            assert!(brotli(bytes, &[], params(bytes, quality), ALWAYS) == Some(once), "{len} at {quality}");
        }
        let (prefix, mut once) = (rows(4000), Vec::new());
        brotli::enc::BrotliCompressCustomIoCustomDict(
            &mut brotli::IoReaderWrapper(&mut &text[..]),
            &mut brotli::IoWriterWrapper(&mut once),
            &mut [0; 16 << 10],
            &mut [0; 16 << 10],
            &params(&text, 5),
            StandardAlloc::default(),
            &mut |_, _, _, _| (),
            &prefix,
            std::io::Error::from(std::io::ErrorKind::UnexpectedEof),
        )
        .unwrap();
        assert!(brotli(&text, &prefix, params(&text, 5), ALWAYS) == Some(once), "with a dictionary");
    }

    #[test]
    fn zstd_in_one_piece_gives_the_bytes_that_it_gives_at_once() {
        let (text, prefix) = (rows(9000), rows(4000));
        for (number, prefix) in [(3, &[][..]), (19, &[][..]), (9, &prefix), (22, &prefix)] {
            for len in [0, 1, 128 << 10, text.len()] {
                let bytes = &text[..len];
                let mut once = Vec::with_capacity(zstd_safe::compress_bound(len));
                encoder(number, prefix).compress2(&mut once, bytes).unwrap();
                let made = zstd(bytes, &mut encoder(number, prefix), Level::Best, ALWAYS);
                assert!(made == Some(once), "level {number}, {len} bytes");
            }
        }
    }

    #[test]
    fn zstd_in_several_pieces_gives_hardly_more_and_says_how_long_it_is() {
        let text = rows(120_000);
        assert!(text.len() > 8 * ZSTD_BEST_PIECE);
        for len in [2 * ZSTD_BEST_PIECE, 8 * ZSTD_BEST_PIECE, text.len()] {
            let bytes = &text[..len];
            let mut once = Vec::with_capacity(zstd_safe::compress_bound(len));
            encoder(3, &[]).compress2(&mut once, bytes).unwrap();
            let made = zstd(bytes, &mut encoder(3, &[]), Level::Best, ALWAYS).unwrap();
            assert!(made.len() <= once.len() + once.len() / 200, "{} against {}", made.len(), once.len());
            assert_eq!(zstd_safe::get_frame_content_size(&made).ok().flatten(), Some(len as u64));
            assert_eq!(made[..8], once[..8], "the same window");
            let mut out = Vec::new();
            zstd::Decoder::new(&made[..]).unwrap().read_to_end(&mut out).unwrap();
            assert!(out == bytes);
        }
    }

    #[test]
    fn what_nobody_wants_any_more_is_given_up_at_the_next_piece() {
        let text = rows(120_000);
        let pieces = text.len().div_ceil(ZSTD_BEST_PIECE);
        for n in 0..=pieces {
            let (still, asked) = times(n);
            let made = zstd(&text, &mut encoder(1, &[]), Level::Best, &still);
            assert_eq!((made.is_some(), asked()), (n == pieces, (n + 1).min(pieces)), "zstd, {n}");
        }
        let (text, pieces) = (&text[..5 * BROTLI_PIECE], 6);
        for n in 0..=pieces {
            let (still, asked) = times(n);
            let made = brotli(text, &[], params(text, 5), &still);
            assert_eq!((made.is_some(), asked()), (n == pieces, (n + 1).min(pieces)), "brotli, {n}");
        }
    }
}
