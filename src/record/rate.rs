//! How many incidents of one kind are written: a few at once, then one in a while. Pure: the time comes in.

use std::time::Duration;

/// Incidents of one kind that may be written at once: a bad night's worth, told one by one.
pub const BURST: u32 = 20;
/// After that, one in so long: 1,440 lines a day, 1 MB, whatever a sender does.
pub const ONE_IN: Duration = Duration::from_secs(60);

/// The allowance of one kind, and what went beyond it.
#[derive(Debug, Clone)]
pub struct Rate {
    left: u32,
    /// Since when the next one is being earned.
    since: Duration,
    beyond: u64,
}

impl Default for Rate {
    fn default() -> Rate {
        Rate { left: BURST, since: Duration::ZERO, beyond: 0 }
    }
}

impl Rate {
    /// Whether one more may be written at `now`, and how many were not since the last one that was.
    pub fn take(&mut self, now: Duration) -> Option<u64> {
        self.earn(now);
        if self.left == 0 {
            self.beyond += 1;
            return None;
        }
        self.left -= 1;
        Some(std::mem::take(&mut self.beyond))
    }

    /// How many were kept back and can be told now, where there were any.
    pub fn owed(&mut self, now: Duration) -> Option<u64> {
        self.earn(now);
        if self.beyond == 0 || self.left == 0 {
            return None;
        }
        self.left -= 1;
        Some(std::mem::take(&mut self.beyond))
    }

    /// What was kept back, told or not: nobody will ask again.
    pub fn rest(&mut self) -> Option<u64> {
        Some(std::mem::take(&mut self.beyond)).filter(|n| *n > 0)
    }

    /// True exactly when the first one is kept back.
    pub fn has_just_begun(&self) -> bool {
        self.beyond == 1
    }

    fn earn(&mut self, now: Duration) {
        let turns = now.saturating_sub(self.since).as_millis() / ONE_IN.as_millis();
        let turns = u32::try_from(turns).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(turns).min(BURST);
        // A full allowance earns nothing: who was silent for an hour has a burst, and no more.
        self.since = if self.left == BURST { now } else { self.since.saturating_add(ONE_IN.saturating_mul(turns)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_burst_then_one_a_minute_and_what_went_beyond_is_told() {
        let mut rate = Rate::default();
        let written = (0..1000).filter(|n| rate.take(Duration::from_millis(*n)).is_some()).count();
        assert_eq!(written, BURST as usize);
        assert_eq!(rate.owed(ONE_IN - Duration::from_secs(1)), None);
        assert_eq!(rate.take(ONE_IN + Duration::from_secs(1)), Some(1000 - u64::from(BURST)));
        assert_eq!((rate.take(ONE_IN + Duration::from_secs(2)), rate.rest(), rate.rest()), (None, Some(1), None));
        assert_eq!(rate.take(Duration::from_secs(86_400)), Some(0));
    }

    proptest! {
        #[test]
        fn never_more_than_the_burst_and_one_a_turn_and_none_is_forgotten(steps in prop::collection::vec(0u64..200, 0..400)) {
            let (mut rate, mut now, mut written, mut told) = (Rate::default(), Duration::ZERO, 0u64, 0);
            for step in &steps {
                now += Duration::from_secs(*step);
                if let Some(beyond) = rate.take(now) {
                    (written, told) = (written + 1, told + beyond);
                }
            }
            prop_assert!(written <= u64::from(BURST) + now.as_secs() / ONE_IN.as_secs());
            prop_assert_eq!(written + told + rate.rest().unwrap_or(0), steps.len() as u64);
        }
    }
}
