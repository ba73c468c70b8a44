//! The model under the failing twin: files and folders in memory, each as it is now and as it would outlast a power cut.
//! Every operation is counted, and asks whether something was planned for it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Component, Path};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::twin::{At, Dice};
use super::{Kind, Space, Stat};

/// A file or folder, whatever its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Inode(u64);

pub(super) const ROOT: Inode = Inode(0);

pub(super) type Names = BTreeMap<String, Inode>;

/// What there is, and what of it would outlast a power cut.
#[derive(Clone)]
pub(super) enum Node {
    File { now: Vec<u8>, durable: Vec<u8>, changes: u64 },
    Folder { now: Names, durable: Names },
}

/// A moment in the life of a disk, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Moment {
    Operation(u64),
    /// The nth operation that is more than a look.
    Change(u64),
}

pub(super) struct State {
    pub nodes: HashMap<Inode, Node>,
    pub next: u64,
    pub operations: u64,
    pub changes: u64,
    pub plan: BTreeMap<Moment, At>,
    /// Files that cannot be read any more.
    pub unreadable: BTreeSet<Inode>,
    pub is_dead: bool,
    pub free: u64,
}

pub struct Model(Mutex<State>);

/// Bytes that a new twin has room for.
const ROOM: u64 = 1 << 40;

pub(super) fn folder() -> Node {
    Node::Folder { now: Names::new(), durable: Names::new() }
}

impl Node {
    pub fn after_power_cut(&self, dice: &mut Dice) -> Node {
        match self {
            Node::Folder { now, durable } => {
                let mut left = Names::new();
                let names: BTreeSet<_> = now.keys().chain(durable.keys()).collect();
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
    pub fn find(&self, path: &Path) -> io::Result<Inode> {
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
    pub fn place(&mut self, path: &Path) -> io::Result<(&mut Names, String)> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(not_found()) };
        let parent = self.find(parent)?;
        match self.nodes.get_mut(&parent) {
            Some(Node::Folder { now, .. }) => Ok((now, name.to_string_lossy().into_owned())),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    pub fn add(&mut self, path: &Path, node: Node) -> io::Result<Inode> {
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
        match (kind, self.kind(inode)?) {
            (expected, found) if expected == found => Ok(inode),
            (Kind::Folder, _) => Err(io::ErrorKind::NotADirectory.into()),
            _ => Err(io::Error::other("is not a plain file")),
        }
    }

    /// What a name stands for after a power cut.
    pub fn outlasts(&mut self, path: &Path, inode: Option<Inode>) -> io::Result<()> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(not_found()) };
        let parent = self.find(parent)?;
        if let Some(Node::Folder { durable, .. }) = self.nodes.get_mut(&parent) {
            let name = name.to_string_lossy().into_owned();
            match inode {
                Some(inode) => durable.insert(name, inode),
                None => durable.remove(&name),
            };
        }
        Ok(())
    }

    /// Bytes of everything below.
    fn size(&self, inode: Inode) -> u64 {
        match self.nodes.get(&inode) {
            Some(Node::File { now, .. }) => now.len() as u64,
            Some(Node::Folder { now, .. }) => now.values().map(|inode| self.size(*inode)).sum(),
            None => 0,
        }
    }

    fn dead(&self) -> io::Result<()> {
        if self.is_dead { Err(io::Error::other("the power was cut")) } else { Ok(()) }
    }
}

impl Model {
    pub(super) fn of(nodes: HashMap<Inode, Node>, next: u64) -> Arc<Model> {
        let (operations, changes, plan) = (0, 0, BTreeMap::new());
        let unreadable = BTreeSet::new();
        let state = State { nodes, next, operations, changes, plan, unreadable, is_dead: false, free: ROOM };
        Arc::new(Model(Mutex::new(state)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a look, and lets happen what was planned for it.
    fn operation(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        state.dead()?;
        let n = state.operations;
        state.operations += 1;
        let planned = state.plan.remove(&Moment::Operation(n));
        self.happens(state, planned)
    }

    /// Counts an operation that changes what there is, or what of it would last.
    fn change(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.operation()?;
        let n = state.changes;
        state.changes += 1;
        let planned = state.plan.remove(&Moment::Change(n));
        self.happens(state, planned)
    }

    fn happens<'s>(&'s self, mut state: MutexGuard<'s, State>, what: Option<At>) -> io::Result<MutexGuard<'s, State>> {
        match what {
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
        if state.unreadable.contains(&inode) {
            return Err(io::Error::other("a sector of it cannot be read"));
        }
        let (bytes, _) = state.content(inode)?;
        let from = bytes.get(usize::try_from(at).unwrap_or(usize::MAX)..).unwrap_or(&[]);
        let n = from.len().min(buf.len());
        buf[..n].copy_from_slice(&from[..n]);
        Ok(n)
    }

    pub(super) fn create(&self, path: &Path) -> io::Result<Inode> {
        self.change()?.add(path, Node::File { now: Vec::new(), durable: Vec::new(), changes: 0 })
    }

    pub(super) fn append(&self, path: &Path) -> io::Result<Inode> {
        let mut state = self.change()?;
        match state.find(path) {
            Ok(inode) => state.found(inode, Kind::File),
            Err(_) => state.add(path, Node::File { now: Vec::new(), durable: Vec::new(), changes: 0 }),
        }
    }

    pub(super) fn write(&self, inode: Inode, bytes: &[u8]) -> io::Result<usize> {
        let written = self.change();
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
        if let Some(Node::File { now, durable, .. }) = self.change()?.nodes.get_mut(&inode) {
            durable.clone_from(now);
        }
        Ok(())
    }

    pub(super) fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.change()?;
        let inode = state.find(path)?;
        if let Some(Node::Folder { now, durable }) = state.nodes.get_mut(&inode) {
            durable.clone_from(now);
        }
        Ok(())
    }

    pub(super) fn sync_all(&self) -> io::Result<()> {
        for node in self.change()?.nodes.values_mut() {
            match node {
                Node::File { now, durable, .. } => durable.clone_from(now),
                Node::Folder { now, durable } => durable.clone_from(now),
            }
        }
        Ok(())
    }

    pub(super) fn make_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.change()?;
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
        let mut state = self.change()?;
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
        let mut state = self.change()?;
        let inode = state.find(path)?;
        state.found(inode, Kind::File)?;
        state.free += state.content(inode)?.0.len() as u64;
        let (names, name) = state.place(path)?;
        names.remove(&name);
        Ok(())
    }

    pub(super) fn remove_tree(&self, path: &Path) -> io::Result<()> {
        let mut state = self.change()?;
        let (names, name) = state.place(path)?;
        let inode = names.remove(&name).ok_or_else(not_found)?;
        state.free += state.size(inode);
        Ok(())
    }

    pub(super) fn space(&self) -> io::Result<Space> {
        Ok(Space { free: self.operation()?.free, total: ROOM })
    }
}

pub(super) fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}
