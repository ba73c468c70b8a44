//! What hyper reads of a client has come through here: requests whose ends can be read in one way alone. Before anything else
//! the connection is at its end for hyper, and its stream is left to whoever says so to the client.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::{Framing, Refused};
use super::tunnel::Ends;

/// Read at once, so that bodies pass in few pieces.
const READ_BYTES: usize = 16 << 10;

/// What came to the gate and not through.
pub struct Held<S> {
    pub stream: S,
    pub refused: Refused,
    /// In the midst of a request, which has had its answer.
    pub is_within: bool,
}

/// Where it is left once hyper is done.
pub type Place<S> = Arc<Mutex<Option<Held<S>>>>;

/// See above.
pub struct Gate<S> {
    /// Until the end.
    stream: Option<S>,
    inbox: BytesMut,
    /// How much of it may pass.
    vetted: usize,
    framing: Framing,
    refused: Option<Refused>,
    /// Once the connection has become something else, its bytes are no requests.
    ends: Ends,
    place: Place<S>,
}

impl<S> Gate<S> {
    /// Before `stream`, of which `first` has been read already.
    pub fn new(first: Bytes, stream: S, ends: Ends) -> (Gate<S>, Place<S>) {
        let place = Place::default();
        let (inbox, framing) = (BytesMut::from(first), Framing::new());
        let gate = Gate { stream: Some(stream), inbox, vetted: 0, framing, refused: None, ends, place: place.clone() };
        (gate, place)
    }

    /// Gives what may pass of what is there; false where more has to come.
    fn pass(&mut self, buf: &mut ReadBuf<'_>) -> io::Result<bool> {
        if self.vetted == 0 && !self.inbox.is_empty() {
            if self.ends.are_left() {
                self.vetted = self.inbox.len();
            } else if self.refused.is_none() {
                match self.framing.read(&self.inbox) {
                    Ok(vetted) => self.vetted = vetted,
                    Err(refused) => self.refused = Some(refused),
                }
            }
        }
        if self.vetted > 0 {
            let len = self.vetted.min(buf.remaining());
            buf.put_slice(&self.inbox[..len]);
            self.inbox.advance(len);
            self.vetted -= len;
            if self.inbox.is_empty() {
                // Who says nothing needs no room.
                self.inbox = BytesMut::new();
            }
            return Ok(true);
        }
        match self.refused {
            // To hyper, this is a body that does not come whole.
            Some(_) if self.framing.is_within() => Err(io::ErrorKind::InvalidData.into()),
            Some(_) => Ok(true),
            None => Ok(false),
        }
    }
}

pub fn taken<S>(place: &Place<S>) -> Option<Held<S>> {
    place.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl<S> Drop for Gate<S> {
    fn drop(&mut self) {
        if let (Some(stream), Some(refused)) = (self.stream.take(), self.refused) {
            let held = Held { stream, refused, is_within: self.framing.is_within() };
            *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gate<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while !self.pass(buf)? {
            let mut room = [MaybeUninit::uninit(); READ_BYTES];
            let mut read = ReadBuf::uninit(&mut room);
            let Some(stream) = &mut self.stream else { return Poll::Ready(Ok(())) };
            ready!(Pin::new(stream).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            // Behind the last request.
            if !self.framing.is_over() || self.ends.are_left() {
                self.inbox.extend_from_slice(read.filled());
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gate<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Some(stream) => Pin::new(stream).poll_write(cx, buf),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Some(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Some(stream) => Pin::new(stream).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    /// Where there is something to be told yet, the end is not hyper's to say.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let is_refused = self.refused.is_some();
        match &mut self.stream {
            Some(stream) if !is_refused => Pin::new(stream).poll_shutdown(cx),
            _ => Poll::Ready(Ok(())),
        }
    }
}
