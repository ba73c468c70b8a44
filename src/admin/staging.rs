//! The folder where pushed packages arrive. A file has a name that starts with a dot until it is whole.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::route::Name;
use crate::base::digest::{Digest, Hasher};
use crate::base::disk::Writer;
use crate::ingest::{self, ASK_EVERY_BYTES};

/// What our files begin with: others stage here too, and clear away after themselves.
const PREFIX: &str = "push-";

pub struct Staging {
    place: ingest::Staging,
    count: AtomicU64,
}

impl Staging {
    /// Makes the folder, and clears away what an earlier run has left: nobody waits for it any more.
    pub fn open(place: ingest::Staging) -> io::Result<Staging> {
        let (disk, folder) = (&place.disk, &place.folder);
        disk.make_folder(folder)?;
        for (name, _) in disk.folder(folder)?.names()? {
            if name.trim_start_matches('.').starts_with(PREFIX) {
                disk.remove(&folder.join(name))?;
            }
        }
        Ok(Staging { place, count: AtomicU64::new(0) })
    }

    /// Fails where there is no room for so many bytes more.
    pub fn has_room(&self, bytes: u64) -> io::Result<()> {
        self.place.has_room(bytes)
    }

    /// A package that begins to arrive.
    pub fn begin(&self, name: &Name) -> io::Result<Staged> {
        let own = format!("{PREFIX}{}-{}-{}", std::process::id(), self.count.fetch_add(1, Relaxed), name.as_str());
        let (place, folder) = (self.place.clone(), &self.place.folder);
        let (draft, target) = (folder.join(format!(".{own}")), folder.join(own));
        let file = place.disk.create(&draft)?;
        Ok(Staged { place, file, draft, target, hasher: Hasher::default(), len: 0, ask_at: 0, is_whole: false })
    }
}

/// A file that arrives; it is removed unless it becomes whole.
pub struct Staged {
    place: ingest::Staging,
    file: Writer,
    draft: PathBuf,
    target: PathBuf,
    hasher: Hasher,
    len: u64,
    /// Bytes at which to ask next whether there is room.
    ask_at: u64,
    is_whole: bool,
}

impl Staged {
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.len >= self.ask_at {
            self.place.has_room(bytes.len() as u64)?;
            self.ask_at = self.len + ASK_EVERY_BYTES;
        }
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
        self.place.disk.rename(&self.draft, &self.target)?;
        self.is_whole = true;
        Ok(Ok(std::mem::take(&mut self.target)))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.is_whole {
            // What cannot be removed is at the next start.
            let _ = self.place.disk.remove(&self.draft);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::disk::Disk;

    fn names(disk: &Disk) -> Vec<String> {
        disk.folder(Path::new("/s/staging")).unwrap().names().unwrap().into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn what_is_not_whole_goes_away_and_leftovers_are_swept() {
        let (disk, twin) = Disk::twin();
        let open = || Staging::open(ingest::Staging::of(&disk, Path::new("/s"), 7)).unwrap();
        let staging = open();
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
        twin.has_room_for(8);
        assert!(staging.has_room(1).is_ok() && staging.has_room(2).is_err());
        twin.has_room_for(1 << 20);
        std::mem::forget(staging.begin(&name).unwrap());
        disk.create(Path::new("/s/staging/pull-1")).unwrap();
        open();
        assert_eq!(names(&disk), ["pull-1"]);
    }
}
