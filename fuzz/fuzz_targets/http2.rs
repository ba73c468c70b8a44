#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| difusor::http::two::fuzz::connection(bytes));
