#![no_main]

// Whoever is not trusted is himself, whatever he writes.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    use difusor::http::forwarded::{Field, Forwarders};
    for field in [Field::XForwardedFor, Field::Forwarded] {
        let forwarders = Forwarders { from: vec!["10.0.0.0/8".parse().unwrap()], field };
        forwarders.client([10, 0, 0, 1].into(), bytes.split(|byte| *byte == b'\n'));
        let alone = forwarders.client([192, 0, 2, 1].into(), [bytes].into_iter());
        assert_eq!(alone, std::net::IpAddr::from([192, 0, 2, 1]));
    }
});
