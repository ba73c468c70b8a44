//! The vault as the one process has it that may write.

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::Timestamp;

use super::head::Head;
use super::ledger::{CORTE, ENTRY, Entry, Facts, Ledger, Moment, SIGNATURE, SUMS, Shown};
use super::restore::Unusable;
use super::retention::{Index, Policy, Retained, next_to_go};
use super::sealed;
use super::shelf::Shelf;
use crate::base::digest::Digest;
use crate::base::disk::{Disk, Lock};
use crate::base::pool;
use crate::corte::{CorteId, Limits, Sums, Tipo, Verified};

/// Why there is no vault.
#[derive(Debug, thiserror::Error)]
pub enum OpenFault {
    #[error("the vault {} is held by another process ({holder}); stop it, or give this one a `state` of its own", path.display())]
    Held { path: PathBuf, holder: String },
    #[error("the vault {} cannot be opened: {error}; is it this user's to write?", path.display())]
    Io { path: PathBuf, error: io::Error },
}

/// Nothing was kept, and nothing that was kept has changed.
#[derive(Debug, thiserror::Error)]
#[error("the vault cannot be written: {0}")]
pub struct StoreFault(#[from] pub io::Error);

pub struct Vault {
    ledger: Ledger,
    root: PathBuf,
    index: Option<Index>,
    /// Blobs that do not hold: what comes of them is put in their place.
    doubtful: HashSet<Digest>,
    /// Cortes that were found damaged, and of which nobody has been told.
    damaged: Vec<Unusable>,
    sums_bytes: u64,
    _lock: Lock,
}

impl Vault {
    /// The vault of one election and kind below `state`, made where there is none. `holder` says who has it, for people.
    pub fn open(disk: &Disk, root: &Path, limits: &Limits, holder: &str) -> Result<Vault, OpenFault> {
        let fault = |error| OpenFault::Io { path: root.to_owned(), error };
        disk.make_folder(root).map_err(fault)?;
        let lock_path = root.join("lock");
        let Some(lock) = disk.lock(&lock_path, holder).map_err(fault)? else {
            let holder = disk.read(&lock_path, 1 << 10).unwrap_or_default();
            let holder = String::from_utf8_lossy(&holder).trim().to_owned();
            return Err(OpenFault::Held { path: root.to_owned(), holder });
        };
        Vault::prepare(disk, root).map_err(fault)?;
        let ledger = Ledger::read(disk, root).map_err(fault)?;
        // One that was made again from the history is put in its place, too.
        if let Some(head) = &ledger.head {
            head.mend(disk, &ledger.folder);
        }
        let (root, doubtful) = (root.to_owned(), HashSet::new());
        let sums_bytes = limits.sums_bytes;
        Ok(Vault { ledger, root, index: None, doubtful, damaged: Vec::new(), sums_bytes, _lock: lock })
    }

    /// Makes the folders, and removes the drafts that a crash has left.
    fn prepare(disk: &Disk, root: &Path) -> io::Result<()> {
        let folders = ["blobs", "coded", "cortes"].map(|name| root.join(name));
        if folders.iter().any(|folder| !disk.exists(folder)) {
            folders.iter().try_for_each(|folder| disk.make_folder(folder))?;
            disk.sync_all(root)?;
        }
        let cortes = &folders[2];
        for (name, _) in disk.folder(cortes)?.names()? {
            if name.starts_with('.') {
                // Best effort: what cannot be removed hinders nobody.
                let _ = disk.remove_tree(&cortes.join(name));
            }
        }
        Ok(())
    }

    /// Where the vault of an election and kind lies.
    pub fn root(state: &Path, election: &str, tipo: Tipo) -> PathBuf {
        state.join("vault").join(election).join(tipo.to_string())
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Where codings are put, by threads of their own.
    pub fn coded(&self) -> Shelf {
        self.ledger.coded.clone()
    }

    /// Keeps a corte: durable when it returns. After a failure the vault is as it was, or has all of it.
    pub fn keep(&mut self, verified: &Verified, facts: Facts) -> Result<(), StoreFault> {
        let corte = verified.corte().id;
        let digest = Digest::of(verified.sums());
        let chain = Some(self.ledger.link(corte, &digest));
        let entry = Entry { corte, sums: digest, facts, chain, is_damaged: false };
        self.index()?;
        let Vault { ledger, index: Some(index), doubtful, root, .. } = self else { return Ok(()) };
        // What is sent again mends whatever of it is damaged, known or not. What holds is left alone: in the place of a
        // file that was synced comes none that was not.
        let is_mended = ledger.entry(corte).is_some() || ledger.is_unreadable(corte);
        let is_new = |digest: &Digest| is_mended || !index.has(digest) || doubtful.contains(digest);
        let mut new: Vec<(Digest, Bytes)> = verified
            .files()
            .iter()
            .filter(|file| is_new(&file.digest))
            .map(|file| (file.digest, file.bytes.clone()))
            .collect();
        new.sort_unstable_by_key(|(digest, _)| *digest);
        new.dedup_by_key(|(digest, _)| *digest);
        let put = |(): &mut (), n: usize| {
            let (digest, bytes) = &new[n];
            if is_mended && ledger.blobs.holds(digest, bytes) { Ok(()) } else { ledger.blobs.put(digest, &[bytes]) }
        };
        let kept = pool::each(new.len(), || (), put).and_then(|_| commit(ledger, root, verified, &entry));
        if let Err(error) = kept {
            // Nothing refers to what was written; on a full disk it must not stay.
            for (digest, _) in
                new.iter().filter(|(digest, _)| index.unread.is_empty() && !index.blobs.contains_key(digest))
            {
                let _ = ledger.blobs.remove(digest);
            }
            return Err(error.into());
        }
        ledger.forget(corte);
        doubtful.retain(|digest| new.binary_search_by_key(digest, |(new, _)| *new).is_err());
        let place = ledger.entries.partition_point(|e| e.corte < corte);
        ledger.entries.insert(place, entry);
        if is_mended {
            // It had its references before, to what may have been gone.
            self.index = None;
        } else {
            index.add(corte, verified.list(), verified.sums().len() as u64);
            for (digest, bytes) in new {
                index.blobs.entry(digest).or_default().bytes = Some(bytes.len() as u64);
            }
        }
        // It is there and whole. Should its name not last, then whoever tries again finds it, and `announce` syncs it too.
        Ok(self.ledger.disk.sync_folder(&self.ledger.folder)?)
    }

    /// Says which corte is shown from now on; durable when it returns.
    pub fn announce(&mut self, mut head: Head, moment: Moment) -> Result<(), StoreFault> {
        let kept = self.ledger.entries.iter().filter_map(|entry| entry.chain);
        let remembered = self.ledger.head.as_ref().and_then(|head| head.chain);
        head.chain = kept.chain(remembered).max_by_key(|link| link.number);
        head.write(&self.ledger.disk, &self.ledger.folder)?;
        self.ledger.head = Some(head);
        self.tell(&moment);
        Ok(())
    }

    /// Notes that a corte cannot be used, and what of it does not hold, so that the next copy that comes mends it.
    pub fn is_unusable(&mut self, why: &Unusable, now: Timestamp) {
        // It stays where it is: what could not be read this time may be read another time.
        self.doubtful.extend(why.blob);
        for entry in self.ledger.entries.iter_mut().filter(|entry| entry.corte == why.corte) {
            entry.is_damaged = true;
        }
        self.tell(&Moment { at: now, what: Shown::Unusable, corte: why.corte, reason: Some(why.to_string()) });
    }

    /// What was found damaged while the lists were read, each once.
    pub fn found_damaged(&mut self, now: Timestamp) -> Vec<Unusable> {
        let found = std::mem::take(&mut self.damaged);
        found.iter().for_each(|why| self.is_unusable(why, now));
        found
    }

    /// Puts back what was made from its compressed copy.
    pub fn mend(&self, mended: &[(Digest, Bytes)]) -> io::Result<()> {
        mended.iter().try_for_each(|(digest, bytes)| self.ledger.blobs.put(digest, &[bytes]))?;
        if mended.is_empty() { Ok(()) } else { self.ledger.disk.sync_all(&self.root) }
    }

    /// Takes note of codings of a corte that were put on the shelf.
    pub fn has_coded(&mut self, corte: CorteId, digest: Digest, bytes: u64) {
        if let Some(index) = &mut self.index
            && !index.has_coded(corte, digest, bytes)
        {
            // The corte was removed meanwhile. Best effort: the next start finds it, too.
            let _ = self.ledger.coded.remove(&digest);
        }
    }

    /// Removes the earliest cortes as far as the policy wants. One that cannot be read hinders that only while it is the
    /// one that is shown.
    pub fn retain(&mut self, policy: &Policy, now: Timestamp) -> io::Result<Retained> {
        if self.index.as_ref().is_some_and(|index| !index.unread.is_empty() || index.fault.is_some()) {
            // It may have been a hiccup.
            self.index = None;
        }
        let mut retained = Retained::default();
        loop {
            let index = self.index()?;
            let (unread, bytes, fault) = (index.unread.clone(), index.bytes(), index.fault.clone());
            let (cortes, head) = (self.ledger.all(), self.ledger.head.as_ref());
            (retained.bytes, retained.cortes, retained.fault) = (bytes, cortes.len(), fault);
            let Some(corte) = next_to_go(&cortes, &unread, head, bytes, policy) else { return Ok(retained) };
            if let Some(shown) = head.map(|head| head.corte).filter(|shown| unread.contains(shown)) {
                let path = self.ledger.at(shown);
                let why = "cannot be read, and is shown, so nothing is removed; have the authority send it again";
                return Err(io::Error::other(format!("{} {why}", path.display())));
            }
            self.remove(corte)?;
            self.tell(&Moment { at: now, what: Shown::Removed, corte, reason: None });
            retained.removed.push(corte);
        }
    }

    /// First the entry, durably, then what nothing refers to any more.
    pub(super) fn remove(&mut self, corte: CorteId) -> io::Result<()> {
        let is_read = self.index.as_ref().is_some_and(|index| !index.unread.contains(&corte));
        let ledger = &mut self.ledger;
        let entry = ledger.entry(corte).filter(|_| is_read);
        let list = entry.and_then(|entry| ledger.list(entry, self.sums_bytes).ok());
        let gone = ledger.folder.join(format!(".{corte}.removed"));
        if ledger.disk.exists(&gone) {
            ledger.disk.remove_tree(&gone)?;
        }
        match ledger.disk.rename(&ledger.at(corte), &gone) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed?,
        }
        ledger.forget(corte);
        // Whatever is left of it without an entry is found when the lists are read again.
        let index = self.index.take();
        ledger.disk.sync_folder(&ledger.folder)?;
        // Best effort: nobody looks at that name, and the next start removes it.
        let _ = ledger.disk.remove_tree(&gone);
        if let (Some((_, sums)), Some(mut index)) = (list, index) {
            self.remove_files(&mut index, corte, &sums)?;
            self.index = Some(index);
        }
        Ok(())
    }

    /// Removes what only this corte, which is gone, referred to.
    fn remove_files(&self, index: &mut Index, corte: CorteId, sums: &Sums) -> io::Result<()> {
        for digest in index.forget(corte, sums) {
            if index.blobs.remove(&digest).is_some() {
                self.ledger.blobs.remove(&digest)?;
            }
            if index.coded.remove(&digest).is_some() {
                self.ledger.coded.remove(&digest)?;
            }
        }
        Ok(())
    }

    /// Reads all lists, once: not at the start, when readers wait.
    pub(super) fn index(&mut self) -> io::Result<&Index> {
        if self.index.is_none() {
            let index = Index::build(&self.ledger, self.sums_bytes)?;
            for why in &index.damaged {
                let entry = self.ledger.entries.iter_mut().find(|entry| entry.corte == why.corte);
                if let Some(entry) = entry.filter(|entry| !entry.is_damaged) {
                    entry.is_damaged = true;
                    self.damaged.push(why.clone());
                }
            }
            self.index = Some(index);
        }
        self.index.as_ref().ok_or_else(|| io::Error::other("the vault has no index"))
    }

    /// What lies here is read again when it is needed next.
    pub fn look_again(&mut self) {
        self.index = None;
    }

    /// What was accepted, what of it lies here if that was looked at, and how many bytes a list may have.
    pub(super) fn parts(&self) -> (&Ledger, Option<&Index>, u64) {
        (&self.ledger, self.index.as_ref(), self.sums_bytes)
    }

    pub(super) fn tell(&mut self, moment: &Moment) {
        // The history is for people: the head says what holds.
        let _ = self.ledger.tell(moment);
    }
}

/// Writes the entry beside the blobs, makes all of it durable, and only then gives it its name.
fn commit(ledger: &Ledger, root: &Path, verified: &Verified, entry: &Entry) -> io::Result<()> {
    let (disk, target) = (&ledger.disk, ledger.at(entry.corte));
    let [draft, damaged] = ["", ".damaged"].map(|end| ledger.folder.join(format!(".{}{end}", entry.corte)));
    for left in [&draft, &damaged].into_iter().filter(|path| disk.exists(path)) {
        disk.remove_tree(left)?;
    }
    disk.make_folder(&draft)?;
    let json = sealed::write(entry)?;
    let files = [
        (CORTE, Some(&verified.corte_json()[..])),
        (SUMS, Some(&verified.sums()[..])),
        (SIGNATURE, verified.trust().signature().map(|signature| &signature[..])),
        (ENTRY, Some(&json[..])),
    ];
    let written = (|| {
        for (name, bytes) in files {
            if let Some(bytes) = bytes {
                disk.create(&draft.join(name))?.write_all(bytes)?;
            }
        }
        disk.sync_all(root)?;
        if disk.exists(&target) {
            // Only what could not be used is ever replaced; it goes for good at the next start.
            disk.rename(&target, &damaged)?;
        }
        disk.rename(&draft, &target)
    })();
    if written.is_err() {
        let _ = disk.rename(&damaged, &target);
        let _ = disk.remove_tree(&draft);
    }
    written
}
