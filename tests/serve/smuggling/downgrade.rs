//! The same over HTTP/2, whose requests go on as HTTP/1.1 (RFC 9113, 8.1.1, 8.2 and 8.3): what they cannot mean there is refused.

use super::{ROUTES, behind, check};
use crate::common::frames::{Answer, Asked, ask};
use crate::common::recorder::Recorder;
use crate::common::secure::{self, Client};
use crate::common::wire::connect;

enum Told {
    /// 400, a reset, or the end; the origin hears nothing of it.
    Refused,
    /// Passed on as this method, for what follows the prefix, to this host, with this body.
    Passed(&'static str, &'static str, &'static str, &'static str),
    /// A page of ours.
    Page,
}
use Told::{Page, Passed, Refused};

type Pairs<'p> = &'p [(&'p str, &'p str)];

fn own(pairs: Pairs) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const METHOD: (&str, &str) = (":method", "GET");
const POST: (&str, &str) = (":method", "POST");
const SCHEME: (&str, &str) = (":scheme", "http");
const PATH: (&str, &str) = (":path", "{p}x");
const HOST: (&str, &str) = (":authority", "a");

fn only(fields: Pairs) -> Asked {
    Asked { fields: own(fields), ..Asked::default() }
}

/// A GET with these fields.
fn get(fields: Pairs) -> Asked {
    only(&[&[METHOD, SCHEME, PATH, HOST], fields].concat())
}

fn post(fields: Pairs, data: &[&'static str]) -> Asked {
    Asked { data: data.to_vec(), ..only(&[&[POST, SCHEME, PATH, HOST], fields].concat()) }
}

fn to(path: &str) -> Asked {
    only(&[METHOD, SCHEME, (":path", path), HOST])
}

fn ending(trailers: Pairs) -> Asked {
    Asked { trailers: Some(own(trailers)), ..post(&[], &["hola!"]) }
}

/// A request that would be another's, as far as HTTP/1.1 goes.
const HIDDEN: &str = "a\r\n\r\nGET {p}secreto HTTP/1.1\r\nHost: a\r\n\r\n";

fn fields() -> Vec<(Asked, Told)> {
    let refused: [Pairs; 33] = [
        &[("content-length", "5")],
        &[("content-length", "0"), ("content-length", "5")],
        &[("content-length", "-1")],
        &[("content-length", "x")],
        &[("content-length", "0, 0")],
        &[("transfer-encoding", "chunked")],
        &[("transfer-encoding", "")],
        &[("connection", "close")],
        &[("connection", "host")],
        &[("keep-alive", "5")],
        &[("proxy-connection", "close")],
        &[("upgrade", "h2c")],
        &[("te", "gzip")],
        &[("te", "trailers, gzip")],
        &[("Host", "a")],
        &[("X-A", "b")],
        &[("x", HIDDEN)],
        &[("x", "a\rb")],
        &[("x", "a\nb")],
        &[("x", "a\0b")],
        &[("x", "a\r\n b")],
        &[("x\r\ny", "a")],
        &[("x: y\r\nz", "a")],
        &[("x y", "a")],
        &[("x\0", "a")],
        &[("x:", "a")],
        &[("", "a")],
        &[("x\u{e9}", "a")],
        &[("host", "b")],
        &[("host", "a"), ("host", "b")],
        &[(":path", "{p}secreto")],
        &[("x", "a"), (":path", "{p}secreto")],
        &[(":status", "200")],
    ];
    let mut rows: Vec<_> = refused.into_iter().map(|fields| (get(fields), Refused)).collect();
    rows.push((get(&[(":nada", "x")]), Refused));
    rows.push((get(&[(":protocol", "websocket")]), Refused));
    let whole = || Passed("GET", "x", "a", "");
    for fields in [
        &[][..],
        &[("host", "a")],
        &[("te", "trailers")],
        &[("x", "a\u{e9}b")],
        &[("x", "")],
        &[("content-length", "0")],
        &[("cookie", "a=b"), ("cookie", "c=d")],
        &[("expect", "100-continue")],
        &[("trailer", "host")],
    ] {
        rows.push((get(fields), whole()));
    }
    rows
}

fn pseudo() -> Vec<(Asked, Told)> {
    let refused: [Pairs; 26] = [
        &[SCHEME, PATH, HOST],
        &[METHOD, PATH, HOST],
        &[METHOD, SCHEME, HOST],
        &[METHOD, SCHEME, PATH],
        &[METHOD, METHOD, SCHEME, PATH, HOST],
        &[METHOD, SCHEME, SCHEME, PATH, HOST],
        &[METHOD, SCHEME, PATH, PATH, HOST],
        &[METHOD, SCHEME, PATH, HOST, HOST],
        &[("x", "a"), METHOD, SCHEME, PATH, HOST],
        &[METHOD, SCHEME, PATH, ("x", "a"), HOST],
        &[(":method", ""), SCHEME, PATH, HOST],
        &[(":method", "GET {p}secreto HTTP/1.1\r\nHost: a\r\n\r\nGET"), SCHEME, PATH, HOST],
        &[(":method", "G T"), SCHEME, PATH, HOST],
        &[METHOD, (":scheme", ""), PATH, HOST],
        &[METHOD, (":scheme", "ftp"), PATH, HOST],
        &[METHOD, (":scheme", "http://b/?"), PATH, HOST],
        &[METHOD, (":scheme", "a b"), PATH, HOST],
        &[METHOD, SCHEME, PATH, (":authority", "")],
        &[METHOD, SCHEME, PATH, (":authority", "u@a")],
        &[METHOD, SCHEME, PATH, (":authority", "a b")],
        &[METHOD, SCHEME, PATH, (":authority", "a,b")],
        &[METHOD, SCHEME, PATH, (":authority", "a/b")],
        &[METHOD, SCHEME, PATH, (":authority", "a:b")],
        &[METHOD, SCHEME, PATH, (":authority", "a\r\nX: y")],
        &[METHOD, SCHEME, PATH, ("host", "a"), ("host", "a")],
        &[(":method", "CONNECT"), HOST, PATH],
    ];
    let mut rows: Vec<_> = refused.into_iter().map(|fields| (only(fields), Refused)).collect();
    let paths = [
        "",
        "x",
        "*",
        "http://b{p}x",
        "{p}x y",
        "{p}x HTTP/1.1\r\nHost: b\r\n\r\nGET {p}secreto",
        "{p}x\ty",
        "{p}\0",
        "{p}\u{e9}",
        "{p}\u{c3}\u{b1}",
        "{p}%00",
        "{p}/../x",
        "{p}/%2e%2e/x",
        "{p}\\..\\x",
        "{p}%zz",
    ];
    rows.extend(paths.map(|path| (to(path), Refused)));
    for path in ["x?a=b", "%2fx", "/x//y"] {
        rows.push((to(&format!("{{p}}{path}")), Passed("GET", path, "a", "")));
    }
    // Of a fragment no server is told (RFC 9112, 3.2); a path begins with its slash (RFC 9113, 8.3.1).
    rows.push((to("{p}x#f"), Refused));
    rows.push((to("?x"), Refused));
    rows.push((only(&[METHOD, SCHEME, PATH, ("host", "b")]), Passed("GET", "x", "b", "")));
    rows.push((
        only(&[METHOD, (":scheme", "https"), PATH, (":authority", "B:8443")]),
        Passed("GET", "x", "b:8443", ""),
    ));
    rows.push((only(&[(":method", "QUUX"), SCHEME, PATH, HOST]), Passed("QUUX", "x", "a", "")));
    rows.push((only(&[(":method", "CONNECT"), HOST]), Page));
    rows
}

fn bodies() -> Vec<(Asked, Told)> {
    let mut rows = vec![
        (post(&[("content-length", "4")], &["hola!"]), Refused),
        (post(&[("content-length", "6")], &["hola!"]), Refused),
        (post(&[("content-length", "0")], &["hola!"]), Refused),
        (post(&[("content-length", "5")], &["hola", "!mas"]), Refused),
        (post(&[("content-length", "5"), ("content-length", "6")], &["hola!"]), Refused),
        (post(&[("content-length", "18446744073709551621")], &["hola!"]), Refused),
        (post(&[("transfer-encoding", "chunked")], &["0\r\n\r\n"]), Refused),
        (post(&[("content-length", "5")], &["hola!"]), Passed("POST", "x", "a", "hola!")),
        (post(&[("content-length", "0005")], &["hola!"]), Passed("POST", "x", "a", "hola!")),
        (post(&[("content-length", "5")], &["ho", "", "la!", ""]), Passed("POST", "x", "a", "hola!")),
        (post(&[], &["hola!"]), Passed("POST", "x", "a", "hola!")),
        (post(&[], &["ho", "la!"]), Passed("POST", "x", "a", "hola!")),
        (post(&[], &[""]), Passed("POST", "x", "a", "")),
        (post(&[], &["0\r\n\r\nGET / HTTP/1.1\r\n\r\n"]), Passed("POST", "x", "a", "0\r\n\r\nGET / HTTP/1.1\r\n\r\n")),
        (Asked { data: vec!["hola!"], ..get(&[]) }, Passed("GET", "x", "a", "hola!")),
        (Asked { data: vec!["hola!"], ..get(&[("content-length", "5")]) }, Passed("GET", "x", "a", "hola!")),
        (ending(&[("x-suma", "1")]), Passed("POST", "x", "a", "hola!")),
    ];
    let trailers: [Pairs; 10] = [
        &[(":path", "{p}secreto")],
        &[("x", "a"), (":method", "GET")],
        &[("X", "a")],
        &[("x", HIDDEN)],
        &[("x", "a\nb")],
        &[("connection", "close")],
        &[("transfer-encoding", "chunked")],
        &[("content-length", "5")],
        &[("host", "b")],
        &[("authorization", "Basic x")],
    ];
    rows.extend(trailers.map(|trailers| (ending(trailers), Refused)));
    rows
}

#[test]
fn nor_in_one_over_http2() {
    let recorder = Recorder::start();
    let site = behind(&recorder);
    let rows = [fields(), pseudo(), bodies()].into_iter().flatten();
    let mut faults = Vec::new();
    for (n, (asked, told)) in rows.enumerate() {
        for route in ROUTES {
            for is_tls in [false, true] {
                let one = std::panic::AssertUnwindSafe(|| {
                    let prefix = format!("{route}/{n}{}-", if is_tls { "s" } else { "" });
                    let fill = |pairs: &Vec<(String, String)>| {
                        let fill = |text: &String| text.replace("{p}", &prefix);
                        pairs.iter().map(|(name, value)| (fill(name), fill(value))).collect()
                    };
                    let asked = Asked {
                        fields: fill(&asked.fields),
                        data: asked.data.clone(),
                        trailers: asked.trailers.as_ref().map(fill),
                    };
                    let label = format!("{n} {:?} {:?} {:?} {is_tls}", asked.fields, asked.data, asked.trailers);
                    let second = format!("{prefix}despues");
                    let after = only(&[METHOD, SCHEME, (":path", &second), (":authority", "b")]);
                    let mut client = match is_tls {
                        true => secure::client(connect(site.https()), &site.path("prep.example.pem"), b"h2"),
                        false => Client::clear(connect(site.http())),
                    };
                    let [first, other] = ask(&mut client, &asked, &after);
                    let mut expected = Vec::new();
                    match &told {
                        Refused => assert!(!matches!(first, Answer::Status(200 | 0, _)), "{label}: {first:?}"),
                        Page => assert!(matches!(first, Answer::Status(0, _)), "{label}: {first:?}"),
                        Passed(method, rest, host, body) => {
                            let told = format!("{method} {prefix}{rest} {}", body.len()).into_bytes();
                            assert_eq!(first, Answer::Status(200, told), "{label}");
                            let target = format!("{prefix}{rest}");
                            expected.push(((*method).to_owned(), target, (*host).to_owned(), (*body).to_owned()));
                        }
                    }
                    if other != Answer::Gone {
                        assert_eq!(other, Answer::Status(200, format!("GET {second} 0").into_bytes()), "{label}");
                        expected.push(("GET".into(), second, "b".into(), String::new()));
                    }
                    assert!(other != Answer::Gone || first != Answer::Gone || matches!(told, Refused), "{label}");
                    let mut seen = recorder.take();
                    // The two are asked at once.
                    seen.sort_by_key(|one| format!("{one:?}").contains("despues"));
                    check(&seen, &expected, &label);
                });
                if let Err(why) = std::panic::catch_unwind(one) {
                    faults.push(why.downcast_ref::<String>().cloned().unwrap_or_default());
                    recorder.take();
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}:\n{}", faults.len(), faults.join("\n"));
}
