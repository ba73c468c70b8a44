//! The disk, as far as packages need it: folders read without following links, files read at a
//! position by many threads, and results that appear whole under their name or not at all.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags};

/// What a name in a folder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
    Link,
    /// A device, socket or pipe.
    Special,
}

impl Kind {
    fn of(kind: FileType) -> Kind {
        match kind {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Folder,
            FileType::Symlink => Kind::Link,
            _ => Kind::Special,
        }
    }
}

/// An open folder. What is opened through it is opened by one name at a time and never through a link,
/// so nobody can lead a reader out of it, not even by swapping names while it is read.
pub struct Folder(OwnedFd);

impl Folder {
    /// The path itself may go through links: whoever names it is trusted.
    pub fn open(path: &Path) -> io::Result<Folder> {
        Ok(Folder(rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?))
    }

    /// The folder of that one name.
    pub fn folder(&self, name: &str) -> io::Result<Folder> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Folder(rustix::fs::openat(&self.0, one(name)?, flags, Mode::empty())?))
    }

    /// The folder at `path`, `/`-separated below this one; the empty path is this one.
    pub fn below(&self, path: &str) -> io::Result<Folder> {
        let mut folder = Folder(self.0.try_clone()?);
        for name in path.split('/').filter(|name| !name.is_empty()) {
            folder = folder.folder(name)?;
        }
        Ok(folder)
    }

    /// The plain file of that one name, for reading.
    pub fn file(&self, name: &str) -> io::Result<File> {
        // NONBLOCK: a pipe put in the file's place must not hold the reader.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        plain(File::from(rustix::fs::openat(&self.0, one(name)?, flags, Mode::empty())?))
    }

    /// Every name in the folder but `.` and `..`, in the disk's order, with what it stands for.
    pub fn list(&self, mut each: impl FnMut(&[u8], Kind) -> io::Result<()>) -> io::Result<()> {
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => {
                    let stat = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
                    FileType::from_raw_mode(stat.st_mode)
                }
                known => known,
            };
            each(name.to_bytes(), Kind::of(kind))?;
        }
        Ok(())
    }
}

/// One name, not a path: what the kernel resolves in a single step.
fn one(name: &str) -> io::Result<&str> {
    match name {
        "" | "." | ".." => Err(io::ErrorKind::InvalidInput.into()),
        _ if name.contains('/') => Err(io::ErrorKind::InvalidInput.into()),
        _ => Ok(name),
    }
}

/// A plain file named by someone trusted, for reading.
pub fn open_file(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    plain(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

fn plain(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("is not a plain file")) }
}

/// A reader with a position of its own over a shared file: clone it for every thread.
#[derive(Clone)]
pub struct ReadAt {
    file: Arc<File>,
    at: u64,
    len: u64,
}

impl ReadAt {
    pub fn new(file: File) -> io::Result<ReadAt> {
        let len = file.metadata()?.len();
        Ok(ReadAt { file: Arc::new(file), at: 0, len })
    }
}

impl Read for ReadAt {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(buf, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for ReadAt {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(n) => Some(n),
            SeekFrom::End(n) => self.len.checked_add_signed(n),
            SeekFrom::Current(n) => self.at.checked_add_signed(n),
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// A file or folder under way: it lives under a name that starts with a dot beside its target until
/// `commit`, and is removed if that is never called.
pub struct Draft {
    temporary: PathBuf,
    target: PathBuf,
    committed: bool,
}

impl Draft {
    /// A name for a draft of `target`, which must not exist yet.
    pub fn of(target: &Path) -> io::Result<Draft> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        if fs::symlink_metadata(target).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
        // The end of the name stays: it tells what form the draft has.
        let name = format!(".{}-{}.{name}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        Ok(Draft { temporary: target.with_file_name(name), target: target.into(), committed: false })
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// Gives the draft its name. What was written must have been synced; an existing target is kept.
    pub fn commit(mut self) -> io::Result<()> {
        match rustix::fs::renameat_with(CWD, &self.temporary, CWD, &self.target, RenameFlags::NOREPLACE) {
            // Some network file systems know no flags; the check in `of` must do there.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => fs::rename(&self.temporary, &self.target)?,
            other => other?,
        }
        self.committed = true;
        sync_folder(self.target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.committed {
            // Best effort: the failure that led here is the one worth telling.
            let _ = fs::remove_file(&self.temporary);
            let _ = fs::remove_dir_all(&self.temporary);
        }
    }
}

/// Makes all that was written below a folder durable: one call, where a call a file would take minutes.
pub fn sync_tree(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(path)?)?)
}

/// Makes the names in a folder durable.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_and_pipes_are_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("real"), "x").unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        symlink("real", dir.path().join("link")).unwrap();
        symlink("sub", dir.path().join("sublink")).unwrap();
        rustix::fs::mkfifoat(CWD, dir.path().join("pipe"), Mode::RUSR).unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        assert!(folder.file("real").is_ok());
        assert!(folder.folder("sub").is_ok());
        for bad in ["link", "pipe", "sub", "sub/../real", "..", "."] {
            assert!(folder.file(bad).is_err(), "{bad}");
        }
        assert!(folder.folder("sublink").is_err());
        assert!(folder.below("sublink/x").is_err());
        let mut kinds = Vec::new();
        let each = |name: &[u8], kind| {
            kinds.push((name.to_vec(), kind));
            Ok(())
        };
        folder.list(each).unwrap();
        kinds.sort_by(|a, b| a.0.cmp(&b.0));
        let kinds: Vec<Kind> = kinds.into_iter().map(|(_, kind)| kind).collect();
        assert_eq!(kinds, [Kind::Link, Kind::Special, Kind::File, Kind::Folder, Kind::Link]);
    }

    #[test]
    fn a_draft_appears_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out");
        let draft = Draft::of(&target).unwrap();
        fs::write(draft.path(), "half").unwrap();
        drop(draft);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let (first, second) = (Draft::of(&target).unwrap(), Draft::of(&target).unwrap());
        fs::write(first.path(), "whole").unwrap();
        fs::write(second.path(), "late").unwrap();
        first.commit().unwrap();
        assert!(second.commit().is_err(), "a draft never replaces");
        assert_eq!(fs::read(&target).unwrap(), b"whole");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
