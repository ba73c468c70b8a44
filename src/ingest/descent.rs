//! From which earlier cortes a corte is told as a difference: those that stay reachable with it. So what was withdrawn is
//! never a dictionary.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use super::desk::Intake;
use super::plan::{self, Budget};
use crate::base::clock::Monotonic;
use crate::base::pool;
use crate::corte::CorteId;
use crate::snapshot::{ALWAYS, Coding, Differences, Edition, Level, Snapshot};

/// What goes live does not wait longer than this for its first differences: the rest is made afterwards.
const FIRST_MAX: Duration = Duration::from_millis(150);

/// And not for any of a content longer than this, of which one takes more than a tenth of that time.
const FIRST_MAX_BYTES: usize = 2 << 20;

pub struct Descent {
    /// The latest first.
    pub past: Vec<Arc<Snapshot>>,
    made: Differences,
    budget: Budget,
    is_on: bool,
}

impl Descent {
    /// Of a corte that goes live, or is, in this edition.
    pub fn of_next(intake: &Intake, edition: Option<&Edition>, corte: CorteId) -> Descent {
        let most = intake.differing.cortes.min(intake.keep);
        let all = edition.into_iter().flat_map(Edition::all);
        let past = all.filter(|earlier| earlier.corte().id < corte).take(most).cloned().collect();
        let made = edition.map(|edition| edition.live().differences()).unwrap_or_default();
        Descent { past, made, budget: Budget::new(intake.differing, 0), is_on: most > 0 }
    }

    /// What goes live, with quick differences from the corte before it.
    pub fn of(mut self, snapshot: &Snapshot) -> Snapshot {
        let latest = &self.past[..self.past.len().min(1)];
        let (wanted, started) = (snapshot.wanted(latest), Monotonic::now());
        let make = |(): &mut (), n: usize| {
            let is_in_time = started.elapsed() < FIRST_MAX;
            let one = wanted.get(n).filter(|one| is_in_time && one.bytes() <= FIRST_MAX_BYTES);
            Ok::<_, Infallible>(
                one.and_then(|one| plan::difference(one, Coding::Dcz, Level::Fast, &self.budget, ALWAYS)),
            )
        };
        let Ok(first) = pool::each(wanted.len(), || (), make);
        first.into_iter().flatten().for_each(|difference| self.made.add(difference));
        // Where no differences are made, nobody need keep anything for one.
        if self.is_on { snapshot.descending(&self.past, &self.made) } else { snapshot.clone() }
    }
}
