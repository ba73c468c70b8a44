//! How long a response may be kept (RFC 9111, RFC 5861): until the next corte is due, and not much longer.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use jiff::SignedDuration;

use crate::base::clock::Clock;
use crate::snapshot::Timing;

/// Longest freshness while the next corte is overdue: it may come at any moment.
const OVERDUE_MAX_AGE_S: i64 = 15;
/// A reload just after a swap may show the corte before while the new one is fetched, for as long as one may be late.
const STALE_WHILE_REVALIDATE_S: i64 = 15;
/// Should this difusor be out of reach, caches in between may show the last corte, with its date and hour, for a day;
/// but no longer than we would: our own notice that transmission is interrupted must get through (the call, III).
const STALE_IF_ERROR_S: i64 = 86_400;
/// What may come at any moment is asked for again so soon.
const RETRY_SOON_S: i64 = 15;
/// Nobody waits longer than this between two looks at the clock.
const RETRY_MAX_S: i64 = 3600;
/// What has its corte in its URL never changes; the publication lasts a week (the call, I).
const PINNED: HeaderValue = HeaderValue::from_static("public, max-age=604800, immutable");
/// Our own files change with the corte, and many ask for them: a moment is enough for caches to carry a crowd.
const OWN: HeaderValue = HeaderValue::from_static("public, max-age=2");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// Which rule holds for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Current results: fresh until the next corte.
    Current(Timing),
    /// The same, where what a browser has of the corte before is the dictionary of what it gets next (RFC 9842, section
    /// 2.2.1): only as long as it is fresh, or may be shown while it is asked for again. So that is an interval here.
    ///
    /// Whoever reads through its cache all the same sees, once, what was current when he read last, and the next time what
    /// was current then; never anything older than the corte before. `no-cache`, by which our pages ask, is never late.
    Descended(Timing),
    /// A URL that names its corte.
    Pinned,
    /// Our own files, which say what is current.
    Own,
    /// Errors, notices, and results under a notice: asked for again each time.
    None,
}

/// What answers say of time.
#[derive(Clone, Debug)]
pub struct Rhythm {
    pub clock: Clock,
}

/// What is printed anew once a second and thread, and shared by all answers in between.
struct Dial {
    /// Election and machine seconds, and the corte, that the rest was printed for.
    at: (i64, i64, Freshness),
    current: HeaderValue,
    descended: HeaderValue,
    /// As `Date` has it: `Sun, 07 Jun 2026 20:10:00 GMT`.
    date: HeaderValue,
}

thread_local!(static DIAL: RefCell<Dial> = const {
    RefCell::new(Dial {
        at: (i64::MIN, i64::MIN, Freshness::None),
        current: NO_CACHE,
        descended: NO_CACHE,
        date: NO_CACHE,
    })
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
            let asked = match freshness {
                Freshness::Current(timing) | Freshness::Descended(timing) => Freshness::Current(timing),
                _ => dial.at.2,
            };
            if dial.at != (election, machine, asked) {
                *dial = self.print(election, machine, asked);
            }
            match freshness {
                Freshness::Current(_) => take(&dial.current, &dial.date),
                Freshness::Descended(_) => take(&dial.descended, &dial.date),
                Freshness::Pinned => take(&PINNED, &dial.date),
                Freshness::Own => take(&OWN, &dial.date),
                Freshness::None => take(&NO_CACHE, &dial.date),
            }
        })
    }

    fn print(&self, election: i64, machine: i64, freshness: Freshness) -> Dial {
        let (current, descended) = match freshness {
            Freshness::Current(timing) | Freshness::Descended(timing) => {
                let (max_age, stale) = self.ages(&timing);
                let value = |while_revalidate: i64| {
                    let while_revalidate = while_revalidate.clamp(0, stale);
                    let text = format!(
                        "public, max-age={max_age}, stale-while-revalidate={while_revalidate}, stale-if-error={stale}"
                    );
                    HeaderValue::try_from(text).unwrap_or(NO_CACHE)
                };
                let interval = self.clock.outside(timing.interval).as_secs();
                (value(STALE_WHILE_REVALIDATE_S), value(interval.max(STALE_WHILE_REVALIDATE_S)))
            }
            Freshness::Pinned | Freshness::Own | Freshness::None => (NO_CACHE, NO_CACHE),
        };
        let since = Duration::from_secs(u64::try_from(machine).unwrap_or(0));
        let date = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since);
        let date = HeaderValue::try_from(date).unwrap_or(NO_CACHE);
        Dial { at: (election, machine, freshness), current, descended, date }
    }

    /// Seconds that current results stay fresh, and that they may be shown beyond that, for caches, which live in machine
    /// time.
    fn ages(&self, timing: &Timing) -> (i64, i64) {
        let now = self.clock.now();
        let left = timing.due.map_or(timing.interval, |due| due.duration_since(now).min(timing.interval));
        let max_age = match self.clock.outside(left).as_secs() {
            left if left > 0 => left,
            _ => OVERDUE_MAX_AGE_S.min(self.clock.outside(timing.interval).as_secs()).max(1),
        };
        let until = timing.until.map_or(SignedDuration::MAX, |until| until.duration_since(now));
        let until = self.clock.outside(until).as_secs().max(0);
        let max_age = max_age.min(until.max(1));
        (max_age, (until - max_age).clamp(0, STALE_IF_ERROR_S))
    }

    /// Seconds after which to ask again for what there is not yet.
    pub fn retry_after(&self, timing: &Timing) -> i64 {
        let left = timing.opens.map_or(SignedDuration::ZERO, |opens| opens.duration_since(self.clock.now()));
        match self.clock.outside(left).as_secs() {
            left if left > 0 => left.min(RETRY_MAX_S),
            _ => RETRY_SOON_S,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn fresh_until_the_next_corte_is_due_and_never_shown_longer_than_here() {
        let stamp: Timestamp = "2026-06-08T02:10:00Z".parse().unwrap();
        let (clock, hands) = Clock::scripted(stamp);
        let rhythm = Rhythm { clock };
        let after = |minutes| Some(stamp + SignedDuration::from_mins(minutes));
        let interval = SignedDuration::from_mins(10);
        let timing = Timing { interval, due: after(10), until: after(31), opens: None };
        let current = Freshness::Current(timing);
        let said = |freshness| {
            let value = rhythm.cache_control(freshness);
            let parts: Vec<&str> = value.to_str().unwrap().split(", ").collect();
            let number = |n: usize| parts[n].split_once('=').unwrap().1.parse::<i64>().unwrap();
            (number(1), number(2), number(3))
        };
        assert_eq!(said(current), (600, 15, 1260));
        assert_eq!(said(Freshness::Descended(timing)), (600, 600, 1260));
        hands.advance(Duration::from_secs(90));
        assert_eq!(said(current).0, 510);
        hands.advance(Duration::from_secs(509));
        assert_eq!(said(current).0, 1);
        hands.advance(Duration::from_secs(1));
        assert_eq!(said(current), (15, 15, 1245), "overdue");
        hands.advance(Duration::from_secs(1252));
        assert_eq!(said(current), (8, 0, 0), "the notice comes in 8 s");
        assert_eq!(said(Freshness::Descended(timing)), (8, 0, 0));
        hands.advance(Duration::from_secs(86_400));
        assert_eq!(said(current), (1, 0, 0), "long overdue");
        let last = Timing { due: None, until: None, ..timing };
        assert_eq!(said(Freshness::Current(last)), (600, 15, 86_400));
        assert_eq!(rhythm.cache_control(Freshness::Pinned), "public, max-age=604800, immutable");
        assert_eq!(rhythm.cache_control(Freshness::None), "no-cache");
        hands.set("2026-06-08T02:05:00Z".parse().unwrap());
        assert_eq!(said(current).0, 600, "a stamp ahead of the clock is not fresh for longer");
    }

    #[test]
    fn who_comes_early_is_told_when_to_come_again() {
        let now: Timestamp = "2026-06-08T00:00:00Z".parse().unwrap();
        let (clock, hands) = Clock::scripted(now);
        let rhythm = Rhythm { clock };
        let opens = Some(now + SignedDuration::from_mins(30));
        let timing = Timing { interval: SignedDuration::from_mins(10), due: None, until: None, opens };
        assert_eq!(rhythm.retry_after(&timing), 1800);
        hands.advance(Duration::from_secs(1799));
        assert_eq!(rhythm.retry_after(&timing), 1);
        hands.advance(Duration::from_secs(10));
        assert_eq!(rhythm.retry_after(&timing), RETRY_SOON_S);
        hands.set("2026-06-01T00:00:00Z".parse().unwrap());
        assert_eq!(rhythm.retry_after(&timing), RETRY_MAX_S);
    }
}
