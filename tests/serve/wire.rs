//! HTTP/1.1 by its exact bytes (RFC 9112).

use std::io::{BufReader, Write};
use std::net::{Shutdown, SocketAddr};

use socket2::SockRef;

use crate::common::server::{Setup, Site};
use crate::common::wire::{Response, Talk, connect, raw};
use crate::common::{Tree, corte};

const ID: &str = "20240602_2010";

fn site() -> Site {
    let site = Setup::clear().start();
    let page = "<h1>PREP</h1>".repeat(300);
    let files: [(&str, &[u8]); 3] =
        [("index.html", page.as_bytes()), ("a.json", b"{\"a\":1}"), ("b.json", b"{\"b\":2}")];
    site.deliver("p", &Tree::of(&corte(ID), &files));
    site.live(ID);
    site
}

/// Status and body of each response to these bytes.
fn answers(to: SocketAddr, bytes: &str) -> Vec<(u16, String)> {
    let shown = |r: Response| (r.status, String::from_utf8_lossy(&r.body).into_owned());
    raw(to, bytes).into_iter().map(shown).collect()
}

/// The same for a client that leaves the end of the connection to the server.
fn until_closed(to: SocketAddr, bytes: &str) -> Vec<(u16, String)> {
    let mut talk = Talk::with(to);
    talk.say(bytes);
    std::iter::from_fn(|| talk.hear()).map(|r| (r.status, String::from_utf8_lossy(&r.body).into_owned())).collect()
}

fn statuses(to: SocketAddr, bytes: &str) -> Vec<u16> {
    answers(to, bytes).into_iter().map(|(status, _)| status).collect()
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let site = site();
    let one = |path: &str| format!("GET /{path} HTTP/1.1\r\nHost: prep\r\n\r\n");
    let asked = ["a.json", "b.json", "nada", "b.json", "a.json"].map(one).concat().repeat(40);
    let got = answers(site.http(), &asked);
    assert_eq!(got.len(), 200);
    for five in got.chunks(5) {
        let statuses: Vec<_> = five.iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses, [200, 200, 404, 200, 200]);
        assert!(five[0].1.contains("\"a\"") && five[1].1.contains("\"b\"") && five[3].1.contains("\"b\""));
    }
    // A HEAD among them has no body, and the next answer begins where it should.
    let mut talk = Talk::with(site.http());
    talk.say(format!("HEAD / HTTP/1.1\r\nHost: prep\r\n\r\n{}", one("a.json")));
    let head = talk.hear_head().unwrap();
    assert_eq!((head.status, head.field("content-length")), (200, Some("3900")));
    assert_eq!(talk.hear().unwrap().body, b"{\"a\":1}");
}

/// Large bodies leave as files, small ones beside their heads: whatever comes between them, and more than the sockets hold.
#[test]
fn large_bodies_among_small_ones_are_whole() {
    let site = Setup::clear().start();
    let large: Vec<u8> = (0..400_000u32).flat_map(u32::to_le_bytes).collect();
    site.deliver("p", &Tree::of(&corte(ID), &[("index.html", b"<p>"), ("a.json", b"{\"a\":1}"), ("acta.mp4", &large)]));
    site.live(ID);
    let asked = |path: &str, more: &str| format!("GET /{path} HTTP/1.1\r\nHost: prep\r\n{more}\r\n");
    let paths = ["a.json", "acta.mp4", "acta.mp4", "a.json", "a.json", "acta.mp4"];
    let mut talk = Talk::with(site.http());
    talk.say(paths.map(|path| asked(path, "")).concat());
    talk.say(format!("HEAD /acta.mp4 HTTP/1.1\r\nHost: prep\r\n\r\n{}", asked("acta.mp4", "Connection: close\r\n")));
    let is_large = |talk: &mut Talk| talk.hear().unwrap().body == large;
    assert_eq!(paths.map(|_| is_large(&mut talk)), paths.map(|path| path == "acta.mp4"));
    assert_eq!(talk.hear_head().unwrap().field("content-length"), Some("1600000"));
    assert!(is_large(&mut talk), "its end comes with the end of the connection");
    assert!(talk.hear().is_none());
    // The same at once, and on a connection that was not accepted yet when it was asked.
    for path in ["acta.mp4", "a.json"] {
        let mut talk = Talk::with(site.http());
        talk.say(asked(path, "Connection: close\r\n"));
        assert_eq!(is_large(&mut talk), path == "acta.mp4");
        assert!(talk.hear().is_none());
    }
}

/// As `printf ... | nc -N` does it: the client has said all, and then reads, slowly.
#[test]
fn who_has_said_all_is_answered_all() {
    let site = site();
    let asked = |path: &str| format!("GET /{path} HTTP/1.1\r\nHost: prep\r\n\r\n").repeat(6_000);
    // Both ways of answering: without hyper, and by it; far more than the buffers of the sockets hold.
    for (path, status) in [("index.html", 200), ("nada", 404)] {
        let stream = connect(site.http());
        // Not less: a window smaller than loopback's segments has TCP itself wait, for a minute and more.
        SockRef::from(&stream).set_recv_buffer_size(128 << 10).unwrap();
        let mut writing = stream.try_clone().unwrap();
        let bytes = asked(path);
        let sent = std::thread::spawn(move || {
            writing.write_all(bytes.as_bytes()).unwrap();
            writing.shutdown(Shutdown::Write).unwrap();
        });
        let mut reader = BufReader::new(stream);
        let first = Response::read(&mut reader, false).unwrap();
        assert_eq!(first.status, status);
        // How soon the server then ends the connection is not asked here.
        let rest = (0..5_999).map_while(|_| Response::read(&mut reader, false)).count();
        assert_eq!(rest, 5_999, "{path}");
        sent.join().unwrap();
    }
}

#[test]
fn who_is_gone_leaves_nothing_for_the_next() {
    let site = site();
    for n in 0..200 {
        // Asks, and is gone with a reset before he is answered, or in the midst of it.
        let mut gone = connect(site.http());
        let method = if n % 2 == 0 { "HEAD" } else { "GET" };
        gone.write_all(format!("{method} /b.json HTTP/1.1\r\nHost: prep\r\n\r\n").repeat(n % 7 + 1).as_bytes())
            .unwrap();
        SockRef::from(&gone).set_linger(Some(std::time::Duration::ZERO)).unwrap();
        drop(gone);
        let next = "GET /a.json HTTP/1.1\r\nHost: prep\r\nConnection: close\r\n\r\n";
        assert_eq!(until_closed(site.http(), next), [(200, "{\"a\":1}".to_owned())]);
    }
}

#[test]
fn heads_that_come_byte_by_byte_are_read() {
    let site = site();
    let mut talk = Talk::with(site.http());
    for byte in b"GET /a.json HTTP/1.1\r\nHost: prep\r\nAccept: */*\r\n\r\n" {
        talk.say([*byte]);
    }
    assert_eq!(talk.hear().unwrap().body, b"{\"a\":1}");
    // A method that begins like HTTP/2's preface.
    for byte in b"PRIVATE /a.json HTTP/1.1\r\nHost: prep\r\n\r\n" {
        talk.say([*byte]);
    }
    assert_eq!(talk.hear().unwrap().status, 501);
}

#[test]
fn exactly_one_host_is_asked_for() {
    let site = site();
    let asked = |fields: &str| {
        let all = raw(site.http(), format!("GET /a.json HTTP/1.1\r\n{fields}\r\n"));
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].field("corte"), Some(ID), "{}", all[0].head);
        all[0].status
    };
    assert_eq!(asked("Host: prep\r\n"), 200);
    assert_eq!(asked(""), 400);
    assert_eq!(asked("Host: a\r\nHost: b\r\n"), 400);
    assert_eq!(asked("Host: a\r\nHost: a\r\n"), 400);
}

#[test]
fn http_1_0_needs_no_host_and_ends_after_its_answer() {
    let site = site();
    let mut talk = Talk::with(site.http());
    talk.say("GET /a.json HTTP/1.0\r\n\r\n");
    let got = talk.hear().unwrap();
    assert_eq!((got.status, got.body.as_slice(), got.field("corte")), (200, &b"{\"a\":1}"[..], Some(ID)));
    assert!(talk.hear().is_none(), "the server closes it");
    let mut talk = Talk::with(site.http());
    talk.say("GET /a.json HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(talk.hear().unwrap().status, 200);
    talk.say("GET /b.json HTTP/1.0\r\n\r\n");
    assert_eq!(talk.hear().unwrap().body, b"{\"b\":2}");
}

#[test]
fn targets_in_absolute_and_asterisk_form() {
    let site = site();
    let absolute = "GET http://otro.example:80/a.json HTTP/1.1\r\nHost: prep\r\n\r\n";
    assert_eq!(answers(site.http(), absolute), [(200, "{\"a\":1}".into())]);
    assert_eq!(statuses(site.http(), "OPTIONS * HTTP/1.1\r\nHost: prep\r\n\r\n"), [204]);
    assert_eq!(statuses(site.http(), "CONNECT prep:443 HTTP/1.1\r\nHost: prep:443\r\n\r\n")[0], 405);
}

#[test]
fn a_body_is_never_taken_for_the_next_request() {
    let site = site();
    let inner = "GET /b.json HTTP/1.1\r\nHost: prep\r\n\r\n";
    let next = "GET /a.json HTTP/1.1\r\nHost: prep\r\nConnection: close\r\n\r\n";
    let len = inner.len();
    let bodies = [
        format!("POST / HTTP/1.1\r\nHost: prep\r\nContent-Length: {len}\r\n\r\n{inner}{next}"),
        format!("GET / HTTP/1.1\r\nHost: prep\r\nContent-Length: {len}\r\n\r\n{inner}{next}"),
        format!(
            "POST / HTTP/1.1\r\nHost: prep\r\nTransfer-Encoding: chunked\r\n\r\n{len:x}\r\n{inner}\r\n0\r\n\r\n{next}"
        ),
    ];
    for asked in bodies {
        let got = until_closed(site.http(), &asked);
        assert!(!got.is_empty() && got.len() <= 2, "{asked}: {got:?}");
        assert!(got.iter().all(|(_, body)| !body.contains("\"b\"")), "{asked}: {got:?}");
    }
    // Both lengths at once, or two that differ, are how requests are smuggled: nothing may be answered after them.
    for fields in [
        format!("Content-Length: {len}\r\nTransfer-Encoding: chunked\r\n"),
        format!("Content-Length: {len}\r\nContent-Length: 3\r\n"),
        "Content-Length: -1\r\n".into(),
        "Transfer-Encoding: gzip\r\n".into(),
    ] {
        let got = until_closed(site.http(), &format!("POST / HTTP/1.1\r\nHost: prep\r\n{fields}\r\n{inner}{next}"));
        assert!(got.iter().all(|(status, body)| *status >= 400 && !body.contains("\"b\"")), "{fields}: {got:?}");
    }
}

#[test]
fn a_large_body_is_refused_without_being_read() {
    let site = site();
    let mut talk = Talk::with(site.http());
    talk.say("POST / HTTP/1.1\r\nHost: prep\r\nContent-Length: 1000000000000\r\nExpect: 100-continue\r\n\r\n");
    let refused = talk.hear().unwrap();
    assert_eq!((refused.status, refused.field("corte")), (405, Some(ID)));
}

#[test]
fn heads_that_are_broken_or_too_large() {
    let site = site();
    let head = |fields: &str| format!("GET / HTTP/1.1\r\nHost: prep\r\n{fields}\r\n");
    let refused = |bytes: &str, status: u16| {
        let got = raw(site.http(), bytes);
        assert_eq!(got.len(), 1, "{bytes:?}");
        let fields = (got[0].field("corte"), got[0].field("connection"));
        assert_eq!((got[0].status, fields), (status, (Some(ID), Some("close"))), "{bytes:?}");
        assert!(!got[0].body.is_empty(), "{bytes:?}");
    };
    refused(&head(&format!("X: {}\r\n", "a".repeat(20_000))), 431);
    refused(&head(&"X: a\r\n".repeat(200)), 431);
    assert_eq!(statuses(site.http(), &head(&format!("X: {}\r\n", "a".repeat(8_000)))), [200]);
    for broken in [
        "GET / HTTP/1.1\r\nHost prep\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: prep\r\n\r\n",
        "GET / HTTP/9.9\r\nHost: prep\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : prep\r\n\r\n",
        "GET / HTTP/1.1\r\nX: a\x01\r\nHost: prep\r\n\r\n",
        "hello\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\x00\x03\x03",
    ] {
        refused(broken, 400);
    }
    assert_eq!(site.get("/a.json").status, 200, "nobody else notices");
}
