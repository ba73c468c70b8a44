//! The failing twin: a disk in memory that counts its operations and, at the n-th, fails, loses power or calls the
//! test. After a power cut it is as harsh as POSIX allows: what was not synced may be there, gone, torn or zeroes; a
//! name that was not synced may be the old one or the new one, each for itself.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Component, Path};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Disk, Kind, Space, Stat};

/// A file or folder, whatever its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Inode(u64);

const ROOT: Inode = Inode(0);

type Names = BTreeMap<String, Inode>;

/// What there is, and what of it would outlast a power cut.
enum Node {
    File { now: Vec<u8>, durable: Vec<u8>, changes: u64 },
    Folder { now: Names, durable: Names },
}

/// What happens at an operation.
pub enum At {
    /// This operation fails; the disk goes on.
    Fail(io::ErrorKind),
    /// Half of what this operation writes is written; nothing works from then on.
    PowerCut,
    /// Something else happens first: a clock moves, a file changes, time passes.
    Call(Box<dyn FnOnce() + Send>),
}

struct State {
    nodes: HashMap<Inode, Node>,
    next: u64,
    operations: u64,
    plan: BTreeMap<u64, At>,
    is_dead: bool,
    free: u64,
}

pub struct Model(Mutex<State>);

/// Tells a twin what to do.
pub struct Twin(Arc<Model>);

/// Bytes that a new twin has room for.
const ROOM: u64 = 1 << 40;

pub(super) fn new() -> (Arc<Model>, Twin) {
    with_nodes(HashMap::from([(ROOT, folder())]), 1)
}

fn with_nodes(nodes: HashMap<Inode, Node>, next: u64) -> (Arc<Model>, Twin) {
    let state = State { nodes, next, operations: 0, plan: BTreeMap::new(), is_dead: false, free: ROOM };
    let model = Arc::new(Model(Mutex::new(state)));
    (model.clone(), Twin(model))
}

fn folder() -> Node {
    Node::Folder { now: Names::new(), durable: Names::new() }
}

impl Twin {
    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// What is to happen at operation number `n`, counted from 0.
    pub fn at(&self, n: u64, what: At) {
        self.0.lock().plan.insert(n, what);
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

    /// The disk as it may be found after the power was cut now; `seed` picks one of all the ways.
    pub fn after_power_cut(&self, seed: u64) -> (Disk, Twin) {
        let state = self.0.lock();
        let mut dice = Dice(seed);
        let mut inodes: Vec<_> = state.nodes.keys().copied().collect();
        inodes.sort_unstable();
        let left = |inode: Inode| (inode, state.nodes[&inode].after_power_cut(&mut dice));
        let (model, twin) = with_nodes(inodes.into_iter().map(left).collect(), state.next);
        (Disk(Some(model)), twin)
    }
}

impl Node {
    fn after_power_cut(&self, dice: &mut Dice) -> Node {
        match self {
            Node::Folder { now, durable } => {
                let mut left = Names::new();
                let names: std::collections::BTreeSet<_> = now.keys().chain(durable.keys()).collect();
                for name in names {
                    let one = if dice.roll(2) == 0 { now.get(name) } else { durable.get(name) };
                    left.extend(one.map(|inode| (name.clone(), *inode)));
                }
                Node::Folder { now: left.clone(), durable: left }
            }
            Node::File { now, durable, changes } => {
                let left = match dice.roll(4) {
                    _ if now == durable => now.clone(),
                    0 => durable.clone(),
                    1 => now.clone(),
                    2 => vec![0; now.len()],
                    _ => {
                        let cut = dice.roll(now.len() as u64 + 1) as usize;
                        [&now[..cut], durable.get(cut..).unwrap_or(&[])].concat()
                    }
                };
                Node::File { now: left.clone(), durable: left, changes: *changes }
            }
        }
    }
}

impl State {
    fn find(&self, path: &Path) -> io::Result<Inode> {
        path.components().try_fold(ROOT, |at, part| match part {
            Component::Normal(name) => self.child(at, &name.to_string_lossy()),
            Component::RootDir | Component::CurDir => Ok(at),
            _ => Err(not_found()),
        })
    }

    fn child(&self, of: Inode, name: &str) -> io::Result<Inode> {
        match self.nodes.get(&of) {
            Some(Node::Folder { now, .. }) => now.get(name).copied().ok_or_else(not_found),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// The folder in which `path` is a name, and the name.
    fn place(&mut self, path: &Path) -> io::Result<(&mut Names, String)> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(not_found()) };
        let parent = self.find(parent)?;
        match self.nodes.get_mut(&parent) {
            Some(Node::Folder { now, .. }) => Ok((now, name.to_string_lossy().into_owned())),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn add(&mut self, path: &Path, node: Node) -> io::Result<Inode> {
        let inode = Inode(self.next);
        let (names, name) = self.place(path)?;
        if names.contains_key(&name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        names.insert(name, inode);
        self.next += 1;
        self.nodes.insert(inode, node);
        Ok(inode)
    }

    fn content(&mut self, inode: Inode) -> io::Result<(&mut Vec<u8>, &mut u64)> {
        match self.nodes.get_mut(&inode) {
            Some(Node::File { now, changes, .. }) => Ok((now, changes)),
            _ => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn kind(&self, inode: Inode) -> io::Result<Kind> {
        match self.nodes.get(&inode) {
            Some(Node::File { .. }) => Ok(Kind::File),
            Some(Node::Folder { .. }) => Ok(Kind::Folder),
            None => Err(not_found()),
        }
    }

    fn found(&self, inode: Inode, kind: Kind) -> io::Result<Inode> {
        match self.kind(inode)? == kind {
            true => Ok(inode),
            false => Err(io::Error::other("is of another kind")),
        }
    }

    fn dead(&self) -> io::Result<()> {
        if self.is_dead { Err(io::Error::other("the power was cut")) } else { Ok(()) }
    }
}

impl Model {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation, and lets happen what was planned for it.
    fn operation(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        state.dead()?;
        let n = state.operations;
        state.operations += 1;
        match state.plan.remove(&n) {
            None => Ok(state),
            Some(At::Fail(kind)) => Err(kind.into()),
            Some(At::PowerCut) => {
                state.is_dead = true;
                state.dead()?;
                Ok(state)
            }
            Some(At::Call(what)) => {
                drop(state);
                what();
                Ok(self.lock())
            }
        }
    }

    pub(super) fn folder(&self, path: &Path) -> io::Result<Inode> {
        let state = self.operation()?;
        state.found(state.find(path)?, Kind::Folder)
    }

    pub(super) fn file(&self, path: &Path) -> io::Result<Inode> {
        let state = self.operation()?;
        state.found(state.find(path)?, Kind::File)
    }

    pub(super) fn folder_in(&self, inode: Inode, name: &str) -> io::Result<Inode> {
        let state = self.operation()?;
        state.found(state.child(inode, name)?, Kind::Folder)
    }

    pub(super) fn file_in(&self, inode: Inode, name: &str) -> io::Result<Inode> {
        let state = self.operation()?;
        state.found(state.child(inode, name)?, Kind::File)
    }

    pub(super) fn list(&self, inode: Inode) -> io::Result<Vec<(String, Kind)>> {
        let state = self.operation()?;
        match state.nodes.get(&inode) {
            Some(Node::Folder { now, .. }) => {
                now.iter().map(|(name, inode)| Ok((name.clone(), state.kind(*inode)?))).collect()
            }
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    pub(super) fn stat(&self, path: &Path) -> io::Result<Stat> {
        let state = self.operation()?;
        let inode = state.find(path)?;
        Ok(match &state.nodes[&inode] {
            Node::File { now, changes, .. } => {
                Stat { kind: Kind::File, len: now.len() as u64, mark: changes << 32 | inode.0 }
            }
            Node::Folder { .. } => Stat { kind: Kind::Folder, len: 0, mark: inode.0 },
        })
    }

    pub(super) fn len(&self, inode: Inode) -> io::Result<u64> {
        Ok(self.lock().content(inode)?.0.len() as u64)
    }

    pub(super) fn read_at(&self, inode: Inode, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let mut state = self.operation()?;
        let (bytes, _) = state.content(inode)?;
        let from = bytes.get(usize::try_from(at).unwrap_or(usize::MAX)..).unwrap_or(&[]);
        let n = from.len().min(buf.len());
        buf[..n].copy_from_slice(&from[..n]);
        Ok(n)
    }

    pub(super) fn create(&self, path: &Path) -> io::Result<Inode> {
        self.operation()?.add(path, Node::File { now: Vec::new(), durable: Vec::new(), changes: 0 })
    }

    pub(super) fn append(&self, path: &Path) -> io::Result<Inode> {
        let mut state = self.operation()?;
        match state.find(path) {
            Ok(inode) => state.found(inode, Kind::File),
            Err(_) => state.add(path, Node::File { now: Vec::new(), durable: Vec::new(), changes: 0 }),
        }
    }

    pub(super) fn write(&self, inode: Inode, bytes: &[u8]) -> io::Result<usize> {
        let written = self.operation();
        let (mut state, bytes) = match written {
            Ok(state) => (state, bytes),
            Err(error) => {
                let mut state = self.lock();
                // Torn: the power went while this was being written.
                if state.is_dead {
                    state.content(inode)?.0.extend_from_slice(&bytes[..bytes.len() / 2]);
                }
                return Err(error);
            }
        };
        let n = bytes.len().min(usize::try_from(state.free).unwrap_or(usize::MAX));
        if n == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.free -= n as u64;
        let (now, changes) = state.content(inode)?;
        now.extend_from_slice(&bytes[..n]);
        *changes += 1;
        Ok(n)
    }

    pub(super) fn sync(&self, inode: Inode) -> io::Result<()> {
        if let Some(Node::File { now, durable, .. }) = self.operation()?.nodes.get_mut(&inode) {
            durable.clone_from(now);
        }
        Ok(())
    }

    pub(super) fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.operation()?;
        let inode = state.find(path)?;
        if let Some(Node::Folder { now, durable }) = state.nodes.get_mut(&inode) {
            durable.clone_from(now);
        }
        Ok(())
    }

    pub(super) fn sync_all(&self) -> io::Result<()> {
        for node in self.operation()?.nodes.values_mut() {
            match node {
                Node::File { now, durable, .. } => durable.clone_from(now),
                Node::Folder { now, durable } => durable.clone_from(now),
            }
        }
        Ok(())
    }

    pub(super) fn make_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.operation()?;
        let all: Vec<&Path> = path.ancestors().filter(|p| p.file_name().is_some()).collect();
        for path in all.into_iter().rev() {
            match state.find(path) {
                Ok(inode) => _ = state.found(inode, Kind::Folder)?,
                Err(_) => _ = state.add(path, folder())?,
            }
        }
        Ok(())
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.operation()?;
        let inode = state.find(from)?;
        let is_folder = state.kind(inode)? == Kind::Folder;
        if let Ok(there) = state.find(to)
            && let Some(Node::Folder { now, .. }) = state.nodes.get(&there)
            && (!is_folder || !now.is_empty())
        {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let (names, name) = state.place(to)?;
        names.insert(name, inode);
        let (names, name) = state.place(from)?;
        names.remove(&name);
        Ok(())
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.operation()?;
        let inode = state.find(path)?;
        state.found(inode, Kind::File)?;
        state.free += state.content(inode)?.0.len() as u64;
        let (names, name) = state.place(path)?;
        names.remove(&name);
        Ok(())
    }

    pub(super) fn remove_tree(&self, path: &Path) -> io::Result<()> {
        let mut state = self.operation()?;
        let (names, name) = state.place(path)?;
        names.remove(&name).map(|_| ()).ok_or_else(not_found)
    }

    pub(super) fn space(&self) -> io::Result<Space> {
        Ok(Space { free: self.operation()?.free, total: ROOM })
    }
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

/// splitmix64: the same seed throws the same numbers.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
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
