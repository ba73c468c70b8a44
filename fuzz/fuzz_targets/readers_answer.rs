#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = difusor::readers::said::Said::read(bytes).is_ok();
});
