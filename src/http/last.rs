//! What is written last: nothing comes behind it but the end of the connection.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::fs::sendfile;
use rustix::net::{SendAncillaryBuffer, SendFlags, send, sendmsg};
use tokio::io::{AsyncWrite, Interest};
use tokio::net::TcpStream;

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

/// Tries until the socket has no room.
fn poll(
    stream: &TcpStream,
    cx: &mut Context<'_>,
    send: impl Fn() -> rustix::io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(stream.poll_write_ready(cx))?;
        match stream.try_io(Interest::WRITABLE, || Ok(send()?)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return Poll::Ready(done),
        }
    }
}

impl Last for TcpStream {
    const TAKES_FILES: bool = true;

    fn poll_last(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        poll(&self, cx, || send_parts(&*self, bufs, LAST))
    }

    fn poll_file(self: Pin<&mut Self>, cx: &mut Context<'_>, part: Part<'_>) -> Poll<io::Result<usize>> {
        poll(&self, cx, || send_file(&*self, part))
    }
}

#[cfg(test)]
impl Last for tokio::io::DuplexStream {}
