//! What no row can say, for it takes its time: windows and bodies, heads of many frames, the end, and what has begun.

use super::said::*;
use super::{code, told};
use crate::http::two::connection::{Answered, Answers, Connection, Reply};
use crate::http::two::frame::*;
use crate::http::two::fuzz::{Echo, Echoes, LONG_BYTES, all_of};
use crate::http::two::head;
use crate::http::two::hpack::Block;
use crate::http::two::outbox::Outbox;
use crate::http::two::settings::Settings;

/// A counter that notes what has begun.
struct Notes(Vec<bool>);

impl Answers for Notes {
    type Exchange = Echo;

    fn answer(&mut self, head: &head::Head, reply: &mut Reply) -> Answered<Echo> {
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
    let mut outbox = Outbox::default();
    let begin = outbox.begin_headers();
    outbox.bytes().extend(vec![7; 40_000]);
    outbox.end_headers(begin, 5, true, &Settings::default());
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
