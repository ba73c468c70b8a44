//! The waiting room: when to try a package, and when to give it up. Pure: looks and the time come in.
//!
//! ```text
//!                 changed                       changed
//!          +-----------------+          +--------------------+
//!          v                 |          v                    |
//!  new -> Pending -- quiet --+-> try -> Failed -- settled -> Refused
//!                                 |
//!                                 +---> Done (live, the same, or not admitted)
//! ```
//! Whatever fails for a reason that time may heal (a stamp ahead of the clock) is tried again now and then, unchanged.
//! Whatever fails may still be arriving: it is refused only when nothing about it has changed for the settling time.
//! What succeeds is proven by its sums and its signature, however it came.

use std::collections::HashMap;
use std::time::Duration;

use super::incoming::Sighting;
use super::transport::Complete;

/// A package is first tried when nothing about it has changed for so long: rsync and cp write more often than this.
pub const QUIET: Duration = Duration::from_millis(100);
/// After each failed try the next waits twice as long, up to this: a slow transfer must not be hashed over and over.
const QUIET_MAX: Duration = Duration::from_secs(2);
/// How often what may heal is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(10);
/// For trees that wait for a notice, where one may have been given while nobody listened: before a start, in another
/// window. rsyncd lets a client go that says nothing for 300 s: whatever was under way has ended by then, and if it was
/// cut it has mostly left a draft. For the same reason nobody writes any more to a draft that has not changed for so long.
pub const UNHEARD: Duration = Duration::from_secs(360);
/// The same where a notice was heard and the folder could not be looked at as it was then.
pub const UNSEEN: Duration = Duration::from_secs(10);

/// Time since the operator started.
type Now = Duration;

#[derive(Debug)]
enum State {
    Pending,
    Failed {
        code: &'static str,
        why: String,
        /// When to try again although nothing has changed.
        retry: Option<Now>,
        /// Given up, as far as people are concerned.
        is_told: bool,
    },
    Done,
}

#[derive(Debug)]
struct Visitor {
    sighting: Sighting,
    changed: Now,
    failures: u32,
    /// Whole once nothing has changed for so long, whatever the rule is: the sender has said so, or may have.
    whole_after: Option<Duration>,
    /// Since when each of its drafts has been as it is.
    drafts: HashMap<u64, Now>,
    state: State,
}

/// All packages that were seen and are still there.
#[derive(Debug, Default)]
pub struct Room {
    visitors: HashMap<String, Visitor>,
    /// For bare trees, which cannot prove that they are whole: what counts as a sign of it.
    complete: Option<Complete>,
    /// A notice was given, or may have been, of what is seen next.
    unheard: Option<Duration>,
}

/// A package that is given up.
#[derive(Debug, PartialEq, Eq)]
pub struct GivenUp {
    pub name: String,
    pub code: &'static str,
    pub why: String,
}

impl Room {
    /// `complete` is for bare trees; packages prove by their sums that they are whole.
    pub fn new(complete: Option<Complete>) -> Room {
        Room { visitors: HashMap::new(), complete, unheard: None }
    }

    /// The sender says that he is done: what is there as it was seen last need not be waited for, but for what another
    /// one has under way.
    pub fn is_complete(&mut self) {
        self.visitors.values_mut().for_each(|visitor| visitor.whole_after = Some(Duration::ZERO));
    }

    /// The sender may have said that he is done, and nobody has heard it, or seen what was there then: what is seen next
    /// counts as whole after so long a quiet. Where he was not heard at all, a draft says that he was cut. What was said to
    /// be whole remains so.
    pub fn may_be_complete(&mut self, after: Duration) {
        // Nobody else depends on a notice.
        if self.complete == Some(Complete::Notified) {
            self.unheard = Some(self.unheard.map_or(after, |before| before.min(after)));
        }
    }

    /// Takes note of what is there now. What counted of `may_be_complete` is returned, for a look that has to be repeated.
    pub fn see(&mut self, sightings: Vec<Sighting>, now: Now) -> Option<Duration> {
        let (mut before, unheard) = (std::mem::take(&mut self.visitors), self.unheard.take());
        for sighting in sightings {
            let visitor = before.remove(&sighting.name);
            let since = visitor.as_ref().map(|visitor| &visitor.drafts);
            let since = |mark: &u64| since.and_then(|since| since.get(mark)).copied().unwrap_or(now);
            let drafts: HashMap<_, _> = sighting.drafts.iter().map(|mark| (*mark, since(mark))).collect();
            let mut visitor = match visitor {
                Some(visitor) if visitor.sighting.mark == sighting.mark => visitor,
                Some(visitor) => {
                    Visitor { sighting, changed: now, whole_after: None, drafts, state: State::Pending, ..visitor }
                }
                None => {
                    Visitor { sighting, changed: now, failures: 0, whole_after: None, drafts, state: State::Pending }
                }
            };
            let is_cut =
                |after: &Duration| *after >= UNHEARD && visitor.is_under_way_until().is_some_and(|at| at > now);
            let whole_after = unheard.filter(|after| !is_cut(after));
            visitor.whole_after = visitor.whole_after.into_iter().chain(whole_after).min();
            self.visitors.insert(visitor.sighting.name.clone(), visitor);
        }
        unheard
    }

    /// Whoever is there is to be tried anew. A tree that was said to be whole need not be announced again.
    pub fn anew(&mut self) {
        for visitor in self.visitors.values_mut() {
            (visitor.state, visitor.failures) = (State::Pending, 0);
        }
    }

    /// Who is there.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.visitors.keys().map(String::as_str)
    }

    /// Packages to be tried now, the latest name first.
    pub fn due(&self, now: Now) -> Vec<Sighting> {
        let is_due = |v: &&Visitor| v.try_at(self.complete).is_some_and(|at| at <= now);
        let mut due: Vec<_> = self.visitors.values().filter(is_due).map(|v| v.sighting.clone()).collect();
        due.sort_by(|a, b| b.name.cmp(&a.name));
        due
    }

    /// Nothing more is to be done about this package until it changes.
    pub fn done(&mut self, name: &str) {
        if let Some(visitor) = self.visitors.get_mut(name) {
            (visitor.state, visitor.failures) = (State::Done, 0);
        }
    }

    /// This package does not hold as it is now. Returns whether that is news.
    pub fn failed(&mut self, name: &str, code: &'static str, why: String, may_heal: bool, now: Now) -> bool {
        let Some(visitor) = self.visitors.get_mut(name) else { return false };
        visitor.failures = visitor.failures.saturating_add(1);
        let retry = may_heal.then(|| now + RETRY_EVERY);
        let (is_news, is_told) = match &visitor.state {
            State::Failed { code: before, is_told, .. } => (*before != code, *is_told && *before == code),
            State::Pending | State::Done => (true, false),
        };
        visitor.state = State::Failed { code, why, retry, is_told };
        is_news
    }

    /// Gives up what has failed and not changed for `settle`.
    pub fn give_up(&mut self, now: Now, settle: Duration) -> Vec<GivenUp> {
        let mut given_up = Vec::new();
        for visitor in self.visitors.values_mut().filter(|v| v.changed + settle <= now) {
            if let State::Failed { code, why, retry, is_told: is_told @ false } = &mut visitor.state {
                let name = visitor.sighting.name.clone();
                given_up.push(GivenUp { name, code, why: why.clone() });
                *is_told = true;
                if retry.is_none() {
                    (visitor.state, visitor.failures) = (State::Done, 0);
                }
            }
        }
        given_up
    }

    /// When there is next something to do, if nothing changes until then.
    pub fn next(&self, settle: Duration) -> Option<Now> {
        let give_up_at = |v: &Visitor| match v.state {
            State::Failed { is_told: false, .. } => Some(v.changed + settle),
            _ => None,
        };
        self.visitors.values().flat_map(|v| [v.try_at(self.complete), give_up_at(v)]).flatten().min()
    }
}

impl Visitor {
    /// When it is to be tried, if at all.
    fn try_at(&self, complete: Option<Complete>) -> Option<Now> {
        match self.state {
            State::Pending => {
                let by_rule = match complete {
                    None => Some(self.quiet()),
                    Some(Complete::Quiet(time)) => Some(self.quiet().max(time)),
                    Some(Complete::Notified) => None,
                };
                let at = by_rule.into_iter().chain(self.whole_after).min().map(|quiet| self.changed + quiet)?;
                // A package proves by its sums that nothing is missing.
                let under_way = complete.and_then(|_| self.is_under_way_until());
                Some(under_way.map_or(at, |until| at.max(until)))
            }
            State::Failed { retry, .. } => retry,
            State::Done => None,
        }
    }

    /// Where there are drafts in it: when nobody writes to the last of them any more.
    fn is_under_way_until(&self) -> Option<Now> {
        self.drafts.values().max().map(|since| *since + UNHEARD)
    }

    fn quiet(&self) -> Duration {
        QUIET.saturating_mul(1 << self.failures.min(10)).min(QUIET_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(10);

    fn seen(name: &str, mark: u64) -> Sighting {
        Sighting { name: name.into(), path: name.into(), mark, drafts: Vec::new() }
    }

    fn ms(n: u64) -> Now {
        Duration::from_millis(n)
    }

    fn due(room: &Room, now: Now) -> Vec<String> {
        room.due(now).into_iter().map(|s| s.name).collect()
    }

    #[test]
    fn what_still_grows_is_not_tried() {
        let mut room = Room::default();
        for n in 0..50 {
            room.see(vec![seen("a.tar", n)], ms(n * 60));
            assert!(due(&room, ms(n * 60)).is_empty());
        }
        let last = ms(49 * 60);
        assert_eq!(room.next(SETTLE), Some(last + QUIET));
        assert_eq!(due(&room, last + QUIET), ["a.tar"]);
        room.done("a.tar");
        room.see(vec![seen("a.tar", 49)], ms(20_000));
        assert!(due(&room, ms(20_000)).is_empty(), "done is done");
        room.see(vec![seen("a.tar", 50)], ms(21_000));
        assert_eq!(due(&room, ms(21_000) + QUIET), ["a.tar"], "until it changes");
    }

    #[test]
    fn a_bare_tree_waits_for_the_sign_that_it_is_whole() {
        let mut room = Room::new(Some(Complete::Quiet(Duration::from_secs(30))));
        room.see(vec![seen(".", 1)], ms(0));
        assert!(due(&room, ms(29_999)).is_empty());
        assert_eq!(due(&room, ms(30_000)), ["."]);
        let mut room = Room::new(Some(Complete::Notified));
        room.see(vec![seen(".", 1)], ms(0));
        assert_eq!(room.next(SETTLE), None);
        room.is_complete();
        assert_eq!(due(&room, ms(0)), ["."]);
        room.see(vec![seen(".", 2)], ms(50));
        assert!(due(&room, ms(99_000)).is_empty(), "it has changed since");
    }

    #[test]
    fn a_notice_that_may_have_been_missed_is_made_up_for_by_a_long_quiet() {
        let mut room = Room::new(Some(Complete::Notified));
        room.may_be_complete(UNHEARD);
        room.see(vec![seen(".", 1)], ms(0));
        assert_eq!(room.next(SETTLE), Some(UNHEARD));
        assert!(due(&room, UNHEARD - ms(1)).is_empty());
        assert_eq!(due(&room, UNHEARD), ["."]);
        room.see(vec![seen(".", 2)], UNHEARD);
        assert_eq!(room.next(SETTLE), None, "of what comes while we listen a notice tells");
        room.may_be_complete(UNSEEN);
        room.may_be_complete(UNHEARD);
        room.see(vec![seen(".", 3)], UNHEARD);
        assert_eq!(room.next(SETTLE), Some(UNHEARD + UNSEEN));
        room.may_be_complete(UNHEARD);
        room.see(vec![Sighting { drafts: vec![7], ..seen(".", 4) }], UNHEARD);
        assert_eq!(room.next(SETTLE), None, "a transfer that was cut");
        room.may_be_complete(UNSEEN);
        room.see(vec![Sighting { drafts: vec![7], ..seen(".", 5) }], UNHEARD + ms(1));
        assert_eq!(room.next(SETTLE), Some(UNHEARD * 2), "a notice was heard, and this may be of another transfer");
        room.may_be_complete(UNHEARD);
        room.see(vec![Sighting { drafts: vec![7], ..seen(".", 6) }], UNHEARD * 2);
        assert_eq!(room.next(SETTLE), Some(UNHEARD * 3), "one that nobody writes to says nothing");
    }

    #[test]
    fn what_is_under_way_is_waited_for_whatever_is_said() {
        let drafts = |mark, drafts: &[u64]| vec![Sighting { drafts: drafts.to_vec(), ..seen(".", mark) }];
        for complete in [Complete::Quiet(Duration::from_secs(30)), Complete::Notified] {
            let mut room = Room::new(Some(complete));
            room.see(drafts(1, &[1]), ms(0));
            room.is_complete();
            assert_eq!(room.next(SETTLE), Some(UNHEARD), "{complete:?}");
            // It grows, and so does another.
            room.see(drafts(2, &[2, 3]), ms(10));
            room.is_complete();
            assert_eq!(room.next(SETTLE), Some(ms(10) + UNHEARD), "{complete:?}");
            // What has not changed is as old as it was; what is gone is not waited for.
            room.see(drafts(3, &[2]), ms(20));
            room.is_complete();
            assert_eq!(room.next(SETTLE), Some(ms(10) + UNHEARD), "{complete:?}");
            room.see(drafts(4, &[]), ms(30));
            room.is_complete();
            assert_eq!(room.next(SETTLE), Some(ms(30)), "{complete:?}");
        }
        let mut room = Room::default();
        room.see(drafts(1, &[1]), ms(0));
        assert_eq!(room.next(SETTLE), Some(QUIET), "a package proves that it is whole");
    }

    #[test]
    fn what_was_said_to_be_whole_is_so_in_the_next_window() {
        let mut room = Room::new(Some(Complete::Notified));
        room.see(vec![seen(".", 1)], ms(0));
        room.is_complete();
        room.done(".");
        room.anew();
        room.may_be_complete(UNHEARD);
        room.see(vec![seen(".", 1)], ms(5));
        assert_eq!(due(&room, ms(5)), ["."]);
    }

    #[test]
    fn a_sender_who_says_that_he_is_done_is_not_waited_for() {
        let mut room = Room::default();
        room.see(vec![seen("a.tar", 1)], ms(0));
        assert!(due(&room, ms(0)).is_empty());
        room.is_complete();
        assert_eq!(due(&room, ms(0)), ["a.tar"]);
    }

    #[test]
    fn what_fails_waits_and_is_refused_once() {
        let mut room = Room::default();
        room.see(vec![seen("p", 1)], ms(0));
        assert!(room.failed("p", "P061", "missing".into(), false, ms(0)));
        assert!(room.give_up(ms(9_999), SETTLE).is_empty());
        assert!(due(&room, ms(9_999)).is_empty(), "the same bytes fail again");
        let refused = room.give_up(ms(10_000), SETTLE);
        assert_eq!(refused, [GivenUp { name: "p".into(), code: "P061", why: "missing".into() }]);
        assert!(room.give_up(ms(60_000), SETTLE).is_empty());
    }

    #[test]
    fn what_time_may_heal_is_tried_again_and_told_once() {
        let mut room = Room::default();
        room.see(vec![seen("p", 1)], ms(0));
        assert!(room.failed("p", "P074", "ahead".into(), true, ms(200)));
        assert_eq!(room.next(SETTLE), Some(SETTLE));
        assert_eq!(room.give_up(SETTLE, SETTLE).len(), 1);
        let again = ms(200) + RETRY_EVERY;
        assert_eq!(room.next(SETTLE), Some(again));
        assert!(due(&room, again - ms(1)).is_empty());
        assert_eq!(due(&room, again), ["p"]);
        assert!(!room.failed("p", "P074", "ahead".into(), true, again), "no news");
        assert!(room.give_up(again, SETTLE).is_empty());
        assert_eq!(due(&room, again + RETRY_EVERY), ["p"]);
        room.done("p");
        assert_eq!(room.next(SETTLE), None);
    }

    #[test]
    fn a_slow_transfer_is_tried_less_and_less_often() {
        let mut room = Room::default();
        for (n, quiet) in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1600), (6, 2000), (7, 2000)] {
            let now = ms(n * 5_000);
            room.see(vec![seen("p", n)], now);
            assert!(due(&room, now + ms(quiet - 1)).is_empty(), "{n}");
            assert_eq!(due(&room, now + ms(quiet)), ["p"], "{n}");
            room.failed("p", "P061", String::new(), false, now);
        }
    }

    #[test]
    fn the_latest_first_and_what_is_gone_is_forgotten() {
        let mut room = Room::default();
        room.see(vec![seen("20260607_1830.tar", 1), seen("20260607_1840.tar", 1)], ms(0));
        assert_eq!(due(&room, QUIET), ["20260607_1840.tar", "20260607_1830.tar"]);
        room.see(vec![seen("20260607_1830.tar", 1)], ms(50));
        assert_eq!(due(&room, QUIET), ["20260607_1830.tar"]);
    }
}
