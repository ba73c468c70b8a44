//! Gathers writes: h2 flushes after each DATA frame, and each flush would be a TLS record and a system call of its own.
//!
//! A flush by h2 does nothing; whoever drives the connection sends once there is nothing more to add. What is sent
//! without being asked to keeps the memory bounded.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is gathered before it is sent unasked: two TLS records and their frames' heads.
const GATHER_BYTES: usize = 32 << 10;

/// What waits at the most.
const WAITING_MAX_BYTES: usize = GATHER_BYTES + (16 << 10);

/// A stream whose writes go out together. h2 owns one handle and its driver the other; both run in one task, so the
/// lock is always free.
pub struct Batch<S>(Arc<Mutex<Inner<S>>>);

struct Inner<S> {
    stream: S,
    /// Holds no memory while nothing waits.
    waiting: Vec<u8>,
    /// How much of `waiting` is out.
    sent: usize,
}

impl<S> Batch<S> {
    pub fn new(stream: S) -> Batch<S> {
        Batch(Arc::new(Mutex::new(Inner { stream, waiting: Vec::new(), sent: 0 })))
    }

    pub fn other_handle(&self) -> Batch<S> {
        Batch(self.0.clone())
    }

    fn inner(&self) -> MutexGuard<'_, Inner<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncWrite + Unpin> Batch<S> {
    /// Sends what has been gathered.
    pub fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let inner = &mut *self.inner();
        ready!(inner.poll_send(cx))?;
        Pin::new(&mut inner.stream).poll_flush(cx)
    }
}

impl<S: AsyncWrite + Unpin> Inner<S> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.waiting.len() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.waiting[self.sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.sent += n,
            }
        }
        (self.waiting, self.sent) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }

    fn poll_gather(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.waiting.len() >= GATHER_BYTES {
            ready!(self.poll_send(cx))?;
        }
        // A client chooses the size of our frames, up to 16 MiB: h2 comes again with what does not fit.
        let before = self.waiting.len();
        for buf in bufs {
            let room = WAITING_MAX_BYTES - self.waiting.len();
            self.waiting.extend_from_slice(&buf[..buf.len().min(room)]);
        }
        Poll::Ready(Ok(self.waiting.len() - before))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Batch<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.inner().poll_gather(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_gather(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.inner().stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Batch<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner().stream).poll_read(cx, buf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;
    use tokio::io::duplex;

    #[test]
    fn the_memory_of_a_client_that_never_reads_is_bounded() {
        let (_client, server) = duplex(1);
        let mut batch = Batch::new(server);
        let mut cx = Context::from_waker(Waker::noop());
        let frame = vec![0; 1 << 20];
        let mut taken = 0;
        while let Poll::Ready(n) = Pin::new(&mut batch).poll_write(&mut cx, &frame) {
            taken += n.unwrap();
            assert!(taken <= WAITING_MAX_BYTES + 1, "{taken}");
        }
        assert!(taken >= GATHER_BYTES);
    }
}
