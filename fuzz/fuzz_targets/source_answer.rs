//! Fields of a source's answer, and addresses to which it leads.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| difusor::ingest::source::exchange::read_any(bytes));
