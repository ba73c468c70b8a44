//! When to offer less, and when more again: one second in, a turn out. Pure.

use std::collections::VecDeque;

use super::class::Class;
use crate::portal::Offer;

/// Seconds over which the load is averaged, and before a step's effect is judged: what was under way when it was taken is
/// still being sent.
const MEAN_S: u32 = 3;
/// A link is full from here on, as a share of what it carries: headers of TCP, IP and TLS take 4 to 6 % of it, and what
/// is asked for comes in bursts.
const FULL: f64 = 0.85;
/// And must not be fuller than this with what would come back.
const ROOM: f64 = 0.6;
/// The serving threads are at their end from here on, as a share of their time.
const BUSY: f64 = 0.95;
/// And must not be busier than this for anything to come back.
const AT_EASE: f64 = 0.7;
/// After so many times the usual calm at ease, one step is tried whatever was left out: what that would weigh is a guess, and whoever
/// asks for it again and again must not keep it from all others.
const TRY_AFTER: u32 = 4;
/// How much longer it has to be calm at the most after what had come back was too much again.
const LONGER_MOST: u32 = 8;

/// What bounds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes a second; `None` where nobody knows.
    pub link: Option<u64>,
    /// Seconds of calm before anything comes back.
    pub calm_s: u32,
    /// Less is never offered.
    pub least: Offer,
}

/// What one second was like.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Second {
    /// Bytes that left.
    pub sent: u64,
    /// Bytes among them that only said that something is left out: to leave out more would bring more of them.
    pub refused: u64,
    /// Bytes that were asked for and left out, by [`Class`].
    pub left_out: [u64; Class::COUNT],
    /// Share of the serving threads' time that they worked, 0 to 1.
    pub busy: f64,
}

/// Why there is a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    LinkFull,
    ProcessorsBusy,
    Calm,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turn {
    pub from: Offer,
    pub to: Offer,
    pub why: Why,
    /// Means of the last seconds: bytes a second without refusals, share of the time.
    pub sent: u64,
    pub busy: f64,
}

/// Where it stands.
#[derive(Debug)]
pub struct Climb {
    bounds: Bounds,
    offer: Offer,
    last: VecDeque<Second>,
    /// Seconds since the last turn.
    since: u32,
    /// Seconds that it has been calm for, and at ease.
    calm: u32,
    eased: u32,
    /// The last turn brought something back.
    has_returned: bool,
    /// Times the usual calm that is asked for.
    longer: u32,
}

impl Climb {
    pub fn new(bounds: Bounds) -> Climb {
        Climb {
            bounds,
            offer: Offer::Everything,
            last: VecDeque::new(),
            since: 0,
            calm: 0,
            eased: 0,
            has_returned: false,
            longer: 1,
        }
    }

    /// One more second has passed.
    pub fn second(&mut self, second: Second) -> Option<Turn> {
        self.last.push_front(second);
        self.last.truncate(MEAN_S as usize);
        self.since = self.since.saturating_add(1);
        let full = self.full();
        self.eased = if self.is_at_ease(0.0) { self.eased.saturating_add(1) } else { 0 };
        self.calm = if self.is_at_ease(self.returning()) { self.calm.saturating_add(1) } else { 0 };
        if self.since < MEAN_S {
            return None;
        }
        let calm_s = self.bounds.calm_s.saturating_mul(self.longer);
        let to = match full {
            Some(_) => self.offer.less().filter(|less| *less <= self.bounds.least),
            None if self.calm >= calm_s || self.eased >= calm_s.saturating_mul(TRY_AFTER) => {
                // Calm for so long with everything offered: whatever it was is over.
                self.longer = if self.offer == Offer::Everything { 1 } else { self.longer };
                self.offer.more()
            }
            None => None,
        };
        to.map(|to| self.turn(to, full.unwrap_or(Why::Calm), calm_s))
    }

    fn turn(&mut self, to: Offer, why: Why, calm_s: u32) -> Turn {
        if why != Why::Calm && self.has_returned && self.since < calm_s {
            self.longer = (self.longer * 2).min(LONGER_MOST);
        }
        let from = std::mem::replace(&mut self.offer, to);
        (self.since, self.calm, self.eased, self.has_returned) = (0, 0, 0, why == Why::Calm);
        Turn { from, to, why, sent: self.sent() as u64, busy: self.busy() }
    }

    fn full(&self) -> Option<Why> {
        if self.bounds.link.is_some_and(|link| self.sent() >= FULL * link as f64) {
            return Some(Why::LinkFull);
        }
        (self.busy() >= BUSY).then_some(Why::ProcessorsBusy)
    }

    /// Bytes a second that would come back with one step more.
    fn returning(&self) -> f64 {
        Class::returning(self.offer).map_or(0.0, |class| self.mean(|second| second.left_out[class as usize] as f64))
    }

    /// True where so many bytes a second more fit.
    fn is_at_ease(&self, more: f64) -> bool {
        let has_room = self.bounds.link.is_none_or(|link| self.sent() + more <= ROOM * link as f64);
        has_room && self.busy() <= AT_EASE
    }

    /// Bytes a second, without refusals: those are no reason to go on, and end where what is refused comes back.
    fn sent(&self) -> f64 {
        self.mean(|second| second.sent.saturating_sub(second.refused) as f64)
    }

    fn busy(&self) -> f64 {
        self.mean(|second| second.busy)
    }

    fn mean(&self, of: impl Fn(&Second) -> f64) -> f64 {
        self.last.iter().map(of).sum::<f64>() / self.last.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINK: u64 = 12_500_000;
    const BOUNDS: Bounds = Bounds { link: Some(LINK), calm_s: 30, least: Offer::Essentials };

    /// So much is asked for, by class, and the link carries what it can of what is offered.
    fn second(offer: Offer, asked: [u64; Class::COUNT]) -> Second {
        const ALL: [Class; Class::COUNT] = [Class::Essential, Class::Ordinary, Class::Download, Class::Image];
        let mut second = Second { busy: 0.2, ..Second::default() };
        for class in ALL {
            let bytes = asked[class as usize];
            *if class.is_left_out(offer) { &mut second.left_out[class as usize] } else { &mut second.sent } += bytes;
        }
        second.sent = second.sent.min(LINK);
        second
    }

    fn run(climb: &mut Climb, seconds: u32, asked: [u64; Class::COUNT]) -> Vec<Turn> {
        (0..seconds).filter_map(|_| climb.second(second(climb.offer, asked))).collect()
    }

    /// Without those that were tried, and too much.
    fn steps(turns: &[Turn]) -> Vec<Offer> {
        let mut stayed: Vec<Turn> = Vec::new();
        for turn in turns {
            match stayed.last() {
                Some(tried) if tried.why == Why::Calm && turn.why != Why::Calm && tried.from == turn.to => {
                    stayed.pop();
                }
                _ => stayed.push(*turn),
            }
        }
        stayed.iter().map(|turn| turn.to).collect()
    }

    #[test]
    fn what_is_asked_for_in_vain_is_tried_after_a_while() {
        let mut climb = Climb::new(BOUNDS);
        assert_eq!(steps(&run(&mut climb, 60, [2_000_000, 0, 0, 30_000_000])), [Offer::WithoutImages]);
        // They are thought to be large, and are not; a script goes on asking, the link is idle.
        let mut script = || {
            let is_left_out = Class::Image.is_left_out(climb.offer);
            let left_out = if is_left_out { [0, 0, 0, LINK] } else { [0; Class::COUNT] };
            climb.second(Second { sent: if is_left_out { 1_000 } else { 90_000 }, left_out, busy: 0.1, refused: 0 })
        };
        let turns: Vec<Turn> = (0..600).filter_map(|_| script()).collect();
        assert_eq!(turns.iter().map(|turn| (turn.to, turn.why)).collect::<Vec<_>>(), [(Offer::Everything, Why::Calm)]);
    }

    #[test]
    fn a_night_up_and_down() {
        let mut climb = Climb::new(BOUNDS);
        assert_eq!(run(&mut climb, 600, [1_000_000, 0, 0, 0]), []);
        // Five times what the link carries, half of it images.
        let rush = [2_000_000, 3_000_000, 20_000_000, 30_000_000];
        let turns = run(&mut climb, 600, rush);
        assert_eq!(steps(&turns), [Offer::WithoutImages, Offer::WithoutDownloads]);
        assert!(turns[..2].iter().all(|turn| turn.why == Why::LinkFull));
        // What comes back must fit.
        let less = [2_000_000, 3_000_000, 1_000_000, 30_000_000];
        assert_eq!(steps(&run(&mut climb, 600, less)), [Offer::WithoutImages]);
        let quiet = run(&mut climb, 600, [100_000, 0, 0, 200_000]);
        assert_eq!(steps(&quiet), [Offer::Everything]);
        assert_eq!(quiet[0].why, Why::Calm);
    }

    #[test]
    fn no_second_step_before_the_first_can_have_helped() {
        let mut climb = Climb::new(BOUNDS);
        let asked = [20_000_000; Class::COUNT];
        let at: Vec<u32> = (1..=12).filter(|_| climb.second(second(climb.offer, asked)).is_some()).collect();
        assert_eq!(at, [3, 6, 9]);
        assert_eq!(climb.offer, Offer::Essentials);
        assert_eq!(run(&mut climb, 600, asked), [], "there is no less");
    }

    #[test]
    fn refusals_are_no_reason_to_leave_out_more() {
        let mut climb = Climb::new(BOUNDS);
        let asked = [1_000_000, 1_000_000, 1_000_000, 30_000_000];
        assert_eq!(steps(&run(&mut climb, 60, asked)), [Offer::WithoutImages]);
        // Each refusal has a head and a sentence, and whoever is refused asks again at once.
        let crowd = |offer, asked| {
            let second = second(offer, asked);
            Second { sent: second.sent + LINK, refused: LINK, ..second }
        };
        let turns: Vec<Turn> = (0..600).filter_map(|_| climb.second(crowd(climb.offer, asked))).collect();
        assert!(turns.iter().all(|turn| turn.to <= Offer::WithoutImages), "{turns:?}");
        for _ in 0..600 {
            climb.second(crowd(climb.offer, [1_000_000; Class::COUNT]));
        }
        assert_eq!(climb.offer, Offer::Everything, "they fit");
    }

    #[test]
    fn never_less_than_the_settings_let() {
        let mut climb = Climb::new(Bounds { least: Offer::WithoutImages, ..BOUNDS });
        assert_eq!(steps(&run(&mut climb, 600, [20_000_000; Class::COUNT])), [Offer::WithoutImages]);
        let mut climb = Climb::new(Bounds { least: Offer::Everything, ..BOUNDS });
        assert_eq!(run(&mut climb, 600, [20_000_000; Class::COUNT]), []);
    }

    #[test]
    fn processors_count_where_nobody_knows_the_link() {
        let mut climb = Climb::new(Bounds { link: None, ..BOUNDS });
        let busy = Second { sent: u64::MAX / 8, busy: 0.99, ..Second::default() };
        let turns: Vec<Turn> = (0..3).filter_map(|_| climb.second(busy)).collect();
        assert_eq!((steps(&turns), turns[0].why), (vec![Offer::WithoutImages], Why::ProcessorsBusy));
        // Neither full nor at ease: nothing moves.
        let between = Second { busy: 0.8, ..busy };
        assert!((0..600).all(|_| climb.second(between).is_none()));
    }

    #[test]
    fn what_was_too_much_again_is_waited_for_longer() {
        let mut climb = Climb::new(Bounds { link: None, ..BOUNDS });
        // Busy with everything, at ease without: nobody can tell from outside what the images would cost.
        let mut turns = Vec::new();
        for n in 0..3_000_u32 {
            let busy = if climb.offer == Offer::Everything { 0.99 } else { 0.3 };
            turns.extend(climb.second(Second { busy, ..Second::default() }).map(|turn| (n, turn.to)));
        }
        let gaps: Vec<u32> =
            turns.windows(2).filter(|w| w[1].1 == Offer::Everything).map(|w| w[1].0 - w[0].0).collect();
        assert!(gaps.is_sorted() && gaps[0] < 40 && gaps.last() >= Some(&240), "{gaps:?}");
    }

    proptest! {
        /// Whatever is asked for steadily, it comes to rest, at no less than it takes.
        #[test]
        fn it_comes_to_rest(asked in proptest::array::uniform4(0_u64..20_000_000)) {
            let mut climb = Climb::new(BOUNDS);
            run(&mut climb, 2_000, asked);
            let mut seconds = [0; Offer::ALL.len()];
            for _ in 0..2_000 {
                climb.second(second(climb.offer, asked));
                seconds[climb.offer as usize] += 1;
            }
            // What is tried meanwhile is taken back at once, and tried less and less.
            let at = (0..seconds.len()).max_by_key(|at| seconds[*at]).unwrap();
            prop_assert!(seconds[at] >= 1_980, "{:?}", seconds);
            let rests_at = Offer::ALL[at];
            let fits = |offer| second(offer, asked).sent as f64 <= FULL * LINK as f64;
            prop_assert!(rests_at == Offer::Essentials || fits(rests_at));
            prop_assert!(rests_at.more().is_none_or(|more| !fits(more) || second(rests_at, asked).sent as f64 > ROOM * LINK as f64));
        }

        /// One step at a time, whatever comes.
        #[test]
        fn one_step_at_a_time(seconds in proptest::collection::vec((0..2 * LINK, 0.0..1.0), 0..300)) {
            let mut climb = Climb::new(BOUNDS);
            let mut at = Offer::Everything;
            for (sent, busy) in seconds {
                if let Some(turn) = climb.second(Second { sent, busy, ..Second::default() }) {
                    prop_assert_eq!(turn.from, at);
                    prop_assert!(turn.from.less() == Some(turn.to) || turn.from.more() == Some(turn.to));
                    at = turn.to;
                }
            }
        }
    }
}
