#![no_main]

use difusor::http::flight::{Flight, choice};

// Whatever the bytes and however they come: what is decided is decided for good, and no byte is shown that has not come.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let known: Vec<_> = (0..=bytes.len()).filter_map(|len| choice(&bytes[..len])).collect();
    assert!(known.windows(2).all(|two| two[0] == two[1]));
    let mut flight = Flight::default();
    for some in bytes.chunks(7) {
        bytes::BufMut::put_slice(&mut flight.room(some.len()), some);
        while flight.show() {
            let done = flight.shown().len() / 2;
            flight.done(done);
        }
    }
    assert!(bytes.ends_with(&flight.into_bytes()));
});
