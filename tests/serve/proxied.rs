//! What is not in the package: routes, the cache, writes, codings, and what an operator purges.

#[path = "proxied/crowd.rs"]
mod crowd;
#[path = "proxied/failing.rs"]
mod failing;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crate::common::frames::{self, Asked};
use crate::common::origin::{Origin, answer};
use crate::common::secure::{self, Client};
use crate::common::server::{Setup, Site, until};
use crate::common::wire::{Response, Talk, connect, get, ways};
use crate::common::{Tree, corte, tool};

const FRESH: &str = "Cache-Control: max-age=600\r\nETag: \"a\"\r\nContent-Type: text/plain\r\n";
/// Limits for an origin that waits for a crowd.
const PATIENT: &str = "first_byte = \"60s\"\ntotal = \"60s\"";

fn package(n: usize) -> Tree {
    let id = format!("20240602_20{n}0");
    Tree::of(&corte(&id), &[("index.html", id.as_bytes()), ("datos/total.json", b"{\"total\":1}")])
}

fn deliver(site: &Site, n: usize) {
    site.deliver(&format!("{n}.tar"), &package(n));
    site.live(&format!("20240602_20{n}0"));
}

/// An origin that answers every target with itself, fresh for ten minutes.
fn echo() -> Origin {
    Origin::start(|heard, to| answer(to, "200 OK", FRESH, Some(heard.target().len()), heard.target().as_bytes()))
}

fn status(response: &Response) -> String {
    response.field("cache-status").unwrap_or_default().to_owned()
}

#[test]
fn the_package_comes_first_and_the_origin_has_the_rest() {
    let origin = echo();
    let site = Setup::both(&["prep.example"]).origin(origin.address, "", "path = \"/\"").start();
    deliver(&site, 1);
    for way in ways(&site, "prep.example") {
        assert_eq!(way.get("/datos/total.json", &[]).body, b"{\"total\":1}", "{way:?}");
        let path = format!("/notas/{}?b=1&a=%C3%B1", way.name.len());
        let answers = [way.get(&path, &[]), way.get(&path, &[]), way.get(&path, &["If-None-Match: \"a\""])];
        assert_eq!(answers.each_ref().map(|one| one.status), [200, 200, 304], "{way:?} {}", answers[0].head);
        assert!(status(&answers[1]).starts_with("difusor; hit; ttl="), "{}", answers[1].head);
        for one in &answers[..2] {
            assert_eq!(String::from_utf8_lossy(&one.body), path, "{way:?}");
            assert!(one.field("date").is_some() && one.field("via").is_some(), "{}", one.head);
        }
        let part = way.get(&path, &["Range: bytes=1-5"]);
        assert_eq!((part.status, &part.body[..]), (206, &b"notas"[..]), "{}", part.head);
        let head = way.curl(&path, &["--head"]);
        assert_eq!(head.field("content-length"), Some(path.len().to_string().as_str()));
    }
    assert!(origin.heard().iter().all(|heard| heard.target().starts_with("/notas/")), "{:?}", origin.heard());
    // Pages of ours are nobody else's.
    assert_eq!(site.get("/.prep/nada").status, 404);
    assert_eq!(origin.heard().iter().filter(|heard| heard.target().contains(".prep")).count(), 0);
}

/// Over HTTP/2, in clear and under TLS, as `nghttp` may do it: the client has said all, and what is under way still comes.
#[test]
fn who_has_said_all_over_http_2_is_answered_all() {
    let has_said_all = Arc::new(AtomicBool::new(false));
    let waits = has_said_all.clone();
    let origin = Origin::start(move |_, to| {
        until(|| waits.load(SeqCst).then_some(()));
        answer(to, "200 OK", "Cache-Control: no-store\r\n", Some(4), b"nota");
    });
    let site = Setup::both(&["prep.example"]).origin(origin.address, "", "path = \"/api\"\ncache = false").start();
    deliver(&site, 1);
    let over_tls = |stream| secure::client(stream, &site.path("prep.example.pem"), b"h2");
    let clients = [("http", Client::clear(connect(site.http()))), ("https", over_tls(connect(site.https())))];
    for (n, (scheme, mut client)) in clients.into_iter().enumerate() {
        has_said_all.store(false, SeqCst);
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let fields = [(":method", "GET"), (":scheme", scheme), (":path", "/api/x"), (":authority", "prep.example")];
        let asked = Asked { fields: fields.map(|(name, value)| field(name, value)).into(), ..Asked::default() };
        client.say(&[frames::open(65_535), asked.frames(1), asked.frames(3)].concat());
        assert!(until(|| (origin.heard().len() == 2 * (n + 1)).then_some(())).is_some(), "{scheme}: it is under way");
        client.has_said_all();
        // Nothing tells when the server has read the end: it is given the time to.
        std::thread::sleep(std::time::Duration::from_millis(200));
        has_said_all.store(true, SeqCst);
        let mut came = Vec::new();
        while let Some((kind, flags, stream, payload)) = frames::hear(&mut client) {
            if kind == frames::DATA && flags & frames::END_STREAM != 0 {
                came.push((stream, payload));
            }
        }
        came.sort();
        assert_eq!(came, [(1, b"nota".to_vec()), (3, b"nota".to_vec())], "{scheme}");
    }
}

#[test]
fn the_origin_hears_who_asks_and_nothing_of_the_connection() {
    let origin = Origin::start(|_, to| answer(to, "200 OK", "Keep-Alive: 5\r\nX-A: 1\r\n", Some(0), b""));
    let site = Setup::clear().origin(origin.address, "", "path = \"/api\"\ncache = false").start();
    let mut talk = Talk::with(site.http());
    talk.say(
        "GET /api/x?y HTTP/1.1\r\nHost: prep.example\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: 3\r\nX-End: 1\r\n\
         X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nTE: trailers\r\n\r\n",
    );
    let response = talk.hear().unwrap();
    assert_eq!((response.status, response.field("x-a"), response.field("keep-alive")), (200, Some("1"), None));
    assert!(
        status(&response).contains("fwd=bypass") && status(&response).contains("detail=route"),
        "{}",
        response.head
    );
    let heard = origin.heard().remove(0);
    assert_eq!(heard.line, "GET /api/x?y HTTP/1.1");
    assert_eq!(heard.field("host"), Some(origin.address.to_string().as_str()));
    assert_eq!(heard.field("via"), Some("1.1 difusor"));
    assert_eq!(heard.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(heard.field("forwarded"), Some("for=127.0.0.1;proto=http"));
    assert_eq!(heard.field("x-forwarded-host"), Some("prep.example"));
    for name in ["x-hop", "keep-alive", "te"] {
        assert_eq!(heard.field(name), None, "{name}");
    }
    assert_eq!(heard.field("x-end"), Some("1"));
    // What has been here comes no further.
    talk.say("GET /api/x HTTP/1.1\r\nHost: a\r\nVia: 1.1 otro, 1.0 difusor\r\n\r\n");
    assert_eq!(talk.hear().unwrap().status, 508);
    assert_eq!(origin.heard().len(), 1);
}

#[test]
fn a_write_makes_what_is_stored_old_and_a_body_has_a_limit() {
    let origin = Origin::start(|heard, to| {
        let told = format!("{} {}", heard.n, heard.line);
        answer(to, "200 OK", FRESH, Some(told.len()), told.as_bytes());
    });
    let route = "path = \"/api\"\nbody_bytes = \"1 KiB\"";
    let site = Setup::clear().origin(origin.address, "", route).start();
    let first = site.get("/api/x");
    assert_eq!(site.get("/api/x").body, first.body);
    let posted = Talk::with(site.http()).send("POST", "/api/x", "", b"");
    assert_eq!(posted.status, 200);
    assert_ne!(site.get("/api/x").body, first.body, "it was written to");
    let count = origin.heard().len();
    let long = Talk::with(site.http()).send("POST", "/api/x", "", &[b'x'; 2000]);
    assert_eq!((long.status, origin.heard().len()), (413, count), "{}", long.head);
}

#[test]
fn text_that_came_without_a_coding_is_compressed_once_for_all() {
    let text = "casilla,votos\n".repeat(1000);
    let body = text.clone();
    let fields = "Cache-Control: max-age=600\r\nETag: \"a\"\r\nContent-Type: text/csv\r\n";
    let origin = Origin::start(move |_, to| answer(to, "200 OK", fields, Some(body.len()), body.as_bytes()));
    let kept = "[[route]]\nupstream = \"origen\"\npath = \"/tal-cual\"\ncompress = false";
    let site = Setup::both(&["prep.example"]).origin(origin.address, "", &format!("path = \"/\"\n{kept}")).start();
    deliver(&site, 1);
    for way in ways(&site, "prep.example") {
        for coding in ["gzip", "br", "zstd"] {
            let accept = format!("Accept-Encoding: {coding}");
            let coded = until(|| {
                let coded = way.get("/votos.csv", &[&accept]);
                (coded.field("content-encoding") == Some(coding)).then_some(coded)
            });
            let coded = coded.unwrap_or_else(|| panic!("{coding} {way:?}"));
            assert!(coded.body.len() < text.len() / 20, "{coding} {}", coded.head);
            assert_eq!(
                (coded.field("etag"), coded.field("vary")),
                (Some("W/\"a\""), Some("accept-encoding")),
                "{way:?}"
            );
            assert!(way.get("/tal-cual", &[&accept]).body == text.as_bytes());
        }
        // As curl decodes it.
        assert!(way.curl("/votos.csv", &["--compressed"]).body == text.as_bytes(), "{way:?}");
        assert!(way.get("/votos.csv", &[]).body == text.as_bytes(), "{way:?}");
        let part = way.get("/votos.csv", &["Accept-Encoding: gzip", "Range: bytes=0-6", "If-Range: \"a\""]);
        assert_eq!((part.status, &part.body[..]), (206, &b"casilla"[..]), "{way:?}");
    }
    assert_eq!(origin.heard().len(), 4, "each address is asked for once in clear, and once over TLS");
}

#[test]
fn a_new_corte_renews_what_belongs_to_it() {
    let origin = Origin::start(|heard, to| {
        let told = heard.n.to_string();
        answer(to, "200 OK", FRESH, Some(told.len()), told.as_bytes());
    });
    let site = Setup::clear().origin(origin.address, "", "path = \"/actas\"\nby_corte = true").start();
    deliver(&site, 1);
    let first = site.get("/actas/1");
    assert_eq!(site.get("/actas/1").body, first.body);
    deliver(&site, 2);
    assert_ne!(site.get("/actas/1").body, first.body);
}

#[test]
fn results_of_an_origin_wait_for_the_opening_too() {
    let origin = echo();
    let route = "path = \"/resultados\"\nresults = true\n[[route]]\nupstream = \"origen\"\npath = \"/notas\"";
    let site = Setup::clear()
        .window("opens = \"2099-06-06T18:30\"\ncloses = \"2099-06-13T18:30\"")
        .origin(origin.address, "", route)
        .start();
    let (results, note) = (site.get("/resultados/1"), site.get("/notas/1"));
    assert_eq!((results.status, note.status), (503, 200), "{}\n{}", results.head, note.head);
    assert_eq!(results.field("corte-estado"), Some("previo"));
    assert!(origin.heard().iter().all(|heard| heard.target() == "/notas/1"));
}

#[test]
fn nginx_is_an_origin_like_any_other() {
    if tool("nginx").is_none() {
        return;
    }
    let origin = crate::common::nginx::Nginx::start(&[("hola.txt", b"hola a todos")]);
    let site = Setup::clear().origin(origin.address, "", "path = \"/\"\nhost = \"prep\"").start();
    let first = until(|| Some(site.get("/hola.txt")).filter(|one| one.status == 200)).expect("nginx answers");
    assert_eq!(first.body, b"hola a todos");
    let again = get(site.http(), "/hola.txt");
    assert_eq!((again.status, again.body), (200, first.body.clone()));
    assert_eq!(site.get("/nada.txt").status, 404);
    let tag = first.field("etag").unwrap();
    assert_eq!(Talk::with(site.http()).get("/hola.txt", &format!("If-None-Match: {tag}\r\n")).status, 304);
}

#[test]
fn what_an_operator_purges_is_asked_for_again() {
    let origin = Origin::start(|heard, to| {
        let told = heard.n.to_string();
        answer(to, "200 OK", &format!("{FRESH}Cache-Tag: portada\r\n"), Some(told.len()), told.as_bytes());
    });
    let site = Setup::clear().origin(origin.address, "", "path = \"/\"\nhost = \"prep\"").start();
    for args in [["--path", "/x"], ["--prefix", "/"], ["--tag", "portada"], ["--all", "--soft"]] {
        let before = site.get("/x").body;
        assert_eq!(site.get("/x").body, before);
        let settings = site.path("difusor.toml").display().to_string();
        let (code, said) = verb(&["purge", args[0], args[1], "--config", &settings]);
        assert_eq!(
            (code, said.trim()),
            (Some(0), if args[1] == "--soft" { "1 to be validated" } else { "1 forgotten" })
        );
        assert_ne!(site.get("/x").body, before, "{args:?}");
    }
}

fn verb(args: &[&str]) -> (Option<i32>, String) {
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_difusor")).args(args).output().unwrap();
    (out.status.code(), String::from_utf8(out.stdout).unwrap())
}

#[test]
fn a_connection_that_becomes_something_else_goes_through() {
    let origin = Origin::start(|heard, to| {
        assert_eq!(heard.field("connection"), Some("upgrade"));
        let _ = to.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: eco\r\nConnection: upgrade\r\n\r\n");
        let mut bytes = [0; 4];
        let _ = to.read_exact(&mut bytes).and_then(|()| to.write_all(&bytes)).and_then(|()| to.flush());
    });
    let site = Setup::clear().origin(origin.address, "", "path = \"/eco\"\ncache = false").start();
    let mut talk = Talk::with(site.http());
    talk.say("GET /eco HTTP/1.1\r\nHost: prep\r\nConnection: Upgrade\r\nUpgrade: eco\r\n\r\n");
    let response = talk.hear().unwrap();
    assert_eq!((response.status, response.field("upgrade")), (101, Some("eco")), "{}", response.head);
    talk.say("hola");
    assert_eq!(talk.bytes(4), b"hola");
}
