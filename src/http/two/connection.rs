//! The core of a connection: bytes in, frames out. No I/O and no clock; what answers is a parameter.

use bytes::Bytes;
use http::HeaderMap;

use super::flow::{Room, Window};
use super::frame::{self, Fault, HEAD_BYTES, Head, PAYLOAD_MAX_BYTES, PREFACE, Reason};
use super::guard::{Cost, Guard};
use super::head;
use super::hpack::{Block, Decoder, Encoder, encoder};
use super::outbox::Outbox;
use super::settings::{self, Settings};
use super::streams::{Exchange, Sending, State, Stream, Streams};
use super::wake::Bell;

/// In the PING that follows the first GOAWAY: once it is back, the client has read that one.
const LAST_CALL: [u8; 8] = *b"difusor!";
const ID_MAX: u32 = (1 << 31) - 1;
/// Of a connection, not of a request (RFC 9113, 8.2.2).
const NEVER_SENT: [&str; 5] = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// What answers requests.
pub trait Answers {
    type Exchange: Exchange;

    /// Answers at once, or says what has to be waited for; then nothing of `reply` counts.
    fn answer(&mut self, head: &head::Head, reply: &mut Reply) -> Answered<Self::Exchange>;

    /// Answers a request whose fields are more than are read.
    fn too_large(&mut self, reply: &mut Reply) -> Bytes;

    /// Hears of what ends a stream or the connection.
    fn refuses(&mut self, _fault: Fault) {}

    /// Hears whether a body waits for its client to take more (RFC 9113, 5.2).
    fn waits(&mut self, _for_room: bool) {}

    /// Hears whether something has begun of which the rest has to come soon: a head, or a frame of any kind but a body's.
    fn begins(&mut self, _has_begun: bool) {}
}

/// Where a response's head goes.
pub struct Reply<'c> {
    pub encoder: &'c mut Encoder,
    pub out: &'c mut Vec<u8>,
}

impl Reply<'_> {
    /// A head of fields that are not in any block yet.
    pub fn fields(&mut self, status: u16, fields: &HeaderMap) {
        self.encoder.begin(status, self.out);
        for (name, value) in fields {
            if !NEVER_SENT.contains(&name.as_str()) {
                encoder::field(name.as_str().as_bytes(), value.as_bytes(), self.out);
            }
        }
    }
}

/// What becomes of a request.
pub enum Answered<E> {
    /// The head is written; this is the body.
    Now(Bytes),
    Later(E),
    /// It is no request after all.
    Malformed,
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The client's preface has not come whole.
    Preface,
    /// Its SETTINGS has to be the first frame (RFC 9113, 3.4).
    Settings,
    Open,
    /// Nothing more is read.
    Over,
}

/// A header block whose end has not come.
#[derive(Debug)]
pub(super) struct Gathering {
    pub stream: u32,
    pub is_end: bool,
    pub depends_on_itself: bool,
    pub frames: u32,
    pub block: Vec<u8>,
}

/// One connection.
#[derive(Debug)]
pub struct Connection<E> {
    pub(super) phase: Phase,
    /// The beginning of a frame; nothing where none has begun.
    inbox: Vec<u8>,
    pub outbox: Outbox,
    pub(super) decoder: Decoder,
    pub(super) encoder: Encoder,
    pub(super) settings: Settings,
    pub(super) window: Window,
    pub(super) room: Room,
    pub(super) streams: Streams<E>,
    pub(super) guard: Guard,
    pub(super) gathering: Option<Box<Gathering>>,
    pub(super) bell: Option<Bell>,
    /// We have said that it is time to stop.
    has_called: bool,
    /// The last stream that is answered, once that is settled.
    pub(super) last_call: Option<u32>,
    /// The client asks for nothing more.
    pub(super) is_left: bool,
}

impl<E: Exchange> Connection<E> {
    pub fn new(now_s: u32) -> Connection<E> {
        let mut outbox = Outbox::default();
        settings::write_ours(outbox.bytes());
        let settings = Settings::default();
        Connection {
            phase: Phase::Preface,
            inbox: Vec::new(),
            outbox,
            decoder: Decoder::default(),
            encoder: Encoder::default(),
            window: Window::new(settings.window),
            settings,
            room: Room::default(),
            streams: Streams::default(),
            guard: Guard::new(now_s),
            gathering: None,
            bell: None,
            has_called: false,
            last_call: None,
            is_left: false,
        }
    }

    /// Takes `bytes`, and what is left of those before, as far as there is room for what they bring about.
    pub fn receive<A>(&mut self, bytes: &[u8], now_s: u32, block: &mut Block, answers: &mut A)
    where
        A: Answers<Exchange = E>,
    {
        self.guard.tick(now_s);
        let done = if self.inbox.is_empty() {
            let done = self.frames(bytes, block, answers);
            self.inbox.extend_from_slice(&bytes[done..]);
            done
        } else {
            let mut inbox = std::mem::take(&mut self.inbox);
            inbox.extend_from_slice(bytes);
            let done = self.frames(&inbox, block, answers);
            if done < inbox.len() {
                inbox.drain(..done);
                self.inbox = inbox;
            }
            done
        };
        if done > 0 && self.gathering.is_none() {
            // Whatever has begun since is another.
            answers.begins(false);
        }
        answers.begins(self.has_begun());
    }

    /// Something has begun, and the rest has not come. What comes of a body has a pace of its own.
    fn has_begun(&self) -> bool {
        let is_body = |head: Head| head.kind == frame::DATA && !self.streams.is_empty();
        let is_half = !self.inbox.is_empty() && !self.has_more() && !Head::read(&self.inbox).is_some_and(is_body);
        self.gathering.is_some() || is_half
    }

    /// True where bytes that have come wait for room.
    pub fn has_more(&self) -> bool {
        let is_whole = |head: Head| self.inbox.len() >= HEAD_BYTES + head.len.min(PAYLOAD_MAX_BYTES);
        matches!(self.phase, Phase::Settings | Phase::Open) && Head::read(&self.inbox).is_some_and(is_whole)
    }

    /// Nothing more is read, and nothing more comes to be sent.
    pub fn is_over(&self) -> bool {
        let is_done = self.streams.is_empty() && (self.is_left || self.last_call.is_some());
        self.phase == Phase::Over || is_done
    }

    /// Nothing more comes: requests that are not whole never will be.
    pub fn hears_no_more(&mut self) {
        let is_cut = |stream: &Stream<E>| stream.state != State::HalfClosedRemote;
        let cut: Vec<u32> = self.streams.iter().filter(|stream| is_cut(stream)).map(|stream| stream.id).collect();
        cut.into_iter().for_each(|id| self.forget(id));
    }

    /// True where something will be there to be sent though nothing more comes; what waits for a window never is.
    pub fn is_under_way(&self) -> bool {
        let waits = |sending: &Sending<E>| matches!(sending, Sending::Waiting(waiting) if waiting.data.is_empty());
        self.streams.iter().any(|stream| waits(&stream.sending))
    }

    /// True where it ended for what the client did: then more of that may be on its way.
    pub fn has_failed(&self) -> bool {
        self.phase == Phase::Over
    }

    fn frames<A>(&mut self, bytes: &[u8], block: &mut Block, answers: &mut A) -> usize
    where
        A: Answers<Exchange = E>,
    {
        let mut done = 0;
        if self.phase == Phase::Preface {
            let seen = bytes.len().min(PREFACE.len());
            if bytes[..seen] != PREFACE[..seen] {
                self.end(Fault::Connection(Reason::Protocol), answers);
            } else if seen == PREFACE.len() {
                (self.phase, done) = (Phase::Settings, seen);
            }
        }
        while matches!(self.phase, Phase::Settings | Phase::Open) && !self.outbox.is_full() {
            let Some(head) = Head::read(&bytes[done..]) else { break };
            if head.len > PAYLOAD_MAX_BYTES {
                self.end(Fault::Connection(Reason::FrameSize), answers);
                break;
            }
            let Some(payload) = bytes[done + HEAD_BYTES..].get(..head.len) else { break };
            done += HEAD_BYTES + head.len;
            if let Err(fault) = self.frame(head, payload, block, answers) {
                self.end(fault, answers);
            }
        }
        if self.phase == Phase::Over { bytes.len() } else { done }
    }

    /// Ends what a fault ends.
    fn end<A>(&mut self, fault: Fault, answers: &mut A)
    where
        A: Answers<Exchange = E>,
    {
        answers.refuses(fault);
        match fault {
            Fault::Connection(reason) => self.fail(reason),
            Fault::Stream(id, reason) => {
                self.reset(id, reason);
                if let Err(flood) = self.guard.spend(Cost::Fault) {
                    self.end(flood, answers);
                }
            }
        }
    }

    fn fail(&mut self, reason: Reason) {
        if self.phase != Phase::Over {
            // It never rises (RFC 9113, 6.8).
            self.go_away(self.last_call.unwrap_or(self.streams.last), reason);
            self.phase = Phase::Over;
            self.streams = Streams::default();
        }
    }

    fn go_away(&mut self, last: u32, reason: Reason) {
        let out = self.outbox.bytes();
        Head { len: 8, kind: frame::GOAWAY, flags: 0, stream: 0 }.write(out);
        out.extend_from_slice(&last.to_be_bytes());
        out.extend_from_slice(&(reason as u32).to_be_bytes());
    }

    pub(super) fn reset(&mut self, id: u32, reason: Reason) {
        self.forget(id);
        self.streams.remember(id);
        let out = self.outbox.bytes();
        Head { len: 4, kind: frame::RST_STREAM, flags: 0, stream: id }.write(out);
        out.extend_from_slice(&(reason as u32).to_be_bytes());
    }

    pub(super) fn ping(&mut self, payload: &[u8; 8], flags: u8) {
        let out = self.outbox.bytes();
        Head { len: 8, kind: frame::PING, flags, stream: 0 }.write(out);
        out.extend_from_slice(payload);
    }

    pub(super) fn window_update(&mut self, stream: u32, bytes: u32) {
        let out = self.outbox.bytes();
        Head { len: 4, kind: frame::WINDOW_UPDATE, flags: 0, stream }.write(out);
        out.extend_from_slice(&bytes.to_be_bytes());
    }

    /// It is time to stop: whatever is asked before the client knows is still answered (RFC 9113, 6.8).
    pub fn drain(&mut self) {
        if self.phase != Phase::Over && !std::mem::replace(&mut self.has_called, true) {
            self.go_away(ID_MAX, Reason::NoError);
            self.ping(&LAST_CALL, 0);
        }
    }

    /// A PING of ours has come back.
    pub(super) fn answered(&mut self, payload: &[u8; 8]) {
        if *payload == LAST_CALL && self.has_called && self.last_call.is_none() {
            self.last_call = Some(self.streams.last);
            self.go_away(self.streams.last, Reason::NoError);
        }
    }
}
