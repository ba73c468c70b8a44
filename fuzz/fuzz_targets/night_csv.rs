#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = difusor::rehearse::Night::from_csv(bytes);
});
