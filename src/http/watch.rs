//! Who is waiting for whom: each connection's seat, and the sweep that ends those which keep us waiting.
//!
//! hyper has no idle limit for HTTP/2, and its limits for HTTP/1 arm a timer a request. Here a connection only notes
//! the second of its last byte; once a second one sweep a core looks at all of them.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::base::clock::thread_time;

/// A whole request head has to come within this many seconds of its first byte, and a TLS handshake of its own.
pub const HEAD_LIMIT_S: u32 = 10;
/// A connection on which nothing moves, either way, is closed after this many seconds: browsers keep theirs for a
/// minute or more and open a new one without anybody noticing.
pub const IDLE_LIMIT_S: u32 = 75;

/// Once it is time to stop, who has not asked yet has this many seconds: a handshake and a request are under way.
pub const FIRST_REQUEST_LIMIT_S: u32 = 2;

/// What a core counts.
#[derive(Default)]
pub struct Meter {
    /// Seconds since it started; moved by the sweep alone, so that nobody else reads a clock.
    ticks: AtomicU32,
    /// Bytes that its connections have sent, TLS's own among them.
    sent: AtomicU64,
    /// Nanoseconds that its thread has worked, at the last sweep.
    worked: AtomicU64,
}

impl Meter {
    /// Bytes sent, and the time that the thread has worked, so far.
    pub fn read(&self) -> (u64, Duration) {
        (self.sent.load(Relaxed), Duration::from_nanos(self.worked.load(Relaxed)))
    }
}

/// Whether it is time to stop, and who wants to be told.
#[derive(Default)]
struct Drain {
    has_begun: AtomicBool,
    began: AtomicU32,
    told: Notify,
}

/// What a connection notes for the sweep.
pub struct Seat {
    meter: Arc<Meter>,
    /// Tick of the last byte in or out.
    moved: AtomicU32,
    /// Tick + 1 of the first byte that no answered request accounts for; 0 while there is none.
    asking: AtomicU32,
    requests: AtomicU32,
    /// What is under way and lasts: bytes that come meanwhile belong to it, or to a request that is not looked at yet.
    held: AtomicU32,
    /// An answer has said that it is the last.
    has_said_close: AtomicBool,
    /// HTTP/2 frames come without being a request's head; there only the idle limit holds.
    is_multiplexed: AtomicBool,
    drain: Arc<Drain>,
}

/// All seats of a core.
pub struct Seats {
    meter: Arc<Meter>,
    drain: Arc<Drain>,
    taken: Mutex<Vec<(Weak<Seat>, AbortHandle)>>,
}

impl Seats {
    pub fn new() -> Seats {
        Seats { meter: Arc::default(), drain: Arc::default(), taken: Mutex::default() }
    }

    /// What the core counts.
    pub fn meter(&self) -> Arc<Meter> {
        self.meter.clone()
    }

    /// A seat for a connection that was just accepted: it is asked for its first head from now on.
    pub fn take(&self) -> Arc<Seat> {
        let now = self.meter.ticks.load(Relaxed);
        Arc::new(Seat {
            meter: self.meter.clone(),
            moved: AtomicU32::new(now),
            asking: AtomicU32::new(now + 1),
            requests: AtomicU32::new(0),
            held: AtomicU32::new(0),
            has_said_close: AtomicBool::new(false),
            is_multiplexed: AtomicBool::new(false),
            drain: self.drain.clone(),
        })
    }

    /// The task that the sweep may end.
    pub fn watch(&self, seat: &Arc<Seat>, task: AbortHandle) {
        if let Ok(mut taken) = self.taken.lock() {
            taken.push((Arc::downgrade(seat), task));
        }
    }

    /// One second has passed: ends every connection that is over a limit.
    pub fn sweep(&self) {
        let now = self.meter.ticks.fetch_add(1, Relaxed) + 1;
        self.meter.worked.store(u64::try_from(thread_time().as_nanos()).unwrap_or(u64::MAX), Relaxed);
        let Ok(mut taken) = self.taken.lock() else { return };
        taken.retain(|(seat, task)| match seat.upgrade() {
            None => false,
            Some(seat) if seat.is_over(now) => {
                task.abort();
                false
            }
            Some(_) => true,
        });
    }

    /// From now on responses end their connection, and whoever has not asked yet is not waited for long.
    pub fn drain(&self) {
        self.drain.began.store(self.meter.ticks.load(Relaxed), Relaxed);
        self.drain.has_begun.store(true, SeqCst);
        self.drain.told.notify_waiters();
    }
}

impl Seat {
    fn is_over(&self, now: u32) -> bool {
        let asking = self.asking.load(Relaxed);
        let is_slow = asking != 0 && now + 1 - asking > HEAD_LIMIT_S && !self.is_multiplexed.load(Relaxed);
        // hyper waits in a graceful shutdown for the first request of a silent connection (hyperium/hyper#2730).
        let waited = now.saturating_sub(self.drain.began.load(Relaxed));
        let is_silent = self.is_draining() && self.requests.load(Relaxed) == 0 && waited > FIRST_REQUEST_LIMIT_S;
        is_slow || is_silent || now - self.moved.load(Relaxed) > IDLE_LIMIT_S
    }

    fn came(&self) {
        let now = self.meter.ticks.load(Relaxed);
        self.moved.store(now, Relaxed);
        if self.asking.load(Relaxed) == 0 && self.held.load(Relaxed) == 0 {
            self.asking.store(now + 1, Relaxed);
        }
    }

    fn went(&self, bytes: usize) {
        self.meter.sent.fetch_add(bytes as u64, Relaxed);
        self.moved.store(self.meter.ticks.load(Relaxed), Relaxed);
    }

    /// A whole request has come.
    pub fn asked(&self) {
        self.asking.store(0, Relaxed);
        self.requests.store(1, Relaxed);
    }

    /// From now on, until what is returned is dropped, no head is waited for; the idle limit holds.
    pub fn hold(self: &Arc<Self>) -> Hold {
        self.held.fetch_add(1, Relaxed);
        Hold(self.clone())
    }

    /// True once a whole request has come.
    pub fn has_asked(&self) -> bool {
        self.requests.load(Relaxed) != 0
    }

    pub fn is_multiplexed(&self) {
        self.is_multiplexed.store(true, Relaxed);
    }

    pub fn says_close(&self) {
        self.has_said_close.store(true, Relaxed);
    }

    pub fn has_said_close(&self) -> bool {
        self.has_said_close.load(Relaxed)
    }

    pub fn is_draining(&self) -> bool {
        self.drain.has_begun.load(SeqCst)
    }

    /// Resolves when it is time to stop; at once where it is already.
    pub async fn drained(&self) {
        // In this order: whoever is here before the flag is set is told.
        let told = self.drain.told.notified();
        if !self.is_draining() {
            told.await;
        }
    }
}

/// See [`Seat::hold`].
pub struct Hold(Arc<Seat>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Relaxed);
    }
}

/// A stream whose bytes are noted on its seat.
pub struct Watched<S> {
    stream: S,
    seat: Arc<Seat>,
}

impl<S> Watched<S> {
    pub fn new(stream: S, seat: Arc<Seat>) -> Watched<S> {
        Watched { stream, seat }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.seat.came();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(bytes @ 1..)) = polled {
            self.seat.went(bytes);
        }
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        if let Poll::Ready(Ok(bytes @ 1..)) = polled {
            self.seat.went(bytes);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(seats: &Seats, times: u32) {
        for _ in 0..times {
            seats.sweep();
        }
    }

    fn is_over(seats: &Seats, seat: &Seat) -> bool {
        seat.is_over(seats.meter.ticks.load(Relaxed))
    }

    #[test]
    fn a_head_that_drips_in_is_not_waited_for() {
        let seats = Seats::new();
        let seat = seats.take();
        for _ in 0..HEAD_LIMIT_S {
            seat.came();
            assert!(!is_over(&seats, &seat));
            tick(&seats, 1);
        }
        seat.came();
        tick(&seats, 1);
        assert!(is_over(&seats, &seat));
        seat.asked();
        assert!(!is_over(&seats, &seat), "it was complete after all");
    }

    #[test]
    fn the_limit_of_a_head_starts_with_its_first_byte() {
        let seats = Seats::new();
        let seat = seats.take();
        seat.asked();
        seat.went(1);
        tick(&seats, IDLE_LIMIT_S);
        assert!(!is_over(&seats, &seat));
        seat.came();
        tick(&seats, HEAD_LIMIT_S);
        assert!(!is_over(&seats, &seat));
        tick(&seats, 1);
        assert!(is_over(&seats, &seat));
    }

    #[test]
    fn a_body_may_take_longer_than_a_head() {
        let seats = Seats::new();
        let seat = seats.take();
        seat.asked();
        let (hold, other) = (seat.hold(), seat.hold());
        drop(other);
        for _ in 0..HEAD_LIMIT_S * 3 {
            seat.came();
            tick(&seats, 1);
            assert!(!is_over(&seats, &seat));
        }
        drop(hold);
        seat.came();
        tick(&seats, HEAD_LIMIT_S + 1);
        assert!(is_over(&seats, &seat), "the next head");
    }

    #[test]
    fn an_idle_connection_ends_whatever_its_protocol() {
        let seats = Seats::new();
        let seat = seats.take();
        seat.is_multiplexed();
        seat.came();
        tick(&seats, IDLE_LIMIT_S);
        assert!(!is_over(&seats, &seat));
        tick(&seats, 1);
        assert!(is_over(&seats, &seat));
    }

    #[test]
    fn draining_does_not_wait_for_who_never_asked() {
        let seats = Seats::new();
        let (silent, busy) = (seats.take(), seats.take());
        busy.asked();
        tick(&seats, 1);
        seats.drain();
        tick(&seats, FIRST_REQUEST_LIMIT_S);
        assert!(!is_over(&seats, &silent), "its request may be on its way");
        tick(&seats, 1);
        assert!(is_over(&seats, &silent));
        assert!(!is_over(&seats, &busy));
    }
}
