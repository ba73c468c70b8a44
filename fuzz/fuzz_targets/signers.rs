//! The signers file.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &str| drop(difusor::corte::Signers::parse(data)));
