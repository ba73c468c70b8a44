//! Tests of what is not stored: straight as by the general way, byte for byte, as the origin is asked and as the client is answered,
//! for random requests and whatever an origin may answer.

mod origin;

use std::sync::Arc;

use bytes::BytesMut;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::passing::site_before;
use super::plain;
use super::service::{Service, Site};
use super::straight::{ANSWERED, IS_LEFT_OUT};
use crate::proxy::route::{self, Route};
use origin::{ALONE, Answer, Script, Shared, WARM, WARMED, serve};

/// A site before an origin of which nothing is stored.
fn site(runtime: &Runtime, script: &Shared) -> Arc<Site> {
    let script = script.clone();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, script.clone()));
        }
    });
    let of = |prefix, cache| Route { before_package: true, cache, ..route::specimen(prefix) };
    site_before(port, vec![of("/", false), of("/c", true)])
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// What comes back by either way, however it ends.
async fn ask(site: &Arc<Site>, request: &[u8], straight: bool) -> Vec<u8> {
    let (mut client, server) = duplex(1 << 20);
    client.write_all(request).await.unwrap();
    client.shutdown().await.unwrap();
    let service = Service::for_test(site);
    IS_LEFT_OUT.set(!straight);
    let mut plain = plain::Connection::new(server, BytesMut::new());
    // A request for hyper has no answer here.
    drop(plain.serve(&service).await);
    drop(plain);
    IS_LEFT_OUT.set(false);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    answer
}

/// The first line, then the other lines in order of their names, then what follows.
fn normal(message: &[u8]) -> (Vec<String>, String) {
    let end = message.windows(4).position(|w| w == b"\r\n\r\n").map_or(message.len(), |at| at + 4);
    // The two may fall on both sides of a second.
    let undated = |line: &str| if line.starts_with("date: ") { "date: ".to_owned() } else { line.to_owned() };
    let text = |bytes: &[u8]| {
        let all: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        all.split("\r\n").map(undated).collect::<Vec<_>>().join("\r\n")
    };
    let mut head: Vec<String> = text(&message[..end]).split("\r\n").map(str::to_owned).collect();
    head[1..].sort_by_key(|line| line.split(':').next().unwrap_or_default().to_owned());
    (head, text(&message[end..]))
}

fn lines(all: &[&'static [u8]], most: usize) -> impl Strategy<Value = Vec<u8>> + use<> {
    prop::sample::subsequence(all.to_vec(), 0..=most)
        .prop_shuffle()
        .prop_map(|lines| lines.iter().flat_map(|line| [*line, b"\r\n"].concat()).collect())
}

fn requests() -> impl Strategy<Value = Vec<u8>> {
    let method = prop::sample::select(vec!["GET", "GET", "HEAD"]);
    let target =
        prop::sample::select(vec!["/", "/a", "/a?b=1&c", "//a/./b%20?", "/a?b?c=/", "/a;b=1,2'(*)", "/c", "/c/a?b"]);
    let host = prop::sample::select(vec!["a", "A.Example:8080", "[::1]", "127.0.0.1"]);
    let fields = lines(
        &[
            b"Accept-Encoding: gzip",
            b"Accept: */*",
            b"Cookie: a=b",
            b"cookie: c=d",
            b"Via: 1.0 otro",
            b"via: 1.1 prueba",
            b"X-Forwarded-For: 192.0.2.1",
            b"X_Forwarded_For: 192.0.2.1",
            b"x-forwarded-host: b",
            b"Forwarded: for=b",
            b"X-Real-IP: 192.0.2.1",
            b"TE: trailers",
            b"Keep-Alive: 5",
            b"Connection: keep-alive",
            b"Proxy-Connection: x",
            b"HTTP2-Settings: AAA",
            b"If-None-Match: \"a\"",
            b"Authorization: Basic eDp5",
            b"Proxy-Authorization: Basic eDp5",
            b"Cache-Control: no-cache",
            b"Pragma: no-cache",
            b"Max-Forwards: 0",
            b"X-A:",
            b"X-A: 1 ",
            b"X-B:\t\xf1\xff\t",
            b"Trailer: x",
            b"X-HTTP-Method-Override: PUT",
            b"X!#$: 1",
            b"Accept: text/html",
            b"Referer: http://a/\"<>",
        ],
        4,
    );
    (method, target, host, fields).prop_map(|(method, target, host, fields)| {
        let first = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n");
        [first.as_bytes(), &fields, b"\r\n"].concat()
    })
}

/// How the end of a body is told, and whether that is well done.
const FRAMINGS: [(&str, bool); 12] = [
    ("Content-Length: 5\r\n", true),
    ("Content-Length: 5\r\n", true),
    ("content-length: 5\r\nKeep-Alive: timeout=5\r\nConnection: Keep-Alive\r\n", true),
    ("Content-Length: 005\r\n", true),
    ("Content-Length: 4\r\n", false),
    ("Content-Length: 9\r\n", false),
    ("Content-Length: +5\r\n", false),
    ("Content-Length: 5\r\nContent-Length: 5\r\n", false),
    ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", false),
    ("Transfer-Encoding: chunked\r\n", false),
    ("Transfer-Encoding: gzip\r\n", false),
    ("", false),
];

fn answers() -> impl Strategy<Value = Answer> {
    let before = prop::sample::select(vec![
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
    ]);
    let usual = prop::sample::select(vec!["HTTP/1.1 200 OK", "HTTP/1.1 404 No", "HTTP/1.1 204 No Content"]);
    let other = prop::sample::select(vec![
        "HTTP/1.1 200 Otra cosa",
        "HTTP/1.1 200",
        "HTTP/1.0 200 OK",
        "HTTP/1.1 404 No",
        "HTTP/1.1 204 No Content",
        "HTTP/1.1 304 Not Modified",
        "HTTP/1.1 206 Partial Content",
        "HTTP/1.1 408 Late",
        "HTTP/1.1 500 No",
        "HTTP/1.1 503 No",
        "HTTP/1.1 299 Raro",
        "HTTP/1.1 999 Raro",
        "HTTP/1.1 101 Switching Protocols",
        "HTTP/2.0 200 OK",
        "HTTP/1.1  200 OK",
    ]);
    let first = prop_oneof![2 => usual, 1 => other];
    let fields = lines(
        &[
            b"Date: Sun, 06 Nov 1994 08:49:37 GMT",
            b"Via: 1.0 otro",
            b"Cache-Status: otro; hit",
            b"Set-Cookie: a=b",
            b"set-cookie: c=d",
            b"Vary: *",
            b"X-A:",
            b"X-B:\t\xf1\xff",
            b"Upgrade: h2c",
            b"Proxy-Connection: x",
            b"TE: x",
            b"Trailer: x",
            b"Server: nginx",
            b"Content-Encoding: gzip",
            b"Corte: 1",
            b"Age: 3",
            b"Connection: close",
            b"Connection: x-a",
            b"Connection: set-cookie",
            b"X_C: 1",
            b"X D: 1",
            b"X-E: \x01",
            b"ETag: \"a\"",
        ],
        3,
    );
    let framing = prop_oneof![prop::sample::select(FRAMINGS[..4].to_vec()), prop::sample::select(FRAMINGS.to_vec())];
    let body = prop::sample::select(vec![
        "hola!",
        "hola!",
        "hola!",
        "hola!",
        "hola!",
        "hola!",
        "hola!",
        "",
        "hola!mas",
        "5\r\nhola!\r\n0\r\n\r\n",
    ]);
    let parted = prop::option::weighted(0.15, 1..80_usize);
    (before, first, fields, framing, body, parted, any::<bool>()).prop_map(
        |(before, first, fields, (framing, is_good), body, parted, closes)| {
            let head = format!("{before}{first}\r\n{framing}");
            let bytes = [head.as_bytes(), &fields, b"\r\n", body.as_bytes()].concat();
            // What is waited for does come to an end.
            Answer { bytes, parted, closes: closes || !is_good || body != "hola!" }
        },
    )
}

#[test]
fn what_goes_straight_is_asked_and_answered_as_by_the_general_way() {
    let (runtime, script) = (runtime(), Shared::default());
    let site = site(&runtime, &script);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(1500)
    });
    let outcome = runner.run(&(requests(), answers()), |(request, answer)| {
        let both = || {
            // Of what may be stored, it is known that this one is for nobody else: for ten seconds.
            script.lock().unwrap().answer = Answer { bytes: ALONE.to_vec(), ..Answer::default() };
            runtime.block_on(ask(&site, &request, false));
            [true, false].map(|straight| {
                runtime.block_on(ask(&site, WARM.as_bytes(), false));
                *script.lock().unwrap() = Script { answer: answer.clone(), asked: Vec::new() };
                let answer = normal(&runtime.block_on(ask(&site, &request, straight)));
                let asked: Vec<_> = script.lock().unwrap().asked.iter().map(|head| normal(head)).collect();
                (asked, answer)
            })
        };
        // They may end between the two; not between the next two as well.
        let [straight, general] = Some(both()).filter(|[one, other]| one == other).unwrap_or_else(both);
        prop_assert_eq!(straight, general, "{:?} {:?}", request.escape_ascii().to_string(), answer);
        Ok(())
    });
    outcome.unwrap();
    assert!(ANSWERED.get() > 100, "{} went straight", ANSWERED.get());
}

#[test]
fn an_answer_goes_straight_once_a_connection_lies_ready() {
    let (runtime, script) = (runtime(), Shared::default());
    let site = site(&runtime, &script);
    let long = "x".repeat(20_000);
    let bytes =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: keep-alive\r\nX-A: 1\r\n\r\n{long}", long.len());
    script.lock().unwrap().answer = Answer { bytes: bytes.into_bytes(), ..Answer::default() };
    let request = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    for (turn, straight) in [(0, 0), (1, 3)] {
        let before = ANSWERED.get();
        let answer = runtime.block_on(ask(&site, request.repeat(3).as_bytes(), true));
        let text = String::from_utf8(answer).unwrap();
        assert_eq!(text.matches(&long).count(), 3);
        assert_eq!(text.matches("\r\nx-a: 1\r\n").count(), 3);
        // The first of all has to connect.
        assert_eq!(ANSWERED.get() - before, if turn == 0 { 2 } else { straight });
    }
    // What an origin says beyond its answer is nobody's, and ends the connection.
    let twice = [WARMED, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmalo"].concat();
    script.lock().unwrap().answer = Answer { bytes: twice, ..Answer::default() };
    for _ in 0..3 {
        let text = String::from_utf8(runtime.block_on(ask(&site, request.repeat(2).as_bytes(), true))).unwrap();
        assert_eq!((text.matches("HTTP/1.1 200").count(), text.contains("malo")), (2, false), "{text}");
    }
}

#[test]
fn what_is_for_nobody_else_goes_straight_while_that_is_known() {
    let (runtime, script) = (runtime(), Shared::default());
    let site = site(&runtime, &script);
    let answered = |request: &str, bytes: &[u8]| {
        script.lock().unwrap().answer = Answer { bytes: bytes.to_vec(), ..Answer::default() };
        runtime.block_on(ask(&site, WARM.as_bytes(), false));
        let before = ANSWERED.get();
        let request = format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n");
        let text = String::from_utf8(runtime.block_on(ask(&site, request.as_bytes(), true))).unwrap();
        let status = text.lines().find_map(|line| line.strip_prefix("cache-status: prueba; ")).unwrap().to_owned();
        (ANSWERED.get() - before, status)
    };
    let alone = (1, "fwd=miss; fwd-status=200; detail=alone".to_owned());
    const SHARED: &[u8] = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 1\r\n\r\nx";
    // It is known for ten seconds, which may pass in between; not each time.
    let is_known = (0..3).any(|n| {
        let get = format!("GET /c/{n}");
        assert_eq!(answered(&get, ALONE).0, 0, "who can know?");
        let [first, head, later] = [(&*get, ALONE), (&*format!("HEAD /c/{n}"), ALONE), (&*get, SHARED)]
            .map(|(asked, bytes)| answered(asked, bytes));
        assert_eq!(head.0, 0);
        // By then it may be stored, and for others.
        first == alone && later == alone
    });
    assert!(is_known);
    assert!([SHARED, SHARED].iter().all(|bytes| answered("GET /c/otra", bytes).0 == 0));
}

#[test]
fn a_client_that_takes_nothing_holds_its_own_answer_alone() {
    let (runtime, script) = (runtime(), Shared::default());
    let site = site(&runtime, &script);
    let body = "y".repeat(20_000);
    let bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    script.lock().unwrap().answer = Answer { bytes: bytes.into_bytes(), ..Answer::default() };
    let request = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    runtime.block_on(async {
        ask(&site, WARM.as_bytes(), false).await;
        // A pipe of 1000 bytes: the rest waits.
        let (mut slow, server) = duplex(1000);
        slow.write_all(request).await.unwrap();
        let service = Service::for_test(&site);
        let serving =
            tokio::spawn(async move { plain::Connection::new(server, BytesMut::new()).serve(&service).await.is_ok() });
        let mut first = [0; 12];
        slow.read_exact(&mut first).await.unwrap();
        let other = ask(&site, request, true).await;
        assert!(other.ends_with(body.as_bytes()));
        slow.shutdown().await.unwrap();
        let mut rest = Vec::new();
        slow.read_to_end(&mut rest).await.unwrap();
        let whole = [&first[..], &rest].concat();
        assert_eq!(normal(&whole), normal(&other));
        assert!(serving.await.unwrap());
    });
    assert_eq!(ANSWERED.get(), 2);
}

#[test]
fn a_long_body_goes_straight_to_its_end() {
    let (runtime, script) = (runtime(), Shared::default());
    let site = site(&runtime, &script);
    let body: String = (0..60_000).map(|n| format!("{n:5}")).collect();
    let of = |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes();
    let request = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    let ask = |straight, answer: Answer| {
        script.lock().unwrap().answer = answer;
        runtime.block_on(ask(&site, WARM.as_bytes(), false));
        runtime.block_on(ask(&site, &request.repeat(2), straight))
    };
    for parted in [None, Some(10), Some(100), Some(200_000)] {
        let before = ANSWERED.get();
        let both = [true, false].map(|way| ask(way, Answer { bytes: of(body.len()), parted, closes: false }));
        assert!(both[0] == both[1] && both[0].ends_with(body.as_bytes()), "{parted:?}");
        assert!(ANSWERED.get() - before == 2 || parted == Some(10), "{parted:?}");
    }
    // What breaks off is seen to, and nothing is answered behind it.
    let broken = ask(true, Answer { bytes: of(body.len() + 1), parted: None, closes: true });
    assert!(broken.ends_with(body.as_bytes()) && String::from_utf8_lossy(&broken).matches("HTTP/1.1 ").count() == 1);
    // And what comes behind its end is nobody's.
    for _ in 0..2 {
        let answer = ask(true, Answer { bytes: of(body.len() - 1), parted: None, closes: false });
        let text = String::from_utf8(answer).unwrap();
        assert_eq!((text.matches("HTTP/1.1 200").count(), text.matches(&body[1..body.len() - 1]).count()), (2, 2));
    }
}
