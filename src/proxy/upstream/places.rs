//! What is known of each place: who is under way to it, which connections lie idle, whether it takes any, and how well it
//! answers. No I/O.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::connect::{Link, Single};
use super::health::{Health, Turn, WHOLE, Word};
use super::many::Many;
use super::names::Place;
use super::own::wire::Own;

/// Many servers close after 60 s, nginx after 75 s: a connection that is older may end under the next request.
pub const IDLE_MOST: Duration = Duration::from_secs(50);
/// A place that took no connection is passed over for this long, then twice as long, ...
const PASSED_OVER_LEAST: Duration = Duration::from_secs(1);
/// ... up to this.
const PASSED_OVER_MOST: Duration = Duration::from_secs(30);
/// One in so many places may be ejected at once: the others have to bear its load, and where most answer badly the fault may
/// be another's, or the readers'.
const EJECTED_ONE_IN: usize = 2;

/// All places of an upstream.
#[derive(Default)]
pub struct Places {
    known: BTreeMap<Place, Known>,
    count: usize,
    turn: u64,
    /// Until a place that has come back has its whole share.
    slow_start: Duration,
    /// Somebody comes back to sweep.
    pub is_swept: bool,
}

/// A connection that nobody uses, and anybody may.
pub enum Idle {
    Own(Own),
    Single(Single),
}

impl Idle {
    /// Nothing was heard on it since.
    fn is_well(&mut self) -> bool {
        match self {
            Idle::Own(own) => own.is_quiet(),
            Idle::Single(single) => single.sender.is_ready(),
        }
    }

    fn is_over(&mut self) -> bool {
        match self {
            Idle::Own(own) => !own.is_quiet(),
            Idle::Single(single) => single.sender.is_closed(),
        }
    }
}

impl From<Idle> for Link {
    fn from(idle: Idle) -> Link {
        match idle {
            Idle::Own(own) => Link::Own(own),
            Idle::Single(single) => Link::Single(single),
        }
    }
}

#[derive(Default)]
struct Known {
    /// Newest last.
    idle: Vec<(Idle, Instant)>,
    shared: Option<(Many, Instant)>,
    in_flight: usize,
    /// When it was its turn last; later, where its share is small.
    turn: u64,
    health: Health,
    failed: u32,
    passed_over_until: Option<Instant>,
    only_http1: bool,
    /// While it may speak HTTP/2, one connects and the others wait for that connection.
    dialing: Arc<tokio::sync::Mutex<()>>,
}

impl Places {
    pub fn new(slow_start: Duration) -> Places {
        Places { slow_start, ..Places::default() }
    }

    /// The order in which to try: places that took connections before others, and those that answer well; then the least
    /// busy, for its share; then in turns. Where all answer badly, it is as if none did. What is no place any longer is
    /// forgotten.
    pub fn order(&mut self, mut places: Vec<Place>, now: Instant) -> Vec<Place> {
        self.count = places.len();
        self.known.retain(|place, known| known.in_flight > 0 || places.contains(place));
        if places.len() < 2 {
            return places;
        }
        let are_bad = places.iter().all(|place| self.known.get(place).is_some_and(|known| known.health.is_bad(now)));
        places.sort_by_cached_key(|place| match self.known.get(place) {
            Some(known) => {
                let share = known.health.share(self.slow_start, now);
                let load = known.in_flight as u64 * u64::from(WHOLE) / u64::from(share);
                let is_out = !are_bad && known.health.is_out(now);
                (known.passed_over_until.filter(|until| now < *until), is_out, load, known.turn, WHOLE - share)
            }
            None => (None, false, 0, 0, 0),
        });
        places
    }

    /// Places that there were last.
    pub fn count(&self) -> usize {
        self.count
    }

    pub fn begin(&mut self, place: Place, now: Instant) {
        self.turn += 1;
        let known = self.known.entry(place).or_default();
        let share = known.health.share(self.slow_start, now);
        // With half a share, all others have a turn more before it has its next.
        let others = self.count.saturating_sub(1) as u64;
        let rests = others * u64::from(WHOLE - share) / u64::from(share);
        known.in_flight += 1;
        known.turn = self.turn + rests;
    }

    pub fn end(&mut self, place: Place) {
        if let Some(known) = self.known.get_mut(&place) {
            known.in_flight = known.in_flight.saturating_sub(1);
        }
    }

    pub fn reached(&mut self, place: Place, now: Instant) {
        let known = self.known.entry(place).or_default();
        if known.failed > 0 {
            known.health.back(now);
        }
        (known.failed, known.passed_over_until) = (0, None);
    }

    pub fn failed(&mut self, place: Place, now: Instant) {
        let known = self.known.entry(place).or_default();
        // Who failed at the same time as others tells nothing new.
        if known.passed_over_until.is_none_or(|until| until <= now) {
            let pause = PASSED_OVER_LEAST.saturating_mul(1 << known.failed.min(16)).min(PASSED_OVER_MOST);
            known.failed = known.failed.saturating_add(1);
            known.passed_over_until = Some(now + pause);
        }
    }

    /// A word on a request to it that began at `began`.
    pub fn heard(&mut self, place: Place, word: Word, began: Instant, now: Instant) -> Option<Turn> {
        let ejected = self.known.values().filter(|known| known.health.is_ejected(now)).count();
        let may_eject = (ejected + 1) * EJECTED_ONE_IN <= self.count;
        self.known.get_mut(&place)?.health.heard(word, began, now, may_eject)
    }

    /// What a check of it came to.
    pub fn checked(&mut self, place: Place, is_well: bool, now: Instant) -> Option<Turn> {
        if is_well {
            // By a connection that it has taken.
            self.reached(place, now);
        }
        self.known.entry(place).or_default().health.checked(is_well, now)
    }

    /// A connection that can be used at once: of our own, the newest of this thread before others; else the newest of hyper's,
    /// or, where it has none, one of ours that it may have.
    pub fn take(&mut self, place: Place, own: bool, now: Instant) -> Option<Link> {
        let known = self.known.get_mut(&place)?;
        if let Some(many) = known.shared(now) {
            return Some(Link::Many(many));
        }
        while let Some(at) = known.next(own) {
            let (mut idle, since) = known.idle.remove(at);
            if idle.is_well() && now < since + IDLE_MOST {
                return Some(idle.into());
            }
        }
        None
    }

    pub fn put(&mut self, place: Place, idle: Idle, now: Instant) {
        self.known.entry(place).or_default().idle.push((idle, now));
    }

    pub fn share(&mut self, place: Place, many: Many, now: Instant) {
        self.known.entry(place).or_default().shared = Some((many, now));
    }

    /// Not that one any longer.
    pub fn unshare(&mut self, place: Place, number: u64) {
        if let Some(known) = self.known.get_mut(&place)
            && known.shared.as_ref().is_some_and(|(many, _)| many.number == number)
        {
            known.shared = None;
        }
    }

    pub fn shared(&mut self, place: Place, now: Instant) -> Option<Many> {
        self.known.get_mut(&place)?.shared(now)
    }

    /// The lock of those who connect to a place that may speak HTTP/2; `None` where it is known not to.
    pub fn dialing(&mut self, place: Place) -> Option<Arc<tokio::sync::Mutex<()>>> {
        let known = self.known.entry(place).or_default();
        (!known.only_http1).then(|| known.dialing.clone())
    }

    pub fn speaks(&mut self, place: Place, http2: bool) {
        self.known.entry(place).or_default().only_http1 = !http2;
    }

    /// Closes the oldest idle connections until no more than `most` are left.
    pub fn make_room(&mut self, most: usize) {
        for _ in most..self.idle() {
            let oldest =
                self.known.values_mut().filter(|known| !known.idle.is_empty()).min_by_key(|known| known.idle[0].1);
            if let Some(known) = oldest {
                known.idle.remove(0);
            }
        }
    }

    pub fn idle(&self) -> usize {
        self.known.values().map(|known| known.idle.len()).sum()
    }

    /// Closes what has been idle for too long. True while there is something left to come back for.
    pub fn sweep(&mut self, now: Instant) -> bool {
        for known in self.known.values_mut() {
            known.idle.retain_mut(|(idle, since)| !idle.is_over() && now < *since + IDLE_MOST);
            if known.in_flight == 0 {
                known.shared(now);
            }
        }
        self.known.values().any(|known| !known.idle.is_empty() || known.shared.is_some())
    }
}

impl Known {
    /// Which idle connection is tried next.
    fn next(&self, own: bool) -> Option<usize> {
        let last = |suits: &dyn Fn(&Idle) -> bool| self.idle.iter().rposition(|(idle, _)| suits(idle));
        let ours = |idle: &Idle| matches!(idle, Idle::Own(_));
        match own {
            true => last(&|idle| matches!(idle, Idle::Own(own) if own.is_near())).or_else(|| last(&ours)),
            false => last(&|idle| !ours(idle)).or_else(|| last(&ours)),
        }
    }

    /// The shared connection, unless it has ended or nobody has used it for too long.
    fn shared(&mut self, now: Instant) -> Option<Many> {
        let (many, used) = self.shared.as_mut()?;
        if many.is_closed() || (self.in_flight == 0 && *used + IDLE_MOST <= now) {
            self.shared = None;
            return None;
        }
        *used = now;
        Some(many.clone())
    }
}
