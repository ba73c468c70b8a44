//! Clients that mean harm over HTTP/2, by their own frames: each is told to calm down and let go, memory stays where it was, and
//! others are served meanwhile. Which frames end a connection is told by a table beside the core; here is what it costs.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use crate::common::frames::{Asked, frame};
use crate::common::server::{Setup, Site, until};
use crate::common::wire::{Talk, connect};
use crate::common::{Tree, corte};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const ID: &str = "20240602_2010";
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const ENHANCE_YOUR_CALM: u8 = 11;
/// What a flood sends at most: thousands of times what any budget lets through.
const FLOOD_BYTES: usize = 32 << 20;
/// What the process may have grown by, pages of its allocator included.
const GROWTH_KIB: u64 = 48 << 10;
const LARGE: usize = 4 << 20;

/// What comes next of a flood.
type More = Box<dyn Fn(u32) -> Vec<u8>>;

fn site() -> Site {
    let site = Setup::clear().with("limits", "client_requests = 0").start();
    let large: Vec<u8> = (0..LARGE as u32 / 4).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    site.deliver("p", &Tree::of(&corte(ID), &[("index.html", b"<p>"), ("acta.mp4", &large)]));
    site.live(ID);
    // What compresses has memory of its own.
    site.log_line(&["compressed best"]);
    site
}

fn resident_kib(site: &Site) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", site.pid().as_raw_nonzero())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn get(path: &str, stream: u32) -> Vec<u8> {
    let fields = [(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "prep")];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Asked { fields: fields.to_vec(), ..Asked::default() }.frames(stream)
}

/// Sends what `more` makes, until the server has had enough; returns what it said.
fn flood(site: &Site, more: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    let mut stream = connect(site.http());
    let mut listening = stream.try_clone().unwrap();
    let hearing = std::thread::spawn(move || {
        let (mut heard, mut piece) = (Vec::new(), [0; 4096]);
        while let Ok(n @ 1..) = listening.read(&mut piece) {
            heard.extend_from_slice(&piece[..n]);
        }
        heard
    });
    let mut sent = 0;
    let mut said = |bytes: &[u8]| {
        sent += bytes.len();
        assert!(sent < FLOOD_BYTES, "it is never enough");
        is_taken(stream.write_all(bytes))
    };
    said(&[PREFACE, &frame(SETTINGS, 0, 0, b"")].concat());
    let mut n = 0;
    while said(&(n..n + 64).flat_map(&more).collect::<Vec<_>>()) {
        n += 64;
    }
    let _ = stream.shutdown(std::net::Shutdown::Both);
    hearing.join().unwrap()
}

fn is_taken(written: std::io::Result<()>) -> bool {
    match written {
        Ok(()) => true,
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{error}");
            false
        }
    }
}

/// The reason of the last GOAWAY.
fn reason(mut heard: &[u8]) -> Option<u8> {
    let mut reason = None;
    while let [a, b, c, kind, _, _, _, _, _, rest @ ..] = heard {
        let len = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        let Some(payload) = rest.get(..len) else { break };
        if *kind == GOAWAY {
            reason = payload.get(7).copied();
        }
        heard = &rest[len..];
    }
    reason
}

#[test]
fn floods_end_soon_and_cost_little() {
    let site = site();
    let post = |stream: u32| {
        let fields = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "prep")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut frames = Asked { fields: fields.to_vec(), ..Asked::default() }.frames(stream);
        // Its body is to come.
        frames[4] &= !1;
        frames
    };
    let rst = |stream: u32| frame(3, 0, stream, &8u32.to_be_bytes());
    let floods: Vec<(&str, More)> = vec![
        ("rapid reset", Box::new(move |n| [get("/", n * 2 + 1), rst(n * 2 + 1)].concat())),
        ("made you reset", Box::new(move |n| [post(n * 2 + 1), frame(8, 0, n * 2 + 1, &[0; 4])].concat())),
        ("PING", Box::new(|_| frame(6, 0, 0, &[0; 8]))),
        ("SETTINGS", Box::new(|_| frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 9]))),
        ("empty DATA", Box::new(move |n| if n == 0 { post(1) } else { frame(0, 0, 1, b"") })),
        ("CONTINUATION", Box::new(|n| frame(if n == 0 { 1 } else { 9 }, 0, 1, &[0x82; 100]))),
        ("WINDOW_UPDATE", Box::new(|_| frame(8, 0, 0, &[0, 0, 0, 1]))),
        ("PRIORITY", Box::new(|n| frame(2, 0, 1, &[0, 0, 0, 3 + (n % 2) as u8, 9]))),
    ];
    // Once round, so that what is made once is there.
    flood(&site, &floods[2].1);
    let before = resident_kib(&site);
    for (name, more) in &floods {
        let mut other = Talk::with(site.http());
        let heard = flood(&site, more);
        // A reset that overtakes it takes the last word away.
        if let Some(reason) = reason(&heard) {
            assert_eq!(reason, ENHANCE_YOUR_CALM, "{name}");
        }
        assert_eq!(other.get("/", "").status, 200, "{name}");
    }
    let after = resident_kib(&site);
    assert!(after < before + GROWTH_KIB, "{before} KiB before, {after} KiB after");
}

/// 40 clients ask for the same large file on 100 streams each, 16 GiB in all, and read nothing of it: it is in memory once.
#[test]
fn who_does_not_read_holds_nothing() {
    let site = site();
    let before = resident_kib(&site);
    let all: Vec<TcpStream> = (0..40)
        .map(|_| {
            let mut stream = connect(site.http());
            // Windows as large as there are: only the kernel holds anything back.
            let open =
                [frame(SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff]), frame(8, 0, 0, &[0x7f, 0, 0, 0])].concat();
            let asked = (0..100).flat_map(|n| get("/acta.mp4", n * 2 + 1));
            stream.write_all(&[PREFACE.to_vec(), open, asked.collect()].concat()).unwrap();
            stream
        })
        .collect();
    // All of them have been answered as far as it goes.
    for stream in &all {
        let arrived = || (stream.peek(&mut [0; 64]).unwrap() == 64).then_some(());
        until(arrived).expect("something comes");
    }
    assert_eq!(Talk::with(site.http()).get("/", "").status, 200);
    let after = resident_kib(&site);
    assert!(after < before + GROWTH_KIB, "{before} KiB before, {after} KiB after");
}

/// Windows that open by a byte: each byte is a frame, and soon it is enough.
#[test]
fn who_reads_by_the_byte_is_let_go() {
    let site = site();
    let heard = flood(&site, |n| match n {
        0 => [frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]), get("/acta.mp4", 1)].concat(),
        _ => frame(8, 0, 1, &[0, 0, 0, 1]),
    });
    assert!(heard.len() < 1 << 20, "{}", heard.len());
    assert!(reason(&heard).is_none_or(|reason| reason == ENHANCE_YOUR_CALM));
}
