#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = difusor::snapshot::negotiate::Accepted::read([bytes]);
    let _ = difusor::http::conditional::Tags(bytes).count();
    let _ = difusor::base::range::read(bytes, 1000);
    let _ = std::str::from_utf8(bytes).map(|text| difusor::http::target::decode(text).is_ok());
});
