//! Frames sent and what is expected of them, by the sections of RFC 9113 and RFC 7541: what h2spec asks, and more, of the core.

use proptest::prelude::*;

use super::connection::{Answers, Connection, Reply};
use super::frame::*;
use super::fuzz::{Echo, Echoes, LONG_BYTES, all_of};
use super::hpack::encoder::field;
use super::hpack::{Block, integer};

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// The connection ends, with this reason.
    Ends(Reason),
    /// This stream does.
    Reset(u32, Reason),
    /// It is answered, to its end.
    Answered(u32),
    /// Nothing does, and a PING is answered.
    Goes,
}
use Told::{Answered, Ends, Goes, Reset};

const GET: [(&str, &str); 4] = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    [&Head { len: payload.len(), kind, flags, stream }.to_bytes()[..], payload].concat()
}

fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        field(name.as_bytes(), value.as_bytes(), &mut out);
    }
    out
}

fn with(more: &[(&str, &str)]) -> Vec<u8> {
    block(&[&GET, more].concat())
}

fn without(name: &str) -> Vec<u8> {
    let rest: Vec<_> = GET.into_iter().filter(|(known, _)| *known != name).collect();
    block(&rest)
}

/// GET, but for one pseudo-field.
fn but(name: &str, value: &str) -> Vec<u8> {
    let all: Vec<_> = GET.into_iter().map(|(known, old)| (known, if known == name { value } else { old })).collect();
    block(&all)
}

fn request(stream: u32, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, block)
}

fn get(stream: u32) -> Vec<u8> {
    request(stream, &block(&GET))
}

/// A request whose body is to come, and which waits for it.
fn post(stream: u32, more: &[(&str, &str)]) -> Vec<u8> {
    let fields = [&[(":method", "POST")], &GET[1..], more].concat();
    frame(HEADERS, END_HEADERS, stream, &block(&fields))
}

fn data(stream: u32, text: &str, is_end: bool) -> Vec<u8> {
    frame(DATA, if is_end { END_STREAM } else { 0 }, stream, text.as_bytes())
}

fn update(stream: u32, bytes: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())
}

fn set(name: u16, value: u32) -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
}

fn rst(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &8u32.to_be_bytes())
}

fn priority(stream: u32, on: u32) -> Vec<u8> {
    frame(PRIORITY, 0, stream, &[&on.to_be_bytes()[..], &[9]].concat())
}

/// A counter that notes what has begun.
struct Notes(Vec<bool>);

impl Answers for Notes {
    type Exchange = Echo;

    fn answer(&mut self, head: &super::head::Head, reply: &mut Reply) -> super::connection::Answered<Echo> {
        Echoes.answer(head, reply)
    }

    fn too_large(&mut self, reply: &mut Reply) -> bytes::Bytes {
        Echoes.too_large(reply)
    }

    fn begins(&mut self, has_begun: bool) {
        self.0.push(has_begun);
    }
}

#[test]
fn a_head_that_has_begun_is_told_until_it_is_whole() {
    let (mut connection, mut block, mut notes) = (Connection::<Echo>::new(0), Block::default(), Notes(vec![]));
    let mut hear = |bytes: &[u8]| {
        connection.receive(bytes, 0, &mut block, &mut notes);
        std::mem::take(&mut notes.0)
    };
    let (preface, request, next) = (PREFACE, get(1), get(3));
    assert_eq!(hear(&preface[..9]), [true]);
    assert_eq!(hear(&[&preface[9..], &set(3, 1)].concat()), [false, false]);
    assert_eq!(hear(&request[..4]), [true]);
    assert_eq!(hear(&request[4..12]), [true]);
    assert_eq!(hear(&[&request[12..], &next[..1]].concat()), [false, true], "another");
    assert_eq!(hear(&[&next[1..], &frame(HEADERS, 0, 5, b"")].concat()), [true], "a block without its end");
    assert_eq!(hear(&frame(CONTINUATION, 0, 5, b"")), [true]);
    let whole = frame(CONTINUATION, END_HEADERS, 5, &self::block(&GET));
    assert_eq!(hear(&whole[..20]), [true]);
    assert_eq!(hear(&whole[20..]), [false, false]);
    // A body has a pace, where somebody waits for it.
    let (body, ping) = (data(7, "cuerpo", true), frame(PING, 0, 0, b"12345678"));
    assert_eq!(hear(&[&post(7, &[])[..], &body[..10]].concat()), [false, false]);
    assert_eq!(hear(&[&body[10..], &ping[..3]].concat()), [false, true]);
}

type Row = (&'static str, Vec<Vec<u8>>, Told);

fn frames() -> Vec<Row> {
    let half = GET.len();
    let whole = block(&GET);
    let (first, rest) = whole.split_at(half);
    let begun = |flags| frame(HEADERS, flags, 1, first);
    let mut padded = vec![3];
    padded.extend_from_slice(&whole);
    padded.extend_from_slice(&[0; 3]);
    vec![
        ("3.4 SETTINGS come first", vec![get(1)], Ends(Reason::Protocol)),
        ("4.1 an unknown kind is ignored", vec![set(3, 1), frame(0x16, 0xff, 0, b"x"), get(1)], Answered(1)),
        ("4.1 the reserved bit is ignored", vec![set(3, 1), frame(HEADERS, 5, 1 | 1 << 31, &whole)], Answered(1)),
        ("4.1 unknown flags are ignored", vec![set(3, 1), frame(PING, 0x16, 0, b"12345678")], Goes),
        (
            "4.2 a frame of the largest size",
            vec![set(3, 1), post(1, &[]), data(1, &"x".repeat(16_384), true)],
            Answered(1),
        ),
        (
            "4.2 a larger one",
            vec![set(3, 1), post(1, &[]), data(1, &"x".repeat(16_385), true)],
            Ends(Reason::FrameSize),
        ),
        (
            "4.2 a larger one of an unknown kind",
            vec![set(3, 1), frame(0x16, 0, 0, &[0; 16_385])],
            Ends(Reason::FrameSize),
        ),
        ("4.3 a block that is none", vec![set(3, 1), request(1, &[0x80])], Ends(Reason::Compression)),
        ("4.3 PRIORITY within a block", vec![set(3, 1), begun(END_STREAM), priority(1, 0)], Ends(Reason::Protocol)),
        (
            "4.3 another stream's HEADERS within a block",
            vec![set(3, 1), begun(END_STREAM), get(3)],
            Ends(Reason::Protocol),
        ),
        ("5.1 idle: DATA", vec![set(3, 1), data(1, "x", true)], Ends(Reason::Protocol)),
        ("5.1 idle: RST_STREAM", vec![set(3, 1), rst(1)], Ends(Reason::Protocol)),
        ("5.1 idle: WINDOW_UPDATE", vec![set(3, 1), update(1, 9)], Ends(Reason::Protocol)),
        ("5.1 idle: CONTINUATION", vec![set(3, 1), frame(CONTINUATION, 4, 1, rest)], Ends(Reason::Protocol)),
        ("5.1 half-closed: DATA", vec![set(4, 0), get(1), data(1, "x", true)], Reset(1, Reason::StreamClosed)),
        ("5.1 half-closed: HEADERS", vec![set(4, 0), get(1), get(1)], Reset(1, Reason::StreamClosed)),
        (
            "5.1 half-closed: CONTINUATION",
            vec![set(4, 0), get(1), frame(CONTINUATION, 4, 1, rest)],
            Ends(Reason::Protocol),
        ),
        (
            "5.1 closed by the client: DATA",
            vec![set(4, 0), get(1), rst(1), data(1, "x", true)],
            Reset(1, Reason::StreamClosed),
        ),
        ("5.1 closed by the client: HEADERS", vec![set(4, 0), get(1), rst(1), get(1)], Ends(Reason::StreamClosed)),
        ("5.1 closed: DATA", vec![set(3, 1), get(1), data(1, "x", true)], Reset(1, Reason::StreamClosed)),
        ("5.1 closed: HEADERS", vec![set(3, 1), get(1), get(1)], Ends(Reason::StreamClosed)),
        ("5.1 closed: CONTINUATION", vec![set(3, 1), get(1), frame(CONTINUATION, 4, 1, rest)], Ends(Reason::Protocol)),
        ("5.1 closed: WINDOW_UPDATE", vec![set(3, 1), get(1), update(1, 9)], Goes),
        ("5.1 closed: RST_STREAM", vec![set(3, 1), get(1), rst(1)], Goes),
        ("5.1 closed: PRIORITY", vec![set(3, 1), get(1), priority(1, 3)], Goes),
        ("5.1.1 an even number", vec![set(3, 1), get(2)], Ends(Reason::Protocol)),
        ("5.1.1 a lower number than the last", vec![set(3, 1), get(5), get(3)], Ends(Reason::StreamClosed)),
        (
            "5.1.2 more streams than there are",
            [vec![set(4, 0)], (0..=128).map(|n| get(n * 2 + 1)).collect()].concat(),
            Reset(257, Reason::RefusedStream),
        ),
        (
            "5.3.1 HEADERS that depend on themselves",
            vec![set(3, 1), frame(HEADERS, 0x25, 1, &[&[0, 0, 0, 1, 9], &whole[..]].concat())],
            Reset(1, Reason::Protocol),
        ),
        ("5.3.1 PRIORITY that depends on itself", vec![set(3, 1), priority(1, 1)], Ends(Reason::Protocol)),
        (
            "5.5 an extension within a block",
            vec![set(3, 1), begun(END_STREAM), frame(0x16, 0, 0, b"")],
            Ends(Reason::Protocol),
        ),
        ("6.1 DATA of the connection", vec![set(3, 1), data(0, "x", true)], Ends(Reason::Protocol)),
        (
            "6.1 more padding than payload",
            vec![set(3, 1), post(1, &[]), frame(DATA, 9, 1, &[6, 1, 2, 3])],
            Ends(Reason::Protocol),
        ),
        ("6.1 padding alone", vec![set(3, 1), post(1, &[]), frame(DATA, 9, 1, &[3, 0, 0, 0])], Answered(1)),
        ("6.2 HEADERS of the connection", vec![set(3, 1), get(0)], Ends(Reason::Protocol)),
        ("6.2 padding", vec![set(3, 1), frame(HEADERS, 0xd, 1, &padded)], Answered(1)),
        ("6.2 more padding than payload", vec![set(3, 1), frame(HEADERS, 0xd, 1, &[9, 0x82])], Ends(Reason::Protocol)),
        ("6.2 priority that is cut", vec![set(3, 1), frame(HEADERS, 0x25, 1, &[0, 0])], Ends(Reason::FrameSize)),
        (
            "6.2 priority",
            vec![set(3, 1), frame(HEADERS, 0x25, 1, &[&[0x80, 0, 0, 9, 255], &whole[..]].concat())],
            Answered(1),
        ),
        ("6.3 PRIORITY of the connection", vec![set(3, 1), priority(0, 1)], Ends(Reason::Protocol)),
        (
            "6.3 PRIORITY of another length",
            vec![set(4, 0), get(1), frame(PRIORITY, 0, 1, &[0; 4])],
            Reset(1, Reason::FrameSize),
        ),
        ("6.4 RST_STREAM of the connection", vec![set(3, 1), rst(0)], Ends(Reason::Protocol)),
        (
            "6.4 RST_STREAM of another length",
            vec![set(4, 0), get(1), frame(RST_STREAM, 0, 1, &[0; 3])],
            Ends(Reason::FrameSize),
        ),
        ("6.5 an ACK with a payload", vec![set(3, 1), frame(SETTINGS, ACK, 0, &[0; 6])], Ends(Reason::FrameSize)),
        ("6.5 SETTINGS of a stream", vec![set(3, 1), frame(SETTINGS, 0, 1, &[])], Ends(Reason::Protocol)),
        ("6.5 SETTINGS of another length", vec![set(3, 1), frame(SETTINGS, 0, 0, &[0; 5])], Ends(Reason::FrameSize)),
        ("6.5.2 ENABLE_PUSH of 2", vec![set(2, 2)], Ends(Reason::Protocol)),
        ("6.5.2 a window beyond all", vec![set(4, 1 << 31)], Ends(Reason::FlowControl)),
        ("6.5.2 frames that are too small", vec![set(5, 16_383)], Ends(Reason::Protocol)),
        ("6.5.2 frames that are too large", vec![set(5, 1 << 24)], Ends(Reason::Protocol)),
        ("6.5.2 an unknown one", vec![set(0xff, 1), get(1)], Answered(1)),
        (
            "6.6 PUSH_PROMISE of a client",
            vec![set(3, 1), frame(PUSH_PROMISE, 4, 1, &[0, 0, 0, 2])],
            Ends(Reason::Protocol),
        ),
        ("6.7 PING of a stream", vec![set(3, 1), frame(PING, 0, 1, &[0; 8])], Ends(Reason::Protocol)),
        ("6.7 PING of another length", vec![set(3, 1), frame(PING, 0, 0, &[0; 6])], Ends(Reason::FrameSize)),
        ("6.7 a PING that nobody sent comes back", vec![set(3, 1), frame(PING, ACK, 0, &[0; 8])], Goes),
        ("6.8 GOAWAY of a stream", vec![set(3, 1), frame(GOAWAY, 0, 1, &[0; 8])], Ends(Reason::Protocol)),
        ("6.9 a window grown by nothing", vec![set(3, 1), update(0, 0)], Ends(Reason::Protocol)),
        ("6.9 a stream's grown by nothing", vec![set(4, 0), get(1), update(1, 0)], Reset(1, Reason::Protocol)),
        (
            "6.9 WINDOW_UPDATE of another length",
            vec![set(3, 1), frame(WINDOW_UPDATE, 0, 0, &[0; 3])],
            Ends(Reason::FrameSize),
        ),
        ("6.9.1 a window beyond all", vec![set(3, 1), update(0, (1 << 31) - 1)], Ends(Reason::FlowControl)),
        (
            "6.9.1 a stream's beyond all",
            vec![set(4, 9), request(1, &but(":path", "/larga")), update(1, (1 << 31) - 1), update(1, (1 << 31) - 1)],
            Reset(1, Reason::FlowControl),
        ),
        ("6.9.2 a window opened by SETTINGS", vec![set(4, 0), get(1), set(4, 1), set(4, 9)], Answered(1)),
        (
            "6.9.2 one below nothing",
            vec![set(4, 3), get(1), set(4, 1), update(1, 1), update(1, 1), update(1, 1)],
            Answered(1),
        ),
        (
            "6.9.2 one beyond all by SETTINGS",
            vec![set(4, 9), request(1, &but(":path", "/larga")), update(1, (1 << 31) - 9), set(4, (1 << 31) - 1)],
            Ends(Reason::FlowControl),
        ),
        (
            "6.10 CONTINUATION",
            vec![
                set(3, 1),
                begun(END_STREAM),
                frame(CONTINUATION, 0, 1, &rest[..3]),
                frame(CONTINUATION, 4, 1, &rest[3..]),
            ],
            Answered(1),
        ),
        (
            "6.10 CONTINUATION of the connection",
            vec![set(3, 1), begun(END_STREAM), frame(CONTINUATION, 4, 0, rest)],
            Ends(Reason::Protocol),
        ),
        (
            "6.10 CONTINUATION of another stream",
            vec![set(3, 1), begun(END_STREAM), frame(CONTINUATION, 4, 3, rest)],
            Ends(Reason::Protocol),
        ),
        (
            "6.10 CONTINUATION behind the end",
            vec![set(3, 1), get(1), frame(CONTINUATION, 4, 1, rest)],
            Ends(Reason::Protocol),
        ),
        (
            "6.10 CONTINUATION behind DATA",
            vec![set(3, 1), post(1, &[]), data(1, "x", true), frame(CONTINUATION, 4, 1, rest)],
            Ends(Reason::Protocol),
        ),
    ]
}

fn messages() -> Vec<Row> {
    let malformed = |why, block: Vec<u8>| (why, vec![set(3, 1), request(1, &block)], Reset(1, Reason::Protocol));
    let trailers = |fields: &[(&str, &str)], flags| frame(HEADERS, END_HEADERS | flags, 1, &block(fields));
    vec![
        ("8.1 trailers", vec![set(3, 1), post(1, &[]), data(1, "x", false), trailers(&[("x", "y")], 1)], Answered(1)),
        (
            "8.1 trailers without the end",
            vec![set(3, 1), post(1, &[]), trailers(&[("x", "y")], 0)],
            Reset(1, Reason::Protocol),
        ),
        (
            "8.1 trailers with a pseudo-field",
            vec![set(3, 1), post(1, &[]), trailers(&[(":path", "/")], 1)],
            Reset(1, Reason::Protocol),
        ),
        (
            "8.1.1 more than its length",
            vec![set(3, 1), post(1, &[("content-length", "1")]), data(1, "xy", true)],
            Reset(1, Reason::Protocol),
        ),
        (
            "8.1.1 less than its length",
            vec![set(3, 1), post(1, &[("content-length", "3")]), data(1, "xy", true)],
            Reset(1, Reason::Protocol),
        ),
        (
            "8.1.1 its length, in pieces",
            vec![set(3, 1), post(1, &[("content-length", "3")]), data(1, "x", false), data(1, "yz", true)],
            Answered(1),
        ),
        malformed("8.1.1 a length and no body", with(&[("content-length", "3")])),
        malformed("8.1.1 two lengths", with(&[("content-length", "0"), ("content-length", "0")])),
        malformed("8.2.1 a name in upper case", with(&[("X-A", "b")])),
        malformed("8.2.1 a name with a space", with(&[("x a", "b")])),
        malformed("8.2.1 no name", with(&[("", "b")])),
        malformed("8.2.1 a value with a line end", with(&[("x", "a\nb")])),
        malformed("8.2.1 a value that begins with a space", with(&[("x", " a")])),
        malformed("8.2.1 a value that ends with a tab", with(&[("x", "a\t")])),
        malformed("8.2.2 connection", with(&[("connection", "keep-alive")])),
        malformed("8.2.2 transfer-encoding", with(&[("transfer-encoding", "chunked")])),
        malformed("8.2.2 te but trailers", with(&[("te", "trailers, deflate;q=0.5")])),
        ("8.2.2 te: trailers", vec![set(3, 1), request(1, &with(&[("te", "trailers")]))], Answered(1)),
        malformed("8.3 an unknown pseudo-field", with(&[(":test", "ok")])),
        malformed("8.3 a response's pseudo-field", with(&[(":status", "200")])),
        malformed("8.3 a pseudo-field behind others", block(&[GET[0], GET[1], GET[2], ("x", "y"), GET[3]])),
        malformed("8.3.1 an empty path", but(":path", "")),
        malformed("8.3.1 a path without its slash", but(":path", "x")),
        malformed("8.3.1 a path with a fragment", but(":path", "/x#y")),
        malformed("8.3.1 no method", without(":method")),
        malformed("8.3.1 no scheme", without(":scheme")),
        malformed("8.3.1 no path", without(":path")),
        malformed("8.3.1 two methods", with(&[(":method", "GET")])),
        malformed("8.3.1 two schemes", with(&[(":scheme", "http")])),
        malformed("8.3.1 two paths", with(&[(":path", "/")])),
        malformed("8.5 CONNECT with a path", block(&[(":method", "CONNECT"), GET[2], GET[3]])),
        ("8.3.1 no authority", vec![set(3, 1), request(1, &without(":authority"))], Answered(1)),
    ]
}

fn floods() -> Vec<Row> {
    let many = |n: usize, first: Vec<u8>, again: Vec<u8>| [vec![first], vec![again; n]].concat();
    let rapid = |n: u32| (0..n).flat_map(|n| [post(n * 2 + 1, &[]), rst(n * 2 + 1)]).collect();
    let made = |n: u32| (0..n).flat_map(|n| [post(n * 2 + 1, &[]), update(n * 2 + 1, 0)]).collect();
    let big = ("x", &*"a".repeat(4000));
    let calm = Ends(Reason::EnhanceYourCalm);
    let block_of = |fields: &[(&str, &str)]| block(&[&GET[..], fields].concat());
    let continued = frame(HEADERS, END_STREAM, 1, &block(&GET));
    vec![
        ("CVE-2023-44487 rapid reset", [vec![set(3, 1)], rapid(600)].concat(), calm),
        ("a page that is left", [vec![set(3, 1)], rapid(128)].concat(), Goes),
        ("CVE-2025-8671 streams that we have to reset", [vec![set(3, 1)], made(300)].concat(), calm),
        (
            "CVE-2024-27316 CONTINUATION without end",
            many(40, [set(3, 1), continued.clone()].concat(), frame(CONTINUATION, 0, 1, b"")),
            calm,
        ),
        (
            "CVE-2024-27316 CONTINUATION of much",
            many(4, [set(3, 1), continued].concat(), frame(CONTINUATION, 0, 1, &[0x82; 16_000])),
            calm,
        ),
        ("CVE-2019-9512 PING", many(1000, set(3, 1), frame(PING, 0, 0, &[0; 8])), calm),
        ("CVE-2019-9515 SETTINGS", many(100, set(3, 1), set(4, 9)), calm),
        ("CVE-2019-9513 PRIORITY", many(3000, set(3, 1), priority(7, 3)), calm),
        ("CVE-2019-9518 empty DATA", many(3000, [set(3, 1), post(1, &[])].concat(), data(1, "", false)), calm),
        ("CVE-2019-9517 WINDOW_UPDATE", many(3000, [set(4, 0), get(1)].concat(), update(0, 1)), calm),
        (
            "fields that are too large, again and again",
            [vec![set(3, 1)], (0..300).map(|n| request(1 + 2 * n, &block_of(&[big; 5]))).collect()].concat(),
            calm,
        ),
        ("10.5.1 fields that are too large", vec![set(3, 1), request(1, &block_of(&[big; 5]))], Answered(1)),
    ]
}

/// Everything that is said, and then a PING.
fn told(frames: &[Vec<u8>]) -> Vec<(u8, u8, u32, Vec<u8>)> {
    let (mut connection, mut room) = (Connection::<Echo>::new(0), Block::default());
    let mut out = Vec::new();
    let ping = frame(PING, 0, 0, b"despues!");
    for bytes in [PREFACE.to_vec()].iter().chain(frames).chain([&ping]) {
        connection.receive(bytes, 0, &mut room, &mut Echoes);
        out.extend(all_of(&mut connection, &mut room));
    }
    let (mut rest, mut heard) = (&out[..], Vec::new());
    while let Some(head) = Head::read(rest) {
        let (payload, after) = rest[HEAD_BYTES..].split_at(head.len);
        heard.push((head.kind, head.flags, head.stream, payload.to_vec()));
        rest = after;
    }
    heard
}

fn code(payload: &[u8]) -> u32 {
    u32::from_be_bytes(payload[payload.len() - 4..].try_into().unwrap())
}

#[test]
fn frames_are_taken_as_the_rfc_has_it() {
    for (why, sent, expected) in [frames(), messages(), floods()].into_iter().flatten() {
        let heard = told(&sent);
        let ended = heard.iter().find(|(kind, ..)| *kind == GOAWAY).map(|(.., payload)| code(payload));
        let is_alive =
            heard.iter().any(|(kind, flags, _, payload)| (*kind, *flags, &payload[..]) == (PING, ACK, b"despues!"));
        assert_eq!(ended.is_none(), is_alive, "{why}");
        let resets: Vec<_> = heard.iter().filter(|one| one.0 == RST_STREAM).map(|one| (one.2, code(&one.3))).collect();
        match expected {
            Ends(reason) => assert_eq!(ended, Some(reason as u32), "{why}"),
            Reset(id, reason) => {
                assert_eq!(ended, None, "{why}");
                assert_eq!(resets, [(id, reason as u32)], "{why}");
            }
            Answered(id) => {
                let is_end = |(kind, flags, stream, _): &&(u8, u8, u32, Vec<u8>)| {
                    *kind <= HEADERS && *stream == id && flags & END_STREAM != 0
                };
                assert!(ended.is_none() && resets.is_empty(), "{why}: {ended:?} {resets:?}");
                assert_eq!(heard.iter().filter(is_end).count(), 1, "{why}");
            }
            Goes => assert_eq!(ended, None, "{why}"),
        }
    }
}

#[test]
fn what_is_no_preface_ends_the_connection() {
    let (mut connection, mut room) = (Connection::<Echo>::new(0), Block::default());
    connection.receive(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", 0, &mut room, &mut Echoes);
    assert!(connection.has_failed());
}

/// A body goes no faster than both windows let it, and then goes on.
#[test]
fn windows_are_kept() {
    let sum = |heard: &[(u8, u8, u32, Vec<u8>)]| -> usize {
        heard.iter().filter(|one| one.0 == DATA).map(|one| one.3.len()).sum()
    };
    let long = request(1, &but(":path", "/larga"));
    assert_eq!(sum(&told(&[set(3, 1), long.clone()])), 65_535, "6.9.2: the default");
    assert_eq!(sum(&told(&[set(4, 7), long.clone(), update(1, 5)])), 12);
    assert_eq!(sum(&told(&[set(4, 1 << 20), long.clone()])), 65_535, "6.9.1: the connection's");
    assert_eq!(sum(&told(&[set(4, 1 << 20), long, update(0, 1 << 20)])), LONG_BYTES);
}

/// A body of many windows is taken as it goes on, and not before.
#[test]
fn bodies_are_taken_as_they_go_on() {
    let piece = "x".repeat(16_000);
    let mut sent = vec![set(3, 1), update(0, 1 << 20), post(1, &[]), update(1, 1 << 20)];
    sent.extend(vec![data(1, &piece, false); 30]);
    let heard = told(&sent);
    let said = |stream| heard.iter().filter(|one| (one.0, one.2) == (WINDOW_UPDATE, stream)).count();
    assert!(said(0) >= 10 && said(1) >= 10);
    // What nobody takes: the window is all that comes.
    let mut sent = vec![set(4, 0), post(1, &[])];
    sent.extend(vec![data(1, &piece, false); 5]);
    let heard = told(&sent);
    assert_eq!(heard.iter().find(|one| one.0 == GOAWAY).map(|one| code(&one.3)), Some(Reason::FlowControl as u32));
}

/// A head that no frame of the client's holds is sent in several (RFC 9113, 6.10).
#[test]
fn long_heads_are_continued() {
    let mut outbox = super::outbox::Outbox::default();
    let begin = outbox.begin_headers();
    outbox.bytes().extend(vec![7; 40_000]);
    outbox.end_headers(begin, 5, true, &super::settings::Settings::default());
    let out = outbox.take();
    let (mut rest, mut heads, mut len) = (&out[..], Vec::new(), 0);
    while let Some(head) = Head::read(rest) {
        heads.push((head.kind, head.flags));
        (len, rest) = (len + head.len, &rest[HEAD_BYTES + head.len..]);
    }
    assert_eq!(heads, [(HEADERS, END_STREAM), (CONTINUATION, 0), (CONTINUATION, END_HEADERS)]);
    assert_eq!(len, 40_000);
}

/// GOAWAY twice, and between them whatever was asked before the client knew (RFC 9113, 6.8).
#[test]
fn draining_answers_what_is_under_way() {
    let (mut connection, mut room) = (Connection::<Echo>::new(0), Block::default());
    connection.receive(&[&PREFACE[..], &set(4, 0), &get(1)].concat(), 0, &mut room, &mut Echoes);
    connection.drain();
    let out = all_of(&mut connection, &mut room);
    let at = out.windows(8).position(|bytes| bytes == b"difusor!").expect("a PING behind the first GOAWAY");
    let call: [u8; 8] = out[at..at + 8].try_into().unwrap();
    connection.receive(&[get(3), frame(PING, ACK, 0, &call), get(5)].concat(), 0, &mut room, &mut Echoes);
    all_of(&mut connection, &mut room);
    assert!(!connection.is_over(), "two streams wait for a window");
    connection.receive(&[update(1, 9), update(3, 9)].concat(), 0, &mut room, &mut Echoes);
    let out = all_of(&mut connection, &mut room);
    assert_eq!(out.windows(4).filter(|bytes| *bytes == b"hola").count(), 2, "and not the third");
    assert!(connection.is_over());
}

proptest! {
    /// Frames that are such by their heads, of a few streams, in any order and in pieces of any length.
    #[test]
    fn whatever_comes_is_taken(
        piece in any::<u8>(),
        frames in prop::collection::vec((0u8..11, any::<u8>(), 0u32..10, 0usize..4, prop::collection::vec(any::<u8>(), 0..20)), 0..40),
    ) {
        let mut bytes = [vec![piece], set(4, 100)].concat();
        for (kind, flags, stream, form, payload) in frames {
            bytes.extend(match form {
                0 => get(stream | 1),
                1 => post(stream | 1, &[]),
                2 => request(stream | 1, &but(":path", "/larga")),
                _ => frame(kind, flags, stream, &payload),
            });
        }
        super::fuzz::connection(&bytes);
        super::fuzz::hpack(&bytes);
    }
}

#[test]
fn numbers_do_not_run_over() {
    assert!(integer::read(&[0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], 7).is_err());
}
