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

/// What readers are watched for.
struct Watch {
    address: Mutex<SocketAddr>,
    /// The digest of the file under each corte.
    wanted: HashMap<String, Digest>,
    is_over: AtomicBool,
    whole: AtomicU64,
    faults: Mutex<Vec<String>>,
}

impl Watch {
    /// Asks over and over; connections may break, answers may not be wrong.
    fn read(&self) {
        let mut last = String::new();
        while !self.is_over.load(Ordering::Relaxed) {
            let address = *self.address.lock().unwrap();
            let Some((corte, body)) = ask(address) else {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            };
            self.whole.fetch_add(1, Ordering::Relaxed);
            let is_wrong = self.wanted.get(&corte) != Some(&Digest::of(&body));
            if is_wrong || corte < last {
                self.faults.lock().unwrap().push(format!("{corte} after {last}, wrong bytes: {is_wrong}"));
            }
            last = corte;
        }
    }
}

/// The corte and the body of a whole answer; `None` where the connection broke or nothing is live.
fn ask(address: SocketAddr) -> Option<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.write_all(b"GET /datos.json HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8(answer[..end].to_vec()).ok()?;
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    let body = answer.split_off(end + 4);
    let length: usize = field("content-length: ")?.parse().ok()?;
    (head.starts_with("HTTP/1.1 200") && body.len() == length).then_some((field("corte: ")?, body))
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
    let watch = Arc::new(Watch {
        address: Mutex::new(site.http()),
        wanted: (0..=KILLS).map(|n| (id(n), Digest::of(body(n)))).collect(),
        is_over: AtomicBool::new(false),
        whole: AtomicU64::new(0),
        faults: Mutex::new(Vec::new()),
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
    let (mut survived, mut last) = (0, id(0));
    for n in 1..=KILLS {
        let name = format!("{}.tar", id(n));
        site.deliver(&name, &package(n));
        // Not a wait for something to happen: the moment of the kill.
        std::thread::sleep(Duration::from_micros(dice.roll(window.as_micros() as u64)));
        let seen = ask(site.http()).map(|(corte, _)| corte).unwrap_or_default();
        // With no source reachable: what was not taken in is gone.
        std::fs::remove_file(site.incoming().join(&name)).unwrap();
        site.kill_and_start();
        *watch.address.lock().unwrap() = site.http();
        let shown = until(|| ask(site.http()).map(|(corte, _)| corte)).expect("a corte is shown again");
        assert!(shown >= seen && shown >= last, "{shown} after {seen} and {last}");
        survived += u32::from(shown == id(n));
        last = shown;
    }
    watch.is_over.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.join().unwrap();
    }
    assert_eq!(*watch.faults.lock().unwrap(), [""; 0]);
    let whole = watch.whole.load(Ordering::Relaxed);
    eprintln!("{survived} of {KILLS} cortes were live or whole at the kill; {whole} whole answers");
    assert!(whole > KILLS as u64 && survived > 10 && survived < KILLS as u32, "kills come at all moments: {survived}");
}
