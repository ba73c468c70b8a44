//! One connection of our own: sends a head, reads the next one, and the body behind it.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use std::thread::{self, ThreadId};

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::Frame;
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, Sleep, sleep_until};

use super::super::fault;
use super::super::wire::Carrier;
use super::framing::{Decoder, Framing, Next};
use super::response::{self, Head};
use crate::proxy::failure::Failure;
use crate::proxy::interim::Hearing;

/// What is read at once: a head, and with most answers all of the body.
const READ_BYTES: usize = 16 << 10;
/// A piece holds on to all that was allocated with it: while a body drips in, the room that there is is used up first, so that
/// whoever keeps the pieces keeps little more than their bytes.
const ROOM_LEAST_BYTES: usize = 4 << 10;

/// See above.
pub struct Own {
    carrier: Carrier,
    /// What was read and not yet taken.
    inbox: BytesMut,
    /// Anything was read since the last request.
    pub heard: bool,
    /// It may be used again once this response is over.
    goes_on: bool,
    /// Its last answer has no body by rule (HEAD, 204, 304): an origin that sends one all the same may do so behind our back.
    was_bare: bool,
    /// The thread whose runtime wakes it.
    home: ThreadId,
    /// Of the thread that set it first.
    timer: Option<(ThreadId, Pin<Box<Sleep>>)>,
}

impl Own {
    pub fn new(carrier: Carrier) -> Own {
        let home = thread::current().id();
        Own { carrier, inbox: BytesMut::new(), heard: false, goes_on: false, was_bare: false, home, timer: None }
    }

    /// The next request may follow. What an origin has said beyond its answer is nobody's.
    pub fn is_clean(&self) -> bool {
        self.goes_on && self.inbox.is_empty()
    }

    /// For somebody else's HTTP/1.1. Only while it lies idle.
    pub fn into_carrier(self) -> Carrier {
        self.carrier
    }

    /// Woken by the runtime of this thread: another would have to call over each time.
    pub fn is_near(&self) -> bool {
        self.home == thread::current().id()
    }

    /// While it lies idle: it has not ended, and nothing was said. Asks no kernel unless the runtime has heard of something, or its
    /// last answer gives reason to.
    pub fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        if let (Carrier::Clear(stream), true) = (&self.carrier, self.was_bare) {
            let looked = recv(stream, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT);
            if looked.err() != Some(rustix::io::Errno::AGAIN) {
                return false;
            }
        }
        // Without a waker, which would take the place of the task's own.
        if let Carrier::Clear(stream) = &self.carrier {
            return stream.try_read(&mut byte).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        }
        let look = poll_fn(|cx| {
            let polled = Pin::new(&mut self.carrier).poll_read(cx, &mut ReadBuf::new(&mut byte));
            Poll::Ready(polled.is_pending())
        });
        // Whatever else this task has done: a stream whose turn is over says that nothing has come.
        let look = pin!(tokio::task::unconstrained(look));
        look.poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(true)
    }

    /// Sends a request and reads the head of its answer; `hearing` is told of those before it.
    pub async fn ask(&mut self, request: &[u8], to_head: bool, hearing: Option<&Hearing>) -> Result<Head, Failure> {
        self.begins();
        let sent = self.send(request).await;
        self.hear(sent.is_ok(), to_head, hearing).await
    }

    /// A request is sent next.
    pub fn begins(&mut self) {
        (self.heard, self.goes_on) = (false, false);
    }

    /// Reads the head of an answer, to a request that has left as a whole or not.
    pub async fn hear(&mut self, is_sent: bool, to_head: bool, hearing: Option<&Hearing>) -> Result<Head, Failure> {
        self.inbox.reserve(READ_BYTES);
        loop {
            while let Some(head) = response::read(&mut self.inbox, to_head)? {
                let status = head.response.status();
                if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
                    if let Some(hearing) = hearing {
                        hearing.tell(status, head.response.version(), head.response.headers());
                    }
                    // One read has many of them: whoever sends nothing else has to leave others, and the timer, their turn.
                    consume_budget().await;
                    continue;
                }
                self.goes_on = head.goes_on && is_sent;
                self.was_bare = head.framing == Framing::None;
                return Ok(head);
            }
            self.make_room();
            // Who did not take all of it may have said why.
            match self.carrier.read_buf(&mut self.inbox).await.map_err(|error| fault::of(&error))? {
                0 => return Err(Failure::Reset),
                _ => self.heard = true,
            }
        }
    }

    pub async fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.carrier.write_all(request).await?;
        self.carrier.flush().await
    }

    /// Sends what of `request` has not left yet, of which `sent` counts the bytes that have.
    pub fn poll_send(&mut self, request: &[u8], sent: &mut usize, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest @ [_, ..]) = request.get(*sent..) {
            match ready!(Pin::new(&mut self.carrier).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                bytes => *sent += bytes,
            }
        }
        Pin::new(&mut self.carrier).poll_flush(cx)
    }

    /// Reads the first bytes of an answer into somebody else's room; what he does not use comes back by [`Own::unread`].
    pub fn poll_first(&mut self, room: &mut [u8], cx: &mut Context<'_>) -> Poll<Result<usize, Failure>> {
        let mut room = ReadBuf::new(room);
        match ready!(Pin::new(&mut self.carrier).poll_read(cx, &mut room)) {
            Ok(()) if room.filled().is_empty() => Poll::Ready(Err(Failure::Reset)),
            Ok(()) => {
                self.heard = true;
                Poll::Ready(Ok(room.filled().len()))
            }
            Err(error) => Poll::Ready(Err(fault::of(&error))),
        }
    }

    /// Puts back what was read first.
    pub fn unread(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
    }

    /// An answer was read by somebody else, to its exact end, and says nothing against another request. `is_bare`: it has no body
    /// by rule.
    pub fn was_answered(&mut self, is_bare: bool) {
        (self.goes_on, self.was_bare) = (true, is_bare);
    }

    /// Ready once it is `late`. The timer stays with the connection: most answers come long before it has to be set anew.
    pub fn poll_late(&mut self, late: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let here = thread::current().id();
        let (_, timer) = match &mut self.timer {
            Some(timer) if timer.0 == here => timer,
            // Of another thread's runtime, which would have to call over.
            other => other.insert((here, Box::pin(sleep_until(late)))),
        };
        if timer.deadline() > late {
            timer.as_mut().reset(late);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= late {
                return Poll::Ready(());
            }
            timer.as_mut().reset(late);
        }
    }

    /// The next frame of the body that `decoder` knows.
    pub fn poll_frame(
        &mut self,
        decoder: &mut Decoder,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        loop {
            match decoder.next(&mut self.inbox) {
                Ok(Next::Piece(piece)) => return Poll::Ready(Some(Ok(Frame::data(piece)))),
                Ok(Next::Trailers(fields)) => return Poll::Ready(Some(Ok(Frame::trailers(fields)))),
                Ok(Next::Over) => return Poll::Ready(None),
                Ok(Next::More) => {}
                Err(failure) => return Poll::Ready(Some(Err(failure))),
            }
            match ready!(self.poll_more(cx)) {
                Ok(0) if decoder.ends() => return Poll::Ready(None),
                Ok(0) => return Poll::Ready(Some(Err(Failure::Reset))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(fault::of(&error)))),
            }
        }
    }

    fn make_room(&mut self) {
        if self.inbox.capacity() - self.inbox.len() < ROOM_LEAST_BYTES {
            self.inbox.reserve(READ_BYTES);
        }
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.make_room();
        pin!(self.carrier.read_buf(&mut self.inbox)).poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn what_comes_behind_an_answer_without_a_body_is_seen_though_the_runtime_has_not_heard_of_it() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut origin = listener.accept().unwrap().0;
        let mut own = Own::new(Carrier::Clear(stream));
        own.begins();
        own.was_answered(true);
        assert!(own.is_quiet() && own.is_clean());
        // From here on the runtime is not asked.
        origin.write_all(b"HTTP/1.1 200 OK\r\n").unwrap();
        assert!(!own.is_quiet());
    }
}
