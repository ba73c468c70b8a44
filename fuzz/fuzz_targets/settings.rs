#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = std::str::from_utf8(bytes)
        .map(|text| difusor::config::parse(text, "fuzz", std::path::Path::new("/nowhere")).is_ok());
});
