//! What is a request and what is none, with the package alone behind it: the letter of RFC 9112, and what RFC 9110 and 3986 say
//! of targets. Each row with a second request on its heels: it is answered where the first has one reading, and never where not.

use crate::common::frames::bytes;
use crate::common::secure::{self, Client};
use crate::common::server::{Setup, Site};
use crate::common::wire::{connect, ways};
use crate::common::{Tree, corte};

const ID: &str = "20240602_2010";
const FILES: [(&str, &[u8]); 3] = [("index.html", b"<p>uno"), ("datos/total.json", b"{}"), ("a b.txt", b"hola")];
const NEXT: &str = "GET /datos/total.json HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n";

/// What a row comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// This status, and the next request is answered.
    Goes(u16),
    /// This status, and the connection ends.
    Ends(u16),
    /// This status, and the next request is answered or not: hyper ends connections whose body it has not read.
    May(u16),
    /// What was asked has had this answer before its body turned out to be none; the connection ends, by another status or none.
    Breaks(u16),
}
use Told::{Breaks, Ends, Goes, May};

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn with(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\n{fields}\r\n")
}

fn post(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}")
}

fn chunked(body: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", body)
}

fn all<const N: usize>(told: Told, rows: [&str; N]) -> Vec<(String, Told)> {
    rows.into_iter().map(|row| (row.to_owned(), told)).collect()
}

/// Lines and fields (RFC 9112, 2.2, 3 and 5).
fn lines() -> Vec<(String, Told)> {
    let refused = all(
        Ends(400),
        [
            // Bare LF, bare CR.
            "GET / HTTP/1.1\nHost: a\n\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
            "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\rHost: a\r\r",
            "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
            // Folded lines.
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n",
            "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n X: b\r\n\r\n",
            // Space before the colon; names that are none.
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX\t: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX(: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX\u{e9}: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
            // NUL and its kin.
            "GET / HTTP/1.1\r\nHost: a\0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n",
            "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\u{7f}c\r\n\r\n",
            "\0\r\n\r\n",
            // Request lines with more or less space.
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
            "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n",
            " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / x HTTP/1.1\r\nHost: a\r\n\r\n",
            "G\u{e9}T / HTTP/1.1\r\nHost: a\r\n\r\n",
            "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
        ],
    );
    let taken = all(
        Goes(200),
        [
            // Empty lines before a request; any case, no space or tabs before a value; bytes of old.
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nhOsT:a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost:\t a \t\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: \u{e9}\r\nY:\r\n\r\n",
        ],
    );
    [refused, taken].concat()
}

/// Versions (RFC 9112, 2.3; RFC 9110, 2.5).
fn versions() -> Vec<(String, Told)> {
    let refused = all(
        Ends(400),
        [
            "GET /\r\n\r\n",
            "GET / \r\n\r\n",
            "GET / HTTP/0.9\r\nHost: a\r\n\r\n",
            "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
            "GET / HTTP/3.0\r\nHost: a\r\n\r\n",
            "GET / HTTP/1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.10\r\nHost: a\r\n\r\n",
            "GET / HTTP/01.1\r\nHost: a\r\n\r\n",
            "GET / http/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTPS/1.1\r\nHost: a\r\n\r\n",
            "GET / ICY/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1,1\r\nHost: a\r\n\r\n",
            "GET / HTTP/+1.1\r\nHost: a\r\n\r\n",
        ],
    );
    // Without `Host`, and with one more request only where it is asked for.
    let old = all(Ends(200), ["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\nHost: a\r\n\r\n"]);
    let kept = all(Goes(200), ["GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"]);
    [refused, old, kept].concat()
}

/// `Host` (RFC 9112, 3.2; RFC 9110, 7.2).
fn hosts() -> Vec<(String, Told)> {
    let refused = [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nHost: b\r\n",
        "Host: a\r\nX: y\r\nhost: a\r\n",
        "Host: a b\r\n",
        "Host: a/b\r\n",
        "Host: http://a\r\n",
        "Host: u@a\r\n",
        "Host: a:b\r\n",
        "Host: a:80:80\r\n",
        "Host: [::1\r\n",
        "Host: ::1\r\n",
        "Host: a?b\r\n",
        "Host: a#b\r\n",
        "Host: a\\b\r\n",
        "Host: a%zz\r\n",
        "Host: \"a\"\r\n",
        "Host: \u{e9}\r\n",
    ];
    let taken = [
        "Host: prep.example\r\n",
        "Host: a:80\r\n",
        "Host: a:\r\n",
        "Host: 192.0.2.1\r\n",
        "Host: [::1]:80\r\n",
        "Host:\r\n",
    ];
    let rows = |told, rows: &[&str]| rows.iter().map(|row| (with(row), told)).collect::<Vec<_>>();
    [rows(Ends(400), &refused), rows(Goes(200), &taken)].concat()
}

/// Where a body ends (RFC 9112, 6 and 7). Nothing in the package takes one: 405, and the next request only behind its end.
fn bodies() -> Vec<(String, Told)> {
    let refused = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: \r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: \u{b}chunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
    ];
    let mut rows: Vec<_> = refused.iter().map(|fields| (post(fields, "5\r\nhola!\r\n0\r\n\r\n"), Ends(400))).collect();
    rows.push(("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(), Ends(400)));
    for body in [
        "5\nhola!\r\n0\r\n\r\n",
        "5\r\nhola!\n0\r\n\r\n",
        "5\r\nhola!0\r\n\r\n",
        "5\r\nhola!!\r\n0\r\n\r\n",
        "0x5\r\nhola!\r\n0\r\n\r\n",
        "+5\r\nhola!\r\n0\r\n\r\n",
        "-5\r\nhola!\r\n0\r\n\r\n",
        " 5\r\nhola!\r\n0\r\n\r\n",
        "5 \r\nhola!\r\n0\r\n\r\n",
        "5\u{b}\r\nhola!\r\n0\r\n\r\n",
        "5;\0\r\nhola!\r\n0\r\n\r\n",
        "5;a\nb\r\nhola!\r\n0\r\n\r\n",
        "\r\nhola!\r\n0\r\n\r\n",
        "x\r\nhola!\r\n0\r\n\r\n",
        "10000000000000005\r\nhola!\r\n0\r\n\r\n",
        "ffffffffffffffff\r\nhola!\r\n0\r\n\r\n",
        "0\n\r\n",
        "0\r\nHost: b\r\n\r\n",
        "0\r\nContent-Length: 5\r\n\r\n",
        "0\r\nX : y\r\n\r\n",
        "0\r\n X: y\r\n\r\n",
    ] {
        rows.push((chunked(body), Breaks(405)));
    }
    rows.push((chunked(&format!("5;{}\r\nhola!\r\n0\r\n\r\n", "a".repeat(2 << 10))), Breaks(405)));
    rows.push((chunked(&format!("0\r\n{}\r\n", "x: y\r\n".repeat(2 << 10))), Breaks(405)));
    for body in
        ["5\r\nhola!\r\n0\r\n\r\n", "00005\r\nhola!\r\n000\r\n\r\n", "5;a=b\r\nhola!\r\n0\r\nX: y\r\n\r\n", "0\r\n\r\n"]
    {
        rows.push((chunked(body), May(405)));
    }
    rows.push((post("Content-Length: 5\r\n", "hola!"), Goes(405)));
    rows.push((post("Content-Length: 000005\r\n", "hola!"), Goes(405)));
    rows.push((with("Host: a\r\nContent-Length: 5\r\n") + "hola!", Goes(200)));
    rows
}

/// Targets (RFC 9112, 3.2; RFC 3986).
fn targets() -> Vec<(String, Told)> {
    let rows = |told, rows: &[&str]| rows.iter().map(|row| (get(row), told)).collect::<Vec<_>>();
    let mut all = [
        // Absolute form: whatever `Host` says. Nothing but what is meant is found.
        rows(
            Goes(200),
            &["/", "/?", "/?a=%00", "http://b/", "https://b/datos/total.json", "/a%20b.txt", "/%64atos/total.json"],
        ),
        // Dot segments, raw and encoded; a backslash; empty segments: names of nothing.
        rows(
            Goes(404),
            &[
                "/../etc/passwd",
                "/./index.html",
                "/datos/../index.html",
                "/datos/..",
                "/%2e%2e/etc/passwd",
                "/%2E%2E/%2e/index.html",
                "/datos/%2e%2e/index.html",
                "/..%2findex.html",
                "/datos%2f..%2findex.html",
                "/%252e%252e/index.html",
                "/..%5cindex.html",
                "/datos%5ctotal.json",
                "/..;/index.html",
                "//index.html",
                "/datos//total.json",
                "/index.html/",
                "/index.html%20",
                "/index.html.",
                "/INDEX.HTML",
                "/nada",
            ],
        ),
        // No bytes of a name: NUL, controls, broken escapes, UTF-8 that is none or too long for what it says.
        rows(
            Ends(400),
            &[
                "/%00",
                "/index.html%00",
                "/index.html%00.txt",
                "/%0d%0aX: y",
                "/%0d%0a",
                "/%7f",
                "/%",
                "/%2",
                "/%zz",
                "/%u002e",
                "/%ff",
                "/%c0%af",
                "/%c0%ae%c0%ae/",
                "/%e0%80%af",
                "/%f0%80%80%af",
                "/%ed%a0%80",
                "/%c3",
                "/a#b",
                "a:80",
                "a",
                "*",
                "?a",
                "http:/",
                "http://",
                "http://a:b/",
                "http://[::1/",
                "/a b",
                "/\u{7f}",
            ],
        ),
    ]
    .concat();
    all.extend([
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), Goes(204)),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), Goes(405)),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), Goes(405)),
        ("BREW / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), Goes(501)),
        ("get / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), Goes(501)),
    ]);
    all
}

/// More than anybody needs (RFC 9112, 3; RFC 6585, 5).
fn lengths() -> Vec<(String, Told)> {
    let long = |bytes: usize| "a".repeat(bytes);
    let fields = |n: usize| with(&format!("Host: a\r\n{}", "x: y\r\n".repeat(n)));
    vec![
        (get(&format!("/?{}", long(8000))), Goes(200)),
        (get(&format!("/{}", long(8 << 10))), Goes(414)),
        (get(&format!("/?{}", long(8 << 10))), Goes(414)),
        (get(&format!("/{}", long(17 << 10))), Ends(414)),
        (get(&format!("http://a/{}", long(64 << 10))), Ends(414)),
        (format!("GET /{}", long(64 << 10)), Ends(414)),
        (fields(90), Goes(200)),
        (fields(101), Ends(431)),
        (fields(3000), Ends(431)),
        (with(&format!("Host: a\r\nX: {}\r\n", long(12 << 10))), Goes(200)),
        (with(&format!("Host: a\r\nX: {}\r\n", long(17 << 10))), Ends(431)),
        (with(&format!("Host: a\r\n{}: y\r\n", long(17 << 10))), Ends(431)),
        (with(&format!("Host: {}\r\n", long(17 << 10))), Ends(431)),
        (long(17 << 10), Ends(400)),
        (format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", long(17 << 10)), Ends(400)),
        ("\r\n".repeat(16 << 10), Ends(400)),
    ]
}

fn told(site: &Site, request: &str, is_tls: bool) -> (Vec<u16>, bool) {
    let mut client = match is_tls {
        true => secure::client(connect(site.https()), &site.path("prep.example.pem"), b"http/1.1"),
        false => Client::clear(connect(site.http())),
    };
    client.say(&bytes(&format!("{request}{NEXT}")));
    let heard: Vec<_> = std::iter::from_fn(|| client.hear(false)).collect();
    let statuses = heard.iter().map(|one| one.status).collect();
    // Whoever is refused is told why, in a page.
    (statuses, heard.iter().all(|one| one.status < 400 || !one.body.is_empty()))
}

#[test]
fn a_request_is_what_the_standards_say_and_nothing_else() {
    let site = Setup::both(&["prep.example"]).start();
    site.deliver("uno", &Tree::of(&corte(ID), &FILES));
    site.live(ID);
    let rows = [lines(), versions(), hosts(), bodies(), targets(), lengths()].concat();
    let mut faults = Vec::new();
    for (request, expected) in &rows {
        for is_tls in [false, true] {
            let (statuses, has_pages) = told(&site, request, is_tls);
            let is_it = match *expected {
                Goes(status) => statuses == [status, 200],
                Ends(status) => statuses == [status],
                May(status) => statuses == [status] || statuses == [status, 200],
                Breaks(status) => [&[status][..], &[400], &[status, 400]].contains(&&statuses[..]),
            };
            if !is_it || !has_pages {
                let shown: String = request.chars().take(120).collect();
                faults.push(format!("{shown:?} TLS {is_tls}: {expected:?}, not {statuses:?}, pages: {has_pages}"));
            }
        }
    }
    assert!(rows.len() > 170, "{}", rows.len());
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), rows.len() * 2, faults.join("\n"));
}

/// The same limits for whoever speaks HTTP/2, whose library keeps the size of a head.
#[test]
fn what_is_too_long_is_too_long_by_every_protocol() {
    let site = Setup::both(&["prep.example"]).start();
    let long = |bytes: usize| "a".repeat(bytes);
    for way in ways(&site, "prep.example") {
        assert_eq!(way.get(&format!("/.prep/nada?{}", long(9 << 10)), &[]).status, 414, "{way:?}");
        assert_eq!(way.get("/.prep/estado.json", &[&format!("x: {}", long(17 << 10))]).status, 431, "{way:?}");
    }
}
