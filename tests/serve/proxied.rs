//! What is not in the package: routes, the cache, the crowd, and an origin that is slow, broken or gone.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Barrier};

use crate::common::frames::{self, Asked};
use crate::common::origin::{Heard, Origin, Stream, answer};
use crate::common::secure::{self, Client};
use crate::common::server::{Setup, Site, until};
use crate::common::wire::{Response, Talk, connect, get, ways};
use crate::common::{Tree, corte, tool};

const FRESH: &str = "Cache-Control: max-age=600\r\nETag: \"a\"\r\nContent-Type: text/plain\r\n";

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

/// So many clients, who ask for the same before the origin is let go on.
const CROWD: usize = 10_000;
const PATIENT: &str = "first_byte = \"60s\"\ntotal = \"60s\"";

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
