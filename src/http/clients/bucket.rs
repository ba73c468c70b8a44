//! What one client may still ask now, in one word that all cores share.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::Limits;

/// Requests that may be asked now: the second of the last look in the upper half, what was left then in the lower.
pub(super) struct Bucket(AtomicU64);

impl Bucket {
    pub(super) fn full(limits: Limits, now: u32) -> Bucket {
        Bucket(AtomicU64::new(packed(now, limits.burst)))
    }

    fn left(limits: Limits, state: u64, now: u32) -> u32 {
        let (then, left) = ((state >> 32) as u32, state as u32);
        let gained = now.saturating_sub(then).saturating_mul(limits.requests);
        left.saturating_add(gained).min(limits.burst)
    }

    pub(super) fn take(&self, limits: Limits, now: u32) -> bool {
        let took = self.0.fetch_update(Relaxed, Relaxed, |state| {
            let left = Bucket::left(limits, state, now).checked_sub(1)?;
            Some(packed(now.max((state >> 32) as u32), left))
        });
        took.is_ok()
    }

    /// But for so many.
    pub(super) fn is_full(&self, limits: Limits, now: u32, but: u32) -> bool {
        Bucket::left(limits, self.0.load(Relaxed), now).saturating_add(but) >= limits.burst
    }
}

fn packed(second: u32, left: u32) -> u64 {
    u64::from(second) << 32 | u64::from(left)
}
