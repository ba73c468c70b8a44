//! Parts of what an origin has: ranges while a body comes, bodies that are too large to keep, and bodies that broke off.

use std::sync::{Arc, Barrier};

use crate::common::origin::{Heard, Origin, Stream, answer, file};
use crate::common::server::{Setup, Site};
use crate::common::wire::{Response, Talk, get, raw};

const FRESH: &str = "Cache-Control: max-age=600\r\nETag: \"a\"\r\n";
const HOST: &str = "path = \"/\"\nhost = \"prep\"";

/// Bytes that tell where they stand.
fn long(len: usize) -> Vec<u8> {
    (0..len).flat_map(|n| format!("{n:08} ").into_bytes()).take(len).collect()
}

fn with(site: &Site, path: &str, fields: &str) -> Response {
    Talk::with(site.http()).get(path, &format!("{fields}Connection: close\r\n"))
}

/// What comes of a request, whole or not.
fn told(site: &Site, path: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = crate::common::wire::connect(site.http());
    write!(stream, "GET {path} HTTP/1.1\r\nHost: prep\r\nConnection: close\r\n\r\n").unwrap();
    let mut seen = Vec::new();
    let _ = stream.read_to_end(&mut seen);
    String::from_utf8_lossy(&seen).into_owned()
}

fn status(response: &Response) -> &str {
    response.field("cache-status").unwrap_or_default()
}

#[test]
fn a_range_of_a_body_that_still_comes_does_not_wait_for_its_end() {
    let gate = Arc::new(Barrier::new(2));
    let opens = gate.clone();
    let origin = Origin::start(move |_, to| {
        answer(to, "200 OK", FRESH, Some(8), b"0123");
        opens.wait();
        let _ = to.write_all(b"4567").and_then(|()| to.flush());
    });
    let site = Setup::clear().origin(origin.address, "", HOST).start();
    let (first, unmet) = (with(&site, "/x", "Range: bytes=1-2\r\n"), with(&site, "/x", "Range: bytes=8-\r\n"));
    assert_eq!((first.status, &first.body[..]), (206, &b"12"[..]), "{}", first.head);
    assert_eq!(first.field("content-range"), Some("bytes 1-2/8"));
    assert!(status(&first).starts_with("difusor; fwd=uri-miss; fwd-status=200; stored"), "{}", first.head);
    assert_eq!(first.field("age"), None, "the origin was asked for this one");
    assert_eq!((unmet.status, unmet.field("content-range")), (416, Some("bytes */8")), "{}", unmet.head);
    assert!(status(&unmet).contains("; collapsed") && unmet.field("age").is_some(), "{}", unmet.head);
    let same = with(&site, "/x", "Range: bytes=0-0\r\nIf-Range: \"a\"\r\n");
    assert_eq!((same.status, &same.body[..]), (206, &b"0"[..]), "{}", same.head);
    let mut head = Talk::with(site.http());
    head.say("HEAD /x HTTP/1.1\r\nHost: prep\r\nRange: bytes=1-2\r\n\r\n");
    let head = head.hear_head().unwrap();
    assert_eq!((head.status, head.field("content-length")), (200, Some("8")), "{}", head.head);
    let mut rest: Vec<_> = ["bytes=2-5", "bytes=-3", "bytes=0-1,4-5"].map(|_| Talk::with(site.http())).into();
    for (talk, range) in rest.iter_mut().zip(["bytes=2-5", "bytes=-3", "bytes=0-1,4-5"]) {
        talk.say(format!("GET /x HTTP/1.1\r\nHost: prep\r\nRange: {range}\r\n\r\n"));
    }
    gate.wait();
    let rest: Vec<_> = rest.iter_mut().map(|talk| talk.hear().unwrap()).map(|one| (one.status, one.body)).collect();
    assert_eq!(rest, [(206, b"2345".to_vec()), (206, b"567".to_vec()), (200, b"01234567".to_vec())]);
    assert_eq!((get(site.http(), "/x").body, origin.heard().len()), (b"01234567".to_vec(), 1));
}

#[test]
fn of_what_is_too_large_to_keep_only_what_is_wanted_is_asked_for() {
    const LEN: usize = 3 << 20;
    let bytes = long(LEN);
    let sent = bytes.clone();
    let origin = Origin::start(move |heard, to| {
        let range = heard.field("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let part = range.map(|(first, last)| first.parse::<usize>().unwrap()..last.parse::<usize>().unwrap() + 1);
        match part {
            _ if heard.line.starts_with("HEAD") => answer(to, "200 OK", FRESH, Some(LEN), b""),
            None => answer(to, "200 OK", FRESH, Some(LEN), &sent),
            Some(part) => {
                let told = format!("{FRESH}Content-Range: bytes {}-{}/{LEN}\r\n", part.start, part.end - 1);
                answer(to, "206 Partial Content", &told, Some(part.len()), &sent[part]);
            }
        }
    });
    let site = Setup::clear().with("proxy", "object = \"64 KiB\"").origin(origin.address, "", HOST).start();
    let range = |first: usize, last: usize| format!("Range: bytes={first}-{last}\r\n");
    let lines = || origin.heard().iter().map(|one| (one.line[..4].to_owned(), one.field("range").is_some())).collect();
    let far = with(&site, "/lejos", &range(LEN - 10, LEN - 1));
    assert_eq!((far.status, &far.body[..]), (206, &bytes[LEN - 10..]), "{}", far.head);
    let again = with(&site, "/lejos", &range(20, 29));
    assert_eq!((again.status, &again.body[..]), (206, &bytes[20..30]), "{}", again.head);
    let mut head = Talk::with(site.http());
    head.say("HEAD /lejos HTTP/1.1\r\nHost: prep\r\n\r\n");
    let head = head.hear_head().unwrap();
    assert_eq!((head.status, head.field("content-length")), (200, Some(LEN.to_string().as_str())), "{}", head.head);
    let heard: Vec<(String, bool)> = lines();
    let expected = [("GET ", false), ("GET ", true), ("GET ", true), ("HEAD", false)];
    assert_eq!(heard, expected.map(|(method, has)| (method.to_owned(), has)));
    // Near the beginning it is cut from what comes anyway.
    let near = with(&site, "/cerca", &range(5, 9));
    assert_eq!((near.status, &near.body[..]), (206, &bytes[5..10]), "{}", near.head);
    assert_eq!(near.field("content-range"), Some(format!("bytes 5-9/{LEN}").as_str()));
    let held = with(&site, "/condicion", "If-None-Match: \"a\"\r\n");
    assert_eq!((held.status, held.body.len()), (304, 0), "{}", held.head);
    assert_eq!(get(site.http(), "/toda").body, bytes);
    assert_eq!(origin.heard().len(), expected.len() + 3);
}

#[test]
fn nobody_sees_that_a_body_broke_off_where_the_origin_gives_the_rest() {
    const CUT: usize = 40_000;
    let bytes = long(100_000);
    let sent = bytes.clone();
    let origin = Origin::start(move |heard, to| file_for_all(to, heard, &sent, CUT));
    let site = Setup::clear().origin(origin.address, "", HOST).start();
    let whole = with(&site, "/acta.jpg", "");
    assert_eq!((whole.status, whole.body == bytes), (200, true), "{}", whole.head);
    let hit = with(&site, "/acta.jpg", "");
    assert_eq!((hit.field("content-length"), hit.body == bytes), (Some("100000"), true), "{}", hit.head);
    assert!(status(&hit).starts_with("difusor; hit"), "{}", hit.head);
    let heard = origin.heard();
    let asked: Vec<_> = heard.iter().map(|one| (one.field("range"), one.field("if-range"))).collect();
    let tag = Some("\"a\"");
    assert_eq!(asked, [(None, None), (Some("bytes=40000-"), tag), (Some("bytes=80000-"), tag)]);
}

#[test]
fn a_body_that_broke_off_too_often_goes_on_where_it_ended_for_who_comes_next() {
    const CUT: usize = 20_000;
    let bytes = long(100_000);
    let sent = bytes.clone();
    let origin = Origin::start(move |heard, to| file_for_all(to, heard, &sent, CUT));
    let site = Setup::clear().origin(origin.address, "", HOST).start();
    let broken = told(&site, "/acta.jpg");
    assert!(broken.starts_with("HTTP/1.1 200 "), "{}", broken.len());
    assert!((3 * CUT..3 * CUT + 1_000).contains(&broken.len()), "{}", broken.len());
    let inside = with(&site, "/acta.jpg", "Range: bytes=100-199\r\n");
    assert_eq!((inside.status, &inside.body[..]), (206, &bytes[100..200]), "{}", inside.head);
    assert_eq!(inside.field("content-range"), Some("bytes 100-199/100000"));
    assert!(
        status(&inside).starts_with("difusor; hit") && status(&inside).ends_with("detail=partial"),
        "{}",
        inside.head
    );
    assert_eq!(origin.heard().len(), 3);
    let whole = with(&site, "/acta.jpg", "");
    assert_eq!((whole.status, whole.body == bytes), (200, true), "{}", whole.head);
    assert!(status(&whole).starts_with("difusor; fwd=partial; fwd-status=206; stored"), "{}", whole.head);
    for gone in ["content-range", "age"] {
        assert_eq!(whole.field(gone), None, "{}", whole.head);
    }
    let hit = with(&site, "/acta.jpg", "");
    assert_eq!((hit.field("content-length"), hit.body == bytes), (Some("100000"), true), "{}", hit.head);
    assert!(status(&hit).starts_with("difusor; hit"), "{}", hit.head);
    let ranges: Vec<_> = origin.heard().iter().map(|one| one.field("range").map(str::to_owned)).collect();
    let expected = [20_000, 40_000, 60_000, 80_000].map(|n| Some(format!("bytes={n}-")));
    assert_eq!(ranges, [vec![None], expected.to_vec()].concat());
}

/// As good servers send it, fresh, but cut after so many bytes of what was asked for.
fn file_for_all(to: &mut dyn Stream, heard: &Heard, bytes: &[u8], cut: usize) {
    let mut out = Vec::new();
    file(&mut Written(&mut out), heard, "\"a\"", bytes, Some(cut));
    let end = out.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 2;
    out.splice(end..end, *b"Cache-Control: max-age=600\r\n");
    let _ = to.write_all(&out).and_then(|()| to.flush());
}

struct Written<'w>(&'w mut Vec<u8>);

impl std::io::Read for Written<'_> {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Ok(0)
    }
}

impl std::io::Write for Written<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What the origin does when it is asked for the rest; whether it is asked once more, for all.
type Rest = (&'static str, fn(&mut dyn Stream), bool);

#[test]
fn what_is_not_the_rest_of_the_same_body_is_never_put_to_it() {
    const NEW: &[u8] = b"la nueva";
    const OTHER: &str = "Cache-Control: max-age=600\r\nETag: \"b\"\r\n";
    let answers: [Rest; 9] = [
        ("another body", |to| answer(to, "200 OK", OTHER, Some(NEW.len()), NEW), false),
        ("another offset", |to| part(to, "bytes 5-9/10", "\"a\"", b"56789"), true),
        ("another tag", |to| part(to, "bytes 4-9/10", "\"b\"", b"456789"), true),
        ("another length", |to| part(to, "bytes 4-9/11", "\"a\"", b"456789"), true),
        ("an unknown length", |to| part(to, "bytes 4-9/*", "\"a\"", b"456789"), true),
        ("less", |to| part(to, "bytes 4-8/10", "\"a\"", b"45678"), true),
        ("no range", |to| answer(to, "206 Partial Content", "ETag: \"a\"\r\n", Some(6), b"456789"), true),
        (
            "several",
            |to| {
                let fields = "ETag: \"a\"\r\nContent-Type: multipart/byteranges; boundary=x\r\n";
                answer(to, "206 Partial Content", fields, Some(5), b"--x--");
            },
            true,
        ),
        ("no such range", |to| answer(to, "416 Range Not Satisfiable", "", Some(0), b""), true),
    ];
    for (name, rest, is_asked_again) in answers {
        let origin = Origin::start(move |heard, to| match (heard.n, heard.field("range")) {
            (0, _) => answer(to, "200 OK", FRESH, Some(10), b"0123"),
            (_, Some("bytes=4-")) => rest(to),
            (_, None) => answer(to, "200 OK", OTHER, Some(NEW.len()), NEW),
            (_, Some(other)) => panic!("{other} was asked for"),
        });
        let site = Setup::clear().origin(origin.address, "", HOST).start();
        assert!(told(&site, "/x").ends_with("0123"), "{name}");
        let response = with(&site, "/x", "");
        assert_eq!((response.status, &response.body[..]), (200, NEW), "{name} {}", response.head);
        assert_eq!(origin.heard().len(), if is_asked_again { 4 } else { 3 }, "{name}");
        // What was here is gone.
        let old = with(&site, "/x", "Range: bytes=0-1\r\n");
        assert_eq!((old.status, &old.body[..]), (206, &NEW[..2]), "{name} {}", old.head);
    }
}

#[test]
fn a_rest_that_is_not_as_long_as_it_says_is_not_kept() {
    for rest in [&b"4567"[..], b"456789ab"] {
        let origin = Origin::start(move |heard, to| match heard.n {
            0 => answer(to, "200 OK", FRESH, Some(10), b"0123"),
            // Until the connection ends, for it tells no length.
            1 => answer(to, "206 Partial Content", "ETag: \"a\"\r\nContent-Range: bytes 4-9/10\r\n", None, rest),
            _ => answer(to, "200 OK", FRESH, Some(2), b"ok"),
        });
        let site = Setup::clear().origin(origin.address, "", HOST).start();
        let first = told(&site, "/x");
        assert!(first.contains("\r\n\r\n0123") && first.len() < 500, "{first}");
        let next = with(&site, "/x", "");
        assert_eq!((&next.body[..], origin.heard().len()), (&b"ok"[..], 3), "{}", next.head);
        assert_eq!(origin.heard()[2].field("range"), None);
    }
}

fn part(to: &mut dyn Stream, range: &str, etag: &str, body: &[u8]) {
    let fields = format!("ETag: {etag}\r\nContent-Range: {range}\r\n");
    answer(to, "206 Partial Content", &fields, Some(body.len()), body);
}

#[test]
fn what_nobody_can_tell_from_another_is_not_completed_and_a_part_nobody_asked_for_is_none() {
    let origin = Origin::start(|heard, to| match heard.target() {
        "/debil" => answer(to, "200 OK", "Cache-Control: max-age=60\r\nETag: W/\"a\"\r\n", Some(10), b"0123"),
        _ => part(to, "bytes 4-9/10", "\"a\"", b"456789"),
    });
    let site = Setup::clear().origin(origin.address, "", HOST).start();
    for _ in 0..2 {
        assert!(told(&site, "/debil").ends_with("0123"));
    }
    assert!(origin.heard().iter().all(|heard| heard.field("range").is_none()), "{:?}", origin.heard());
    let strange = with(&site, "/raro", "");
    assert_eq!(strange.status, 502, "{}", strange.head);
    assert!(status(&strange).contains("detail=malformed"), "{}", strange.head);
}

#[test]
fn a_part_that_was_written_to_is_not_completed() {
    let origin = Origin::start(|heard, to| match heard.line.starts_with("POST") {
        true => answer(to, "200 OK", "", Some(0), b""),
        false => answer(to, "200 OK", FRESH, Some(10), b"0123"),
    });
    let site = Setup::clear().origin(origin.address, "", HOST).start();
    assert!(told(&site, "/x").ends_with("0123"));
    assert_eq!(Talk::with(site.http()).send("POST", "/x", "", b"").status, 200);
    assert!(told(&site, "/x").ends_with("0123"));
    let heard = origin.heard();
    let asked: Vec<_> = heard.iter().map(|one| (&one.line[..3], one.field("range").is_some())).collect();
    assert_eq!(asked, [("GET", false), ("GET", true), ("POS", false), ("GET", false), ("GET", true)]);
}

#[test]
fn a_head_that_goes_through_tells_of_what_is_stored() {
    // What is stored is stale at once, and then the origin says that nobody may share it.
    for (tag, is_renewed) in [("\"a\"", true), ("\"b\"", false)] {
        let origin = Origin::start(move |heard, to| match (heard.n, &heard.line[..4]) {
            (0, _) => answer(to, "200 OK", "Cache-Control: max-age=1\r\nAge: 5\r\nETag: \"a\"\r\n", Some(4), b"nota"),
            (_, "HEAD") => {
                let fields = format!("Cache-Control: max-age=600\r\nETag: {tag}\r\n");
                answer(to, "200 OK", &fields, Some(4), b"");
            }
            _ => answer(to, "200 OK", "Cache-Control: private\r\n", Some(3), b"yo!"),
        });
        let site = Setup::clear().origin(origin.address, "", HOST).start();
        assert_eq!(with(&site, "/x", "").body, b"nota");
        assert_eq!(with(&site, "/x", "").body, b"yo!");
        let old = with(&site, "/x", "Cache-Control: max-stale\r\n");
        assert_eq!(&old.body, b"nota", "{}", old.head);
        let mut talk = Talk::with(site.http());
        talk.say("HEAD /x HTTP/1.1\r\nHost: prep\r\n\r\n");
        let head = talk.hear_head().unwrap();
        assert_eq!((head.status, head.field("etag")), (200, Some(tag)), "{}", head.head);
        assert!(origin.heard()[2].line.starts_with("HEAD "), "{:?}", origin.heard());
        let after = with(&site, "/x", "Cache-Control: max-stale\r\n");
        assert_eq!(&after.body, if is_renewed { b"nota" as &[u8] } else { b"yo!" }, "{}", after.head);
        assert_eq!(status(&after).starts_with("difusor; hit; ttl="), is_renewed, "{}", after.head);
        assert_eq!(with(&site, "/x", "").body.len(), after.body.len(), "renewed, it is fresh");
    }
}

#[test]
fn a_request_with_a_body_is_answered_for_itself_alone() {
    let origin = Origin::start(|_, to| answer(to, "200 OK", FRESH, Some(2), b"ok"));
    let site = Setup::clear().origin(origin.address, "", HOST).start();
    let answers =
        raw(site.http(), "GET /x HTTP/1.1\r\nHost: prep\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhola!");
    assert_eq!(answers.first().map(|one| one.status), Some(200));
    let heard = origin.heard();
    assert_eq!((heard.len(), heard[0].field("content-length")), (1, Some("5")), "{heard:?}");
    assert!(status(&answers[0]).ends_with("detail=request-body"), "{}", answers[0].head);
    // What an origin makes of a body is for nobody else.
    assert_eq!(with(&site, "/x", "").status, 200);
    assert_eq!(origin.heard().len(), 2);
}
