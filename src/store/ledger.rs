//! The cortes that were accepted, as the disk tells it. Read by the service, and by anybody else at the same time: names
//! appear whole, and what was renamed does not change.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::chain::Link;
use super::head::Head;
use super::retold;
use super::sealed;
use super::shelf::Shelf;
use super::texts::{by_hex, by_text};
use crate::base::digest::Digest;
use crate::base::disk::{Disk, Kind};
use crate::corte::{Corte, CorteId, Limits, Sums, Trust};

/// What we know of an accepted corte besides what the authority says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The stamp as the authority wrote it.
    pub fecha_hora: String,
    /// When we first had all of it.
    pub received: Timestamp,
    /// When it was verified; keys had to be valid then.
    pub verified: Timestamp,
    /// Where it came from: `incoming`, a URL, `push NAME`.
    pub source: String,
    pub trust: Trust,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    pub files: u64,
    /// Files that the corte before did not have.
    pub changed: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

impl Facts {
    /// The instant of the stamp.
    pub fn instant(&self) -> Option<Timestamp> {
        self.fecha_hora.parse().ok()
    }
}

/// One accepted corte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    #[serde(with = "by_text")]
    pub corte: CorteId,
    /// The digest of its `SHA256SUMS`.
    #[serde(with = "by_hex")]
    pub sums: Digest,
    #[serde(flatten)]
    pub facts: Facts,
    /// Its place in the chain; `None` for what was kept before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<Link>,
    /// It was found damaged; the next that comes of the same corte mends it.
    #[serde(skip)]
    pub is_damaged: bool,
}

/// What was shown, or decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shown {
    Live,
    Rollback,
    Hold,
    Release,
    Final,
    Resume,
    Unusable,
    Removed,
}

/// A line of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    pub at: Timestamp,
    pub what: Shown,
    #[serde(with = "by_text")]
    pub corte: CorteId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The ledger of one election and kind.
#[derive(Debug)]
pub struct Ledger {
    pub(super) disk: Disk,
    pub(super) folder: PathBuf,
    pub(super) blobs: Shelf,
    pub(super) coded: Shelf,
    pub(super) entries: Vec<Entry>,
    pub(super) head: Option<Head>,
    /// Names that should have been entries, and why they are none.
    pub unreadable: Vec<(String, String)>,
    has_told: bool,
}

pub(super) const ENTRY: &str = "entry.json";
pub(super) const CORTE: &str = "corte.json";
pub(super) const SUMS: &str = "SHA256SUMS";
pub(super) const SIGNATURE: &str = "SHA256SUMS.sig";
const HISTORY: &str = "history.jsonl";
/// Bytes of `entry.json`: a dozen short values, of which only the source comes from outside, bounded.
const ENTRY_BYTES: u64 = 64 << 10;
/// Bytes of the history that are read: a line a corte is some 200 bytes.
const HISTORY_BYTES: u64 = 16 << 20;

impl Ledger {
    /// Reads what is there, without changing anything. The head comes first: what it names was there by then, though
    /// somebody may be writing meanwhile.
    pub fn read(disk: &Disk, vault: &Path) -> io::Result<Ledger> {
        let folder = vault.join("cortes");
        let mut ledger = Ledger {
            blobs: Shelf::at(disk, vault.join("blobs")),
            coded: Shelf::at(disk, vault.join("coded")),
            disk: disk.clone(),
            folder,
            entries: Vec::new(),
            head: None,
            unreadable: Vec::new(),
            has_told: false,
        };
        let (mut head, mut fault) = Head::read(disk, &ledger.folder);
        let names = match disk.folder(&ledger.folder) {
            Ok(folder) => folder.names()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ledger),
            Err(error) => return Err(error),
        };
        for (name, kind) in names {
            let Ok(corte) = name.parse::<CorteId>() else { continue };
            if kind != Kind::Folder {
                continue;
            }
            match ledger.read_entry(&name) {
                Ok(entry) if entry.corte == corte => ledger.entries.push(entry),
                Ok(entry) => ledger.unreadable.push((name, format!("{ENTRY} is of {}", entry.corte))),
                Err(error) => ledger.unreadable.push((name, format!("{ENTRY}: {error}"))),
            }
        }
        ledger.entries.sort_by_key(|entry| entry.corte);
        if head.is_none() {
            head = ledger.retold();
            // Both are gone: what was shown says that there was one.
            fault = fault.or_else(|| head.as_ref().map(|_| io::ErrorKind::NotFound.into()));
        }
        if let Some(head) = &head
            && ledger.entry(head.corte).is_none()
            && !ledger.is_unreadable(head.corte)
        {
            ledger.unreadable.push((head.corte.to_string(), "was announced, and is gone".into()));
        }
        ledger.head = head;
        ledger.unreadable.extend(fault.map(|fault| ("head".into(), fault.to_string())));
        Ok(ledger)
    }

    fn read_entry(&self, name: &str) -> io::Result<Entry> {
        let path = self.folder.join(name).join(ENTRY);
        sealed::read(&twice(|| self.disk.read(&path, ENTRY_BYTES))?)
    }

    /// The head as the history tells of it.
    fn retold(&self) -> Option<Head> {
        let entries = self.entries.iter().map(|entry| (entry.corte, Some(entry.facts.received)));
        let accepted: Vec<_> = entries.chain(self.lost().map(|corte| (corte, None))).collect();
        retold::head(&self.history(), &accepted)
    }

    /// Earliest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn entry(&self, corte: CorteId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.corte == corte)
    }

    /// The latest moment that was written down: it is at least that late now.
    pub fn latest(&self) -> Option<Timestamp> {
        let entries = self.entries.iter().map(|entry| entry.facts.verified);
        entries.chain(self.head.as_ref().map(|head| head.since)).max()
    }

    /// What a corte says of itself, unproven; for people.
    pub fn corte(&self, corte: CorteId) -> Option<Corte> {
        let path = self.at(corte).join(CORTE);
        Corte::parse(&self.disk.read(&path, Limits::default().corte_json_bytes).ok()?).ok()
    }

    /// The latest that was ever accepted, though it may be damaged: nothing before it goes live by itself again.
    pub fn highest(&self) -> Option<CorteId> {
        self.lost().chain(self.entries.last().map(|entry| entry.corte)).max()
    }

    /// The cortes that should have an entry and have none that can be read.
    pub(super) fn lost(&self) -> impl Iterator<Item = CorteId> {
        self.unreadable.iter().filter_map(|(name, _)| name.parse().ok())
    }

    /// Every corte that was accepted, readable or not, earliest first.
    pub(super) fn all(&self) -> Vec<CorteId> {
        let mut all: Vec<CorteId> = self.entries.iter().map(|entry| entry.corte).chain(self.lost()).collect();
        all.sort_unstable();
        all
    }

    /// Takes a corte out, whatever is known of it.
    pub(super) fn forget(&mut self, corte: CorteId) {
        self.entries.retain(|entry| entry.corte != corte);
        self.unreadable.retain(|(name, _)| name.parse() != Ok(corte));
    }

    /// The list of an accepted corte, as it was accepted, and what it says.
    pub(super) fn list(&self, entry: &Entry, most: u64) -> io::Result<(Bytes, Sums)> {
        let text = twice(|| self.disk.read(&self.at(entry.corte).join(SUMS), most))?;
        if Digest::of(&text) != entry.sums {
            return Err(io::Error::other("is not what was accepted"));
        }
        let sums = Sums::parse(&text).map_err(io::Error::other)?;
        Ok((text.into(), sums))
    }

    /// Whether there should be an entry that cannot be read.
    pub fn is_unreadable(&self, corte: CorteId) -> bool {
        self.lost().any(|lost| lost == corte)
    }

    /// The link of a corte that is accepted now, or comes again after it was damaged: its old one, where that is known,
    /// else the next.
    pub fn link(&self, corte: CorteId, sums: &Digest) -> Link {
        let own = self.entry(corte).filter(|entry| entry.sums == *sums).and_then(|entry| entry.chain);
        let kept = self.entries.iter().filter_map(|entry| entry.chain);
        let remembered = self.head.as_ref().and_then(|head| head.chain);
        own.unwrap_or_else(|| Link::again(&kept.chain(remembered).collect::<Vec<_>>(), corte, sums))
    }

    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// What may be shown after a start, best first: what is later than the head and was not withdrawn, the head, what
    /// was before it. While somebody holds the edition, nothing later than what is held.
    pub fn candidates(&self) -> Vec<CorteId> {
        let may = |corte: CorteId| self.head.as_ref().is_none_or(|head| head.lets_show(corte));
        self.entries.iter().rev().map(|entry| entry.corte).filter(|corte| may(*corte)).collect()
    }

    pub(super) fn at(&self, corte: CorteId) -> PathBuf {
        self.folder.join(corte.to_string())
    }

    /// What was shown when, earliest first. Lines that a crash has torn are passed over.
    pub fn history(&self) -> Vec<Moment> {
        let bytes = self.disk.read(&self.folder.join(HISTORY), HISTORY_BYTES).unwrap_or_default();
        bytes.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }

    /// Writes a line of the history. It is for people: that it cannot be written stops nothing.
    pub(super) fn tell(&mut self, moment: &Moment) -> io::Result<()> {
        let mut line = if self.has_told { Vec::new() } else { vec![b'\n'] };
        serde_json::to_writer(&mut line, moment)?;
        line.push(b'\n');
        self.disk.append(&self.folder.join(HISTORY))?.write_all(&line)?;
        // The first line of a process ends what a crash has torn.
        self.has_told = true;
        Ok(())
    }
}

/// Reads once more where that fails: a disk has hiccups, and what it would cost is a corte that is not shown.
pub(super) fn twice<T>(read: impl Fn() -> io::Result<T>) -> io::Result<T> {
    read().or_else(|error| if error.kind() == io::ErrorKind::NotFound { Err(error) } else { read() })
}

/// Writes a file that is there whole or not at all; its name is durable once the folder is synced.
pub(super) fn write_whole(disk: &Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let draft = path.with_file_name(format!(".{name}"));
    if disk.exists(&draft) {
        disk.remove(&draft)?;
    }
    let mut file = disk.create(&draft)?;
    let written = file.write_all(bytes).and_then(|()| file.sync());
    drop(file);
    let named = written.and_then(|()| disk.rename(&draft, path));
    if named.is_err() {
        let _ = disk.remove(&draft);
    }
    named
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::store) fn entry(corte: &str, sums: &[u8]) -> Entry {
        let at: Timestamp = "2026-06-08T00:31:00Z".parse().unwrap();
        let facts = Facts {
            fecha_hora: "2026-06-07T18:30:00-06:00".into(),
            received: at,
            verified: at,
            source: "incoming".into(),
            trust: Trust::Signed,
            signer: Some("iec".into()),
            fingerprint: None,
            files: 1,
            changed: 1,
            bytes: 1,
        };
        Entry { corte: corte.parse().unwrap(), sums: Digest::of(sums), facts, chain: None, is_damaged: false }
    }
}
