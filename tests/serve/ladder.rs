//! What is left out while more is asked for than can be sent, and that it comes back.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use difusor::base::clock::Monotonic;

use crate::common::server::{Setup, Site, until};
use crate::common::wire::{Talk, connect, curl};
use crate::common::{Tree, corte};

const ID: &str = "20210606_2010";
const PAGE: &str = "<!doctype html><title>Resultados</title>";
const TOTAL: &str = "{\"total\": 1}";

/// Text that hardly compresses, different for each seed.
fn noise(seed: u64, bytes: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(
            b" !#$%&()*+-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~"
                [state as usize % 91],
        )
    };
    (0..bytes).map(|_| next()).collect()
}

/// A site with something of each kind, and what is asked of it.
fn published(ladder: &str) -> (Site, Vec<(&'static str, String)>) {
    let site = Setup::clear().with("", "content_check = \"off\"").with("ladder", ladder).start();
    let files = vec![
        ("index.html", format!("{PAGE}{}", noise(1, 4_000))),
        ("datos/total.json", TOTAL.to_owned()),
        ("datos/distrito.json", format!("[\"{}\"]", noise(2, 60_000))),
        ("actas.csv", noise(3, 200_000)),
        ("actas/1.jpg", noise(4, 100_000)),
    ];
    let tree: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
    site.deliver("a.tar", &Tree::of(&corte(ID), &tree));
    site.live(ID);
    (site, files)
}

/// What is offered, as everybody is told.
fn offer(site: &Site) -> String {
    let about = |path| String::from_utf8(site.get(path).body).unwrap();
    let estado: serde_json::Value = serde_json::from_str(&about("/.prep/estado.json")).unwrap();
    estado["servicio"].as_str().unwrap().to_owned()
}

fn wait_for(site: &Site, wanted: &str) {
    let found = until(|| (offer(site) == wanted).then_some(()));
    found.unwrap_or_else(|| panic!("{} is offered, not {wanted}", offer(site)));
}

#[test]
fn what_matters_least_goes_first_and_comes_back() {
    let (site, _) = published("link = \"20 Mbit/s\"\ncalm = \"2s\"");
    let about =
        |site: &Site| -> serde_json::Value { serde_json::from_slice(&site.get("/.prep/corte.json").body).unwrap() };
    assert_eq!(offer(&site), "completo");
    assert!(about(&site).get("servicio").is_none(), "the corte's own file as a rule");
    let etag = site.get("/actas.csv").field("etag").unwrap().to_owned();
    let (is_over, to) = (Arc::new(AtomicBool::new(false)), site.http());
    let asking = {
        let is_over = is_over.clone();
        std::thread::spawn(move || {
            let mut talk = Talk::with(to);
            while !is_over.load(Relaxed) {
                for path in ["/actas/1.jpg", "/actas.csv", "/datos/distrito.json"] {
                    let response = talk.get(path, "");
                    assert!([200, 503].contains(&response.status), "{}", response.head);
                }
            }
        })
    };
    wait_for(&site, "esencial");
    // The public is told before anything is left out.
    let is_left_out = until(|| (site.get("/datos/distrito.json").status == 503).then_some(()));
    assert!(is_left_out.is_some(), "it is offered still");
    assert_eq!(about(&site)["servicio"], "esencial");
    assert_eq!(about(&site)["corte"], ID);
    for (path, status) in [
        ("/", 200),
        ("/datos/total.json", 200),
        ("/.prep/SHA256SUMS", 200),
        ("/datos/distrito.json", 503),
        ("/actas.csv", 503),
        ("/actas/1.jpg", 503),
        ("/.prep/c/20210606_2010/actas.csv", 503),
        ("/nada", 404),
    ] {
        assert_eq!(site.get(path).status, status, "{path}");
    }
    let refused = site.get("/actas.csv");
    assert_eq!(refused.field("retry-after"), Some("120"), "{}", refused.head);
    assert_eq!((refused.field("corte"), refused.field("cache-control")), (Some(ID), Some("no-cache")));
    let page = String::from_utf8(refused.decoded()).unwrap();
    assert!(page.contains("6 de junio de 2021, 20:10 horas") || page.contains("para-mas-tarde"), "{page}");
    let mut talk = Talk::with(site.http());
    let html = talk.get("/actas/1.jpg", "Accept: text/html\r\n");
    let html = String::from_utf8(html.decoded()).unwrap();
    assert!(html.contains("podrá consultarse más tarde") && html.contains("6 de junio de 2021, 20:10 horas"), "{html}");
    talk.say("HEAD /actas.csv HTTP/1.1\r\nHost: prep\r\n\r\n");
    assert_eq!(talk.hear_head().unwrap().status, 200, "a HEAD weighs nothing");
    assert_eq!(talk.get("/actas.csv", &format!("If-None-Match: {etag}\r\n")).status, 304, "nor does a 304");
    is_over.store(true, Relaxed);
    asking.join().unwrap();
    wait_for(&site, "completo");
    assert!(about(&site).get("servicio").is_none());
    assert_eq!(site.get("/actas.csv").status, 200);
    // The public is told before the journal is.
    let journal = || std::fs::read_to_string(site.path("state/incidents.jsonl")).unwrap();
    let is_noted = until(|| ["L001", "L002", "L003"].iter().all(|code| journal().contains(code)).then_some(()));
    assert!(is_noted.is_some(), "{}", journal());
    let socket = site.path("state/admin.sock").display().to_string();
    let metrics = String::from_utf8(curl(&["--unix-socket", &socket, "http://localhost/metrics"]).body).unwrap();
    assert!(metrics.contains("difusor_ladder 0"), "{metrics}");
    for class in ["ordinary", "download", "image"] {
        assert!(metrics.contains(&format!("difusor_left_out_total{{class=\"{class}\"}}")), "{metrics}");
    }
}

/// So long is what was left out asked for again: the ladder would have taken its next step three times.
const REFUSED_FOR: Duration = Duration::from_secs(10);

#[test]
fn who_asks_again_for_what_is_left_out_takes_nothing_more_from_the_others() {
    let (site, _) = published("link = \"100 Mbit/s\"");
    let mut talk = Talk::with(site.http());
    let left_out = until(|| {
        (0..100).for_each(|_| drop(talk.get("/actas/1.jpg", "")));
        (offer(&site) == "sin-imagenes").then_some(())
    });
    assert!(left_out.is_some(), "{} is offered", offer(&site));
    let began = Monotonic::now();
    let mut asked = 0_u64;
    while began.elapsed() < REFUSED_FOR {
        // Many at once, by one connection: the link is full of refusals, and the processors are not.
        talk.say("GET /actas/1.jpg HTTP/1.1\r\nHost: prep\r\n\r\n".repeat(50));
        for _ in 0..50 {
            assert_eq!(talk.hear().unwrap().status, 503);
        }
        asked += 50;
    }
    assert_eq!(offer(&site), "sin-imagenes", "{asked} were refused");
    assert_eq!(site.get("/datos/distrito.json").status, 200);
}

#[test]
fn only_who_goes_to_a_page_is_refused_with_one() {
    let (site, _) = published("link = \"20 Mbit/s\"\nsteps = 1");
    let mut talk = Talk::with(site.http());
    let left_out = until(|| (talk.get("/actas/1.jpg", "").status == 503).then_some(()));
    assert!(left_out.is_some(), "{} is offered", offer(&site));
    for (fields, is_page) in [
        ("Accept: text/html,*/*;q=0.8\r\nSec-Fetch-Dest: document\r\n", true),
        ("Accept: text/html,*/*;q=0.8\r\n", true),
        ("Accept: image/avif,image/webp,*/*;q=0.8\r\nSec-Fetch-Dest: image\r\n", false),
        ("Accept: */*\r\nSec-Fetch-Dest: empty\r\n", false),
        ("Accept: */*\r\n", false),
        ("", false),
    ] {
        let refused = talk.get("/actas/1.jpg", fields);
        assert_eq!(refused.status, 503, "{fields}");
        let media = refused.field("content-type").unwrap();
        assert_eq!(media.starts_with("text/html"), is_page, "{fields}: {media}");
        assert!(is_page || refused.body.len() < 1_000, "{}", refused.body.len());
    }
}

#[test]
fn who_wants_it_off_has_it_off() {
    let (site, _) = published("link = \"1 Mbit/s\"\nsteps = 0");
    let mut talk = Talk::with(site.http());
    let started = Monotonic::now();
    while started.elapsed() < Duration::from_secs(6) {
        assert_eq!(talk.get("/actas.csv", "").status, 200);
    }
    assert_eq!(offer(&site), "completo");
}

/// Bytes a second of the narrow link, and how much of it is asked for.
const LINK_BYTES: usize = 1_000_000;
const RUSH: usize = 5;
const RUSH_LASTS: Duration = Duration::from_secs(15);
/// What a reader of the page may have to wait (the issue's own figure).
const PATIENCE: Duration = Duration::from_secs(2);

/// A link between readers and the server that carries so much and no more, shared as it comes.
struct Narrow {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
}

impl Narrow {
    fn before(server: SocketAddr) -> Narrow {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, is_over) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let (over, bucket) = (is_over.clone(), Arc::new(Mutex::new(Monotonic::now())));
        std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if over.load(Relaxed) {
                    return;
                }
                let (server, bucket) = (TcpStream::connect(server).unwrap(), bucket.clone());
                let (mut up, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut up, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
                std::thread::spawn(move || drip(server, client, &bucket));
            }
        });
        Narrow { address, is_over }
    }
}

impl Drop for Narrow {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

/// Passes on what comes, a packet at a time, each when the link is free.
fn drip(mut from: TcpStream, mut to: TcpStream, free_at: &Mutex<Monotonic>) {
    let mut packet = [0; 1_448];
    while let Ok(n @ 1..) = from.read(&mut packet) {
        let takes = Duration::from_secs_f64(n as f64 / LINK_BYTES as f64);
        let wait = {
            let mut free_at = free_at.lock().unwrap();
            let now = Monotonic::now();
            *free_at = if free_at.since(now).is_zero() { now } else { *free_at }.plus(takes);
            free_at.since(now)
        };
        sleep(wait);
        if to.write_all(&packet[..n]).is_err() {
            return;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// Asks once on a connection of its own, and reads to the end: status and body.
fn ask(to: SocketAddr, path: &str) -> (u16, Vec<u8>) {
    let mut stream = connect(to);
    let request = format!("GET {path} HTTP/1.1\r\nHost: prep\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let end = all.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head") + 4;
    let head = String::from_utf8(all[..end].to_vec()).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    assert_eq!(all.len() - end, length.parse::<usize>().unwrap(), "half a body\n{head}");
    (head[9..12].parse().unwrap(), all.split_off(end))
}

#[test]
fn at_five_times_what_the_link_carries_the_page_comes_and_nobody_gets_half_a_body() {
    let (site, files) = published(&format!("link = \"{} kbit/s\"", LINK_BYTES * 8 / 1000));
    let narrow = Narrow::before(site.http());
    let to = narrow.address;
    let body = |path: &str| files.iter().find(|(name, _)| *name == path).unwrap().1.clone().into_bytes();
    let (csv, image) = (body("actas.csv"), body("actas/1.jpg"));
    let (whole, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let started = Monotonic::now();
    let mut waits = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut waits = Vec::new();
            while started.elapsed() < RUSH_LASTS {
                for path in ["/", "/datos/total.json"] {
                    let asked = Monotonic::now();
                    assert_eq!(ask(to, path).0, 200, "{path}");
                    waits.push(asked.elapsed());
                }
                sleep(Duration::from_millis(100));
            }
            waits
        });
        // Whoever comes does not wait until the one before is served.
        for n in 0_u32.. {
            let due =
                Duration::from_secs_f64(f64::from(n) * (csv.len() + image.len()) as f64 / (RUSH * LINK_BYTES) as f64);
            if due > RUSH_LASTS {
                break;
            }
            sleep(due.saturating_sub(started.elapsed()));
            for (path, expected) in [("/actas.csv", &csv), ("/actas/1.jpg", &image)] {
                let (whole, refused) = (&whole, &refused);
                scope.spawn(move || match ask(to, path) {
                    (200, body) => {
                        assert!(body == *expected, "{path} came changed");
                        whole.fetch_add(1, Relaxed);
                    }
                    (503, _) => drop(refused.fetch_add(1, Relaxed)),
                    (status, _) => panic!("{path}: {status}"),
                });
            }
        }
        reader.join().unwrap()
    });
    waits.sort();
    let p99 = waits[waits.len() * 99 / 100];
    let (whole, refused) = (whole.into_inner(), refused.into_inner());
    eprintln!("{} pages, p99 {p99:?}; {whole} downloads whole, {refused} left out", waits.len());
    assert!(whole > 0 && refused > whole, "{whole} whole, {refused} left out");
    assert!(p99 < PATIENCE, "{p99:?} for a page");
}
