//! Before the opening not one byte of results leaves: whoever asks for anything in any way gets what a server without any
//! package would give. At the opening results come, from every thread.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use difusor::base::clock::Clock;
use jiff::ZonedDateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::common::server::{Setup, Site};
use crate::common::verbs::difusor;
use crate::common::wire::{Talk, raw};
use crate::common::{Tree, corte};

/// A corte of some hours ago: one from before the countdown would be for no window.
static STAMP: LazyLock<ZonedDateTime> = LazyLock::new(|| {
    let zone = TimeZone::fixed(Offset::constant(-6));
    (Clock::machine().now() - SignedDuration::from_hours(20)).to_zoned_datetime(zone)
});
static ID: LazyLock<String> = LazyLock::new(|| STAMP.strftime("%Y%m%d_%H%M").to_string());
/// Until all that is tried before the opening has been tried, on a slow machine too.
const AHEAD: SignedDuration = SignedDuration::from_secs(12);

/// The window is open from so long ahead of now.
fn setup(opens: Timestamp) -> Setup {
    let window = format!(
        "opens = \"{}\"\ncloses = \"2100-01-01T00:00\"\non_interrupted = \"banner\"",
        opens.strftime("%Y-%m-%dT%H:%M:%SZ")
    );
    Setup::clear().window(&window)
}

fn package() -> Tree {
    Tree::of(&corte(&ID), &[("index.html", b"<h1>Resultados"), ("datos/total.json", br#"{"votos": 12345}"#)])
}

/// Targets by which results, or anything about them, might be had.
const TARGETS: [&str; 22] = [
    "/",
    "/index.html",
    "/datos",
    "/datos/",
    "/datos/total.json",
    "/datos/total.json?v=2",
    "/%64atos/total.json",
    "/nada",
    "/.prep/",
    "/.prep/corte.json",
    "/.prep/corte.original.json",
    "/.prep/SHA256SUMS",
    "/.prep/SHA256SUMS.sig",
    "/.prep/cortes",
    "/.prep/c/20240602_2010",
    "/.prep/c/20240602_2010/",
    "/.prep/c/20240602_2010/datos/total.json",
    "/.prep/c/20240602_2010/.prep/SHA256SUMS",
    "/metrics",
    "/state",
    "/packages/20240602_2010.tar",
    "/../corte.json",
];

/// Ways of asking.
fn fields(etag: &str) -> Vec<String> {
    [
        String::new(),
        "Accept-Encoding: br, gzip, zstd\r\n".into(),
        "Accept: application/json\r\n".into(),
        format!("If-None-Match: {etag}\r\n"),
        "If-None-Match: *\r\n".into(),
        "If-Match: *\r\n".into(),
        "If-Modified-Since: Sun, 01 Jan 2090 00:00:00 GMT\r\n".into(),
        "Range: bytes=0-3\r\n".into(),
        format!("Range: bytes=0-3\r\nIf-Range: {etag}\r\n"),
        "Available-Dictionary: :pZGm1Av0IEBKARczz7exkNYsZb8LzaMrV7J32a2fFG4=:\r\nAccept-Encoding: dcb\r\n".into(),
        "Origin: https://otro.example\r\n".into(),
    ]
    .into()
}

/// A page without the second in which it was printed.
fn without_clock(body: &[u8]) -> Vec<u8> {
    let mut text = String::from_utf8(body.to_vec()).unwrap();
    for (begin, end) in [("\"reloj\":{", "}"), ("<p class=\"count\"", "</p>")] {
        if let Some(from) = text.find(begin) {
            let to = from + text[from..].find(end).unwrap();
            text.replace_range(from..to, "");
        }
    }
    text.into_bytes()
}

/// What was said, but for what depends on the second in which it was.
fn said(site: &Site, request: &str) -> Vec<(String, Vec<u8>)> {
    let without_time = |head: &str| {
        let timed = |line: &&str| {
            !["date:", "retry-after:", "content-length:"].iter().any(|name| line.to_ascii_lowercase().starts_with(name))
        };
        head.lines().filter(timed).collect::<Vec<_>>().join("\n")
    };
    let answers = match request.starts_with("HEAD") {
        true => {
            let mut talk = Talk::with(site.http());
            talk.say(request);
            talk.hear_head().into_iter().collect()
        }
        false => raw(site.http(), request),
    };
    answers.into_iter().map(|answer| (without_time(&answer.head), without_clock(&answer.body))).collect()
}

#[test]
fn nothing_of_a_corte_leaves_before_the_second() {
    let opens = Clock::machine().now() + AHEAD;
    // Whole seconds, as settings have it.
    let opens = Timestamp::from_second(opens.as_second()).unwrap();
    let (site, empty) = (setup(opens).start(), setup(opens).start());
    // It is there, verified and ready, and everybody who may know does.
    site.deliver("p", &package());
    site.log_line(&[" live ", &ID]);
    let listed = difusor(site.dir.path(), &["cortes", "--config", "difusor.toml"]);
    assert!(listed.out.contains(&*ID), "{}", listed.out);
    // As it will be, known from a server without an embargo.
    let open = Setup::clear().start();
    open.deliver("p", &package());
    open.live(&ID);
    let etag = open.get("/datos/total.json").field("etag").unwrap().to_owned();
    let before = |site: &Site| {
        for target in TARGETS {
            for method in ["GET", "HEAD", "OPTIONS", "POST", "BREW"] {
                for fields in fields(&etag) {
                    let request = format!("{method} {target} HTTP/1.1\r\nHost: prep\r\n{fields}\r\n");
                    let (here, there) = (said(site, &request), said(&empty, &request));
                    let is_over = Clock::machine().now() >= opens;
                    assert!(!is_over, "this machine is too slow for so many requests before the opening");
                    assert!(here == there, "{request}\n{}\n---\n{}", here[0].0, there[0].0);
                    assert!(!here.is_empty() && !here[0].0.contains("corte:"), "{request}");
                }
            }
        }
    };
    before(&site);
    for own in ["estado.json", "embed", "verificar"] {
        let own = String::from_utf8(site.get(&format!("/.prep/{own}")).body.to_vec()).unwrap();
        assert!(!own.contains(&*ID) && !own.contains(&STAMP.strftime("%Y-%m-%dT%H:%M").to_string()), "{own}");
    }
    // Then from everywhere at once.
    let is_done = AtomicBool::new(false);
    let first: Vec<Timestamp> = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut talk = Talk::with(site.http());
                    loop {
                        let answer = talk.get("/datos/total.json", "");
                        let heard = Clock::machine().now();
                        if answer.status == 200 {
                            assert!(heard >= opens, "results {:?} before the opening", opens.duration_since(heard));
                            is_done.store(true, Ordering::Relaxed);
                            return heard;
                        }
                        assert_eq!(answer.status, 503);
                        assert!(heard < opens + Duration::from_secs(30), "30 s after the opening there is nothing");
                    }
                })
            })
            .collect();
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    });
    let late: Vec<i128> = first.iter().map(|at| at.duration_since(opens).as_millis()).collect();
    eprintln!("the first results came {late:?} ms after the opening");
    assert!(is_done.load(Ordering::Relaxed));
    assert_eq!(site.get("/datos/total.json").field("corte"), Some(ID.as_str()));
    assert_eq!(site.get("/datos/total.json").field("etag"), Some(etag.as_str()));
}
