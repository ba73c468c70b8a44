//! Who is waiting for whom: each connection's seat, and the sweep that ends those which keep us waiting.
//!
//! hyper has no idle limit for HTTP/2, and its limits for HTTP/1 arm a timer a request. Here a connection only notes
//! the second of its last byte, and how many there were; once a second one sweep a core looks at all of them.

mod seat;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

pub use self::seat::{Hold, Owed, Seat};
pub use self::stream::Watched;
use super::budget::Place;
use super::patience::{Pace, Patience};
use super::turned_away::{Reason, TurnedAway};
use crate::base::clock::thread_time;

/// So many connections, or this part of all that are to be ended where that is more, are ended at once: the kernel needs some 0.1 ms to
/// throw away what a slow reader has not taken, and whoever asks meanwhile waits.
const ENDED_AT_ONCE: usize = 16;
const ENDED_PART: usize = 64;

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

/// Whether it is time to stop.
#[derive(Default)]
struct Drain {
    has_begun: AtomicBool,
    began: AtomicU32,
}

/// All seats of a core.
pub struct Seats {
    room: Arc<Room>,
    taken: Mutex<Vec<Taken>>,
    ending: Mutex<Vec<Ending>>,
    /// Somebody is to be ended.
    is_ending: Notify,
}

/// A seat that is taken.
struct Taken {
    seat: Weak<Seat>,
    task: AbortHandle,
    /// While something waits: few have it at any time.
    paces: Option<Box<Paces>>,
}

/// Whoever is over a limit, until he is ended.
struct Ending {
    taken: Taken,
    /// He was too slow; else it is looked at again whether he is over it.
    pace: Option<Reason>,
}

/// How a client keeps pace.
#[derive(Default)]
struct Paces {
    sending: Pace,
    receiving: Pace,
    leaving: Leaving,
}

/// What of the last answer is on its way, as it was when room was looked for.
#[derive(Default)]
struct Leaving {
    pace: Pace,
    /// Since this tick the connection has said nothing.
    silent: u32,
    /// Tick + 1 of the last look; 0 before the first.
    seen: u32,
}

impl Seats {
    pub fn new(patience: Patience, turned_away: Arc<TurnedAway>, connections: Gauge) -> Seats {
        let (ticks, drain) = (AtomicU32::new(0), Drain::default());
        let room = Arc::new(Room { ticks, meter: Arc::default(), patience, turned_away, connections, drain });
        Seats { room, taken: Mutex::default(), ending: Mutex::default(), is_ending: Notify::new() }
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
    pub fn take(&self, place: Option<Place>) -> Arc<Seat> {
        Arc::new(Seat::new(&self.room, place))
    }

    /// The task that the sweep may end.
    pub fn watch(&self, seat: &Arc<Seat>, task: AbortHandle) {
        if let Ok(mut taken) = self.taken.lock() {
            let seat = Arc::downgrade(seat);
            taken.push(Taken { seat, task, paces: None });
        }
    }

    /// One second has passed: every connection that is over a limit is to be ended. It waits for nobody: limits, rates and the
    /// watchdog go by it, however busy the core is.
    pub fn sweep(&self) {
        let now = self.room.ticks.fetch_add(1, Relaxed) + 1;
        self.room.meter.worked.store(u64::try_from(thread_time().as_nanos()).unwrap_or(u64::MAX), Relaxed);
        let (Ok(mut taken), Ok(mut ending)) = (self.taken.lock(), self.ending.lock()) else { return };
        let mut n = 0;
        while let Some(one) = taken.get_mut(n) {
            let Some(seat) = one.seat.upgrade() else {
                taken.swap_remove(n);
                continue;
            };
            let is_over = seat.over(now).is_some();
            let pace = if is_over { None } else { one.out_of_pace(&seat, now) };
            if is_over || pace.is_some() {
                ending.push(Ending { taken: taken.swap_remove(n), pace });
            } else {
                n += 1;
            }
        }
        if !ending.is_empty() {
            self.is_ending.notify_one();
        }
    }

    /// Ends those who are to be, for ever, a few at a time: in between, all others have their turns.
    pub async fn end(&self) {
        loop {
            self.is_ending.notified().await;
            while self.end_some() {
                tokio::task::yield_now().await;
            }
        }
    }

    /// False once there are no more.
    fn end_some(&self) -> bool {
        let now = self.room.ticks.load(Relaxed);
        let Ok(mut ending) = self.ending.lock() else { return false };
        let first = ending.len().saturating_sub(ENDED_AT_ONCE.max(ending.len() / ENDED_PART));
        let some: Vec<Ending> = ending.drain(first..).collect();
        let (has_more, mut back) = (!ending.is_empty(), Vec::new());
        drop(ending);
        for Ending { taken, pace } in some {
            let Some(seat) = taken.seat.upgrade() else { continue };
            match pace.map(Some).or_else(|| seat.over(now)) {
                Some(reason) => {
                    reason.into_iter().for_each(|reason| self.room.turned_away.count(reason));
                    taken.task.abort();
                }
                // He has spoken meanwhile.
                None => back.push(taken),
            }
        }
        self.taken.lock().into_iter().for_each(|mut all| all.append(&mut back));
        has_more
    }

    /// Ends those `count` connections whose clients have been idle for longest, never one with a request under way or an answer on
    /// its way. How many it has found.
    pub fn shed(&self, count: usize) -> usize {
        let now = self.room.ticks.load(Relaxed);
        let Ok(mut taken) = self.taken.lock() else { return 0 };
        let mut idle: Vec<_> = taken.iter().enumerate().filter_map(|(n, one)| Some((one.idle(now)?, n))).collect();
        let mut ended = Vec::new();
        while ended.len() < count && !idle.is_empty() {
            let oldest = count.min(idle.len());
            idle.select_nth_unstable_by(oldest - 1, |a, b| b.cmp(a));
            idle[..oldest].sort_unstable_by(|a, b| b.cmp(a));
            // The kernel is asked about these alone.
            for (_, n) in idle.drain(..oldest) {
                if ended.len() < count && !taken[n].is_leaving(now) {
                    ended.push(n);
                }
            }
        }
        // From the last place on: whoever fills it has been judged.
        ended.sort_unstable_by_key(|n| std::cmp::Reverse(*n));
        for n in &ended {
            self.room.turned_away.count(Reason::Shed);
            taken.swap_remove(*n).task.abort();
        }
        ended.len()
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
        let Ok(taken) = self.taken.lock() else { return };
        taken.iter().filter_map(|taken| taken.seat.upgrade()).for_each(|seat| seat.tell());
    }
}

impl Taken {
    /// Seconds for which its client has been idle; `None` while something is under way, or was in this second.
    fn idle(&self, now: u32) -> Option<u32> {
        if self.paces.as_ref().is_some_and(|paces| paces.leaving.seen == now + 1) {
            return None;
        }
        self.seat.upgrade().and_then(|seat| seat.idle(now))
    }

    /// Whether what was written last is still on its way, and moves. Asked once a second at most.
    fn is_leaving(&mut self, now: u32) -> bool {
        let Some(seat) = self.seat.upgrade() else { return false };
        let left = seat.unacknowledged();
        if left == 0 && self.paces.is_none() {
            return false;
        }
        let Leaving { pace, silent, seen } = &mut self.paces.get_or_insert_default().leaving;
        let since = seat.last();
        if std::mem::replace(silent, since) != since {
            *pace = Pace::default();
        }
        let Patience { send_rate, window_s, .. } = seat.room.patience;
        let is_leaving = left > 0 && !pace.is_slow(true, now, seat.written() - left, (send_rate, window_s));
        *seen = if is_leaving { now + 1 } else { 0 };
        is_leaving
    }

    /// Whether what waits for the client moves too slowly.
    fn out_of_pace(&mut self, seat: &Seat, now: u32) -> Option<Reason> {
        let Patience { send_rate, receive_rate, window_s, .. } = seat.room.patience;
        let (owes, expects) = (seat.waits_to_send(), seat.expected.load(Relaxed) > 0);
        if !owes && !expects && self.paces.as_ref().is_none_or(|paces| paces.leaving.seen == 0) {
            self.paces = None;
            return None;
        }
        let paces = self.paces.get_or_insert_default();
        if paces.sending.is_slow(owes, now, seat.arrived(), (send_rate, window_s)) {
            // Nobody takes what is left.
            seat.is_cut.store(true, Relaxed);
            return Some(Reason::SendRate);
        }
        let is_slow = paces.receiving.is_slow(expects, now, seat.came.load(Relaxed), (receive_rate, window_s));
        is_slow.then_some(Reason::ReceiveRate)
    }
}
