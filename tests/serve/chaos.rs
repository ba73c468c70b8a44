//! A minute of mixed load while the origin dies, slows down, lies and returns at random: nobody hangs, no body is wrong, memory
//! stays within its bound.

use std::io::{BufReader, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use difusor::base::clock::Monotonic;
use difusor::base::digest::Digest;

use crate::common::origin::{Origin, answer};
use crate::common::server::{Setup, Site};
use crate::common::wire::connect;

/// How long it goes on.
const RUN: Duration = Duration::from_secs(60);
/// Everybody is answered within this, on a machine that does much else: three times what the settings allow.
const ANSWER_MAX: Duration = Duration::from_secs(30);
const CLIENTS: usize = 16;
const KEYS: u64 = 400;
/// What the settings give the cache is 4 MiB; the rest is the program, its stacks and what is on its way.
const RESIDENT_MAX_KB: u64 = 256 << 10;

/// Numbers that look random; the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        // xorshift64 (Marsaglia, 2003)
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// The body of a key: its name, its digest, and as much more as the key says.
fn body(key: u64) -> Vec<u8> {
    let rest = vec![b'a' + (key % 26) as u8; (key * 97 % 30_000) as usize];
    [format!("{key} {} ", Digest::of(&rest)).into_bytes(), rest].concat()
}

fn origin(mood: Arc<AtomicU64>) -> Origin {
    Origin::start(move |heard, to| {
        let key: u64 = heard.target().rsplit('/').next().unwrap().parse().unwrap();
        let bytes = body(key);
        let fields = match key % 4 {
            0 => "Cache-Control: max-age=600\r\n",
            1 => "Cache-Control: max-age=1, stale-while-revalidate=2\r\nETag: \"a\"\r\n",
            2 => "Cache-Control: no-store\r\n",
            _ => "Cache-Control: max-age=0\r\nETag: \"a\"\r\nVary: accept\r\n",
        };
        match mood.load(SeqCst) {
            1 => {}
            2 => answer(to, "200 OK", fields, Some(bytes.len()), &bytes[..bytes.len() / 2]),
            3 => answer(to, "500 Internal Server Error", "", Some(0), b""),
            4 => drop(to.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n")),
            // Nothing, until the other side has had enough.
            5 => drop(to.read(&mut [0; 1])),
            _ if heard.field("if-none-match") == Some("\"a\"") => {
                answer(to, "304 Not Modified", fields, None, b"");
            }
            _ => answer(to, "200 OK", fields, Some(bytes.len()), &bytes),
        }
    })
}

/// One request; the status, and the body where it came whole. 0 where the connection ended without a word: a body that broke
/// off before any of it was sent.
fn ask(to: SocketAddr, key: u64) -> (u16, Option<Vec<u8>>) {
    let mut stream = connect(to);
    let request = format!("GET /caos/{key} HTTP/1.1\r\nHost: prep\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut all = Vec::new();
    // A reset is what a body that breaks off looks like.
    let _ = BufReader::new(stream).read_to_end(&mut all);
    if all.is_empty() {
        return (0, None);
    }
    let Some(end) = all.windows(4).position(|four| four == b"\r\n\r\n") else { panic!("no head for {key}: {all:?}") };
    let head = String::from_utf8(all[..end].to_vec()).unwrap().to_lowercase();
    let status = head[9..12].parse().unwrap();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")).map(|n| n.parse::<usize>().unwrap());
    let rest = all.split_off(end + 4);
    (status, length.filter(|length| *length == rest.len()).map(|_| rest))
}

fn resident_kb(site: &Site) -> u64 {
    let pid = site.pid().as_raw_nonzero();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_minute_with_an_origin_that_dies_and_returns() {
    let mood = Arc::new(AtomicU64::new(0));
    let origin = origin(mood.clone());
    let limits = "connect = \"1s\"\nfirst_byte = \"1s\"\nidle = \"1s\"\ntotal = \"3s\"\nconnections = 8";
    let route = "path = \"/caos\"\nwait = \"3s\"\nstale_if_error = \"1h\"";
    let site = Setup::clear()
        .with("proxy", "memory = \"4 MiB\"\nobject = \"1 MiB\"")
        .origin(origin.address, limits, route)
        .start();
    let (is_over, good, bad) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let to = site.http();
    std::thread::scope(|scope| {
        for n in 0..CLIENTS {
            let (is_over, good, bad) = (&is_over, &good, &bad);
            scope.spawn(move || {
                let mut dice = Dice(n as u64 * 7919 + 1);
                while !is_over.load(SeqCst) {
                    // Some keys are asked for by everybody.
                    let below = if dice.roll(2) == 0 { 8 } else { KEYS };
                    let (key, begun) = (dice.roll(below), Monotonic::now());
                    let (status, whole) = ask(to, key);
                    assert!(begun.elapsed() < ANSWER_MAX, "{key} took {:?}", begun.elapsed());
                    match (status, whole) {
                        (200, Some(bytes)) => {
                            assert!(bytes == body(key), "the body of another than {key}");
                            good.fetch_add(1, SeqCst);
                        }
                        (0 | 200 | 500 | 502 | 503 | 504, _) => drop(bad.fetch_add(1, SeqCst)),
                        (other, _) => panic!("{key} was answered {other}"),
                    }
                }
            });
        }
        let (mut dice, begun) = (Dice(42), Monotonic::now());
        while begun.elapsed() < RUN {
            mood.store(dice.roll(9), SeqCst);
            std::thread::sleep(Duration::from_millis(50 + dice.roll(400)));
        }
        is_over.store(true, SeqCst);
    });
    let (good, bad) = (good.load(SeqCst), bad.load(SeqCst));
    assert!(good > 100 && bad > 0, "{good} good, {bad} not: it was no chaos");
    assert!(resident_kb(&site) < RESIDENT_MAX_KB, "{} kB", resident_kb(&site));
    mood.store(0, SeqCst);
    // All is well again by itself.
    for key in 0..8 {
        let back = crate::common::server::until(|| {
            Some(ask(to, key)).filter(|(status, whole)| *status == 200 && whole.is_some())
        });
        assert_eq!(back.expect("it comes back").1.unwrap(), body(key));
    }
}
