#![no_main]

// However the bytes come, never more of them may pass than there are.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut framing = difusor::http::framing::Framing::new();
    let mut rest = bytes;
    while let Ok(vetted @ 1..) = framing.read(rest) {
        rest = &rest[vetted..];
    }
});
