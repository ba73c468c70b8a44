//! Drives a connection's core over a stream. A connection on which nothing moves holds no buffer: what is read into and written from
//! is its core's.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::answers::Counter;
use super::connection::{Answers, Connection};
use super::hpack::Block;
use super::outbox::Outbox;
use crate::http::plain;
use crate::http::service::Service;

/// What is read at once: a whole TLS record.
const READ_BYTES: usize = 16 << 10;

/// What all connections of a core use in turn.
#[derive(Default)]
struct Desk {
    inbox: Vec<u8>,
    block: Block,
    spare: Outbox,
}

thread_local!(static DESK: RefCell<Desk> = RefCell::default());

/// Serves `stream` until it ends.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, service: Service) -> io::Result<()> {
    let seconds = || service.site.rhythm.clock.elapsed().as_secs();
    let now_s = || u32::try_from(seconds()).unwrap_or(u32::MAX);
    let mut stream = stream;
    if drive(&mut stream, Counter::new(&service), now_s, service.seat.drained()).await? == Last::Ours {
        // Whoever still speaks, as he does who makes room bit by bit, would have the connection reset, and what is on its way lost.
        return plain::linger_while(&mut stream, || service.seat.is_leaving()).await.map(drop);
    }
    stream.shutdown().await
}

/// Who has the last word on a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Last {
    /// The client has ended his side.
    Theirs,
    Ours,
}

/// The same for whatever answers; `now_s` is any clock's second, and once `drained` is over nothing new is taken on.
pub async fn drive<S, A>(stream: S, answers: A, now_s: impl Fn() -> u32, drained: impl Future) -> io::Result<Last>
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Answers,
{
    let mut drained = pin!(drained);
    let mut is_draining = false;
    let connection = Connection::new(now_s());
    let mut driver = Driver { connection, stream, answers, now_s, has_ended: false };
    poll_fn(|cx| {
        if !is_draining && drained.as_mut().poll(cx).is_ready() {
            is_draining = true;
            driver.connection.drain();
        }
        DESK.with_borrow_mut(|desk| driver.poll(cx, desk))
    })
    .await?;
    Ok(if driver.has_ended { Last::Theirs } else { Last::Ours })
}

/// One connection under way.
struct Driver<S, A: Answers, N> {
    connection: Connection<A::Exchange>,
    stream: S,
    answers: A,
    now_s: N,
    /// Nothing more comes. What was asked before is still answered: who has said all may listen (RFC 9113, 5.1).
    has_ended: bool,
}

impl<S, A, N> Driver<S, A, N>
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Answers,
    N: Fn() -> u32,
{
    fn poll(&mut self, cx: &mut Context<'_>, desk: &mut Desk) -> Poll<io::Result<()>> {
        self.connection.outbox.borrow(&mut desk.spare);
        let polled = self.go_on(cx, desk);
        self.connection.outbox.give_back(&mut desk.spare);
        polled
    }

    /// Reads all that has come, answers it, and writes all that is ready at once; and again, until nothing moves.
    fn go_on(&mut self, cx: &mut Context<'_>, desk: &mut Desk) -> Poll<io::Result<()>> {
        let mut is_quiet = false;
        loop {
            while !is_quiet && !self.has_ended && !self.connection.is_over() && !self.connection.outbox.is_full() {
                is_quiet = self.read(cx, desk)?.is_pending();
            }
            self.connection.fill(cx.waker());
            let is_over = self.connection.is_over() || self.has_ended && !self.connection.is_under_way();
            if self.connection.outbox.is_empty() {
                ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
                self.answers.waits(self.connection.waits_for_room());
                return if is_over { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
            ready!(self.connection.outbox.poll_send(cx, &mut self.stream))?;
        }
    }

    fn read(&mut self, cx: &mut Context<'_>, desk: &mut Desk) -> io::Result<Poll<()>> {
        let Desk { inbox, block, .. } = desk;
        let now_s = (self.now_s)();
        if self.connection.has_more() {
            self.connection.receive(&[], now_s, block, &mut self.answers);
            return Ok(Poll::Ready(()));
        }
        inbox.resize(READ_BYTES, 0);
        let mut room = ReadBuf::new(inbox);
        match Pin::new(&mut self.stream).poll_read(cx, &mut room) {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(read) => read?,
        }
        match room.filled() {
            [] => {
                self.has_ended = true;
                self.connection.hears_no_more();
            }
            bytes => self.connection.receive(bytes, now_s, block, &mut self.answers),
        }
        Ok(Poll::Ready(()))
    }
}
