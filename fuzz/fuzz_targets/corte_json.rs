//! corte.json.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(difusor::corte::Corte::parse(data)));
