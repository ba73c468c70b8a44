//! What everybody is told about a corte besides what the authority says: what operators decided, and the chain.

use super::stage::Stage;
use crate::base::digest::Digest;
use crate::corte::{CorteId, Verified};
use crate::snapshot::{Accepted, Decision, Occasion};
use crate::store::{Entry, Facts, Head, Link};

/// Links of the chain that are published, the latest: a night has some 70, and a link takes some 500 bytes.
const CHAIN_MAX: usize = 1_000;

impl Stage {
    /// What everybody is told about a head; `new` is its corte, where that is not in the ledger yet.
    pub(super) fn occasion(&self, head: &Head, new: Option<&Entry>) -> Occasion {
        let chain = self.chain(head.corte, new, Some(head));
        Occasion { last_modified: head.last_modified, decisions: decisions(head), chain }
    }

    /// What `Vault::keep` will make of a package.
    pub(super) fn entry(&self, verified: &Verified, facts: Facts) -> Entry {
        let (corte, sums) = (verified.corte().id, Digest::of(verified.sums()));
        Entry { corte, sums, facts, chain: Some(self.vault.ledger().link(corte, &sums)), is_damaged: false }
    }

    /// The chain as it is told with a corte: up to it, and with what was withdrawn after it. What is held back is not told:
    /// nobody has seen it yet.
    pub(super) fn chain(&self, corte: CorteId, new: Option<&Entry>, head: Option<&Head>) -> Vec<Accepted> {
        let kept = self.vault.ledger().entries().iter().filter(|entry| new.is_none_or(|new| new.corte != entry.corte));
        let mut links: Vec<(&Entry, Link)> =
            kept.chain(new).filter_map(|entry| entry.chain.map(|link| (entry, link))).collect();
        links.sort_by_key(|(_, link)| link.number);
        let own = links.iter().find(|(entry, _)| entry.corte == corte).map_or(u64::MAX, |(_, link)| link.number);
        let is_withdrawn = |entry: &Entry| head.is_some_and(|head| head.has_withdrawn(entry.corte));
        links.retain(|(entry, link)| link.number <= own || is_withdrawn(entry));
        links.drain(..links.len().saturating_sub(CHAIN_MAX));
        links.iter().map(|(entry, link)| accepted(entry, link, is_withdrawn(entry))).collect()
    }
}

/// A link of the chain, as everybody is told of it.
fn accepted(entry: &Entry, link: &Link, retirado: bool) -> Accepted {
    Accepted {
        corte: entry.corte.to_string(),
        fecha_hora: entry.facts.fecha_hora.clone(),
        sha256: entry.sums.to_string(),
        firmante: entry.facts.signer.clone(),
        huella: entry.facts.fingerprint.clone(),
        recibido: entry.facts.received,
        retirado,
        anterior: link.before.to_string(),
        eslabon: link.link.to_string(),
    }
}

/// What operators have decided about what is shown.
fn decisions(head: &Head) -> Vec<Decision> {
    let rollback = head.rollback.as_ref().filter(|rollback| rollback.to == head.corte).map(|rollback| Decision {
        accion: "reversion",
        desde: rollback.at,
        motivo: rollback.reason.clone(),
        retirado: Some(rollback.withdrawn.to_string()),
    });
    let hold = head.hold.as_ref().map(|hold| Decision {
        accion: "retencion",
        desde: hold.at,
        motivo: hold.reason.clone(),
        retirado: None,
    });
    let said = head.said().map(|said| Decision {
        accion: if said.is_final { "final" } else { "reanudacion" },
        desde: said.at,
        motivo: said.reason.clone(),
        retirado: None,
    });
    rollback.into_iter().chain(hold).chain(said).collect()
}
