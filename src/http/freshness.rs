//! How long a response may be kept (RFC 9111, RFC 5861): until the next corte is due, and not much longer.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

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

/// What is printed anew once a second and thread, and shared by all answers in between.
struct Dial {
    /// Election and machine seconds, and the corte, that the rest was printed for.
    at: (i64, i64, Freshness),
    current: HeaderValue,
    /// As `Date` has it: `Sun, 07 Jun 2026 20:10:00 GMT`.
    date: HeaderValue,
}

thread_local!(static DIAL: RefCell<Dial> = const {
    RefCell::new(Dial { at: (i64::MIN, i64::MIN, Freshness::None), current: NO_CACHE, date: NO_CACHE })
});

impl Rhythm {
    /// The `Cache-Control` value.
    pub fn cache_control(&self, freshness: Freshness) -> HeaderValue {
        self.read(freshness, |value, _| value.clone())
    }

    /// The `Date` value.
    pub fn date(&self) -> HeaderValue {
        self.read(Freshness::None, |_, date| date.clone())
    }

    /// Writes `Cache-Control` and `Date` as HTTP/1.1 has them.
    pub fn write(&self, freshness: Freshness, out: &mut Vec<u8>) {
        self.read(freshness, |value, date| {
            out.extend_from_slice(b"cache-control: ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\ndate: ");
            out.extend_from_slice(date.as_bytes());
            out.extend_from_slice(b"\r\n");
        });
    }

    fn read<R>(&self, freshness: Freshness, take: impl FnOnce(&HeaderValue, &HeaderValue) -> R) -> R {
        let (election, machine) = self.clock.seconds();
        DIAL.with_borrow_mut(|dial| {
            // Only what is current is printed; an answer of another freshness leaves that in place.
            let asked = if matches!(freshness, Freshness::Current { .. }) { freshness } else { dial.at.2 };
            if dial.at != (election, machine, asked) {
                *dial = self.print(election, machine, asked);
            }
            match freshness {
                Freshness::Current { .. } => take(&dial.current, &dial.date),
                Freshness::Pinned => take(&PINNED, &dial.date),
                Freshness::None => take(&NO_CACHE, &dial.date),
            }
        })
    }

    fn print(&self, election: i64, machine: i64, freshness: Freshness) -> Dial {
        let current = match freshness {
            Freshness::Current { stamp, is_final } => {
                let max_age = self.max_age(stamp, is_final);
                let text = format!(
                    "public, max-age={max_age}, stale-while-revalidate={STALE_WHILE_REVALIDATE_S}, \
                     stale-if-error={STALE_IF_ERROR_S}"
                );
                HeaderValue::try_from(text).unwrap_or(NO_CACHE)
            }
            Freshness::Pinned | Freshness::None => NO_CACHE,
        };
        let since = Duration::from_secs(u64::try_from(machine).unwrap_or(0));
        let date = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since);
        let date = HeaderValue::try_from(date).unwrap_or(NO_CACHE);
        Dial { at: (election, machine, freshness), current, date }
    }

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
}

#[cfg(test)]
mod tests {
    use super::*;

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
