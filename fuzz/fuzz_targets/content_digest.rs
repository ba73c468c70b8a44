#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = difusor::base::digests::sha256([bytes]).is_ok();
});
