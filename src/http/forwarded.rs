//! Who asks, where servers before this one say so: `X-Forwarded-For`, or `Forwarded` (RFC 7239). Only those that the settings
//! name are believed, and only what they can know: each adds whom it has heard it from, so that the line is read from its end.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::base::network::Network;

/// Servers in a row before this one that are gone through; there are two or three. What a client writes before them is as
/// long as he likes.
const HOPS_MAX: usize = 16;

/// Which field is read. Never both: what the trusted server does not write, its client does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Field {
    #[default]
    XForwardedFor,
    Forwarded,
}

impl Field {
    pub fn name(self) -> &'static str {
        match self {
            Field::XForwardedFor => "x-forwarded-for",
            Field::Forwarded => "forwarded",
        }
    }
}

/// Who is believed, and by which field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarders {
    pub from: Vec<Network>,
    pub field: Field,
}

impl Forwarders {
    pub fn has(&self, address: IpAddr) -> bool {
        self.from.iter().any(|network| network.has(address))
    }

    /// Whose request `peer` hands on, by the field's lines: the last in the row who is not himself believed. What cannot be
    /// read ends the row: then it is for the last one who is known.
    pub fn client<'l>(&self, peer: IpAddr, lines: impl DoubleEndedIterator<Item = &'l [u8]>) -> IpAddr {
        let mut client = peer.to_canonical();
        let elements = lines.rev().flat_map(|line| line.rsplit(|byte| *byte == b','));
        for element in elements.filter(|element| !element.trim_ascii().is_empty()).take(HOPS_MAX) {
            if !self.has(client) {
                break;
            }
            let Some(before) = std::str::from_utf8(element).ok().and_then(|text| self.address(text.trim())) else {
                break;
            };
            client = before.to_canonical();
        }
        client
    }

    fn address(&self, element: &str) -> Option<IpAddr> {
        match self.field {
            Field::XForwardedFor => node(element),
            // A comma within quotes would tear an element apart; then none of its parts is an address.
            Field::Forwarded => {
                let mut pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
                let (_, node_id) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
                node(node_id.strip_prefix('"').map_or(Some(node_id), |rest| rest.strip_suffix('"'))?)
            }
        }
    }
}

/// An address, with brackets and a port as it may have them (RFC 7239, 6).
fn node(text: &str) -> Option<IpAddr> {
    let in_brackets = |text: &str| text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    text.parse()
        .ok()
        .or_else(|| in_brackets(text).map(IpAddr::V6))
        .or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn forwarders(field: Field) -> Forwarders {
        Forwarders { from: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8:f::/48".parse().unwrap()], field }
    }

    fn client(field: Field, peer: &str, lines: &[&str]) -> String {
        let lines = lines.iter().map(|line| line.as_bytes());
        forwarders(field).client(peer.parse().unwrap(), lines).to_string()
    }

    #[test]
    fn the_last_who_is_not_trusted_is_the_client() {
        for (peer, lines, expected) in [
            ("10.0.0.1", &["192.0.2.7"][..], "192.0.2.7"),
            ("::ffff:10.0.0.1", &["192.0.2.7"], "192.0.2.7"),
            // What a client writes himself stands before what is known of him.
            ("10.0.0.1", &["203.0.113.9, 192.0.2.7"], "192.0.2.7"),
            ("10.0.0.1", &["203.0.113.9", "192.0.2.7"], "192.0.2.7"),
            ("10.0.0.1", &["203.0.113.9, 192.0.2.7, 10.0.0.2,10.0.0.3"], "192.0.2.7"),
            ("10.0.0.1", &["203.0.113.9,192.0.2.7", "10.0.0.2"], "192.0.2.7"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", &["2001:db8::7"], "2001:db8::7"),
            ("10.0.0.1", &["[2001:db8::7]:443, 2001:db8:f::1"], "2001:db8::7"),
            ("10.0.0.1", &["192.0.2.7:40000"], "192.0.2.7"),
            ("10.0.0.1", &["192.0.2.7, , "], "192.0.2.7"),
            // Nobody who can be told apart.
            ("10.0.0.1", &["192.0.2.7, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["192.0.2.7, _hidden, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["192.0.2.7 x"], "10.0.0.1"),
            ("10.0.0.1", &["192.0.2.7\u{e9}"], "10.0.0.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            // Who is not believed may write what he likes.
            ("192.0.2.1", &["203.0.113.9"], "192.0.2.1"),
        ] {
            assert_eq!(client(Field::XForwardedFor, peer, lines), expected, "{peer} {lines:?}");
        }
        let long = "10.0.0.2,".repeat(100_000);
        assert_eq!(client(Field::XForwardedFor, "10.0.0.1", &["192.0.2.7", &long]), "10.0.0.2", "no more of them");
    }

    #[test]
    fn the_standard_field_has_pairs() {
        for (lines, expected) in [
            (&["for=192.0.2.7"][..], "192.0.2.7"),
            (&["For=\"[2001:db8::7]:4711\""], "2001:db8::7"),
            (&["for=192.0.2.7;proto=http;by=10.0.0.9"], "192.0.2.7"),
            (&["proto=http; for=\"192.0.2.7:80\""], "192.0.2.7"),
            (&["for=203.0.113.9, for=192.0.2.7, for=10.0.0.2"], "192.0.2.7"),
            (&["for=192.0.2.7, for=unknown"], "10.0.0.1"),
            (&["for=192.0.2.7, proto=http"], "10.0.0.1"),
            (&["for=\"192.0.2.7"], "10.0.0.1"),
            (&["192.0.2.7"], "10.0.0.1"),
        ] {
            assert_eq!(client(Field::Forwarded, "10.0.0.1", lines), expected, "{lines:?}");
        }
    }

    proptest! {
        /// Whatever a client writes, who is trusted appends the truth.
        #[test]
        fn no_line_of_a_clients_own_makes_him_another(forged in "[ -~]{0,80}", mine: [u8; 4]) {
            let mine = IpAddr::from(mine);
            for (field, truth) in [
                (Field::XForwardedFor, format!("{forged}, {mine}")),
                (Field::Forwarded, format!("{forged}, for={mine}")),
            ] {
                let forwarders = forwarders(field);
                prop_assume!(!forwarders.has(mine));
                prop_assert_eq!(forwarders.client([10, 0, 0, 1].into(), [truth.as_bytes()].into_iter()), mine);
            }
        }
    }
}
