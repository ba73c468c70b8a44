#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(difusor::http::tickets::Tickets::of(bytes, 0).turn(0)));
