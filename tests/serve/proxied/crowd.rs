//! Many who ask for the same at once, before an origin that is cold, slow, dying or dead.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::thread;

use super::{FRESH, PATIENT, status};
use crate::common::frames;
use crate::common::origin::{Origin, answer};
use crate::common::secure::Client;
use crate::common::server::{Setup, Site, until};
use crate::common::wire::{Response, Talk, connect, curl};

/// So many clients, who ask for the same before the origin is let go on.
const CROWD: usize = 10_000;

fn crowd(site: &Site, gate: &Barrier, path: &str, check: impl Fn(&Response)) {
    let mut clients: Vec<_> = (0..CROWD).map(|_| Talk::with(site.http())).collect();
    for client in &mut clients {
        client.say(format!("GET {path} HTTP/1.1\r\nHost: prep\r\n\r\n"));
    }
    gate.wait();
    for client in &mut clients {
        check(&client.hear().expect("an answer"));
    }
}

#[test]
fn ten_thousand_at_once_are_one_request_to_a_cold_and_slow_origin() {
    let gate = Arc::new(Barrier::new(2));
    let opens = gate.clone();
    let origin = Origin::start(move |heard, to| {
        // Only once all have asked; a second request would find it open.
        if heard.n == 0 {
            opens.wait();
        }
        answer(to, "200 OK", FRESH, Some(5), b"todos");
    });
    let route = "path = \"/\"\nhost = \"prep\"\nwait = \"60s\"";
    let site = Setup::clear().origin(origin.address, PATIENT, route).start();
    crowd(&site, &gate, "/actas", |response| {
        assert_eq!((response.status, &response.body[..]), (200, &b"todos"[..]), "{}", response.head);
    });
    assert_eq!(origin.heard().len(), 1);
}

/// Slow, and then gone: with nothing stored, and with something stale.
#[test]
fn ten_thousand_before_an_origin_that_dies_are_one_request_too() {
    let gate = Arc::new(Barrier::new(2));
    let opens = gate.clone();
    let (is_cold, is_old) = (AtomicBool::new(true), AtomicBool::new(true));
    let origin = Origin::start(move |heard, to| {
        let is_first = if heard.target() == "/fria" { &is_cold } else { &is_old };
        if heard.target() == "/vieja" && heard.field("if-none-match").is_none() {
            return answer(to, "200 OK", "Cache-Control: max-age=1\r\nAge: 5\r\nETag: \"a\"\r\n", Some(4), b"nota");
        }
        // The first waits for the crowd; then the connection ends without a word.
        if is_first.swap(false, SeqCst) {
            opens.wait();
        }
    });
    // One a key; and one more for each time that a failure has counted, which is one to two seconds: whoever is looked at later, by
    // a machine that does much else, asks again. `/vieja` was brought before.
    let asked = |target: &str, since: difusor::base::clock::Monotonic| {
        let count = origin.heard().iter().filter(|heard| heard.target() == target).count();
        let most = 2 + usize::try_from(since.elapsed().as_secs()).unwrap();
        assert!((1..=most).contains(&count), "{target}: {count}, {most} at most");
    };
    let route = "path = \"/\"\nhost = \"prep\"\nwait = \"60s\"\nstale_if_error = \"1h\"";
    let site = Setup::clear().origin(origin.address, PATIENT, route).start();
    let begun = difusor::base::clock::Monotonic::now();
    crowd(&site, &gate, "/fria", |response| {
        assert_eq!(response.status, 502, "{}", response.head);
        assert!(status(response).ends_with("detail=reset"), "{}", response.head);
    });
    asked("/fria", begun);
    assert_eq!(site.get("/vieja").body, b"nota");
    let begun = difusor::base::clock::Monotonic::now();
    crowd(&site, &gate, "/vieja", |response| {
        assert_eq!((response.status, &response.body[..]), (200, &b"nota"[..]), "{}", response.head);
        assert!(status(response).starts_with("difusor; hit; ttl=-"), "{}", response.head);
    });
    asked("/vieja", begun);
}

#[test]
fn a_body_reaches_all_who_wait_while_it_comes() {
    let gate = Arc::new(Barrier::new(2));
    let opens = gate.clone();
    let origin = Origin::start(move |_, to| {
        answer(to, "200 OK", FRESH, Some(8), b"uno");
        opens.wait();
        let _ = to.write_all(b"12345").and_then(|()| to.flush());
    });
    let site = Setup::clear().origin(origin.address, "", "path = \"/\"\nhost = \"prep\"").start();
    let mut clients: Vec<_> = (0..3).map(|_| connect(site.http())).collect();
    for client in &mut clients {
        use std::io::Write;
        client.write_all(b"GET /x HTTP/1.1\r\nHost: prep\r\n\r\n").unwrap();
    }
    for client in &mut clients {
        read_until(client, b"uno");
    }
    gate.wait();
    for client in &mut clients {
        read_until(client, b"12345");
    }
    assert_eq!((site.get("/x").body, origin.heard().len()), (b"uno12345".to_vec(), 1));
}

fn read_until(stream: &mut std::net::TcpStream, end: &[u8]) {
    use std::io::Read;
    let mut seen = Vec::new();
    while !seen.ends_with(end) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        seen.push(byte[0]);
    }
}

#[test]
fn a_crowd_before_a_dead_origin_is_told_without_asking_it() {
    let origin = Origin::start(|_, _| {});
    let site = Setup::clear().origin(origin.address, "", "path = \"/\"\nhost = \"prep\"").start();
    let started = difusor::base::clock::Monotonic::now();
    for _ in 0..300 {
        assert_eq!(site.get("/x").status, 502);
    }
    // A failure counts for one to two seconds.
    let seconds = usize::try_from(started.elapsed().as_secs()).unwrap();
    assert!(origin.heard().len() <= 2 * (seconds + 2), "{}", origin.heard().len());
}

/// Bodies without a length that grow beyond what may be stored, or have no room from the beginning: nobody who reads one alone, or
/// has waited for it with others, sees it cut or empty, however short it is.
#[test]
fn what_there_is_no_room_for_comes_whole() {
    let origin = Origin::start(|heard, to| {
        let len = heard.target().rsplit('/').next().unwrap().parse().unwrap();
        answer(to, "200 OK", FRESH, None, &vec![b'x'; len]);
    });
    for settings in ["memory = \"0 B\"", "object = \"64 KiB\"", "object = \"256 KiB\""] {
        let site = Setup::clear().with("proxy", settings).origin(origin.address, "", "path = \"/n\"").start();
        for len in [20_000, 100_000, 400_000, 2_000_000] {
            for n in 0..8 {
                // The errand may read on before its reader runs, and a reader may be slower than the origin.
                let url = format!("http://{}/n/{n}/{len}", site.http());
                let protocol = ["--http1.1", "--http2-prior-knowledge"][n % 2];
                let got = curl(&[protocol, &url]);
                assert_eq!((got.status, got.body.len()), (200, len), "{settings} {url}: {}", got.head);
            }
        }
        // Less than a window: whoever waits for the same has it too, and none is ahead of him by more.
        let crowd = |_| {
            let url = format!("http://{}/n/todos/300000", site.http());
            thread::spawn(move || curl(&["--http1.1", &url]).body.len())
        };
        let readers: Vec<_> = (0..8).map(crowd).collect();
        assert!(readers.into_iter().all(|reader| reader.join().unwrap() == 300_000), "{settings}");
    }
}

/// Clients whose windows stay shut have each a body of their own kept for them: at some point nothing more is made, whoever asks,
/// and what lies ready is still sent. Then they go.
#[test]
fn what_slow_clients_have_kept_for_them_has_an_end() {
    const LEN: usize = 900_000;
    let origin = Origin::start(|_, to| answer(to, "200 OK", FRESH, Some(LEN), &vec![b'x'; LEN]));
    let site = Setup::clear().with("proxy", "memory = \"8 MiB\"").origin(origin.address, "", "path = \"/n\"").start();
    let ask = |path: &str| curl(&["--http1.1", &format!("http://{}{path}", site.http())]);
    let usual = ask("/n/usual");
    assert_eq!((usual.status, usual.body.len()), (200, LEN), "{}", usual.head);
    let mut shut = Client::clear(connect(site.http()));
    let asked = |n: u32| {
        let fields = [(":method", "GET"), (":scheme", "http"), (":authority", "prep"), (":path", &format!("/n/{n}"))];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        frames::Asked { fields, ..Default::default() }.frames(2 * n + 1)
    };
    shut.say(&frames::open(0));
    // More than 64 MiB.
    (0..80).for_each(|n| shut.say(&asked(n)));
    let mut n = 0;
    let refused = until(|| {
        n += 1;
        Some(ask(&format!("/n/otra/{n}"))).filter(|response| response.status == 503)
    });
    let refused = refused.expect("no more is kept");
    assert!(refused.field("cache-status").is_some_and(|status| status.contains("crowd")), "{}", refused.head);
    drop(shut);
    let whole = until(|| {
        n += 1;
        Some(ask(&format!("/n/otra/{n}"))).filter(|response| response.status == 200)
    });
    assert_eq!(whole.expect("they are gone").body.len(), LEN);
}
