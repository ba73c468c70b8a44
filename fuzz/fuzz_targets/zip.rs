//! A package as a zip archive.
#![no_main]

use difusor::corte::{Limits, Nothing, read::zip_from};

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(zip_from(std::io::Cursor::new(data), &Limits::default(), &Nothing)));
