//! How long a response may be kept (RFC 9111, RFC 5861): until the next corte is due, and not much longer.

use std::cell::RefCell;

use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};

use crate::base::clock::Clock;

/// Longest freshness while the next corte is overdue: it may come at any moment.
const OVERDUE_MAX_AGE_S: i64 = 15;
/// A reload just after a swap may show the corte before while the new one is fetched, for as long as one may be late.
const STALE_WHILE_REVALIDATE_S: i64 = 15;
/// Should this difusor be out of reach, caches in between may show the last corte, with its date and hour, for a day.
const STALE_IF_ERROR_S: i64 = 86_400;
/// What has its corte in its URL never changes; the publication lasts a week (the call, I).
const PINNED: HeaderValue = HeaderValue::from_static("public, max-age=604800, immutable");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// Which rule holds for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Current results, of the corte with this stamp: fresh until the next one.
    Current { stamp: Timestamp, is_final: bool },
    /// A URL that names its corte.
    Pinned,
    /// Errors and notices: asked for again each time.
    None,
}

/// The pace at which cortes come.
#[derive(Clone, Debug)]
pub struct Rhythm {
    pub clock: Clock,
    /// From one corte to the next; 10 minutes in the call.
    pub interval: SignedDuration,
}

impl Rhythm {
    /// Seconds that current results stay fresh, for caches, which live in machine time.
    fn max_age(&self, stamp: Timestamp, is_final: bool) -> i64 {
        let left = match is_final {
            true => self.interval,
            false => (stamp + self.interval).duration_since(self.clock.now()).min(self.interval),
        };
        match self.clock.outside(left).as_secs() {
            left if left > 0 => left,
            _ => OVERDUE_MAX_AGE_S.min(self.clock.outside(self.interval).as_secs()).max(1),
        }
    }

    /// The `Cache-Control` value. Made once a second and thread at most: all current results share it.
    pub fn cache_control(&self, freshness: Freshness) -> HeaderValue {
        thread_local!(static LAST: RefCell<(i64, HeaderValue)> = const { RefCell::new((-1, NO_CACHE)) });
        let (stamp, is_final) = match freshness {
            Freshness::Current { stamp, is_final } => (stamp, is_final),
            Freshness::Pinned => return PINNED,
            Freshness::None => return NO_CACHE,
        };
        let max_age = self.max_age(stamp, is_final);
        LAST.with_borrow_mut(|(made_for, value)| {
            if *made_for != max_age {
                let text = format!(
                    "public, max-age={max_age}, stale-while-revalidate={STALE_WHILE_REVALIDATE_S}, \
                     stale-if-error={STALE_IF_ERROR_S}"
                );
                (*made_for, *value) = (max_age, HeaderValue::try_from(text).unwrap_or(NO_CACHE));
            }
            value.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn fresh_until_the_next_corte_is_due() {
        let stamp: Timestamp = "2026-06-08T02:10:00Z".parse().unwrap();
        let (clock, hands) = Clock::scripted(stamp);
        let rhythm = Rhythm { clock, interval: SignedDuration::from_mins(10) };
        let current = Freshness::Current { stamp, is_final: false };
        let max_age =
            |freshness| rhythm.cache_control(freshness).to_str().unwrap().split(", ").nth(1).unwrap().to_owned();
        assert_eq!(max_age(current), "max-age=600");
        hands.advance(Duration::from_secs(90));
        assert_eq!(max_age(current), "max-age=510");
        hands.advance(Duration::from_secs(509));
        assert_eq!(max_age(current), "max-age=1");
        hands.advance(Duration::from_secs(1));
        assert_eq!(max_age(current), "max-age=15", "overdue");
        hands.advance(Duration::from_secs(86_400));
        assert_eq!(max_age(current), "max-age=15", "long overdue");
        assert_eq!(max_age(Freshness::Current { stamp, is_final: true }), "max-age=600");
        assert_eq!(rhythm.cache_control(Freshness::Pinned), "public, max-age=604800, immutable");
        assert_eq!(rhythm.cache_control(Freshness::None), "no-cache");
        hands.set("2026-06-08T02:05:00Z".parse().unwrap());
        assert_eq!(max_age(current), "max-age=600", "a stamp ahead of the clock is not fresh for longer");
    }
}
