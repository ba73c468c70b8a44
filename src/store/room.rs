//! Room on a disk that is short of it: cortes that the policy would keep go, the earliest first, if that is enough.

use std::collections::HashMap;
use std::io;

use jiff::Timestamp;

use super::ledger::{Moment, Shown};
use super::retention::{Index, Policy, Retained, distinct, next_to_go, taken};
use super::vault::Vault;
use crate::base::digest::Digest;
use crate::corte::{CorteId, Sums, Verified};

impl Vault {
    /// Removes what the policy does not keep, and then, for `lacking` bytes of the disk, what it would keep: never more
    /// than `Vault::retain` may remove, and nothing where all of that is not enough.
    pub fn give_way(&mut self, policy: &Policy, lacking: u64, now: Timestamp) -> io::Result<Retained> {
        let mut retained = self.retain(policy, now)?;
        if lacking == 0 {
            return Ok(retained);
        }
        for corte in self.enough_to_go(policy, lacking)?.unwrap_or_default() {
            // One whose list cannot be read takes the index with it, and without one the files of the next would stay.
            self.index()?;
            self.remove(corte)?;
            self.tell(&Moment { at: now, what: Shown::Removed, corte, reason: None });
            retained.removed.push(corte);
        }
        (retained.bytes, retained.cortes) = (self.index()?.bytes(), self.ledger().all().len());
        Ok(retained)
    }

    /// The earliest cortes that together take so many bytes of the disk alone. `None` where there are not so many that may
    /// go.
    fn enough_to_go(&mut self, policy: &Policy, lacking: u64) -> io::Result<Option<Vec<CorteId>>> {
        self.index()?;
        let (ledger, index, sums_bytes) = self.parts();
        let (Some(index), head) = (index, ledger.head()) else { return Ok(None) };
        if head.is_some_and(|head| index.unread.contains(&head.corte)) {
            // It could be any of them that it needs.
            return Ok(None);
        }
        let nothing = Policy { bytes: 0, cortes: None, at_least: policy.at_least };
        let (mut left, mut gone, mut going) = (ledger.all(), Gone::default(), Vec::new());
        while gone.bytes < lacking {
            let Some(corte) = next_to_go(&left, &index.unread, head, u64::MAX, &nothing) else { return Ok(None) };
            left.retain(|other| *other != corte);
            going.push(corte);
            let list = ledger.entry(corte).and_then(|entry| ledger.list(entry, sums_bytes).ok());
            if let Some((_, sums)) = list {
                gone.add(index, corte, &sums);
            }
        }
        Ok(Some(going))
    }

    /// Bytes of the files of a package that are not in the vault.
    ///
    /// # Errors
    /// Where the vault cannot be read.
    pub fn lacks(&mut self, verified: &Verified) -> io::Result<u64> {
        let index = self.index()?;
        let mut new: Vec<(Digest, u64)> = verified
            .files()
            .iter()
            .filter(|file| !index.has(&file.digest))
            .map(|file| (file.digest, file.bytes.len() as u64))
            .collect();
        new.sort_unstable();
        new.dedup();
        Ok(new.iter().map(|(_, bytes)| bytes).sum())
    }
}

/// What is gone once some cortes are.
#[derive(Default)]
struct Gone {
    refs: HashMap<Digest, u32>,
    bytes: u64,
}

impl Gone {
    fn add(&mut self, index: &Index, corte: CorteId, sums: &Sums) {
        let coded = |digest: &Digest| index.coded.get(digest).copied().map_or(0, taken);
        let own = index.own.get(&corte).into_iter().flatten().map(coded).sum::<u64>();
        self.bytes += own + index.lists.get(&corte).copied().map_or(0, taken);
        for digest in distinct(sums) {
            let refs = self.refs.entry(digest).or_default();
            *refs += 1;
            if let Some(blob) = index.blobs.get(&digest).filter(|blob| blob.refs == *refs) {
                self.bytes += blob.bytes.map_or(0, taken) + coded(&digest);
            }
        }
    }
}
