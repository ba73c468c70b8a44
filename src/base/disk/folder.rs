//! An open folder. What is opened through it is opened by one name at a time and never through a link, so nobody can
//! lead a reader out of it, not even by swapping names while it is read.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Dir, FileType, Mode, OFlags};

use super::file::{File, plain};
use super::model::{Inode, Model};

/// What a name in a folder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    File,
    Folder,
    Link,
    /// A device, socket or pipe.
    Special,
}

impl Kind {
    pub(super) fn of(kind: FileType) -> Kind {
        match kind {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Folder,
            FileType::Symlink => Kind::Link,
            _ => Kind::Special,
        }
    }
}

pub enum Folder {
    Machine(OwnedFd),
    Twin(Arc<Model>, Inode),
}

const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

pub(super) fn open(path: &Path, more: OFlags) -> io::Result<Folder> {
    Ok(Folder::Machine(rustix::fs::open(path, FLAGS | more, Mode::empty())?))
}

impl Folder {
    /// The folder of that one name.
    pub fn folder(&self, name: &str) -> io::Result<Folder> {
        let name = one(name)?;
        match self {
            Folder::Machine(fd) => {
                Ok(Folder::Machine(rustix::fs::openat(fd, name, FLAGS | OFlags::NOFOLLOW, Mode::empty())?))
            }
            Folder::Twin(model, inode) => Ok(Folder::Twin(model.clone(), model.folder_in(*inode, name)?)),
        }
    }

    /// The folder at `path`, `/`-separated below this one; the empty path is this one.
    pub fn below(&self, path: &str) -> io::Result<Folder> {
        let this = match self {
            Folder::Machine(fd) => Folder::Machine(fd.try_clone()?),
            Folder::Twin(model, inode) => Folder::Twin(model.clone(), *inode),
        };
        path.split('/').filter(|name| !name.is_empty()).try_fold(this, |folder, name| folder.folder(name))
    }

    /// The plain file of that one name, for reading.
    pub fn file(&self, name: &str) -> io::Result<File> {
        let name = one(name)?;
        match self {
            // NONBLOCK: a pipe put in the file's place must not hold the reader.
            Folder::Machine(fd) => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                plain(rustix::fs::openat(fd, name, flags, Mode::empty())?)
            }
            Folder::Twin(model, inode) => Ok(File::Twin(model.clone(), model.file_in(*inode, name)?)),
        }
    }

    /// Every name in the folder but `.` and `..`, in the disk's order, with what it stands for.
    pub fn list(&self, mut each: impl FnMut(&[u8], Kind) -> io::Result<()>) -> io::Result<()> {
        let fd = match self {
            Folder::Machine(fd) => fd,
            Folder::Twin(model, inode) => {
                return model.list(*inode)?.iter().try_for_each(|(name, kind)| each(name.as_bytes(), *kind));
            }
        };
        for entry in Dir::read_from(fd)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => {
                    let stat = rustix::fs::statat(fd, name, super::NO_LINK)?;
                    FileType::from_raw_mode(stat.st_mode)
                }
                known => known,
            };
            each(name.to_bytes(), Kind::of(kind))?;
        }
        Ok(())
    }

    /// The names that are text, sorted.
    pub fn names(&self) -> io::Result<Vec<(String, Kind)>> {
        let mut names = Vec::new();
        self.list(|name, kind| {
            if let Ok(name) = str::from_utf8(name) {
                names.push((name.to_owned(), kind));
            }
            Ok(())
        })?;
        names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(names)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_and_pipes_are_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("real"), "x").unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        symlink("real", dir.path().join("link")).unwrap();
        symlink("sub", dir.path().join("sublink")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, dir.path().join("pipe"), Mode::RUSR).unwrap();
        let folder = open(dir.path(), OFlags::empty()).unwrap();
        assert!(folder.file("real").is_ok());
        assert!(folder.folder("sub").is_ok());
        for bad in ["link", "pipe", "sub", "sub/../real", "..", "."] {
            assert!(folder.file(bad).is_err(), "{bad}");
        }
        assert!(folder.folder("sublink").is_err());
        assert!(folder.below("sublink/x").is_err());
        let kinds: Vec<Kind> = folder.names().unwrap().into_iter().map(|(_, kind)| kind).collect();
        assert_eq!(kinds, [Kind::Link, Kind::Special, Kind::File, Kind::Folder, Kind::Link]);
    }
}
