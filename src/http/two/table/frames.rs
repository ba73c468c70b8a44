//! RFC 9113, 3 to 6: frames, streams and windows.

use super::Row;
use super::Told::{Answered, Ends, Goes, Reset};
use super::said::*;
use crate::http::two::frame::*;

pub(super) fn rows() -> Vec<Row> {
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
