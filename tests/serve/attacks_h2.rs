//! Floods of HTTP/2 frames, by frames of our own: whichever library or code of ours reads them, each ends the connection or is
//! borne within bounded memory, and nobody else is kept waiting.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use difusor::base::clock::Monotonic;

use super::attacks::{Control, Stage};
use crate::common::frames::{
    ACK, Asked, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, block, frame, open,
};
use crate::common::secure;
use crate::common::wire::connect;

/// Attackers at once.
const ATTACKERS: usize = 4;
/// How long each may go on: a server that bears it bears it.
const LASTS: Duration = Duration::from_secs(3);
/// What all of them may add to the memory of the process.
const GROWTH_MAX_BYTES: u64 = 64 << 20;

fn fields(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn asked(method: &str, path: &str) -> Vec<(String, String)> {
    fields(&[(":method", method), (":scheme", "http"), (":path", path), (":authority", "prep")])
}

/// A stream that is opened, and stays open on the client's side where `flags` do not end it.
fn headers(stream: u32, flags: u8, method: &str, path: &str) -> Vec<u8> {
    frame(HEADERS, flags, stream, &block(&asked(method, path)))
}

/// What became of an attacker.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    /// Rounds that were sent.
    rounds: u32,
    /// Connections that the server has ended; after each, the attacker comes again.
    closed: u32,
}

/// Sends round after round, on a new connection as soon as the server has enough of one. With `reads`, its answers are read and
/// thrown away, else they pile up.
fn attack(to: SocketAddr, first: &[u8], round: &impl Fn(u32) -> Vec<u8>, reads: bool) -> End {
    let started = Monotonic::now();
    let mut end = End::default();
    while started.elapsed() < LASTS {
        let mut stream = connect(to);
        stream.set_write_timeout(Some(LASTS)).unwrap();
        let reading = reads.then(|| {
            let mut stream = stream.try_clone().unwrap();
            std::thread::spawn(move || {
                let mut room = vec![0; 1 << 16];
                while matches!(stream.read(&mut room), Ok(1..)) {}
            })
        });
        let mut sent = stream.write_all(first);
        for n in 0.. {
            if sent.is_err() || started.elapsed() >= LASTS {
                break;
            }
            sent = stream.write_all(&round(n));
            end.rounds += 1;
        }
        // A server that stops reading bears it, too.
        let bears = |error: &io::Error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
        end.closed += u32::from(sent.is_err_and(|error| !bears(&error)));
        let _ = stream.shutdown(Shutdown::Both);
        if let Some(reading) = reading {
            reading.join().unwrap();
        }
    }
    end
}

/// Several attackers at once beside a client who only wants to know; what became of each.
fn flood(name: &str, first: &[u8], round: impl Fn(u32) -> Vec<u8> + Sync, reads: bool) -> Vec<End> {
    let stage = Stage::new("");
    let control = Control::start(stage.site.http());
    let to = stage.site.http();
    let mut most = 0;
    let ends = std::thread::scope(|scope| {
        let attackers: Vec<_> = (0..ATTACKERS).map(|_| scope.spawn(|| attack(to, first, &round, reads))).collect();
        while attackers.iter().any(|one| !one.is_finished()) {
            most = stage.is_bounded(most, GROWTH_MAX_BYTES);
            std::thread::sleep(Duration::from_millis(20));
        }
        attackers.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    let rounds: u32 = ends.iter().map(|end| end.rounds).sum();
    let closed: u32 = ends.iter().map(|end| end.closed).sum();
    eprintln!("{name}: {rounds} rounds, {closed} connections ended, {} MB more at most", most >> 20);
    control.judge(name);
    stage.gives_all_back(name);
    ends
}

fn are_closed(ends: &[End]) {
    assert!(ends.iter().all(|end| end.closed > 0), "{ends:?}");
}

fn preface() -> Vec<u8> {
    open(65_535)
}

/// Odd numbers from 1, for a while.
fn stream(n: u32) -> u32 {
    (n.wrapping_mul(2) % 0x7fff_fffe) | 1
}

/// CVE-2023-44487: streams that are asked for and given up at once.
#[test]
fn rapid_reset() {
    let cancel = 8_u32.to_be_bytes();
    let round = |n: u32| {
        let ends = END_HEADERS | END_STREAM;
        [headers(stream(n), ends, "GET", "/grande.zip"), frame(RST_STREAM, 0, stream(n), &cancel)].concat()
    };
    flood("rapid reset", &preface(), round, true);
    flood("rapid reset, unread", &preface(), round, false);
}

/// CVE-2025-8671: the server is made to reset them itself, by an update of no window.
#[test]
fn made_you_reset() {
    let round = |n: u32| {
        let ends = END_HEADERS | END_STREAM;
        [headers(stream(n), ends, "GET", "/grande.zip"), frame(WINDOW_UPDATE, 0, stream(n), &[0; 4])].concat()
    };
    flood("made you reset", &preface(), round, true);
}

/// The CONTINUATION flood of 2024: a head without end.
#[test]
fn continuation_without_end() {
    let first = [preface(), headers(1, END_STREAM, "GET", "/")].concat();
    let part = block(&fields(&[("x", &"a".repeat(1000))])).repeat(16);
    are_closed(&flood("CONTINUATION", &first, |_| frame(CONTINUATION, 0, 1, &part[..16_000]), true));
    // Frames with nothing in them make no head longer.
    are_closed(&flood("CONTINUATION of nothing", &first, |_| frame(CONTINUATION, 0, 1, b"").repeat(100), true));
}

#[test]
fn pings_and_settings_that_want_answers() {
    let ping = frame(PING, 0, 0, b"ataque!!").repeat(100);
    flood("pings", &preface(), |_| ping.clone(), true);
    flood("pings, unread", &preface(), |_| ping.clone(), false);
    let settings = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff]).repeat(100);
    flood("settings, unread", &preface(), |_| settings.clone(), false);
    let acks = frame(SETTINGS, ACK, 0, b"").repeat(100);
    flood("settings that nobody has sent", &preface(), |_| acks.clone(), true);
}

/// Bodies of nothing, or of a byte each, for a resource that takes none.
#[test]
fn frames_that_carry_next_to_nothing() {
    let first = [preface(), headers(1, END_HEADERS, "POST", "/index.html")].concat();
    flood("empty DATA", &first, |_| frame(DATA, 0, 1, b"").repeat(200), true);
    flood("DATA of a byte", &first, |_| frame(DATA, 0, 1, b"x").repeat(200), true);
}

/// Frames that say nothing that counts.
#[test]
fn frames_that_say_nothing() {
    let round = |n: u32| {
        let weight = [0, 0, 0, 0, 16];
        frame(PRIORITY, 0, stream(n), &weight).repeat(100)
    };
    flood("priorities", &preface(), round, true);
    flood("frames of no known kind", &preface(), |_| frame(0x42, 0, 0, b"nada").repeat(100), true);
    flood("windows of a byte", &preface(), |_| frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes()).repeat(100), true);
}

/// A field of 4 KB in the table, and a head of nothing but references to it (RFC 7541, 7.3).
#[test]
fn a_head_that_grows_when_it_is_read() {
    let value = "a".repeat(3900);
    let stored = [&[0x40, 1, b'x', 127, 0xbd, 0x1d][..], value.as_bytes()].concat();
    let begin = [block(&asked("GET", "/")), stored].concat();
    let first = [preface(), frame(HEADERS, END_HEADERS | END_STREAM, 1, &begin)].concat();
    let round = |n: u32| {
        // The newest entry of the table, as often as a frame has room for.
        let many = [block(&asked("GET", "/")), vec![0xbe; 16_000]].concat();
        frame(HEADERS, END_HEADERS | END_STREAM, stream(n + 1), &many)
    };
    flood("HPACK bomb", &first, round, true);
}

/// All the streams there may be, each of which asks for a large file and has no window for it.
#[test]
fn windows_that_stay_shut() {
    let asks = |n: u32| headers(stream(n), END_HEADERS | END_STREAM, "GET", "/grande.zip");
    let first = [open(0), (0..100).flat_map(asks).collect()].concat();
    let nudge = |n: u32| {
        std::thread::sleep(Duration::from_millis(20));
        frame(WINDOW_UPDATE, 0, stream(n % 100), &1_u32.to_be_bytes())
    };
    flood("shut windows", &first, nudge, true);
}

/// The same by TLS, for one of them: what holds below it holds under it.
#[test]
fn a_flood_under_tls() {
    let stage = Stage::new("");
    let control = Control::start(stage.site.http());
    let mut client = secure::client(connect(stage.site.https()), &stage.site.path("prep.example.pem"), b"h2");
    client.say(&preface());
    let ping = frame(PING, 0, 0, b"ataque!!").repeat(100);
    let started = Monotonic::now();
    let mut most = 0;
    while started.elapsed() < LASTS {
        let whole = Asked { fields: asked("GET", "/index.html"), ..Asked::default() };
        client.say(&[ping.clone(), whole.frames(1)].concat());
        most = stage.is_bounded(most, GROWTH_MAX_BYTES);
    }
    eprintln!("under TLS: {} MB more at most", most >> 20);
    control.judge("under TLS");
    drop(client);
    stage.gives_all_back("under TLS");
}
