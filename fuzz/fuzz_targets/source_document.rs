//! The JSON of a source, which names a package.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| difusor::ingest::source::document::read_any(bytes));
