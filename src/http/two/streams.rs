//! The streams that are not over: what each has to send, and where it stands (RFC 9113, 5.1).

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, Response};

use super::flow::{Room, Window};
use super::settings::STREAMS_MAX;
use super::wake::Awake;

/// What has to be waited for. Dropped before its end, it is cut short on both sides.
pub trait Exchange {
    /// More of the request's body.
    fn data(&mut self, data: Bytes);
    /// The request has come whole.
    fn end(&mut self, trailers: Option<HeaderMap>);
    /// Bytes of the request's body that have gone on since this was last asked.
    fn freed(&mut self) -> usize;
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Step>;
}

/// What comes of an exchange next.
#[derive(Debug)]
pub enum Step {
    Interim(Response<()>),
    /// The response's head; true where nothing follows.
    Head(Response<()>, bool),
    /// Some of its body; true where it is the last.
    Data(Bytes, bool),
    Trailers(HeaderMap),
    /// It cannot be had whole.
    Cut,
}

/// A stream is not in memory before its request, nor once both sides have ended. A request that has come whole and whose answer is
/// there never is at all.
///
/// ```text
///                 request, more to come      request, whole
///                         |                        |
///                       Open ---- its end ---> HalfClosedRemote
///                         |                        |
///                    our end, all of it         our end
///                         v                        v
///                  HalfClosedLocal -- its end --> (gone) <-- RST_STREAM of either side
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Open,
    /// The client has said all.
    HalfClosedRemote,
    /// We have: what still comes is of no use to anybody.
    HalfClosedLocal,
}

#[derive(Debug)]
pub struct Stream<E> {
    pub id: u32,
    pub state: State,
    pub window: Window,
    pub room: Room,
    /// Bytes of the body that the client has announced and not sent.
    pub expected: Option<u64>,
    pub sending: Sending<E>,
}

/// What a stream has to send.
#[derive(Debug)]
pub enum Sending<E> {
    /// The rest of a body that lies ready.
    Ready(Bytes),
    Waiting(Waiting<E>),
    /// Nothing more.
    Done,
}

#[derive(Debug)]
pub struct Waiting<E> {
    pub exchange: E,
    pub awake: Arc<Awake>,
    pub waker: Waker,
    /// What it gave last, as far as it has not been sent.
    pub data: Bytes,
    pub is_last: bool,
    /// Bytes of the request's body that have not gone on.
    pub held: usize,
}

impl<E> Stream<E> {
    /// Bytes of its body that are still with us.
    pub fn held(&self) -> usize {
        match &self.sending {
            Sending::Waiting(waiting) => waiting.held,
            Sending::Ready(_) | Sending::Done => 0,
        }
    }
}

/// Streams in the order of their numbers.
#[derive(Debug)]
pub struct Streams<E> {
    all: Vec<Stream<E>>,
    /// The one that is served next.
    pub turn: usize,
    /// The highest number of the client's so far.
    pub last: u32,
    /// Those that we have reset: what comes for them was sent before the client knew.
    reset: VecDeque<u32>,
}

/// Where a number stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Known(usize),
    /// Not used yet, or never the client's to use.
    Idle,
    /// By us, before the client knew.
    Reset,
    Over,
}

impl<E> Default for Streams<E> {
    fn default() -> Streams<E> {
        Streams { all: Vec::new(), turn: 0, last: 0, reset: VecDeque::new() }
    }
}

impl<E> Streams<E> {
    pub fn find(&self, id: u32) -> Found {
        match self.all.binary_search_by_key(&id, |stream| stream.id) {
            Ok(at) => Found::Known(at),
            Err(_) if id > self.last || id.is_multiple_of(2) => Found::Idle,
            Err(_) if self.reset.contains(&id) => Found::Reset,
            Err(_) => Found::Over,
        }
    }

    pub fn get(&mut self, at: usize) -> Option<&mut Stream<E>> {
        self.all.get_mut(at)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream<E>> {
        self.all.iter_mut()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Stream<E>> {
        self.all.iter()
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The number must be the highest yet.
    pub fn push(&mut self, stream: Stream<E>) {
        self.all.push(stream);
    }

    pub fn remove(&mut self, id: u32) -> Option<Stream<E>> {
        let Found::Known(at) = self.find(id) else { return None };
        let stream = self.all.remove(at);
        if at < self.turn {
            self.turn -= 1;
        }
        if self.all.is_empty() {
            self.all = Vec::new();
        }
        Some(stream)
    }

    /// Remembers that we have reset it.
    pub fn remember(&mut self, id: u32) {
        if self.reset.len() == STREAMS_MAX {
            self.reset.pop_front();
        }
        self.reset.push_back(id);
    }
}
