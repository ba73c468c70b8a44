//! A count that the threads of the serving path add to without getting in each other's way.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use prometheus_client::metrics::counter::Atomic;

/// Threads beyond these share what lies beside the first ones' own, which costs them a little.
const LANES: usize = 16;

/// A lane a thread, each in a cache line of its own (and of the one that is fetched with it).
#[derive(Debug, Default)]
pub struct Lanes([Lane; LANES]);

#[derive(Debug, Default)]
#[repr(align(128))]
struct Lane {
    /// Of one thread alone: so nothing is lost without a locked instruction.
    own: AtomicU64,
    /// Of all others of this lane.
    shared: AtomicU64,
}

static NEXT: AtomicUsize = AtomicUsize::new(0);
thread_local!(static MINE: usize = NEXT.fetch_add(1, Relaxed));

impl Lane {
    /// Returns what there was before.
    fn add(&self, more: u64, is_own: bool) -> u64 {
        if !is_own {
            return self.shared.fetch_add(more, Relaxed);
        }
        let before = self.own.load(Relaxed);
        self.own.store(before.wrapping_add(more), Relaxed);
        before
    }
}

impl Atomic<u64> for Lanes {
    fn inc(&self) -> u64 {
        self.inc_by(1)
    }

    /// What the lane had before; nobody asks.
    fn inc_by(&self, more: u64) -> u64 {
        let number = MINE.with(|mine| *mine);
        self.0.get(number % LANES).map_or(0, |lane| lane.add(more, number < LANES))
    }

    fn get(&self) -> u64 {
        let all = self.0.iter().flat_map(|lane| [&lane.own, &lane.shared]);
        all.map(|count| count.load(Relaxed)).fold(0, u64::wrapping_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_between_threads() {
        let lanes = Lanes::default();
        let add = || {
            for n in 0..1000 {
                lanes.inc_by(n % 3);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..3 * LANES {
                scope.spawn(add);
            }
        });
        assert_eq!(lanes.get(), 3 * LANES as u64 * 999);
    }
}
