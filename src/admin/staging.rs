//! The folder where pushed packages arrive. A file has a name that starts with a dot until it is whole.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::route::Name;
use crate::base::digest::{Digest, Hasher};
use crate::base::disk::{Disk, Writer};

/// Below the state folder.
const FOLDER: &str = "staging";
/// What our files begin with: others stage here too, and clear away after themselves.
const PREFIX: &str = "push-";
/// Room that a package must leave on the disk: for the vault's ledger, the journal, the machine's own log.
const ROOM_LEFT_BYTES: u64 = 64 << 20;

pub struct Staging {
    disk: Disk,
    folder: PathBuf,
    count: AtomicU64,
}

impl Staging {
    /// Makes the folder, and clears away what an earlier run has left: nobody waits for it any more.
    pub fn open(disk: Disk, state: &Path) -> io::Result<Staging> {
        let folder = state.join(FOLDER);
        disk.make_folder(&folder)?;
        for (name, _) in disk.folder(&folder)?.names()? {
            if name.trim_start_matches('.').starts_with(PREFIX) {
                disk.remove(&folder.join(name))?;
            }
        }
        Ok(Staging { disk, folder, count: AtomicU64::new(0) })
    }

    /// Whether there is room for so many bytes more.
    pub fn has_room(&self, bytes: u64) -> io::Result<bool> {
        Ok(self.disk.space(&self.folder)?.free >= bytes.saturating_add(ROOM_LEFT_BYTES))
    }

    /// A package that begins to arrive.
    pub fn begin(&self, name: &Name) -> io::Result<Staged> {
        let own = format!("{PREFIX}{}-{}-{}", std::process::id(), self.count.fetch_add(1, Relaxed), name.as_str());
        let (draft, target) = (self.folder.join(format!(".{own}")), self.folder.join(own));
        let file = self.disk.create(&draft)?;
        Ok(Staged { disk: self.disk.clone(), file, draft, target, hasher: Hasher::default(), len: 0, is_whole: false })
    }
}

/// A file that arrives; it is removed unless it becomes whole.
pub struct Staged {
    disk: Disk,
    file: Writer,
    draft: PathBuf,
    target: PathBuf,
    hasher: Hasher,
    len: u64,
    is_whole: bool,
}

impl Staged {
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    /// Gives the file its name, unless its digest is another than expected. It need not be durable: whoever sent it has no
    /// answer yet, and sends it again. `Ok(Err(found))`: it differs.
    pub fn finish(mut self, expected: &[Digest]) -> io::Result<Result<PathBuf, Digest>> {
        let found = std::mem::take(&mut self.hasher).finish();
        if expected.iter().any(|expected| *expected != found) {
            return Ok(Err(found));
        }
        self.disk.rename(&self.draft, &self.target)?;
        self.is_whole = true;
        Ok(Ok(std::mem::take(&mut self.target)))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.is_whole {
            // What cannot be removed is at the next start.
            let _ = self.disk.remove(&self.draft);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(disk: &Disk) -> Vec<String> {
        disk.folder(Path::new("/s/staging")).unwrap().names().unwrap().into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn what_is_not_whole_goes_away_and_leftovers_are_swept() {
        let (disk, twin) = Disk::twin();
        let staging = Staging::open(disk.clone(), Path::new("/s")).unwrap();
        let name = Name::parse("a.tar").unwrap();
        let mut cut = staging.begin(&name).unwrap();
        cut.write(b"ha").unwrap();
        assert!(names(&disk)[0].starts_with(".push-") && names(&disk)[0].ends_with("-a.tar"));
        drop(cut);
        assert_eq!(names(&disk), [""; 0]);
        let mut differs = staging.begin(&name).unwrap();
        differs.write(b"x").unwrap();
        assert_eq!(differs.finish(&[Digest::of(b"y")]).unwrap(), Err(Digest::of(b"x")));
        assert_eq!(names(&disk), [""; 0]);
        let mut whole = staging.begin(&name).unwrap();
        whole.write(b"who").unwrap();
        whole.write(b"le").unwrap();
        let path = whole.finish(&[Digest::of(b"whole"), Digest::of(b"whole")]).unwrap().unwrap();
        assert_eq!(disk.read(&path, 9).unwrap(), b"whole");
        twin.has_room_for(1);
        assert!(!staging.has_room(1).unwrap());
        std::mem::forget(staging.begin(&name).unwrap());
        disk.create(Path::new("/s/staging/pull-1")).unwrap();
        Staging::open(disk.clone(), Path::new("/s")).unwrap();
        assert_eq!(names(&disk), ["pull-1"]);
    }
}
