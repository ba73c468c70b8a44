//! What is known of each place: who is under way to it, which connections lie idle, and whether it takes any. No I/O.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::connect::{Link, Many, Single};
use super::names::Place;

/// Many servers close after 60 s, nginx after 75 s: a connection that is older may end under the next request.
pub const IDLE_MOST: Duration = Duration::from_secs(50);
/// A place that took no connection is passed over for this long, then twice as long, ...
const PASSED_OVER_LEAST: Duration = Duration::from_secs(1);
/// ... up to this.
const PASSED_OVER_MOST: Duration = Duration::from_secs(30);

/// All places of an upstream.
#[derive(Default)]
pub struct Places {
    known: HashMap<Place, Known>,
    turn: u64,
    /// Somebody comes back to sweep.
    pub is_swept: bool,
}

#[derive(Default)]
struct Known {
    /// Newest last.
    idle: Vec<(Single, Instant)>,
    shared: Option<(Many, Instant)>,
    in_flight: usize,
    /// When it was its turn last.
    turn: u64,
    failed: u32,
    passed_over_until: Option<Instant>,
    only_http1: bool,
    /// While it may speak HTTP/2, one connects and the others wait for that connection.
    dialing: Arc<tokio::sync::Mutex<()>>,
}

impl Places {
    /// The order in which to try: places that took connections before others, then the least busy, then in turns. What
    /// is no place any longer is forgotten.
    pub fn order(&mut self, mut places: Vec<Place>, now: Instant) -> Vec<Place> {
        self.known.retain(|place, known| known.in_flight > 0 || places.contains(place));
        places.sort_by_cached_key(|place| match self.known.get(place) {
            Some(known) => (known.passed_over_until.filter(|until| now < *until), known.in_flight, known.turn),
            None => (None, 0, 0),
        });
        places
    }

    pub fn begin(&mut self, place: Place) {
        self.turn += 1;
        let known = self.known.entry(place).or_default();
        known.in_flight += 1;
        known.turn = self.turn;
    }

    pub fn end(&mut self, place: Place) {
        if let Some(known) = self.known.get_mut(&place) {
            known.in_flight = known.in_flight.saturating_sub(1);
        }
    }

    pub fn reached(&mut self, place: Place) {
        let known = self.known.entry(place).or_default();
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

    /// A connection that can be used at once, the newest.
    pub fn take(&mut self, place: Place, now: Instant) -> Option<Link> {
        let known = self.known.get_mut(&place)?;
        if let Some(many) = known.shared(now) {
            return Some(Link::Many(many));
        }
        while let Some((single, since)) = known.idle.pop() {
            if single.sender.is_ready() && now < since + IDLE_MOST {
                return Some(Link::Single(single));
            }
        }
        None
    }

    pub fn put(&mut self, place: Place, single: Single, now: Instant) {
        self.known.entry(place).or_default().idle.push((single, now));
    }

    pub fn share(&mut self, place: Place, many: Many, now: Instant) {
        self.known.entry(place).or_default().shared = Some((many, now));
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
            known.idle.retain(|(single, since)| !single.sender.is_closed() && now < *since + IDLE_MOST);
            if known.in_flight == 0 {
                known.shared(now);
            }
        }
        self.known.values().any(|known| !known.idle.is_empty() || known.shared.is_some())
    }
}

impl Known {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn place(number: u8) -> Place {
        Place { origin: 0, address: ([127, 0, 0, number], 80).into() }
    }

    #[tokio::test]
    async fn the_least_busy_first_and_in_turns() {
        let (mut places, now) = (Places::default(), Instant::now());
        let all = vec![place(1), place(2), place(3)];
        assert_eq!(places.order(all.clone(), now), all);
        places.begin(place(1));
        places.begin(place(2));
        places.end(place(2));
        assert_eq!(places.order(all, now), [place(3), place(2), place(1)]);
    }

    #[tokio::test]
    async fn what_failed_is_passed_over_for_longer_and_longer() {
        let (mut places, mut now) = (Places::default(), Instant::now());
        let all = vec![place(1), place(2)];
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            places.failed(place(1), now);
            places.failed(place(1), now);
            let pause = Duration::from_secs(pause);
            assert_eq!(places.order(all.clone(), now + pause - Duration::from_millis(1)), [place(2), place(1)]);
            now += pause;
            assert_eq!(places.order(all.clone(), now)[0], place(1));
        }
        places.reached(place(1));
        places.failed(place(1), now);
        assert_eq!(places.order(all.clone(), now + Duration::from_secs(1))[0], place(1));
        // All of them: then it is as if none had, the one whose time comes first.
        places.failed(place(2), now + Duration::from_millis(1));
        assert_eq!(places.order(all, now + Duration::from_millis(2)), [place(1), place(2)]);
    }
}
