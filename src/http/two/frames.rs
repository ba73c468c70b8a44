//! What each kind of frame does to a connection (RFC 9113, 6).

use bytes::Bytes;

use super::connection::{Answered, Answers, Connection, Gathering, Phase, Reply};
use super::frame::{self, ACK, END_HEADERS, END_STREAM, Fault, Head, Reason, WITH_PRIORITY};
use super::guard::{BLOCK_MAX_BYTES, CONTINUATIONS_MAX, Cost, FIELDS_MAX, SMALL_DATA_BYTES};
use super::head;
use super::hpack::Block;
use super::hpack::decoder::Limits;
use super::settings::STREAMS_MAX;
use super::streams::{Exchange, Found, Sending, State};
use crate::http::connection::HEAD_MAX_BYTES;

/// What is kept of a request's fields; what has more is answered 431.
const LIMITS: Limits = Limits { bytes: HEAD_MAX_BYTES, fields: FIELDS_MAX };
const PRIORITY_BYTES: usize = 5;

type Taken = Result<(), Fault>;

const PROTOCOL: Fault = Fault::Connection(Reason::Protocol);
const FRAME_SIZE: Fault = Fault::Connection(Reason::FrameSize);
const FLOW_CONTROL: Fault = Fault::Connection(Reason::FlowControl);

impl<E: Exchange> Connection<E> {
    pub(super) fn frame<A>(&mut self, head: Head, payload: &[u8], block: &mut Block, answers: &mut A) -> Taken
    where
        A: Answers<Exchange = E>,
    {
        if self.gathering.is_some() != (head.kind == frame::CONTINUATION) {
            return Err(PROTOCOL);
        }
        if self.phase == Phase::Settings {
            if head.kind != frame::SETTINGS || head.has(ACK) {
                return Err(PROTOCOL);
            }
            self.phase = Phase::Open;
        }
        // Which frames are of a stream, and which of the connection.
        let of_stream = !matches!(head.kind, frame::SETTINGS | frame::PING | frame::GOAWAY);
        let is_known = head.kind <= frame::CONTINUATION && head.kind != frame::WINDOW_UPDATE;
        if is_known && of_stream != (head.stream != 0) {
            return Err(PROTOCOL);
        }
        match head.kind {
            frame::DATA => self.data(head, payload),
            frame::HEADERS => self.headers(head, payload, block, answers),
            frame::CONTINUATION => self.continuation(head, payload, block, answers),
            frame::PRIORITY => self.priority(head, payload),
            frame::RST_STREAM => self.rst_stream(head, payload),
            frame::SETTINGS => self.settings(head, payload),
            frame::PING => self.pinged(head, payload),
            frame::GOAWAY if payload.len() < 8 => Err(FRAME_SIZE),
            frame::GOAWAY => {
                self.is_left = true;
                self.guard.spend(Cost::Idle)
            }
            frame::WINDOW_UPDATE => self.window_updated(head, payload),
            frame::PUSH_PROMISE => Err(PROTOCOL),
            _ => self.guard.spend(Cost::Idle),
        }
    }

    fn headers<A>(&mut self, head: Head, payload: &[u8], block: &mut Block, answers: &mut A) -> Taken
    where
        A: Answers<Exchange = E>,
    {
        let mut coded = frame::unpadded(&head, payload)?;
        let mut depends_on_itself = false;
        if head.has(WITH_PRIORITY) {
            let dependency = frame::dependency(coded).ok_or(FRAME_SIZE)?;
            coded = coded.get(PRIORITY_BYTES..).ok_or(FRAME_SIZE)?;
            depends_on_itself = dependency == head.stream;
        }
        let (stream, is_end) = (head.stream, head.has(END_STREAM));
        if head.has(END_HEADERS) {
            return self.block(stream, is_end, depends_on_itself, coded, block, answers);
        }
        let gathering = Gathering { stream, is_end, depends_on_itself, frames: 0, block: coded.to_vec() };
        self.gathering = Some(Box::new(gathering));
        Ok(())
    }

    fn continuation<A>(&mut self, head: Head, payload: &[u8], block: &mut Block, answers: &mut A) -> Taken
    where
        A: Answers<Exchange = E>,
    {
        let mut gathering = self.gathering.take().ok_or(PROTOCOL)?;
        if gathering.stream != head.stream {
            return Err(PROTOCOL);
        }
        gathering.frames += 1;
        if gathering.frames > CONTINUATIONS_MAX || gathering.block.len() + payload.len() > BLOCK_MAX_BYTES {
            return Err(Fault::Connection(Reason::EnhanceYourCalm));
        }
        gathering.block.extend_from_slice(payload);
        if head.has(END_HEADERS) {
            let Gathering { stream, is_end, depends_on_itself, block: coded, .. } = *gathering;
            return self.block(stream, is_end, depends_on_itself, &coded, block, answers);
        }
        self.gathering = Some(gathering);
        Ok(())
    }

    /// A whole header block. Whatever it is for, it is decoded, so that the tables stay the same (RFC 9113, 4.3).
    fn block<A>(
        &mut self,
        id: u32,
        is_end: bool,
        depends_on_itself: bool,
        coded: &[u8],
        block: &mut Block,
        answers: &mut A,
    ) -> Taken
    where
        A: Answers<Exchange = E>,
    {
        self.decoder.read(coded, LIMITS, block).map_err(|_| Fault::Connection(Reason::Compression))?;
        let found = self.streams.find(id);
        if depends_on_itself && found != Found::Idle {
            return Err(Fault::Stream(id, Reason::Protocol));
        }
        match found {
            Found::Idle if id.is_multiple_of(2) => Err(PROTOCOL),
            // Nobody answers it; what else comes on it was sent before the client knew.
            Found::Idle if self.last_call.is_some() => {
                self.streams.last = id;
                self.streams.remember(id);
                self.guard.spend(Cost::Idle)
            }
            Found::Idle => {
                self.streams.last = id;
                if depends_on_itself {
                    return Err(Fault::Stream(id, Reason::Protocol));
                }
                if self.streams.len() >= STREAMS_MAX {
                    return Err(Fault::Stream(id, Reason::RefusedStream));
                }
                self.request(id, is_end, block, answers)
            }
            Found::Known(at) => self.trailers(id, at, is_end, block),
            Found::Reset => self.guard.spend(Cost::Idle),
            Found::Over => Err(Fault::Connection(Reason::StreamClosed)),
        }
    }

    fn request<A>(&mut self, id: u32, is_end: bool, block: &Block, answers: &mut A) -> Taken
    where
        A: Answers<Exchange = E>,
    {
        self.guard.asked();
        let malformed = Fault::Stream(id, Reason::Protocol);
        let state = if is_end { State::HalfClosedRemote } else { State::Open };
        let begin = self.outbox.begin_headers();
        let mut reply = Reply { encoder: &mut self.encoder, out: self.outbox.bytes() };
        if block.is_too_large && !block.is_malformed {
            let body = answers.too_large(&mut reply);
            self.give(id, begin, body, (state, None));
            return self.guard.spend(Cost::Fault);
        }
        let head = head::Head::of(block).ok().filter(|head| !is_end || head.content_length.unwrap_or(0) == 0);
        let answered = head.as_ref().map(|head| (answers.answer(head, &mut reply), head.content_length));
        match answered {
            Some((Answered::Now(body), expected)) => {
                self.give(id, begin, body, (state, expected));
                Ok(())
            }
            Some((Answered::Later(exchange), expected)) => {
                self.outbox.forget(begin);
                self.await_exchange(id, exchange, (state, expected));
                Ok(())
            }
            Some((Answered::Malformed, _)) | None => {
                self.outbox.forget(begin);
                Err(malformed)
            }
        }
    }

    fn trailers(&mut self, id: u32, at: usize, is_end: bool, block: &Block) -> Taken {
        let Some(stream) = self.streams.get(at) else { return Ok(()) };
        let malformed = Fault::Stream(id, Reason::Protocol);
        match stream.state {
            State::HalfClosedRemote => Err(Fault::Stream(id, Reason::StreamClosed)),
            State::Open | State::HalfClosedLocal if !is_end || stream.expected.unwrap_or(0) != 0 => Err(malformed),
            State::Open | State::HalfClosedLocal => {
                let fields = head::trailers(block).map_err(|_| malformed)?;
                self.ended(at, Some(fields));
                Ok(())
            }
        }
    }

    /// The client has said all on this stream.
    fn ended(&mut self, at: usize, trailers: Option<http::HeaderMap>) {
        let Some(stream) = self.streams.get(at) else { return };
        if stream.state == State::HalfClosedLocal {
            let id = stream.id;
            return self.forget(id);
        }
        stream.state = State::HalfClosedRemote;
        if let Sending::Waiting(waiting) = &mut stream.sending {
            waiting.exchange.end(trailers);
        }
    }

    fn data(&mut self, head: Head, payload: &[u8]) -> Taken {
        // Padding counts, whatever becomes of the stream (RFC 9113, 6.9).
        self.room.came(payload.len()).map_err(|_| FLOW_CONTROL)?;
        let (id, is_end) = (head.stream, head.has(END_STREAM));
        let data = frame::unpadded(&head, payload)?;
        let found = self.streams.find(id);
        // The last piece of a body may be short, once.
        let is_last = is_end && matches!(found, Found::Known(_));
        if data.len() < SMALL_DATA_BYTES && !is_last {
            self.guard.spend(Cost::SmallData)?;
        }
        let taken = match found {
            Found::Known(at) => self.data_of(at, payload.len(), data, is_end),
            Found::Idle => Err(PROTOCOL),
            Found::Reset => Ok(0),
            Found::Over => Err(Fault::Stream(id, Reason::StreamClosed)),
        };
        let held = taken.as_ref().map_or(0, |held| *held);
        self.free(payload.len() - held);
        taken.map(drop)
    }

    /// Returns the bytes that are held for whom they are for.
    fn data_of(&mut self, at: usize, len: usize, data: &[u8], is_end: bool) -> Result<usize, Fault> {
        let Some(stream) = self.streams.get(at) else { return Ok(0) };
        let id = stream.id;
        if stream.state == State::HalfClosedRemote {
            return Err(Fault::Stream(id, Reason::StreamClosed));
        }
        stream.room.came(len).map_err(|_| Fault::Stream(id, Reason::FlowControl))?;
        stream.room.free(len - data.len());
        if let Some(expected) = &mut stream.expected {
            // RFC 9113, 8.1.1
            let left = expected.checked_sub(data.len() as u64).filter(|left| !is_end || *left == 0);
            *expected = left.ok_or(Fault::Stream(id, Reason::Protocol))?;
        }
        let mut held = 0;
        if let Sending::Waiting(waiting) = &mut stream.sending
            && !data.is_empty()
        {
            held = data.len();
            waiting.held += held;
            waiting.exchange.data(Bytes::copy_from_slice(data));
        }
        let is_useless = stream.state == State::HalfClosedLocal && !stream.room.holds(stream.expected.unwrap_or(1));
        match (is_end, is_useless) {
            (true, _) => self.ended(at, None),
            (false, true) => self.reset(id, Reason::NoError),
            _ => {}
        }
        Ok(held)
    }

    /// Bytes that are no longer held by us.
    pub(super) fn free(&mut self, bytes: usize) {
        self.room.free(bytes);
        if let Some(bytes) = self.room.to_say() {
            self.window_update(0, bytes);
        }
    }

    /// The stream is over, whatever it was at; what was held for it no longer is.
    pub(super) fn forget(&mut self, id: u32) {
        if let Some(stream) = self.streams.remove(id) {
            self.free(stream.held());
        }
    }

    fn priority(&mut self, head: Head, payload: &[u8]) -> Taken {
        self.guard.spend(Cost::Idle)?;
        // A stream that is not there cannot be reset: then it is the connection's fault (RFC 9113, 5.4.2).
        let fault = |reason| match self.streams.find(head.stream) {
            Found::Known(_) => Fault::Stream(head.stream, reason),
            _ => Fault::Connection(reason),
        };
        if payload.len() != PRIORITY_BYTES {
            return Err(fault(Reason::FrameSize));
        }
        if frame::dependency(payload) == Some(head.stream) {
            return Err(fault(Reason::Protocol));
        }
        Ok(())
    }

    fn rst_stream(&mut self, head: Head, payload: &[u8]) -> Taken {
        if payload.len() != 4 {
            return Err(FRAME_SIZE);
        }
        if self.streams.find(head.stream) == Found::Idle {
            return Err(PROTOCOL);
        }
        self.guard.spend(Cost::Reset)?;
        self.forget(head.stream);
        Ok(())
    }

    fn settings(&mut self, head: Head, payload: &[u8]) -> Taken {
        if head.has(ACK) {
            return if payload.is_empty() { self.guard.spend(Cost::Idle) } else { Err(FRAME_SIZE) };
        }
        self.guard.spend(Cost::Settings)?;
        let before = self.settings.window;
        let encoder = &mut self.encoder;
        self.settings.take(payload, |bytes| encoder.limit(bytes))?;
        // RFC 9113, 6.9.2
        let more = self.settings.window - before;
        for stream in self.streams.iter_mut().filter(|_| more != 0) {
            stream.window.grow(more).map_err(|_| FLOW_CONTROL)?;
        }
        Head { len: 0, kind: frame::SETTINGS, flags: ACK, stream: 0 }.write(self.outbox.bytes());
        Ok(())
    }

    fn pinged(&mut self, head: Head, payload: &[u8]) -> Taken {
        let payload: &[u8; 8] = payload.try_into().map_err(|_| FRAME_SIZE)?;
        self.guard.spend(Cost::Ping)?;
        match head.has(ACK) {
            true => self.answered(payload),
            false => self.ping(payload, ACK),
        }
        Ok(())
    }

    fn window_updated(&mut self, head: Head, payload: &[u8]) -> Taken {
        let bytes = frame::number(payload).filter(|_| payload.len() == 4).ok_or(FRAME_SIZE)?;
        self.guard.spend(Cost::Window)?;
        let found = match head.stream {
            0 => None,
            id => Some(self.streams.find(id)),
        };
        match found {
            None if bytes == 0 => Err(PROTOCOL),
            None => self.window.grow(i64::from(bytes)).map_err(|_| FLOW_CONTROL),
            Some(Found::Idle) => Err(PROTOCOL),
            Some(Found::Known(_)) if bytes == 0 => Err(Fault::Stream(head.stream, Reason::Protocol)),
            Some(Found::Known(at)) => match self.streams.get(at) {
                Some(stream) => {
                    stream.window.grow(i64::from(bytes)).map_err(|_| Fault::Stream(head.stream, Reason::FlowControl))
                }
                None => Ok(()),
            },
            // Sent before the client knew that it was over.
            Some(Found::Reset | Found::Over) => Ok(()),
        }
    }
}
