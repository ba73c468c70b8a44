//! Who is waiting for whom: each connection's seat, and the sweep that ends those which keep us waiting.
//!
//! hyper has no idle limit for HTTP/2, and its limits for HTTP/1 arm a timer a request. Here a connection only notes
//! the second of its last byte, and how many there were; once a second one sweep a core looks at all of them.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use http::StatusCode;
use prometheus_client::metrics::gauge::Gauge;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::last::{Last, Part};
use super::patience::{Pace, Patience};
use super::turned_away::{Reason, TurnedAway};
use crate::base::clock::thread_time;
use crate::base::unacknowledged::unacknowledged;

/// Once it is time to stop, who has not asked yet has this many seconds: a handshake and a request are under way.
pub const FIRST_REQUEST_LIMIT_S: u32 = 2;
/// Where others find no room, a head or a handshake that has not come whole after this many seconds counts as idle: three
/// round trips of a phone far from its cell fit.
const LATE_S: u32 = 2;
/// And so does who has been silent for this many seconds.
const SILENT_S: u32 = 1;
/// No socket.
const NONE: RawFd = -1;

/// What a core has done so far.
#[derive(Default)]
pub struct Meter {
    /// Bytes that its connections have sent, TLS's own among them.
    sent: AtomicU64,
    /// Nanoseconds that its thread has worked, at the last sweep.
    worked: AtomicU64,
}

impl Meter {
    /// Bytes sent, and the time that the thread has worked.
    pub fn read(&self) -> (u64, Duration) {
        (self.sent.load(Relaxed), Duration::from_nanos(self.worked.load(Relaxed)))
    }
}

/// What all seats of a core share.
struct Room {
    /// Seconds since the core started; moved by the sweep alone, so that nobody else reads a clock.
    ticks: AtomicU32,
    meter: Arc<Meter>,
    patience: Patience,
    turned_away: Arc<TurnedAway>,
    connections: Gauge,
    drain: Drain,
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
    room: Arc<Room>,
    /// Tick of the last byte in or out.
    moved: AtomicU32,
    /// Tick + 1 of the first byte that no answered request accounts for; 0 while there is none.
    asking: AtomicU32,
    /// What is under way and lasts: bytes that come meanwhile belong to it, or to a request that is not looked at yet.
    held: AtomicU32,
    /// Bodies that wait until their client has room for more of them (RFC 9113, 5.2).
    owed: AtomicU32,
    /// Requests' bodies of which more is waited for.
    expected: AtomicU32,
    /// Bytes on the wire, in and out.
    came: AtomicU64,
    went: AtomicU64,
    /// The socket, for as long as it is open.
    socket: AtomicI32,
    /// What is written waits for room in the socket.
    is_blocked: AtomicBool,
    /// There is nothing yet but a handshake.
    shakes_hands: AtomicBool,
    /// A whole request has come.
    has_asked: AtomicBool,
    /// An answer has said that it is the last.
    has_said_close: AtomicBool,
    /// HTTP/2 frames come without being a request's head; there only the idle limit holds.
    is_multiplexed: AtomicBool,
    /// What still lies in the socket is for nobody.
    is_cut: AtomicBool,
}

/// All seats of a core.
pub struct Seats {
    room: Arc<Room>,
    taken: Mutex<Vec<Taken>>,
}

/// A seat that is taken, and how its client keeps pace.
struct Taken {
    seat: Weak<Seat>,
    task: AbortHandle,
    sending: Pace,
    receiving: Pace,
}

/// Why a connection is ended: a reason to be counted, or none where it is nobody's fault.
type Over = Option<Reason>;

impl Seats {
    pub fn new(patience: Patience, turned_away: Arc<TurnedAway>, connections: Gauge) -> Seats {
        let (ticks, drain) = (AtomicU32::new(0), Drain::default());
        let room = Arc::new(Room { ticks, meter: Arc::default(), patience, turned_away, connections, drain });
        Seats { room, taken: Mutex::default() }
    }

    pub fn meter(&self) -> Arc<Meter> {
        self.room.meter.clone()
    }

    /// With all defaults.
    #[cfg(test)]
    pub fn for_test() -> Seats {
        let metrics = crate::record::Metrics::new();
        Seats::new(Patience::default(), Arc::new(TurnedAway::new(&metrics)), metrics.connections())
    }

    /// A seat for a connection that was just accepted: it is asked for its first head from now on.
    pub fn take(&self) -> Arc<Seat> {
        let now = self.room.ticks.load(Relaxed);
        self.room.connections.inc();
        Arc::new(Seat {
            room: self.room.clone(),
            moved: AtomicU32::new(now),
            asking: AtomicU32::new(now + 1),
            held: AtomicU32::new(0),
            owed: AtomicU32::new(0),
            expected: AtomicU32::new(0),
            came: AtomicU64::new(0),
            went: AtomicU64::new(0),
            socket: AtomicI32::new(NONE),
            is_blocked: AtomicBool::new(false),
            shakes_hands: AtomicBool::new(false),
            has_asked: AtomicBool::new(false),
            has_said_close: AtomicBool::new(false),
            is_multiplexed: AtomicBool::new(false),
            is_cut: AtomicBool::new(false),
        })
    }

    /// The task that the sweep may end.
    pub fn watch(&self, seat: &Arc<Seat>, task: AbortHandle) {
        if let Ok(mut taken) = self.taken.lock() {
            let seat = Arc::downgrade(seat);
            taken.push(Taken { seat, task, sending: Pace::default(), receiving: Pace::default() });
        }
    }

    /// One second has passed: ends every connection that is over a limit.
    pub fn sweep(&self) {
        let now = self.room.ticks.fetch_add(1, Relaxed) + 1;
        self.room.meter.worked.store(u64::try_from(thread_time().as_nanos()).unwrap_or(u64::MAX), Relaxed);
        let Ok(mut taken) = self.taken.lock() else { return };
        taken.retain_mut(|taken| {
            let Some(seat) = taken.seat.upgrade() else { return false };
            let Some(over) = seat.over(now).or_else(|| taken.out_of_pace(&seat, now)) else { return true };
            if let Some(reason) = over {
                self.room.turned_away.count(reason);
            }
            taken.task.abort();
            false
        });
    }

    /// Ends those `count` connections whose clients have been idle for longest, never one with a request under way. How many
    /// it has found.
    pub fn shed(&self, count: usize) -> usize {
        let now = self.room.ticks.load(Relaxed);
        let Ok(mut taken) = self.taken.lock() else { return 0 };
        let idle = |taken: &Taken| taken.seat.upgrade().and_then(|seat| seat.idle(now));
        let mut idle: Vec<_> = taken.iter().enumerate().filter_map(|(n, one)| Some((idle(one)?, n))).collect();
        let count = count.min(idle.len());
        if count > 0 && count < idle.len() {
            idle.select_nth_unstable_by(count - 1, |a, b| b.cmp(a));
        }
        idle.truncate(count);
        // From the last place on: whoever fills it has been judged.
        idle.sort_unstable_by_key(|(_, n)| std::cmp::Reverse(*n));
        for (_, n) in idle {
            self.room.turned_away.count(Reason::Shed);
            taken.swap_remove(n).task.abort();
        }
        count
    }

    /// Who comes has to wait, for there are no descriptors.
    pub fn ran_out(&self) {
        self.room.turned_away.count(Reason::Descriptors);
    }

    /// From now on responses end their connection, and whoever has not asked yet is not waited for long.
    pub fn drain(&self) {
        let drain = &self.room.drain;
        drain.began.store(self.room.ticks.load(Relaxed), Relaxed);
        drain.has_begun.store(true, SeqCst);
        drain.told.notify_waiters();
    }
}

impl Taken {
    /// Whether what waits for the client moves too slowly.
    fn out_of_pace(&mut self, seat: &Seat, now: u32) -> Option<Over> {
        let Patience { send_rate, receive_rate, window_s, .. } = seat.room.patience;
        if self.sending.is_slow(seat.waits_to_send(), now, seat.arrived(), (send_rate, window_s)) {
            // Nobody takes what is left.
            seat.is_cut.store(true, Relaxed);
            return Some(Some(Reason::SendRate));
        }
        let expects = seat.expected.load(Relaxed) > 0;
        let is_slow = self.receiving.is_slow(expects, now, seat.came.load(Relaxed), (receive_rate, window_s));
        is_slow.then_some(Some(Reason::ReceiveRate))
    }
}

impl Seat {
    fn over(&self, now: u32) -> Option<Over> {
        let Patience { head_s, handshake_s, idle_s, .. } = self.room.patience;
        if let Some(waited) = self.asking_for(now) {
            match self.shakes_hands.load(Relaxed) {
                true if waited > handshake_s => return Some(Some(Reason::Handshake)),
                false if waited > head_s => return Some(Some(Reason::Head)),
                _ => {}
            }
        }
        // hyper waits in a graceful shutdown for the first request of a silent connection (hyperium/hyper#2730).
        let waited = now.saturating_sub(self.room.drain.began.load(Relaxed));
        let is_silent = self.is_draining() && !self.has_asked() && waited > FIRST_REQUEST_LIMIT_S;
        (is_silent || now - self.moved.load(Relaxed) > idle_s).then_some(None)
    }

    /// Seconds since a head or a handshake began, where one is waited for.
    fn asking_for(&self, now: u32) -> Option<u32> {
        let asking = self.asking.load(Relaxed);
        let is_awaited = asking != 0 && !self.is_multiplexed.load(Relaxed);
        is_awaited.then(|| (now + 1).saturating_sub(asking))
    }

    /// Seconds for which its client has been idle; `None` while something is under way.
    fn idle(&self, now: u32) -> Option<u32> {
        let is_busy = [&self.held, &self.owed, &self.expected].iter().any(|count| count.load(Relaxed) > 0);
        if is_busy || self.is_blocked.load(Relaxed) {
            return None;
        }
        match self.asking_for(now) {
            Some(waited) => Some(waited).filter(|waited| *waited > LATE_S),
            None => Some(now.saturating_sub(self.moved.load(Relaxed))).filter(|silent| *silent > SILENT_S),
        }
    }

    fn waits_to_send(&self) -> bool {
        self.is_blocked.load(Relaxed) || self.owed.load(Relaxed) > 0
    }

    /// Bytes that the client's machine has taken.
    fn arrived(&self) -> u64 {
        let went = self.went.load(Relaxed);
        let socket = self.socket.load(Relaxed);
        if !self.waits_to_send() || socket == NONE {
            return went;
        }
        went.saturating_sub(unacknowledged(socket).unwrap_or(0).into())
    }

    /// So many bytes have come.
    pub fn came(&self, bytes: usize) {
        let now = self.room.ticks.load(Relaxed);
        self.moved.store(now, Relaxed);
        self.came.fetch_add(bytes as u64, Relaxed);
        if self.asking.load(Relaxed) == 0 && self.held.load(Relaxed) == 0 {
            self.asking.store(now + 1, Relaxed);
        }
    }

    /// So many bytes were written.
    pub fn went(&self, bytes: usize) {
        self.moved.store(self.room.ticks.load(Relaxed), Relaxed);
        self.went.fetch_add(bytes as u64, Relaxed);
        self.room.meter.sent.fetch_add(bytes as u64, Relaxed);
    }

    /// Whether what is to be written waits for room in the socket.
    pub fn is_blocked(&self, is_blocked: bool) {
        self.is_blocked.store(is_blocked, Relaxed);
    }

    /// Something else than requests comes first.
    pub fn shakes_hands(&self) {
        self.shakes_hands.store(true, Relaxed);
    }

    /// From now on a head is waited for.
    pub fn has_shaken_hands(&self) {
        self.asking.store(self.room.ticks.load(Relaxed) + 1, Relaxed);
        self.shakes_hands.store(false, Relaxed);
    }

    /// A whole request has come.
    pub fn asked(&self) {
        self.asking.store(0, Relaxed);
        self.has_asked.store(true, Relaxed);
    }

    /// From now on, until what is returned is dropped, no head is waited for; the idle limit holds.
    pub fn hold(self: &Arc<Self>) -> Hold {
        self.held.fetch_add(1, Relaxed);
        Hold(self.clone())
    }

    /// From now on, until what is returned is dropped, a body waits for its client to make room, and the pace is kept.
    pub fn owe(self: &Arc<Self>) -> Owed {
        self.owed.fetch_add(1, Relaxed);
        Owed(self.clone())
    }

    /// True once a whole request has come.
    pub fn has_asked(&self) -> bool {
        self.has_asked.load(Relaxed)
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
        self.room.drain.has_begun.load(SeqCst)
    }

    /// Something of this connection is refused.
    pub fn turned_away(&self, reason: Reason) {
        self.room.turned_away.count(reason);
    }

    /// An answer of ours with this status goes out.
    pub fn answered(&self, status: StatusCode) {
        if let Some(reason) = Reason::of(status) {
            self.turned_away(reason);
        }
    }

    /// Resolves when it is time to stop; at once where it is already.
    pub async fn drained(&self) {
        // In this order: whoever is here before the flag is set is told.
        let told = self.room.drain.told.notified();
        if !self.is_draining() {
            told.await;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.connections.dec();
    }
}

/// See [`Seat::hold`].
pub struct Hold(Arc<Seat>);

impl Hold {
    /// A body of the request is waited for, or is no longer.
    pub fn expects(&self, is_awaited: bool) {
        match is_awaited {
            true => self.0.expected.fetch_add(1, Relaxed),
            false => self.0.expected.fetch_sub(1, Relaxed),
        };
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Relaxed);
    }
}

/// See [`Seat::owe`].
pub struct Owed(Arc<Seat>);

impl Drop for Owed {
    fn drop(&mut self) {
        self.0.owed.fetch_sub(1, Relaxed);
    }
}

/// A socket whose bytes are noted on its seat.
pub struct Watched<S: AsFd> {
    stream: S,
    seat: Arc<Seat>,
}

impl<S: AsFd> Watched<S> {
    pub fn new(stream: S, seat: Arc<Seat>) -> Watched<S> {
        seat.socket.store(stream.as_fd().as_raw_fd(), Relaxed);
        Watched { stream, seat }
    }

    fn wrote(&self, polled: &Poll<io::Result<usize>>) {
        self.seat.is_blocked(polled.is_pending());
        if let Poll::Ready(Ok(bytes @ 1..)) = polled {
            self.seat.went(*bytes);
        }
    }
}

impl<S: AsFd> Drop for Watched<S> {
    fn drop(&mut self) {
        // Before the socket closes: its number may be another's at once.
        self.seat.socket.store(NONE, Relaxed);
        if self.seat.is_cut.load(Relaxed) {
            // Else the kernel would keep for minutes what nobody takes. Where that fails, it does.
            let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        }
    }
}

impl<S: AsyncRead + AsFd + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let bytes = buf.filled().len() - before;
        if bytes > 0 {
            self.seat.came(bytes);
        }
        polled
    }
}

impl<S: AsyncWrite + AsFd + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(&polled);
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

impl<S: Last + AsFd + Unpin> Last for Watched<S> {
    const TAKES_FILES: bool = S::TAKES_FILES;

    fn poll_last(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_last(cx, bufs);
        self.wrote(&polled);
        polled
    }

    fn poll_file(mut self: Pin<&mut Self>, cx: &mut Context<'_>, part: Part<'_>) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_file(cx, part);
        self.wrote(&polled);
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD_LIMIT_S: u32 = 10;
    const IDLE_LIMIT_S: u32 = 75;

    fn tick(seats: &Seats, times: u32) {
        for _ in 0..times {
            seats.sweep();
        }
    }

    fn is_over(seats: &Seats, seat: &Seat) -> bool {
        seat.over(seats.room.ticks.load(Relaxed)).is_some()
    }

    #[test]
    fn a_head_that_drips_in_is_not_waited_for() {
        let seats = Seats::for_test();
        let seat = seats.take();
        for _ in 0..HEAD_LIMIT_S {
            seat.came(1);
            assert!(!is_over(&seats, &seat));
            tick(&seats, 1);
        }
        seat.came(1);
        tick(&seats, 1);
        assert!(is_over(&seats, &seat));
        seat.asked();
        assert!(!is_over(&seats, &seat), "it was complete after all");
    }

    #[test]
    fn the_limit_of_a_head_starts_with_its_first_byte() {
        let seats = Seats::for_test();
        let seat = seats.take();
        seat.asked();
        seat.went(1);
        tick(&seats, IDLE_LIMIT_S);
        assert!(!is_over(&seats, &seat));
        seat.came(1);
        tick(&seats, HEAD_LIMIT_S);
        assert!(!is_over(&seats, &seat));
        tick(&seats, 1);
        assert!(is_over(&seats, &seat));
    }

    #[test]
    fn a_body_may_take_longer_than_a_head() {
        let seats = Seats::for_test();
        let seat = seats.take();
        seat.asked();
        let (hold, other) = (seat.hold(), seat.hold());
        drop(other);
        for _ in 0..HEAD_LIMIT_S * 3 {
            seat.came(1);
            tick(&seats, 1);
            assert!(!is_over(&seats, &seat));
        }
        drop(hold);
        seat.came(1);
        tick(&seats, HEAD_LIMIT_S + 1);
        assert!(is_over(&seats, &seat), "the next head");
    }

    #[test]
    fn an_idle_connection_ends_whatever_its_protocol() {
        let seats = Seats::for_test();
        let seat = seats.take();
        seat.is_multiplexed();
        seat.came(1);
        tick(&seats, IDLE_LIMIT_S);
        assert!(!is_over(&seats, &seat));
        tick(&seats, 1);
        assert!(is_over(&seats, &seat));
    }

    #[test]
    fn draining_does_not_wait_for_who_never_asked() {
        let seats = Seats::for_test();
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

    #[test]
    fn a_handshake_has_a_limit_of_its_own_and_a_head_after_it() {
        let seats = Seats::new(Patience { handshake_s: 3, ..Patience::default() }, turned_away(), Gauge::default());
        let (slow, done) = (seats.take(), seats.take());
        [&slow, &done].into_iter().for_each(|seat| seat.shakes_hands());
        tick(&seats, 3);
        assert!(!is_over(&seats, &slow));
        done.has_shaken_hands();
        tick(&seats, 1);
        assert_eq!(slow.over(4), Some(Some(Reason::Handshake)));
        tick(&seats, HEAD_LIMIT_S - 1);
        assert!(!is_over(&seats, &done));
        tick(&seats, 1);
        assert_eq!(done.over(14), Some(Some(Reason::Head)));
    }

    fn turned_away() -> Arc<TurnedAway> {
        Arc::new(TurnedAway::new(&crate::record::Metrics::new()))
    }

    #[test]
    fn connections_are_counted_while_they_last() {
        let connections = Gauge::default();
        let seats = Seats::new(Patience::default(), turned_away(), connections.clone());
        let taken = [seats.take(), seats.take()];
        assert_eq!(connections.get(), 2);
        drop(taken);
        assert_eq!(connections.get(), 0);
    }

    /// A seat whose connection lasts until it is ended, and whether it was.
    fn seated(seats: &Seats) -> (Arc<Seat>, tokio::task::JoinHandle<()>) {
        let seat = seats.take();
        let task = tokio::spawn(std::future::pending());
        seats.watch(&seat, task.abort_handle());
        (seat, task)
    }

    async fn ended(tasks: &[(Arc<Seat>, tokio::task::JoinHandle<()>)]) -> Vec<bool> {
        tokio::task::yield_now().await;
        tasks.iter().map(|(_, task)| task.is_finished()).collect()
    }

    #[tokio::test]
    async fn the_oldest_idle_make_room_and_nobody_who_is_served() {
        let seats = Seats::for_test();
        let all: Vec<_> = (0..7).map(|_| seated(&seats)).collect();
        let [(idle, _), _older, (held, _), (blocked, _), (owed, _), (drips, _), (fresh, _)] = &all[..] else {
            panic!()
        };
        let _held = (held.hold(), owed.owe());
        all.iter().for_each(|(seat, _)| seat.asked());
        blocked.is_blocked(true);
        assert_eq!(seats.shed(9), 0, "all have come this second");
        tick(&seats, 1);
        drips.came(1);
        tick(&seats, 1);
        idle.went(1);
        tick(&seats, 2);
        // A head that drips in is no work of ours.
        drips.came(1);
        fresh.went(1);
        assert_eq!(seats.shed(1), 1);
        assert_eq!(ended(&all).await, [false, true, false, false, false, false, false]);
        seats.sweep();
        assert_eq!(seats.shed(9), 2);
        assert_eq!(ended(&all).await, [true, true, false, false, false, true, false]);
    }

    #[tokio::test]
    async fn who_takes_too_slowly_is_ended_and_who_takes_enough_is_not() {
        let seats = Seats::for_test();
        let all: Vec<_> = (0..4).map(|_| seated(&seats)).collect();
        let [(drips, _), (takes, _), (stalls, _), (sends, _)] = &all[..] else { panic!() };
        let (hold, _owed) = (sends.hold(), stalls.owe());
        [drips, takes, stalls, sends].into_iter().for_each(|seat| seat.asked());
        [drips, takes].into_iter().for_each(|seat| seat.is_blocked(true));
        hold.expects(true);
        for _ in 0..=Patience::default().window_s {
            drips.went(1);
            takes.went(250);
            // Pings are no progress.
            stalls.went(17);
            sends.came(1);
            seats.sweep();
        }
        assert_eq!(ended(&all).await, [true, false, true, true]);
        assert!(drips.is_cut.load(Relaxed) && !sends.is_cut.load(Relaxed));
        hold.expects(false);
    }
}
