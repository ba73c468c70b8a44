//! A corte of the vault made into a snapshot again, and the head under which it may be shown.

use std::sync::Arc;

use super::{Fault, Stage};
use crate::corte::{self, CorteId, Expectations, Trust};
use crate::ingest::descent::Descent;
use crate::ingest::desk::Intake;
use crate::ingest::report::Happening;
use crate::snapshot::{Level, Making, Occasion, Snapshot};
use crate::store::{Codings, Entry, Head, Unusable};

impl Stage {
    /// The head under which a corte of the vault may be shown from now on, as `change` wants it, and its snapshot.
    pub(in crate::ingest) fn prepare(
        &self,
        intake: &Intake,
        corte: CorteId,
        change: impl FnOnce(&mut Head),
    ) -> Result<(Head, Arc<Snapshot>), Fault> {
        let (now, ledger, before) = (self.clock.now(), self.vault.ledger(), self.head(intake));
        let before = before.as_ref();
        let stamp = ledger.entry(corte).and_then(|entry| entry.facts.instant()).unwrap_or(now);
        let mut head = Head {
            corte,
            since: before.filter(|before| before.corte == corte).map_or(now, |before| before.since),
            last_modified: Occasion::after(stamp, now, self.last_modified()),
            withdrawn: before.map(|before| before.withdrawn.clone()).unwrap_or_default(),
            rollback: before.and_then(|before| before.rollback_under(corte)),
            hold: before.and_then(|before| before.hold.clone()),
            said: before.and_then(|before| before.said.clone()).filter(|said| said.corte == corte),
            chain: None,
        };
        change(&mut head);
        let snapshot = self.rebuild(intake, corte, &self.occasion(&head, None))?;
        Ok((head, self.descended(intake, &snapshot)))
    }

    /// The same with what its paths had before.
    pub(super) fn descended(&self, intake: &Intake, snapshot: &Snapshot) -> Arc<Snapshot> {
        Arc::new(Descent::of_next(intake, self.live.load().as_deref(), snapshot.corte().id).of(snapshot))
    }

    /// Makes a snapshot of a corte in the vault, proven again from its own signature and sums.
    pub(super) fn rebuild(&self, intake: &Intake, corte: CorteId, occasion: &Occasion) -> Result<Arc<Snapshot>, Fault> {
        let ledger = self.vault.ledger();
        let unusable = |what: &str, why: &dyn std::fmt::Display| {
            Fault::Unusable(Unusable { corte, what: what.into(), why: why.to_string(), blob: None })
        };
        let entry = ledger.entry(corte).ok_or_else(|| unusable("ledger", &"has no such corte"))?;
        if weaker(entry, intake.trust) {
            let why = format!("it was accepted under trust = \"{}\", which is not enough now", entry.facts.trust);
            return Err(unusable("entry.json", &why));
        }
        let known = self.known();
        let restored = ledger.restore(entry, &intake.limits, &|digest| known.bytes(digest)).map_err(Fault::Unusable)?;
        if !restored.mended.is_empty() {
            let result = self.vault.mend(&restored.mended).map_err(|error| error.to_string());
            (self.report)(&Happening::Mended { corte, files: restored.mended.len(), failed: result.err() });
        }
        let expected = Expectations {
            trust: entry.facts.trust,
            eleccion: Some(intake.election.clone()),
            tipo: Some(intake.calendar.windows()[self.window].kind),
            signers: &intake.signers,
            identity: intake.identity.clone(),
            now: entry.facts.verified,
        };
        let (json, sums) = (restored.corte_json, restored.sums);
        let verified = corte::restore(json, sums, restored.signature, restored.files, entry.facts.trust, &expected)
            .map_err(|refusal| unusable(refusal.code(), &refusal))?;
        let shelf = self.vault.coded();
        let making = Making { kept: &|digest| Codings::get(&shelf, digest), level: Level::Plain };
        Ok(Arc::new(Snapshot::build(&verified, &known, &making, occasion)))
    }
}

/// True for what was accepted with less than is asked for now.
fn weaker(entry: &Entry, asked: Trust) -> bool {
    let rank = |trust| match trust {
        Trust::Transport => 0,
        Trust::Checksums => 1,
        Trust::Signed => 2,
    };
    rank(entry.facts.trust) < rank(asked)
}
