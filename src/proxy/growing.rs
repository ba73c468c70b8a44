//! A body that many read while it arrives.
//!
//! Readers are woken when there is more: nobody polls. What all need is kept until it is whole; a body that grows beyond
//! what may be stored is kept as a window, whose end the fastest reader sets: whoever falls behind its start is cut off, and
//! sees that its body is not whole.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

use super::failure::Failure;

/// A window's fastest reader has at most this much before it.
const AHEAD_BYTES: usize = 1 << 20;
/// What a piece takes beside its bytes: an origin that sends them one by one gets no more room than others.
const PIECE_BYTES: usize = 64;

#[derive(Default)]
struct Inner {
    pieces: VecDeque<Bytes>,
    /// Pieces that were let go at the front.
    gone: usize,
    /// Bytes in `pieces`.
    held: usize,
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
    /// Above it, the body is a window.
    most: usize,
    length: Option<u64>,
}

impl Growing {
    /// `most`: bytes that are kept whole. `length`: where the origin has told it.
    pub fn new(most: usize, length: Option<u64>) -> Growing {
        Growing { inner: Arc::default(), most, length }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a piece. False once it is a window, so that the body will not be stored.
    pub fn push(&self, piece: Bytes) -> bool {
        let mut inner = self.lock();
        inner.held += piece.len();
        inner.pieces.push_back(piece);
        let room = self.most.max(AHEAD_BYTES);
        while inner.held > room || inner.pieces.len() * PIECE_BYTES > room {
            let Some(first) = inner.pieces.pop_front() else { break };
            inner.held -= first.len();
            inner.gone += 1;
        }
        inner.wake();
        self.is_kept(&inner)
    }

    /// True while it is no window.
    fn is_kept(&self, inner: &Inner) -> bool {
        inner.gone == 0 && inner.held <= self.most
    }

    /// Bytes of all of it, where the origin has told.
    pub fn length(&self) -> Option<usize> {
        self.length.and_then(|length| usize::try_from(length).ok())
    }

    /// True where so much more is no more than the origin has told.
    pub fn expects(&self, more: usize) -> bool {
        let held = self.lock().held;
        self.length.is_none_or(|length| (held + more) as u64 <= length)
    }

    /// True where as much has come as the origin has told, and all of it is kept.
    pub fn is_as_long_as_told(&self) -> bool {
        let inner = self.lock();
        inner.gone == 0 && self.length == Some(inner.held as u64)
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
        if !self.is_kept(&inner) {
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
            if self.is_kept(&inner) {
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
    fn wake(&mut self) {
        self.readers.values_mut().filter_map(|reading| reading.waker.take()).for_each(Waker::wake);
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

    #[test]
    fn everybody_reads_all_of_it_whenever_they_come() {
        run(async {
            let body = Growing::new(1 << 20, None);
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
            let body = Growing::new(1 << 20, None);
            body.push("ab".into());
            body.end(Err(Failure::Reset));
            body.end(Ok(()));
            assert_eq!(body.reader().collect().await.unwrap_err(), Failure::Reset);
        });
    }

    #[test]
    fn what_is_longer_than_may_be_stored_is_whole_for_nobody() {
        let body = Growing::new(4, None);
        let _reader = body.reader();
        assert!(body.push("1234".into()));
        assert_eq!(body.whole().unwrap(), "1234");
        assert!(!body.push("5".into()));
        assert!(body.whole().is_none());
    }

    #[test]
    fn a_body_in_crumbs_takes_no_more_room_than_others() {
        let most = 4 * AHEAD_BYTES;
        let body = Growing::new(most, None);
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
    fn a_window_waits_for_its_fastest_reader_and_cuts_the_slow_off() {
        run(async {
            let body = Growing::new(AHEAD_BYTES, None);
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
