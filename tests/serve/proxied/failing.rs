//! An origin that gives half an answer, a wrong one, or none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::{FRESH, PATIENT, status};
use crate::common::origin::{Heard, Origin, Stream, answer};
use crate::common::server::Setup;
use crate::common::wire::connect;

#[test]
fn a_body_cut_short_is_never_whole_and_never_stored() {
    let origin = Origin::start(|_, to| answer(to, "200 OK", FRESH, Some(100), b"cortado"));
    let site = Setup::clear().origin(origin.address, "", "path = \"/\"\nhost = \"prep\"").start();
    for _ in 0..2 {
        let mut stream = connect(site.http());
        use std::io::{Read, Write};
        stream.write_all(b"GET /x HTTP/1.1\r\nHost: prep\r\n\r\n").unwrap();
        let mut seen = Vec::new();
        let _ = stream.read_to_end(&mut seen);
        let text = String::from_utf8_lossy(&seen);
        assert!(!seen.is_empty() && seen.len() < 1000 && !text.contains("; hit"), "{text}");
    }
    // Each time it was asked for the rest too, and never gave that.
    assert_eq!(origin.heard().len(), 4);
}

#[test]
fn stale_is_better_than_nothing_where_it_is_allowed() {
    let is_broken = Arc::new(AtomicBool::new(false));
    let broken = is_broken.clone();
    let origin = Origin::start(move |_, to| match broken.load(SeqCst) {
        false => answer(to, "200 OK", "Cache-Control: max-age=1\r\nAge: 5\r\nETag: \"a\"\r\n", Some(4), b"nota"),
        true => answer(to, "500 Internal Server Error", "", Some(3), b"mal"),
    });
    let site =
        Setup::clear().origin(origin.address, "", "path = \"/\"\nhost = \"prep\"\nstale_if_error = \"1h\"").start();
    assert_eq!(site.get("/x").body, b"nota");
    is_broken.store(true, SeqCst);
    for _ in 0..3 {
        let stale = site.get("/x");
        assert_eq!((stale.status, &stale.body[..]), (200, &b"nota"[..]), "{}", stale.head);
        assert!(status(&stale).starts_with("difusor; hit; ttl=-"), "{}", stale.head);
    }
    assert_eq!(origin.heard().len(), 2, "an origin that has failed is left in peace");
    assert_eq!(site.get("/y").status, 500, "nothing is stored, so the origin's own word counts");
}

type Script = fn(&Heard, &mut dyn Stream);

#[test]
fn an_origin_that_gives_nothing_is_told_of_by_name() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let cases: [(&str, u16, Script); 5] = [
        ("reset", 502, |_, _| {}),
        ("malformed", 502, |_, to| drop(to.write_all(b"que?\r\n\r\n"))),
        ("head-too-large", 502, |_, to| {
            let _ = to.write_all(b"HTTP/1.1 200 OK\r\n");
            while to.write_all(b"x-a: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n").is_ok() {}
        }),
        ("malformed", 502, |_, to| {
            drop(to.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"));
        }),
        // It waits for more than comes, until the limit.
        ("first-byte-timeout", 504, |_, to| drop(to.read(&mut [0; 1]))),
    ];
    let check = |name: &str, expected: u16, address| {
        let site = Setup::clear().origin(address, "first_byte = \"300ms\"", "path = \"/\"\nhost = \"prep\"").start();
        for path in ["/pagina", "/datos.json"] {
            let response = site.get(path);
            let body = String::from_utf8_lossy(&response.body).into_owned();
            assert_eq!(response.status, expected, "{name} {}", response.head);
            assert!(status(&response).contains(&format!("detail={name}")), "{name}: {}", response.head);
            assert_eq!(response.field("cache-control"), Some("no-store"));
            assert!(body.contains(if path.ends_with("json") { "\"" } else { "<html lang=\"es-MX\"" }), "{body}");
        }
        site.log_line(&["the origin gave no answer", name]);
    };
    for (name, expected, script) in cases {
        check(name, expected, Origin::start(script).address);
    }
    check("unreachable", 502, gone);
}

#[test]
fn a_route_has_limits_of_time_of_its_own() {
    // It waits for more than comes, until the other side has had enough.
    let origin = Origin::start(|_, to| drop(to.read(&mut [0; 1])));
    let quick = "path = \"/pronto\"\nfirst_byte = \"200ms\"";
    let whole = "[[route]]\nupstream = \"origen\"\npath = \"/entero\"\ncache = false\ntotal = \"200ms\"";
    let site = Setup::clear().origin(origin.address, PATIENT, &format!("{quick}\n{whole}")).start();
    for (path, name) in [("/pronto/x", "first-byte-timeout"), ("/entero/x", "total-timeout")] {
        let response = site.get(path);
        assert_eq!(response.status, 504, "{}", response.head);
        assert!(status(&response).ends_with(&format!("detail={name}")), "{}", response.head);
    }
}
