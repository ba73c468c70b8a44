//! A counter that needs nobody: for the fuzz targets and the table of frames.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, Method, Response};

use super::connection::{Answered, Answers, Connection, Reply};
use super::frame::{HEAD_BYTES, Head as FrameHead, PREFACE};
use super::head::Head;
use super::hpack::decoder::Limits;
use super::hpack::{Block, Decoder};
use super::outbox::GATHER_BYTES;
use super::streams::{Exchange, Step};

/// What `/larga` is answered with: more than a window.
pub const LONG_BYTES: usize = 100_000;
static LONG: [u8; LONG_BYTES] = [b'x'; LONG_BYTES];
/// What may wait beyond what is gathered: the last answer's head and frames of control.
const BEYOND_BYTES: usize = LONG_BYTES + (32 << 10);

/// Answers every GET at once, and everything else with what it brings.
pub struct Echoes;

/// Says again what comes.
#[derive(Debug, Default)]
pub struct Echo {
    has_begun: bool,
    is_whole: bool,
    data: VecDeque<Bytes>,
    freed: usize,
    waker: Option<Waker>,
}

impl Exchange for Echo {
    fn data(&mut self, data: Bytes) {
        self.data.push_back(data);
        self.waker.take().inspect(Waker::wake_by_ref);
    }

    fn end(&mut self, _: Option<HeaderMap>) {
        self.is_whole = true;
        self.waker.take().inspect(Waker::wake_by_ref);
    }

    fn freed(&mut self) -> usize {
        std::mem::take(&mut self.freed)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        if !std::mem::replace(&mut self.has_begun, true) {
            return Poll::Ready(Step::Head(Response::new(()), false));
        }
        if let Some(data) = self.data.pop_front() {
            self.freed += data.len();
            return Poll::Ready(Step::Data(data, self.is_whole && self.data.is_empty()));
        }
        if self.is_whole {
            return Poll::Ready(Step::Data(Bytes::new(), true));
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Answers for Echoes {
    type Exchange = Echo;

    fn answer(&mut self, head: &Head, reply: &mut Reply) -> Answered<Echo> {
        if *head.method != Method::GET {
            return Answered::Later(Echo::default());
        }
        reply.encoder.begin(200, reply.out);
        Answered::Now(if head.path == "/larga" { Bytes::from_static(&LONG) } else { Bytes::from_static(b"hola") })
    }

    fn too_large(&mut self, reply: &mut Reply) -> Bytes {
        reply.encoder.begin(431, reply.out);
        Bytes::new()
    }
}

/// Takes everything that waits to be sent, as often as there is more.
pub fn all_of(connection: &mut Connection<Echo>, block: &mut Block) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        connection.fill(Waker::noop());
        if connection.outbox.is_empty() && !connection.has_more() {
            return out;
        }
        assert!(connection.outbox.len() <= GATHER_BYTES + BEYOND_BYTES, "what waits is bounded");
        out.extend(connection.outbox.take());
        connection.receive(&[], 0, block, &mut Echoes);
    }
}

/// A connection on which these bytes come behind the preface, in pieces of a length that the first one tells. What goes out must
/// be frames, whole ones.
///
/// # Panics
/// Where it is not.
pub fn connection(bytes: &[u8]) {
    let Some((piece, bytes)) = bytes.split_first() else { return };
    let (mut connection, mut block) = (Connection::new(0), Block::default());
    connection.receive(PREFACE, 0, &mut block, &mut Echoes);
    for piece in bytes.chunks(usize::from(*piece) + 1) {
        connection.receive(piece, 0, &mut block, &mut Echoes);
        let out = all_of(&mut connection, &mut block);
        let mut rest = &out[..];
        while let Some(head) = FrameHead::read(rest) {
            rest = rest.get(HEAD_BYTES + head.len..).expect("a whole frame");
        }
        assert!(rest.is_empty());
    }
}

/// Blocks of one connection, each behind a byte that tells its length.
pub fn hpack(mut bytes: &[u8]) {
    let (mut decoder, mut block) = (Decoder::default(), Block::default());
    while let Some((len, rest)) = bytes.split_first() {
        let (coded, rest) = rest.split_at(rest.len().min(usize::from(*len)));
        bytes = rest;
        if decoder.read(coded, Limits { bytes: 4096, fields: 20 }, &mut block).is_err() {
            return;
        }
        let _ = Head::of(&block);
        assert!(block.count() <= 20);
    }
}
