//! Tests of what lies ready in the corridor: by the plain path as by hyper's, byte for byte.

use std::sync::Arc;

use proptest::prelude::*;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::passing::site_before;
use super::service::Site;
use super::twins::{beyond_http1, by_http2, by_hyper, by_plain, normal};
use crate::portal::Offer;
use crate::proxy::route::{self, Route};

const PATHS: [&str; 7] = ["/texto", "/codificado", "/secretos", "/foto", "/no-hay", "/movido", "/breve"];
/// What nobody can share: asked for each time.
const ALONE: [&str; 4] = ["/a-solas", "/en-trozos", "/sin-nada", "/cortado"];
/// A body that compresses.
fn text() -> String {
    "casilla,votos\n".repeat(100)
}

/// What an origin answers.
fn answer(path: &str) -> (&'static str, &'static str, String) {
    match path {
        "/texto" => ("200 OK", "Content-Type: text/csv\r\nETag: \"a\"\r\nAge: 3\r\nX-A: 1\r\nX-A: 2\r\n", text()),
        "/codificado" => {
            ("200 OK", "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\nETag: \"b\"\r\n", "no es gzip".into())
        }
        "/secretos" => {
            ("200 OK", "Cache-Control: max-age=600, no-cache=\"x-secreto\"\r\nX-Secreto: 1\r\n", "secreto".into())
        }
        "/foto" => ("200 OK", "Content-Type: image/jpeg\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n", text()),
        "/no-hay" => ("404 Not Found", "", "no hay".into()),
        "/a-solas" | "/en-trozos" | "/cortado" => ("200 OK", "Cache-Control: no-store\r\nETag: \"c\"\r\n", "x".into()),
        "/sin-nada" => ("204 No Content", "Cache-Control: no-store\r\n", String::new()),
        "/movido" => ("301 Moved Permanently", "Location: /texto\r\n", String::new()),
        _ => (
            "200 OK",
            "Via: 1.0 otro\r\nCache-Status: otro; hit\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
                   Cache-Control: s-maxage=2147483647\r\n",
            "x".into(),
        ),
    }
}

/// A site before an origin that is reached from `runtime` alone.
fn site(runtime: &Runtime, compress: bool) -> Arc<Site> {
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    let mut head = String::new();
                    while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).await.is_ok_and(|n| n > 0) {}
                    let path = head.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default();
                    let (status, fields, body) = answer(path);
                    let (framing, body) = match path {
                        "/en-trozos" => ("Transfer-Encoding: chunked".into(), format!("1\r\n{body}\r\n0\r\n\r\n")),
                        "/sin-nada" => ("X-B: 1".into(), body),
                        "/cortado" => ("Content-Length: 9".into(), body),
                        _ => (format!("Content-Length: {}", body.len()), body),
                    };
                    let fresh = "Cache-Control: max-age=600\r\nConnection: close";
                    let whole = format!("HTTP/1.1 {status}\r\n{fields}{fresh}\r\n{framing}\r\n\r\n{body}");
                    stream.write_all(whole.as_bytes()).await.unwrap();
                });
            }
        });
        site_before(port, vec![Route { before_package: true, compress, ..route::specimen("/") }])
    })
}

fn get(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

fn requests() -> impl Strategy<Value = String> {
    let method = prop::sample::select(vec!["GET", "GET", "HEAD"]);
    let all = [&PATHS[..], &ALONE[..3]].concat();
    let path = (prop::sample::select(all), prop::sample::select(vec!["", "?x=1"]));
    let fields = prop::sample::subsequence(
        vec![
            "If-None-Match: \"a\"",
            "Accept-Encoding: gzip",
            "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
            "Cache-Control: max-age=0",
            "Cache-Control: no-transform",
            "Pragma: no-cache",
            "Range: bytes=0-3",
            "Cookie: a=b",
        ],
        0..3,
    );
    (method, path, fields).prop_map(|(method, (path, query), fields)| {
        let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        format!("{method} {path}{query} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
    })
}

#[test]
fn what_weighs_nothing_is_not_left_out() {
    let runtime = runtime();
    let site = site(&runtime, false);
    for path in ["/texto", "/movido"] {
        runtime.block_on(by_hyper(&site, get(path, "").as_bytes()));
    }
    site.ladder.set(Offer::Essentials);
    for (request, status) in [
        (get("/texto", "If-None-Match: \"a\"\r\n"), "304 Not Modified"),
        (get("/movido", ""), "301 Moved Permanently"),
        (get("/texto", ""), "503 Service Unavailable"),
        (get("/a-solas", "If-None-Match: \"c\"\r\n"), "503 Service Unavailable"),
        ("OPTIONS /texto HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "200 OK"),
    ] {
        let hyper = normal(&runtime.block_on(by_hyper(&site, request.as_bytes())));
        assert_eq!(hyper.0[0], format!("HTTP/1.1 {status}"), "{request}");
        if let Some(plain) = runtime.block_on(by_plain(&site, request.as_bytes())) {
            assert_eq!(normal(&plain), hyper, "{request}");
        }
        let (head, _) = runtime.block_on(by_http2(&site, &request)).unwrap();
        assert_eq!(head[0], status[..3], "{request}");
    }
    assert!(site.ladder.refused() > 0);
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// However slow a machine is: four answers within a second.
const TRIES: usize = 1_000;

#[test]
fn both_paths_answer_the_same() {
    let runtime = runtime();
    let site = site(&runtime, false);
    for path in PATHS.iter().chain(&ALONE).flat_map(|path| [(*path).to_owned(), format!("{path}?x=1")]) {
        for codings in ["", "Accept-Encoding: gzip\r\n"] {
            runtime.block_on(by_hyper(&site, get(&path, codings).as_bytes()));
        }
    }
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(500));
    let outcome = runner.run(&requests(), |request| {
        runtime.block_on(async {
            let (mut answers, second) = (None, || site.rhythm.clock.seconds());
            // All in one second of the clock: an answer's age is part of it.
            for _ in 0..TRIES {
                let began = second();
                // Whoever asks first may renew what is stored, which the others find.
                by_plain(&site, request.as_bytes()).await;
                let Some(plain) = by_plain(&site, request.as_bytes()).await else { return Ok(()) };
                let hyper = normal(&by_hyper(&site, request.as_bytes()).await);
                let http2 = by_http2(&site, &request).await;
                answers = Some((normal(&plain), hyper, http2));
                if second() == began {
                    break;
                }
            }
            let (plain, hyper, http2) = answers.unwrap_or_default();
            prop_assert_eq!(&plain, &hyper, "{}", request);
            prop_assert_eq!(http2, Some(beyond_http1(hyper)), "{}", request);
            Ok(())
        })
    });
    outcome.unwrap();
    // The usual ones do not need hyper, once they are stored.
    for path in PATHS {
        let plain = runtime.block_on(by_plain(&site, get(path, "Accept-Encoding: gzip\r\n").as_bytes()));
        let plain = String::from_utf8(plain.unwrap_or_else(|| panic!("{path} is no hit"))).unwrap();
        assert!(plain.contains("\r\ncache-status: ") && plain.contains("; hit; ttl="), "{plain}");
        let (head, _) = runtime.block_on(by_http2(&site, &get(path, "Accept-Encoding: gzip\r\n"))).unwrap();
        assert!(head.iter().any(|line| line.contains("; hit; ttl=")), "{head:?}");
    }
    let known = runtime.block_on(by_plain(&site, get("/texto", "If-None-Match: \"a\"\r\n").as_bytes())).unwrap();
    assert!(known.starts_with(b"HTTP/1.1 304 Not Modified\r\n"));
}

#[test]
fn who_waits_is_answered_in_his_turn_and_the_plain_path_goes_on() {
    let runtime = runtime();
    let site = site(&runtime, false);
    let asked: String = ["/texto", "/a-solas", "/texto", "/en-trozos", "/sin-nada", "/a-solas"]
        .iter()
        .map(|path| get(path, ""))
        .collect();
    let answer = runtime.block_on(by_plain(&site, asked.as_bytes())).expect("not handed over");
    let text = String::from_utf8(answer).unwrap();
    let told: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("cache-status: prueba; ")).collect();
    let begins = ["fwd=uri-miss", "fwd=uri-miss", "hit", "fwd=uri-miss", "fwd=uri-miss", "fwd=miss"];
    assert_eq!(told.len(), begins.len(), "{text}");
    assert!(told.iter().zip(begins).all(|(told, begins)| told.starts_with(begins)), "{told:?}");
    // A body that breaks off ends the connection, and what was asked behind it is not answered.
    let asked = get("/cortado", "") + &get("/texto", "");
    let mut answer = Vec::new();
    runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        client.write_all(asked.as_bytes()).await.unwrap();
        let service = super::service::Service::for_test(&site);
        let mut plain = super::plain::Connection::new(server, bytes::BytesMut::new());
        assert!(plain.serve(&service).await.is_err());
        drop(plain);
        tokio::io::AsyncReadExt::read_to_end(&mut client, &mut answer).await.unwrap();
    });
    let text = String::from_utf8(answer).unwrap();
    assert!(text.contains("content-length: 9\r\n") && text.ends_with("\r\n\r\nx"), "{text}");
    assert_eq!(text.matches("HTTP/1.1 ").count(), 1);
}

#[test]
fn what_is_stored_is_compressed_once_for_all() {
    let runtime = runtime();
    let site = site(&runtime, true);
    let ask = |fields: &str| {
        let request = get("/texto", fields);
        let (plain, hyper) = runtime
            .block_on(async { (by_plain(&site, request.as_bytes()).await, by_hyper(&site, request.as_bytes()).await) });
        // It may be compressed between the two.
        (plain.map(|plain| normal(&plain)), normal(&hyper))
    };
    let has = |head: &[String], line: &str| head.iter().any(|known| known == line);
    let coded = |coding: &str| {
        (0..1000).find_map(|_| {
            let (plain, hyper) = ask(&format!("Accept-Encoding: {coding}\r\n"));
            let is_coded = has(&hyper.0, &format!("content-encoding: {coding}"));
            // Somebody else's turn, if there is but one core.
            std::thread::yield_now();
            (is_coded && plain.as_ref() == Some(&hyper)).then_some(hyper)
        })
    };
    for coding in ["gzip", "br", "zstd"] {
        let (head, body) = coded(coding).expect("compressed soon");
        assert!(body.len() < text().len() / 2, "{coding}");
        for line in ["etag: W/\"a\"", "vary: accept-encoding", "x-a: 1", "x-a: 2"] {
            assert!(has(&head, line), "{line}: {head:?}");
        }
        assert!(!head.iter().any(|line| line.starts_with("accept-ranges")), "{head:?}");
    }
    let (_, gzip) = coded("gzip").unwrap();
    let mut decoded = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&gzip[..]), &mut decoded).unwrap();
    assert_eq!(decoded, text());
    for (fields, status, is_whole) in [
        ("", "200 OK", true),
        ("Accept-Encoding: gzip;q=0\r\n", "200 OK", true),
        ("Accept-Encoding: gzip\r\nCache-Control: no-transform\r\n", "200 OK", true),
        ("Accept-Encoding: gzip\r\nIf-None-Match: W/\"a\"\r\n", "304 Not Modified", false),
        // A part of what the origin sent, and only where its own tag is named.
        ("Accept-Encoding: gzip\r\nRange: bytes=0-6\r\nIf-Range: \"a\"\r\n", "206 Partial Content", false),
        ("Accept-Encoding: gzip\r\nRange: bytes=0-6\r\nIf-Range: W/\"a\"\r\n", "200 OK", true),
    ] {
        let (_, (head, body)) = ask(fields);
        assert_eq!((head[0].as_str(), body == text().as_bytes()), (format!("HTTP/1.1 {status}").as_str(), is_whole));
        assert!(!has(&head, "content-encoding: gzip"), "{fields}: {head:?}");
    }
}
