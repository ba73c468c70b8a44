//! A count that the threads of the serving path add to without getting in each other's way.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use prometheus_client::metrics::counter::Atomic;

/// Threads beyond these share a lane, which costs them a little.
const LANES: usize = 16;

/// A lane a thread, each in a cache line of its own (and of the one that is fetched with it).
#[derive(Debug, Default)]
pub struct Lanes([Lane; LANES]);

#[derive(Debug, Default)]
#[repr(align(128))]
struct Lane(AtomicU64);

static NEXT: AtomicUsize = AtomicUsize::new(0);
thread_local!(static MINE: usize = NEXT.fetch_add(1, Relaxed) % LANES);

impl Atomic<u64> for Lanes {
    fn inc(&self) -> u64 {
        self.inc_by(1)
    }

    /// What the lane had before; nobody asks.
    fn inc_by(&self, more: u64) -> u64 {
        let lane = MINE.with(|mine| *mine);
        self.0.get(lane).map_or(0, |lane| lane.0.fetch_add(more, Relaxed))
    }

    fn get(&self) -> u64 {
        self.0.iter().map(|lane| lane.0.load(Relaxed)).fold(0, u64::wrapping_add)
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
            for _ in 0..LANES + 3 {
                scope.spawn(add);
            }
        });
        assert_eq!(lanes.get(), (LANES as u64 + 3) * 999);
    }
}
