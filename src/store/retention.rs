//! What may go when the vault is full, and going through with it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;

use super::head::Head;
use super::ledger::{Ledger, SUMS};
use super::restore::Unusable;
use crate::base::digest::Digest;
use crate::corte::{CorteId, Sums};

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Bytes that all files in the vault take of the disk.
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
    /// Why what was compressed cannot all be looked at. It can be made again, and nothing waits for it.
    pub fault: Option<String>,
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
    /// Cortes of which the entry or the list cannot be read: what only they refer to stays while they do.
    pub unread: BTreeSet<CorteId>,
    /// Why not all that was compressed is known of; what is not stays where it is.
    pub fault: Option<String>,
    /// Why, of those that have an entry.
    pub damaged: Vec<Unusable>,
    /// Bytes of what stays for them alone, or cannot be removed. It may never have been synced: who needs it puts it there
    /// again.
    pub unclaimed: u64,
}

#[derive(Debug, Default)]
pub(super) struct Blob {
    /// `None` where it should be there and is not.
    pub bytes: Option<u64>,
    pub refs: u32,
}

/// The digests of a list, each once.
pub(super) fn distinct(sums: &Sums) -> impl Iterator<Item = Digest> {
    let mut digests: Vec<Digest> = sums.files.iter().map(|(_, digest)| *digest).collect();
    digests.sort_unstable();
    digests.dedup();
    digests.into_iter()
}

/// Bytes of a file system's block: small files are many, and each takes a whole one.
const BLOCK: u64 = 4096;

/// What a file takes of the disk.
pub(super) fn taken(bytes: u64) -> u64 {
    bytes.next_multiple_of(BLOCK)
}

impl Index {
    /// Reads all lists, and removes what none of them refers to: a crash has left it, and it was never synced.
    pub fn build(ledger: &Ledger, sums_bytes: u64) -> io::Result<Index> {
        let mut index = Index { unread: ledger.lost().collect(), ..Index::default() };
        for entry in &ledger.entries {
            match ledger.list(entry, sums_bytes) {
                Ok((text, sums)) => {
                    index.add(entry.corte, &sums, text.len() as u64);
                    let own = [Some(entry.sums), sums.corte_json].into_iter().flatten();
                    index.own.entry(entry.corte).or_default().extend(own);
                }
                Err(error) => {
                    let (corte, what, why) = (entry.corte, SUMS.to_owned(), error.to_string());
                    index.unread.insert(corte);
                    index.damaged.push(Unusable { corte, what, why, blob: None });
                }
            }
        }
        // What is removed below must have no entry after a power cut either.
        ledger.disk.sync_folder(&ledger.folder)?;
        for (digest, bytes) in ledger.blobs.list()? {
            match index.blobs.get_mut(&digest) {
                Some(blob) => blob.bytes = Some(bytes),
                None => {
                    // What cannot be removed hinders nobody; what is put there takes its place.
                    if !index.unread.is_empty() || ledger.blobs.remove(&digest).is_err() {
                        index.unclaimed += taken(bytes);
                    }
                }
            }
        }
        let own: HashSet<Digest> = index.own.values().flatten().copied().collect();
        let (coded, fault) = ledger.coded.list_in_part();
        index.fault = fault.map(|error| format!("{}: {error}", ledger.coded.folder().display()));
        for (digest, bytes) in coded {
            let stays = index.blobs.contains_key(&digest) || own.contains(&digest) || !index.unread.is_empty();
            if stays || ledger.coded.remove(&digest).is_err() {
                index.coded.insert(digest, bytes);
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

    /// Bytes that all of it takes of the disk.
    pub fn bytes(&self) -> u64 {
        let blobs = self.blobs.values().filter_map(|blob| blob.bytes);
        let files = blobs.chain(self.coded.values().copied()).chain(self.lists.values().copied());
        files.map(taken).sum::<u64>() + self.unclaimed
    }

    /// Takes note of what was compressed of a corte. False where nothing refers to it any more.
    pub fn has_coded(&mut self, corte: CorteId, digest: Digest, bytes: u64) -> bool {
        let is_blob = self.blobs.contains_key(&digest);
        let is_here = self.lists.contains_key(&corte) || self.unread.contains(&corte);
        if !is_blob && !is_here && !self.own.values().flatten().any(|own| *own == digest) {
            return false;
        }
        self.coded.insert(digest, bytes);
        if !is_blob && is_here {
            self.own.entry(corte).or_default().push(digest);
        }
        true
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

/// The earliest of `cortes` that may go, if one has to: never the one that is shown, nor the one before it that can be
/// shown should that one be damaged, nor the last ones. One of the `unread` is kept for nobody's sake.
pub(super) fn next_to_go(
    cortes: &[CorteId],
    unread: &BTreeSet<CorteId>,
    head: Option<&Head>,
    bytes: u64,
    policy: &Policy,
) -> Option<CorteId> {
    let is_over = bytes > policy.bytes || policy.cortes.is_some_and(|most| cortes.len() > most);
    let latest_first = || cortes.iter().rev().copied().filter(|corte| !unread.contains(corte));
    let stays = latest_first().nth(policy.at_least.max(1) - 1)?;
    let before = head.and_then(|head| latest_first().find(|c| *c < head.corte && !head.has_withdrawn(*c)));
    let is_needed = |corte: CorteId| head.is_some_and(|head| head.corte == corte) || before == Some(corte);
    let mut early = cortes.iter().copied().take_while(|corte| *corte < stays);
    early.find(|corte| is_over && !is_needed(*corte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_of_a_corte_that_is_gone_are_nobodys() {
        let [gone, here]: [CorteId; 2] = ["20260607_1830", "20260607_1840"].map(|id| id.parse().unwrap());
        let [blob, own, other] = [&b"blob"[..], b"own", b"other"].map(Digest::of);
        let mut index = Index::default();
        index.lists.insert(here, 1);
        index.blobs.insert(blob, Blob::default());
        assert!(index.has_coded(here, own, 7) && index.has_coded(gone, blob, 7));
        assert!(index.has_coded(gone, own, 7), "another corte has the same");
        assert!(!index.has_coded(gone, other, 7) && !index.coded.contains_key(&other));
        assert_eq!(index.own.get(&here), Some(&vec![own]));
        assert!(!index.own.contains_key(&gone));
    }

    #[test]
    fn the_earliest_go_but_never_the_shown_one_nor_the_last_ones() {
        let ids = ["20260607_1830", "20260607_1840", "20260607_1850", "20260607_1900"];
        let cortes = ids.map(|id| id.parse::<CorteId>().unwrap());
        let id = |n: usize| cortes[n];
        let unread = |all: &[usize]| all.iter().map(|n| id(*n)).collect::<BTreeSet<_>>();
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
        let go = |shown, policy| next_to_go(&cortes, &unread(&[]), Some(&head(shown, vec![])), 100, &policy);
        let withdrawn = head(3, vec![id(2), id(1)]);
        let go_but =
            |none: &[usize], head, least| next_to_go(&cortes, &unread(none), head, 100, &policy(99, None, least));
        assert_eq!(go_but(&[], Some(&withdrawn), 1), Some(id(1)), "0 may be needed");
        let last = head(3, vec![]);
        assert_eq!(go_but(&[2], Some(&last), 1), Some(id(0)));
        assert_eq!(go_but(&[0, 2], Some(&last), 1), Some(id(0)));
        assert_eq!(go_but(&[2, 3], Some(&last), 1), Some(id(0)), "1 is the last one that can be read");
        assert_eq!(go_but(&[1, 2], Some(&last), 2), None, "two of those that can be read stay");
        assert_eq!(go_but(&[0, 1], Some(&last), 2), Some(id(0)));
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
