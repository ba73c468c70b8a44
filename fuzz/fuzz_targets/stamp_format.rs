//! A date format, and a text that is read by it.
#![no_main]

use difusor::corte::stamp::format::Format;

libfuzzer_sys::fuzz_target!(|input: (&str, &str)| drop(Format::parse(input.0).map(|format| format.read(input.1))));
