//! A body that many read while it arrives.
//!
//! Readers are woken when there is more: nobody polls. What all need is kept until it is whole; a body that grows beyond
//! what may be stored is kept as a window, whose both ends the fastest reader sets: nothing is let go that he has not had.
//! Whoever falls behind its start is cut off, and sees that its body is not whole.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

use super::failure::Failure;

/// A window is so large, and larger where more may be kept whole.
const AHEAD_BYTES: usize = 1 << 20;
/// Its filler waits while its fastest reader has this much before it: half of it is there for who is slower, and the next
/// piece fits.
const WANTED_BYTES: usize = AHEAD_BYTES / 2;
/// What a piece takes beside its bytes: an origin that sends them one by one gets no more room than others.
const PIECE_BYTES: usize = 64;

/// So many times what the cache may take is there at most: what is stored, what comes, and as much again of what was thrown out of
/// the cache and is still on its way to slow clients.
const ROOM_TIMES: usize = 3;
/// And so much where little or nothing is stored: a large body for each connection that an origin has by default.
const ROOM_LEAST_BYTES: usize = 64 << 20;
/// Whole bodies below it are not counted: it would cost more than half a hundred bytes for each that is stored.
const COUNTED_BYTES: usize = 4 << 10;

/// What all bodies that come may hold, all together.
pub struct Room {
    held: AtomicUsize,
    /// Bytes of whole bodies, for as long as anybody has them: stored, or thrown out and still on their way.
    whole: AtomicUsize,
    most: usize,
}

impl Room {
    pub fn new(most: usize) -> Room {
        Room { held: AtomicUsize::new(0), whole: AtomicUsize::new(0), most }
    }

    fn is_full(&self) -> bool {
        self.held.load(Relaxed) >= self.most
    }

    /// True where clients have taken so little of what was made for them that nothing more is: it would be kept for as long as they
    /// please, and they may be many.
    pub fn is_over(&self) -> bool {
        let all = self.held.load(Relaxed).saturating_add(self.whole.load(Relaxed));
        all > self.most.saturating_mul(ROOM_TIMES).max(ROOM_LEAST_BYTES)
    }
}

/// A whole body, counted until the last who has it lets go of it.
struct Whole {
    bytes: Bytes,
    room: Arc<Room>,
}

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        self.room.whole.fetch_sub(self.bytes.len(), Relaxed);
    }
}

struct Inner {
    pieces: VecDeque<Bytes>,
    /// Pieces that were let go at the front.
    gone: usize,
    /// Bytes in `pieces`.
    held: usize,
    /// Above it, the body is a window.
    most: usize,
    /// Bytes that have come.
    come: u64,
    room: Arc<Room>,
    end: Option<Result<(), Failure>>,
    readers: HashMap<u64, Reading>,
    next_reader: u64,
    /// The one who fills it, while it waits for the fastest reader.
    filler: Option<Waker>,
}

struct Reading {
    /// Pieces it has had.
    at: usize,
    /// Their bytes.
    had: u64,
    waker: Option<Waker>,
}

/// The writing end, and whoever hands out readers.
#[derive(Clone)]
pub struct Growing {
    inner: Arc<Mutex<Inner>>,
    length: Option<u64>,
}

impl Growing {
    /// `most`: bytes that are kept whole. `length`: where the origin has told it. `room`: shared with other bodies; where it is
    /// full, a long one grows no more and goes on as a window.
    pub fn new(most: usize, length: Option<u64>, room: &Arc<Room>) -> Growing {
        let inner = Inner {
            pieces: VecDeque::new(),
            gone: 0,
            held: 0,
            most,
            come: 0,
            room: room.clone(),
            end: None,
            readers: HashMap::new(),
            next_reader: 0,
            filler: None,
        };
        Growing { inner: Arc::new(Mutex::new(inner)), length }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a piece. False once it is a window, so that the body will not be stored. Of what was whole until then nothing is let
    /// go yet: whoever is only about to read it finds its beginning.
    pub fn push(&self, piece: Bytes) -> bool {
        let mut inner = self.lock();
        if inner.room.is_full() {
            inner.most = inner.most.min(inner.held.max(AHEAD_BYTES));
        }
        let was_kept = inner.is_kept();
        inner.add(piece);
        if !was_kept {
            let fastest = inner.fastest().unwrap_or(0);
            while inner.is_over(inner.most.max(AHEAD_BYTES)) && inner.gone < fastest {
                inner.let_go();
            }
        }
        inner.wake();
        inner.is_kept()
    }

    /// Bytes of all of it, where the origin has told.
    pub fn length(&self) -> Option<usize> {
        self.length.and_then(|length| usize::try_from(length).ok())
    }

    /// True where so much more is no more than the origin has told.
    pub fn expects(&self, more: usize) -> bool {
        let come = self.lock().come;
        self.length.is_none_or(|length| come + more as u64 <= length)
    }

    /// True where as much has come as the origin has told.
    pub fn is_as_long_as_told(&self) -> bool {
        self.length == Some(self.lock().come)
    }

    pub fn end(&self, how: Result<(), Failure>) {
        let mut inner = self.lock();
        inner.end.get_or_insert(how);
        inner.wake();
    }

    /// All of it, in one piece of memory that holds nothing else: a piece that came alone is part of the buffer that it was
    /// read into. `None` where it is a window.
    pub fn whole(&self) -> Option<Bytes> {
        let inner = self.lock();
        if !inner.is_kept() {
            return None;
        }
        let mut all = BytesMut::with_capacity(inner.held);
        inner.pieces.iter().for_each(|piece| all.extend_from_slice(piece));
        let bytes = all.freeze();
        if bytes.len() < COUNTED_BYTES {
            return Some(bytes);
        }
        inner.room.whole.fetch_add(bytes.len(), Relaxed);
        Some(Bytes::from_owner(Whole { bytes, room: inner.room.clone() }))
    }

    /// Resolves once a window's fastest reader comes near; at once where the body is kept whole. `Err` where nobody reads a
    /// window any more.
    pub async fn wanted(&self) -> Result<(), Failure> {
        std::future::poll_fn(|cx| {
            let mut inner = self.lock();
            if inner.is_kept() {
                return Poll::Ready(Ok(()));
            }
            let Some(ahead) = inner.ahead() else {
                return Poll::Ready(Err(Failure::RequestAborted));
            };
            if ahead < WANTED_BYTES as u64 {
                return Poll::Ready(Ok(()));
            }
            inner.filler = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// From the beginning; one that comes after a part was let go reads nothing but a failure.
    pub fn reader(&self) -> Reader {
        let mut inner = self.lock();
        let id = inner.next_reader;
        inner.next_reader += 1;
        inner.readers.insert(id, Reading { at: 0, had: 0, waker: None });
        drop(inner);
        Reader { body: self.clone(), id }
    }
}

impl Inner {
    /// True while it is no window.
    fn is_kept(&self) -> bool {
        self.gone == 0 && self.held <= self.most && !self.is_over(self.most.max(AHEAD_BYTES))
    }

    fn is_over(&self, most: usize) -> bool {
        self.held > most || self.pieces.len() * PIECE_BYTES > most
    }

    /// What the fastest reader has before him, in bytes, with what its pieces take.
    fn ahead(&self) -> Option<u64> {
        let pieces = self.gone + self.pieces.len();
        let before = |reading: &Reading| self.come - reading.had + ((pieces - reading.at) * PIECE_BYTES) as u64;
        self.readers.values().map(before).min()
    }

    /// Pieces that the fastest reader has had.
    fn fastest(&self) -> Option<usize> {
        self.readers.values().map(|reading| reading.at).max()
    }

    fn add(&mut self, piece: Bytes) {
        self.held += piece.len();
        self.come += piece.len() as u64;
        self.room.held.fetch_add(piece.len(), Relaxed);
        self.pieces.push_back(piece);
    }

    /// The first piece.
    fn let_go(&mut self) {
        let len = self.pieces.pop_front().map_or(0, |piece| piece.len());
        self.held -= len;
        self.gone += 1;
        self.room.held.fetch_sub(len, Relaxed);
    }

    fn wake(&mut self) {
        self.readers.values_mut().filter_map(|reading| reading.waker.take()).for_each(Waker::wake);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.room.held.fetch_sub(self.held, Relaxed);
    }
}

/// One reader's body.
pub struct Reader {
    body: Growing,
    id: u64,
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut inner = self.body.lock();
        inner.readers.remove(&self.id);
        if let Some(filler) = inner.filler.take() {
            filler.wake();
        }
    }
}

impl Body for Reader {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let inner = &mut *self.body.lock();
        let Some(reading) = inner.readers.get_mut(&self.id) else { return Poll::Ready(None) };
        let Some(place) = reading.at.checked_sub(inner.gone) else {
            return Poll::Ready(Some(Err(Failure::Crowd)));
        };
        if let Some(piece) = inner.pieces.get(place) {
            reading.at += 1;
            reading.had += piece.len() as u64;
            if let Some(filler) = inner.filler.take() {
                filler.wake();
            }
            return Poll::Ready(Some(Ok(Frame::data(piece.clone()))));
        }
        match inner.end {
            Some(Ok(())) => Poll::Ready(None),
            Some(Err(failure)) => Poll::Ready(Some(Err(failure))),
            None => {
                reading.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.body.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests;
