//! Whether a place answers well: by what it answers to readers, and by checks of its own. Pure: moments come in.
//!
//! ```text
//! well --6 points in a row--> ejected --its time is over--> on trial --a good answer--> well
//!                                ^                             |
//!                                +------- any bad word --------+
//! ```

use std::time::Duration;

use tokio::time::Instant;

/// Points of a run of bad answers after which a place is ejected: three requests that got no answer, or six answers of
/// failure. One good answer ends a run.
const RUN_MOST: u32 = 6;
const NO_ANSWER_POINTS: u32 = 2;
const FAILURE_POINTS: u32 = 1;
/// An ejection lasts so long, the next one twice as long, ...
const OUT_LEAST: Duration = Duration::from_secs(10);
/// ... up to this: somebody who has mended a place does not wait longer.
const OUT_MOST: Duration = Duration::from_secs(300);
/// Checks in a row that have to fail before a place is not used, so that one lost packet does nothing.
pub const FALL: u32 = 3;
/// Checks in a row that have to go well before it is used again.
pub const RISE: u32 = 2;
/// A place's whole share of the requests, in thousandths.
pub const WHOLE: u32 = 1000;
/// What a place begins with that has come back: enough to be found out about, too little to hurt many.
const SHARE_LEAST: u32 = 100;

/// What the answer to a request says of the place that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    Well,
    /// 500, 502, 503 or 504.
    Failure,
    /// None, or none that is HTTP and whole.
    NoAnswer,
}

/// What has changed with a word or a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Ejected, for so long.
    Ejected(Duration),
    /// The first good answer after that.
    Back,
    /// Its checks fail.
    Down,
    /// Its checks go well again.
    Up,
}

/// See above. A place of which nothing is known is well.
#[derive(Debug, Default)]
pub struct Health {
    /// Points of the run of bad answers.
    run: u32,
    out: Option<Out>,
    /// Ejections without a calm time in between.
    ejections: u32,
    /// No good answer since the last ejection.
    on_trial: bool,
    is_down: bool,
    /// Checks in a row that contradict `is_down`.
    contradicting: u32,
    /// When it came back into use, or will.
    back: Option<Instant>,
}

/// The last ejection.
#[derive(Debug, Clone, Copy)]
struct Out {
    since: Instant,
    until: Instant,
}

impl Health {
    pub fn is_ejected(&self, now: Instant) -> bool {
        self.out.is_some_and(|out| now < out.until)
    }

    /// Not to be used while there is another.
    pub fn is_out(&self, now: Instant) -> bool {
        self.is_down || self.is_ejected(now)
    }

    /// Out, or it should be and too many others are.
    pub fn is_bad(&self, now: Instant) -> bool {
        self.is_out(now) || self.run >= RUN_MOST
    }

    /// A word on a request that began at `began`. Without `may_eject` there are too few other places.
    pub fn heard(&mut self, word: Word, began: Instant, now: Instant, may_eject: bool) -> Option<Turn> {
        // What was under way when it was ejected tells nothing new.
        if self.out.is_some_and(|out| began < out.since) {
            return None;
        }
        let points = match word {
            Word::Well => return self.heard_well(now),
            Word::Failure => FAILURE_POINTS,
            Word::NoAnswer => NO_ANSWER_POINTS,
        };
        self.run = if self.on_trial { RUN_MOST } else { self.run.saturating_add(points) };
        if self.run < RUN_MOST || self.is_ejected(now) || !may_eject {
            return None;
        }
        let pause = OUT_LEAST.saturating_mul(1 << self.ejections.min(16)).min(OUT_MOST);
        self.ejections = self.ejections.saturating_add(1);
        self.out = Some(Out { since: now, until: now + pause });
        (self.run, self.on_trial) = (0, true);
        self.back(now + pause);
        Some(Turn::Ejected(pause))
    }

    fn heard_well(&mut self, now: Instant) -> Option<Turn> {
        self.run = 0;
        let out = self.out.as_mut()?;
        if now < out.until {
            // It was asked because all others were no better.
            out.until = now;
            self.back = Some(now);
        } else if now >= out.until + (out.until - out.since) {
            // Calm for as long as it was out.
            self.ejections = 0;
        }
        std::mem::take(&mut self.on_trial).then_some(Turn::Back)
    }

    /// What a check came to.
    pub fn checked(&mut self, is_well: bool, now: Instant) -> Option<Turn> {
        if is_well != self.is_down {
            self.contradicting = 0;
            return None;
        }
        self.contradicting += 1;
        if self.contradicting < if self.is_down { RISE } else { FALL } {
            return None;
        }
        (self.is_down, self.contradicting) = (!is_well, 0);
        if is_well {
            self.back(now);
        }
        Some(if is_well { Turn::Up } else { Turn::Down })
    }

    /// It is used again from `at` on, at the earliest.
    pub fn back(&mut self, at: Instant) {
        self.back = self.back.max(Some(at));
    }

    /// Its share of the requests in thousandths: the whole one, but for a place that is on trial, or has come back a short time
    /// ago. One that is out has no part in this: where it is asked all the same, so are all.
    pub fn share(&self, slow_start: Duration, now: Instant) -> u32 {
        let Some(back) = self.back.filter(|back| *back <= now) else { return WHOLE };
        // Or a crowd would hear what the first answer is to decide.
        if self.on_trial {
            return SHARE_LEAST;
        }
        if slow_start.is_zero() {
            return WHOLE;
        }
        let since = now.saturating_duration_since(back).as_millis();
        let grown = since.saturating_mul(u128::from(WHOLE)) / slow_start.as_millis().max(1);
        u32::try_from(grown).unwrap_or(WHOLE).clamp(SHARE_LEAST, WHOLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use Turn::{Back, Down, Ejected, Up};
    use Word::{Failure, NoAnswer, Well};

    /// Seconds after the beginning.
    fn at(begun: Instant, seconds: u64) -> Instant {
        begun + Duration::from_secs(seconds)
    }

    fn for_s(seconds: u64) -> Option<Turn> {
        Some(Ejected(Duration::from_secs(seconds)))
    }

    #[test]
    fn a_run_of_bad_answers_ejects_and_one_good_answer_ends_it() {
        for (words, ejects) in [
            (&[NoAnswer, NoAnswer, NoAnswer][..], true),
            (&[NoAnswer, NoAnswer][..], false),
            (&[Failure; 6][..], true),
            (&[Failure; 5][..], false),
            (&[NoAnswer, Failure, Failure, NoAnswer][..], true),
            (&[NoAnswer, NoAnswer, Well, NoAnswer, NoAnswer][..], false),
            (&[Failure, Failure, Failure, Failure, Failure, Well, Failure][..], false),
        ] {
            let (mut health, now) = (Health::default(), Instant::now());
            let turns: Vec<_> = words.iter().map(|word| health.heard(*word, now, now, true)).collect();
            assert_eq!(turns.last(), Some(&if ejects { for_s(10) } else { None }), "{words:?}");
            assert_eq!((health.is_out(now), health.is_bad(now)), (ejects, ejects), "{words:?}");
            assert!(turns[..turns.len() - 1].iter().all(Option::is_none), "{words:?}");
        }
    }

    /// Seconds at which a word comes of a request that began then, what changes, and whether it is out afterwards.
    type Row = (u64, Word, Option<Turn>, bool);

    #[test]
    fn longer_and_longer_until_it_has_been_calm_for_as_long() {
        let begun = Instant::now();
        let mut health = Health::default();
        health.heard(NoAnswer, begun, begun, true);
        health.heard(NoAnswer, begun, begun, true);
        let rows: [Row; 14] = [
            (0, NoAnswer, for_s(10), true),
            // On trial: the first answer decides.
            (10, Failure, for_s(20), true),
            (30, NoAnswer, for_s(40), true),
            (70, NoAnswer, for_s(80), true),
            (150, NoAnswer, for_s(160), true),
            (310, NoAnswer, for_s(300), true),
            (610, Failure, for_s(300), true),
            (910, Well, Some(Back), false),
            (911, Failure, None, false),
            (912, NoAnswer, None, false),
            (913, NoAnswer, None, false),
            // Not calm for as long as it was out.
            (914, NoAnswer, for_s(300), true),
            (1214, Well, Some(Back), false),
            (1514, Well, None, false),
        ];
        for (second, word, turn, is_out) in rows {
            let now = at(begun, second);
            assert!(!health.is_ejected(now), "{second}");
            assert_eq!(health.heard(word, now, now, true), turn, "{second}");
            assert_eq!(health.is_out(now), is_out, "{second}");
        }
        let now = at(begun, 1600);
        let turns: Vec<_> = (0..3).map(|_| health.heard(NoAnswer, now, now, true)).collect();
        assert_eq!(turns, [None, None, for_s(10)]);
    }

    #[test]
    fn what_was_under_way_when_it_was_ejected_tells_nothing() {
        let begun = Instant::now();
        let mut health = Health::default();
        for _ in 0..3 {
            health.heard(NoAnswer, begun, at(begun, 5), true);
        }
        for (word, second) in [(NoAnswer, 6), (Well, 7), (NoAnswer, 20)] {
            assert_eq!(health.heard(word, at(begun, 4), at(begun, second), true), None);
        }
        assert!(health.is_out(at(begun, 14)) && !health.is_out(at(begun, 15)));
        // It was asked all the same, since all others were no better.
        assert_eq!(health.heard(NoAnswer, at(begun, 8), at(begun, 9), true), None);
        assert_eq!(health.heard(Well, at(begun, 8), at(begun, 9), true), Some(Back));
        assert!(!health.is_bad(at(begun, 9)));
    }

    #[test]
    fn where_too_many_others_are_out_it_is_bad_and_not_out() {
        let now = Instant::now();
        let mut health = Health::default();
        for _ in 0..9 {
            assert_eq!(health.heard(NoAnswer, now, now, false), None);
        }
        assert_eq!((health.is_bad(now), health.is_out(now)), (true, false));
        assert_eq!(health.heard(Failure, now, now, true), for_s(10));
    }

    #[test]
    fn checks_count_in_a_row() {
        let now = Instant::now();
        let mut health = Health::default();
        let rows = [
            (true, None),
            (false, None),
            (false, None),
            (true, None),
            (false, None),
            (false, None),
            (false, Some(Down)),
            (false, None),
            (true, None),
            (false, None),
            (true, None),
            (true, Some(Up)),
            (true, None),
        ];
        let mut is_down = false;
        for (n, (is_well, turn)) in rows.into_iter().enumerate() {
            assert_eq!(health.checked(is_well, now), turn, "{n}");
            is_down = turn.map_or(is_down, |turn| turn == Down);
            assert_eq!((health.is_out(now), health.is_ejected(now)), (is_down, false), "{n}");
        }
    }

    #[test]
    fn who_comes_back_begins_slowly() {
        let begun = Instant::now();
        let slow = Duration::from_secs(10);
        let mut health = Health::default();
        assert_eq!(health.share(slow, begun), WHOLE);
        for _ in 0..3 {
            health.heard(NoAnswer, begun, begun, true);
        }
        // It comes back after 10 s, on trial.
        for (second, share) in [(0, WHOLE), (9, WHOLE), (10, 100), (19, 100)] {
            assert_eq!(health.share(slow, at(begun, second)), share, "{second}");
            assert_eq!(health.share(Duration::ZERO, at(begun, second)), share, "{second}");
        }
        assert_eq!(health.heard(Well, at(begun, 10), at(begun, 11), true), Some(Back));
        for (second, share) in [(10, 100), (11, 100), (13, 300), (19, 900), (20, WHOLE), (999, WHOLE)] {
            assert_eq!(health.share(slow, at(begun, second)), share, "{second}");
            assert_eq!(health.share(Duration::ZERO, at(begun, second)), WHOLE);
        }
        let mut checked = Health::default();
        for is_well in [false, false, false, true, true] {
            checked.checked(is_well, at(begun, 50));
        }
        assert_eq!(checked.share(slow, at(begun, 55)), 500);
        checked.back(at(begun, 52));
        assert_eq!(checked.share(slow, at(begun, 55)), 300);
    }
}
