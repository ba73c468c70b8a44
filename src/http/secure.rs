//! A stream over TLS: the handshake by rustls, then records by `session`, from the first one behind it. What is read and written lies in a buffer of the thread;
//! a connection keeps only what is not whole, or could not be sent.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ProtocolVersion;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, InsufficientSizeError, UnbufferedStatus};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::flight::{self, Flight};
use super::last::Last;
use super::records::{Fault, RECORD_MAX};
use super::session::{OUT_BYTES, Session};
use super::tls::Public;

/// A flight of a client at most: a hello with a post-quantum key has 2 KB, one with many names a few more.
const FLIGHT_MAX_BYTES: usize = 64 << 10;
/// Read at once while hands are shaken.
const FLIGHT_BYTES: usize = 4 << 10;
/// What goes with the next answer at most, such as tickets; with more unsent, the client is slow.
const UNSENT_MAX_BYTES: usize = 4 << 10;

/// See above.
pub struct Secure<S> {
    stream: S,
    session: Box<Session>,
    /// The last word is said, or waits to be.
    ends: bool,
}

/// Room that the connections of a thread use in turn.
struct Desk {
    read: [u8; RECORD_MAX],
    sealed: [u8; OUT_BYTES],
}

thread_local!(static DESK: Cell<Option<Box<Desk>>> = const { Cell::new(None) });

impl Desk {
    fn take() -> Box<Desk> {
        DESK.take().unwrap_or_else(|| Box::new(Desk { read: [0; RECORD_MAX], sealed: [0; OUT_BYTES] }))
    }
}

/// Shakes hands. Returns the stream, and the protocol that was agreed on (RFC 7301).
pub async fn accept<S>(mut stream: S, config: Arc<Public>) -> io::Result<(Secure<S>, Option<Vec<u8>>)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut flight, mut goes) = (Flight::default(), Vec::new());
    let choice = loop {
        if let Some(choice) = flight::choice(flight.bytes()) {
            break choice;
        }
        read(&mut stream, &mut flight).await?;
    };
    let mut tls = UnbufferedServerConnection::new(config.of(choice)).map_err(io::Error::other)?;
    loop {
        match step(&mut tls, &mut flight, &mut goes) {
            Ok(Step::Again) => {}
            Ok(Step::Send) => {
                // In TLS 1.3 what is left is tickets: they go with the first answer, in one write.
                if tls.is_handshaking() || tls.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
                    stream.write_all(&goes).await?;
                    goes.clear();
                }
            }
            Ok(Step::Read) => {
                while !flight.show() {
                    read(&mut stream, &mut flight).await?;
                }
            }
            Ok(Step::Done) => break,
            Err(error) => {
                // The alert that says why, and no more: rustls must not look at the same bytes again.
                while tls.wants_write() && step(&mut tls, &mut flight, &mut goes).is_ok() {}
                let _ = stream.write_all(&goes).await;
                return Err(error);
            }
        }
    }
    let protocol = tls.alpn_protocol().map(<[u8]>::to_vec);
    let session = Session::new(tls, flight.into_bytes(), goes).map_err(io::Error::other)?;
    Ok((Secure { stream, session: Box::new(session), ends: false }, protocol))
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S, flight: &mut Flight) -> io::Result<()> {
    if flight.bytes().len() >= FLIGHT_MAX_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    // What comes behind the end of the handshake has to fit where records are opened.
    const { assert!(FLIGHT_BYTES <= RECORD_MAX) };
    match stream.read_buf(&mut flight.room(FLIGHT_BYTES)).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

enum Step {
    Again,
    Send,
    Read,
    Done,
}

/// One step of the handshake: rustls takes from `flight` what was shown, and writes to `goes`.
fn step(tls: &mut UnbufferedServerConnection, flight: &mut Flight, goes: &mut Vec<u8>) -> io::Result<Step> {
    let UnbufferedStatus { discard, state } = tls.process_tls_records(flight.shown());
    let step = match state {
        Ok(ConnectionState::EncodeTlsData(mut data)) => {
            let begin = goes.len();
            let need = match data.encode(&mut []) {
                Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) => required_size,
                _ => 0,
            };
            goes.resize(begin + need, 0);
            data.encode(&mut goes[begin..]).map(|_| Step::Again).map_err(io::Error::other)
        }
        Ok(ConnectionState::TransmitTlsData(data)) => {
            data.done();
            Ok(Step::Send)
        }
        Ok(ConnectionState::BlockedHandshake) => Ok(Step::Read),
        Ok(ConnectionState::WriteTraffic(_)) => Ok(Step::Done),
        // Early data, which it was not offered; the end, in the midst of the handshake. What comes behind it is not shown.
        Ok(_) => Err(io::ErrorKind::InvalidData.into()),
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
    };
    flight.done(discard);
    step
}

impl<S: AsyncRead + Last + Unpin> Secure<S> {
    /// Sends what could not be sent before.
    fn poll_unsent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let unsent = &mut self.session.unsent;
        while !unsent.is_empty() {
            let stream = Pin::new(&mut self.stream);
            let sent = match self.ends {
                true => stream.poll_last(cx, &[IoSlice::new(unsent)]),
                false => stream.poll_write(cx, unsent),
            };
            match ready!(sent)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent if sent == unsent.len() => *unsent = Vec::new(),
                sent => drop(unsent.drain(..sent)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Says why it cannot go on, if that can be said at once.
    fn failed(&mut self, fault: Fault, cx: &mut Context<'_>) -> io::Error {
        self.session.refuse(fault);
        let _ = self.poll_unsent(cx);
        io::Error::new(io::ErrorKind::InvalidData, format!("TLS: {fault:?}"))
    }

    fn poll_read_at(&mut self, desk: &mut Desk, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let begin = buf.filled().len();
        loop {
            let waiting = self.session.opened();
            if !waiting.is_empty() {
                let len = waiting.len().min(buf.remaining());
                buf.put_slice(&waiting[..len]);
                self.session.has_read(len);
            }
            if buf.filled().len() > begin || buf.remaining() == 0 || self.session.is_over {
                return Poll::Ready(Ok(()));
            }
            let mut len = self.session.sealed.len();
            let begun = desk.read.get_mut(..len).ok_or(io::ErrorKind::InvalidData)?;
            begun.copy_from_slice(&self.session.sealed);
            // A record that came with the one before may be whole.
            let mut done = self.open(&mut desk.read[..len], cx, buf)?;
            if done == 0 {
                let mut free = ReadBuf::new(&mut desk.read[len..]);
                ready!(Pin::new(&mut self.stream).poll_read(cx, &mut free))?;
                match free.filled().len() {
                    0 => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                    read => len += read,
                }
                done = self.open(&mut desk.read[..len], cx, buf)?;
            }
            // Whoever says nothing needs no room.
            self.session.sealed = desk.read[done..len].to_vec();
        }
    }

    fn open(&mut self, bytes: &mut [u8], cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> io::Result<usize> {
        let take = |text: &[u8]| {
            let len = text.len().min(buf.remaining());
            buf.put_slice(&text[..len]);
            len
        };
        self.session.open(bytes, take).map_err(|fault| self.failed(fault, cx))
    }

    fn poll_write_at(
        &mut self,
        desk: &mut Desk,
        cx: &mut Context<'_>,
        text: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.session.unsent.len() > UNSENT_MAX_BYTES {
            // Whoever is slow is waited for.
            ready!(self.poll_unsent(cx))?;
        }
        let (taken, sealed) = self.session.seal(text, &mut desk.sealed).map_err(|fault| self.failed(fault, cx))?;
        let sealed = &desk.sealed[..sealed];
        if !self.session.unsent.is_empty() {
            self.session.unsent.extend_from_slice(sealed);
            let _ = self.poll_unsent(cx)?;
            return Poll::Ready(Ok(taken));
        }
        let sent = match Pin::new(&mut self.stream).poll_write(cx, sealed)? {
            Poll::Ready(sent) => sent,
            Poll::Pending => 0,
        };
        if sent < sealed.len() {
            self.session.unsent = sealed[sent..].to_vec();
        }
        Poll::Ready(Ok(taken))
    }
}

impl<S: AsyncRead + Last + Unpin> AsyncRead for Secure<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut desk = Desk::take();
        let polled = self.poll_read_at(&mut desk, cx, buf);
        DESK.set(Some(desk));
        polled
    }
}

impl<S: AsyncRead + Last + Unpin> AsyncWrite for Secure<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut desk = Desk::take();
        let polled = self.poll_write_at(&mut desk, cx, bufs);
        DESK.set(Some(desk));
        polled
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_unsent(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.session.close();
        self.ends = true;
        ready!(self.poll_unsent(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A record behind the last answer says that it was the last.
impl<S: AsyncRead + Last + Unpin> Last for Secure<S> {}
