//! What one client says to a cached route, and what all others get of it: nothing that he has chosen for them.

#[path = "poisoning/verdicts.rs"]
mod verdicts;

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crate::common::origin::{Origin, answer};
use crate::common::server::{Setup, Site, until};
use crate::common::wire::{Talk, connect, ways};
use crate::common::{Tree, corte};

const ROUTE: &str = "path = \"/\"\nhost = \"prep\"";

fn get(site: &Site, path: &str, fields: &str) -> (u16, String) {
    let response = Talk::with(site.http()).get(path, fields);
    (response.status, String::from_utf8(response.body).unwrap())
}

/// Says what it has heard of a field.
fn echoes(name: &'static str, fields: &'static str) -> Origin {
    Origin::start(move |heard, to| {
        let told = heard.field(name).unwrap_or("nada").to_owned();
        answer(to, "200 OK", &format!("Cache-Control: max-age=600\r\n{fields}"), Some(told.len()), told.as_bytes());
    })
}

#[test]
fn what_is_wrong_with_one_request_is_told_to_nobody_else() {
    let is_broken = Arc::new(AtomicBool::new(false));
    let broken = is_broken.clone();
    let origin = Origin::start(move |_, to| match broken.load(SeqCst) {
        false => answer(to, "200 OK", "Cache-Control: max-age=1\r\nAge: 5\r\nETag: \"a\"\r\n", Some(4), b"nota"),
        true => answer(to, "500 Internal Server Error", "", Some(3), b"mal"),
    });
    let site = Setup::clear().origin(origin.address, "", &format!("{ROUTE}\nstale_if_error = \"1h\"")).start();
    let many = format!("Via: {}1.1 z\r\n", "1.1 a, ".repeat(20));
    let wrong =
        [("Via: 1.1 difusor\r\n", 508), (&many, 508), ("Connection: host\r\n", 400), ("Connection: a b\r\n", 400)];
    for (n, (fields, status)) in wrong.into_iter().enumerate() {
        let path = format!("/c/{n}");
        for is_stored in [false, true] {
            let before = origin.heard().len();
            assert_eq!(get(&site, &path, fields).0, status, "{fields}");
            assert_eq!(origin.heard().len(), before, "{fields}: the origin is not asked");
            // Where that counted for a failure of the origin's, what is stored would be sent without asking.
            assert_eq!(get(&site, &path, ""), (200, "nota".into()), "{fields} {is_stored}");
            assert_eq!(origin.heard().len(), before + 1, "{fields} {is_stored}");
        }
    }
}

#[test]
fn what_the_origin_does_not_hear_selects_nothing() {
    let by_key = format!("{ROUTE}\nheaders = [\"x-a\"]");
    for (vary, route) in [("Vary: X-A\r\n", ROUTE), ("", &by_key)] {
        let origin = echoes("x-a", vary);
        let site = Setup::clear().origin(origin.address, "", route).start();
        // The connection's own, so that it goes no further.
        assert_eq!(get(&site, "/p", "X-A: es\r\nConnection: x-a\r\n").1, "nada");
        assert_eq!(get(&site, "/p", "X-A: es\r\n").1, "es");
        assert_eq!(get(&site, "/p", "").1, "nada");
        assert_eq!(get(&site, "/p", "X-A: es\r\nConnection: x-a\r\n").1, "nada");
        assert_eq!(origin.heard().len(), 2, "each is asked for once");
    }
}

#[test]
fn what_we_tell_of_the_client_selects() {
    let origin = echoes("x-forwarded-for", "Vary: X-Forwarded-For\r\n");
    let forwarded = "[\"127.0.0.1\"]";
    let site = Setup::new()
        .with("listen", &format!("http = [\"127.0.0.1:0\"]\nforwarded_from = {forwarded}"))
        .origin(origin.address, "", ROUTE)
        .start();
    let from = |client: &str| get(&site, "/p", &format!("X-Forwarded-For: {client}\r\n")).1;
    for client in ["192.0.2.1", "192.0.2.2", "192.0.2.1", "2001:db8::1"] {
        assert_eq!(from(client), client);
    }
    assert_eq!(origin.heard().len(), 3);
    // Nobody is believed here.
    let site = Setup::clear().origin(origin.address, "", ROUTE).start();
    assert_eq!(get(&site, "/p", "").1, "127.0.0.1");
    assert_eq!(get(&site, "/p", "X-Forwarded-For: 192.0.2.1\r\n").1, "127.0.0.1");
    assert_eq!(origin.heard().len(), 4);
}

/// As an origin does that sends everybody to HTTPS: who asks in clear must not send those in circles who are there.
#[test]
fn who_asks_in_clear_and_who_asks_over_tls_are_told_apart() {
    for vary in ["", "Vary: X-Forwarded-Proto\r\n"] {
        let origin = Origin::start(move |heard, to| match heard.field("x-forwarded-proto") {
            Some("https") => answer(to, "200 OK", &format!("Cache-Control: max-age=600\r\n{vary}"), Some(4), b"nota"),
            _ => {
                let fields = format!("Cache-Control: max-age=600\r\nLocation: https://prep.example/x\r\n{vary}");
                answer(to, "301 Moved Permanently", &fields, Some(0), b"");
            }
        });
        let site = Setup::both(&["prep.example"]).origin(origin.address, "", "path = \"/x\"\nfirst = true").start();
        site.deliver("1.tar", &Tree::of(&corte("20240602_2010"), &[("index.html", b"1")]));
        site.live("20240602_2010");
        for _ in 0..2 {
            for way in ways(&site, "prep.example") {
                let expected = if way.name.ends_with("TLS") { 200 } else { 301 };
                assert_eq!(way.get("/x", &[]).status, expected, "{way:?}");
                // Where something is asked of the cache, it is found in another way.
                assert_eq!(way.get("/x", &["Cache-Control: max-age=500"]).status, expected, "{way:?}");
            }
        }
        assert_eq!(origin.heard().len(), 2, "each is asked for once");
        // A write makes both old.
        assert_eq!(way_post(&site), 301);
        for way in ways(&site, "prep.example") {
            way.get("/x", &[]);
        }
        assert_eq!(origin.heard().len(), 5, "{vary}");
    }
}

fn way_post(site: &Site) -> u16 {
    let mut talk = Talk::with(site.http());
    talk.say("POST /x HTTP/1.1\r\nHost: prep.example\r\nContent-Length: 0\r\n\r\n");
    talk.hear().unwrap().status
}

#[test]
fn what_is_purged_is_not_sent_to_those_who_wait_either() {
    let (is_asked, may_answer) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (asked, may) = (is_asked.clone(), may_answer.clone());
    let origin = Origin::start(move |heard, to| match heard.n {
        0 => answer(to, "200 OK", "Cache-Control: max-age=1\r\nAge: 5\r\nETag: \"a\"\r\n", Some(4), b"nota"),
        _ => {
            asked.store(true, SeqCst);
            until(|| may.load(SeqCst).then_some(()));
            answer(to, "503 Service Unavailable", "", Some(3), b"mal");
        }
    });
    let site = Setup::clear().origin(origin.address, "", &format!("{ROUTE}\nstale_if_error = \"1h\"")).start();
    assert_eq!(get(&site, "/x", "").1, "nota");
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| get(&site, "/x", ""));
        until(|| is_asked.load(SeqCst).then_some(())).expect("the origin is asked");
        let settings = site.path("difusor.toml").display().to_string();
        let purged = std::process::Command::new(env!("CARGO_BIN_EXE_difusor"))
            .args(["purge", "--path", "/x", "--config", &settings])
            .output()
            .unwrap();
        assert!(purged.status.success(), "{purged:?}");
        // Longer than who may have something stale waits for something better.
        std::thread::sleep(std::time::Duration::from_millis(1200));
        may_answer.store(true, SeqCst);
        assert_eq!(waits.join().unwrap(), (503, "mal".into()));
    });
}

/// What is too long for the origin was said by this client.
#[test]
fn an_answer_to_what_only_one_client_says_is_his() {
    let origin = Origin::start(|heard, to| match heard.field("x-long").map(str::len) {
        Some(8192..) => answer(to, "400 Bad Request", "Cache-Control: max-age=600\r\n", Some(5), b"largo"),
        _ => answer(to, "200 OK", "Cache-Control: max-age=600\r\n", Some(4), b"nota"),
    });
    let site = Setup::clear().origin(origin.address, "", ROUTE).start();
    assert_eq!(get(&site, "/x", &format!("X-Long: {}\r\n", "a".repeat(9000))).0, 400);
    for _ in 0..3 {
        assert_eq!(get(&site, "/x", ""), (200, "nota".into()));
    }
    assert_eq!(origin.heard().len(), 2, "nobody else has to ask alone for it");
}

/// Those who wait with him ask together once more.
#[test]
fn who_waits_with_one_who_is_blamed_is_not() {
    let (is_asked, may_answer) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (asked, may) = (is_asked.clone(), may_answer.clone());
    let origin = Origin::start(move |heard, to| match heard.field("x-bad") {
        Some(_) => {
            asked.store(true, SeqCst);
            until(|| may.load(SeqCst).then_some(()));
            answer(to, "400 Bad Request", "", Some(4), b"malo");
        }
        None => answer(to, "200 OK", "Cache-Control: max-age=600\r\n", Some(4), b"nota"),
    });
    let site = Setup::clear().origin(origin.address, "", ROUTE).start();
    std::thread::scope(|scope| {
        let blamed = scope.spawn(|| get(&site, "/x", "X-Bad: 1\r\n"));
        until(|| is_asked.load(SeqCst).then_some(())).expect("he leads");
        let mut others: Vec<_> = (0..20).map(|_| Talk::with(site.http())).collect();
        for other in &mut others {
            other.say("GET /x HTTP/1.1\r\nHost: prep\r\n\r\n");
        }
        may_answer.store(true, SeqCst);
        assert_eq!(blamed.join().unwrap().0, 400);
        for other in &mut others {
            assert_eq!(other.hear().unwrap().body, b"nota");
        }
    });
    assert_eq!(origin.heard().len(), 2);
}

/// Nor by what else an origin may be asked than a request's line says.
#[test]
fn a_head_that_asks_for_something_else_tells_nothing_of_what_is_stored() {
    let origin = Origin::start(|heard, to| {
        let stale = "Cache-Control: max-age=1\r\nAge: 5\r\nContent-Type: text/html\r\n";
        let other = "Cache-Control: max-age=600\r\nContent-Type: text/plain\r\n";
        match (heard.n, heard.field("x-original-url")) {
            (_, Some("/otra")) => answer(to, "200 OK", other, None, b""),
            (1, _) => answer(to, "200 OK", "Cache-Control: no-store\r\nContent-Type: text/html\r\n", Some(4), b"nota"),
            _ => answer(to, "200 OK", stale, Some(4), b"nota"),
        }
    });
    let site = Setup::clear().origin(origin.address, "", ROUTE).start();
    let kind = || Talk::with(site.http()).get("/x", "").field("content-type").map(str::to_owned);
    // From the second on nobody waits for another, and the first is stored all the same: then HEAD goes to the origin as it is.
    assert_eq!([kind(), kind()].map(|kind| kind.unwrap()), ["text/html"; 2]);
    let mut stream = connect(site.http());
    let head = "HEAD /x HTTP/1.1\r\nHost: prep\r\nX-Original-URL: /otra\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answered = String::new();
    stream.read_to_string(&mut answered).unwrap();
    assert!(answered.contains("text/plain"), "{answered}");
    assert_eq!(kind().as_deref(), Some("text/html"));
}

/// A digest of the bytes of one message (RFC 9530, 2) is neither of a part of it nor of the whole that a part completes.
#[test]
fn digests_of_messages_stay_with_them() {
    let body = "a".repeat(1000);
    let origin = Origin::start(move |_, to| {
        let fields = "Cache-Control: max-age=600\r\nETag: \"a\"\r\nContent-Digest: sha-256=:d2hvbGU=:\r\n";
        answer(to, "200 OK", fields, Some(body.len()), body.as_bytes());
    });
    let site = Setup::clear().origin(origin.address, "", ROUTE).start();
    let digest = |fields: &str| {
        let response = Talk::with(site.http()).get("/x", fields);
        (response.status, response.field("content-digest").is_some())
    };
    assert_eq!(digest("Range: bytes=0-9\r\n"), (206, false), "while it comes");
    assert_eq!(digest(""), (200, true));
    assert_eq!(digest("Range: bytes=0-9\r\n"), (206, false), "of what is stored");
}
