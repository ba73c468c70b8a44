//! What is shown after a start: the last corte that was announced, and then those before it, one at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{Fault, Stage};
use crate::base::clock::Monotonic;
use crate::corte::CorteId;
use crate::ingest::desk::Intake;
use crate::ingest::report::Happening;
use crate::snapshot::{Occasion, Snapshot};
use crate::store::{Moment, Shown, Unusable};

impl Stage {
    /// Shows the last corte that was announced, or a later one that was kept whole; if it is damaged, the one before.
    pub fn restore(&mut self, intake: &Intake) {
        for (name, why) in &self.vault.ledger().unreadable {
            (self.report)(&Happening::Unreadable { name: name.clone(), why: why.clone() });
        }
        let mut candidates = self.vault.ledger().candidates();
        candidates.retain(|corte| self.is_here(intake, *corte));
        candidates.reverse();
        while let Some(corte) = candidates.pop() {
            let started = Monotonic::now();
            match self.show_again_if_sound(intake, corte) {
                Ok(snapshot) => {
                    let files = snapshot.files().count();
                    (self.report)(&Happening::Restored { corte, files, took: started.elapsed(), dates: self.dates() });
                    self.improve_from(intake, snapshot);
                    break;
                }
                Err(fault) => self.is_unusable(fault),
            }
        }
        if self.live.load().is_none() {
            self.live.clear();
        }
        candidates.drain(..candidates.len().saturating_sub(intake.keep));
        self.to_restore = candidates;
    }

    /// A package on which we fail may have been kept before we did: it must not hide those before it at every start.
    fn show_again_if_sound(&mut self, intake: &Intake, corte: CorteId) -> Result<Arc<Snapshot>, Fault> {
        // What showing it changes, it changes at its end.
        let shown = catch_unwind(AssertUnwindSafe(|| self.show_again(intake, corte)));
        shown.unwrap_or_else(|_| {
            (self.report)(&Happening::OurFault { what: "showing a corte of the vault" });
            let (what, why) = ("build".to_owned(), "a fault of ours; the log says where".to_owned());
            Err(Fault::Unusable(Unusable { corte, what, why, blob: None }))
        })
    }

    /// Shows a corte of the vault after a start.
    fn show_again(&mut self, intake: &Intake, corte: CorteId) -> Result<Arc<Snapshot>, Fault> {
        let head = self.vault.ledger().head().cloned();
        if let Some(head) = head.as_ref().filter(|head| head.corte == corte) {
            let snapshot = self.rebuild(intake, corte, &self.occasion(head, None))?;
            let snapshot = self.descended(intake, &snapshot);
            self.publish(intake, snapshot.clone());
            return Ok(snapshot);
        }
        let (next, snapshot) = self.prepare(intake, corte, |_| {})?;
        let moment = Moment { at: next.since, what: Shown::Live, corte, reason: None };
        if let Err(fault) = self.vault.announce(next, moment) {
            // A later one is not seen by anybody before it is announced; an earlier one is better than none.
            if head.is_some_and(|head| head.corte < corte) {
                return Err(Fault::Store(fault));
            }
            self.is_unusable(Fault::Store(fault));
        }
        self.publish(intake, snapshot.clone());
        Ok(snapshot)
    }

    /// Makes one more of the earlier cortes reachable; false once there is none left.
    pub fn restore_earlier(&mut self, intake: &Intake) -> bool {
        let Some(corte) = self.to_restore.pop() else { return false };
        self.make_reachable(intake, corte);
        // Now that they are all here, differences from them can be made.
        let live = self.live.load().as_deref().map(|edition| edition.live().clone());
        if let Some(live) = live.filter(|_| self.to_restore.is_empty()) {
            self.improve_from(intake, live);
        }
        true
    }

    /// Puts a corte of the vault beside the live one: if it still is an earlier one, for operators may have gone back behind it
    /// meanwhile.
    fn make_reachable(&mut self, intake: &Intake, corte: CorteId) {
        let ledger = self.vault.ledger();
        let Some(edition) = self.live.load().clone() else { return };
        let is_withdrawn = ledger.head().is_some_and(|head| head.has_withdrawn(corte));
        let entry = ledger.entry(corte).filter(|_| corte < edition.live().corte().id && !is_withdrawn);
        let Some((entry, stamp)) = entry.and_then(|entry| Some((entry, entry.facts.instant()?))) else { return };
        let last_modified = stamp.min(entry.facts.received);
        let chain = self.chain(corte, None, ledger.head());
        let occasion = Occasion { last_modified, decisions: Vec::new(), chain };
        match self.rebuild(intake, corte, &occasion) {
            Ok(snapshot) => self.live.publish(edition.with_earlier(snapshot)),
            Err(fault) => self.is_unusable(fault),
        }
    }

    pub fn has_more_to_restore(&self) -> bool {
        !self.to_restore.is_empty()
    }
}
