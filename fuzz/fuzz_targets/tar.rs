//! A package as a tar archive.
#![no_main]

use difusor::corte::{Limits, Nothing, read::tar_from};

libfuzzer_sys::fuzz_target!(|data: &[u8]| drop(tar_from(data, &Limits::default(), &Nothing)));
