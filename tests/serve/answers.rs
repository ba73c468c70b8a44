//! Answers by the book (RFC 9110, 9111), the same over HTTP/1.1 and HTTP/2, in clear and over TLS.

use difusor::base::clock::Clock;
use difusor::base::digest::Digest;
use difusor::base::digests;
use jiff::SignedDuration;
use jiff::tz::{Offset, TimeZone};

use crate::common::server::{Setup, Site};
use crate::common::wire::{CODED, Response, Way, ways};
use crate::common::{Tree, corte, tool};

const ID: &str = "20240602_2010";
const FECHA_HORA: &str = "2024-06-02T20:10:00-06:00";
const NAME: &str = "prep.example";

fn table() -> Vec<u8> {
    (0..9_000u32).map(|n| format!("{n},Ñandú {},{}\n", n % 7, n * n % 1_009)).collect::<String>().into_bytes()
}

fn photo() -> Vec<u8> {
    let noise = (0..5_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes());
    [0xff, 0xd8, 0xff, 0xe0].into_iter().chain(noise).collect()
}

/// A site with one corte, and the four ways to it; `None` without curl.
fn site() -> Option<(Site, Vec<Way>)> {
    tool("curl")?;
    let site = Setup::both(&[NAME]).start();
    let page = "<h1>PREP</h1>".repeat(300);
    let files: [(&str, &[u8]); 6] = [
        ("index.html", page.as_bytes()),
        ("datos/index.html", b"<h1>Datos</h1>"),
        ("datos/tabla.csv", &table()),
        ("acta.jpg", &photo()),
        ("vacío.txt", b""),
        ("a b/100% ñ.json", b"{}"),
    ];
    site.deliver("p.tar", &Tree::of(&corte(ID), &files));
    site.live(ID);
    let ways = ways(&site, NAME);
    Some((site, ways))
}

fn carries_the_corte(response: &Response) {
    assert_eq!(response.field("corte"), Some(ID), "{}", response.head);
    assert_eq!(response.field("corte-fecha-hora"), Some(FECHA_HORA), "{}", response.head);
    assert!(response.field("date").is_some() && response.field("cache-control").is_some(), "{}", response.head);
}

/// The digest is of the bytes as they came, and is said once.
fn digests_hold(response: &Response) {
    let expected = digests::value(&Digest::of(&response.body));
    assert_eq!(response.field("repr-digest"), Some(&*expected), "{}", response.head);
    assert_eq!(response.field("content-digest"), None, "{}", response.head);
}

/// Fields but for the clock's second, and for how long it is fresh, which each connection is told for its group.
fn lasting(response: &Response) -> Vec<String> {
    let mut fields: Vec<_> =
        response.fields().map(|(name, value)| format!("{}: {value}", name.to_lowercase())).collect();
    fields
        .retain(|field| !["date:", "connection:", "cache-control: max-age="].iter().any(|own| field.starts_with(own)));
    fields.sort();
    fields
}

#[test]
fn get_and_head_have_the_same_fields() {
    let Some((site, ways)) = site() else { return };
    site.log_line(&["compressed best"]);
    for way in ways {
        for path in ["/", "/datos/tabla.csv", "/acta.jpg", "/vac%C3%ADo.txt", "/nada", "/datos", "/.prep/corte.json"] {
            for accepted in ["identity", "gzip, br, zstd", "*;q=0"] {
                let field = format!("Accept-Encoding: {accepted}");
                let (get, head) = (way.get(path, &[&field]), way.curl(path, &["-I", "-H", &field]));
                assert_eq!((get.status, lasting(&get)), (head.status, lasting(&head)), "{way:?} {path}");
                assert!(head.body.is_empty());
                assert_eq!(get.field("content-length"), Some(&*get.body.len().to_string()), "{way:?} {path}");
                carries_the_corte(&get);
            }
        }
    }
}

/// By dictionaries too, over TLS and on this machine by name: there such a response says that it is one, or 304.
fn varies(response: &Response) -> Option<&'static str> {
    let by_dictionary = "accept-encoding, available-dictionary";
    let is = response.field("use-as-dictionary").is_some();
    let said = response.field("vary");
    Some(if is || (response.status == 304 && said == Some(by_dictionary)) { by_dictionary } else { "accept-encoding" })
}

#[test]
fn codings_are_negotiated() {
    let Some((_site, ways)) = site() else { return };
    for way in ways {
        let plain = way.get("/datos/tabla.csv", &[]);
        assert_eq!((plain.field("content-encoding"), plain.field("vary")), (None, varies(&plain)));
        assert_eq!(plain.field("content-type"), Some("text/csv; charset=utf-8"));
        assert_eq!(plain.field("accept-ranges"), Some("bytes"));
        assert_eq!(plain.field("last-modified"), Some("Mon, 03 Jun 2024 02:10:00 GMT"));
        assert_eq!(plain.body, table());
        digests_hold(&plain);
        digests_hold(&way.get("/.prep/estado.json", &[]));
        let mut tags = vec![plain.field("etag").unwrap().to_owned()];
        for coding in CODED {
            let field = format!("Accept-Encoding: {}, identity;q=0.5", coding.name());
            let coded = way.get("/datos/tabla.csv", &[&field]);
            assert_eq!(coded.field("content-encoding"), Some(coding.name()), "{way:?}");
            assert_eq!(coded.field("accept-ranges"), None, "{way:?}");
            digests_hold(&coded);
            assert!(coded.body.len() < table().len() && coded.decoded() == table(), "{way:?} {coding:?}");
            tags.push(coded.field("etag").unwrap().to_owned());
        }
        assert!(tags.iter().all(|tag| tags.iter().filter(|other| *other == tag).count() == 1), "{tags:?}");
        for accepted in ["*;q=0", "identity;q=0, deflate", "gzip;q=0, *;q=0"] {
            let refused = way.get("/datos/tabla.csv", &[&format!("Accept-Encoding: {accepted}")]);
            assert_eq!(
                (refused.status, refused.field("vary")),
                (406, Some("accept, accept-encoding")),
                "{way:?} {accepted}"
            );
            carries_the_corte(&refused);
        }
        // What does not get smaller is kept as it is, and depends on nothing.
        let photo_as = |accepted: &str| way.get("/acta.jpg", &[&format!("Accept-Encoding: {accepted}")]);
        let kept = photo_as("gzip, br, zstd");
        assert_eq!((kept.field("content-encoding"), kept.field("vary")), (None, None));
        assert!(kept.body == photo() && kept.field("content-type") == Some("image/jpeg"));
        assert_eq!(photo_as("gzip, identity;q=0").status, 406);
    }
}

#[test]
fn what_the_reader_holds_is_not_sent_again() {
    let Some((_site, ways)) = site() else { return };
    for way in ways {
        let path = "/datos/tabla.csv";
        let coded = |coding: &str| way.get(path, &[&format!("Accept-Encoding: {coding}")]);
        let held: Vec<_> =
            ["identity", "gzip", "br", "zstd"].map(|c| coded(c).field("etag").unwrap().to_owned()).into();
        for tag in &held {
            for asked in [format!("If-None-Match: {tag}"), format!("If-None-Match: \"x\", W/{tag}")] {
                let fresh = way.get(path, &[&asked, "Accept-Encoding: br"]);
                assert_eq!((fresh.status, fresh.field("etag")), (304, Some(&**tag)), "{way:?} {asked}");
                assert_eq!((fresh.body.len(), fresh.field("vary")), (0, varies(&fresh)));
                assert_eq!((fresh.field("repr-digest"), fresh.field("content-digest")), (None, None));
                assert!(fresh.field("content-length").is_none_or(|len| len != "0"), "{}", fresh.head);
                carries_the_corte(&fresh);
            }
        }
        let (modified, before) = ("Mon, 03 Jun 2024 02:10:00 GMT", "Mon, 03 Jun 2024 02:09:59 GMT");
        let cases = [
            (vec!["If-None-Match: *".into()], 304),
            (vec!["If-None-Match: \"x\"".into()], 200),
            (vec![format!("If-Modified-Since: {modified}")], 304),
            (vec![format!("If-Modified-Since: {before}")], 200),
            (vec!["If-Modified-Since: yesterday".into()], 200),
            (vec!["If-None-Match: \"x\"".into(), format!("If-Modified-Since: {modified}")], 200),
            (vec!["If-Match: \"x\"".into()], 412),
            (vec![format!("If-Match: {}", held[0])], 200),
            (vec![format!("If-Unmodified-Since: {before}")], 412),
            (vec![format!("If-Unmodified-Since: {modified}")], 200),
        ];
        for (fields, status) in cases {
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            let response = way.get(path, &fields);
            assert_eq!(response.status, status, "{way:?} {fields:?}");
            carries_the_corte(&response);
        }
    }
}

#[test]
fn parts_are_sent_of_the_very_bytes_that_were_begun() {
    let Some((site, ways)) = site() else { return };
    site.log_line(&["compressed best"]);
    for way in ways {
        for coding in ["identity", "gzip"] {
            let accepted = format!("Accept-Encoding: {coding}");
            let part = |fields: &[&str]| way.get("/datos/tabla.csv", &[&[accepted.as_str()], fields].concat());
            let whole = part(&[]);
            let len = whole.body.len();
            for (range, expected) in
                [("0-99", 0..100), ("100-", 100..len), ("-7", len - 7..len), ("5-999999999", 5..len), ("0-0", 0..1)]
            {
                let got = part(&[&format!("Range: bytes={range}")]);
                let shown = format!("bytes {}-{}/{len}", expected.start, expected.end - 1);
                assert_eq!((got.status, got.field("content-range")), (206, Some(&*shown)), "{way:?} {range}");
                assert_eq!(got.body, whole.body[expected]);
                assert_eq!(got.field("content-length"), Some(&*got.body.len().to_string()));
                assert_eq!(got.field("content-digest"), None, "a part is not hashed on request");
                for name in ["etag", "vary", "content-encoding", "content-type", "last-modified", "repr-digest"] {
                    assert_eq!(got.field(name), whole.field(name), "{way:?} {name}");
                }
                carries_the_corte(&got);
            }
            let tag = whole.field("etag").unwrap();
            let if_range = |value: &str| part(&["Range: bytes=1-2", &format!("If-Range: {value}")]).status;
            assert_eq!((if_range(tag), if_range("\"x\"")), (206, 200));
            assert_eq!((if_range(&format!("W/{tag}")), if_range("Mon, 03 Jun 2024 02:10:00 GMT")), (200, 200));
            let beyond = part(&[&format!("Range: bytes={len}-")]);
            assert_eq!((beyond.status, beyond.field("content-range")), (416, Some(&*format!("bytes */{len}"))));
            carries_the_corte(&beyond);
            assert_eq!(part(&["Range: bytes=0-1,4-5"]).status, 200);
            assert_eq!(part(&["Range: lines=1-2"]).status, 200);
        }
    }
}

#[test]
fn paths_name_files_and_folders_and_nothing_outside() {
    let Some((_site, ways)) = site() else { return };
    let long = format!("/{}", "a".repeat(9_000));
    let found = [("/", "PREP"), ("/index.html?v=1", "PREP"), ("/datos/", "Datos"), ("/%64atos/index.html", "Datos")];
    let statuses = [
        ("/a%20b/100%25%20%C3%B1.json", 200),
        ("/nada", 404),
        ("/datos/tabla.csv/", 404),
        ("/DATOS/", 404),
        ("/../etc/passwd", 404),
        ("/datos/../index.html", 404),
        ("/%2e%2e/%2e%2e/etc/passwd", 404),
        ("/..%5c..%5cwindows", 404),
        ("//etc/passwd", 404),
        ("/./index.html", 404),
        ("/%252e%252e/etc/passwd", 404),
        ("/.prep/c/../../index.html", 404),
        ("/.prep/", 404),
        ("/%00", 400),
        ("/%zz", 400),
        ("/%ff", 400),
        ("/%0d%0aSet-Cookie:x", 400),
        (&long, 414),
    ];
    for way in ways {
        for (path, words) in found {
            let page = way.get(path, &[]);
            assert!(page.status == 200 && String::from_utf8_lossy(&page.body).contains(words), "{way:?} {path}");
        }
        for (path, status) in statuses {
            let page = way.get(path, &[]);
            assert_eq!(page.status, status, "{way:?} {path}");
            carries_the_corte(&page);
            if status >= 400 {
                let text = String::from_utf8_lossy(&page.body).into_owned();
                for words in ["Corte del", "2 de junio de 2024, 20:10 horas (UTC−6)"] {
                    assert!(text.contains(words), "{words} not in {text}");
                }
                assert_eq!(page.field("cache-control"), Some("no-cache"));
            }
        }
        for (path, target) in [("/datos", "/datos/"), ("/datos?a=1&b", "/datos/?a=1&b"), ("/%64atos", "/%64atos/")] {
            let moved = way.get(path, &[]);
            assert_eq!((moved.status, moved.field("location")), (301, Some(target)), "{way:?} {path}");
            carries_the_corte(&moved);
        }
    }
}

#[test]
fn methods_that_would_change_something_are_refused() {
    let Some((_site, ways)) = site() else { return };
    for way in ways {
        for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE"] {
            let refused = way.curl("/", &["-X", method]);
            assert_eq!((refused.status, refused.field("allow")), (405, Some("GET, HEAD, OPTIONS")), "{way:?} {method}");
            carries_the_corte(&refused);
        }
        // Over HTTP/2 the answer may come before the body has left, and some versions of curl call that an error.
        if way.name.starts_with("HTTP/1.1") {
            assert_eq!(way.curl("/", &["-d", "voto=1"]).status, 405);
        }
        let unknown = way.curl("/", &["-X", "BREW"]);
        assert_eq!(unknown.status, 501);
        carries_the_corte(&unknown);
        for path in ["/", "/nada"] {
            let options = way.curl(path, &["-X", "OPTIONS"]);
            assert_eq!((options.status, options.field("allow")), (204, Some("GET, HEAD, OPTIONS")));
            assert_eq!(options.body.len(), 0);
            carries_the_corte(&options);
        }
    }
}

#[test]
fn results_are_fresh_until_the_next_corte_is_due() {
    // With patience, so that an old corte can be looked at too.
    let opens = Clock::machine().now() - SignedDuration::from_hours(1);
    let window =
        format!("opens = \"{}\"\ncloses = \"2100-01-01T00:00\"\nperiods = 144", opens.strftime("%Y-%m-%dT%H:%M:%SZ"));
    let site = Setup::clear().window(&window).start();
    let max_age = |response: &Response| -> i64 {
        let value = response.field("cache-control").unwrap().to_owned();
        let age = value.split(", ").find_map(|part| part.strip_prefix("max-age=")).unwrap_or_else(|| panic!("{value}"));
        assert!(value.contains("stale-while-revalidate=") && value.contains("stale-if-error="), "{value}");
        age.parse().unwrap()
    };
    let page: [(&str, &[u8]); 1] = [("index.html", b"<p>")];
    let zone = TimeZone::fixed(Offset::constant(-6));
    let old = (opens - SignedDuration::from_hours(20)).to_zoned_datetime(zone.clone());
    let old = old.strftime("%Y%m%d_%H%M").to_string();
    site.deliver("old", &Tree::of(&corte(&old), &page));
    site.live(&old);
    assert_eq!(max_age(&site.get("/")), 15, "the next one is overdue");
    // A corte of this very minute.
    let now = Clock::machine().now();
    let here = now.to_zoned_datetime(zone);
    let id = here.strftime("%Y%m%d_%H%M").to_string();
    site.deliver("new", &Tree::of(&corte(&id), &page));
    site.live(&id);
    let left = 600 - here.second() as i64;
    let found = max_age(&site.get("/"));
    assert!((left - 60..=left + 15).contains(&found), "{found} of {left}");
    let pinned = site.get(&format!("/.prep/c/{id}/"));
    assert_eq!(pinned.field("cache-control"), Some("max-age=604800, immutable"));
    let modified = pinned.field("last-modified").unwrap();
    assert!(modified <= pinned.field("date").unwrap() || modified[..3] != pinned.field("date").unwrap()[..3]);
}
