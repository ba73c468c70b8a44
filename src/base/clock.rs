//! The one clock. Everything that asks for the time asks here, so that a rehearsal can shift it and a
//! test can script it; clippy.toml bans the standard library's clocks elsewhere.
//!
//! It reads the machine's wall clock once and then counts by monotonic time. `Clock::check` looks whether the wall clock
//! still agrees, and `reckoning` says what to believe if it does not: so a wall clock that jumps moves nothing here.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};

use super::reckoning::{Doubt, Reading, Reckoning};
use super::timex;

const NANOS_IN_A_SECOND: i64 = 1_000_000_000;

/// Election time. Cheap to clone; reading it takes no lock.
#[derive(Clone, Debug)]
pub struct Clock {
    kind: Kind,
    made: Monotonic,
}

#[derive(Clone, Debug)]
enum Kind {
    Machine(Arc<Machine>),
    Shifted { from: Timestamp, pace: Pace },
    Scripted { from: i64, millis: Arc<AtomicI64> },
}

/// The machine's time, as it is believed.
#[derive(Debug)]
struct Machine {
    /// Nanoseconds since 1970 when the clock was made.
    origin: AtomicI64,
    reckoning: Mutex<Reckoning>,
}

/// How fast a shifted clock runs: `election` passes in `machine`. Both longer than nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    pub election: Duration,
    pub machine: Duration,
}

impl Pace {
    /// `time` times `by`, divided by `per`, in whole nanoseconds.
    fn scale(time: SignedDuration, by: Duration, per: Duration) -> SignedDuration {
        let as_nanos = |d: Duration| i128::try_from(d.as_nanos()).unwrap_or(i128::MAX).max(1);
        let scaled = time.as_nanos().saturating_mul(as_nanos(by)) / as_nanos(per);
        SignedDuration::try_from_nanos_i128(scaled).unwrap_or(SignedDuration::MAX)
    }
}

/// Moves a scripted clock.
pub struct Hands(Arc<AtomicI64>);

impl Clock {
    /// The machine's own clock.
    pub fn machine() -> Clock {
        let made = Monotonic::now();
        let reckoning = Reckoning::new(read(made));
        let origin = AtomicI64::new(reckoning.origin());
        Clock { kind: Kind::Machine(Arc::new(Machine { origin, reckoning: Mutex::new(reckoning) })), made }
    }

    /// Looks whether the machine's wall clock still agrees, and what is to be told of it. To be called every second or
    /// so, by one only.
    pub fn check(&self) -> Option<Doubt> {
        let Kind::Machine(machine) = &self.kind else { return None };
        let mut reckoning = machine.reckoning.lock().unwrap_or_else(PoisonError::into_inner);
        let doubt = reckoning.check(read(self.made));
        machine.origin.store(reckoning.origin(), Ordering::Release);
        doubt
    }

    /// At a start: it was this late already when something was written down. Counts where nobody keeps the machine's
    /// clock right.
    pub fn not_before(&self, known: Timestamp) {
        let Kind::Machine(machine) = &self.kind else { return };
        let mut reckoning = machine.reckoning.lock().unwrap_or_else(PoisonError::into_inner);
        reckoning.not_before(known, self.made.elapsed());
        machine.origin.store(reckoning.origin(), Ordering::Release);
    }

    /// A clock that shows `from` now and goes on at its own pace.
    pub fn shifted(from: Timestamp, pace: Pace) -> Clock {
        Clock::of(Kind::Shifted { from, pace })
    }

    /// A clock that stands at `from` until its hands are moved.
    pub fn scripted(from: Timestamp) -> (Clock, Hands) {
        let millis = Arc::new(AtomicI64::new(from.as_millisecond()));
        (Clock::of(Kind::Scripted { from: from.as_millisecond(), millis: millis.clone() }), Hands(millis))
    }

    fn of(kind: Kind) -> Clock {
        Clock { kind, made: Monotonic::now() }
    }

    pub fn now(&self) -> Timestamp {
        match &self.kind {
            Kind::Machine(machine) => machine.now(self.made),
            Kind::Shifted { from, pace } => {
                let passed = SignedDuration::try_from(self.made.elapsed()).unwrap_or(SignedDuration::MAX);
                from.checked_add(Pace::scale(passed, pace.election, pace.machine)).unwrap_or(Timestamp::MAX)
            }
            Kind::Scripted { millis, .. } => {
                Timestamp::from_millisecond(millis.load(Ordering::Acquire)).unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// Seconds since 1970: of election time, and of the machine's, which caches go by. One reading where both are one.
    pub fn seconds(&self) -> (i64, i64) {
        match &self.kind {
            Kind::Machine(machine) => {
                let now = machine.nanos(self.made) / NANOS_IN_A_SECOND;
                (now, now)
            }
            Kind::Shifted { .. } | Kind::Scripted { .. } => (self.now().as_second(), machine_now().as_second()),
        }
    }

    /// Seconds of the election in one of the machine.
    pub fn pace(&self) -> f64 {
        match &self.kind {
            Kind::Shifted { pace, .. } => pace.election.as_secs_f64() / pace.machine.as_secs_f64(),
            Kind::Machine(_) | Kind::Scripted { .. } => 1.0,
        }
    }

    /// How long `election` lasts for people and caches outside, who live in machine time.
    pub fn outside(&self, election: SignedDuration) -> SignedDuration {
        match &self.kind {
            Kind::Shifted { pace, .. } => Pace::scale(election, pace.machine, pace.election),
            Kind::Machine(_) | Kind::Scripted { .. } => election,
        }
    }

    /// Time since this clock was made, which never steps back: the machine's, or what a scripted one's hands were moved by.
    pub fn elapsed(&self) -> Duration {
        match &self.kind {
            Kind::Machine(_) | Kind::Shifted { .. } => self.made.elapsed(),
            Kind::Scripted { from, millis } => {
                Duration::from_millis(u64::try_from(millis.load(Ordering::Acquire) - from).unwrap_or(0))
            }
        }
    }

    /// True where the time shown is not the machine's.
    pub fn is_shifted(&self) -> bool {
        !matches!(self.kind, Kind::Machine(_))
    }
}

impl Machine {
    fn now(&self, made: Monotonic) -> Timestamp {
        Timestamp::from_nanosecond(i128::from(self.nanos(made))).unwrap_or(Timestamp::MAX)
    }

    /// Nanoseconds since 1970.
    fn nanos(&self, made: Monotonic) -> i64 {
        let passed = made.elapsed();
        // Of 292 years, without the wide numbers that a request need not pay for.
        let seconds = i64::try_from(passed.as_secs()).unwrap_or(i64::MAX);
        let passed = seconds.saturating_mul(NANOS_IN_A_SECOND).saturating_add(passed.subsec_nanos().into());
        self.origin.load(Ordering::Acquire).saturating_add(passed)
    }
}

/// What the machine's clocks say at this moment.
fn read(made: Monotonic) -> Reading {
    // In this order: whatever passes between the two makes sleep shorter, and the next look finds all of it. Sleep that
    // never was would stay.
    let [since_boot, monotonic] = [ClockId::Boottime, ClockId::Monotonic].map(kernel_time);
    Reading {
        wall: machine_now(),
        elapsed: made.elapsed(),
        suspended: since_boot.saturating_sub(monotonic),
        is_synchronised: timex::is_synchronised(),
    }
}

fn kernel_time(id: ClockId) -> Duration {
    let time = clock_gettime(id);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// How long a processor has worked for the thread that asks.
pub fn thread_time() -> Duration {
    kernel_time(ClockId::ThreadCPUTime)
}

impl Hands {
    pub fn set(&self, to: Timestamp) {
        self.0.store(to.as_millisecond(), Ordering::Release);
    }

    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::AcqRel);
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one clock")]
fn machine_now() -> Timestamp {
    Timestamp::now()
}

/// A reading of time that never steps back, for measuring how long something took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Monotonic(std::time::Instant);

impl Monotonic {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
    pub fn now() -> Monotonic {
        Monotonic(std::time::Instant::now())
    }

    /// Time since this reading.
    pub fn elapsed(self) -> Duration {
        Monotonic::now().0.saturating_duration_since(self.0)
    }

    /// Time from `earlier` to this reading; zero where there is none.
    pub fn since(self, earlier: Monotonic) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    pub fn plus(self, by: Duration) -> Monotonic {
        Monotonic(self.0 + by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn scripted_hands_move_it_and_nothing_else() {
        let (clock, hands) = Clock::scripted(at("2026-06-08T00:29:59Z"));
        assert_eq!(clock.now(), at("2026-06-08T00:29:59Z"));
        hands.advance(Duration::from_secs(1));
        assert_eq!(clock.now(), at("2026-06-08T00:30:00Z"));
        assert!(clock.is_shifted());
    }

    #[test]
    fn a_shifted_clock_starts_where_told_and_runs_faster() {
        let start = at("2026-06-08T00:30:00Z");
        let pace = Pace { election: Duration::from_secs(600), machine: Duration::from_secs(7) };
        let clock = Clock::shifted(start, pace);
        assert!(clock.now() >= start);
        assert_eq!(clock.outside(SignedDuration::from_mins(10)), SignedDuration::from_secs(7));
    }
}
