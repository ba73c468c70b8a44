//! The bytes of one connection to an origin, in clear or under TLS. Knows nothing of HTTP.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// What carries the bytes.
pub enum Carrier {
    Clear(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

impl Carrier {
    /// Whether ALPN has settled on HTTP/2.
    pub fn chose_http2(&self) -> bool {
        match self {
            Carrier::Clear(_) => false,
            Carrier::Secure(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }
}

/// Whether the origin has said anything since [`Heard::forget`]. hyper calls a connection that ended before an answer
/// and one that ended within its head by the same name, and only after the first may a request be sent again.
#[derive(Clone, Default)]
pub struct Heard(Arc<AtomicBool>);

impl Heard {
    pub fn forget(&self) {
        self.0.store(false, Ordering::Release);
    }

    pub fn anything(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// See above. `Held` lives as long as the connection does, whoever has it by then: a place in the pool, for an upgrade.
pub struct Wire<Held> {
    carrier: Carrier,
    heard: Heard,
    _held: Held,
}

impl<Held> Wire<Held> {
    pub fn new(carrier: Carrier, heard: Heard, held: Held) -> Wire<Held> {
        Wire { carrier, heard, _held: held }
    }
}

impl<Held: Unpin> AsyncRead for Wire<Held> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.carrier).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.heard.0.store(true, Ordering::Release);
        }
        Poll::Ready(Ok(()))
    }
}

impl<Held: Unpin> AsyncWrite for Wire<Held> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.carrier).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.carrier).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.carrier.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.carrier).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.carrier).poll_shutdown(cx)
    }
}

impl AsyncRead for Carrier {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Carrier::Clear(stream) => Pin::new(stream).poll_read(cx, buf),
            Carrier::Secure(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Carrier {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Carrier::Clear(stream) => Pin::new(stream).poll_write(cx, buf),
            Carrier::Secure(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Carrier::Clear(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Carrier::Secure(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Carrier::Clear(stream) => stream.is_write_vectored(),
            Carrier::Secure(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Carrier::Clear(stream) => Pin::new(stream).poll_flush(cx),
            Carrier::Secure(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Carrier::Clear(stream) => Pin::new(stream).poll_shutdown(cx),
            Carrier::Secure(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
