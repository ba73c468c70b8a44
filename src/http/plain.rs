//! HTTP/1.1 without hyper, for the plain request: read, recognise, answer, one write.
//!
//! Answers are 200, 304, notices, and those of the corridor; for any other the request, untouched, and the connection go to hyper.
//! Both paths answer by the same `answer`, and a test holds their bytes against each other.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{DATE, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::answer::{Answer, What};
use super::awaited::{self, Awaited};
use super::connection::HEAD_MAX_BYTES;
use super::framing::too_large;
use super::last::Last;
use super::outbox::{Outbox, Pushed};
use super::recognise::{Recognised, recognise};
use super::respond::respond;
use super::service::Service;
use super::turned_away;
use crate::portal::Notice;

/// What begins an HTTP/2 connection in clear (RFC 9113, 3.4); no request of HTTP/1.1 begins so.
const PREFACE_START: &[u8] = b"PRI * ";
/// Room for what is read at once: a browser's head fits, and so do a few that are pipelined.
pub const READ_BYTES: usize = 4 << 10;
/// What a client that was refused may still be sending, read so that it sees our answer and not a reset.
const LINGER_MAX_BYTES: usize = 256 << 10;
/// And for how long.
const LINGER_MAX: Duration = Duration::from_secs(2);

/// How it went on.
pub enum End {
    /// The client is done, or it is time to stop.
    Closed,
    /// hyper has to take over, beginning with these bytes.
    HandedOver(Bytes),
}

type After<'c> = Pin<Box<dyn Future<Output = io::Result<Option<End>>> + Send + 'c>>;

/// A connection on the plain path. While nothing is under way it holds no buffer: what is read and what is written lie in
/// the thread's [`Desk`].
pub struct Connection<S> {
    stream: S,
    /// The beginning of a head that is not whole, or what came behind the last request that was looked at. Few have one.
    rest: Option<Box<BytesMut>>,
    /// There may be a whole request in `rest`.
    is_new: bool,
    /// Its task will be told when it is time to stop.
    is_told: bool,
    /// What the socket had no room for, and what comes then.
    unsent: Option<Box<(Outbox, Next)>>,
}

/// Room that the connections of a thread use in turn.
struct Desk {
    inbox: [u8; HEAD_MAX_BYTES + READ_BYTES],
    outbox: Outbox,
}

impl Desk {
    fn take() -> Box<Desk> {
        let new = || Box::new(Desk { inbox: [0; HEAD_MAX_BYTES + READ_BYTES], outbox: Outbox::default() });
        DESK.take().unwrap_or_else(new)
    }

    /// For the next connection, which must not find anything of this one's: where writing failed, its answers are still there.
    fn give_back(mut self: Box<Desk>) {
        if !self.outbox.is_empty() {
            self.outbox = Outbox::default();
        }
        DESK.set(Some(self));
    }
}

thread_local!(static DESK: Cell<Option<Box<Desk>>> = const { Cell::new(None) });

impl<S> Connection<S> {
    /// The same on another stream.
    pub fn on<T>(self, stream: T) -> Connection<T> {
        let Connection { rest, is_new, is_told, unsent, .. } = self;
        Connection { stream, rest, is_new, is_told, unsent }
    }
}

fn kept(rest: BytesMut) -> Option<Box<BytesMut>> {
    if rest.is_empty() { None } else { Some(Box::new(rest)) }
}

impl<S: AsyncRead + Last + Unpin + Send> Connection<S> {
    /// On `stream`, of which `first` has been read already.
    pub fn new(stream: S, first: BytesMut) -> Connection<S> {
        Connection { stream, is_new: !first.is_empty(), rest: kept(first), is_told: false, unsent: None }
    }

    pub fn into_stream(self) -> S {
        self.stream
    }

    /// What can be done without waiting for the stream. `None`: it is over; else what goes on, on whatever stream.
    pub fn begin(mut self, service: &Service, cx: &mut Context<'_>) -> Option<Connection<()>> {
        match self.poll(service, cx) {
            Poll::Pending => {}
            Poll::Ready(Err(_)) => return None,
            Poll::Ready(Ok(Next::End)) if !service.is_tls => return None,
            Poll::Ready(Ok(next)) => self.unsent = Some(Box::new((Outbox::default(), next))),
        }
        Some(self.on(()))
    }

    /// Serves plain requests as long as there are no others.
    #[cfg(test)]
    pub async fn serve(&mut self, service: &Service) -> io::Result<End> {
        loop {
            let next = std::future::poll_fn(|cx| self.poll_next(service, cx)).await?;
            if let Some(end) = self.after(next, service).await? {
                return Ok(end);
            }
        }
    }

    /// Does what [`Connection::poll_next`] says. `None`: after that, there may be plain requests again.
    pub fn after<'c>(&'c mut self, next: Next, service: &'c Service) -> After<'c> {
        match next {
            Next::Await(awaited) => Box::pin(self.awaits(*awaited, service)),
            next => Box::pin(self.ends(next, service)),
        }
    }

    /// Sends an answer that has to be waited for. `None`: the connection goes on behind it.
    async fn awaits(&mut self, awaited: Awaited, service: &Service) -> io::Result<Option<End>> {
        let mut rest = self.rest();
        if !awaited::answer(&mut self.stream, awaited, service, &mut rest).await? {
            return linger(&mut self.stream).await.map(Some);
        }
        (self.rest, self.is_new) = (kept(rest), true);
        Ok(None)
    }

    async fn ends(&mut self, next: Next, service: &Service) -> io::Result<Option<End>> {
        let stream = &mut self.stream;
        let end = match next {
            Next::HandOver => End::HandedOver(self.rest().freeze()),
            Next::Refuse(status, notice) => refuse(stream, service, status, notice).await?,
            Next::Close => linger(stream).await?,
            // In clear, to close is to say goodbye.
            Next::End if !service.is_tls => End::Closed,
            Next::Await(_) | Next::Read | Next::More | Next::End => close(stream).await?,
        };
        Ok(Some(end))
    }

    fn rest(&mut self) -> BytesMut {
        self.rest.take().map_or_else(BytesMut::new, |rest| *rest)
    }

    /// Answers until something else has to be done.
    pub fn poll_next(&mut self, service: &Service, cx: &mut Context<'_>) -> Poll<io::Result<Next>> {
        if let Poll::Ready(next) = self.poll(service, cx) {
            return Poll::Ready(next);
        }
        // To be told takes a lock: that is asked for once, and this task's waker stays the same.
        let is_over = match std::mem::replace(&mut self.is_told, true) {
            false => service.seat.poll_drained(cx).is_ready(),
            true => service.seat.is_draining(),
        };
        // A head that has begun is finished under hyper, which then closes; so is what is being written.
        match is_over && self.unsent.is_none() {
            true if self.rest.is_none() && service.seat.has_asked() => Poll::Ready(Ok(Next::End)),
            true => Poll::Ready(Ok(Next::HandOver)),
            false => Poll::Pending,
        }
    }

    fn poll(&mut self, service: &Service, cx: &mut Context<'_>) -> Poll<io::Result<Next>> {
        let mut desk = Desk::take();
        let polled = self.poll_at(&mut desk, service, cx);
        desk.give_back();
        polled
    }

    fn poll_at(&mut self, desk: &mut Desk, service: &Service, cx: &mut Context<'_>) -> Poll<io::Result<Next>> {
        loop {
            if let Some(unsent) = &mut self.unsent {
                ready!(unsent.0.poll_send(&mut self.stream, cx))?;
            }
            let next = match self.unsent.take() {
                Some(unsent) => unsent.1,
                None => ready!(self.poll_turn(desk, service, cx))?,
            };
            match next {
                // Of the next head, the beginning has come with the one before.
                Next::Read if self.rest.is_some() => service.seat.asks(),
                Next::Read => {}
                Next::More => self.is_new = true,
                next => return Poll::Ready(Ok(next)),
            }
        }
    }

    /// Reads what has come, answers what is whole, keeps what is not.
    fn poll_turn(&mut self, desk: &mut Desk, service: &Service, cx: &mut Context<'_>) -> Poll<io::Result<Next>> {
        let Desk { inbox, outbox } = desk;
        let mut len = self.rest.as_ref().map_or(0, |rest| rest.len());
        if let Some(rest) = &self.rest {
            // What has come meanwhile may be more than a head: then hyper knows what to do.
            let Some(begun) = inbox.get_mut(..len) else { return Poll::Ready(Ok(Next::HandOver)) };
            begun.copy_from_slice(rest);
        }
        if !std::mem::take(&mut self.is_new) {
            let mut free = ReadBuf::new(&mut inbox[len..]);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut free))?;
            match free.filled().len() {
                0 => return Poll::Ready(Ok(Next::End)),
                read => len += read,
            }
        }
        let (done, next) = answer_all(&inbox[..len], service, outbox);
        // Whoever says nothing needs no room.
        self.rest = if done == len { None } else { Some(Box::new(BytesMut::from(&inbox[done..len]))) };
        match outbox.poll_send(&mut self.stream, cx)? {
            Poll::Ready(()) => Poll::Ready(Ok(next)),
            Poll::Pending => {
                self.unsent = Some(Box::new((std::mem::take(outbox), next)));
                Poll::Pending
            }
        }
    }
}

/// Tells a client what its bytes are not.
pub async fn refuse<S>(stream: &mut S, service: &Service, status: StatusCode, notice: Notice) -> io::Result<End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(&refusal(service, status, notice)).await?;
    linger(stream).await
}

/// Says goodbye; under TLS by close_notify (RFC 8446, 6.1).
async fn close<S: AsyncWrite + Unpin>(stream: &mut S) -> io::Result<End> {
    stream.shutdown().await?;
    Ok(End::Closed)
}

/// The same to a client that may still be sending: with bytes unread, the kernel would reset the connection, and our
/// answer would be lost on its way (RFC 9112, 9.6).
pub async fn linger<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<End> {
    linger_while(stream, || false).await
}

/// The same for as long as something `leaves`, too, of which nothing is left where the client takes it; what it may last is for the
/// seat's limits and the grace to say.
pub async fn linger_while<S>(stream: &mut S, leaves: impl Fn() -> bool) -> io::Result<End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.shutdown().await?;
    let (mut rest, mut left) = (vec![0; READ_BYTES], LINGER_MAX_BYTES);
    loop {
        let read = async {
            while left > 0
                && let Ok(n @ 1..) = stream.read(&mut rest).await
            {
                left = left.saturating_sub(n);
            }
        };
        let is_over = tokio::time::timeout(LINGER_MAX, read).await.is_ok();
        if is_over || !leaves() {
            return Ok(End::Closed);
        }
    }
}

/// A whole response to what is no request.
fn refusal(service: &Service, status: StatusCode, notice: Notice) -> Vec<u8> {
    service.seat.answered(status);
    let showing = service.site.public.load();
    let (mut out, says_close) = (Vec::new(), true);
    let body = write(Answer::other(&showing, What::Notice(status, notice)), service, says_close, &mut out);
    out.extend(body);
    out
}

/// Writes the head of an answer that is asked for seldom, and returns the body.
pub fn write(answer: Answer, service: &Service, says_close: bool, out: &mut Vec<u8>) -> Bytes {
    let (head, body) = respond(answer, &Method::GET, &service.site.rhythm).into_parts();
    let date = (DATE, service.site.rhythm.date());
    write_fields(head.status, head.headers.iter().chain([(&date.0, &date.1)]), says_close, out);
    body.into_bytes().unwrap_or_default()
}

pub fn write_fields<'f>(
    status: StatusCode,
    fields: impl Iterator<Item = (&'f HeaderName, &'f HeaderValue)>,
    says_close: bool,
    out: &mut Vec<u8>,
) {
    let reason = status.canonical_reason().unwrap_or("<unknown status code>");
    for part in ["HTTP/1.1 ", status.as_str(), " ", reason, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    for (name, value) in fields {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    out.extend_from_slice(if says_close { b"connection: close\r\n\r\n" } else { b"\r\n" });
}

/// What has to be done next.
pub enum Next {
    /// All whole requests are answered.
    Read,
    /// The batch is full; there may be more.
    More,
    HandOver,
    /// The answer to the next one is not here yet.
    Await(Box<Awaited>),
    /// What comes next is no request.
    Refuse(StatusCode, Notice),
    /// The last answer said so.
    Close,
    /// The client is done, or it is time to stop.
    End,
}

/// Answers the whole requests that `inbox` begins with. Returns how many bytes they took.
fn answer_all(inbox: &[u8], service: &Service, outbox: &mut Outbox) -> (usize, Next) {
    let mut done = 0;
    let next = loop {
        if outbox.is_full() {
            break Next::More;
        }
        let rest = &inbox[done..];
        // Of a head that is too large nothing more is read.
        match recognise(&rest[..rest.len().min(HEAD_MAX_BYTES)]) {
            Recognised::Partial if rest.len() < HEAD_MAX_BYTES => break Next::Read,
            Recognised::Partial => {
                let (status, notice) = turned_away::told(too_large(&inbox[done..]));
                break Next::Refuse(status, notice);
            }
            Recognised::Malformed if is_http2(rest, service) => break Next::HandOver,
            Recognised::Malformed => break Next::Refuse(StatusCode::BAD_REQUEST, Notice::BadRequest),
            Recognised::Plain(plain, len) => match outbox.push(service, &plain, &rest[..len]) {
                Pushed::Answered => {
                    service.seat.asked();
                    done += len;
                    if outbox.says_close() {
                        // Who said so himself sends no more (RFC 9112, 9.6).
                        break if plain.closes && done == inbox.len() { Next::End } else { Next::Close };
                    }
                }
                Pushed::Awaited(awaited) => {
                    service.seat.asked();
                    done += len;
                    break Next::Await(awaited);
                }
                Pushed::Other => break Next::HandOver,
            },
            Recognised::Other => break Next::HandOver,
        }
    };
    (done, next)
}

/// HTTP/2 in clear, which begins with its preface and nothing before it.
pub fn is_http2(bytes: &[u8], service: &Service) -> bool {
    bytes.starts_with(PREFACE_START) && !service.is_tls && !service.seat.has_asked()
}
