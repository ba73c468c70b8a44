#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = difusor::admin::client::parse(bytes).is_some();
});
