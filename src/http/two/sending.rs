//! The sending half of a connection: what each stream has, in turn, as far as windows and room let it.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::Response;

use super::connection::{Connection, Reply};
use super::flow::{Room, Window};
use super::frame::{HEAD_BYTES, PAYLOAD_MAX_BYTES, Reason};
use super::hpack::encoder;
use super::streams::{Exchange, Found, Sending, State, Step, Stream, Waiting};
use super::wake::Awake;

/// Of a body in one frame: with the head of the next it fills a TLS record, which so begins with a body, and that is not copied.
const DATA_MAX_BYTES: usize = PAYLOAD_MAX_BYTES - HEAD_BYTES;

impl<E: Exchange> Connection<E> {
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

    /// Whether there is data that its client has no room for.
    pub fn waits_for_room(&self) -> bool {
        self.streams.iter().any(|stream| match &stream.sending {
            Sending::Ready(body) => !body.is_empty(),
            Sending::Waiting(waiting) => !waiting.data.is_empty(),
            Sending::Done => false,
        })
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
        let room = stream.window.room().min(self.window.room()).min(self.settings.payload_max).min(DATA_MAX_BYTES);
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
        } else if let Sending::Waiting(waiting) = &stream.sending
            && waiting.data.is_empty()
        {
            // It was not asked for more before that was out.
            waiting.awake.stay_awake();
        }
        true
    }

    /// All has been said on it.
    fn done(&mut self, stream: &mut Stream<E>) {
        self.free(stream.held());
        stream.sending = Sending::Done;
    }

    /// Asks an exchange for more, where all that it gave is out; false where it has nothing yet. What has gone on of its request's
    /// body is asked in any case: one side's window is nothing to the other's.
    fn poll(&mut self, stream: &mut Stream<E>) -> bool {
        let Sending::Waiting(waiting) = &mut stream.sending else { return false };
        if !waiting.awake.is_awake() {
            return false;
        }
        waiting.awake.rest();
        let polled = if waiting.data.is_empty() {
            let waker = waiting.waker.clone();
            waiting.exchange.poll(&mut Context::from_waker(&waker))
        } else {
            Poll::Pending
        };
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    use std::task::Wake;

    use bytes::Bytes;
    use http::HeaderMap;

    use super::super::connection::{Answered, Answers};
    use super::super::frame::{DATA, END_HEADERS, HEAD_BYTES, HEADERS, Head, PREFACE, SETTINGS, WINDOW_UPDATE};
    use super::super::hpack::Block;
    use super::super::hpack::encoder::field;
    use super::super::{flow, head};
    use super::*;

    /// Sends on what comes at once, and has a response that its client has no window for.
    struct Both {
        said: u8,
        went_on: usize,
        waker: Option<Waker>,
    }

    impl Exchange for Both {
        fn data(&mut self, data: Bytes) {
            self.went_on += data.len();
            if let Some(waker) = &self.waker {
                waker.wake_by_ref();
            }
        }

        fn end(&mut self, _: Option<HeaderMap>) {}

        fn freed(&mut self) -> usize {
            std::mem::take(&mut self.went_on)
        }

        fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
            self.waker = Some(cx.waker().clone());
            self.said += 1;
            match self.said {
                1 => Poll::Ready(Step::Head(Response::new(()), false)),
                2 => Poll::Ready(Step::Data(Bytes::from_static(b"hola"), false)),
                _ => Poll::Pending,
            }
        }
    }

    struct Counter;

    impl Answers for Counter {
        type Exchange = Both;

        fn answer(&mut self, _: &head::Head, _: &mut Reply) -> Answered<Both> {
            Answered::Later(Both { said: 0, went_on: 0, waker: None })
        }

        fn too_large(&mut self, _: &mut Reply) -> Bytes {
            Bytes::new()
        }
    }

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        [&Head { len: payload.len(), kind, flags, stream }.to_bytes()[..], payload].concat()
    }

    /// Rings when it is woken.
    #[derive(Default)]
    struct Rung(AtomicBool);

    impl Wake for Rung {
        fn wake(self: Arc<Self>) {
            self.0.store(true, SeqCst);
        }
    }

    /// Two windows of a body that has gone on, while the response waits for a window of its own.
    #[test]
    fn a_body_goes_on_while_the_response_waits() {
        let (mut connection, mut block) = (Connection::<Both>::new(0), Block::default());
        let rung = Arc::new(Rung::default());
        let waker = Waker::from(rung.clone());
        let mut fields = Vec::new();
        for (name, value) in [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a")] {
            field(name.as_bytes(), value.as_bytes(), &mut fields);
        }
        let no_window = [&4_u16.to_be_bytes()[..], &0_u32.to_be_bytes()].concat();
        let asked = frame(HEADERS, END_HEADERS, 1, &fields);
        let opening = [&PREFACE[..], &frame(SETTINGS, 0, 0, &no_window), &asked].concat();
        connection.receive(&opening, 0, &mut block, &mut Counter);
        connection.fill(&waker);
        drop(connection.outbox.take());
        let (mut room, mut sent) = ([0_i64; 2].map(|_| flow::OURS_BYTES), 0);
        let piece = vec![b'x'; 16_000];
        while sent < 3 * flow::OURS_BYTES {
            assert!(room.iter().all(|room| *room >= 16_000), "no window after {sent} bytes");
            connection.receive(&frame(DATA, 0, 1, &piece), 0, &mut block, &mut Counter);
            assert!(rung.0.swap(false, SeqCst), "nobody would look at it");
            connection.fill(&waker);
            let out = connection.outbox.take();
            sent += 16_000;
            room = room.map(|room| room - 16_000);
            let mut rest = &out[..];
            while let Some(head) = Head::read(rest) {
                let (payload, after) = rest[HEAD_BYTES..].split_at(head.len);
                if head.kind == WINDOW_UPDATE {
                    let bytes = u32::from_be_bytes(payload.try_into().unwrap());
                    room[usize::from(head.stream == 1)] += i64::from(bytes);
                }
                rest = after;
            }
        }
    }
}
