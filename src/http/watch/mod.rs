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
use tokio::task::AbortHandle;

use self::seat::Over;
pub use self::seat::{Hold, Owed, Seat};
pub use self::stream::Watched;
use super::budget::Place;
use super::patience::{Pace, Patience};
use super::turned_away::{Reason, TurnedAway};
use crate::base::clock::thread_time;

/// Connections that one part of a sweep looks at: some 0.3 ms of work where each seat has to be fetched from memory.
const LOOKED_AT_ONCE: usize = 1024;
/// And that it ends: the kernel needs some 0.1 ms to throw away what a slow reader has not taken, and whoever asks meanwhile waits.
const ENDED_AT_ONCE: usize = 16;

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
}

/// A seat that is taken.
struct Taken {
    seat: Weak<Seat>,
    task: AbortHandle,
    /// While something waits: few have it at any time.
    paces: Option<Box<Paces>>,
}

/// A sweep that is under way.
struct Sweep {
    /// The tick that it judges by.
    now: u32,
    /// Place of the seat that is looked at next.
    next: usize,
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

    /// One second has passed: ends every connection that is over a limit, a few at a time. In between, all others have their turns.
    pub async fn sweep(&self) {
        let mut sweep = self.begin_sweep();
        while self.sweep_some(&mut sweep) {
            tokio::task::yield_now().await;
        }
    }

    fn begin_sweep(&self) -> Sweep {
        let now = self.room.ticks.fetch_add(1, Relaxed) + 1;
        self.room.meter.worked.store(u64::try_from(thread_time().as_nanos()).unwrap_or(u64::MAX), Relaxed);
        Sweep { now, next: 0 }
    }

    /// Looks at some more seats. False once there are none left: whoever moves to a place that has been looked at is looked at a
    /// second later.
    fn sweep_some(&self, Sweep { now, next }: &mut Sweep) -> bool {
        let Ok(mut taken) = self.taken.lock() else { return false };
        let mut ended = 0;
        for _ in 0..LOOKED_AT_ONCE {
            let Some(one) = taken.get_mut(*next) else { return false };
            let over = match one.seat.upgrade() {
                Some(seat) => match seat.over(*now).or_else(|| one.out_of_pace(&seat, *now)) {
                    Some(over) => over,
                    None => {
                        *next += 1;
                        continue;
                    }
                },
                None => {
                    taken.swap_remove(*next);
                    continue;
                }
            };
            if let Some(reason) = over {
                self.room.turned_away.count(reason);
            }
            taken.swap_remove(*next).task.abort();
            ended += 1;
            if ended == ENDED_AT_ONCE {
                break;
            }
        }
        true
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
    fn out_of_pace(&mut self, seat: &Seat, now: u32) -> Option<Over> {
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
            return Some(Some(Reason::SendRate));
        }
        let is_slow = paces.receiving.is_slow(expects, now, seat.came.load(Relaxed), (receive_rate, window_s));
        is_slow.then_some(Some(Reason::ReceiveRate))
    }
}
