//! The failing twin: a disk in memory that counts its operations and, at the n-th, fails, loses power or calls the
//! test. After a power cut it is as harsh as POSIX allows: what was not synced may be there, gone, torn or zeroes; a
//! name that was not synced may be the old one or the new one, each for itself.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Disk;
use super::model::{Inode, Model, Moment, Node, ROOT, folder, not_found};

/// What happens at an operation.
pub enum At {
    /// This operation fails; the disk goes on.
    Fail(io::ErrorKind),
    /// Half of what this operation writes is written; nothing works from then on.
    PowerCut,
    /// Something else happens first: a clock moves, a file changes, time passes.
    Call(Box<dyn FnOnce() + Send>),
}

/// Tells a twin what to do. Cheap to clone.
#[derive(Clone)]
pub struct Twin(Arc<Model>);

pub(super) fn new() -> (Disk, Twin) {
    over(Model::of(HashMap::from([(ROOT, folder())]), 1))
}

fn over(model: Arc<Model>) -> (Disk, Twin) {
    (Disk(Some(model.clone())), Twin(model))
}

impl Twin {
    /// The disk that it tells what to do.
    pub fn disk(&self) -> Disk {
        Disk(Some(self.0.clone()))
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// What is to happen at operation number `n`, counted from 0.
    pub fn at(&self, n: u64, what: At) {
        self.0.lock().plan.insert(Moment::Operation(n), what);
    }

    /// How many operations changed what there is, or what of it would last.
    pub fn changes(&self) -> u64 {
        self.0.lock().changes
    }

    /// What is to happen at the nth change, counted from 0. A power cut at a look leaves what one at the next change
    /// leaves.
    pub fn at_change(&self, n: u64, what: At) {
        self.0.lock().plan.insert(Moment::Change(n), what);
    }

    /// A file that somebody else puts there, durably, with the folders that lead to it; it counts for nothing.
    pub fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock();
        let mut leading: Vec<&Path> = path.ancestors().skip(1).collect();
        while let Some(path) = leading.pop() {
            if state.find(path).is_err() {
                let inode = state.add(path, folder())?;
                state.outlasts(path, Some(inode))?;
            }
        }
        let (names, name) = state.place(path)?;
        names.remove(&name);
        let file = Node::File { now: bytes.to_vec(), durable: bytes.to_vec(), changes: 0 };
        let inode = state.add(path, file)?;
        state.outlasts(path, Some(inode))
    }

    /// Somebody else takes a file or folder away, durably; that counts for nothing.
    pub fn take_away(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        let (names, name) = state.place(path)?;
        names.remove(&name).ok_or_else(not_found)?;
        state.outlasts(path, None)
    }

    /// Every file below a folder.
    pub fn files(&self, below: &Path) -> Vec<PathBuf> {
        let (state, mut all, mut folders) = (self.0.lock(), Vec::new(), vec![below.to_owned()]);
        while let Some(path) = folders.pop() {
            match state.find(&path).map(|inode| &state.nodes[&inode]) {
                Ok(Node::Folder { now, .. }) => folders.extend(now.keys().map(|name| path.join(name))),
                Ok(Node::File { .. }) => all.push(path),
                Err(_) => {}
            }
        }
        all.sort_unstable();
        all
    }

    /// Whether the power was cut.
    pub fn is_dead(&self) -> bool {
        self.0.lock().is_dead
    }

    /// From now on there is room for so many bytes more.
    pub fn has_room_for(&self, bytes: u64) {
        self.0.lock().free = bytes;
    }

    /// Changes one bit of a file, as a disk does that ages.
    pub fn rot(&self, path: &Path, bit: u64) -> io::Result<()> {
        let mut state = self.0.lock();
        let inode = state.find(path)?;
        let Some(Node::File { now, durable, .. }) = state.nodes.get_mut(&inode) else { return Err(not_found()) };
        for bytes in [now, durable] {
            let len = bytes.len() as u64;
            if let Some(byte) = bytes.get_mut(usize::try_from(bit / 8 % len.max(1)).unwrap_or(0)) {
                *byte ^= 1 << (bit % 8);
            }
        }
        Ok(())
    }

    /// From now on this file cannot be read, as when a sector of it is bad; one that takes its name can.
    pub fn spoil(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        let inode = state.find(path)?;
        state.unreadable.insert(inode);
        Ok(())
    }

    /// A disk of its own as a process finds it now: what was written is there, synced or not.
    pub fn copy(&self) -> (Disk, Twin) {
        let state = self.0.lock();
        let model = Model::of(state.nodes.clone(), state.next);
        model.lock().unreadable.clone_from(&state.unreadable);
        over(model)
    }

    /// The disk as it may be found after the power was cut now; `seed` picks one of all the ways.
    pub fn after_power_cut(&self, seed: u64) -> (Disk, Twin) {
        let state = self.0.lock();
        let mut dice = Dice(seed);
        let mut inodes: Vec<_> = state.nodes.keys().copied().collect();
        inodes.sort_unstable();
        let left = |inode: Inode| (inode, state.nodes[&inode].after_power_cut(&mut dice));
        over(Model::of(inodes.into_iter().map(left).collect(), state.next))
    }
}

/// splitmix64: the same seed throws the same numbers.
pub(super) struct Dice(u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % sides
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn put(disk: &Disk, path: &str, bytes: &[u8]) -> io::Result<super::super::Writer> {
        let mut file = disk.create(Path::new(path))?;
        file.write_all(bytes)?;
        Ok(file)
    }

    fn everything(twin: &Twin, path: &str) -> std::collections::BTreeSet<Option<Vec<u8>>> {
        (0..200).map(|seed| twin.after_power_cut(seed).0.read(Path::new(path), 100).ok()).collect()
    }

    #[test]
    fn what_is_not_synced_may_be_lost_or_torn_and_what_is_stays() {
        let (disk, twin) = Disk::twin();
        let mut file = put(&disk, "/a", b"abcd").unwrap();
        let all = everything(&twin, "/a");
        for possible in [None, Some(&b""[..]), Some(b"abcd"), Some(b"ab"), Some(b"\0\0\0\0")] {
            assert!(all.contains(&possible.map(<[u8]>::to_vec)), "{possible:?}");
        }
        file.sync().unwrap();
        assert_eq!(everything(&twin, "/a").len(), 2, "there or not, as its name is not synced");
        disk.sync_folder(Path::new("/")).unwrap();
        assert_eq!(everything(&twin, "/a"), [Some(b"abcd".to_vec())].into());
        put(&disk, "/b", b"new").unwrap().sync().unwrap();
        disk.rename(Path::new("/b"), Path::new("/a")).unwrap();
        let both = [Some(b"abcd".to_vec()), Some(b"new".to_vec())];
        assert_eq!(everything(&twin, "/a"), both.into(), "the old one or the new one");
    }

    #[test]
    fn it_fails_and_dies_where_it_is_told_to() {
        let (disk, twin) = Disk::twin();
        twin.at(1, At::Fail(io::ErrorKind::StorageFull));
        assert_eq!(put(&disk, "/a", b"x").err().map(|e| e.kind()), Some(io::ErrorKind::StorageFull));
        assert!(put(&disk, "/b", b"x").is_ok(), "and goes on");
        assert_eq!(twin.operations(), 4);
        twin.at(5, At::PowerCut);
        assert!(put(&disk, "/c", b"1234").is_err() && twin.is_dead());
        assert!(disk.read(Path::new("/b"), 9).is_err());
        assert!(everything(&twin, "/c").contains(&Some(b"12".to_vec())), "torn");
    }

    #[test]
    fn a_full_disk_takes_what_fits() {
        let (disk, twin) = Disk::twin();
        twin.has_room_for(3);
        assert_eq!(put(&disk, "/a", b"12345").err().map(|e| e.kind()), Some(io::ErrorKind::StorageFull));
        assert_eq!(disk.read(Path::new("/a"), 9).unwrap(), b"123");
        disk.remove(Path::new("/a")).unwrap();
        assert_eq!(disk.space(Path::new("/")).unwrap().free, 3);
    }
}
