//! What operators decide about what is shown: back to an earlier corte, hold it, go on.

use super::desk::Intake;
use super::handle::{Wish, WishFault};
use super::report::Happening;
use super::stage::{Fault, Stage};
use crate::corte::CorteId;
use crate::store::{Head, Hold, Moment, Rollback, Shown, Statement};

impl Stage {
    /// Does what an operator wants, or says why not.
    pub fn wish(&mut self, intake: &Intake, wish: Wish) -> Result<String, WishFault> {
        let Some(head) = self.head(intake).filter(|head| self.is_here(intake, head.corte)) else {
            return Err(WishFault::Refused("no corte is shown yet, so there is nothing to decide".into()));
        };
        // After a start on a disk that takes no decision, another than the head says.
        let shown = self.shown().unwrap_or(head.corte);
        let latest = self.vault.ledger().highest().map_or(head.corte, |highest| highest.max(head.corte));
        match wish {
            Wish::Rollback { seen: Some(seen), .. } if seen != shown => Err(WishFault::Refused(format!(
                "corte {shown} is shown by now, not {seen}, and nobody has decided about it; look at it, and ask again"
            ))),
            Wish::Rollback { corte, reason, .. } => {
                self.roll_back(intake, (corte, latest), reason)?;
                Ok(format!("corte {corte} is shown again; a corte after {latest} goes live as usual"))
            }
            Wish::Hold { reason } => {
                let (corte, at) = (head.corte, self.clock.now());
                let hold = Hold { corte, at, reason: reason.clone() };
                self.decide(intake, corte, Shown::Hold, &reason, |head| head.hold = Some(hold))?;
                Ok(format!("corte {corte} is held; what comes in is kept and not shown"))
            }
            Wish::Final { reason } => {
                self.say(intake, head.corte, Shown::Final, reason)?;
                Ok(format!("corte {} is the last one; it will not count as late, unless another comes", head.corte))
            }
            Wish::Resume { reason } => {
                self.say(intake, head.corte, Shown::Resume, reason)?;
                Ok(format!("corte {} is shown for as long as if it had come just now", head.corte))
            }
            Wish::Release { .. } if head.hold.is_none() => Err(WishFault::Refused("nothing is held".into())),
            Wish::Release { reason } => {
                let corte = self.release(intake, &head, &reason)?;
                Ok(format!("released; corte {corte} is shown"))
            }
        }
    }

    fn roll_back(
        &mut self,
        intake: &Intake,
        (corte, latest): (CorteId, CorteId),
        reason: String,
    ) -> Result<(), WishFault> {
        if self.vault.ledger().entry(corte).is_none() {
            let why = format!("corte {corte} is not in the vault; `difusor cortes` lists what is");
            return Err(WishFault::Refused(why));
        }
        // Nobody would see it, and what this window has shown would be withdrawn.
        if !self.is_here(intake, corte) {
            return Err(WishFault::Refused(format!("corte {corte} is of another window; it is not shown in this one")));
        }
        let ledger = self.vault.ledger();
        // What cannot be read now may be mended later, and is withdrawn all the same.
        let unreadable = ledger.unreadable.iter().filter_map(|(name, _)| name.parse().ok());
        let all = ledger.entries().iter().map(|entry| entry.corte).chain(unreadable);
        let later: Vec<CorteId> = all.filter(|other| *other > corte).collect();
        let rollback = Rollback { to: corte, withdrawn: latest, at: self.clock.now(), reason: reason.clone() };
        self.decide(intake, corte, Shown::Rollback, &reason, |head| {
            head.rollback = (corte < latest).then_some(rollback);
            head.withdrawn.extend(later);
            head.withdrawn.retain(|withdrawn| *withdrawn != corte);
            head.withdrawn.sort_unstable();
            head.withdrawn.dedup();
            if let Some(hold) = &mut head.hold {
                hold.corte = corte;
            }
        })
    }

    /// Says something of the corte that is shown.
    fn say(&mut self, intake: &Intake, corte: CorteId, what: Shown, reason: String) -> Result<(), WishFault> {
        let (at, is_final) = (self.clock.now(), what == Shown::Final);
        let said = Statement { corte, is_final, at, reason: reason.clone() };
        self.decide(intake, corte, what, &reason, |head| head.said = Some(said))
    }

    /// Ends a hold. The latest corte that was taken in meanwhile is shown; one that is damaged must not keep the operators
    /// from those before it.
    fn release(&mut self, intake: &Intake, head: &Head, reason: &str) -> Result<CorteId, WishFault> {
        let entries = self.vault.ledger().entries().iter().rev().map(|entry| entry.corte);
        let later = entries.filter(|corte| *corte > head.corte && !head.has_withdrawn(*corte));
        let candidates: Vec<CorteId> = later.chain([head.corte]).collect();
        let mut why_not = Err(WishFault::Refused("nothing can be shown".into()));
        for corte in candidates {
            match self.announce(intake, corte, Shown::Release, reason, |head| head.hold = None) {
                Ok(()) => return Ok(corte),
                Err(fault @ Fault::Unusable(_)) => why_not = Err(self.refused(fault)),
                Err(fault) => return Err(self.refused(fault)),
            }
        }
        why_not
    }

    /// Shows a corte of the vault from now on because an operator wants it.
    fn decide(
        &mut self,
        intake: &Intake,
        corte: CorteId,
        what: Shown,
        reason: &str,
        change: impl FnOnce(&mut Head),
    ) -> Result<(), WishFault> {
        self.announce(intake, corte, what, reason, change).map_err(|fault| self.refused(fault))
    }

    fn announce(
        &mut self,
        intake: &Intake,
        corte: CorteId,
        what: Shown,
        reason: &str,
        change: impl FnOnce(&mut Head),
    ) -> Result<(), Fault> {
        let (head, snapshot) = self.prepare(intake, corte, change)?;
        let moment = Moment { at: self.clock.now(), what, corte, reason: Some(reason.to_owned()) };
        self.vault.announce(head, moment).map_err(Fault::Store)?;
        self.publish(intake, snapshot.clone());
        let dates = self.dates();
        (self.report)(&Happening::Decided { what, corte, reason: reason.to_owned(), dates });
        self.improve_from(intake, snapshot);
        Ok(())
    }

    fn refused(&mut self, fault: Fault) -> WishFault {
        let why = fault.to_string();
        self.is_unusable(fault);
        WishFault::Refused(format!("{why}; what is shown has not changed"))
    }
}
