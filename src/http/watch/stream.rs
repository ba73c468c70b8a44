//! A connection's socket, which notes on its seat what comes and goes.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::seat::{NONE, Seat};
use crate::http::last::{Last, Part};

/// A socket whose bytes are noted on its seat.
pub struct Watched<S: AsFd> {
    stream: S,
    seat: Arc<Seat>,
}

impl<S: AsFd> Watched<S> {
    pub fn new(stream: S, seat: Arc<Seat>) -> Watched<S> {
        seat.socket.store(stream.as_fd().as_raw_fd(), Relaxed);
        Watched { stream, seat }
    }

    fn wrote(&self, polled: &Poll<io::Result<usize>>) {
        self.seat.is_blocked(polled.is_pending());
        if let Poll::Ready(Ok(bytes @ 1..)) = polled {
            self.seat.went(*bytes);
        }
    }
}

impl<S: AsFd> Drop for Watched<S> {
    fn drop(&mut self) {
        // Before the socket closes: its number may be another's at once.
        self.seat.socket.store(NONE, Relaxed);
        if self.seat.is_cut.load(Relaxed) {
            // Else the kernel would keep for minutes what nobody takes. Where that fails, it does.
            let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        }
    }
}

impl<S: AsyncRead + AsFd + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let bytes = buf.filled().len() - before;
        if bytes > 0 {
            self.seat.came(bytes);
        }
        polled
    }
}

impl<S: AsyncWrite + AsFd + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: Last + AsFd + Unpin> Last for Watched<S> {
    const TAKES_FILES: bool = S::TAKES_FILES;

    fn poll_last(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_last(cx, bufs);
        self.wrote(&polled);
        polled
    }

    fn poll_file(mut self: Pin<&mut Self>, cx: &mut Context<'_>, part: Part<'_>) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_file(cx, part);
        self.wrote(&polled);
        polled
    }
}
