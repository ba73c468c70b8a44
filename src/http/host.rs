//! What may stand in `Host`, byte by byte (RFC 9110, 7.2; RFC 3986, 3.2.2 and 3.2.3): a request with anything else is refused
//! (RFC 9112, 3.2).

use std::net::Ipv6Addr;

/// `unreserved` and `sub-delims`.
const IN_NAMES: [bool; 256] = {
    let mut table = [false; 256];
    let all = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=";
    let mut n = 0;
    while n < all.len() {
        table[all[n] as usize] = true;
        n += 1;
    }
    table
};

/// Whether this is `uri-host [ ":" port ]`. It may be empty, where the target has no authority.
pub fn is_valid(host: &[u8]) -> bool {
    match host.strip_prefix(b"[") {
        Some(rest) => {
            let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
            let address = std::str::from_utf8(&rest[..end]).ok();
            address.is_some_and(|text| text.parse::<Ipv6Addr>().is_ok()) && is_end(&rest[end + 1..])
        }
        None => is_named(host),
    }
}

fn is_named(mut host: &[u8]) -> bool {
    loop {
        host = match host {
            [byte, rest @ ..] if IN_NAMES[usize::from(*byte)] => rest,
            [b'%', a, b, rest @ ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => rest,
            _ => return is_end(host),
        }
    }
}

/// Nothing more, or a port, which may be empty.
fn is_end(rest: &[u8]) -> bool {
    match rest {
        [] => true,
        [b':', port @ ..] => port.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hosts_are_what_the_standard_says() {
        for host in
            ["", "a", "prep.example.mx:8080", "a:", "192.0.2.1", "[2001:db8::1]", "[::1]:80", "a%20b", "a_b", "a,b"]
        {
            assert!(is_valid(host.as_bytes()), "{host}");
        }
        for host in [
            "a b", "a/b", "u@a", "a:b", "a:80:80", "[::1", "::1", "[a]", "[::1]x", "a%2", "a%zz", "a\"", "a?b", "a\0",
            "\u{e9}",
        ] {
            assert!(!is_valid(host.as_bytes()), "{host}");
        }
    }

    proptest! {
        /// The `http` crate, an oracle of its own, takes all of these; it also takes names of users, and no percent sign but in
        /// them.
        #[test]
        fn what_is_valid_is_an_authority(host in "[a-zA-Z0-9.:,;_\\[\\]@/ -]{1,12}") {
            let is_long_port = host.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_err());
            if is_valid(host.as_bytes()) && !host.starts_with(':') && !(host.contains(':') && is_long_port) {
                prop_assert!(host.parse::<http::uri::Authority>().is_ok(), "{}", host);
            }
        }
    }
}
