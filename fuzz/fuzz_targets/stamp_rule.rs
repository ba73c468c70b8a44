//! Stamp rules of every kind, and a file for them to look into.
#![no_main]

use difusor::corte::stamp::anything;

libfuzzer_sys::fuzz_target!(|input: (&str, &str, &str, &[u8])| anything(input.0, input.1, input.2, input.3));
