//! SIGTERM: no more connections, what is under way finishes, and the exit code is 0.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use difusor::base::clock::Monotonic;
use difusor::base::digest::Digest;
use socket2::SockRef;

use crate::common::frames;
use crate::common::metrics::metric;
use crate::common::secure::Client;
use crate::common::server::{Setup, Site, until};
use crate::common::wire::{Talk, connect};
use crate::common::{Tree, corte, tool};

const ID: &str = "20240602_2010";
/// More than the buffers of two sockets hold.
const LARGE: usize = 24 << 20;
/// What idle connections may cost at most; the grace is far longer.
const SOON: Duration = Duration::from_secs(6);

fn video() -> Vec<u8> {
    (0..LARGE as u32 / 4).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

fn site(setup: Setup) -> Site {
    let site = setup.start();
    site.deliver("p", &Tree::of(&corte(ID), &[("index.html", b"<p>"), ("acta.mp4", &video())]));
    site.live(ID);
    site
}

/// Asks for the large file, and reads no more of it than its head.
fn begun(site: &Site) -> TcpStream {
    let stream = connect(site.http());
    SockRef::from(&stream).set_recv_buffer_size(64 << 10).unwrap();
    let mut stream = stream;
    stream.write_all(b"GET /acta.mp4 HTTP/1.1\r\nHost: prep\r\n\r\n").unwrap();
    stream.read_exact(&mut [0; 16]).unwrap();
    stream
}

#[test]
fn a_slow_download_finishes_and_nobody_new_is_let_in() {
    let mut site = site(Setup::clear().with("stop", "grace = \"60s\""));
    let mut slow = begun(&site);
    site.terminate();
    site.log_line(&["stopping", "SIGTERM"]);
    let address = site.http();
    until(|| TcpStream::connect(address).is_err().then_some(())).expect("new connections are refused");
    // Piece by piece, as over a slow line.
    let (mut rest, mut piece) = (Vec::new(), vec![0; 1 << 20]);
    loop {
        match slow.read(&mut piece).unwrap() {
            0 => break,
            n => rest.extend_from_slice(&piece[..n]),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(Digest::of(&rest[rest.len() - LARGE..]), Digest::of(&video()), "every byte came");
    assert_eq!(site.ended(), Some(0));
    site.log_line(&["INFO stopped"]);
}

#[test]
fn a_slow_download_over_http2_and_tls_finishes_too() {
    let Some(_) = tool("curl") else { return };
    let mut site = site(Setup::both(&["a.example"]).with("stop", "grace = \"60s\""));
    let url = format!("https://a.example:{}/acta.mp4", site.https().port());
    let mut curl = Command::new("curl");
    curl.args([
        "-sS",
        "--http2",
        "--cacert",
        "a.example.pem",
        "--limit-rate",
        "12M",
        "--connect-to",
        "::127.0.0.1:",
        "-o",
        "got",
        &url,
    ]);
    let mut curl = curl.current_dir(site.dir.path()).stdin(Stdio::null()).spawn().unwrap();
    let got = site.path("got");
    let size = || std::fs::metadata(&got).map_or(0, |meta| meta.len());
    until(|| (size() > 0).then_some(())).expect("the download has begun");
    site.terminate();
    site.log_line(&["stopping"]);
    assert!(size() < LARGE as u64, "it is still under way");
    assert!(curl.wait().unwrap().success());
    assert!(std::fs::read(&got).unwrap() == video());
    assert_eq!(site.ended(), Some(0));
}

/// Whoever speaks while he reads, as those do who make room bit by bit, is sent the last of it too.
#[test]
fn a_client_that_speaks_to_the_end_has_all_of_it() {
    let mut site = site(Setup::clear().with("stop", "grace = \"60s\""));
    let stream = connect(site.http());
    SockRef::from(&stream).set_recv_buffer_size(16 << 10).unwrap();
    let mut client = Client::clear(stream);
    let fields = [(":method", "GET"), (":scheme", "http"), (":authority", "prep"), (":path", "/acta.mp4")];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    client.say(&[frames::open(0x7fff_0000), frames::Asked { fields, ..Default::default() }.frames(1)].concat());
    let (mut rest, mut is_told) = (Vec::new(), false);
    while let Some((kind, flags, _, payload)) = frames::hear(&mut client) {
        match kind {
            frames::DATA => rest.extend(payload),
            frames::PING if flags == 0 => client.say(&frames::frame(frames::PING, frames::ACK, 0, &payload)),
            _ => {}
        }
        if !is_told && !rest.is_empty() {
            is_told = true;
            site.terminate();
            site.log_line(&["stopping"]);
        }
        client.say(&frames::frame(frames::WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes()));
        std::thread::sleep(Duration::from_micros(500));
    }
    assert!(rest == video(), "{} of {LARGE} bytes", rest.len());
    drop(client);
    assert_eq!(site.ended(), Some(0));
}

#[test]
fn who_asks_for_nothing_is_not_waited_for() {
    let mut site = site(Setup::both(&["a.example"]).with("stop", "grace = \"60s\""));
    let mut kept = Talk::with(site.http());
    assert_eq!(kept.get("/", "").status, 200);
    let silent = [connect(site.http()), connect(site.https())];
    let mut half = connect(site.http());
    half.write_all(b"GET / HTTP/1.1\r\nHo").unwrap();
    let mut preface = connect(site.http());
    preface.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    let mut begun = connect(site.http());
    begun.write_all(b"PR").unwrap();
    // Connections are accepted in turn: when this one is answered, those before it have their seats.
    for _ in 0..8 {
        assert_eq!(site.get("/").status, 200);
    }
    let started = Monotonic::now();
    site.terminate();
    assert_eq!(site.ended(), Some(0));
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    drop((kept, silent, half, preface, begun));
}

#[test]
fn the_grace_has_an_end() {
    let mut site = site(Setup::clear().with("stop", "grace = \"500ms\""));
    let stuck = begun(&site);
    let started = Monotonic::now();
    site.terminate();
    assert_eq!(site.ended(), Some(0));
    assert!(started.elapsed() >= Duration::from_millis(500) && started.elapsed() < SOON, "{:?}", started.elapsed());
    drop(stuck);
}

#[test]
fn a_connection_in_use_is_told_that_it_ends() {
    let mut site = site(Setup::clear().with("stop", "grace = \"60s\""));
    let mut slow = begun(&site);
    // On every core: those who have not asked are sent away when draining has begun there.
    let silent: Vec<TcpStream> = (0..16).map(|_| connect(site.http())).collect();
    let mut talk = Talk::with(site.http());
    assert_eq!(talk.get("/", "").field("connection"), None);
    talk.say("GET / HTTP/1.1\r\nHost: prep\r\n");
    // The silent are accepted a moment later than whoever speaks.
    until(|| (metric(&site, "difusor_connections") >= 18).then_some(())).expect("all have their seats");
    site.terminate();
    for mut stream in silent {
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    }
    talk.say("\r\n");
    // Either it was closed between two requests, or it is answered once more and told so.
    if let Some(last) = talk.hear() {
        assert_eq!((last.status, last.field("connection")), (200, Some("close")), "{}", last.head);
        assert!(talk.hear().is_none());
    }
    let _ = slow.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(site.ended(), Some(0));
}

#[test]
fn a_reader_that_stalls_for_a_while_gets_everything() {
    let mut site = site(Setup::clear().with("stop", "grace = \"60s\""));
    let mut slow = begun(&site);
    site.terminate();
    site.log_line(&["stopping", "SIGTERM"]);
    // The stall itself is what is tested: a phone in a tunnel.
    std::thread::sleep(Duration::from_secs(4));
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).unwrap();
    assert_eq!(Digest::of(&rest[rest.len() - LARGE..]), Digest::of(&video()), "every byte came");
    assert_eq!(site.ended(), Some(0));
}

#[test]
fn a_full_house_does_not_hold_up_the_end() {
    let limits = "connections = 1\n[stop]\ngrace = \"1s\"";
    let mut site = site(Setup::clear().with("limits", limits));
    // One seat a core, taken by clients that stay; the others wait in the kernel's queue.
    let stay: Vec<TcpStream> = (0..8).map(|_| connect(site.http())).collect();
    let started = Monotonic::now();
    site.terminate();
    assert_eq!(site.ended(), Some(0));
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    drop(stay);
}

/// Standard error as a pipe whose reader goes once it has heard that all is ready.
const UNTIL_READY: &str =
    r#"exec "$0" "$@" 2> >(while read -r line; do echo "$line" >&2; case $line in *" ready "*) exit;; esac; done)"#;

/// A full disk under a log file, `| tee` that was ended: what cannot be told is not told, and nothing else fails.
#[test]
fn a_log_that_nobody_takes_ends_nothing() {
    let mut site = Setup::clear().through(["bash", "-c", UNTIL_READY].map(str::to_owned).into()).start();
    for (n, id) in [ID, "20240602_2020"].into_iter().enumerate() {
        let corte = Tree::of(&corte(id), &[("index.html", b"<p>")]);
        site.deliver(&n.to_string(), &corte);
        site.live(id);
    }
    site.terminate();
    assert_eq!(site.ended(), Some(0));
}
