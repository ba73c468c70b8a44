//! Which corte is shown, and why: one small file, changed by one rename.

use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::chain::Link;
use super::ledger::{twice, write_whole};
use super::sealed;
use super::texts::{all_by_text, by_text};
use crate::base::disk::Disk;
use crate::corte::CorteId;

/// The corte that was announced last, and what operators have decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    #[serde(with = "by_text")]
    pub corte: CorteId,
    /// Since when it is shown.
    pub since: Timestamp,
    /// What `Last-Modified` says while it is shown; it never steps back, whatever is shown.
    pub last_modified: Timestamp,
    /// Cortes that operators have withdrawn, for good: neither a start nor damage to a later one brings one back.
    #[serde(default, with = "all_by_text", skip_serializing_if = "Vec::is_empty")]
    pub withdrawn: Vec<CorteId>,
    /// Why an earlier corte is shown, while one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Statement>,
    /// The last link of the chain, should the entry that has it be lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<Link>,
}

/// What operators have said of the corte that is shown; the next one ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    #[serde(with = "by_text")]
    pub corte: CorteId,
    /// True: it is the last one. False: it is to be shown for as long again as if it had come just now.
    pub is_final: bool,
    pub at: Timestamp,
    pub reason: String,
}

/// An earlier corte was taken back, and those after it, until `withdrawn`, were withdrawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// The one that was taken back.
    #[serde(with = "by_text")]
    pub to: CorteId,
    /// The latest that was withdrawn; a later one goes live as usual.
    #[serde(with = "by_text")]
    pub withdrawn: CorteId,
    pub at: Timestamp,
    pub reason: String,
}

/// Nothing that is shown changes, whatever comes in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The one that is held. Should it be damaged an earlier one is shown, until it is whole again.
    #[serde(with = "by_text")]
    pub corte: CorteId,
    pub at: Timestamp,
    pub reason: String,
}

/// Bytes of the file, at most: two reasons, which the admin side bounds, and what was withdrawn of a whole vault.
const BYTES: u64 = 1 << 20;
const NAME: &str = "head";
/// Written after the head: decisions cannot be made out from anything else, should its sector go bad.
const COPY: &str = "head.copy";

impl Head {
    /// True for what an operator has withdrawn.
    pub fn has_withdrawn(&self, corte: CorteId) -> bool {
        self.withdrawn.contains(&corte)
    }

    /// True for what may be shown while it is the head: what is later was not announced, or is held back.
    pub fn lets_show(&self, corte: CorteId) -> bool {
        let is_held_back = self.hold.as_ref().is_some_and(|hold| hold.corte < corte);
        corte == self.corte || !(is_held_back || self.has_withdrawn(corte))
    }

    /// The rollback as it stands while `corte` is shown: a later one than those that were withdrawn ends it.
    pub fn rollback_under(&self, corte: CorteId) -> Option<Rollback> {
        self.rollback.clone().filter(|rollback| corte <= rollback.withdrawn)
    }

    /// What operators have said, if it is of the corte that is shown.
    pub fn said(&self) -> Option<&Statement> {
        self.said.as_ref().filter(|said| said.corte == self.corte)
    }

    /// The head, if there is one, and what is wrong with the file that should have it.
    pub(super) fn read(disk: &Disk, folder: &Path) -> (Option<Head>, Option<io::Error>) {
        let [head, copy] = [NAME, COPY].map(|name| Head::read_one(disk, &folder.join(name)));
        match (head, copy) {
            (Ok(head), _) => (Some(head), None),
            (Err(fault), Err(other)) if is_absent(&fault) && is_absent(&other) => (None, None),
            (Err(fault), copy) => (copy.ok(), Some(fault)),
        }
    }

    fn read_one(disk: &Disk, path: &Path) -> io::Result<Head> {
        sealed::read(&twice(|| disk.read(path, BYTES))?)
    }

    /// Durable when it returns.
    pub(super) fn write(&self, disk: &Disk, folder: &Path) -> io::Result<()> {
        let bytes = sealed::write(self)?;
        write_whole(disk, &folder.join(NAME), &bytes)?;
        disk.sync_folder(folder)?;
        // Best effort: it counts only where the head itself cannot be read.
        let _ = write_whole(disk, &folder.join(COPY), &bytes);
        Ok(())
    }

    /// Writes again what is damaged of the two files, or was left behind by a crash. Best effort.
    pub(super) fn mend(&self, disk: &Disk, folder: &Path) {
        let holds = |name| Head::read_one(disk, &folder.join(name)).is_ok_and(|head| head == *self);
        if !(holds(NAME) && holds(COPY)) {
            let _ = self.write(disk, folder);
        }
    }
}

fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> CorteId {
        text.parse().unwrap()
    }

    #[test]
    fn what_was_withdrawn_stays_so_under_a_later_corte_too() {
        let at: Timestamp = "2026-06-08T03:00:00Z".parse().unwrap();
        let corte = id("20260607_2040");
        let withdrawn = vec![id("20260607_2020"), id("20260607_2030")];
        let (rollback, hold, said, chain) = (None, None, None, None);
        let head = Head { corte, since: at, last_modified: at, withdrawn, rollback, hold, said, chain };
        let lets = |corte: &str| head.lets_show(id(corte));
        assert!(lets("20260607_2010") && lets("20260607_2040") && lets("20260607_2050"));
        assert!(!lets("20260607_2020") && !lets("20260607_2030"));
        let again: Head = sealed::read(&sealed::write(&head).unwrap()).unwrap();
        assert_eq!(again, head);
        let hold = Some(Hold { corte, at, reason: "x".into() });
        let held = Head { hold, ..head };
        assert!(!held.lets_show(id("20260607_2050")) && held.lets_show(id("20260607_2010")));
    }
}
