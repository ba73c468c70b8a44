//! SHA256SUMS.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(difusor::corte::sums::Sums::parse(data)));
