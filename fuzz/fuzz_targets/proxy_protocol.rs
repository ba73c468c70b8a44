#![no_main]

// What is taken from a connection is never more than has come.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    use difusor::http::proxy_protocol::{Said, read};
    if let Said::Client(_, len) | Said::Itself(len) = read(bytes) {
        assert!(len <= bytes.len());
    }
});
