//! A body that many read while it arrives.
//!
//! Readers are woken when there is more: nobody polls. What all need is kept until it is whole; a body that grows beyond
//! what may be stored is kept as a window, whose end the fastest reader sets: whoever falls behind its start is cut off, and
//! sees that its body is not whole.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

use super::failure::Failure;

/// A window's fastest reader has at most this much before it.
const AHEAD_BYTES: usize = 1 << 20;
/// What a piece takes beside its bytes: an origin that sends them one by one gets no more room than others.
const PIECE_BYTES: usize = 64;

/// What all bodies that come may hold, all together.
pub struct Room {
    held: AtomicUsize,
    most: usize,
}

impl Room {
    pub fn new(most: usize) -> Room {
        Room { held: AtomicUsize::new(0), most }
    }

    fn is_full(&self) -> bool {
        self.held.load(Relaxed) >= self.most
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

    /// Adds a piece. False once it is a window, so that the body will not be stored.
    pub fn push(&self, piece: Bytes) -> bool {
        let mut inner = self.lock();
        if inner.room.is_full() {
            inner.most = inner.most.min(inner.held.max(AHEAD_BYTES));
        }
        inner.add(piece);
        let most = inner.most.max(AHEAD_BYTES);
        while inner.held > most || inner.pieces.len() * PIECE_BYTES > most {
            inner.let_go();
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
        Some(all.freeze())
    }

    /// Resolves once a window's fastest reader comes near; at once where the body is kept whole. `Err` where nobody reads a
    /// window any more.
    pub async fn wanted(&self) -> Result<(), Failure> {
        std::future::poll_fn(|cx| {
            let mut inner = self.lock();
            if inner.is_kept() {
                return Poll::Ready(Ok(()));
            }
            let Some(fastest) = inner.readers.values().map(|reading| reading.at).max() else {
                return Poll::Ready(Err(Failure::RequestAborted));
            };
            let ahead: usize = inner.pieces.iter().skip(fastest.saturating_sub(inner.gone)).map(Bytes::len).sum();
            if ahead < AHEAD_BYTES {
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
        inner.readers.insert(id, Reading { at: 0, waker: None });
        drop(inner);
        Reader { body: self.clone(), id }
    }
}

impl Inner {
    /// True while it is no window.
    fn is_kept(&self) -> bool {
        self.gone == 0 && self.held <= self.most
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
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    fn wide() -> Arc<Room> {
        Arc::new(Room::new(usize::MAX))
    }

    #[test]
    fn everybody_reads_all_of_it_whenever_they_come() {
        run(async {
            let body = Growing::new(1 << 20, None, &wide());
            let early = tokio::spawn(body.reader().collect());
            tokio::task::yield_now().await;
            assert!(body.push("ab".into()));
            let late = tokio::spawn(body.reader().collect());
            tokio::task::yield_now().await;
            assert!(body.push("cd".into()));
            body.end(Ok(()));
            for reader in [early, late, tokio::spawn(body.reader().collect())] {
                assert_eq!(reader.await.unwrap().unwrap().to_bytes(), "abcd");
            }
            assert_eq!(body.whole().unwrap(), "abcd");
        });
    }

    #[test]
    fn a_body_that_breaks_off_is_whole_for_nobody() {
        run(async {
            let body = Growing::new(1 << 20, None, &wide());
            body.push("ab".into());
            body.end(Err(Failure::Reset));
            body.end(Ok(()));
            assert_eq!(body.reader().collect().await.unwrap_err(), Failure::Reset);
        });
    }

    #[test]
    fn what_is_longer_than_may_be_stored_is_whole_for_nobody() {
        let body = Growing::new(4, None, &wide());
        let _reader = body.reader();
        assert!(body.push("1234".into()));
        assert_eq!(body.whole().unwrap(), "1234");
        assert!(!body.push("5".into()));
        assert!(body.whole().is_none());
    }

    #[test]
    fn a_body_in_crumbs_takes_no_more_room_than_others() {
        let most = 4 * AHEAD_BYTES;
        let body = Growing::new(most, None, &wide());
        let _reader = body.reader();
        let crumb = Bytes::from_static(b"x");
        for _ in 0..most {
            body.push(crumb.clone());
        }
        let pieces = body.lock().pieces.len();
        assert!(pieces * size_of::<Bytes>() <= 2 * most, "{pieces}");
        assert!(body.whole().is_none());
    }

    #[test]
    fn where_there_is_no_more_room_long_bodies_go_on_as_windows() {
        run(async {
            let room = Arc::new(Room::new(4 * AHEAD_BYTES));
            let new = || Growing::new(8 * AHEAD_BYTES, None, &room);
            let piece = Bytes::from(vec![b'x'; AHEAD_BYTES]);
            let (first, second) = (new(), new());
            let mut reader = second.reader();
            for _ in 0..2 {
                assert!(first.push(piece.clone()) && second.push(piece.clone()));
            }
            // What is read of it goes on; it grows no more.
            for _ in 0..8 {
                assert!(reader.frame().await.unwrap().is_ok());
                assert!(!second.push(piece.clone()));
                assert_eq!(room.held.load(Relaxed), 4 * AHEAD_BYTES);
            }
            assert!(second.whole().is_none() && first.whole().is_some());
            let small = new();
            assert!(small.push(piece.clone()), "so much there always is");
            drop((first, second, reader));
            assert_eq!(room.held.load(Relaxed), AHEAD_BYTES);
            let third = new();
            assert!((0..3).all(|_| third.push(piece.clone())) && !third.push(piece.clone()));
        });
    }

    #[test]
    fn a_window_waits_for_its_fastest_reader_and_cuts_the_slow_off() {
        run(async {
            let body = Growing::new(AHEAD_BYTES, None, &wide());
            let (mut fast, slow) = (body.reader(), body.reader());
            let piece = Bytes::from(vec![b'x'; AHEAD_BYTES / 2]);
            for n in 0..20 {
                body.wanted().await.unwrap();
                assert_eq!(body.push(piece.clone()), n < 2);
                assert!(body.lock().held <= AHEAD_BYTES, "{n}");
                if n > 0 {
                    fast.frame().await.unwrap().unwrap();
                }
            }
            body.end(Ok(()));
            assert_eq!(fast.collect().await.unwrap().to_bytes().len(), AHEAD_BYTES / 2);
            assert_eq!(slow.collect().await.unwrap_err(), Failure::Crowd);
            assert!(body.whole().is_none());
            assert_eq!(body.wanted().await, Err(Failure::RequestAborted), "nobody reads it");
        });
    }
}
