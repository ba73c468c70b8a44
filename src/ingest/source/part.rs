//! What is arriving: a file that grows in the staging folder, and beside it what is needed to go on after a restart.
//!
//! `.pull-NAME.part` holds the bytes. `.pull-NAME.part.json` says which version they are of, and how many of them were synced, with
//! their SHA-256: after a power cut the rest may be anything. It is written only where a server gave a strong entity
//! tag, without which nobody could tell that the rest is of the same version.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::exchange::Begun;
use crate::base::digest::{Digest, Hasher};
use crate::base::disk::{ReadAt, Writer};
use crate::ingest::staging::Staging;

/// What our files begin with: others stage in the same folder, and clear away after themselves.
const PREFIX: &str = "pull-";
/// After so many bytes a power cut costs nothing of what came before.
const CHECKPOINT_BYTES: u64 = 8 << 20;
/// Bytes of the note beside a part: an address, a tag, a digest.
const NOTE_BYTES: u64 = 16 << 10;
/// Bytes that are copied at a time.
const COPY_BYTES: usize = 64 << 10;

/// Where the files of one source are.
#[derive(Clone, Debug)]
pub struct Place {
    /// Which other sources share.
    pub staging: Staging,
    /// Of the source: letters, digits and `-`.
    pub name: String,
}

/// The note beside a part.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    url: String,
    etag: String,
    whole: Option<u64>,
    /// Bytes that are on the disk for certain, and their SHA-256.
    len: u64,
    sha256: String,
}

/// A file that is arriving.
pub struct Part {
    place: Place,
    writer: Writer,
    hasher: Hasher,
    url: String,
    etag: Option<String>,
    whole: Option<u64>,
    len: u64,
    noted: u64,
}

/// A file that has arrived.
#[derive(Debug)]
pub struct Whole {
    pub path: PathBuf,
    pub digest: Digest,
}

impl Place {
    fn part(&self) -> PathBuf {
        self.staging.folder.join(format!(".{PREFIX}{}.part", self.name))
    }

    fn note(&self) -> PathBuf {
        self.staging.folder.join(format!(".{PREFIX}{}.part.json", self.name))
    }

    /// `~` stands in no source's name, so that no source takes another's files for its own.
    pub fn whole(&self, count: u64, name: &str) -> PathBuf {
        self.staging.folder.join(format!("{PREFIX}{}~{count}~{name}", self.name))
    }

    /// Removes what a life before has left here and nobody has taken; makes the folder where there is none.
    pub fn clear(&self) -> io::Result<()> {
        self.staging.disk.make_folder(&self.staging.folder)?;
        let own = format!("{PREFIX}{}~", self.name);
        for (name, _) in self.staging.disk.folder(&self.staging.folder)?.names()? {
            if name.starts_with(&own) {
                self.staging.disk.remove(&self.staging.folder.join(name))?;
            }
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match self.staging.disk.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes a part and its note: the note first, which without the part would lie.
    pub fn discard(&self) -> io::Result<()> {
        self.remove(&self.note())?;
        self.remove(&self.part())
    }
}

impl Part {
    /// A new one, in the place of what there may be.
    pub fn start(place: &Place, url: &str, etag: Option<&str>, whole: Option<u64>) -> io::Result<Part> {
        place.discard()?;
        let writer = place.staging.disk.create(&place.part())?;
        let (url, etag) = (url.to_owned(), etag.map(str::to_owned));
        Ok(Part { place: place.clone(), writer, hasher: Hasher::default(), url, etag, whole, len: 0, noted: 0 })
    }

    /// What a life before has left, as far as it is certain. `None` where there is nothing to go on with.
    pub fn resume(place: &Place) -> io::Result<Option<Part>> {
        let note: Option<Note> = place
            .staging
            .disk
            .read(&place.note(), NOTE_BYTES)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let found = note.and_then(|note| Part::certain(place, note).ok().flatten());
        if found.is_none() {
            place.discard()?;
        }
        Ok(found)
    }

    /// The noted bytes alone, in a file of their own: what follows them may be torn.
    fn certain(place: &Place, note: Note) -> io::Result<Option<Part>> {
        let copy = place.staging.folder.join(format!(".{PREFIX}{}.part.new", place.name));
        place.remove(&copy)?;
        let mut from = ReadAt::of(place.staging.disk.open(&place.part())?).take(note.len);
        let mut writer = place.staging.disk.create(&copy)?;
        let (mut hasher, mut len) = (Hasher::default(), 0);
        let mut bytes = vec![0; COPY_BYTES];
        loop {
            let n = from.read(&mut bytes)?;
            if n == 0 {
                break;
            }
            hasher.update(&bytes[..n]);
            writer.write_all(&bytes[..n])?;
            len += n as u64;
        }
        let is_certain = len == note.len && Some(hasher.clone().finish()) == Digest::from_hex(&note.sha256);
        if !is_certain {
            place.remove(&copy)?;
            return Ok(None);
        }
        writer.sync()?;
        place.staging.disk.rename(&copy, &place.part())?;
        place.staging.disk.sync_folder(&place.staging.folder)?;
        let Note { url, etag, whole, .. } = note;
        Ok(Some(Part { place: place.clone(), writer, hasher, url, etag: Some(etag), whole, len, noted: len }))
    }

    /// What there is of `url`, if the rest can be asked for.
    pub fn begun(&self, url: &str) -> Option<Begun> {
        let etag = self.etag.clone().filter(|_| self.url == url)?;
        Some(Begun { etag, len: self.len, whole: self.whole })
    }

    /// Whether the rest of it can be asked for.
    pub fn can_go_on(&self) -> bool {
        self.etag.is_some() && self.len > 0
    }

    /// Bytes so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes)?;
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
        if self.len - self.noted >= CHECKPOINT_BYTES { self.note() } else { Ok(()) }
    }

    /// Makes what is there survive a restart.
    pub fn note(&mut self) -> io::Result<()> {
        self.noted = self.len;
        let Some(etag) = self.etag.clone() else { return Ok(()) };
        self.writer.sync()?;
        let sha256 = self.hasher.clone().finish().to_string();
        let note = Note { url: self.url.clone(), etag, whole: self.whole, len: self.len, sha256 };
        let (disk, path) = (&self.place.staging.disk, self.place.note());
        let draft = self.place.staging.folder.join(format!(".{PREFIX}{}.part.json.new", self.place.name));
        self.place.remove(&draft)?;
        let mut writer = disk.create(&draft)?;
        writer.write_all(&serde_json::to_vec(&note)?)?;
        writer.sync()?;
        disk.rename(&draft, &path)?;
        disk.sync_folder(&self.place.staging.folder)
    }

    /// All of it has arrived: gives it the name under which it can be handed over.
    pub fn finish(self, count: u64, name: &str) -> io::Result<Whole> {
        self.place.remove(&self.place.note())?;
        let path = self.place.whole(count, name);
        self.place.staging.disk.rename(&self.place.part(), &path)?;
        Ok(Whole { path, digest: self.hasher.finish() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::disk::{At, Disk};

    fn bare(disk: &Disk) -> Place {
        Place { staging: Staging::of(disk, "/".as_ref(), 0), name: "iec".into() }
    }

    fn place(disk: &Disk) -> Place {
        bare(disk).clear().unwrap();
        bare(disk)
    }

    const URL: &str = "https://a/b.tar";

    #[test]
    fn it_goes_on_after_a_restart_with_what_was_noted() {
        let (disk, _twin) = Disk::twin();
        let place = place(&disk);
        let mut part = Part::start(&place, URL, Some("\"a\""), Some(6)).unwrap();
        part.write(b"abcd").unwrap();
        part.note().unwrap();
        part.write(b"e").unwrap();
        drop(part);
        let mut part = Part::resume(&place).unwrap().unwrap();
        assert_eq!(part.begun("https://a/other"), None);
        assert_eq!(part.begun(URL), Some(Begun { etag: "\"a\"".into(), len: 4, whole: Some(6) }));
        part.write(b"EF").unwrap();
        let whole = part.finish(3, "b.tar").unwrap();
        assert_eq!(disk.read(&whole.path, 9).unwrap(), b"abcdEF");
        assert_eq!(whole.digest, Digest::of(b"abcdEF"));
        assert!(Part::resume(&place).unwrap().is_none());
        let names = || disk.folder(&place.staging.folder).unwrap().names().unwrap();
        assert_eq!(names().len(), 1);
        place.clear().unwrap();
        assert!(names().is_empty(), "what nobody has taken goes at the next start");
    }

    #[test]
    fn without_a_strong_tag_there_is_nothing_to_go_on_with() {
        let (disk, _twin) = Disk::twin();
        let place = place(&disk);
        let mut part = Part::start(&place, URL, None, None).unwrap();
        part.write(b"abcd").unwrap();
        part.note().unwrap();
        assert_eq!(part.begun(URL), None);
        drop(part);
        assert!(Part::resume(&place).unwrap().is_none());
        assert!(disk.folder(&place.staging.folder).unwrap().names().unwrap().is_empty());
    }

    #[test]
    fn a_part_that_has_aged_is_thrown_away() {
        let (disk, twin) = Disk::twin();
        let place = place(&disk);
        let mut part = Part::start(&place, URL, Some("\"a\""), None).unwrap();
        part.write(b"abcd").unwrap();
        part.note().unwrap();
        twin.rot(&place.part(), 9).unwrap();
        assert!(Part::resume(&place).unwrap().is_none());
    }

    /// Two pieces with a note after each, then the end.
    fn arrive(place: &Place) -> io::Result<()> {
        place.clear()?;
        let mut part = Part::start(place, URL, Some("\"a\""), Some(8))?;
        for piece in [b"abcd", b"efgh"] {
            part.write(piece)?;
            part.note()?;
        }
        part.finish(0, "b.tar").map(drop)
    }

    #[test]
    fn the_power_may_go_at_any_moment() {
        let (disk, twin) = Disk::twin();
        arrive(&bare(&disk)).unwrap();
        let mut resumed = 0;
        for n in 0..twin.operations() {
            let (disk, twin) = Disk::twin();
            twin.at(n, At::PowerCut);
            assert!(arrive(&bare(&disk)).is_err(), "{n}");
            for seed in 0..50 {
                let (disk, _twin) = twin.after_power_cut(seed);
                let place = place(&disk);
                let Some(mut part) = Part::resume(&place).unwrap() else { continue };
                let from = part.begun(URL).unwrap().len as usize;
                part.write(&b"abcdefgh"[from..]).unwrap();
                let whole = part.finish(1, "b.tar").unwrap();
                assert_eq!(disk.read(&whole.path, 99).unwrap(), b"abcdefgh", "{n} {seed}");
                assert_eq!(whole.digest, Digest::of(b"abcdefgh"));
                resumed += usize::from(from > 0);
            }
        }
        assert!(resumed > 100, "{resumed}");
    }
}
