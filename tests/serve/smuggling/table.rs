//! The requests, each with what it comes to (RFC 9110, 9112). `{p}` is where its targets begin, `{inner}` a request that must
//! never be seen; each character is one byte.

use super::Told;
use super::Told::{Broken, Cut, Page, Passed, Refused};

type Row = (String, Told);

/// What a smuggler would have as the next request.
const BODY: &str = "0\r\n\r\n{inner}";

pub fn rows() -> Vec<Row> {
    [lengths(), lines(), chunks(), trailers(), hosts(), targets(), methods(), connection(), bodies()].concat()
}

fn post(fields: &str, body: &str) -> String {
    format!("POST {{p}}x HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}")
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn with(fields: &str) -> String {
    format!("GET {{p}}x HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

fn chunked(body: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", body)
}

fn all(told: &Told, requests: impl IntoIterator<Item = String>) -> Vec<Row> {
    requests.into_iter().map(|request| (request, told.clone())).collect()
}

/// Where a body ends (RFC 9112, 6).
fn lengths() -> Vec<Row> {
    let refused = [
        // CL.TE, TE.CL, TE.TE
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        "content-length: 6\r\ntransfer-encoding: CHUNKED\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: \r\n",
        "Transfer-Encoding: ,chunked\r\n",
        "Transfer-Encoding: chunked,\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked x\r\n",
        "Transfer-Encoding: chunk\u{e9}d\r\n",
        "Transfer-Encoding: chunked\u{b}\r\n",
        "Transfer-Encoding:\u{b}chunked\r\n",
        "Transfer-Encoding:\u{c}chunked\r\n",
        "Transfer-Encoding: chunked\0\r\n",
        "Transfer-Encoding\0: chunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding\t: chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "\tTransfer-Encoding: chunked\r\n",
        "Transfer Encoding: chunked\r\n",
        "Transfer-Encoding\r\n: chunked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "X: a\r\n Transfer-Encoding: chunked\r\n",
        "X: a\rTransfer-Encoding: chunked\r\n",
        "X: a\nTransfer-Encoding: chunked\r\n",
        "X: a\r\rTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 0\r\ncontent-length: 5\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 5,\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5.0\r\n",
        "Content-Length: 5e0\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: \"5\"\r\n",
        "Content-Length: five\r\n",
        "Content-Length: \r\n",
        "Content-Length: 5\0\r\n",
        "Content-Length:\u{b}5\r\n",
        "Content-Length : 5\r\n",
        "Content-Length: 5\r\n 0\r\n",
        "Content-Length: \u{b2}\r\n",
        // 2^64 and around it
        "Content-Length: 18446744073709551615\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 18446744073709551621\r\n",
        "Content-Length: 99999999999999999999999999\r\n",
    ];
    let mut rows = all(&Refused, refused.iter().map(|fields| post(fields, BODY)));
    // Nor with a GET, by whichever path that is answered.
    let smuggling = ["Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: x\r\n"];
    rows.extend(all(&Refused, smuggling.iter().map(|fields| format!("{}{BODY}", with(fields)))));
    rows.extend(all(
        &Refused,
        ["Transfer-Encoding: chunked\r\n", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"]
            .map(|fields| format!("POST {{p}}x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n{fields}\r\n{BODY}")),
    ));
    let whole = Passed("POST", "x", "a", "hola!");
    for fields in
        ["Content-Length: 5\r\n", "CONTENT-LENGTH:5\r\n", "Content-Length: \t5 \t\r\n", "Content-Length: 0005\r\n"]
    {
        rows.push((post(fields, "hola!"), whole.clone()));
    }
    for fields in
        ["Transfer-Encoding: chunked\r\n", "transfer-encoding:\tChunked \r\n", "Transfer-encoding:chunked\r\n"]
    {
        rows.push((post(fields, "5\r\nhola!\r\n0\r\n\r\n"), whole.clone()));
    }
    // The body is a body, whatever it looks like.
    rows.push((post("Content-Length: 5\r\n", "0\r\n\r\n"), Passed("POST", "x", "a", "0\r\n\r\n")));
    rows.push((post("Content-Length: 0\r\n", ""), Passed("POST", "x", "a", "")));
    rows.push((post("", ""), Passed("POST", "x", "a", "")));
    rows.push((post("Content-Length: 50\r\n", "hola!"), Cut));
    rows
}

/// Line ends, folds, and what may stand in a head (RFC 9112, 2.2 and 5).
fn lines() -> Vec<Row> {
    let whole = [
        "GET {p}x HTTP/1.1\nHost: a\n\n{inner}",
        "GET {p}x HTTP/1.1\r\nHost: a\n\r\n{inner}",
        "GET {p}x HTTP/1.1\nHost: a\r\n\r\n{inner}",
        "GET {p}x HTTP/1.1\r\nHost: a\r\n\n{inner}",
        "GET {p}x HTTP/1.1\r\nHost: a\n\n{inner}",
        "GET {p}x HTTP/1.1\rHost: a\r\r{inner}",
        "GET {p}x HTTP/1.1\r\nHost: a\r\r\n\r\n",
        "GET {p}x HTTP/1.1\r\n Host: a\r\n\r\n",
        "GET {p}x HTTP/1.1\r\n\tX: a\r\nHost: a\r\n\r\n",
        "\n\nGET {p}x HTTP/1.1\r\nHost: a\r\n\r\n",
        " GET {p}x HTTP/1.1\r\nHost: a\r\n\r\n",
        "\0GET {p}x HTTP/1.1\r\nHost: a\r\n\r\n",
        "\u{ef}\u{bb}\u{bf}GET {p}x HTTP/1.1\r\nHost: a\r\n\r\n",
    ];
    let mut rows = all(&Refused, whole.map(str::to_owned));
    let fields = [
        "X: a\0b\r\n",
        "X: a\u{1}b\r\n",
        "X: a\u{7f}b\r\n",
        "X\0: a\r\n",
        "X\u{e9}: a\r\n",
        "X(: a\r\n",
        "X\r\n",
        ": a\r\n",
        "X: a\r\n b\r\n",
        "X: a\r\n\tb\r\n",
        "X:\r\n \r\n",
        "X: a\rb\r\n",
        "X: a\r\n\rY: b\r\n",
    ];
    rows.extend(all(&Refused, fields.map(with)));
    rows.push((with("X: a\u{e9}b\tc\r\nX-Empty:\r\n"), Passed("GET", "x", "a", "")));
    // RFC 9112, 2.2: one empty line before a request is nothing.
    rows.push((format!("\r\n{}", get("{p}x")), Passed("GET", "x", "a", "")));
    rows.push((with(&format!("X: {}\r\n", "a".repeat(20_000))), Page(431)));
    rows.push((with(&"X: a\r\n".repeat(150)), Page(431)));
    rows.push((get(&format!("{{p}}{}", "a".repeat(9_000))), Page(414)));
    rows
}

/// Sizes, extensions and ends of chunks (RFC 9112, 7.1).
fn chunks() -> Vec<Row> {
    let broken = [
        "0x5\r\nhola!\r\n0\r\n\r\n",
        "+5\r\nhola!\r\n0\r\n\r\n",
        "-5\r\nhola!\r\n0\r\n\r\n",
        " 5\r\nhola!\r\n0\r\n\r\n",
        "5 \r\nhola!\r\n0\r\n\r\n",
        "5\t\r\nhola!\r\n0\r\n\r\n",
        "5\u{b}\r\nhola!\r\n0\r\n\r\n",
        "5_\r\nhola!\r\n0\r\n\r\n",
        "5\0\r\nhola!\r\n0\r\n\r\n",
        "5 5\r\nhola!\r\n0\r\n\r\n",
        "g\r\nhola!\r\n0\r\n\r\n",
        "\r\nhola!\r\n0\r\n\r\n",
        ";a\r\nhola!\r\n0\r\n\r\n",
        "5\nhola!\r\n0\r\n\r\n",
        "5\rhola!\r\n0\r\n\r\n",
        "5\r\r\nhola!\r\n0\r\n\r\n",
        // 2^64 and around it
        "10000000000000000\r\nhola!\r\n0\r\n\r\n",
        "10000000000000005\r\nhola!\r\n0\r\n\r\n",
        "fffffffffffffffffffff\r\nhola!\r\n0\r\n\r\n",
        // Longer than the size says, and shorter.
        "5\r\nhola!adios\r\n0\r\n\r\n",
        "4\r\nhola!\r\n0\r\n\r\n",
        "6\r\nhola!\r\n0\r\n\r\n{inner}",
        "5\r\nhola!0\r\n\r\n{inner}",
        "5\r\nhola!\n0\r\n\r\n{inner}",
        "5\r\nhola!\r0\r\n\r\n{inner}",
        "5\r\nhola!\r\n\r\n0\r\n\r\n{inner}",
        // Extensions that another reads as an end of line.
        "5;a\nb\r\nhola!\r\n0\r\n\r\n",
        "5;a\rb\r\nhola!\r\n0\r\n\r\n",
        "5;\n\r\nhola!\r\n0\r\n\r\n",
        "5;a=\"\r\n\"\r\nhola!\r\n0\r\n\r\n",
        "5;\0\r\nhola!\r\n0\r\n\r\n",
        "0;\n\r\n\r\n",
        // The end.
        "5\r\nhola!\r\n0\n\n{inner}",
        "5\r\nhola!\r\n0\r\n\n{inner}",
        "5\r\nhola!\r\n0\r\r\n\r\n{inner}",
        "5\r\nhola!\r\n0\r\n\rX{inner}",
        "5\r\nhola!\r\n-0\r\n\r\n{inner}",
    ];
    let mut rows = all(&Broken, broken.map(chunked));
    rows.extend(all(&Broken, [format!("5;{}\r\nhola!\r\n0\r\n\r\n", "a".repeat(40_000))].map(|body| chunked(&body))));
    let many = format!("{}0\r\n\r\n", "1;a=bcdefghijkl\r\nx\r\n".repeat(3_000));
    rows.push((chunked(&many), Broken));
    let whole = Passed("POST", "x", "a", "hola!");
    for body in [
        "5;a=b\r\nhola!\r\n0\r\n\r\n",
        "5;a=\"b;c\"\r\nhola!\r\n0;fin\r\n\r\n",
        "00000005\r\nhola!\r\n000\r\n\r\n",
        "2\r\nho\r\n3\r\nla!\r\n0\r\n\r\n",
        "1\r\nh\r\n1\r\no\r\n1\r\nl\r\n1\r\na\r\n1\r\n!\r\n0\r\n\r\n",
    ] {
        rows.push((chunked(body), whole.clone()));
    }
    rows.push((chunked("A\r\nholaholaho\r\n0\r\n\r\n"), Passed("POST", "x", "a", "holaholaho")));
    rows.push((chunked("5\r\n0\r\n\r\n\r\n0\r\n\r\n"), Passed("POST", "x", "a", "0\r\n\r\n")));
    for body in ["5\r\nhola!\r\n", "5\r\nho", "5", "", "5\r\nhola!\r\n0\r\n", "5\r\nhola!\r\n0\r\nX: y\r\n"] {
        rows.push((chunked(body), Cut));
    }
    rows
}

/// Fields behind the last chunk (RFC 9110, 6.5; RFC 9112, 7.1.2).
fn trailers() -> Vec<Row> {
    let end = |fields: &str| chunked(&format!("5\r\nhola!\r\n0\r\n{fields}\r\n"));
    let broken = [
        "X: a\nY: b\r\n",
        "X: a\n",
        " X: a\r\n",
        "X : a\r\n",
        "X\r\n",
        "X: a\r\n b\r\n",
        "X: a\0\r\n",
        "GET {p}secreto HTTP/1.1\r\nHost: a\r\n",
        // What frames, routes or authenticates has no place there (RFC 9110, 6.5.1).
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Host: b\r\n",
        "Authorization: Basic x\r\n",
    ];
    let mut rows = all(&Broken, broken.map(end));
    rows.extend(all(&Broken, [&"X: a\r\n".repeat(150)[..], &format!("X: {}\r\n", "a".repeat(40_000))].map(end)));
    rows.push((end("X-Suma: 1\r\n"), Passed("POST", "x", "a", "hola!")));
    let announced = "Transfer-Encoding: chunked\r\nTrailer: Host, X-Suma\r\n";
    rows.push((post(announced, "5\r\nhola!\r\n0\r\nX-Suma: 1\r\n\r\n"), Passed("POST", "x", "a", "hola!")));
    rows.push((post(announced, "5\r\nhola!\r\n0\r\nHost: b\r\n\r\n"), Broken));
    rows
}

/// Whom a request is for (RFC 9110, 7.2; RFC 9112, 3.2).
fn hosts() -> Vec<Row> {
    let head = |fields: &str| format!("GET {{p}}x HTTP/1.1\r\n{fields}\r\n");
    let refused = [
        "",
        "Host:\r\n",
        "Host: \r\n",
        "Host: a\r\nHost: b\r\n",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nhost:\r\n",
        "Host: a, b\r\n",
        "Host: a,b\r\n",
        "Host: a b\r\n",
        "Host: a\tb\r\n",
        "Host: u@a\r\n",
        "Host: u:p@a\r\n",
        "Host: a:b\r\n",
        "Host: a:80:80\r\n",
        "Host: a:99999\r\n",
        "Host: a:-1\r\n",
        "Host: :80\r\n",
        "Host: a/b\r\n",
        "Host: a?b\r\n",
        "Host: a#b\r\n",
        "Host: a\\b\r\n",
        "Host: http://a\r\n",
        "Host: a%00\r\n",
        "Host: a;b\r\n",
        "Host: a\"b\r\n",
        "Host: [a\r\n",
        "Host: [::1\r\n",
        "Host: ::1\r\n",
        "Host: [::1]a\r\n",
        "Host: \u{e9}\r\n",
        " Host: a\r\n",
        "Host : a\r\n",
        "X: a\r\n Host: a\r\n",
    ];
    let mut rows = all(&Refused, refused.map(head));
    for (fields, host) in [
        ("Host: a\r\n", "a"),
        ("hOsT:a\r\n", "a"),
        ("Host: \ta.example:8080 \r\n", "a.example:8080"),
        ("Host: A.Example\r\n", "a.example"),
        ("Host: 127.0.0.1:1\r\n", "127.0.0.1:1"),
        ("Host: [::1]:443\r\n", "[::1]:443"),
        ("Host: a_b-c.\r\n", "a_b-c."),
    ] {
        rows.push((head(fields), Passed("GET", "x", host, "")));
    }
    // The absolute form comes before Host (RFC 9112, 3.2.2).
    rows.push((get("http://c{p}x"), Passed("GET", "x", "c", "")));
    rows.push((get("HTTP://C:81{p}x?y"), Passed("GET", "x?y", "c:81", "")));
    rows.push(("GET http://c{p}x HTTP/1.1\r\nHost: c\r\n\r\n".into(), Passed("GET", "x", "c", "")));
    rows.extend(all(
        &Refused,
        [
            "http://u@c{p}x",
            "http://{p}x",
            "http:{p}x",
            "http:/c{p}x",
            "ftp://c{p}x",
            "file://{p}x",
            "javascript:x",
            "http://c:x{p}x",
            "http://c d{p}x",
            "http://c\\@d{p}x",
            "c{p}x",
        ]
        .map(get),
    ));
    rows.extend(all(
        &Refused,
        ["GET http://c{p}x HTTP/1.1\r\n\r\n", "GET http://c{p}x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"]
            .map(str::to_owned),
    ));
    rows
}

/// What is asked for (RFC 9112, 3.2; RFC 3986).
fn targets() -> Vec<Row> {
    let mut rows = all(
        &Refused,
        [
            "{p}x#f",
            "{p}#",
            "{p}x y",
            "{p}x\ty",
            "{p}\u{1}x",
            "{p}\u{7f}x",
            "{p}\0x",
            "{p}\u{c3}\u{b1}",
            "{p}\u{e9}",
            "{p}%00",
            "{p}%0d%0aX:y",
            "{p}%",
            "{p}%4",
            "{p}%zz",
            "{p}%c0%af",
            "{p}/../x",
            "{p}/./x",
            "{p}/..",
            "{p}/%2e%2e/x",
            "{p}/%2E./x",
            "{p}%2f..%2fx",
            "{p}\\..\\x",
            "{p}%5c..%5cx",
            "{p}/..;a/x",
            "{p}x\rHost:y",
        ]
        .iter()
        .map(|target| get(target)),
    );
    for target in ["x?a=b&c=%00", "%2fx", "x%252e%252e", "/x//y", "x;a=b", "%C3%B1", "..."] {
        rows.push((get(&format!("{{p}}{target}")), Passed("GET", target, "a", "")));
    }
    for target in ["*", "a", "a:80", "?x", "#", "x", "", "%2f", "..", "../x"] {
        rows.push((get(target), Refused));
    }
    rows.push(("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".into(), Page(204)));
    rows.push(("OPTIONS {p}x HTTP/1.1\r\nHost: a\r\n\r\n".into(), Page(204)));
    rows
}

/// Methods and versions (RFC 9112, 3.1 and 2.3).
fn methods() -> Vec<Row> {
    let refused = [
        "GET {p}x\r\n\r\n",
        "GET {p}x HTTP/0.9\r\nHost: a\r\n\r\n",
        "GET {p}x HTTP/1.2\r\nHost: a\r\n\r\n",
        "GET {p}x HTTP/2.0\r\nHost: a\r\n\r\n",
        "GET {p}x HTTP/1.10\r\nHost: a\r\n\r\n",
        "GET {p}x HTTP/1.1 \r\nHost: a\r\n\r\n",
        "GET {p}x HTTP/1.1x\r\nHost: a\r\n\r\n",
        "GET {p}x http/1.1\r\nHost: a\r\n\r\n",
        "GET {p}x HTTPS/1.1\r\nHost: a\r\n\r\n",
        "GET {p}x HTTP/ 1.1\r\nHost: a\r\n\r\n",
        "GET {p}x HTTP/1,1\r\nHost: a\r\n\r\n",
        "GET {p}x\tHTTP/1.1\r\nHost: a\r\n\r\n",
        "GET\t{p}x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET  {p}x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET {p}x  HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET {p}x HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET\u{b}{p}x HTTP/1.1\r\nHost: a\r\n\r\n",
        "G(T {p}x HTTP/1.1\r\nHost: a\r\n\r\n",
        "G\u{e9}T {p}x HTTP/1.1\r\nHost: a\r\n\r\n",
        "{p}x HTTP/1.1\r\nHost: a\r\n\r\n",
        "PRIX * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    let mut rows = all(&Refused, refused.map(str::to_owned));
    for method in ["get", "QUUX", "PATCH", "PROPFIND", "X-Y_Z!"] {
        rows.push((format!("{method} {{p}}x HTTP/1.1\r\nHost: a\r\n\r\n"), Passed(method, "x", "a", "")));
    }
    rows.push(("HEAD {p}x HTTP/1.1\r\nHost: a\r\n\r\n".into(), Passed("HEAD", "x", "a", "")));
    rows.push(("GET {p}x HTTP/1.0\r\nHost: a\r\n\r\n".into(), Passed("GET", "x", "a", "")));
    rows.push((
        "POST {p}x HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\n\r\nhola!".into(),
        Passed("POST", "x", "a", "hola!"),
    ));
    rows.push(("GET {p}x HTTP/1.0\r\n\r\n".into(), Refused));
    rows.push(("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n".into(), Page(405)));
    rows.push(("TRACE {p}x HTTP/1.1\r\nHost: a\r\n\r\n".into(), Page(405)));
    rows
}

/// What is of one connection, and what must not be called so (RFC 9110, 7.6.1 and 7.8).
fn connection() -> Vec<Row> {
    let names = [
        "host",
        "content-length",
        "authorization",
        "cookie",
        "cache-control",
        "via",
        "content-type",
        "content-encoding",
        "a b",
        "\"x\"",
        "x;y",
        "close, Host",
    ];
    let mut rows = all(
        &Refused,
        names.map(|name| {
            post(
                &format!("Content-Length: 5\r\nCookie: a=b\r\nAuthorization: Basic x\r\nConnection: {name}\r\n"),
                "hola!",
            )
        }),
    );
    let none = Passed("GET", "x", "a", "");
    for fields in [
        "Connection: x-hop\r\nX-Hop: 1\r\n",
        "Connection: keep-alive, te, x-hop\r\nTE: trailers, gzip\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n",
        "Proxy-Connection: keep-alive\r\n",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        "Connection: Upgrade\r\nUpgrade: h2c, HTTP/2.0\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        "Upgrade: websocket\r\n",
        "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n",
    ] {
        rows.push((with(fields), none.clone()));
    }
    rows.push((
        post("Transfer-Encoding: chunked\r\nConnection: transfer-encoding\r\n", "5\r\nhola!\r\n0\r\n\r\n"),
        Passed("POST", "x", "a", "hola!"),
    ));
    rows
}

/// Bodies where nobody expects them, expectations, and pairs.
fn bodies() -> Vec<Row> {
    let mut rows = Vec::new();
    for method in ["GET", "DELETE", "POST", "OPTIONSX", "PROPFIND"] {
        for (fields, body) in [
            ("Content-Length: 5\r\n", "hola!"),
            ("Transfer-Encoding: chunked\r\n", "5\r\nhola!\r\n0\r\n\r\n"),
            ("Content-Length: 5\r\nExpect: 100-continue\r\n", "hola!"),
            ("Transfer-Encoding: chunked\r\nExpect: 100-Continue\r\n", "5\r\nhola!\r\n0\r\n\r\n"),
            ("Content-Length: 5\r\nExpect: nada\r\n", "hola!"),
        ] {
            let request = format!("{method} {{p}}x HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}");
            rows.push((request, Passed(method, "x", "a", "hola!")));
        }
    }
    rows.push((with("Expect: 100-continue\r\n"), Passed("GET", "x", "a", "")));
    rows.push((with("Content-Length: 0\r\n"), Passed("GET", "x", "a", "")));
    // A request as the body of another.
    let hidden = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for method in ["GET", "POST"] {
        let request =
            format!("{method} {{p}}x HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{hidden}", hidden.len());
        rows.push((request, Passed(method, "x", "a", hidden)));
    }
    rows.push((
        "HEAD {p}x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhola!".into(),
        Passed("HEAD", "x", "a", "hola!"),
    ));
    rows
}
