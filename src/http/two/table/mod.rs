//! Frames sent and what is expected of them, by the sections of RFC 9113 and RFC 7541: what h2spec asks, and more, of the core.

mod floods;
mod frames;
mod messages;
mod order;
mod said;

use proptest::prelude::*;

use self::said::*;
use super::connection::Connection;
use super::frame::*;
use super::fuzz::{Echo, Echoes, all_of};
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

type Row = (&'static str, Vec<Vec<u8>>, Told);

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
    for (why, sent, expected) in [frames::rows(), messages::rows(), floods::rows()].into_iter().flatten() {
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
