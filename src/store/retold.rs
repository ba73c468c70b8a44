//! The head made again from the history, where neither it nor its copy can be read: what operators have withdrawn must not
//! be shown because a disk has lost two files.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::head::{Head, Hold, Rollback, Statement};
use super::ledger::{Moment, Shown};
use crate::corte::CorteId;

/// A corte that was accepted, and when, as far as that can be read.
pub(super) type Accepted = (CorteId, Option<Timestamp>);

/// What the history tells of the head, if anything. It is written after the head and best effort, so its last line may be
/// missing: what is later than it tells of counts as withdrawn, until operators say otherwise or a later one comes.
pub(super) fn head(history: &[Moment], accepted: &[Accepted]) -> Option<Head> {
    let (mut head, mut told) = (None, BTreeSet::new());
    for moment in history {
        let Moment { at, what, corte, .. } = moment;
        // It may have been removed since.
        told.insert(*corte);
        if matches!(what, Shown::Unusable | Shown::Removed) {
            continue;
        }
        let head: &mut Head = head.get_or_insert_with(|| Head {
            corte: *corte,
            since: *at,
            last_modified: *at,
            withdrawn: Vec::new(),
            rollback: None,
            hold: None,
            said: None,
            chain: None,
        });
        head.tell(moment, accepted, &told);
    }
    let mut head = head?;
    if head.hold.is_none() {
        head.withdraw(accepted.iter().map(|(corte, _)| *corte).filter(|corte| *corte > head.corte).collect());
    }
    Some(head)
}

impl Head {
    /// Does what a line tells; `told` are the cortes of all lines until then.
    fn tell(&mut self, Moment { at, what, corte, reason }: &Moment, accepted: &[Accepted], told: &BTreeSet<CorteId>) {
        let (at, corte) = (*at, *corte);
        let reason = || reason.clone().unwrap_or_default();
        if self.corte != corte {
            (self.corte, self.since) = (corte, at);
        }
        self.last_modified = self.last_modified.max(at);
        self.rollback = self.rollback_under(corte);
        match what {
            Shown::Rollback => {
                let was_there = |since: &Option<Timestamp>| since.is_none_or(|since| since <= at);
                let there = accepted.iter().filter(|(_, since)| was_there(since)).map(|(corte, _)| *corte);
                let later: Vec<CorteId> = there.chain(told.iter().copied()).filter(|other| *other > corte).collect();
                let latest = later.iter().max().copied();
                self.rollback = latest.map(|withdrawn| Rollback { to: corte, withdrawn, at, reason: reason() });
                self.withdraw(later);
                if let Some(hold) = &mut self.hold {
                    hold.corte = corte;
                }
            }
            Shown::Hold => self.hold = Some(Hold { corte, at, reason: reason() }),
            Shown::Release => self.hold = None,
            Shown::Final | Shown::Resume => {
                self.said = Some(Statement { corte, is_final: *what == Shown::Final, at, reason: reason() });
            }
            Shown::Live | Shown::Unusable | Shown::Removed => {}
        }
        self.withdrawn.retain(|withdrawn| *withdrawn != corte);
    }

    fn withdraw(&mut self, more: Vec<CorteId>) {
        self.withdrawn.extend(more);
        self.withdrawn.sort_unstable();
        self.withdrawn.dedup();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> CorteId {
        format!("20260607_{text}").parse().unwrap()
    }

    fn at(minute: i8) -> Timestamp {
        format!("2026-06-08T03:{minute:02}:00Z").parse().unwrap()
    }

    fn moment(minute: i8, what: Shown, corte: &str) -> Moment {
        Moment { at: at(minute), what, corte: id(corte), reason: Some("x".into()) }
    }

    #[test]
    fn what_was_withdrawn_and_removed_stays_withdrawn() {
        let history = [
            moment(0, Shown::Live, "1830"),
            moment(1, Shown::Live, "1840"),
            moment(2, Shown::Rollback, "1830"),
            moment(3, Shown::Removed, "1840"),
        ];
        let back = head(&history, &[(id("1830"), Some(at(0)))]).unwrap();
        assert!(back.corte == id("1830") && back.has_withdrawn(id("1840")));
        assert_eq!(back.rollback.map(|rollback| rollback.withdrawn), Some(id("1840")));
    }

    #[test]
    fn the_last_lines_say_what_may_be_shown() {
        let accepted = [("1830", 0), ("1840", 1), ("1850", 2)].map(|(corte, minute)| (id(corte), Some(at(minute))));
        let mut history = vec![
            moment(0, Shown::Live, "1830"),
            moment(1, Shown::Live, "1840"),
            moment(2, Shown::Live, "1850"),
            moment(3, Shown::Rollback, "1840"),
        ];
        let back = head(&history, &accepted).unwrap();
        assert_eq!((back.corte, back.since, back.withdrawn.clone()), (id("1840"), at(3), vec![id("1850")]));
        assert_eq!(back.rollback.as_ref().map(|rollback| rollback.withdrawn), Some(id("1850")));
        assert!(!back.lets_show(id("1850")) && back.lets_show(id("1830")));
        // A later one ends the rollback, and what was withdrawn stays so.
        let more = [&accepted[..], &[(id("1900"), Some(at(4)))]].concat();
        let unsaid = head(&history, &more).unwrap();
        assert!(!unsaid.lets_show(id("1900")), "nothing tells that it was shown");
        history.push(moment(4, Shown::Live, "1900"));
        let later = head(&history, &more).unwrap();
        assert_eq!((later.corte, later.rollback, later.withdrawn), (id("1900"), None, vec![id("1850")]));
        // What came while it is held is not withdrawn, but not shown either.
        history.push(moment(5, Shown::Hold, "1900"));
        let more = [&more[..], &[(id("1910"), Some(at(6)))]].concat();
        let held = head(&history, &more).unwrap();
        assert!(held.hold.is_some() && !held.has_withdrawn(id("1910")) && !held.lets_show(id("1910")));
        history.push(moment(7, Shown::Release, "1910"));
        assert_eq!(head(&history, &more).unwrap().hold, None);
        assert_eq!(head(&[moment(1, Shown::Removed, "1830")], &accepted), None);
    }
}
