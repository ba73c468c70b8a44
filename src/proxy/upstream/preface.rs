//! What a connection says before anything else: for whom it speaks, by the PROXY protocol
//! (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt). Bytes alone; knows nothing of connections.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The first bytes of version 2, by which nobody takes it for anything else.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, and the connection speaks for somebody ...
const PROXIED: u8 = 0x21;
/// ... or for us.
const LOCAL: u8 = 0x20;
/// Address family and transport.
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
const UNSPECIFIED: u8 = 0x00;
/// Two addresses and two ports.
const TCP4_BYTES: u16 = 12;
const TCP6_BYTES: u16 = 36;

/// Which version of it, if any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Preface {
    #[default]
    Off,
    V1,
    V2,
}

/// A client's connection to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    pub from: SocketAddr,
    /// Where the client found us.
    pub to: SocketAddr,
    /// He stands for many others: not one client, whatever his address.
    pub is_crowd: bool,
}

impl Caller {
    /// With addresses of the fourth version as such, whatever socket they came by.
    pub fn new(from: SocketAddr, to: SocketAddr) -> Caller {
        let plain = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        Caller { from: plain(from), to: plain(to), is_crowd: false }
    }

    /// One whose port and whose way to us nobody knows.
    pub fn of(ip: IpAddr) -> Caller {
        Caller::new(SocketAddr::new(ip, 0), SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0))
    }
}

impl Preface {
    /// The bytes for a connection that speaks for `caller`, or, without one, for ourselves.
    pub fn bytes(self, caller: Option<Caller>) -> Vec<u8> {
        match self {
            Preface::Off => Vec::new(),
            Preface::V1 => v1(caller),
            Preface::V2 => v2(caller),
        }
    }
}

/// Both addresses, if both are of one family.
enum Pair {
    V4([u8; 4], [u8; 4]),
    V6([u8; 16], [u8; 16]),
}

/// Where they are not, the fourth version's is written as one of the sixth's.
fn pair(caller: &Caller) -> Pair {
    let six = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    };
    match (caller.from.ip(), caller.to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => Pair::V4(from.octets(), to.octets()),
        (from, to) => Pair::V6(six(from), six(to)),
    }
}

fn v1(caller: Option<Caller>) -> Vec<u8> {
    let Some(caller) = caller else { return b"PROXY UNKNOWN\r\n".to_vec() };
    let (family, from, to) = match pair(&caller) {
        Pair::V4(from, to) => ("TCP4", IpAddr::from(from), IpAddr::from(to)),
        Pair::V6(from, to) => ("TCP6", IpAddr::from(from), IpAddr::from(to)),
    };
    format!("PROXY {family} {from} {to} {} {}\r\n", caller.from.port(), caller.to.port()).into_bytes()
}

fn v2(caller: Option<Caller>) -> Vec<u8> {
    let head =
        |command: u8, family: u8, length: u16| [&SIGNATURE[..], &[command, family], &length.to_be_bytes()].concat();
    let Some(caller) = caller else { return head(LOCAL, UNSPECIFIED, 0) };
    let mut bytes = match pair(&caller) {
        Pair::V4(from, to) => [head(PROXIED, TCP4, TCP4_BYTES), from.to_vec(), to.to_vec()].concat(),
        Pair::V6(from, to) => [head(PROXIED, TCP6, TCP6_BYTES), from.to_vec(), to.to_vec()].concat(),
    };
    bytes.extend(caller.from.port().to_be_bytes());
    bytes.extend(caller.to.port().to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(from: &str, to: &str) -> Option<Caller> {
        Some(Caller::new(from.parse().unwrap(), to.parse().unwrap()))
    }

    #[test]
    fn the_first_version_is_a_line() {
        for (caller, line) in [
            (caller("192.0.2.7:40000", "198.51.100.1:443"), "PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n"),
            (caller("[2001:db8::7]:40000", "[2001:db8::1]:80"), "PROXY TCP6 2001:db8::7 2001:db8::1 40000 80\r\n"),
            (caller("[::ffff:192.0.2.7]:1", "198.51.100.1:2"), "PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n"),
            (caller("[2001:db8::7]:1", "192.0.2.1:2"), "PROXY TCP6 2001:db8::7 ::ffff:192.0.2.1 1 2\r\n"),
            (None, "PROXY UNKNOWN\r\n"),
        ] {
            assert_eq!(String::from_utf8(Preface::V1.bytes(caller)).unwrap(), line);
        }
        assert_eq!(Preface::Off.bytes(caller("192.0.2.7:1", "192.0.2.8:2")), b"");
    }

    #[test]
    fn the_second_version_is_these_bytes() {
        let start = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
        let four =
            [&start[..], &[0x21, 0x11, 0x00, 0x0c], &[192, 0, 2, 7], &[198, 51, 100, 1], &[0x9c, 0x40], &[0x01, 0xbb]]
                .concat();
        assert_eq!(Preface::V2.bytes(caller("192.0.2.7:40000", "198.51.100.1:443")), four);
        assert_eq!(four.len(), 28);
        let six = Preface::V2.bytes(caller("[2001:db8::7]:40000", "[2001:db8::1]:80"));
        let address = |last| [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
        let expected =
            [&start[..], &[0x21, 0x21, 0x00, 0x24], &address(7), &address(1), &[0x9c, 0x40, 0x00, 0x50]].concat();
        assert_eq!((six.len(), six), (52, expected));
        assert_eq!(Preface::V2.bytes(None), [&start[..], &[0x20, 0x00, 0x00, 0x00]].concat());
    }
}
