//! What a difusor says of itself, and a body in each coding, as `difusor audit` reads them.
#![no_main]

use difusor::inspect::{Chain, Estado, Sink};
use difusor::snapshot::CODINGS;

/// Bytes that a body may decode to here: enough for every branch, and no work for nothing.
const KEEP: u64 = 1 << 20;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = Estado::parse(bytes);
    if let Ok(chain) = Chain::parse(bytes) {
        let first = chain.0.first().map(|told| (told.corte.to_string(), told.sums));
        let _ = first.map(|(corte, sums)| chain.check(&corte, &sums));
    }
    let Some((piece, body)) = bytes.split_first() else { return };
    for coding in CODINGS {
        let mut sink = Sink::new(Some(coding), Some(KEEP));
        if body.chunks(usize::from(*piece) + 1).try_for_each(|piece| sink.take(piece)).is_ok() {
            let came = sink.finish();
            assert!(came.bytes.len() as u64 <= KEEP && came.coded_len == body.len() as u64);
        }
    }
});
