//! A connection that was just accepted: what came with it is answered at once, before anything waits for its socket. Who says
//! that his first request is the last is gone then, and has cost no task and no place in the reactor.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::BytesMut;
use rustix::net::{RecvFlags, SendFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::last::{LAST, Last, Part, send_file, send_parts};
use super::plain::Connection;
use super::service::Service;
use super::watch::Watched;

/// A socket that nobody waits for: where it has nothing, or no room, `Pending` is all that is told.
struct Early<'s> {
    socket: BorrowedFd<'s>,
    has_read: bool,
}

/// Answers what has come. `None`: the connection is over; else what of it goes on.
pub fn greet(socket: BorrowedFd<'_>, service: &Service) -> Option<Connection<()>> {
    // A fault here must end this connection, not whoever accepts all the others.
    catch_unwind(AssertUnwindSafe(|| {
        let early = Watched::new(Early { socket, has_read: false }, service.seat.clone());
        Connection::new(early, BytesMut::new()).begin(service, &mut Context::from_waker(Waker::noop()))
    }))
    .ok()
    .flatten()
}

fn poll<T>(done: rustix::io::Result<T>) -> Poll<io::Result<T>> {
    match done {
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Poll::Pending,
        done => Poll::Ready(done.map_err(io::Error::from)),
    }
}

impl AsFd for Early<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket
    }
}

impl AsyncRead for Early<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // What comes later is waited for.
        if std::mem::replace(&mut self.has_read, true) {
            return Poll::Pending;
        }
        let (_, read) = ready!(poll(recv(self.socket, buf.initialize_unfilled(), RecvFlags::DONTWAIT)))?;
        buf.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Early<'_> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(self: Pin<&mut Self>, _: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        poll(send_parts(self.socket, bufs, SendFlags::empty()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Last for Early<'_> {
    const TAKES_FILES: bool = true;

    fn poll_last(self: Pin<&mut Self>, _: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        poll(send_parts(self.socket, bufs, LAST))
    }

    fn poll_file(self: Pin<&mut Self>, _: &mut Context<'_>, part: Part<'_>) -> Poll<io::Result<usize>> {
        poll(send_file(self.socket, part))
    }
}
