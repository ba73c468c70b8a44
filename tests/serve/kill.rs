//! The real process ended by SIGKILL at any moment of a night, under load, on a real file system.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use difusor::base::clock::Monotonic;
use difusor::base::digest::Digest;

use crate::common::server::{Setup, until};
use crate::common::wire::decode;
use crate::common::{Tree, corte, data, sh, tool};

const KILLS: usize = 200;
const READERS: usize = 3;

/// The ID of corte number `n`, a minute after the one before.
fn id(n: usize) -> String {
    format!("20240602_{:02}{:02}", 10 + n / 60, n % 60)
}

/// Bodies of a real night, as many as there are; invented ones where it is not at hand.
fn bodies() -> Vec<Vec<u8>> {
    let real = tempfile::tempdir().unwrap();
    if let (Some(_), Some(archive)) = (tool("xz"), data("mx-2018-diputados/snapshots.tar.xz")) {
        let archive = std::fs::canonicalize(archive).unwrap();
        sh(real.path(), &format!("tar xJf '{}' --strip-components=1", archive.display()));
    }
    let mut files: Vec<_> = std::fs::read_dir(real.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let real: Vec<Vec<u8>> =
        files.iter().map(|file| std::fs::read(file).unwrap()).filter(|b| b.starts_with(b"{")).collect();
    if !real.is_empty() {
        return real;
    }
    (0..100).map(|n| format!("{{\"total\":{n},\"votos\":[{}]}}", "1,".repeat(9_000) + "0").into_bytes()).collect()
}

/// A deterministic stream of numbers, so that a failure can be had again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// What readers ask for, and how.
const ASKED: [(&str, &str); 5] = [
    ("datos.json", "identity"),
    ("index.html", "identity"),
    ("datos.json", "br"),
    ("datos.json", "gzip"),
    ("datos.json", "zstd"),
];
/// From one question of a reader to the next: all of them together keep the process busy, and leave it some time.
const PAUSE: Duration = Duration::from_millis(1);
/// What the promise says of a start, for a program built to be shipped, on a machine of its own.
const PROMISED: Duration = Duration::from_secs(2);

/// What readers are watched for.
struct Watch {
    address: Mutex<SocketAddr>,
    /// The digest of each file under each corte.
    wanted: HashMap<(String, &'static str), Digest>,
    /// The latest corte that anybody has seen.
    latest: Mutex<String>,
    is_over: AtomicBool,
    whole: AtomicU64,
    faults: Mutex<Vec<String>>,
}

impl Watch {
    /// Asks over and over; connections may break, answers may not be wrong.
    fn read(&self) {
        for n in 0.. {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let address = *self.address.lock().unwrap();
            self.ask(address, ASKED[n % ASKED.len()]);
            std::thread::sleep(PAUSE);
        }
    }

    /// The corte that is shown; `None` where nothing answers. What was seen by anybody before this question is not
    /// followed by anything earlier.
    fn ask(&self, address: SocketAddr, (file, coding): (&'static str, &str)) -> Option<String> {
        let before = self.latest.lock().unwrap().clone();
        let (corte, body) = ask(address, file, coding)?;
        self.whole.fetch_add(1, Ordering::Relaxed);
        let is_wrong = self.wanted.get(&(corte.clone(), file)) != Some(&Digest::of(&body));
        if is_wrong || corte < before {
            let fault = format!("{file} as {coding}: {corte} after {before}, wrong bytes: {is_wrong}");
            self.faults.lock().unwrap().push(fault);
        }
        let mut latest = self.latest.lock().unwrap();
        if *latest < corte {
            latest.clone_from(&corte);
        }
        Some(corte)
    }
}

/// The corte and the content of a whole answer; `None` where the connection broke or nothing is live.
fn ask(address: SocketAddr, file: &str, coding: &str) -> Option<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let fields = format!("host: a\r\nconnection: close\r\naccept-encoding: {coding}\r\n");
    stream.write_all(format!("GET /{file} HTTP/1.1\r\n{fields}\r\n").as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8(answer[..end].to_vec()).ok()?;
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    let body = answer.split_off(end + 4);
    let length: usize = field("content-length: ")?.parse().ok()?;
    let is_whole = head.starts_with("HTTP/1.1 200") && body.len() == length;
    let coding = field("content-encoding: ").unwrap_or_else(|| "identity".into());
    is_whole.then(|| Some((field("corte: ")?, decode(&coding, &body))))?
}

#[test]
fn killed_two_hundred_times_in_a_night() {
    const SEED: u64 = 20_260_607;
    eprintln!("seed {SEED}");
    let (bodies, mut dice) = (bodies(), Dice(SEED));
    let body = |n: usize| &bodies[n % bodies.len()][..];
    // Two files under each stamp, so that a mixture would show: the page names the corte.
    let package = |n: usize| Tree::of(&corte(&id(n)), &[("datos.json", body(n)), ("index.html", id(n).as_bytes())]);
    let mut site = Setup::clear().with("vault", "cortes = 30").start();
    let of = |n: usize| {
        [((id(n), "datos.json"), Digest::of(body(n))), ((id(n), "index.html"), Digest::of(id(n).as_bytes()))]
    };
    let watch = Arc::new(Watch {
        address: Mutex::new(site.http()),
        wanted: (0..=KILLS).flat_map(of).collect(),
        latest: Mutex::default(),
        is_over: AtomicBool::new(false),
        whole: AtomicU64::new(0),
        faults: Mutex::default(),
    });
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let watch = watch.clone();
            std::thread::spawn(move || watch.read())
        })
        .collect();
    // The kill comes within twice the time that a corte took to be live on this machine.
    let started = Monotonic::now();
    site.deliver("primero.tar", &package(0));
    site.live(&id(0));
    let window = 2 * started.elapsed();
    let (mut survived, mut starts, mut last) = (0, Vec::new(), id(0));
    for n in 1..=KILLS {
        let name = format!("{}.tar", id(n));
        site.deliver(&name, &package(n));
        // Not a wait for something to happen: the moment of the kill.
        std::thread::sleep(Duration::from_micros(dice.roll(window.as_micros() as u64)));
        let seen = watch.ask(site.http(), ASKED[0]).unwrap_or_default();
        // By turns with no source reachable: what was not taken in is gone, or goes live after the start.
        let is_gone = n % 2 == 0;
        if is_gone {
            std::fs::remove_file(site.incoming().join(&name)).unwrap();
        }
        let started = Monotonic::now();
        site.kill_and_start();
        let shown = until(|| watch.ask(site.http(), ASKED[1])).expect("a corte is shown again");
        starts.push(started.elapsed());
        *watch.address.lock().unwrap() = site.http();
        assert!(shown >= seen && shown >= last, "{shown} after {seen} and {last}");
        survived += u32::from(shown == id(n));
        last = shown;
        if !is_gone {
            site.live(&id(n));
            last = id(n);
        }
    }
    watch.is_over.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.join().unwrap();
    }
    assert_eq!(*watch.faults.lock().unwrap(), [""; 0]);
    let whole = watch.whole.load(Ordering::Relaxed);
    starts.sort_unstable();
    let within = starts.iter().filter(|took| **took < PROMISED).count();
    let (half, longest) = (starts[KILLS / 2], starts[KILLS - 1]);
    eprintln!(
        "a start serves after {half:?} at the median, {longest:?} at most, {within} of {KILLS} within {PROMISED:?}"
    );
    eprintln!("{survived} of {KILLS} cortes were live or whole at the kill; {whole} whole answers");
    assert!(whole > KILLS as u64 && survived > 10 && survived < KILLS as u32, "kills come at all moments: {survived}");
}
