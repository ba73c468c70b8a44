//! What may go when the vault is full, and going through with it.

use std::collections::{HashMap, HashSet};
use std::io;

use super::head::Head;
use super::ledger::{Entry, Ledger, SUMS, twice};
use crate::base::digest::Digest;
use crate::corte::{CorteId, Sums};

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Bytes of all files in the vault.
    pub bytes: u64,
    /// Cortes; `None` for all.
    pub cortes: Option<usize>,
    /// So many of the latest stay, whatever they weigh.
    pub at_least: usize,
}

/// What was removed, and what is left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    pub removed: Vec<CorteId>,
    pub bytes: u64,
    pub cortes: usize,
}

/// Every blob with its size and how many cortes refer to it.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub blobs: HashMap<Digest, Blob>,
    /// Bytes of what was compressed.
    pub coded: HashMap<Digest, u64>,
    /// What was compressed of a corte besides its files: its list, and what we say of it.
    pub own: HashMap<CorteId, Vec<Digest>>,
    /// Bytes of the lists.
    pub lists: HashMap<CorteId, u64>,
    /// A corte whose entry or list cannot be read: what only it refers to must stay, so nothing is removed.
    pub unread: Option<CorteId>,
}

#[derive(Debug, Default)]
pub(super) struct Blob {
    /// `None` where it should be there and is not.
    pub bytes: Option<u64>,
    pub refs: u32,
}

/// The list of an accepted corte.
pub(super) fn list(ledger: &Ledger, entry: &Entry, most: u64) -> io::Result<(Sums, u64)> {
    let text = twice(|| ledger.disk.read(&ledger.at(entry.corte).join(SUMS), most))?;
    let sums = Sums::parse(&text).map_err(io::Error::other)?;
    Ok((sums, text.len() as u64))
}

/// The digests of a list, each once.
pub(super) fn distinct(sums: &Sums) -> impl Iterator<Item = Digest> {
    let mut digests: Vec<Digest> = sums.files.iter().map(|(_, digest)| *digest).collect();
    digests.sort_unstable();
    digests.dedup();
    digests.into_iter()
}

impl Index {
    /// Reads all lists, and removes what none of them refers to: a crash has left it, and it was never synced.
    pub fn build(ledger: &Ledger, sums_bytes: u64) -> io::Result<Index> {
        let unreadable = ledger.unreadable.iter().find_map(|(name, _)| name.parse().ok());
        let mut index = Index { unread: unreadable, ..Index::default() };
        for entry in &ledger.entries {
            match list(ledger, entry, sums_bytes) {
                Ok((sums, bytes)) => {
                    index.add(entry.corte, &sums, bytes);
                    let own = [Some(entry.sums), sums.corte_json].into_iter().flatten();
                    index.own.entry(entry.corte).or_default().extend(own);
                }
                Err(_) => index.unread = Some(entry.corte),
            }
        }
        // What is removed below must have no entry after a power cut either.
        ledger.disk.sync_folder(&ledger.folder)?;
        for (digest, bytes) in ledger.blobs.list()? {
            match index.blobs.get_mut(&digest) {
                Some(blob) => blob.bytes = Some(bytes),
                None if index.unread.is_some() => {}
                None => ledger.blobs.remove(&digest)?,
            }
        }
        let own: HashSet<Digest> = index.own.values().flatten().copied().collect();
        for (digest, bytes) in ledger.coded.list()? {
            match index.blobs.contains_key(&digest) || own.contains(&digest) || index.unread.is_some() {
                true => _ = index.coded.insert(digest, bytes),
                false => ledger.coded.remove(&digest)?,
            }
        }
        Ok(index)
    }

    pub fn add(&mut self, corte: CorteId, sums: &Sums, bytes: u64) {
        self.lists.insert(corte, bytes);
        for digest in distinct(sums) {
            self.blobs.entry(digest).or_default().refs += 1;
        }
    }

    /// Whether the bytes of this digest are there.
    pub fn has(&self, digest: &Digest) -> bool {
        self.blobs.get(digest).is_some_and(|blob| blob.bytes.is_some())
    }

    pub fn bytes(&self) -> u64 {
        let blobs: u64 = self.blobs.values().filter_map(|blob| blob.bytes).sum();
        blobs + self.coded.values().sum::<u64>() + self.lists.values().sum::<u64>()
    }

    /// Takes note of what was compressed of a corte.
    pub fn has_coded(&mut self, corte: CorteId, digest: Digest, bytes: u64) {
        self.coded.insert(digest, bytes);
        if !self.blobs.contains_key(&digest) {
            self.own.entry(corte).or_default().push(digest);
        }
    }

    /// Takes a corte out; returns what nothing refers to any more.
    pub fn forget(&mut self, corte: CorteId, sums: &Sums) -> Vec<Digest> {
        self.lists.remove(&corte);
        let mut gone = self.own.remove(&corte).unwrap_or_default();
        for digest in distinct(sums) {
            if let Some(blob) = self.blobs.get_mut(&digest) {
                blob.refs = blob.refs.saturating_sub(1);
                if blob.refs == 0 {
                    gone.push(digest);
                }
            }
        }
        gone
    }
}

/// The earliest that may go, if one has to: never the one that is shown, nor the one before it that nobody has withdrawn,
/// which is shown should that one be damaged.
pub(super) fn next_to_go(entries: &[Entry], head: Option<&Head>, bytes: u64, policy: &Policy) -> Option<CorteId> {
    let is_over = bytes > policy.bytes || policy.cortes.is_some_and(|most| entries.len() > most);
    let may_go = entries.len().saturating_sub(policy.at_least.max(1));
    let mut cortes = entries.iter().map(|entry| entry.corte);
    let before = head.and_then(|head| cortes.rfind(|corte| *corte < head.corte && !head.has_withdrawn(*corte)));
    let is_needed = |corte: CorteId| head.is_some_and(|head| head.corte == corte) || before == Some(corte);
    let mut early = entries.iter().take(may_go).map(|entry| entry.corte);
    early.find(|corte| is_over && !is_needed(*corte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ledger::tests::entry;

    #[test]
    fn the_earliest_go_but_never_the_shown_one_nor_the_last_ones() {
        let ids = ["20260607_1830", "20260607_1840", "20260607_1850", "20260607_1900"];
        let entries = ids.map(|id| entry(id, b""));
        let id = |n: usize| ids[n].parse::<CorteId>().unwrap();
        let policy = |bytes, cortes, at_least| Policy { bytes, cortes, at_least };
        let at: jiff::Timestamp = "2026-06-08T03:00:00Z".parse().unwrap();
        let head = |shown: usize, withdrawn| Head {
            corte: id(shown),
            since: at,
            last_modified: at,
            withdrawn,
            rollback: None,
            hold: None,
            said: None,
            chain: None,
        };
        let go = |shown, policy| next_to_go(&entries, Some(&head(shown, vec![])), 100, &policy);
        let withdrawn = head(3, vec![id(2), id(1)]);
        assert_eq!(next_to_go(&entries, Some(&withdrawn), 100, &policy(99, None, 1)), Some(id(1)), "0 may be needed");
        assert_eq!(go(3, policy(100, None, 1)), None);
        assert_eq!(go(3, policy(99, None, 1)), Some(id(0)));
        assert_eq!(go(0, policy(99, None, 1)), Some(id(1)), "an earlier one is shown after a rollback");
        assert_eq!(go(2, policy(99, None, 1)), Some(id(0)));
        assert_eq!(go(1, policy(99, None, 1)), Some(id(2)), "the one before it stays, too");
        assert_eq!(go(0, policy(99, None, 3)), None);
        assert_eq!(go(3, policy(99, None, 4)), None, "the last ones stay whatever they weigh");
        assert_eq!(go(3, policy(100, Some(3), 1)), Some(id(0)));
        assert_eq!(go(3, policy(100, Some(4), 1)), None);
    }
}
