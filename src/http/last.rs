//! What is written last: nothing comes behind it but the end of the connection.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::fs::sendfile;
use rustix::net::{SendAncillaryBuffer, SendFlags, send, sendmsg};
use tokio::io::AsyncWrite;

/// A stream that can be told so, and perhaps be given files.
pub trait Last: AsyncWrite {
    /// `poll_file` may be called.
    const TAKES_FILES: bool = false;

    /// As `poll_write_vectored`, where whoever writes closes or shuts down the stream as soon as everything is written.
    fn poll_last(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, bufs)
    }

    /// As `poll_write`, of a part of a file.
    fn poll_file(self: Pin<&mut Self>, _: &mut Context<'_>, _: Part<'_>) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }
}

/// Of a file, so many bytes from there on.
#[derive(Clone, Copy)]
pub struct Part<'f> {
    pub file: BorrowedFd<'f>,
    pub at: u64,
    pub len: usize,
}

/// What the kernel holds back until the end (send(2)): so both leave in one segment, and the client's machine is woken once.
pub const LAST: SendFlags = SendFlags::MORE;

/// Sends what the socket has room for.
pub fn send_parts(socket: impl AsFd, bufs: &[IoSlice<'_>], flags: SendFlags) -> rustix::io::Result<usize> {
    let flags = flags | SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    match bufs {
        [one] => send(socket, one, flags),
        _ => sendmsg(socket, bufs, &mut SendAncillaryBuffer::default(), flags),
    }
}

pub fn send_file(socket: impl AsFd, mut part: Part<'_>) -> rustix::io::Result<usize> {
    sendfile(socket, part.file, Some(&mut part.at), part.len)
}

#[cfg(test)]
impl Last for tokio::io::DuplexStream {}
