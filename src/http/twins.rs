//! The two HTTP/1.1 paths held against each other: for any request both must answer the same, byte for byte; and HTTP/2, by a
//! client that is not ours, the same status, fields and body.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use base64ct::{Base64, Encoding};
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::plain::{self, End};
use super::service::{Service, Site};
use super::{Counted, Rhythm, connection, two};
use crate::base::clock::Clock;
use crate::base::digest::Digest;
use crate::snapshot::specimen::{STAMP, edition, showing_of, total_before};
use crate::snapshot::{Coding, Entry, Public};

fn site() -> Arc<Site> {
    let public = Arc::new(Public::new(showing_of(edition())));
    // The clock stands still, so that both paths answer in the same second of the election.
    let (clock, _) = Clock::scripted(STAMP.parse().unwrap());
    Arc::new(Site {
        public,
        rhythm: Rhythm { clock },
        corridor: None,
        ladder: super::ladder::idle(),
        counted: Counted::default(),
    })
}

fn service(site: &Arc<Site>) -> Service {
    Service::for_test(site)
}

/// What comes back for `request` (and the end of input) from the plain path, or `None` where it hands over.
pub(super) async fn by_plain(site: &Arc<Site>, request: &[u8]) -> Option<Vec<u8>> {
    let (mut client, server) = duplex(1 << 20);
    client.write_all(request).await.unwrap();
    client.shutdown().await.unwrap();
    let mut plain = plain::Connection::new(server, BytesMut::new());
    let handed_over = matches!(plain.serve(&service(site)).await.unwrap(), End::HandedOver(..));
    drop(plain);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    (!handed_over).then_some(answer)
}

pub(super) async fn by_hyper(site: &Arc<Site>, request: &[u8]) -> Vec<u8> {
    let (mut client, server) = duplex(1 << 20);
    client.write_all(request).await.unwrap();
    client.shutdown().await.unwrap();
    connection::by_hyper(server, Bytes::new(), service(site)).await;
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    answer
}

/// Status line, then the other lines of the head in order of their names, then the body. `Date` is compared as a field
/// that is there: the two answers may fall on both sides of a second.
pub(super) fn normal(answer: &[u8]) -> (Vec<String>, Vec<u8>) {
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("a head") + 4;
    let mut head: Vec<String> = String::from_utf8(answer[..end].to_vec()).unwrap().lines().map(str::to_owned).collect();
    for line in &mut head {
        if line.starts_with("date: ") {
            line.truncate(6);
        }
    }
    head[1..].sort();
    (head, answer[end..].to_vec())
}

/// What comes back for the same request over HTTP/2, as [`normal`] has it; `None` where HTTP/2 cannot say it.
pub(super) async fn by_http2(site: &Arc<Site>, request: &str) -> Option<(Vec<String>, Vec<u8>)> {
    let mut lines = request.lines();
    let mut first = lines.next()?.split(' ');
    let mut asked = http::Request::builder().method(first.next()?);
    let path = first.next().filter(|path| path.starts_with('/'))?;
    let mut fields = lines.filter_map(|line| line.split_once(": ").or(line.strip_suffix(':').map(|n| (n, ""))));
    let (_, host) = fields.next().filter(|(name, _)| *name == "Host")?;
    asked = asked.uri(format!("http://{host}{path}"));
    for (name, value) in fields {
        if ["Host", "Connection"].contains(&name) {
            return None;
        }
        asked = asked.header(name, value);
    }
    let asked = asked.body(()).ok()?;
    let (client, server) = duplex(1 << 20);
    let serving = tokio::spawn(two::serve(server, service(site)));
    let (mut send, connection) = h2::client::handshake(client).await.unwrap();
    let talking = tokio::spawn(connection);
    let answer = send.send_request(asked, true).unwrap().0.await.unwrap();
    let (head, mut coming) = answer.into_parts();
    let mut body = Vec::new();
    while let Some(data) = coming.data().await {
        let data = data.unwrap();
        coming.flow_control().release_capacity(data.len()).unwrap();
        body.extend_from_slice(&data);
    }
    drop((send, coming));
    talking.await.unwrap().unwrap();
    serving.await.unwrap().unwrap();
    let mut fields: Vec<String> = head
        .headers
        .iter()
        .map(|(name, value)| match name.as_str() {
            "date" => "date: ".to_owned(),
            name => format!("{name}: {}", value.to_str().unwrap()),
        })
        .collect();
    fields.sort();
    Some(([vec![head.status.as_str().to_owned()], fields].concat(), body))
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(at) = body.windows(2).position(|two| two == b"\r\n") {
        let len = usize::from_str_radix(str::from_utf8(&body[..at]).unwrap(), 16).unwrap();
        out.extend_from_slice(&body[at + 2..at + 2 + len]);
        body = &body[at + 4 + len..];
    }
    out
}

/// What [`normal`] returns, as far as HTTP/2 has it.
pub(super) fn beyond_http1((mut head, body): (Vec<String>, Vec<u8>)) -> (Vec<String>, Vec<u8>) {
    head[0] = head[0].split(' ').nth(1).unwrap().to_owned();
    let is_chunked = head.iter().any(|line| line == "transfer-encoding: chunked");
    let body = if is_chunked { unchunked(&body) } else { body };
    head.retain(|line| !line.is_empty() && !line.starts_with("connection: ") && !line.starts_with("transfer-"));
    (head, body)
}

fn tag(site: &Arc<Site>, coding: Coding) -> String {
    let showing = site.public.load();
    let Some(Entry::File(resource)) = showing.results().unwrap().live().get("datos/total.json").cloned() else {
        panic!()
    };
    resource.content.get(coding).unwrap().etag.to_str().unwrap().to_owned()
}

fn difference_tag(site: &Arc<Site>) -> String {
    let showing = site.public.load();
    let differences = showing.results().unwrap().live().differences();
    let Some(Entry::File(resource)) = showing.results().unwrap().live().get("datos/total.json").cloned() else {
        panic!()
    };
    let dictionary = Digest::of(total_before().as_bytes());
    let tags = differences.get(&resource.content, &dictionary).map(|one| one.representation());
    tags.last().unwrap().etag.to_str().unwrap().to_owned()
}

/// As a client says it that has `datos/total.json` of the corte before.
fn dictionary() -> String {
    format!(":{}:", Base64::encode_string(Digest::of(total_before().as_bytes()).as_bytes()))
}

/// Requests of the kind that people and programs send, and of the kind that they should not.
fn requests() -> impl Strategy<Value = String> {
    let method = prop::sample::select(vec!["GET", "HEAD", "GET", "GET", "POST", "OPTIONS", "BREW"]);
    let path = prop::sample::select(vec![
        "/",
        "/index.html",
        "/datos/total.json",
        "/datos/total.json?v=1",
        "/datos/vacio.txt",
        "/foto.jpg",
        "/sub",
        "/sub/",
        "/datos/%74otal.json",
        "/nada",
        "/../x",
        "/%00",
        "/%zz",
        "//x",
        "/.prep/corte.json",
        "/.prep/SHA256SUMS",
        "/.prep/c/20260607_2010/datos/total.json",
        "/.prep/c/20260607_2010",
        "/.prep/c/20200101_0000/x",
        "*",
        "/a\"b",
    ]);
    let fields = prop::collection::vec(
        prop::sample::select(vec![
            "Accept-Encoding: gzip, deflate, br, zstd",
            "Accept-Encoding: identity;q=0",
            "accept-encoding: gzip;q=0.5",
            "Accept-Encoding:",
            "Accept-Encoding: gzip, br, zstd, dcb, dcz",
            "Accept-Encoding: dcb;q=0.9, dcz, identity;q=0",
            "Available-Dictionary: DICTIONARY",
            "available-dictionary: :AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:",
            "Available-Dictionary: :x",
            "Dictionary-ID: \"x\"",
            "Sec-Fetch-Site: cross-site",
            "Sec-Fetch-Mode: no-cors",
            "Sec-Fetch-Mode: cors",
            "Origin: https://diario.example",
            "If-None-Match: DCZ",
            "If-None-Match: IDENTITY",
            "If-None-Match: W/GZIP",
            "if-none-match: \"x\", BR",
            "If-None-Match: *",
            "If-Modified-Since: Mon, 08 Jun 2026 02:10:00 GMT",
            "If-Modified-Since: never",
            "If-Match: \"x\"",
            "If-Match: *",
            "Range: bytes=0-9",
            "Range: bytes=9999999-",
            "If-Range: GZIP",
            "X-Other: 1",
            "Connection: keep-alive",
            "Host: b",
            "Expect: 100-continue",
            "User-Agent: prueba/1.0",
        ]),
        0..7,
    );
    let host = prop::sample::select(vec!["a", "localhost", "127.0.0.1:8080"]);
    (method, path, host, fields).prop_map(|(method, path, host, fields)| {
        let fields: String = fields.iter().map(|f| format!("{f}\r\n")).collect();
        format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]
    #[test]
    fn both_paths_answer_the_same(template in requests()) {
        thread_local!(static SITE: Arc<Site> = site());
        let site = SITE.with(Arc::clone);
        let request = template
            .replace("IDENTITY", &tag(&site, Coding::Identity))
            .replace("GZIP", &tag(&site, Coding::Gzip))
            .replace("BR", &tag(&site, Coding::Br))
            .replace("DCZ", &difference_tag(&site))
            .replace("DICTIONARY", &dictionary());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let plain = by_plain(&site, request.as_bytes()).await;
            let hyper = by_hyper(&site, request.as_bytes()).await;
            // What is no request at all is refused by either, by hyper without a word.
            let is_refused = |answer: &[u8]| answer.starts_with(b"HTTP/1.1 400 ");
            if !is_refused(&hyper) && let Some(http2) = by_http2(&site, &request).await {
                prop_assert_eq!(http2, beyond_http1(normal(&hyper)), "{}", request);
            }
            if let Some(plain) = plain.filter(|plain| !is_refused(plain) || !is_refused(&hyper)) {
                prop_assert_eq!(normal(&plain), normal(&hyper), "{}", request);
            }
            // hyper refuses some requests by itself, before they come to us: those carry no corte.
            let hyper = String::from_utf8_lossy(&hyper).into_owned();
            prop_assert!(hyper.contains("\r\ncorte: 20260607_2010\r\n") || hyper.starts_with("HTTP/1.1 400 "), "{}", request);
            Ok(())
        })?;
    }
}

#[test]
fn the_usual_requests_do_not_need_hyper() {
    let site = site();
    let gzip = tag(&site, Coding::Gzip);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (fields, status) in [
        (String::new(), "200 OK"),
        (format!("Accept-Encoding: gzip, br, zstd, dcb, dcz\r\nAvailable-Dictionary: {}\r\n", dictionary()), "200 OK"),
        ("Accept-Encoding: gzip, deflate, br, zstd\r\n".into(), "200 OK"),
        (format!("Accept-Encoding: gzip\r\nIf-None-Match: {gzip}\r\n"), "304 Not Modified"),
    ] {
        let request = format!("GET /datos/total.json HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let answer = runtime.block_on(by_plain(&site, request.as_bytes())).expect("answered by the plain path");
        assert!(answer.starts_with(format!("HTTP/1.1 {status}\r\n").as_bytes()), "{fields}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order_across_both_paths() {
    let site = site();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let get = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n{more}\r\n");
    // More than one batch of plain ones, then one that needs hyper, then plain ones again.
    let mut requests = get("/datos/total.json", "").repeat(20);
    requests += &get("/nada", "");
    requests += &get("/foto.jpg", "").repeat(3);
    requests += &get("/", "Connection: close\r\n");
    let answer = runtime.block_on(async {
        let (mut client, server) = duplex(1 << 20);
        client.write_all(requests.as_bytes()).await.unwrap();
        connection::http1(server, BytesMut::new(), service(&site)).await;
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        answer
    });
    let text = String::from_utf8_lossy(&answer);
    let statuses: Vec<&str> = text.match_indices("HTTP/1.1 ").map(|(at, _)| &text[at + 9..at + 12]).collect();
    let expected: Vec<&str> = [vec!["200"; 20], vec!["404"], vec!["200"; 4]].concat();
    assert_eq!(statuses, expected);
}

#[test]
fn nobody_is_sent_what_was_for_another() {
    let site = site();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    runtime.block_on(async {
        let before = by_plain(&site, get("/foto.jpg").as_bytes()).await.unwrap();
        // Who asks and is gone, in the midst of an answer and before it.
        for room in [1 << 20, 100] {
            let (mut client, server) = duplex(room);
            client.write_all(get("/datos/total.json").as_bytes()).await.unwrap();
            let mut plain = plain::Connection::new(server, BytesMut::new());
            let service = service(&site);
            let serving = plain.serve(&service);
            let mut serving = std::pin::pin!(serving);
            if room == 100 {
                let polled = poll_fn(|cx| Poll::Ready(serving.as_mut().poll(cx).is_pending())).await;
                assert!(polled, "there is no room for all of it");
            }
            drop(client);
            assert!(serving.await.is_err());
            let after = by_plain(&site, get("/foto.jpg").as_bytes()).await.unwrap();
            assert!(normal(&after) == normal(&before), "{}", String::from_utf8_lossy(&after));
        }
    });
}
