//! SHA256SUMS.sig.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(difusor::corte::signature::parse(data)));
