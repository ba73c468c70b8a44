//! What a server before this one says of a connection that it hands on: the PROXY protocol, versions 1 and 2
//! (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt). Pure: bytes in; `proxy::upstream::preface` writes the same.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use crate::proxy::upstream::Caller;

/// What is said, all together. A line of version 1 has 107 bytes at most; version 2 has 52, and what stands behind the
/// addresses: with the name of a certificate's owner, HAProxy comes to some hundreds.
pub const SAID_MAX_BYTES: usize = 4 << 10;

/// Version 1 is a line that begins so.
const LINE_START: &[u8] = b"PROXY ";
/// The whole line, its CRLF too (2.1).
const LINE_MAX_BYTES: usize = 107;
/// Version 2 begins so (2.2).
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The signature, version and command, family and transport, and the length of the rest.
const HEAD_BYTES: usize = 16;
/// Version 2 in the upper half; in the lower: it speaks for itself, or for a client.
const LOCAL: u8 = 0x20;
const PROXIED: u8 = 0x21;
/// Family and transport: none that it knows, TCP over IPv4 and IPv6, a Unix socket.
const UNSPECIFIED: u8 = 0x00;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
const UNIX: u8 = 0x31;
/// Two addresses and two ports; of Unix sockets, two names.
const TCP4_BYTES: usize = 12;
const TCP6_BYTES: usize = 36;
const UNIX_BYTES: usize = 216;

/// What a connection begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Too little to tell.
    Partial,
    /// Nothing of the kind.
    Nothing,
    /// It is for whoever has opened it (a health check), or for nobody whose address is known; so many bytes say so.
    Itself(usize),
    /// It is for this client; so many bytes say so.
    Client(Caller, usize),
    /// It begins like it, and is not.
    Malformed,
}

/// Reads the beginning of a connection. Never asks for more than [`SAID_MAX_BYTES`].
pub fn read(bytes: &[u8]) -> Said {
    if begins(bytes, LINE_START) {
        line(bytes).unwrap_or(Said::Malformed)
    } else if begins(bytes, SIGNATURE) {
        binary(bytes).unwrap_or(Said::Malformed)
    } else {
        Said::Nothing
    }
}

/// As far as both go, they are the same.
fn begins(bytes: &[u8], with: &[u8]) -> bool {
    let len = bytes.len().min(with.len());
    bytes[..len] == with[..len]
}

/// Version 1 (2.1). `None`: malformed.
fn line(bytes: &[u8]) -> Option<Said> {
    let first = &bytes[..bytes.len().min(LINE_MAX_BYTES)];
    let Some(end) = first.windows(2).position(|two| two == b"\r\n") else {
        return (bytes.len() < LINE_MAX_BYTES).then_some(Said::Partial);
    };
    let len = end + 2;
    let mut words = std::str::from_utf8(&first[LINE_START.len()..end]).ok()?.split(' ');
    let caller = match words.next()? {
        // Whatever follows it is to be ignored.
        "UNKNOWN" => return Some(Said::Itself(len)),
        "TCP4" => pair::<Ipv4Addr>(&mut words)?,
        "TCP6" => pair::<Ipv6Addr>(&mut words)?,
        _ => return None,
    };
    words.next().is_none().then_some(Said::Client(caller, len))
}

/// Two addresses of one family, then two ports.
fn pair<'w, A: FromStr + Into<IpAddr>>(words: &mut impl Iterator<Item = &'w str>) -> Option<Caller> {
    let mut address = || words.next()?.parse::<A>().ok().map(Into::into);
    let (from, to) = (address()?, address()?);
    let mut port = || words.next().and_then(port);
    Some(Caller::new(SocketAddr::new(from, port()?), SocketAddr::new(to, port()?)))
}

/// Digits alone, without leading zeros.
fn port(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_number)
}

/// Version 2 (2.2). What stands behind the addresses is passed over. `None`: malformed.
fn binary(bytes: &[u8]) -> Option<Said> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD_BYTES>() else { return Some(Said::Partial) };
    let [.., command, kind, high, low] = *head;
    let len = usize::from(u16::from_be_bytes([high, low]));
    if HEAD_BYTES + len > SAID_MAX_BYTES {
        return None;
    }
    let needed = match kind {
        UNSPECIFIED => 0,
        TCP4 => TCP4_BYTES,
        TCP6 => TCP6_BYTES,
        UNIX => UNIX_BYTES,
        // Datagrams are no connections.
        _ => return None,
    };
    // Of one that it opens for itself, nothing else counts.
    if !matches!(command, LOCAL | PROXIED) || (command == PROXIED && len < needed) {
        return None;
    }
    let Some(rest) = rest.get(..len) else { return Some(Said::Partial) };
    let len = HEAD_BYTES + len;
    Some(match (command, kind) {
        (PROXIED, TCP4) => Said::Client(caller::<4>(rest)?, len),
        (PROXIED, TCP6) => Said::Client(caller::<16>(rest)?, len),
        _ => Said::Itself(len),
    })
}

/// Two addresses of `N` bytes, then two ports.
fn caller<const N: usize>(bytes: &[u8]) -> Option<Caller>
where
    IpAddr: From<[u8; N]>,
{
    let (from, rest) = bytes.split_first_chunk::<N>()?;
    let (to, rest) = rest.split_first_chunk::<N>()?;
    let [a, b, c, d, ..] = *rest else { return None };
    let at = |address: &[u8; N], port| SocketAddr::new(IpAddr::from(*address), u16::from_be_bytes(port));
    Some(Caller::new(at(from, [a, b]), at(to, [c, d])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::upstream::Preface;
    use proptest::prelude::*;

    fn caller(from: &str, to: &str) -> Caller {
        Caller::new(from.parse().unwrap(), to.parse().unwrap())
    }

    #[test]
    fn the_first_version_is_one_line() {
        let client = caller("192.0.2.7:40000", "198.51.100.1:443");
        let six = caller("[2001:db8::7]:1", "[2001:db8::1]:0");
        for (line, expected) in [
            ("PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n", Said::Client(client, 45)),
            ("PROXY TCP6 2001:db8::7 2001:db8::1 1 0\r\n", Said::Client(six, 40)),
            ("PROXY UNKNOWN\r\n", Said::Itself(15)),
            ("PROXY UNKNOWN ffff::1 x 70000\r\n", Said::Itself(31)),
            ("", Said::Partial),
            ("PROXY", Said::Partial),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r", Said::Partial),
            ("GET / HTTP/1.1\r\n", Said::Nothing),
            ("PROPFIND / HTTP/1.1\r\n", Said::Nothing),
            ("PROXY\r\n", Said::Nothing),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\n\r\n", Said::Malformed),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 40000\r\n", Said::Malformed),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 40000 443 \r\n", Said::Malformed),
            ("PROXY TCP4  192.0.2.7 198.51.100.1 40000 443\r\n", Said::Malformed),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 40000 65536\r\n", Said::Malformed),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 040000 443\r\n", Said::Malformed),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 +4000 443\r\n", Said::Malformed),
            ("PROXY TCP4 192.0.2.07 198.51.100.1 40000 443\r\n", Said::Malformed),
            ("PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n", Said::Malformed),
            ("PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n", Said::Malformed),
            ("PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n", Said::Malformed),
            ("PROXY tcp4 192.0.2.7 198.51.100.1 1 2\r\n", Said::Malformed),
            ("PROXY / HTTP/1.1\r\n", Said::Malformed),
        ] {
            assert_eq!(read(line.as_bytes()), expected, "{line:?}");
        }
        assert_eq!(read(format!("PROXY UNKNOWN {}\r\n", "x".repeat(91)).as_bytes()), Said::Itself(107));
        assert_eq!(read(format!("PROXY UNKNOWN {}\r\n", "x".repeat(92)).as_bytes()), Said::Malformed);
        assert_eq!(read(format!("PROXY UNKNOWN {}", "x".repeat(93)).as_bytes()), Said::Malformed);
    }

    /// Version 2 with these bytes behind its head.
    fn second(command: u8, kind: u8, rest: &[u8]) -> Vec<u8> {
        [&SIGNATURE[..], &[command, kind], &(rest.len() as u16).to_be_bytes(), rest].concat()
    }

    #[test]
    fn the_second_version_is_bytes_and_a_length() {
        let addresses = [192, 0, 2, 7, 198, 51, 100, 1, 0x9c, 0x40, 0x01, 0xbb];
        let client = caller("192.0.2.7:40000", "198.51.100.1:443");
        // A name (0x02) behind the addresses, and one whose length is a lie: nobody reads them.
        let tlv = [&addresses[..], &[0x02, 0, 3, b'a', b'b', b'c', 0x05, 0xff, 0xff]].concat();
        for (bytes, expected) in [
            (second(0x21, 0x11, &addresses), Said::Client(client, 28)),
            (second(0x21, 0x11, &tlv), Said::Client(client, 37)),
            (second(0x20, 0x00, b""), Said::Itself(16)),
            (second(0x20, 0x11, &addresses), Said::Itself(28)),
            (second(0x20, 0x11, b"x"), Said::Itself(17)),
            (second(0x21, 0x00, b"whatever"), Said::Itself(24)),
            (second(0x21, 0x31, &[0; 216]), Said::Itself(232)),
            (second(0x21, 0x31, &[0; 215]), Said::Malformed),
            (second(0x21, 0x11, &addresses[1..]), Said::Malformed),
            (second(0x21, 0x21, &addresses), Said::Malformed),
            (second(0x21, 0x12, &addresses), Said::Malformed),
            (second(0x22, 0x11, &addresses), Said::Malformed),
            (second(0x11, 0x11, &addresses), Said::Malformed),
            (second(0x21, 0x11, &[0; SAID_MAX_BYTES]), Said::Malformed),
            (b"\r\nGET / HTTP/1.1\r\n".to_vec(), Said::Nothing),
        ] {
            assert_eq!(read(&bytes), expected, "{bytes:x?}");
            // Whatever stands behind it is not its own.
            if let Said::Client(_, len) | Said::Itself(len) = expected {
                assert_eq!(read(&[&bytes[..], b"\x16\x03\x01"].concat()), expected);
                assert_eq!(len, bytes.len());
                assert!((0..len).all(|cut| read(&bytes[..cut]) == Said::Partial));
            }
        }
    }

    fn address() -> impl Strategy<Value = SocketAddr> {
        (any::<IpAddr>(), any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip, port))
    }

    proptest! {
        /// What our own side says to an origin is what is read here.
        #[test]
        fn what_is_written_is_read(from in address(), to in address(), is_second: bool, rest in "[a-z]{0,9}") {
            let caller = Caller::new(from, to);
            let version = if is_second { Preface::V2 } else { Preface::V1 };
            let written = version.bytes(Some(caller));
            let bytes = [&written[..], rest.as_bytes()].concat();
            prop_assert_eq!(read(&bytes), Said::Client(caller, written.len()));
            for cut in 0..written.len() {
                prop_assert_eq!(read(&written[..cut]), Said::Partial);
            }
            let itself = version.bytes(None);
            prop_assert_eq!(read(&itself), Said::Itself(itself.len()));
        }

        #[test]
        fn never_asks_for_more_than_it_may(
            start in prop_oneof![Just(LINE_START), Just(&SIGNATURE[..]), Just(&b""[..])],
            rest in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let bytes = [start, &rest].concat();
            match read(&bytes) {
                Said::Partial => prop_assert!(bytes.len() < SAID_MAX_BYTES),
                Said::Itself(len) | Said::Client(_, len) => prop_assert!(len <= bytes.len().min(SAID_MAX_BYTES)),
                Said::Nothing | Said::Malformed => {}
            }
        }
    }
}
