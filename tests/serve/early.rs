//! What is neither an answer nor a body: interim responses, connections that become something else, and the log of it all.

use std::io::Write;

use crate::common::origin::{Origin, Stream, answer};
use crate::common::server::Setup;
use crate::common::wire::{Response, Talk, connect, raw, ways};

const FRESH: &str = "Cache-Control: max-age=600\r\n";

fn hints(to: &mut dyn Stream, count: usize) {
    let hint = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nKeep-Alive: 5\r\n\r\n";
    let _ = to.write_all(format!("HTTP/1.1 100 Continue\r\n\r\n{}", hint.repeat(count)).as_bytes());
}

fn status(response: &Response) -> &str {
    response.field("cache-status").unwrap_or_default()
}

#[test]
fn early_hints_come_before_the_answer_over_every_protocol() {
    let origin = Origin::start(|_, to| {
        hints(to, 2);
        answer(to, "200 OK", FRESH, Some(4), b"nota");
    });
    let routes = "path = \"/\"\n[[route]]\nupstream = \"origen\"\npath = \"/solo\"\ncache = false";
    let site = Setup::both(&["prep.example"]).origin(origin.address, "", routes).start();
    // Only an open site has pages of others at every path.
    let package = crate::common::Tree::of(&crate::common::corte("20240602_2010"), &[("index.html", b"prep")]);
    site.deliver("1.tar", &package);
    site.live("20240602_2010");
    for (n, way) in ways(&site, "prep.example").into_iter().enumerate() {
        for path in [format!("/nota{n}"), "/solo".into()] {
            let first = way.get(&path, &[]);
            assert_eq!(first.status, 103, "{way:?} {}", first.head);
            assert_eq!(first.field("link"), Some("</a.css>; rel=preload"), "{way:?}");
            assert_eq!((first.field("keep-alive"), first.field("via")), (None, Some("1.1 difusor")), "{}", first.head);
            let rest = String::from_utf8(first.body).unwrap();
            let version = if way.name.starts_with("HTTP/2") { "HTTP/2 " } else { "HTTP/1.1 " };
            let heads: Vec<_> = rest.lines().filter_map(|line| line.strip_prefix(version)).collect();
            assert_eq!(heads.iter().map(|head| &head[..3]).collect::<Vec<_>>(), ["103", "200"], "{way:?} {rest}");
            assert!(rest.ends_with("nota"), "{rest}");
        }
        assert_eq!(way.get(&format!("/nota{n}"), &[]).status, 200, "what is stored has none");
    }
}

#[test]
fn early_hints_are_few_and_not_for_http_1_0() {
    let origin = Origin::start(|_, to| {
        hints(to, 50);
        answer(to, "200 OK", "Cache-Control: no-store\r\n", Some(4), b"nota");
    });
    let site = Setup::clear().origin(origin.address, "", "path = \"/\"\nhost = \"prep\"").start();
    for (version, expected) in [("1.1", 8), ("1.0", 0)] {
        let answers = raw(site.http(), format!("GET /x HTTP/{version}\r\nHost: prep\r\n\r\n").repeat(1).as_bytes());
        let statuses: Vec<_> = answers.iter().map(|one| one.status).collect();
        assert_eq!(statuses, [vec![103; expected], vec![200]].concat(), "{version}");
    }
}

/// An origin that speaks HTTP/2 alone, and answers everything after a hint.
fn origin_by_http2() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut connection = h2::server::handshake(stream).await.unwrap();
                    while let Some(Ok((_, mut reply))) = connection.accept().await {
                        let hint = http::Response::builder().status(103).header("link", "</a>").body(()).unwrap();
                        reply.send_informational(hint).unwrap();
                        let head = http::Response::builder()
                            .header("cache-control", "max-age=60")
                            .header("content-length", "4");
                        let head = head.body(()).unwrap();
                        let mut stream = reply.send_response(head, false).unwrap();
                        stream.send_data(bytes::Bytes::from_static(b"nota"), true).unwrap();
                    }
                });
            }
        });
    });
    address
}

#[test]
fn hints_of_an_origin_by_http2_come_before_the_answer_too() {
    let routes = "path = \"/\"\n[[route]]\nupstream = \"origen\"\npath = \"/solo\"\ncache = false";
    let site = Setup::both(&["prep.example"]).origin(origin_by_http2(), "http2 = true", routes).start();
    let package = crate::common::Tree::of(&crate::common::corte("20240602_2010"), &[("index.html", b"prep")]);
    site.deliver("1.tar", &package);
    site.live("20240602_2010");
    for (n, way) in ways(&site, "prep.example").into_iter().enumerate() {
        for path in [format!("/nota{n}"), "/solo".into()] {
            let first = way.get(&path, &[]);
            assert_eq!((first.status, first.field("link")), (103, Some("</a>")), "{way:?} {path} {}", first.head);
            assert_eq!(first.field("via"), Some("2 difusor"), "RFC 9110, 7.6.3: as it was received");
            let rest = String::from_utf8(first.body).unwrap();
            assert!(
                rest.contains(" 200") && rest.contains("via: 2 difusor") && rest.ends_with("nota"),
                "{way:?} {rest}"
            );
        }
        let stored = way.get(&format!("/nota{n}"), &[]);
        assert_eq!((stored.status, &stored.body[..]), (200, &b"nota"[..]), "what is stored has none");
    }
}

/// What the two say, after RFC 6455, 1.3 and 5.7.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const MASKED_HELLO: [u8; 11] = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
const HELLO: [u8; 7] = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
const MASKED_CLOSE: [u8; 6] = [0x88, 0x80, 1, 2, 3, 4];
const CLOSE: [u8; 2] = [0x88, 0];

#[test]
fn one_route_with_a_cache_serves_pages_and_a_websocket() {
    let origin = Origin::start(|heard, to| {
        if heard.field("upgrade") != Some("websocket") {
            return answer(to, "200 OK", FRESH, Some(4), b"nota");
        }
        assert_eq!(heard.field("sec-websocket-key"), Some(KEY));
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
        );
        to.write_all(head.as_bytes()).unwrap();
        for _ in 0..3 {
            let mut frame = [0; MASKED_HELLO.len()];
            to.read_exact(&mut frame).unwrap();
            assert_eq!(frame, MASKED_HELLO);
            to.write_all(&HELLO).unwrap();
        }
        let mut frame = [0; MASKED_CLOSE.len()];
        to.read_exact(&mut frame).unwrap();
        to.write_all(&CLOSE).unwrap();
    });
    let site = Setup::clear().origin(origin.address, "", "path = \"/\"\nhost = \"prep\"").start();
    let mut talk = Talk::with(site.http());
    assert_eq!(talk.get("/vivo", "").body, b"nota");
    talk.say(format!(
        "GET /vivo HTTP/1.1\r\nHost: prep\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    ));
    let switched = talk.hear().unwrap();
    assert_eq!((switched.status, switched.field("sec-websocket-accept")), (101, Some(ACCEPT)), "{}", switched.head);
    assert_eq!(status(&switched), "difusor; fwd=bypass; fwd-status=101; detail=upgrade");
    for _ in 0..3 {
        talk.say(MASKED_HELLO);
        assert_eq!(talk.bytes(HELLO.len()), HELLO);
    }
    talk.say(MASKED_CLOSE);
    assert_eq!(talk.bytes(CLOSE.len()), CLOSE);
    assert!(talk.hear().is_none(), "the origin has closed");
    // What would be another way to ask for pages does not go on.
    let h2c = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n";
    let page = Talk::with(site.http()).get("/vivo", h2c);
    assert!(page.status == 200 && status(&page).starts_with("difusor; hit"), "{}", page.head);
    assert_eq!(origin.heard().len(), 2);
}

#[test]
fn what_became_of_each_request_is_in_the_log_for_who_wants_it() {
    let origin = Origin::start(|_, to| answer(to, "200 OK", FRESH, Some(4), b"nota"));
    let setup = || Setup::clear().origin(origin.address, "", "path = \"/\"\nhost = \"prep\"\nname = \"sitio\"");
    let site = setup().env("RUST_LOG", "info,difusor::proxy=debug".into()).start();
    for _ in 0..2 {
        assert_eq!(site.get("/x%0Ay").status, 400);
        assert_eq!(site.get("/nota?a").body, b"nota");
    }
    let missing = Talk::with(site.http()).get("/z", "Cache-Control: only-if-cached\r\n");
    assert_eq!((missing.status, status(&missing)), (504, "difusor; detail=not-stored"));
    for parts in [
        ["proxied", "route=\"sitio\"", "path=/nota ", "outcome=\"uri-miss\"", "status=200"],
        ["proxied", "route=\"sitio\"", "path=/nota ", "outcome=\"hit\"", "status=200"],
        ["outcome=\"refused\"", "path=/z ", "collapsed=false", "detail=\"not-stored\"", "status=504"],
    ] {
        site.log_line(&parts);
    }
    let quiet = setup().start();
    assert_eq!(quiet.get("/nota").body, b"nota");
    assert!(quiet.logged(&["proxied"]).is_empty());
}

#[test]
fn what_is_the_origins_to_judge_goes_there() {
    let origin = Origin::start(|heard, to| match heard.field("if-match") {
        Some("\"b\"") => answer(to, "412 Precondition Failed", "", Some(0), b""),
        _ => answer(to, "200 OK", "Cache-Control: max-age=600\r\nETag: \"a\"\r\n", Some(4), b"nota"),
    });
    let site = Setup::clear().origin(origin.address, "", "path = \"/x\"\nfirst = true").start();
    let with = |fields: &str| Talk::with(site.http()).get("/x", fields);
    assert_eq!(with("").status, 200);
    let failed = with("If-Match: \"b\"\r\n");
    assert_eq!((failed.status, origin.heard().len()), (412, 2), "RFC 9111, 4.3.2: {}", failed.head);
    assert!(status(&failed).contains("detail=condition"), "{}", failed.head);
    let only = with("Authorization: x\r\nCache-Control: only-if-cached\r\n");
    assert_eq!((only.status, origin.heard().len()), (504, 2), "RFC 9111, 5.2.1.7: {}", only.head);
    let mut talk = Talk::with(site.http());
    talk.say("OPTIONS /x HTTP/1.1\r\nHost: prep\r\nMax-Forwards: 0\r\n\r\n");
    let last = talk.hear().unwrap();
    assert_eq!((last.status, origin.heard().len()), (204, 2), "RFC 9110, 7.6.2: {}", last.head);
    talk.say("OPTIONS /x HTTP/1.1\r\nHost: prep\r\nMax-Forwards: 3\r\n\r\n");
    assert_eq!(talk.hear().unwrap().status, 200);
    assert_eq!(origin.heard()[2].field("max-forwards"), Some("2"));
}

#[test]
fn what_a_write_names_is_old_under_every_routes_rules() {
    let origin = Origin::start(|heard, to| {
        if heard.line.starts_with("POST") {
            let to_client = heard.field("x-to").unwrap();
            return answer(to, "201 Created", &format!("Location: {to_client}\r\n"), Some(0), b"");
        }
        let told = heard.n.to_string();
        answer(to, "200 OK", FRESH, Some(told.len()), told.as_bytes());
    });
    let routes = "path = \"/api\"\n[[route]]\nupstream = \"origen\"\npath = \"/notas\"\nquery = \"sort\"\n\
        headers = [\"x-idioma\"]";
    let site = Setup::clear().origin(origin.address, "", routes).start();
    let own = origin.url("/notas/1?b=1&a=2");
    for (named, is_old) in [
        ("/notas/1?b=1&a=2", true),
        ("http://prep/notas/1?b=1&a=2", true),
        (&own, true),
        ("http://otro/notas/1?b=1&a=2", false),
        ("/notas/2", false),
    ] {
        let note = || Talk::with(site.http()).get("/notas/1?a=2&b=1", "X-Idioma: es\r\n").body;
        let before = note();
        assert_eq!(note(), before);
        let posted = Talk::with(site.http()).send("POST", "/api/x", &format!("X-To: {named}\r\n"), b"");
        assert_eq!(posted.status, 201);
        assert_eq!(note() != before, is_old, "RFC 9111, 4.4: {named}");
    }
}

#[test]
fn what_came_before_a_write_is_not_kept_as_new_after_it() {
    let gate = std::sync::Arc::new(std::sync::Barrier::new(2));
    let opens = gate.clone();
    let origin = Origin::start(move |heard, to| {
        if heard.line.starts_with("POST") {
            return answer(to, "200 OK", "", Some(0), b"");
        }
        if heard.n == 0 {
            opens.wait();
        }
        let told = heard.n.to_string();
        answer(to, "200 OK", FRESH, Some(told.len()), told.as_bytes());
    });
    let site = Setup::clear().origin(origin.address, "", "path = \"/\"\nhost = \"prep\"").start();
    let mut slow = Talk::with(site.http());
    slow.say("GET /x HTTP/1.1\r\nHost: prep\r\n\r\n");
    crate::common::server::until(|| (origin.heard().len() == 1).then_some(())).unwrap();
    assert_eq!(Talk::with(site.http()).send("POST", "/x", "", b"").status, 200);
    // Who comes later does not wait for what was asked before.
    let later = site.get("/x");
    assert_eq!(&later.body, b"2", "{}", later.head);
    gate.wait();
    assert_eq!(slow.hear().unwrap().body, b"0");
    assert_eq!(site.get("/x").body, b"2");
}

#[test]
fn who_asked_gets_what_is_his_and_who_joined_does_not() {
    let gate = std::sync::Arc::new(std::sync::Barrier::new(2));
    let opens = gate.clone();
    let origin = Origin::start(move |_, to| {
        let fields =
            "Cache-Control: public, max-age=60, private=\"X-Yo\", no-cache=\"X-Hoy\"\r\nX-Yo: 1\r\nX-Hoy: 1\r\n";
        answer(to, "200 OK", fields, Some(4), b"no");
        opens.wait();
        let _ = to.write_all(b"ta").and_then(|()| to.flush());
    });
    let site = Setup::clear().origin(origin.address, "", "path = \"/\"\nhost = \"prep\"").start();
    let [mut first, mut second] = [(); 2].map(|()| std::io::BufReader::new(connect(site.http())));
    let head = |stream: &mut std::io::BufReader<std::net::TcpStream>| {
        stream.get_mut().write_all(b"GET /x HTTP/1.1\r\nHost: prep\r\n\r\n").unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            std::io::BufRead::read_line(stream, &mut head).unwrap();
        }
        head
    };
    let heads = [head(&mut first), head(&mut second)];
    gate.wait();
    let hit = Talk::with(site.http()).get("/x", "").head;
    for (text, of_first) in [("x-yo: 1", true), ("x-hoy: 1", true), ("cache-control: ", false)] {
        let has = [&heads[0], &heads[1], &hit].map(|head| head.contains(text));
        assert_eq!(has, [true, !of_first, !of_first], "{text} {heads:?}");
    }
}

#[test]
fn a_connection_that_waits_is_still_one_of_http() {
    // An interim response after pipelined requests, read byte by byte.
    let origin = Origin::start(|heard, to| {
        hints(to, 1);
        answer(to, "200 OK", "Cache-Control: no-store\r\n", Some(heard.target().len()), heard.target().as_bytes());
    });
    let site = Setup::clear().origin(origin.address, "", "path = \"/\"\nhost = \"prep\"").start();
    let mut stream = connect(site.http());
    let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: prep\r\n\r\n");
    stream.write_all(format!("{}{}{}", ask("/uno"), ask("/dos"), ask("/tres")).as_bytes()).unwrap();
    let mut stream = std::io::BufReader::with_capacity(1, stream);
    for path in ["/uno", "/dos", "/tres"] {
        let early = Response::read(&mut stream, false).unwrap();
        let last = Response::read(&mut stream, false).unwrap();
        assert_eq!((early.status, last.status, &last.body[..]), (103, 200, path.as_bytes()), "{}", last.head);
    }
}
