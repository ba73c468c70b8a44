//! Differences from earlier cortes (RFC 9842): on the wire, and in a real browser, which reads them with code that is not ours.

use std::io::Read;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use difusor::base::clock::Monotonic;
use difusor::base::digest::Digest;
use difusor::base::digests;
use difusor::snapshot::{Coding, decode};

use crate::common::server::{LOOK_EVERY, Setup, Site, until};
use crate::common::verbs::difusor;
use crate::common::webdriver::Browser;
use crate::common::wire::{Response, Talk, ways};
use crate::common::{Tree, corte};

/// The cortes of the test, the first to come first.
const IDS: [&str; 7] = [
    "20240602_2000",
    "20240602_2010",
    "20240602_2020",
    "20240602_2030",
    "20240602_2040",
    "20240602_2050",
    "20240602_2100",
];
/// Best differences are made on lowest priority, here without optimisation.
const PATIENCE: Duration = Duration::from_secs(120);

/// The actas of corte `n`: more and more rows are counted.
fn actas(n: usize) -> Vec<u8> {
    let row = |i: usize| match i % 67 < 20 + 4 * n {
        true => format!("{i}|B|{}|{}|{}\n", i * 7919 % 499, i * 104_729 % 733, i * 1_299_709 % 9973),
        false => format!("{i}|B|-|-|-\n"),
    };
    format!("corte {n}\n{}", (0..3000).map(row).collect::<String>()).into_bytes()
}

fn page(n: usize) -> Vec<u8> {
    format!("<!doctype html><html lang=es><title>PREP</title><h1>Corte {n}</h1>{}", "<p>Actas y votos".repeat(60))
        .into_bytes()
}

fn package(n: usize) -> Tree {
    let same = "body { color: #123 }\n".repeat(40);
    Tree::of(
        &corte(IDS[n]),
        &[("index.html", &page(n)), ("datos/actas.csv", &actas(n)), ("estilo.css", same.as_bytes())],
    )
}

fn deliver(site: &Site, n: usize) {
    site.deliver(&format!("{n}.tar"), &package(n));
    site.live(IDS[n]);
}

/// `Available-Dictionary` of who has these bytes.
fn having(bytes: &[u8]) -> String {
    let hash = Base64::encode_string(Digest::of(bytes).as_bytes());
    format!("Accept-Encoding: gzip, br, zstd, dcb, dcz\r\nAvailable-Dictionary: :{hash}:\r\n")
}

const ACTAS: &str = "/datos/actas.csv";

/// A client of this machine, by a name that a browser trusts without TLS.
struct Near(Talk);

impl Near {
    fn with(site: &Site) -> Near {
        Near(Talk::with(site.http()))
    }

    fn get(&mut self, path: &str, fields: &str) -> Response {
        self.0.say(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"));
        self.0.hear().expect("a response")
    }

    fn head(&mut self, path: &str, fields: &str) -> Response {
        self.0.say(format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"));
        self.0.hear_head().expect("a head")
    }
}

/// Whether it came as a difference.
fn is_difference(response: &Response) -> bool {
    response.field("content-encoding").is_some_and(|coding| coding.starts_with("dc"))
}

#[test]
fn who_has_an_earlier_corte_gets_the_difference_from_it() {
    let site = Setup::clear().start();
    deliver(&site, 0);
    let mut talk = Near::with(&site);
    let first = talk.get(ACTAS, "");
    assert_eq!(first.field("use-as-dictionary"), Some("match=\"actas.csv\""));
    assert_eq!(first.field("vary"), Some("accept-encoding, available-dictionary"));
    deliver(&site, 1);
    // Live with the corte.
    let got = talk.get(ACTAS, &having(&actas(0)));
    assert_eq!((got.status, got.field("content-encoding")), (200, Some("dcz")), "{}", got.head);
    assert!(decode(&got.body, Coding::Dcz, &actas(0), actas(1).len()).unwrap() == actas(1));
    let digest = format!("sha-256=:{}:", Base64::encode_string(Digest::of(&got.body).as_bytes()));
    assert_eq!((got.field("repr-digest"), got.field("content-digest")), (Some(&*digest), None), "{}", got.head);
    assert_eq!((got.field("accept-ranges"), got.field("corte")), (None, Some(IDS[1])));
    for n in 2..7 {
        deliver(&site, n);
    }
    site.log_line_within(PATIENCE, &["differences from earlier cortes are ready", IDS[6]]);
    let plain = talk.get(ACTAS, "Accept-Encoding: br\r\n").body.len();
    for n in 0..6 {
        for name in ["dcb", "dcz"] {
            let ask = having(&actas(n)).replace("dcb, dcz", name);
            let got = talk.get(ACTAS, &ask);
            assert_eq!(got.field("content-encoding"), Some(name), "from {n}: {}", got.head);
            let coding = if name == "dcb" { Coding::Dcb } else { Coding::Dcz };
            assert!(decode(&got.body, coding, &actas(n), actas(6).len()).unwrap() == actas(6), "{name} from {n}");
            assert!(got.body.len() < plain);
            let head = talk.head(ACTAS, &ask);
            assert_eq!(head.field("content-length"), Some(&*got.body.len().to_string()));
            assert_eq!(head.field("etag"), got.field("etag"));
            // Whoever has read it holds the corte itself, and is told so by the tag that he was given.
            let tag = got.field("etag").unwrap();
            let again = talk.get(ACTAS, &format!("{}If-None-Match: {tag}\r\n", having(&actas(6))));
            assert_eq!((again.status, again.field("etag")), (304, Some(tag)), "{}", again.head);
            // A part is a part of the whole.
            let ask = ask.replace("gzip, br, zstd", "identity;q=0.1");
            let part = talk.get(ACTAS, &format!("{ask}Range: bytes=0-6\r\n"));
            assert_eq!((part.status, part.field("content-encoding")), (206, None), "{}", part.head);
            assert_eq!(part.body, b"corte 6");
        }
    }
    // Without differences to be made, nothing is said of them.
    for path in [format!("/.prep/c/{}{ACTAS}", IDS[6]), "/.prep/estado.json".into()] {
        let got = talk.get(&path, &having(&actas(5)));
        assert_eq!((got.status, got.field("use-as-dictionary")), (200, None), "{}", got.head);
        assert!(!got.field("vary").unwrap_or_default().contains("dictionary"), "{}", got.head);
    }
}

/// What a response decodes to for who has `dictionary`: heads as RFC 9842 has them, the rest by the decoders' own crates.
fn decoded(response: &Response, dictionary: &[u8]) -> Vec<u8> {
    let (hash, mut out) = (Digest::of(dictionary), Vec::new());
    let begins = |magic: &[u8]| {
        let rest = response.body.strip_prefix(magic).and_then(|rest| rest.strip_prefix(&hash.as_bytes()[..]));
        rest.unwrap_or_else(|| panic!("{}", response.head))
    };
    match response.field("content-encoding") {
        Some("dcb") => {
            let coded = begins(b"\xffDCB");
            let mut decoder = brotli::Decompressor::new_with_custom_dict(coded, 4096, dictionary.to_vec().into());
            decoder.read_to_end(&mut out).unwrap();
        }
        Some("dcz") => {
            let coded = begins(b"\x5e\x2a\x4d\x18\x20\0\0\0");
            zstd::Decoder::with_ref_prefix(coded, dictionary).unwrap().read_to_end(&mut out).unwrap();
        }
        other => panic!("no difference but {other:?}: {}", response.head),
    }
    out
}

#[test]
fn differences_come_over_every_protocol() {
    // Over TLS under a name that is not this machine's.
    let site = Setup::both(&["prep.example.mx"]).start();
    deliver(&site, 0);
    deliver(&site, 1);
    site.log_line_within(PATIENCE, &["differences from earlier cortes are ready", IDS[1]]);
    let named =
        |bytes: &[u8]| format!("Available-Dictionary: :{}:", Base64::encode_string(Digest::of(bytes).as_bytes()));
    for way in ways(&site, "prep.example.mx") {
        for coding in ["dcb", "dcz"] {
            let accept = format!("Accept-Encoding: gzip, br, zstd, {coding}");
            let got = way.get(ACTAS, &[&accept, &named(&actas(0))]);
            assert_eq!((got.status, got.field("content-encoding")), (200, Some(coding)), "{way:?} {}", got.head);
            assert!(decoded(&got, &actas(0)) == actas(1), "{way:?} {coding}: the authority's, byte for byte");
            let digest = digests::value(&Digest::of(&got.body));
            assert_eq!(got.field("repr-digest"), Some(&*digest), "{way:?} {}", got.head);
            assert_eq!(got.field("content-length"), Some(&*got.body.len().to_string()), "{way:?}");
            assert_eq!(got.field("vary"), Some("accept-encoding, available-dictionary"), "{way:?}");
            assert_eq!(got.field("use-as-dictionary"), Some("match=\"actas.csv\""), "{way:?}");
            let other = way.get(ACTAS, &[&accept, &named(b"nobody has it")]);
            assert!(!is_difference(&other) && other.decoded() == actas(1), "{way:?} {}", other.head);
        }
    }
}

#[test]
fn what_is_hostile_or_withdrawn_gets_the_plain_coding() {
    let site = Setup::clear().start();
    for n in 0..3 {
        deliver(&site, n);
    }
    let mut talk = Near::with(&site);
    let mut gets = |lines: &str| {
        let got = talk.get(ACTAS, lines);
        assert_eq!(got.status, 200, "{}", got.head);
        is_difference(&got)
    };
    assert!(gets(&having(&actas(1))));
    let style = "body { color: #123 }\n".repeat(40);
    let accept = "Accept-Encoding: br, dcb, dcz\r\n";
    for lines in [
        having(b"unknown"),
        having(style.as_bytes()),
        having(&actas(2)),
        format!("{accept}Available-Dictionary: nothing\r\n"),
        format!("{accept}Available-Dictionary: :AAAA:\r\n"),
        format!("{}{}", having(&actas(1)), having(&actas(1)).replace("Accept-Encoding", "X")),
        format!("{}Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n", having(&actas(1))),
    ] {
        assert!(!gets(&lines), "{lines}");
    }
    // Whoever is on the way could change what is said: in clear on this machine alone.
    let elsewhere = Talk::with(site.http()).get(ACTAS, &having(&actas(1)));
    assert!(!is_difference(&elsewhere) && elsewhere.field("use-as-dictionary").is_none(), "{}", elsewhere.head);
    let large = format!("{accept}Available-Dictionary: :{}:\r\n", "A".repeat(1 << 20));
    let status = Near::with(&site).get(ACTAS, &large).status;
    assert!([400, 431].contains(&status), "{status}");
    // What operators took back is nobody's dictionary, nor is it one for what comes after it.
    let ran = difusor(site.dir.path(), &["rollback", IDS[1], "--reason", "prueba"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!gets(&having(&actas(2))) && gets(&having(&actas(0))));
    deliver(&site, 3);
    site.log_line_within(PATIENCE, &["differences from earlier cortes are ready", IDS[3]]);
    assert!(!gets(&having(&actas(2))), "withdrawn");
    assert!(gets(&having(&actas(1))));
}

#[test]
fn after_a_restart_they_are_made_again() {
    let mut site = Setup::clear().start();
    for n in 0..3 {
        deliver(&site, n);
    }
    site.kill_and_start();
    site.live(IDS[2]);
    let mut talk = Near::with(&site);
    for n in 0..2 {
        let started = Monotonic::now();
        while !is_difference(&talk.get(ACTAS, &having(&actas(n)))) {
            assert!(started.elapsed() < PATIENCE, "none from {n}");
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

#[test]
fn a_setting_makes_none() {
    let site = Setup::clear().with("differences", "cortes = 0").start();
    deliver(&site, 0);
    deliver(&site, 1);
    let got = Near::with(&site).get(ACTAS, &having(&actas(0)));
    assert!(!is_difference(&got), "{}", got.head);
    assert_eq!((got.field("use-as-dictionary"), got.field("vary")), (None, Some("accept-encoding")));
}

/// Fetches in the page, and says what came: its length, and SHA-256 in hexadecimal.
fn fetch(browser: &Browser, mode: &str) -> (u64, String) {
    let got = browser.run(&format!(
        "return fetch('{ACTAS}', {{ cache: '{mode}' }}).then(r => r.arrayBuffer()).then(b => crypto.subtle.digest('SHA-256', b)
         .then(d => [b.byteLength, Array.from(new Uint8Array(d), x => x.toString(16).padStart(2, '0')).join('')]))"
    ));
    (got[0].as_u64().expect("a length"), got[1].as_str().expect("a digest").to_owned())
}

/// A night of seven cortes for one page that stays open: the coding and the bytes of each.
fn night(browser: &Browser, has_dictionaries: bool) -> Vec<(String, u64)> {
    let site = Setup::clear().start();
    deliver(&site, 0);
    browser.go(&format!("http://localhost:{}/", site.http().port()));
    let mut seen = Vec::new();
    for n in 0..IDS.len() {
        if n > 0 {
            deliver(&site, n);
        }
        let expected = (actas(n).len() as u64, Digest::of(&actas(n)).to_string());
        assert_eq!(fetch(browser, "no-cache"), expected, "corte {n} is the authority's, byte for byte");
        let came = browser.received(ACTAS);
        assert_eq!(came.status, 200);
        seen.push((came.coding, came.bytes));
        // A dictionary is of use some moments after its response has ended (Chromium writes it down first): then the
        // browser names it.
        let named = until(|| {
            assert_eq!(fetch(browser, "no-cache"), expected);
            let came = browser.received(ACTAS);
            assert_eq!(came.status, 304, "it holds this corte");
            (came.names_dictionary || !has_dictionaries).then_some(())
        });
        assert!(named.is_some(), "no dictionary is named after corte {n}");
    }
    seen
}

/// Names that mean something in URLs, in patterns or in structured fields.
const ODD: [&str; 8] =
    ["total.csv", "a b.csv", "100%.csv", "(1)*+.csv", "a:80.csv", "año{x}.csv", "q?#.csv", "~,;=&@!$'|[1]^`.csv"];

#[test]
fn patterns_match_their_own_files_and_no_others_in_a_browser() {
    let Some(browser) = Browser::start() else { return };
    let site = Setup::clear().start();
    let text = |name: &str| format!("{name}\n{}", "acta,votos\n".repeat(60)).into_bytes();
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for folder in ["", "datos/", "(a)*:+{b}/"] {
        files.extend(ODD.map(|name| (format!("{folder}{name}"), text(name))));
        files.push((format!("{folder}index.html"), page(0)));
    }
    let all: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (&**path, &bytes[..])).collect();
    site.deliver("0.tar", &Tree::of(&corte(IDS[0]), &all));
    site.live(IDS[0]);
    browser.go(&format!("http://localhost:{}/", site.http().port()));
    let paths: Vec<&str> = files.iter().flat_map(|(path, _)| [&**path, path.trim_end_matches("index.html")]).collect();
    let paths = serde_json::to_string(&paths).expect("JSON");
    let told = browser.run(&format!(
        "const urls = [...new Set({paths})].map(p => new URL('/' + p.replace(/[%?#]/g, encodeURIComponent), location.href).href);
         const of = async u => {{
             const line = (await fetch(u)).headers.get('use-as-dictionary');
             const match = JSON.parse(line.slice('match='.length));
             const pattern = new URLPattern(match, u);
             const found = urls.filter(other => pattern.test(other) || pattern.test(other + '?x=1'));
             return pattern.hasRegExpGroups || found.length !== 1 || found[0] !== u || !pattern.test(u + '?x=1') ? [u, line, found] : null;
         }};
         return Promise.all(urls.map(of)).then(all => [urls.length, all.filter(x => x)]);"
    ));
    assert_eq!(told[1], serde_json::json!([]), "patterns that match what they should not, or nothing");
    assert_eq!(told[0], 3 * (ODD.len() + 2));
}

#[test]
fn a_browser_stays_through_the_night() {
    let Some(browser) = Browser::start() else { return };
    let seen = night(&browser, true);
    eprintln!("{seen:?}");
    let (first, rest) = seen.split_first().unwrap();
    assert!(["br", "zstd"].contains(&&*first.0), "{seen:?}");
    assert!(rest.iter().all(|(coding, bytes)| coding.starts_with("dc") && bytes * 3 < first.1), "{seen:?}");
}

#[test]
fn a_browser_without_dictionaries_loses_nothing() {
    let Some(browser) = Browser::without("CompressionDictionaryTransport") else { return };
    let seen = night(&browser, false);
    eprintln!("{seen:?}");
    assert!(seen.iter().all(|(coding, _)| ["br", "zstd"].contains(&&**coding)), "{seen:?}");
}
