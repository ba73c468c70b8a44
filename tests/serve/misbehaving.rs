//! An origin that misbehaves on command: whatever it does, the client is told by name, nothing of it is stored, nobody hangs,
//! and memory stays within its bound.

#[path = "misbehaving/certificates.rs"]
mod certificates;

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use difusor::base::clock::Monotonic;
use socket2::SockRef;

use crate::common::origin::{Origin, Stream};
use crate::common::server::{Setup, Site};
use crate::common::wire::{Response, connect};

/// What the settings below add up to, and far more than that for a machine that does much else.
const ANSWER_MAX: Duration = Duration::from_secs(20);
const LIMITS: &str = "connect = \"1s\"\nfirst_byte = \"600ms\"\nidle = \"600ms\"\ntotal = \"2s\"";
/// What floods might fill; the program itself needs a tenth of it.
const RESIDENT_MAX_KB: u64 = 256 << 10;

/// What a client comes to.
enum Told {
    /// A page of ours with this status, and this name behind it.
    Page(u16, &'static str),
    /// A head, and a body that visibly breaks off.
    Cut,
    /// All of it, with this body, and without these fields.
    Whole(&'static [u8]),
}
use Told::{Cut, Page, Whole};

type Script = fn(&mut dyn Stream);

fn say(to: &mut dyn Stream, bytes: impl AsRef<[u8]>) {
    // Whoever has heard enough may be gone.
    let _ = to.write_all(bytes.as_ref()).and_then(|()| to.flush());
}

/// Until the other side has had enough.
fn flood(to: &mut dyn Stream, first: &str, then: &str) {
    say(to, first);
    while to.write_all(then.as_bytes()).is_ok() {}
}

/// Says it, and is silent until the other side closes.
fn hold(to: &mut dyn Stream, bytes: impl AsRef<[u8]>) {
    say(to, bytes);
    while matches!(to.read(&mut [0; 64]), Ok(1..)) {}
}

const HEAD: &str = "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\n";

fn cases() -> Vec<(&'static str, Told, Script)> {
    vec![
        ("silence", Page(504, "first-byte-timeout"), |to| hold(to, "")),
        ("half-a-head", Page(504, "first-byte-timeout"), |to| hold(to, HEAD)),
        ("drops", Page(504, "first-byte-timeout"), |to| {
            for byte in HEAD.as_bytes() {
                say(to, [*byte]);
                std::thread::sleep(Duration::from_millis(50));
            }
        }),
        ("nothing", Page(502, "reset"), |_| {}),
        ("cut-head", Page(502, "reset"), |to| say(to, "HTTP/1.1 200")),
        ("endless-line", Page(502, "head-too-large"), |to| flood(to, "HTTP/1.1 200 OK\r\nX: ", &"a".repeat(4096))),
        ("endless-head", Page(502, "head-too-large"), |to| flood(to, HEAD, "X: aaaaaaaaaaaaaaaa\r\n")),
        ("many-fields", Page(502, "head-too-large"), |to| hold(to, format!("{HEAD}{}\r\n", "X: a\r\n".repeat(200)))),
        ("endless-early-hints", Page(504, "first-byte-timeout"), |to| {
            flood(to, "", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
        }),
        ("endless-continue", Page(504, "first-byte-timeout"), |to| flood(to, "", "HTTP/1.1 100 Continue\r\n\r\n")),
        ("many-early-hints", Whole(b"hola!"), |to| {
            say(to, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(500));
            say(to, format!("{HEAD}Content-Length: 5\r\n\r\nhola!"));
        }),
        ("switched-unasked", Page(502, "malformed"), |to| {
            hold(to, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: eco\r\nConnection: upgrade\r\n\r\n");
        }),
        ("not-modified-unasked", Page(502, "malformed"), |to| {
            say(to, "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n")
        }),
        ("not-http", Page(502, "malformed"), |to| say(to, "hola a todos\n")),
        ("http-0-9", Page(502, "malformed"), |to| say(to, "<html>hola</html>")),
        ("http-2", Page(502, "malformed"), |to| hold(to, "HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhola!")),
        ("two-status-lines", Page(502, "malformed"), |to| {
            hold(to, "HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhola!");
        }),
        ("status-of-four", Page(502, "malformed"), |to| hold(to, "HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhola!")),
        ("both-lengths", Page(502, "malformed"), |to| {
            hold(to, format!("{HEAD}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhola!\r\n0\r\n\r\n"));
        }),
        ("both-lengths-turned", Page(502, "malformed"), |to| {
            hold(to, format!("{HEAD}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhola!\r\n0\r\n\r\n"));
        }),
        ("two-lengths", Page(502, "malformed"), |to| {
            hold(to, format!("{HEAD}Content-Length: 5\r\nContent-Length: 3\r\n\r\nhola!"));
        }),
        ("one-length-twice", Page(502, "malformed"), |to| hold(to, format!("{HEAD}Content-Length: 5, 5\r\n\r\nhola!"))),
        ("no-length", Page(502, "malformed"), |to| hold(to, format!("{HEAD}Content-Length: +5\r\n\r\nhola!"))),
        ("other-coding", Page(502, "malformed"), |to| say(to, format!("{HEAD}Transfer-Encoding: gzip\r\n\r\nhola!"))),
        ("two-codings", Page(502, "malformed"), |to| {
            hold(to, format!("{HEAD}Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhola!\r\n0\r\n\r\n"));
        }),
        ("coding-of-1-0", Page(502, "malformed"), |to| {
            hold(to, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhola!\r\n0\r\n\r\n");
        }),
        ("split-by-cr", Page(502, "malformed"), |to| {
            hold(to, format!("{HEAD}X: a\rSet-Cookie: b=c\r\nContent-Length: 5\r\n\r\nhola!"));
        }),
        ("split-by-nul", Page(502, "malformed"), |to| {
            hold(to, format!("{HEAD}X: a\0b\r\nContent-Length: 5\r\n\r\nhola!"))
        }),
        ("folded", Page(502, "malformed"), |to| {
            hold(to, format!("{HEAD}X: a\r\n b\r\nContent-Length: 5\r\n\r\nhola!"))
        }),
        ("space-before-colon", Page(502, "malformed"), |to| {
            hold(to, format!("{HEAD}X : a\r\nContent-Length: 5\r\n\r\nhola!"));
        }),
        ("names-essential", Page(502, "malformed"), |to| {
            hold(to, format!("{HEAD}Connection: cache-control\r\nContent-Length: 5\r\n\r\nhola!"));
        }),
        ("shorter", Cut, |to| say(to, format!("{HEAD}Content-Length: 50\r\n\r\nhola!"))),
        ("stands-still", Cut, |to| hold(to, format!("{HEAD}Content-Length: 50\r\n\r\nhola!"))),
        ("cut-chunks", Cut, |to| say(to, format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhola!\r\n"))),
        ("bad-chunk", Cut, |to| hold(to, format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhola!\r\nzz\r\n"))),
        ("huge-chunk", Cut, |to| {
            hold(to, format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhola!\r\nfffffffffffffffff\r\n"));
        }),
        ("endless-extension", Cut, |to| {
            flood(to, &format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhola!\r\n5;"), &"a".repeat(4096));
        }),
        ("endless-trailers", Cut, |to| {
            flood(to, &format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhola!\r\n0\r\n"), "X: aaaaaaaa\r\n");
        }),
        ("longer", Whole(b"hola!"), |to| {
            say(to, format!("{HEAD}Content-Length: 5\r\n\r\nhola!HTTP/1.1 200 OK\r\n\r\nfalso"))
        }),
        ("trailers-that-frame", Whole(b"hola!"), |to| {
            let trailers = "Content-Length: 3\r\nTransfer-Encoding: chunked\r\nHost: b\r\nSet-Cookie: a=b\r\n";
            say(to, format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhola!\r\n0\r\n{trailers}\r\n"));
        }),
        ("http-1-0", Whole(b"hola!"), |to| say(to, "HTTP/1.0 200 OK\r\n\r\nhola!")),
        ("no-content-with-one", Whole(b""), |to| say(to, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhola!")),
    ]
}

type Ask = fn(SocketAddr, &str, &str, &str) -> (Response, Vec<u8>, bool);

/// The head, and the body as far as it came; whether it came whole.
fn ask(to: SocketAddr, method: &str, target: &str, fields: &str) -> (Response, Vec<u8>, bool) {
    let begun = Monotonic::now();
    let mut stream = connect(to);
    let request = format!("{method} {target} HTTP/1.1\r\nHost: prep\r\nConnection: close\r\n{fields}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    heard(stream, method, target, begun)
}

/// The same where a connection to the origin lies ready, of a client who stays.
fn ask_straight(to: SocketAddr, method: &str, target: &str, fields: &str) -> (Response, Vec<u8>, bool) {
    let begun = Monotonic::now();
    let mut stream = connect(to);
    stream.write_all(b"GET /u/antes HTTP/1.1\r\nHost: prep\r\n\r\n").unwrap();
    let before = Response::read(&mut BufReader::new(&stream), false).expect("an answer");
    assert_eq!(before.body, b"hola!");
    let request = format!("{method} {target} HTTP/1.1\r\nHost: prep\r\n{fields}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    heard(stream, method, target, begun)
}

fn heard(stream: TcpStream, method: &str, target: &str, begun: Monotonic) -> (Response, Vec<u8>, bool) {
    let mut all = Vec::new();
    let broke = BufReader::new(stream).read_to_end(&mut all).is_err();
    assert!(begun.elapsed() < ANSWER_MAX, "{target} took {:?}", begun.elapsed());
    let (mut end, mut head, mut status): (_, String, u16);
    loop {
        let found = all.windows(4).position(|four| four == b"\r\n\r\n");
        end = found.unwrap_or_else(|| panic!("{target}: no head: {all:?}"));
        head = String::from_utf8(all[..end].to_vec()).unwrap();
        status = head[9..12].parse().unwrap();
        // What comes before the answer is none.
        if status >= 200 {
            break;
        }
        all.drain(..end + 4);
    }
    let response = Response { status, head, body: Vec::new() };
    let rest = all.split_off(end + 4);
    let (body, is_whole) = match response.field("content-length").map(|n| n.parse::<usize>().unwrap()) {
        _ if method == "HEAD" || status == 204 => (rest.clone(), rest.is_empty()),
        Some(length) => (rest.clone(), rest.len() == length),
        None => match rest.strip_suffix(b"0\r\n\r\n") {
            Some(chunks) => (dechunked(chunks), true),
            None => (rest.clone(), false),
        },
    };
    (response, body, is_whole && !broke)
}

fn dechunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        body.extend_from_slice(&bytes[end + 2..][..size]);
        bytes = &bytes[end + 2 + size + 2..];
    }
    body
}

fn resident_kb(site: &Site) -> u64 {
    let pid = site.pid().as_raw_nonzero();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// A page of ours for people or a problem for programs, with the name of what was wrong.
pub fn is_told(site: &Site, target: &str, fields: &str, told: (u16, &str)) {
    who_asks_is_told(site, ask, "GET", target, fields, told);
}

fn who_asks_is_told(site: &Site, ask: Ask, method: &str, target: &str, fields: &str, (status, name): (u16, &str)) {
    for (accept, media) in [("text/html", "text/html; charset=utf-8"), ("application/json", "application/problem+json")]
    {
        let (response, body, is_whole) = ask(site.http(), method, target, &format!("Accept: {accept}\r\n{fields}"));
        let (head, body) = (&response.head, String::from_utf8(body).unwrap());
        assert!(is_whole && response.status == status, "{target}: {head}\n{body}");
        assert_eq!(response.field("content-type"), Some(media), "{target}: {head}");
        assert_eq!(response.field("cache-control"), Some("no-store"), "{target}");
        let told = response.field("cache-status").unwrap_or_default();
        assert!(told.starts_with("difusor; ") && told.ends_with(&format!("detail={name}")), "{target}: {told}");
        if accept == "text/html" {
            assert!(body.contains("<html lang=\"es-MX\""), "{target}: {body}");
        } else {
            let problem: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(problem["status"], status, "{target}: {body}");
            assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{target}: {body}");
            assert!(problem["type"].as_str().is_some_and(|kind| kind.starts_with("tag:difusor,2026:")), "{body}");
        }
    }
}

/// What is asked next on a connection.
fn next_target(from: &mut dyn Stream) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        from.read_exact(&mut byte).ok()?;
        head.extend(byte);
    }
    String::from_utf8(head).ok()?.split(' ').nth(1).map(str::to_owned)
}

fn scripted() -> Origin {
    Origin::start(|heard, to| {
        let mut target = heard.target().to_owned();
        while target.ends_with("/antes") {
            say(to, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhola!");
            let Some(next) = next_target(to) else { return };
            target = next;
        }
        let name = target.rsplit('/').next().unwrap();
        let cases = cases();
        let (_, _, script) = cases.iter().find(|(own, ..)| *own == name).unwrap_or_else(|| panic!("{name}"));
        script(to);
    })
}

#[test]
fn an_origin_that_lies_is_believed_in_nothing() {
    let origin = scripted();
    let routes = "path = \"/c\"\n[[route]]\nupstream = \"origen\"\npath = \"/u\"\ncache = false\nfirst = true";
    // A route has so many lines of the log in a minute, and each who asks in other words makes the origin fail anew.
    let own = |(name, ..): &(&str, _, _)| format!("\n[[route]]\nupstream = \"origen\"\npath = \"/c/{name}\"");
    let routes = [routes.to_owned(), cases().iter().map(own).collect()].concat();
    let site = Setup::clear().origin(origin.address, LIMITS, &routes).start();
    for (name, told, _) in cases() {
        // The last is asked by hyper, the others by an HTTP/1.1 of our own, one of them by the client's task: they come to the same.
        let ways: [(Ask, _, _); 4] =
            [(ask, "GET", "/c"), (ask, "GET", "/u"), (ask_straight, "GET", "/u"), (ask, "OPTIONS", "/u")];
        for (ask, method, route) in ways {
            let target = format!("{route}/{name}");
            match told {
                // Without a cache it is the client's own affair what it makes of a 304.
                Page(..) if name == "not-modified-unasked" && route == "/u" => {}
                Page(status, failure) => {
                    who_asks_is_told(&site, ask, method, &target, "", (status, failure));
                    site.log_line(&["the origin gave no answer", failure]);
                }
                Cut => {
                    let (response, body, is_whole) = ask(site.http(), method, &target, "");
                    assert!(response.status == 200 && !is_whole && body.len() < 100, "{target}: {}", response.head);
                }
                Whole(expected) => {
                    let (response, body, is_whole) = ask(site.http(), method, &target, "");
                    assert!(is_whole && body == expected, "{target}: {}\n{body:?}", response.head);
                    for field in ["host", "set-cookie", "transfer-encoding"] {
                        let is_framing = field == "transfer-encoding" && response.field(field) == Some("chunked");
                        assert!(is_framing || response.field(field).is_none(), "{target}: {}", response.head);
                    }
                    assert!(response.field("content-length").is_none_or(|n| n == expected.len().to_string()));
                }
            }
            if !matches!(told, Whole(_)) {
                let (again, ..) = ask(site.http(), method, &target, "");
                let status = again.field("cache-status").unwrap_or_default();
                assert!(!status.contains("; hit"), "{target} was stored: {status}");
            }
        }
    }
    assert!(resident_kb(&site) < RESIDENT_MAX_KB, "{} kB", resident_kb(&site));
}

#[test]
fn bytes_are_passed_on_as_they_are_and_heads_have_no_bodies() {
    let bomb = {
        let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        coder.write_all(&vec![0; 64 << 20]).unwrap();
        coder.finish().unwrap()
    };
    let coded = bomb.clone();
    let origin = Origin::start(move |heard, to| match heard.target() {
        "/c/bomba" => {
            let head = format!("{HEAD}Content-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", coded.len());
            say(to, [head.as_bytes(), &coded].concat());
        }
        // To a HEAD it sends a body.
        "/u/cabeza" => hold(to, format!("{HEAD}Content-Length: 5\r\n\r\nhola!")),
        // Before it has heard all of it.
        "/u/pronto" => say(to, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nya"),
        other => say(to, format!("{HEAD}Content-Length: {}\r\n\r\n{other}", other.len())),
    });
    let routes = "path = \"/c\"\n[[route]]\nupstream = \"origen\"\npath = \"/u\"\ncache = false";
    let site = Setup::clear().origin(origin.address, LIMITS, routes).start();
    for _ in 0..2 {
        let (response, body, is_whole) = ask(site.http(), "GET", "/c/bomba", "Accept-Encoding: gzip\r\n");
        assert!(is_whole && body == bomb, "{}", response.head);
        let (head, body, _) = ask(site.http(), "HEAD", "/u/cabeza", "");
        assert_eq!((head.status, head.field("content-length"), body.len()), (200, Some("5"), 0));
        let (other, body, is_whole) = ask(site.http(), "GET", "/u/otra", "");
        assert!(is_whole && body == b"/u/otra", "{}", other.head);
    }
    assert!(resident_kb(&site) < RESIDENT_MAX_KB, "{} kB", resident_kb(&site));
    // The answer, or a page of ours where the origin hung up on its own words; never nothing.
    let mut stream = connect(site.http());
    SockRef::from(&stream).set_linger(None).unwrap();
    let head = "POST /u/pronto HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 300000\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let _ = stream.write_all(&[b'x'; 300_000]);
    let heard = Response::read(&mut BufReader::new(stream), false).expect("an answer");
    assert!([413, 502].contains(&heard.status), "{}", heard.head);
}

#[test]
fn an_origin_without_an_address() {
    let site = Setup::clear().origin_at("http://nadie.invalid", LIMITS, "path = \"/c\"").start();
    let (response, _, is_whole) = ask(site.http(), "GET", "/c/x", "");
    assert!(is_whole && [502, 504].contains(&response.status), "{}", response.head);
    let told = response.field("cache-status").unwrap();
    assert!(told.ends_with("detail=unresolved") || told.ends_with("detail=connect-timeout"), "{told}");
    site.log_line(&["the origin gave no answer"]);
}

#[test]
fn what_goes_in_circles_ends() {
    let origin = Origin::start(|_, to| say(to, format!("{HEAD}Content-Length: 5\r\n\r\nhola!")));
    let site = Setup::clear().origin(origin.address, LIMITS, "path = \"/c\"\nfirst = true").start();
    is_told(&site, "/c/x", "Via: 1.1 otro, 1.1 difusor\r\n", (508, "loop"));
    is_told(&site, "/c/x", &format!("Via: {}1.1 z\r\n", "1.1 a, ".repeat(20)), (508, "loop"));
    // The last one that it is for (RFC 9110, 7.6.2).
    let (last, _, is_whole) = ask(site.http(), "OPTIONS", "/c/x", "Max-Forwards: 0\r\n");
    assert!(is_whole && last.status == 204, "{}", last.head);
    assert!(origin.heard().is_empty());
    // Two that point at each other.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let far = Setup::clear().origin(port, LIMITS, "path = \"/c\"").start();
    let listen = format!("http = [\"{port}\"]");
    let near = Setup::new().with("listen", &listen).origin(far.http(), LIMITS, "path = \"/c\"").start();
    for site in [&near, &far] {
        let (response, _, is_whole) = ask(site.http(), "GET", "/c/x", "");
        assert!(is_whole && response.status == 508, "{}", response.head);
    }
}
