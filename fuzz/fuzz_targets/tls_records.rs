#![no_main]

// Whatever the bytes, a record is never longer than the room for it, and never nothing.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    while let Ok(Some(len @ 1..=difusor::http::records::RECORD_MAX)) = difusor::http::records::length(rest) {
        rest = &rest[len.min(rest.len())..];
    }
});
