//! Files that are read at a position by many threads, and files that are written once.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::model::{Inode, Model};

/// A plain file, open for reading.
pub enum File {
    /// With the bytes that it had when it was opened.
    Machine(fs::File, u64),
    Twin(Arc<Model>, Inode),
}

impl File {
    /// Bytes that it had when it was opened.
    pub fn size(&self) -> io::Result<u64> {
        match self {
            File::Machine(_, size) => Ok(*size),
            File::Twin(model, inode) => model.len(*inode),
        }
    }

    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        match self {
            File::Machine(file, _) => file.read_at(buf, at),
            File::Twin(model, inode) => model.read_at(*inode, buf, at),
        }
    }
}

pub(super) fn plain(file: OwnedFd) -> io::Result<File> {
    let file = fs::File::from(file);
    let about = file.metadata()?;
    if about.is_file() { Ok(File::Machine(file, about.len())) } else { Err(io::Error::other("is not a plain file")) }
}

/// A reader with a position of its own over a shared file: clone it for every thread.
#[derive(Clone)]
pub struct ReadAt {
    file: Arc<File>,
    at: u64,
}

impl ReadAt {
    pub fn of(file: File) -> ReadAt {
        ReadAt { file: Arc::new(file), at: 0 }
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
            SeekFrom::End(n) => self.file.size()?.checked_add_signed(n),
            SeekFrom::Current(n) => self.at.checked_add_signed(n),
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// A file that is being written, at its end.
pub enum Writer {
    Machine(fs::File),
    Twin(Arc<Model>, Inode),
}

impl Writer {
    /// Makes what was written durable; the name is not, until its folder is synced.
    pub fn sync(&mut self) -> io::Result<()> {
        match self {
            Writer::Machine(file) => file.sync_all(),
            Writer::Twin(model, inode) => model.sync(*inode),
        }
    }

    /// Bytes that it has now.
    pub fn size(&self) -> io::Result<u64> {
        match self {
            Writer::Machine(file) => Ok(file.metadata()?.len()),
            Writer::Twin(model, inode) => model.len(*inode),
        }
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Writer::Machine(file) => file.write(bytes),
            Writer::Twin(model, inode) => model.write(*inode, bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
