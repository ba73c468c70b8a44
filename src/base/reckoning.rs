//! What time to believe when the machine's clocks disagree: pure. Monotonic time counts from where the wall clock was read;
//! a wall clock that jumps later is doubted, not followed.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Steps up to this are followed: whoever keeps a clock right makes them, and nothing here is finer.
const FOLLOWED: SignedDuration = SignedDuration::from_secs(2);
/// An unkept clock is news once it has been so for this long; shorter is a daemon's restart.
const UNSURE_FOR: Duration = Duration::from_secs(60);

/// What the machine's clocks say at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    pub wall: Timestamp,
    /// Monotonic time since the clock was made; it stands still while the machine is suspended.
    pub elapsed: Duration,
    /// How long the machine was suspended since it was booted.
    pub suspended: Duration,
    /// `None` where the kernel will not say.
    pub is_synchronised: Option<bool>,
}

/// What operators should know of the machine's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Nobody keeps it right.
    Unsynchronised,
    Synchronised,
    /// It was set, by so much. It is not followed: only a start reads it anew.
    Jumped(SignedDuration),
    /// It agrees again.
    Back,
    /// It was set right by whoever keeps it so, for the first time, by so much, and is followed.
    SetRight(SignedDuration),
}

/// The time that is believed.
#[derive(Clone, Debug)]
pub struct Reckoning {
    /// Nanoseconds since 1970 at which `elapsed` was nothing.
    origin: i64,
    suspended: Duration,
    /// Once somebody has kept it right, a jump is no correction.
    was_synchronised: bool,
    /// By how much the wall clock was last said to be off.
    told: Option<SignedDuration>,
    told_unsure: bool,
    /// When it is to be told that nobody keeps it right.
    unsure_from: Option<Duration>,
}

impl Reckoning {
    pub fn new(first: Reading) -> Reckoning {
        Reckoning {
            origin: origin(first.wall, first.elapsed),
            suspended: first.suspended,
            was_synchronised: first.is_synchronised == Some(true),
            told: None,
            told_unsure: false,
            // At a start there is nothing to wait for.
            unsure_from: (first.is_synchronised == Some(false)).then_some(first.elapsed),
        }
    }

    /// Nanoseconds since 1970 at which `elapsed` was nothing.
    pub fn origin(&self) -> i64 {
        self.origin
    }

    pub fn now(&self, elapsed: Duration) -> Timestamp {
        let nanos = i128::from(self.origin) + i128::try_from(elapsed.as_nanos()).unwrap_or(i128::MAX);
        Timestamp::from_nanosecond(nanos).unwrap_or(Timestamp::MAX)
    }

    /// Compares, follows what may be followed, and says what is new.
    pub fn check(&mut self, reading: Reading) -> Option<Doubt> {
        // Time in which the machine slept has passed all the same.
        let slept = reading.suspended.saturating_sub(self.suspended);
        self.origin = self.origin.saturating_add(i64::try_from(slept.as_nanos()).unwrap_or(0));
        self.suspended = self.suspended.max(reading.suspended);
        let off = reading.wall.duration_since(self.now(reading.elapsed));
        let is_first = reading.is_synchronised == Some(true) && !self.was_synchronised;
        self.was_synchronised |= is_first;
        if off.abs() <= FOLLOWED || is_first {
            self.origin = origin(reading.wall, reading.elapsed);
            let was_off = self.told.take();
            if off.abs() > FOLLOWED {
                return Some(Doubt::SetRight(off));
            }
            if was_off.is_some() {
                return Some(Doubt::Back);
            }
        } else if self.told.is_none_or(|told| (off - told).abs() > FOLLOWED) {
            self.told = Some(off);
            return Some(Doubt::Jumped(off));
        }
        self.synchronisation(&reading)
    }

    fn synchronisation(&mut self, reading: &Reading) -> Option<Doubt> {
        if reading.is_synchronised != Some(false) {
            self.unsure_from = None;
            return std::mem::take(&mut self.told_unsure).then_some(Doubt::Synchronised);
        }
        let from = *self.unsure_from.get_or_insert(reading.elapsed + UNSURE_FOR);
        let is_news = !self.told_unsure && from <= reading.elapsed;
        self.told_unsure |= is_news;
        is_news.then_some(Doubt::Unsynchronised)
    }

    /// At a start: it was this late already when something was written down. A clock that somebody keeps right knows better.
    pub fn not_before(&mut self, known: Timestamp, elapsed: Duration) {
        if !self.was_synchronised && self.now(elapsed) < known {
            self.origin = origin(known, elapsed);
        }
    }
}

fn origin(wall: Timestamp, elapsed: Duration) -> i64 {
    let nanos = wall.as_nanosecond() - i128::try_from(elapsed.as_nanos()).unwrap_or(0);
    i64::try_from(nanos).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: &str = "2026-06-08T00:20:00Z";

    /// A machine: true time, and what its wall clock is off by, in ms.
    struct Bench {
        passed: u64,
        slept: u64,
        off: i64,
        sync: Option<bool>,
    }

    impl Bench {
        fn new(sync: Option<bool>) -> Bench {
            Bench { passed: 0, slept: 0, off: 0, sync }
        }

        fn truth(&self) -> Timestamp {
            let start: Timestamp = START.parse().unwrap();
            start + Duration::from_millis(self.passed)
        }

        fn read(&self) -> Reading {
            Reading {
                wall: self.truth() + SignedDuration::from_millis(self.off),
                elapsed: Duration::from_millis(self.passed - self.slept),
                suspended: Duration::from_millis(self.slept),
                is_synchronised: self.sync,
            }
        }

        fn off(&self, reckoning: &Reckoning) -> SignedDuration {
            reckoning.now(self.read().elapsed).duration_since(self.truth())
        }
    }

    #[test]
    fn a_jump_is_doubted_once_and_not_followed() {
        let mut bench = Bench::new(Some(true));
        let mut reckoning = Reckoning::new(bench.read());
        for by in [86_400_000, -86_400_000, 180_000, -2_001] {
            bench.off = by;
            bench.passed += 1000;
            assert_eq!(reckoning.check(bench.read()), Some(Doubt::Jumped(SignedDuration::from_millis(by))));
            bench.passed += 1000;
            assert_eq!(reckoning.check(bench.read()), None);
            assert_eq!(bench.off(&reckoning), SignedDuration::ZERO);
        }
        bench.off = 0;
        assert_eq!(reckoning.check(bench.read()), Some(Doubt::Back));
    }

    #[test]
    fn small_steps_are_followed_and_sleep_is_time() {
        let mut bench = Bench::new(Some(true));
        let mut reckoning = Reckoning::new(bench.read());
        bench.off = 1900;
        assert_eq!(reckoning.check(bench.read()), None);
        assert_eq!(bench.off(&reckoning), SignedDuration::from_millis(1900));
        bench.off = 0;
        (bench.passed, bench.slept) = (7_200_000, 7_000_000);
        assert_eq!(reckoning.check(bench.read()), None);
        assert_eq!(bench.off(&reckoning), SignedDuration::ZERO);
    }

    #[test]
    fn a_clock_that_nobody_keeps_is_told_and_believed_once_somebody_does() {
        let mut bench = Bench::new(Some(false));
        bench.off = -3_600_000;
        let mut reckoning = Reckoning::new(bench.read());
        bench.passed = 1000;
        assert_eq!(reckoning.check(bench.read()), Some(Doubt::Unsynchronised));
        assert_eq!(reckoning.check(bench.read()), None);
        (bench.off, bench.sync) = (0, Some(true));
        assert_eq!(reckoning.check(bench.read()), Some(Doubt::SetRight(SignedDuration::from_hours(1))));
        assert_eq!(reckoning.check(bench.read()), Some(Doubt::Synchronised));
        assert_eq!(bench.off(&reckoning), SignedDuration::ZERO);
        // A daemon that restarts is no reason to worry.
        bench.sync = Some(false);
        for minute_s in [1, 30, 59] {
            bench.passed = 1000 + minute_s * 1000;
            assert_eq!(reckoning.check(bench.read()), None);
        }
        bench.passed += 3000;
        assert_eq!(reckoning.check(bench.read()), Some(Doubt::Unsynchronised));
        bench.off = 600_000;
        assert!(matches!(reckoning.check(bench.read()), Some(Doubt::Jumped(_))), "once right, no jump is a correction");
    }

    #[test]
    fn what_was_written_down_counts_where_nobody_keeps_the_clock() {
        let later: Timestamp = "2026-06-08T01:00:00Z".parse().unwrap();
        for (sync, expected) in [(Some(false), later), (None, later), (Some(true), START.parse().unwrap())] {
            let mut reckoning = Reckoning::new(Bench::new(sync).read());
            reckoning.not_before(later, Duration::ZERO);
            assert_eq!(reckoning.now(Duration::ZERO), expected);
            reckoning.not_before(START.parse().unwrap(), Duration::ZERO);
            assert_eq!(reckoning.now(Duration::ZERO), expected);
        }
    }

    proptest! {
        /// Whatever the wall clock does, no more is believed than its small steps add up to.
        #[test]
        fn jumps_move_nothing(steps in prop::collection::vec((1u64..100_000, any::<bool>(), -200_000_000i64..200_000_000), 1..60)) {
            let mut bench = Bench::new(Some(true));
            let mut reckoning = Reckoning::new(bench.read());
            for (passed, sleeps, off) in steps {
                bench.passed += passed;
                bench.slept += if sleeps { passed } else { 0 };
                bench.off = if off.abs() < 2_500 { 2_500 } else { off };
                reckoning.check(bench.read());
                prop_assert_eq!(bench.off(&reckoning), SignedDuration::ZERO);
            }
        }
    }
}
