#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = std::str::from_utf8(bytes).map(|text| difusor::admin::tokens::parse(text).is_ok());
});
