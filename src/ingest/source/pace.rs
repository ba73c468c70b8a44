//! When to poll a source again, and whether its trouble is news. Pure: time and dice come in.

use std::time::Duration;

use super::fault::Fault;

/// From the end of one poll to the next at the least, whatever anybody says.
pub const FLOOR: Duration = Duration::from_secs(1);
/// After a first failure: a transfer that was cut goes on almost at once. Each one after it doubles the wait.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// The longest wait after failures, unless the source is polled less often anyway: of the ten minutes from corte to corte
/// this is little.
const BACKOFF_MAX: Duration = Duration::from_secs(120);
/// A server may ask for more time than this, but it does not get it: half of the way to the next corte.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// What time may heal, such as a stamp ahead of the clock, is fetched anew this often at the most.
const HEAL_EVERY: Duration = Duration::from_secs(30);

/// How a poll went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Good,
    Failed {
        retry_after: Option<Duration>,
    },
    /// The package was refused, but the same bytes may hold later.
    Later,
}

/// The rhythm of one source.
#[derive(Debug)]
pub struct Pace {
    every: Duration,
    failures: u32,
    dice: Dice,
}

impl Pace {
    pub fn new(every: Duration, seed: u64) -> Pace {
        Pace { every, failures: 0, dice: Dice(seed) }
    }

    /// How long to wait after a poll.
    pub fn after(&mut self, turn: Turn) -> Duration {
        self.failures = if let Turn::Failed { .. } = turn { self.failures.saturating_add(1) } else { 0 };
        let wait = match turn {
            // Ten per cent either way: many difusores poll one server, and need not do so in step.
            Turn::Good => self.dice.between(self.every.mul_f64(0.9), self.every.mul_f64(1.1)),
            Turn::Later => self.dice.between(HEAL_EVERY.mul_f64(0.9), HEAL_EVERY).max(self.every),
            Turn::Failed { retry_after } => {
                let doubled = BACKOFF_FIRST.saturating_mul(1 << (self.failures - 1).min(16));
                let longest = doubled.min(BACKOFF_MAX.max(self.every));
                let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
                self.dice.between(longest / 2, longest).max(asked)
            }
        };
        wait.max(FLOOR)
    }
}

/// What people were told of a source's trouble.
#[derive(Debug, Default)]
pub struct Trouble(Option<(Fault, Duration)>);

impl Trouble {
    /// A poll failed. True where people do not know this yet.
    pub fn failed(&mut self, fault: &Fault, now: Duration) -> bool {
        let since = self.0.as_ref().map_or(now, |(_, since)| *since);
        let is_news = self.0.as_ref().is_none_or(|(before, _)| !before.is_like(fault));
        self.0 = Some((fault.clone(), since));
        is_news
    }

    /// A poll went well. How long none had, if people were told of trouble.
    pub fn healed(&mut self, now: Duration) -> Option<Duration> {
        self.0.take().map(|(_, since)| now.saturating_sub(since))
    }
}

/// splitmix64: the same seed throws the same numbers.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn between(&mut self, low: Duration, high: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        let part = ((mixed ^ mixed >> 31) >> 11) as f64 / (1u64 << 53) as f64;
        low + high.saturating_sub(low).mul_f64(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EVERY: Duration = Duration::from_secs(20);
    const FAILED: Turn = Turn::Failed { retry_after: None };

    #[test]
    fn polls_come_in_the_interval_but_not_in_step() {
        let waits = |seed| {
            let mut pace = Pace::new(EVERY, seed);
            (0..50).map(|_| pace.after(Turn::Good)).collect::<Vec<_>>()
        };
        let all: Vec<_> = (0..20).flat_map(waits).collect();
        assert!(all.iter().all(|w| (18_000..=22_000).contains(&w.as_millis())));
        let (least, most) = (all.iter().min().unwrap(), all.iter().max().unwrap());
        assert!(*least < EVERY.mul_f64(0.92) && *most > EVERY.mul_f64(1.08), "{least:?} to {most:?}");
        assert_ne!(waits(1), waits(2));
    }

    #[test]
    fn failures_wait_longer_each_time_up_to_a_cap() {
        let mut pace = Pace::new(EVERY, 7);
        let waits: Vec<_> = (0..12).map(|_| pace.after(FAILED)).collect();
        for (n, wait) in waits.iter().enumerate() {
            let most = Duration::from_secs(1 << n).min(BACKOFF_MAX);
            assert!((most / 2).max(FLOOR) <= *wait && *wait <= most, "{n}: {wait:?}");
        }
        let again = pace.after(Turn::Good);
        assert!((18..=22).contains(&again.as_secs()), "one that succeeds resets it");
        assert!(pace.after(FAILED) <= BACKOFF_FIRST);
        let mut rare = Pace::new(Duration::from_secs(3600), 7);
        let last = (0..20).map(|_| rare.after(FAILED)).last().unwrap();
        assert!(last >= Duration::from_secs(1800), "a source that is polled once an hour is not pressed");
    }

    #[test]
    fn a_server_may_ask_for_time_but_not_for_the_night() {
        let mut pace = Pace::new(EVERY, 7);
        let mut after = |s| pace.after(Turn::Failed { retry_after: Some(Duration::from_secs(s)) });
        assert_eq!(after(90), Duration::from_secs(90));
        assert_eq!(after(86_400), RETRY_AFTER_MAX);
        assert!(after(0) >= FLOOR);
    }

    #[test]
    fn trouble_is_told_once_until_it_changes_or_ends() {
        let at = Duration::from_secs;
        let status = |status| Fault::Status { url: crate::base::shown::Shown::text("u"), status, retry_after: None };
        let broken = |why: &str| Fault::Broken { why: why.into() };
        let mut trouble = Trouble::default();
        assert_eq!(trouble.healed(at(0)), None);
        assert!(trouble.failed(&broken("after 7 bytes"), at(1)));
        assert!(!trouble.failed(&broken("after 9 bytes"), at(2)));
        assert!(trouble.failed(&status(503), at(3)));
        assert!(!trouble.failed(&status(503), at(4)));
        assert!(trouble.failed(&status(404), at(5)));
        assert_eq!(trouble.healed(at(11)), Some(at(10)));
        assert_eq!(trouble.healed(at(12)), None);
        assert!(trouble.failed(&status(404), at(13)));
    }

    proptest! {
        #[test]
        fn never_faster_than_the_floor_and_never_for_good(
            every in 1u64..604_800,
            seed in any::<u64>(),
            turns in proptest::collection::vec(0u8..4, 1..60),
            asked in any::<u64>(),
        ) {
            let every = Duration::from_secs(every);
            let mut pace = Pace::new(every, seed);
            for turn in turns {
                let wait = pace.after(match turn {
                    0 => Turn::Good,
                    1 => FAILED,
                    2 => Turn::Failed { retry_after: Some(Duration::from_secs(asked)) },
                    _ => Turn::Later,
                });
                prop_assert!(wait >= FLOOR);
                prop_assert!(wait <= every.mul_f64(1.1).max(RETRY_AFTER_MAX));
            }
        }
    }
}
