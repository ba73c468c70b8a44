//! The core of a connection: bytes in, frames out. No I/O and no clock; what answers is a parameter.

use std::task::{Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, Response};

use super::flow::{Room, Window};
use super::frame::{self, Fault, HEAD_BYTES, Head, PAYLOAD_MAX_BYTES, PREFACE, Reason};
use super::guard::{Cost, Guard};
use super::head;
use super::hpack::{Block, Decoder, Encoder, encoder};
use super::outbox::Outbox;
use super::settings::{self, Settings};
use super::streams::{Exchange, Found, Sending, State, Step, Stream, Streams, Waiting};
use super::wake::{Awake, Bell};

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
    bell: Option<Bell>,
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
        if self.inbox.is_empty() {
            let done = self.frames(bytes, block, answers);
            self.inbox.extend_from_slice(&bytes[done..]);
            return;
        }
        let mut inbox = std::mem::take(&mut self.inbox);
        inbox.extend_from_slice(bytes);
        let done = self.frames(&inbox, block, answers);
        if done < inbox.len() {
            inbox.drain(..done);
            self.inbox = inbox;
        }
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
                self.fail(Reason::Protocol);
            } else if seen == PREFACE.len() {
                (self.phase, done) = (Phase::Settings, seen);
            }
        }
        while matches!(self.phase, Phase::Settings | Phase::Open) && !self.outbox.is_full() {
            let Some(head) = Head::read(&bytes[done..]) else { break };
            if head.len > PAYLOAD_MAX_BYTES {
                self.fail(Reason::FrameSize);
                break;
            }
            let Some(payload) = bytes[done + HEAD_BYTES..].get(..head.len) else { break };
            done += HEAD_BYTES + head.len;
            let taken = self.frame(head, payload, block, answers);
            self.end(taken);
        }
        if self.phase == Phase::Over { bytes.len() } else { done }
    }

    /// Ends what a fault ends.
    pub(super) fn end(&mut self, outcome: Result<(), Fault>) {
        match outcome {
            Ok(()) => {}
            Err(Fault::Connection(reason)) => self.fail(reason),
            Err(Fault::Stream(id, reason)) => {
                self.reset(id, reason);
                if let Err(Fault::Connection(reason)) = self.guard.spend(Cost::Fault) {
                    self.fail(reason);
                }
            }
        }
    }

    fn fail(&mut self, reason: Reason) {
        if self.phase != Phase::Over {
            self.go_away(self.streams.last, reason);
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
        if self.phase != Phase::Over && self.last_call.is_none() {
            self.go_away(ID_MAX, Reason::NoError);
            self.ping(&LAST_CALL, 0);
        }
    }

    /// A PING of ours has come back.
    pub(super) fn answered(&mut self, payload: &[u8; 8]) {
        if *payload == LAST_CALL && self.last_call.is_none() {
            self.last_call = Some(self.streams.last);
            self.go_away(self.streams.last, Reason::NoError);
        }
    }

    /// The answer to `id`, whose head began at `begin`, is there.
    pub(super) fn give(&mut self, id: u32, begin: usize, body: Bytes, request: (State, Option<u64>)) {
        self.outbox.end_headers(begin, id, body.is_empty(), &self.settings);
        let (state, expected) = request;
        let window = Window::new(self.settings.window);
        let sending = if body.is_empty() { Sending::Done } else { Sending::Ready(body) };
        let mut stream = Stream { id, state, window, room: Room::default(), expected, sending };
        while !self.outbox.is_full() && self.send(&mut stream) {}
        if self.stays(&mut stream) {
            self.streams.push(stream);
        }
    }

    /// `exchange` will answer.
    pub(super) fn await_exchange(&mut self, id: u32, exchange: E, (state, expected): (State, Option<u64>)) {
        let awake = Awake::new(self.bell.get_or_insert_default().clone());
        let waker = Waker::from(awake.clone());
        let mut waiting = Waiting { exchange, awake, waker, data: Bytes::new(), is_last: false, held: 0 };
        if state == State::HalfClosedRemote {
            waiting.exchange.end(None);
        }
        let window = Window::new(self.settings.window);
        let sending = Sending::Waiting(waiting);
        self.streams.push(Stream { id, state, window, room: Room::default(), expected, sending });
    }

    /// Sends what may be sent, a frame of each stream in turn, until there is no room. `waker` is woken when there is more.
    pub fn fill(&mut self, waker: &Waker) {
        if self.streams.is_empty() {
            return;
        }
        if let Some(bell) = &self.bell {
            bell.hang(waker);
        }
        let mut still = 0;
        while still < self.streams.len() && !self.outbox.is_full() {
            let turn = if self.streams.turn < self.streams.len() { self.streams.turn } else { 0 };
            self.streams.turn = turn + 1;
            still = if self.serve(turn) { 0 } else { still + 1 };
        }
    }

    /// One step of a stream; false where it has to wait.
    fn serve(&mut self, at: usize) -> bool {
        // Taken out and put back, for it works on what belongs to all.
        let Some(known) = self.streams.get(at) else { return false };
        let id = known.id;
        let mut stream = std::mem::replace(known, Stream { sending: Sending::Done, ..*known });
        let has_moved = self.send(&mut stream) || self.poll(&mut stream);
        let stays = self.stays(&mut stream);
        match self.streams.find(id) {
            Found::Known(at) if stays => {
                if let Some(place) = self.streams.get(at) {
                    *place = stream;
                }
            }
            Found::Known(_) => drop(self.streams.remove(id)),
            _ => {}
        }
        has_moved || !stays
    }

    /// One DATA frame of what lies ready; false where there is none, or no window.
    fn send(&mut self, stream: &mut Stream<E>) -> bool {
        let (data, is_last) = match &mut stream.sending {
            Sending::Ready(body) => (body, true),
            Sending::Waiting(waiting) => (&mut waiting.data, waiting.is_last),
            Sending::Done => return false,
        };
        let room = stream.window.room().min(self.window.room()).min(self.settings.payload_max).min(PAYLOAD_MAX_BYTES);
        let len = data.len().min(room);
        if len == 0 {
            return false;
        }
        let piece = data.split_to(len);
        let is_end = is_last && data.is_empty();
        stream.window.take(len);
        self.window.take(len);
        self.guard.sent(len);
        self.outbox.data(stream.id, piece, is_end);
        if is_end {
            self.done(stream);
        }
        true
    }

    /// All has been said on it.
    fn done(&mut self, stream: &mut Stream<E>) {
        self.free(stream.held());
        stream.sending = Sending::Done;
    }

    /// Asks an exchange for more, where all that it gave is out; false where it has nothing yet.
    fn poll(&mut self, stream: &mut Stream<E>) -> bool {
        let Sending::Waiting(waiting) = &mut stream.sending else { return false };
        if !waiting.awake.is_awake() || !waiting.data.is_empty() {
            return false;
        }
        waiting.awake.rest();
        let waker = waiting.waker.clone();
        let polled = waiting.exchange.poll(&mut std::task::Context::from_waker(&waker));
        let freed = waiting.exchange.freed();
        if polled.is_ready() {
            waiting.awake.stay_awake();
        }
        let freed = freed.min(waiting.held);
        waiting.held -= freed;
        self.freed(stream, freed);
        match polled {
            Poll::Pending => false,
            Poll::Ready(step) => {
                self.step(stream, step);
                true
            }
        }
    }

    fn freed(&mut self, stream: &mut Stream<E>, bytes: usize) {
        self.free(bytes);
        stream.room.free(bytes);
        if stream.state == State::Open
            && let Some(bytes) = stream.room.to_say()
        {
            self.window_update(stream.id, bytes);
        }
    }

    fn step(&mut self, stream: &mut Stream<E>, step: Step) {
        match step {
            Step::Interim(response) => self.head(stream.id, response, false),
            Step::Head(response, is_end) => {
                self.head(stream.id, response, is_end);
                if is_end {
                    self.done(stream);
                }
            }
            Step::Data(data, is_last) if data.is_empty() => {
                if is_last {
                    self.outbox.data(stream.id, data, true);
                    self.done(stream);
                }
            }
            Step::Data(data, is_last) => {
                if let Sending::Waiting(waiting) = &mut stream.sending {
                    (waiting.data, waiting.is_last) = (data, is_last);
                }
            }
            Step::Trailers(fields) => {
                let begin = self.outbox.begin_headers();
                self.encoder.open(self.outbox.bytes());
                for (name, value) in &fields {
                    encoder::field(name.as_str().as_bytes(), value.as_bytes(), self.outbox.bytes());
                }
                self.outbox.end_headers(begin, stream.id, true, &self.settings);
                self.done(stream);
            }
            Step::Cut => {
                self.done(stream);
                stream.state = State::HalfClosedRemote;
                self.reset(stream.id, Reason::Internal);
            }
        }
    }

    fn head(&mut self, id: u32, response: Response<()>, is_end: bool) {
        let begin = self.outbox.begin_headers();
        let mut reply = Reply { encoder: &mut self.encoder, out: self.outbox.bytes() };
        reply.fields(response.status().as_u16(), response.headers());
        self.outbox.end_headers(begin, id, is_end, &self.settings);
    }

    /// Whether a stream is still one. Once we have said all, the rest of a request that is short may come; a longer one is called off
    /// (RFC 9113, 8.1).
    pub(super) fn stays(&mut self, stream: &mut Stream<E>) -> bool {
        if !matches!(stream.sending, Sending::Done) {
            return true;
        }
        match stream.state {
            State::HalfClosedRemote => false,
            State::Open | State::HalfClosedLocal => {
                stream.state = State::HalfClosedLocal;
                let fits = stream.room.holds(stream.expected.unwrap_or(1));
                if !fits {
                    self.reset(stream.id, Reason::NoError);
                }
                fits
            }
        }
    }
}
