//! Servers before this one: for whom a connection is by the PROXY protocol, for whom a request is by a field. Who is named is
//! the client, for origins and for limits; whoever is not trusted names nobody.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use difusor::proxy::upstream::{Caller, Preface};

use crate::common::frames::{self, Asked};
use crate::common::metrics::{are_turned_away, turned_away};
use crate::common::origin::{Origin, answer};
use crate::common::secure::{self, Client};
use crate::common::server::{Setup, Site, until};
use crate::common::tool;
use crate::common::wire::{Talk, connect, curl};

const ROUTE: &str = "path = \"/o\"\ncache = false";
const GET: &str = "GET /o HTTP/1.1\r\nHost: prep\r\nConnection: close\r\n\r\n";

/// An origin that answers with whom it has been told of.
fn echo() -> Origin {
    Origin::start(|heard, to| {
        let told = heard.field("x-forwarded-for").unwrap_or("nadie").to_owned();
        answer(to, "200 OK", "", Some(told.len()), told.as_bytes());
    })
}

/// A site that goes by these lines of `[listen]` and of `[limits]`.
fn site(origin: &Origin, listen: &str, limits: &str) -> Site {
    let setup = Setup::both(&["prep.example"]).origin(origin.address, "", ROUTE);
    setup.with("listen", listen).with("limits", limits).start()
}

fn caller(from: &str) -> Caller {
    Caller::new(from.parse().unwrap(), "198.51.100.1:443".parse().unwrap())
}

/// Whom the origin is told of; `None` where the connection ends without an answer of it.
fn told(mut client: Client) -> Option<String> {
    client.say(GET.as_bytes());
    let response = client.hear(false).filter(|response| response.status == 200)?;
    Some(String::from_utf8(response.body).unwrap())
}

/// After these bytes, in clear or over TLS.
fn after(site: &Site, said: &[u8], is_tls: bool) -> Client {
    let mut stream = connect(if is_tls { site.https() } else { site.http() });
    std::io::Write::write_all(&mut stream, said).unwrap();
    match is_tls {
        true => secure::client(stream, &site.path("prep.example.pem"), b"http/1.1"),
        false => Client::clear(stream),
    }
}

const REQUIRED: &str = "proxy_protocol_from = [\"127.0.0.0/8\"]";

#[test]
fn a_connection_is_for_whom_it_says() {
    let origin = echo();
    let site = site(&origin, REQUIRED, "");
    for is_tls in [false, true] {
        for version in [Preface::V1, Preface::V2] {
            for (from, expected) in [("192.0.2.7:4000", "192.0.2.7"), ("[2001:db8::7]:1", "2001:db8::7")] {
                let said = version.bytes(Some(caller(from)));
                assert_eq!(told(after(&site, &said, is_tls)).as_deref(), Some(expected), "{version:?} {is_tls}");
            }
            // For itself: a health check.
            let said = version.bytes(None);
            assert_eq!(told(after(&site, &said, is_tls)).as_deref(), Some("127.0.0.1"), "{version:?} {is_tls}");
        }
    }
    // Byte by byte, and with the request on its heels.
    let mut talk = Talk::with(site.http());
    for byte in &Preface::V2.bytes(Some(caller("192.0.2.7:4000"))) {
        talk.say([*byte]);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    talk.say(GET);
    assert_eq!(talk.hear().unwrap().body, b"192.0.2.7");
    let mut talk = Talk::with(site.http());
    talk.say([&Preface::V1.bytes(Some(caller("192.0.2.7:4000")))[..], GET.as_bytes()].concat());
    assert_eq!(talk.hear().unwrap().body, b"192.0.2.7");
    // What stands behind the addresses is nobody's affair.
    let mut said = Preface::V2.bytes(Some(caller("192.0.2.7:4000")));
    said[14..16].copy_from_slice(&(12 + 5_u16).to_be_bytes());
    said.extend([0x04, 0, 2, b'h', b'i']);
    assert_eq!(told(after(&site, &said, true)).as_deref(), Some("192.0.2.7"));
    assert_eq!(turned_away(&site, "proxy-protocol"), 0);
}

#[test]
fn who_has_to_say_it_and_does_not_is_not_served() {
    let origin = echo();
    let site = site(&origin, REQUIRED, "handshake = \"1s\"");
    let said = Preface::V1.bytes(Some(caller("192.0.2.7:4000")));
    for (n, bad) in [
        GET.as_bytes(),
        b"PROXY TCP4 192.0.2.7 198.51.100.1 4000\r\n",
        b"PROXY SCTP 192.0.2.7 198.51.100.1 4000 443\r\n",
        b"PROXY UNKNOWN                                                                                                 \r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
    ]
    .iter()
    .enumerate()
    {
        let mut talk = Talk::with(site.http());
        talk.say(bad);
        assert!(talk.is_ended(), "{n}");
        are_turned_away(&site, "proxy-protocol", n as u64 + 1);
    }
    // Half of it, and then silence.
    let mut talk = Talk::with(site.http());
    talk.say(&said[..20]);
    assert!(talk.is_ended());
    are_turned_away(&site, "handshake-timeout", 1);
    site.log_line(&["does not speak the PROXY protocol", "127.0.0.1"]);
    // Twice is once too often.
    let mut talk = Talk::with(site.http());
    talk.say([&said[..], &said, GET.as_bytes()].concat());
    assert_eq!(talk.hear().unwrap().status, 400);
}

#[test]
fn once_it_is_said_a_head_in_clear_is_waited_for() {
    let origin = echo();
    let site = site(&origin, REQUIRED, "head = \"1s\"\nhandshake = \"60s\"");
    let mut talk = Talk::with(site.http());
    talk.say([&Preface::V2.bytes(Some(caller("192.0.2.7:4000")))[..], b"GET / HTTP/1.1\r\nHo"].concat());
    assert!(talk.is_ended());
    are_turned_away(&site, "head-timeout", 1);
    assert_eq!(turned_away(&site, "handshake-timeout"), 0);
}

#[test]
fn who_may_say_it_need_not_and_who_may_not_is_not_believed() {
    let origin = echo();
    let may = site(&origin, "proxy_protocol_from = [\"127.0.0.1\"]\nproxy_protocol = \"optional\"", "");
    let said = Preface::V2.bytes(Some(caller("192.0.2.7:4000")));
    for is_tls in [false, true] {
        assert_eq!(told(after(&may, b"", is_tls)).as_deref(), Some("127.0.0.1"));
        assert_eq!(told(after(&may, &said, is_tls)).as_deref(), Some("192.0.2.7"));
    }
    // A request that begins like it, in two pieces.
    for (first, rest) in [("P", "OST /o HTTP/1.1\r\nContent-Length: 0\r\n"), ("\r\n", "GET /o HTTP/1.1\r\n")] {
        let mut talk = Talk::with(may.http());
        talk.say(first);
        std::thread::sleep(std::time::Duration::from_millis(50));
        talk.say(format!("{rest}Host: prep\r\nConnection: close\r\n\r\n"));
        assert_eq!(talk.hear().expect("it is heard").body, b"127.0.0.1", "{first:?}");
    }
    let must_not = site(&origin, "proxy_protocol_from = [\"192.0.2.0/24\"]", "");
    for said in [said, Preface::V1.bytes(Some(caller("192.0.2.7:4000")))] {
        let mut talk = Talk::with(must_not.http());
        talk.say([&said[..], GET.as_bytes()].concat());
        assert_eq!(talk.hear().unwrap().status, 400);
    }
    assert_eq!(told(after(&must_not, b"", false)).as_deref(), Some("127.0.0.1"));
}

#[test]
fn limits_are_for_who_is_named() {
    let origin = echo();
    let listen = format!("{REQUIRED}\nforwarded_from = [\"192.0.2.1\"]");
    let limits = "client_connections = 2\nclient_requests = 1\nclient_burst = 3\nclient_exempt = []";
    let site = site(&origin, &listen, limits);
    let open = |from: &str| {
        let mut talk = Talk::with(site.http());
        talk.say(Preface::V2.bytes(Some(caller(from))));
        talk
    };
    let ask = |talk: &mut Talk, fields: &str| {
        talk.say(format!("GET /.prep/estado.json HTTP/1.1\r\nHost: prep\r\n{fields}\r\n"));
        talk.hear().map(|response| response.status)
    };
    let mut his = [open("192.0.2.7:1"), open("192.0.2.7:2")];
    assert!(his.iter_mut().all(|talk| ask(talk, "") == Some(200)));
    assert_eq!(ask(&mut open("192.0.2.7:3"), ""), None, "he has two");
    are_turned_away(&site, "client-connections", 1);
    assert_eq!(ask(&mut open("192.0.2.8:3"), ""), Some(200));
    let refused = until(|| (ask(&mut his[0], "") == Some(429)).then_some(()));
    assert!(refused.is_some());
    // One who asks for others, by one connection: each has requests of his own, whichever path reads them.
    let mut many = open("192.0.2.1:9");
    for fields in ["", "Range: bytes=0-\r\n"] {
        for n in 1..40 {
            let own = format!("{fields}X-Forwarded-For: 203.0.113.{n}\r\n");
            assert!(matches!(ask(&mut many, &own), Some(200 | 206)), "{n}");
        }
    }
    let one = "X-Forwarded-For: 203.0.113.99\r\n";
    assert!(until(|| (ask(&mut many, one) == Some(429)).then_some(())).is_some());
    assert_eq!(ask(&mut many, "X-Forwarded-For: 203.0.113.100\r\n"), Some(200));
    // He himself is not counted.
    assert!((0..20).all(|_| ask(&mut many, "") == Some(200)));
}

#[test]
fn a_request_is_for_whom_a_trusted_server_says() {
    let origin = echo();
    for (field, line, expected) in [
        ("x-forwarded-for", "X-Forwarded-For: 203.0.113.9, 192.0.2.7, 127.0.0.9", "192.0.2.7"),
        ("x-forwarded-for", "X-Forwarded-For: 203.0.113.9\r\nX-FORWARDED-FOR: 192.0.2.7", "192.0.2.7"),
        ("x-forwarded-for", "X-Forwarded-For: 203.0.113.9, unknown", "127.0.0.1"),
        ("x-forwarded-for", "Forwarded: for=192.0.2.7", "127.0.0.1"),
        ("forwarded", "Forwarded: for=192.0.2.6, for=\"[2001:db8::7]:4000\";proto=https", "2001:db8::7"),
        ("forwarded", "X-Forwarded-For: 192.0.2.7", "127.0.0.1"),
    ] {
        let listen = format!("forwarded_from = [\"127.0.0.0/8\"]\nforwarded_field = \"{field}\"");
        let site = site(&origin, &listen, "");
        for (way, more) in [("plain", ""), ("hyper", "Range: bytes=0-\r\n")] {
            let mut talk = Talk::with(site.http());
            let body = String::from_utf8(talk.get("/o", &format!("{line}\r\n{more}")).body).unwrap();
            assert_eq!(body, expected, "{way}: {line}");
        }
        let fields = line.split("\r\n").flat_map(|line| ["-H", line]).collect::<Vec<_>>();
        let url = format!("http://{}/o", site.http());
        let body = curl(&[&fields[..], &["--http2-prior-knowledge", &url]].concat()).body;
        assert_eq!(String::from_utf8(body).unwrap(), expected, "HTTP/2: {line}");
    }
    let site = site(&origin, "forwarded_from = [\"192.0.2.0/24\"]", "");
    let lines = "X-Forwarded-For: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\n";
    assert_eq!(Talk::with(site.http()).get("/o", lines).body, b"127.0.0.1", "who is not trusted names nobody");
}

/// HAProxy from Debian; it ends with this.
struct HaProxy(Child);

impl HaProxy {
    /// Takes what comes to `from` on to `to`, and says for whom it is.
    fn start(site: &Site, from: SocketAddr, to: SocketAddr, send: &str) -> Option<HaProxy> {
        // Where Debian has it, and not everybody looks.
        let usual = PathBuf::from("/usr/sbin/haproxy");
        let haproxy = if usual.is_file() { usual } else { tool("haproxy")? };
        let settings = site.path(&format!("haproxy-{}.cfg", from.port()));
        let text = format!(
            "defaults\n mode tcp\n timeout connect 10s\n timeout client 30s\n timeout server 30s\n\
             listen todo\n bind {from}\n server uno {to} {send}\n"
        );
        fs::write(&settings, text).unwrap();
        let mut command = Command::new(haproxy);
        command.arg("-db").arg("-f").arg(&settings).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Some(HaProxy(command.spawn().unwrap()))
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn haproxy_says_it_so_that_we_understand() {
    let origin = echo();
    // It comes from 127.0.0.1; its own clients from 127.0.0.2.
    let site = site(&origin, "proxy_protocol_from = [\"127.0.0.1\"]", "");
    for send in ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options unique-id,ssl,cert-cn,crc32c"] {
        for is_tls in [false, true] {
            let from = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let to = if is_tls { site.https() } else { site.http() };
            let Some(_haproxy) = HaProxy::start(&site, from, to, send) else { return };
            let connected = until(|| from_two(from));
            let stream = connected.expect("HAProxy listens");
            let client = match is_tls {
                true => secure::client(stream, &site.path("prep.example.pem"), b"http/1.1"),
                false => Client::clear(stream),
            };
            assert_eq!(told(client).as_deref(), Some("127.0.0.2"), "{send} {is_tls}");
        }
    }
}

/// A connection from 127.0.0.2.
fn from_two(to: SocketAddr) -> Option<std::net::TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 2], 0)).into()).unwrap();
    socket.connect(&to.into()).ok()?;
    let stream = std::net::TcpStream::from(socket);
    stream.set_read_timeout(Some(crate::common::server::DEADLINE)).unwrap();
    Some(stream)
}

#[test]
fn what_was_said_holds_for_http_2_too() {
    let origin = echo();
    let site = site(&origin, REQUIRED, "");
    let mut client = after(&site, &Preface::V1.bytes(Some(caller("192.0.2.7:4000"))), false);
    let fields = [(":method", "GET"), (":scheme", "http"), (":path", "/o"), (":authority", "prep")];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let asked = Asked { fields, ..Asked::default() };
    let [first, second] = frames::ask(&mut client, &asked, &asked);
    let expected = frames::Answer::Status(200, b"192.0.2.7".to_vec());
    assert_eq!((first, second), (expected.clone(), expected));
}
