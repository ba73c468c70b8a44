//! A folder of files named by a digest, spread over 256 folders so that none grows too large.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::base::digest::Digest;
use crate::base::disk::{Disk, Kind};

/// A shelf. Cheap to clone; threads may put different digests at once.
#[derive(Clone, Debug)]
pub struct Shelf {
    disk: Disk,
    folder: PathBuf,
}

impl Shelf {
    /// Makes nothing: who only reads has one too.
    pub(super) fn at(disk: &Disk, folder: PathBuf) -> Shelf {
        Shelf { disk: disk.clone(), folder }
    }

    /// Puts `bytes` under this digest, in the place of what is there. Durable only once the disk is synced: the name may
    /// outlast a power cut without the bytes, which is why nothing is trusted that no entry of the ledger refers to.
    pub fn put(&self, digest: &Digest, bytes: &[&[u8]]) -> io::Result<()> {
        let path = self.path(digest);
        let (shard, draft) = (path.with_file_name(""), path.with_file_name(format!(".{digest}")));
        let mut file = match self.disk.create(&draft) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.disk.make_folder(&shard)?;
                self.disk.create(&draft)?
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.disk.remove(&draft)?;
                self.disk.create(&draft)?
            }
            other => other?,
        };
        let written = bytes.iter().try_for_each(|part| file.write_all(part));
        drop(file);
        let named = written.and_then(|()| self.disk.rename(&draft, &path));
        if named.is_err() {
            // Best effort, as on a full disk every byte counts: the first failure is the one to tell.
            let _ = self.disk.remove(&draft);
        }
        named
    }

    /// The bytes as they are there, at most `most`; nothing is checked.
    pub fn get(&self, digest: &Digest, most: u64) -> io::Result<Vec<u8>> {
        self.disk.read(&self.path(digest), most)
    }

    /// Whether these bytes lie under this digest.
    pub fn holds(&self, digest: &Digest, bytes: &[u8]) -> bool {
        self.get(digest, bytes.len() as u64).is_ok_and(|there| there == bytes)
    }

    pub fn has(&self, digest: &Digest) -> bool {
        self.disk.exists(&self.path(digest))
    }

    pub fn remove(&self, digest: &Digest) -> io::Result<()> {
        self.disk.remove(&self.path(digest))
    }

    /// Everything that lies there with its size. Drafts that a crash has left are removed, as far as that goes; one that
    /// is being written meanwhile may go with them, and is made again some other time.
    pub fn list(&self) -> io::Result<Vec<(Digest, u64)>> {
        match self.list_in_part() {
            (all, None) => Ok(all),
            (_, Some(error)) => Err(error),
        }
    }

    /// The same, as far as it can be read, and why not all of it can.
    pub fn list_in_part(&self) -> (Vec<(Digest, u64)>, Option<io::Error>) {
        let (mut all, mut fault) = (Vec::new(), None);
        let shards = self.disk.folder(&self.folder).and_then(|folder| folder.names());
        let shards = shards.unwrap_or_else(|error| {
            fault = Some(error);
            Vec::new()
        });
        for (shard, _) in shards.into_iter().filter(|(_, kind)| *kind == Kind::Folder) {
            if let Err(error) = self.list_shard(&self.folder.join(shard), &mut all) {
                fault = Some(error);
            }
        }
        (all, fault)
    }

    fn list_shard(&self, shard: &Path, all: &mut Vec<(Digest, u64)>) -> io::Result<()> {
        for (name, _) in self.disk.folder(shard)?.names()? {
            match Digest::from_hex(&name) {
                Some(digest) => all.push((digest, self.disk.stat(&shard.join(&name))?.len)),
                None => drop(self.disk.remove_tree(&shard.join(&name))),
            }
        }
        Ok(())
    }

    pub fn path(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        self.folder.join(&name[..2]).join(name)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }
}
