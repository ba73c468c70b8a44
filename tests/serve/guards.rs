//! Who is waited for, and how long: times, paces, and room. By every protocol, from outside.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use crate::common::frames::{self, Asked, bytes};
use crate::common::metrics::{are_turned_away, metric, turned_away};
use crate::common::origin::{Origin, answer};
use crate::common::recorder::Recorder;
use crate::common::secure::{self, Client};
use crate::common::server::{DEADLINE, Setup, Site, until};
use crate::common::wire::{Talk, connect};
use crate::common::{Tree, corte};

const ID: &str = "20240602_2010";
/// More than the kernel keeps for a connection on both sides together, and nothing that shrinks.
const LARGE_BYTES: usize = 24 << 20;
const SHORT: &str = "head = \"1s\"\nhandshake = \"1s\"\nidle = \"2s\"";
/// Far more than a sleeping machine could be thought to send, and windows that a test can wait for.
const PACE: &str = "send_rate = \"20 KiB\"\nreceive_rate = \"1 KiB\"\nrate_window = \"2s\"";
const GET_LARGE: &str = "GET /grande.zip HTTP/1.1\r\nHost: prep\r\nConnection: close\r\n\r\n";

/// Bytes that no coding makes shorter.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..len / 8).flat_map(|_| next()).collect()
}

/// A site with a large file, by both protocols.
fn large(limits: &str) -> Site {
    let site = Setup::both(&["prep.example"]).with("limits", limits).start();
    // What begins like an archive.
    let file = [b"PK\x03\x04".to_vec(), noise(LARGE_BYTES)].concat();
    site.deliver("uno", &Tree::of(&corte(ID), &[("index.html", b"<p>uno"), ("grande.zip", &file)]));
    site.live(ID);
    site
}

/// A connection whose client has little room: what it does not take stays with the server.
fn narrow(to: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    socket.connect(&to.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

fn over_tls(site: &Site, stream: TcpStream, protocol: &[u8]) -> Client {
    secure::client(stream, &site.path("prep.example.pem"), protocol)
}

#[test]
fn heads_handshakes_and_silence_have_their_limits() {
    let site = Setup::both(&["prep.example"]).with("limits", SHORT).start();
    let mut half = Talk::with(site.http());
    half.say("GET / HTTP/1.1\r\nHo");
    let mut silent = Talk::with(site.http());
    assert!(half.is_ended() && silent.is_ended());
    are_turned_away(&site, "head-timeout", 1);
    // As browsers do.
    are_turned_away(&site, "unused", 1);
    let mut stranger = Talk::with(site.https());
    stranger.say(b"\x16\x03\x01\x02\x00\x01");
    assert!(stranger.is_ended());
    are_turned_away(&site, "handshake-timeout", 1);
    let heads = turned_away(&site, "head-timeout");
    let mut shaken = over_tls(&site, connect(site.https()), b"http/1.1");
    shaken.say(b"GET / HTTP/1.1\r\nHo");
    assert!(shaken.hear(false).is_none());
    are_turned_away(&site, "head-timeout", heads + 1);
    // Who has been served may rest, but not for ever; that is nobody's fault.
    let mut idle = Talk::with(site.http());
    assert_eq!(idle.get("/.prep/estado.json", "").status, 200);
    assert!(idle.is_ended());
    assert_eq!(turned_away(&site, "head-timeout"), heads + 1);
    assert_eq!(turned_away(&site, "handshake-timeout"), 1);
}

#[test]
fn what_is_refused_by_frames_is_counted_too() {
    let site = Setup::clear().start();
    let opened = frames::open(65_535);
    let ping = frames::frame(frames::PING, 0, 0, b"todavia!");
    let fields = vec![(":method".to_owned(), "GET".to_owned())];
    let malformed = Asked { fields, ..Asked::default() };
    for (reason, said) in [
        ("flood", ping.repeat(1_000)),
        ("protocol-error", frames::frame(frames::DATA, 0, 0, b"")),
        ("protocol-error", vec![0xff; 9]),
        ("malformed", malformed.frames(1)),
    ] {
        let before = turned_away(&site, reason);
        let mut client = Client::clear(connect(site.http()));
        client.say(&[&opened[..], &said].concat());
        are_turned_away(&site, reason, before + 1);
        assert_eq!(turned_away(&site, reason), before + 1, "{reason}");
    }
}

#[test]
fn half_a_head_behind_a_whole_one_has_its_limit() {
    let origin = Origin::start(|_, to| answer(to, "200 OK", "", Some(5), b"tarde"));
    let setup = Setup::clear().origin(origin.address, "", "path = \"/o\"\ncache = false");
    let site = setup.with("limits", "head = \"1s\"\nidle = \"600s\"").start();
    for (n, path) in ["/.prep/estado.json", "/o"].iter().enumerate() {
        let mut talk = Talk::with(site.http());
        talk.say(format!("GET {path} HTTP/1.1\r\nHost: prep\r\n\r\nGET / HTTP/1.1\r\nHo"));
        assert_eq!(talk.hear().unwrap().status, 200);
        assert!(talk.is_ended());
        are_turned_away(&site, "head-timeout", n as u64 + 1);
    }
}

#[test]
fn frames_that_ask_for_nothing_are_not_waited_for() {
    let site = Setup::clear().with("limits", "head = \"1s\"\nidle = \"600s\"").start();
    let fields = [(":method", "GET"), (":scheme", "http"), (":path", "/.prep/estado.json"), (":authority", "prep")];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let get = Asked { fields, ..Asked::default() }.frames(1);
    let ping = frames::frame(frames::PING, 0, 0, b"todavia!");
    let (begun, rest) = (frames::frame(frames::HEADERS, 0, 3, b""), vec![0; 4 << 10]);
    let half = [begun, frames::frame(frames::CONTINUATION, 0, 3, &rest)].concat();
    let opened = frames::open(65_535);
    for (what, said, more, reason) in [
        ("half a preface", opened[..6].to_vec(), &opened[6..20], "head-timeout"),
        ("half a head", [&opened[..], &get, &half[..30]].concat(), &half[30..], "head-timeout"),
        ("half a frame", [&opened[..], &get, &ping[..1]].concat(), &ping[1..16], "head-timeout"),
        ("pings alone", opened.clone(), &ping.repeat(100)[..], "unused"),
    ] {
        let mut client = Client::clear(connect(site.http()));
        client.say(&said);
        let before = turned_away(&site, reason);
        let mut pieces = more.chunks(if reason == "unused" { ping.len() } else { 1 });
        let ended = until(|| {
            if let Some(piece) = pieces.next() {
                client.say(piece);
            }
            std::thread::sleep(Duration::from_millis(100));
            (turned_away(&site, reason) > before).then_some(())
        });
        assert!(ended.is_some(), "{what}");
    }
}

#[test]
fn who_takes_a_body_too_slowly_is_ended_by_every_protocol() {
    let site = large(PACE);
    let asked = |fields: &[(&str, &str)]| {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Asked { fields: fields.collect(), ..Asked::default() }
    };
    let of =
        |scheme| asked(&[(":method", "GET"), (":scheme", scheme), (":path", "/grande.zip"), (":authority", "prep")]);
    let mut clients = vec![Client::clear(narrow(site.http())), over_tls(&site, narrow(site.https()), b"http/1.1")];
    clients.iter_mut().for_each(|client| client.say(GET_LARGE.as_bytes()));
    // HTTP/2 with all the window there can be: the socket is what is full.
    for (mut client, scheme) in
        [(Client::clear(narrow(site.http())), "http"), (over_tls(&site, narrow(site.https()), b"h2"), "https")]
    {
        client.say(&[frames::open(0x7fff_ffff), of(scheme).frames(1)].concat());
        clients.push(client);
    }
    let mut read = 0;
    let all_are_ended = until(|| {
        // Some bytes now and then: with what the kernels keep, that is all that moves.
        for client in &mut clients {
            read += client.read(&mut [0; 16]).unwrap_or(0);
        }
        std::thread::sleep(Duration::from_millis(50));
        (turned_away(&site, "send-rate") == 4).then_some(())
    });
    assert!(all_are_ended.is_some(), "{} of 4", turned_away(&site, "send-rate"));
    assert!(read < LARGE_BYTES / 2, "{read}");
    assert!(until(|| (metric(&site, "difusor_connections") == 0).then_some(())).is_some());
}

#[test]
fn who_takes_enough_gets_all_of_it() {
    let site = large(PACE);
    let mut client = Client::clear(narrow(site.http()));
    client.say(GET_LARGE.as_bytes());
    // For three windows, at five times the pace; then the rest at once.
    for _ in 0..300 {
        client.read_exact(&mut [0; 2 << 10]).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    let (mut rest, mut room) = (0, vec![0; 1 << 16]);
    while let Ok(n @ 1..) = client.read(&mut room) {
        rest += n;
    }
    assert!(rest + 300 * (2 << 10) > LARGE_BYTES, "{rest}");
    assert_eq!(turned_away(&site, "send-rate"), 0);
}

/// An origin that never stops; tells when its client is gone.
fn endless() -> (Origin, mpsc::Receiver<()>) {
    let (gone, told) = mpsc::channel();
    let origin = Origin::start(move |_, to| {
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n";
        let _ = to.write_all(head.as_bytes());
        while to.write_all(&[b'x'; 1 << 14]).is_ok() {}
        let _ = gone.send(());
    });
    (origin, told)
}

#[test]
fn who_takes_what_an_origin_sends_too_slowly_lets_go_of_it() {
    let (origin, gone) = endless();
    let site = Setup::both(&["prep.example"])
        .origin(origin.address, "", "path = \"/o\"\ncache = false")
        .with("limits", PACE)
        .start();
    let mut clear = Client::clear(narrow(site.http()));
    clear.say(b"GET /o HTTP/1.1\r\nHost: prep\r\n\r\n");
    clear.read_exact(&mut [0; 16]).unwrap();
    gone.recv_timeout(DEADLINE).unwrap();
    // A stream whose window stays shut, on a connection that is kept busy by pings.
    let mut client = Client::clear(connect(site.http()));
    let fields = [(":method", "GET"), (":scheme", "http"), (":path", "/o"), (":authority", "prep")];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    client.say(&[frames::open(100), Asked { fields, ..Asked::default() }.frames(1)].concat());
    let ended = until(|| {
        client.say(&frames::frame(frames::PING, 0, 0, b"todavia!"));
        std::thread::sleep(Duration::from_millis(100));
        (turned_away(&site, "send-rate") >= 2).then_some(())
    });
    assert!(ended.is_some());
    gone.recv_timeout(DEADLINE).unwrap();
}

#[test]
fn who_sends_a_body_too_slowly_is_ended_and_who_sends_enough_is_not() {
    let origin = Recorder::start();
    let route = "path = \"/o\"\ncache = false";
    let site = Setup::both(&["prep.example"]).origin(origin.address, "", route).with("limits", PACE).start();
    let head = "POST /o HTTP/1.1\r\nHost: prep\r\nContent-Length: 40000\r\nConnection: close\r\n\r\n";
    let send = |client: &mut Client, each: usize| {
        client.say(head.as_bytes());
        for _ in 0..40_000 / each {
            client.say(&vec![b'x'; each]);
            std::thread::sleep(Duration::from_millis(50));
            if each == 1 && turned_away(&site, "receive-rate") > 0 {
                break;
            }
        }
        client.hear(false).map(|response| response.status)
    };
    // 8 KB a second, for longer than a window.
    assert_eq!(send(&mut over_tls(&site, connect(site.https()), b"http/1.1"), 400), Some(200));
    assert_eq!(turned_away(&site, "receive-rate"), 0);
    assert_eq!(send(&mut Client::clear(connect(site.http())), 1), None);
    assert_eq!(turned_away(&site, "receive-rate"), 1);
}

/// The others take their time on a machine with other work.
const PATIENT: &str = "first_byte = \"5m\"\ntotal = \"5m\"";

#[test]
fn the_idle_make_room_and_who_is_served_does_not() {
    let may_answer = Arc::new(AtomicBool::new(false));
    let may = may_answer.clone();
    let origin = Origin::start(move |_, to| {
        until(|| may.load(SeqCst).then_some(()));
        answer(to, "200 OK", "", Some(5), b"tarde");
    });
    let route = "path = \"/o\"\ncache = false";
    let site = Setup::both(&["prep.example"])
        .origin(origin.address, PATIENT, route)
        .with("limits", "connections = 16")
        .start();
    let mut served: Vec<Talk> = (0..2).map(|_| Talk::with(site.http())).collect();
    served.iter_mut().for_each(|talk| talk.say("GET /o HTTP/1.1\r\nHost: prep\r\n\r\n"));
    // Three times as many as there is room for, none of which goes by itself; each is answered all the same.
    let mut idle = Vec::new();
    for _ in 0..48 {
        let mut talk = Talk::with(site.http());
        assert_eq!(talk.get("/.prep/estado.json", "").status, 200);
        idle.push(talk);
    }
    assert!(turned_away(&site, "shed") >= 32, "{}", turned_away(&site, "shed"));
    assert!(metric(&site, "difusor_connections") <= 16);
    assert!(idle[0].is_ended(), "the oldest goes first");
    may_answer.store(true, SeqCst);
    for talk in &mut served {
        assert_eq!(talk.hear().unwrap().body, b"tarde");
    }
}

/// What comes of one row: statuses in their order, and nothing more.
fn statuses(to: SocketAddr, request: &[u8]) -> Vec<u16> {
    let mut talk = Talk::with(to);
    talk.say(request);
    std::iter::from_fn(|| talk.hear()).map(|response| response.status).collect()
}

#[test]
fn what_is_no_request_is_counted() {
    let site = Setup::clear().start();
    let long = "a".repeat(9 << 10);
    for (request, status, reason) in [
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n".to_owned(), 400, "malformed"),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400, "malformed"),
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), 414, "target-too-long"),
        (format!("GET /{long}{long}"), 414, "target-too-long"),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nx: {long}{long}\r\n\r\n"), 431, "head-too-large"),
    ] {
        let before = turned_away(&site, reason);
        assert_eq!(statuses(site.http(), &bytes(&request)), [status], "{reason} {request:.80}");
        assert_eq!(turned_away(&site, reason), before + 1, "{request:.80}");
    }
}
