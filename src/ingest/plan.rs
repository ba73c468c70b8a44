//! What is to be compressed of a corte that is live, in which order, and how much of it: pure but for its counters.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::snapshot::{Coding, Content, Difference, Differences, Level, Snapshot, Still, Wanted};

/// What may be spent on differences from earlier cortes (RFC 9842).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Differing {
    /// So many of the latest cortes are dictionaries; 0 makes no differences, and no response says that it is one.
    pub cortes: usize,
    /// Bytes of all differences that a corte has.
    pub memory: u64,
    /// Processor time for those of one corte, of all threads together.
    pub time: Duration,
}

impl Default for Differing {
    fn default() -> Differing {
        Differing { cortes: 6, memory: 128 << 20, time: Duration::from_secs(120) }
    }
}

/// What is left of it for one corte.
pub struct Budget {
    memory: u64,
    time: Duration,
    taken: AtomicU64,
    /// Microseconds.
    spent: AtomicU64,
}

impl Budget {
    /// `before`: bytes of differences that are there already.
    pub fn new(differing: Differing, before: usize) -> Budget {
        let Differing { memory, time, .. } = differing;
        Budget { memory, time, taken: AtomicU64::new(before as u64), spent: AtomicU64::new(0) }
    }

    /// Whether there is time for one more.
    pub fn has_time(&self) -> bool {
        self.spent() < self.time
    }

    pub fn spent(&self) -> Duration {
        Duration::from_micros(self.spent.load(Relaxed))
    }

    pub fn spend(&self, time: Duration) {
        self.spent.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Takes room for a difference, where there is any; what finds none leaves it to smaller ones.
    pub fn take(&self, bytes: usize) -> bool {
        let with_it = |taken: u64| taken.checked_add(bytes as u64).filter(|with_it| *with_it <= self.memory);
        self.taken.fetch_update(Relaxed, Relaxed, with_it).is_ok()
    }
}

/// One thing to be made.
#[derive(Debug)]
pub enum Job {
    Content(Arc<Content>, Level),
    Difference(Wanted, Coding, Level),
}

/// Everything that a live corte still lacks. What weighs most on the line goes first, and of that what takes least time:
///
/// 1. codings of what came back from the vault without them;
/// 2. a quick difference from every dictionary, the latest first;
/// 3. the best from the latest, which most readers have;
/// 4. the best codings, for who comes for the first time;
/// 5. the best from all dictionaries before.
pub fn jobs(snapshot: &Snapshot, past: &[Arc<Snapshot>], made: &Differences) -> Vec<Job> {
    let unfinished = snapshot.unfinished();
    let plain = unfinished.iter().filter(|content| content.level == Level::Plain);
    let mut jobs: Vec<Job> = plain.map(|content| Job::Content(content.clone(), Level::Fast)).collect();
    let wanted = snapshot.wanted(past);
    let difference = |(one, coding, level): (&Wanted, Coding, Level)| {
        let is_there = made.has(&one.content, &one.dictionary.digest, coding, level);
        (!is_there).then(|| Job::Difference(one.clone(), coding, level))
    };
    let best = |one| [(one, Coding::Dcb, Level::Best), (one, Coding::Dcz, Level::Best)];
    let latest = wanted.partition_point(|one| one.age == 1);
    jobs.extend(wanted.iter().filter_map(|one| difference((one, Coding::Dcz, Level::Fast))));
    jobs.extend(wanted[..latest].iter().flat_map(best).filter_map(difference));
    jobs.extend(unfinished.into_iter().map(|content| Job::Content(content, Level::Best)));
    jobs.extend(wanted[latest..].iter().flat_map(best).filter_map(difference));
    jobs
}

/// A difference, as far as the budget goes, and as long as it is wanted.
pub fn difference(
    wanted: &Wanted,
    coding: Coding,
    level: Level,
    budget: &Budget,
    still: Still,
) -> Option<Arc<Difference>> {
    let made = Difference::new_while(&wanted.content, &wanted.dictionary, coding, level, still)?;
    budget.take(made.weight()).then(|| Arc::new(made))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::base::digest::Digest;
    use crate::snapshot::{ALWAYS, media};

    #[test]
    fn what_is_given_up_in_the_middle_takes_no_room() {
        let content = |n: usize| {
            let bytes = Bytes::from((0..n).map(|i| format!("{i}|B|{}\n", i * 7919 % 499)).collect::<String>());
            Arc::new(Content::new(bytes.clone(), Digest::of(&bytes), media::of("a.csv"), Level::Fast))
        };
        let wanted = Wanted { content: content(500), dictionary: content(480), age: 1 };
        let budget = Budget::new(Differing::default(), 0);
        for (coding, level) in [(Coding::Dcz, Level::Fast), (Coding::Dcz, Level::Best), (Coding::Dcb, Level::Best)] {
            assert!(difference(&wanted, coding, level, &budget, &|| false).is_none());
            assert_eq!(budget.taken.load(Relaxed), 0);
        }
        assert!(difference(&wanted, Coding::Dcz, Level::Fast, &budget, ALWAYS).is_some());
        assert!(budget.taken.load(Relaxed) > 0);
    }

    #[test]
    fn what_finds_no_room_leaves_it_to_others() {
        let budget = Budget::new(Differing { memory: 1000, ..Differing::default() }, 300);
        assert!(!budget.take(701), "no room for this");
        assert!(budget.take(400) && !budget.take(301) && budget.take(300) && !budget.take(1));
        assert!(!budget.take(usize::MAX));
    }
}
