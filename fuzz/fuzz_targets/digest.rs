#![no_main]

use difusor::base::digest::Digest;

libfuzzer_sys::fuzz_target!(|hex: &str| {
    let _ = Digest::from_hex(hex);
});
