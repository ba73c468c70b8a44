//! The one disk. Whatever reads packages or keeps state goes through a `Disk`, so that a test can put a twin in its
//! place which fails, tears or delays at any operation, and forgets after a power cut what was not synced.
//!
//! Folders are read without following links. Nothing here is asynchronous: who must not wait asks from a thread.

mod draft;
mod file;
mod folder;
mod model;
mod twin;

use std::fmt;
use std::fs::{self, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags};

pub use draft::{Draft, sync_folder, sync_tree};
pub use file::{File, ReadAt, Writer};
pub use folder::{Folder, Kind};
pub use twin::{At, Twin};

/// The disk of this machine, or a twin of it. Cheap to clone.
#[derive(Clone, Default)]
pub struct Disk(Option<Arc<model::Model>>);

/// What is known of a name without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    pub kind: Kind,
    pub len: u64,
    /// Over length, times and inode: equal marks mean that nothing was written in between.
    pub mark: u64,
}

/// Bytes of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Free for programs without privileges.
    pub free: u64,
    pub total: u64,
}

/// A file that one process at a time can hold; let go when it ends, however it ends.
pub struct Lock {
    _held: Option<fs::File>,
}

/// Files that hold nobody else's secrets, but some of ours.
const MODE: u32 = 0o640;
/// Keys.
const MODE_SECRET: u32 = 0o600;

impl Disk {
    pub fn machine() -> Disk {
        Disk(None)
    }

    /// A disk in memory that does as its twin is told.
    pub fn twin() -> (Disk, Twin) {
        twin::new()
    }

    /// An open folder. The path itself may go through links: whoever names it is trusted.
    pub fn folder(&self, path: &Path) -> io::Result<Folder> {
        self.folder_with(path, OFlags::empty())
    }

    /// The same where the last name of the path is somebody else's: a link in its place is an error. `PATH/.` is what
    /// PATH leads to.
    pub fn foreign_folder(&self, path: &Path) -> io::Result<Folder> {
        self.folder_with(path, OFlags::NOFOLLOW)
    }

    fn folder_with(&self, path: &Path, more: OFlags) -> io::Result<Folder> {
        match &self.0 {
            None => folder::open(path, more),
            Some(model) => Ok(Folder::Twin(model.clone(), model.folder(path)?)),
        }
    }

    /// A plain file named by someone trusted, for reading.
    pub fn open(&self, path: &Path) -> io::Result<File> {
        self.open_with(path, OFlags::empty())
    }

    /// The same where the last name of the path is somebody else's: a link in its place is an error.
    pub fn open_foreign(&self, path: &Path) -> io::Result<File> {
        self.open_with(path, OFlags::NOFOLLOW)
    }

    fn open_with(&self, path: &Path, more: OFlags) -> io::Result<File> {
        match &self.0 {
            None => {
                let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | more;
                file::plain(rustix::fs::open(path, flags, Mode::empty())?)
            }
            Some(model) => Ok(File::Twin(model.clone(), model.file(path)?)),
        }
    }

    /// All of a file, which may have `most` bytes.
    pub fn read(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let file = self.open(path)?;
        let len = file.size()?;
        let mut bytes = Vec::with_capacity(usize::try_from(len.min(most)).unwrap_or(0) + 1);
        ReadAt::of(file).take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            return Err(io::Error::other(format!("is larger than {most} bytes")));
        }
        Ok(bytes)
    }

    /// What the name itself is, not what a link there points to.
    pub fn stat(&self, path: &Path) -> io::Result<Stat> {
        let Some(model) = &self.0 else {
            let meta = fs::symlink_metadata(path)?;
            let mut hasher = DefaultHasher::new();
            (meta.len(), meta.ino(), meta.dev()).hash(&mut hasher);
            (meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()).hash(&mut hasher);
            let kind = Kind::of(FileType::from_raw_mode(meta.mode()));
            return Ok(Stat { kind, len: meta.len(), mark: hasher.finish() });
        };
        model.stat(path)
    }

    pub fn exists(&self, path: &Path) -> bool {
        self.stat(path).is_ok()
    }

    /// A new file; what is there already is an error.
    pub fn create(&self, path: &Path) -> io::Result<Writer> {
        self.create_with(path, MODE)
    }

    /// The same, for nobody but this user.
    pub fn create_secret(&self, path: &Path) -> io::Result<Writer> {
        self.create_with(path, MODE_SECRET)
    }

    fn create_with(&self, path: &Path, mode: u32) -> io::Result<Writer> {
        match &self.0 {
            None => {
                let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
                Ok(Writer::Machine(file))
            }
            Some(model) => Ok(Writer::Twin(model.clone(), model.create(path)?)),
        }
    }

    /// A file to write on at its end, made where there is none.
    pub fn append(&self, path: &Path) -> io::Result<Writer> {
        match &self.0 {
            None => {
                let file = OpenOptions::new().append(true).create(true).mode(MODE).open(path)?;
                Ok(Writer::Machine(file))
            }
            Some(model) => Ok(Writer::Twin(model.clone(), model.append(path)?)),
        }
    }

    /// The folder and those that lead to it; one that is there already is no error.
    pub fn make_folder(&self, path: &Path) -> io::Result<()> {
        match &self.0 {
            None => fs::create_dir_all(path),
            Some(model) => model.make_folder(path),
        }
    }

    /// In one step, and in the place of what is at `to`.
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        match &self.0 {
            None => fs::rename(from, to),
            Some(model) => model.rename(from, to),
        }
    }

    /// The file, not what a link points to.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        match &self.0 {
            None => fs::remove_file(path),
            Some(model) => model.remove(path),
        }
    }

    /// The folder and all below it, or the file; never through a link.
    pub fn remove_tree(&self, path: &Path) -> io::Result<()> {
        match (&self.0, self.stat(path)?.kind) {
            (None, Kind::Folder) => fs::remove_dir_all(path),
            (None, _) => fs::remove_file(path),
            (Some(model), _) => model.remove_tree(path),
        }
    }

    /// Makes the names in a folder durable.
    pub fn sync_folder(&self, path: &Path) -> io::Result<()> {
        match &self.0 {
            None => draft::sync_folder(path),
            Some(model) => model.sync_folder(path),
        }
    }

    /// Makes all that was written on the file system of `path` durable: one call, where a call a file would take minutes.
    pub fn sync_all(&self, path: &Path) -> io::Result<()> {
        match &self.0 {
            None => draft::sync_tree(path),
            Some(model) => model.sync_all(),
        }
    }

    pub fn space(&self, path: &Path) -> io::Result<Space> {
        let Some(model) = &self.0 else {
            let stat = rustix::fs::statvfs(path)?;
            let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
            return Ok(Space { free: bytes(stat.f_bavail), total: bytes(stat.f_blocks) });
        };
        model.space()
    }

    /// Holds the file at `path`, made where there is none, with `holder` in it for people. `None` where another
    /// process holds it.
    pub fn lock(&self, path: &Path, holder: &str) -> io::Result<Option<Lock>> {
        if self.0.is_some() {
            return Ok(Some(Lock { _held: None }));
        }
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(MODE).open(path)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                // Who holds it is for people: on a full disk it is held all the same.
                let _ = file.set_len(0).and_then(|()| io::Write::write_all(&mut file, holder.as_bytes()));
                Ok(Some(Lock { _held: Some(file) }))
            }
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Disk(twin)" } else { "Disk(machine)" })
    }
}

/// The flag under which a name is looked at itself.
const NO_LINK: AtFlags = AtFlags::SYMLINK_NOFOLLOW;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_tells_by_whom_if_there_is_room_to() {
        let (disk, dir) = (Disk::machine(), tempfile::tempdir().unwrap());
        let path = dir.path().join("lock");
        let first = disk.lock(&path, "one").unwrap();
        assert!(first.is_some() && disk.lock(&path, "two").unwrap().is_none());
        assert_eq!(fs::read(&path).unwrap(), b"one");
        drop(first);
        assert!(disk.lock(&path, "2").unwrap().is_some());
        assert_eq!(fs::read(&path).unwrap(), b"2");
        // A file that takes nothing, as on a full disk.
        assert!(disk.lock(Path::new("/dev/full"), "three").unwrap().is_some());
    }
}
