//! How long a response may be kept (RFC 9111, RFC 5861): until the next corte is due, and not much longer.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
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
const PINNED: HeaderValue = HeaderValue::from_static("max-age=604800, immutable");
/// Our own files change with the corte, and many ask for them: a moment is enough for caches to carry a crowd.
const OWN: HeaderValue = HeaderValue::from_static("max-age=2");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// Connections are told in so many groups when the next corte is to be asked for, so that they do not all come at once.
const SPREADS: usize = 16;
/// The last group comes this share of an interval after the first: 15 s of ten minutes, no later than what is overdue.
const SPREAD_SHARE: i64 = 40;

/// The group of a connection: always the same, as a browser asks for the files of a page that belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Spread(u8);

impl Spread {
    /// Of a connection from there. Not of the address alone, which thousands of phones may share.
    pub fn of(from: SocketAddr) -> Spread {
        let ip = match from.ip() {
            IpAddr::V4(ip) => u64::from(ip.to_bits()),
            IpAddr::V6(ip) => (ip.to_bits() >> 64) as u64 ^ ip.to_bits() as u64,
        };
        // SplitMix64's last step: neighbours among ports and addresses must not meet in one group.
        let mut mixed = ip ^ u64::from(from.port()) << 48;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        Spread(((mixed ^ mixed >> 31) % SPREADS as u64) as u8)
    }

    /// Its share of `interval_s`, in whole seconds.
    fn seconds(self, interval_s: i64) -> i64 {
        interval_s * i64::from(self.0) / (SPREAD_SHARE * (SPREADS as i64 - 1))
    }
}

/// Which rule holds for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Current results: fresh until the next corte, for this group of connections.
    Current(Timing, Spread),
    /// The same, where what a browser has of the corte before is the dictionary of what it gets next (RFC 9842, section
    /// 2.2.1): only as long as it is fresh, or may be shown while it is asked for again. So that is an interval here.
    ///
    /// Whoever reads through its cache all the same sees, once, what was current when he read last, and the next time what
    /// was current then; never anything older than the corte before. `no-cache`, by which our pages ask, is never late.
    Descended(Timing, Spread),
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
    at: (i64, i64, Option<Timing>),
    /// How often it has been printed.
    prints: u64,
    /// For each group of connections.
    current: [HeaderValue; SPREADS],
    descended: [HeaderValue; SPREADS],
    /// As `Date` has it: `Sun, 07 Jun 2026 20:10:00 GMT`.
    date: HeaderValue,
    /// The same as it stands behind a field of HTTP/1.1, with the end of that field before it.
    date_line: Vec<u8>,
}

thread_local!(static DIAL: RefCell<Dial> = const {
    RefCell::new(Dial {
        at: (i64::MIN, i64::MIN, None),
        prints: 0,
        current: [const { NO_CACHE }; SPREADS],
        descended: [const { NO_CACHE }; SPREADS],
        date: NO_CACHE,
        date_line: Vec::new(),
    })
});

impl Rhythm {
    /// The `Cache-Control` value.
    pub fn cache_control(&self, freshness: Freshness) -> HeaderValue {
        self.read(freshness, |value, _| value.clone())
    }

    /// The `Date` value.
    pub fn date(&self) -> HeaderValue {
        self.read(Freshness::None, |_, dial| dial.date.clone())
    }

    /// Writes `Cache-Control` and `Date` as HTTP/1.1 has them.
    pub fn write(&self, freshness: Freshness, out: &mut Vec<u8>) {
        self.read(freshness, |value, dial| {
            out.extend_from_slice(b"cache-control: ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(&dial.date_line);
        });
    }

    /// A number, never 0: as long as it is the same, so is what [`Rhythm::write`] writes on this thread.
    pub fn stamp(&self, freshness: Freshness) -> u64 {
        const KINDS: u64 = 2 * SPREADS as u64 + 3;
        let kind = match freshness {
            Freshness::Current(_, Spread(group)) => u64::from(group),
            Freshness::Descended(_, Spread(group)) => SPREADS as u64 + u64::from(group),
            Freshness::Pinned => KINDS - 3,
            Freshness::Own => KINDS - 2,
            Freshness::None => KINDS - 1,
        };
        self.read(freshness, |_, _| ());
        DIAL.with_borrow(|dial| dial.prints * KINDS + kind)
    }

    fn read<R>(&self, freshness: Freshness, take: impl FnOnce(&HeaderValue, &Dial) -> R) -> R {
        let (election, machine) = self.clock.seconds();
        DIAL.with_borrow_mut(|dial| {
            // Only what is current is printed; an answer of another freshness leaves that in place.
            let asked = match freshness {
                Freshness::Current(timing, _) | Freshness::Descended(timing, _) => Some(timing),
                _ => dial.at.2,
            };
            if dial.at != (election, machine, asked) {
                *dial = Dial { prints: dial.prints + 1, ..self.print(election, machine, asked) };
            }
            match freshness {
                Freshness::Current(_, Spread(group)) => take(&dial.current[usize::from(group) % SPREADS], dial),
                Freshness::Descended(_, Spread(group)) => take(&dial.descended[usize::from(group) % SPREADS], dial),
                Freshness::Pinned => take(&PINNED, dial),
                Freshness::Own => take(&OWN, dial),
                Freshness::None => take(&NO_CACHE, dial),
            }
        })
    }

    fn print(&self, election: i64, machine: i64, timing: Option<Timing>) -> Dial {
        let values = |at_least_s: i64| {
            std::array::from_fn(|group| {
                let Some(timing) = timing else { return NO_CACHE };
                let (max_age, stale) = self.ages(&timing, Spread(group as u8));
                let while_revalidate = at_least_s.max(STALE_WHILE_REVALIDATE_S).clamp(0, stale);
                // Not `public`: that would be for requests with credentials (RFC 9111, 5.2.2.9), of which there are none.
                let text =
                    format!("max-age={max_age}, stale-while-revalidate={while_revalidate}, stale-if-error={stale}");
                HeaderValue::try_from(text).unwrap_or(NO_CACHE)
            })
        };
        let interval_s = timing.map_or(0, |timing| self.clock.outside(timing.interval).as_secs());
        let (current, descended) = (values(0), values(interval_s));
        let since = Duration::from_secs(u64::try_from(machine).unwrap_or(0));
        let date = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since);
        let date_line = format!("\r\ndate: {date}\r\n").into_bytes();
        let date = HeaderValue::try_from(date).unwrap_or(NO_CACHE);
        Dial { at: (election, machine, timing), prints: 0, current, descended, date, date_line }
    }

    /// Seconds that current results stay fresh, and that they may be shown beyond that, for caches, which live in machine
    /// time.
    fn ages(&self, timing: &Timing, spread: Spread) -> (i64, i64) {
        let now = self.clock.now();
        let left = timing.due.map_or(timing.interval, |due| due.duration_since(now).min(timing.interval));
        let interval_s = self.clock.outside(timing.interval).as_secs();
        let max_age = match self.clock.outside(left).as_secs() {
            // Where none is awaited, nobody comes at once.
            left if left > 0 => left + timing.due.map_or(0, |_| spread.seconds(interval_s)),
            _ => OVERDUE_MAX_AGE_S.min(interval_s).max(1),
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
        let current = Freshness::Current(timing, Spread::default());
        let said = |freshness| {
            let value = rhythm.cache_control(freshness);
            let parts: Vec<&str> = value.to_str().unwrap().split(", ").collect();
            let number = |n: usize| parts[n].split_once('=').unwrap().1.parse::<i64>().unwrap();
            (number(0), number(1), number(2))
        };
        assert_eq!(said(current), (600, 15, 1260));
        assert_eq!(said(Freshness::Descended(timing, Spread::default())), (600, 600, 1260));
        hands.advance(Duration::from_secs(90));
        assert_eq!(said(current).0, 510);
        hands.advance(Duration::from_secs(509));
        assert_eq!(said(current).0, 1);
        hands.advance(Duration::from_secs(1));
        assert_eq!(said(current), (15, 15, 1245), "overdue");
        hands.advance(Duration::from_secs(1252));
        assert_eq!(said(current), (8, 0, 0), "the notice comes in 8 s");
        assert_eq!(said(Freshness::Descended(timing, Spread::default())), (8, 0, 0));
        hands.advance(Duration::from_secs(86_400));
        assert_eq!(said(current), (1, 0, 0), "long overdue");
        let last = Timing { due: None, until: None, ..timing };
        assert_eq!(said(Freshness::Current(last, Spread::default())), (600, 15, 86_400));
        assert_eq!(rhythm.cache_control(Freshness::Pinned), "max-age=604800, immutable");
        assert_eq!(rhythm.cache_control(Freshness::None), "no-cache");
        hands.set("2026-06-08T02:05:00Z".parse().unwrap());
        assert_eq!(said(current).0, 600, "a stamp ahead of the clock is not fresh for longer");
    }

    #[test]
    fn connections_are_told_to_come_one_after_the_other() {
        let stamp: Timestamp = "2026-06-08T02:10:00Z".parse().unwrap();
        let rhythm = Rhythm { clock: Clock::scripted(stamp).0 };
        let ages = |interval: SignedDuration| {
            let timing = Timing { interval, due: Some(stamp + interval), until: None, opens: None };
            let mut groups = [0_u32; SPREADS];
            let from =
                |n: u32| SocketAddr::from((std::net::Ipv4Addr::from(0x0a00_0000 + n / 50), 40_000 + (n % 50) as u16));
            let ages: Vec<i64> = (0..8_000)
                .map(|n| {
                    let spread = Spread::of(from(n));
                    assert_eq!(spread, Spread::of(from(n)));
                    groups[usize::from(spread.0)] += 1;
                    rhythm.ages(&timing, spread).0
                })
                .collect();
            // None is twice as large as another.
            assert!(groups.iter().max().unwrap() < &(groups.iter().min().unwrap() * 2), "{groups:?}");
            (*ages.iter().min().unwrap(), *ages.iter().max().unwrap())
        };
        assert_eq!(ages(SignedDuration::from_mins(10)), (600, 615));
        assert_eq!(ages(SignedDuration::from_secs(10)), (10, 10), "nobody misses a corte of a fast rehearsal");
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
