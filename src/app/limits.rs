//! What the kernel allows this process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::base::filed::FILED_MAX;

/// Descriptors that are not connections: listeners, epoll, inotify, the files of a package that is being read, the
/// operators' side (64 connections at most); and large bodies.
const OTHER_DESCRIPTORS: u64 = 256 + FILED_MAX as u64;

/// Raises the soft limit of open files to the hard one, and returns how many connections that leaves room for.
pub fn connections(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // Where it cannot be raised, the limit stays as it is.
    let _ = setrlimit(Resource::Nofile, raised);
    let now = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let room = usize::try_from(now.saturating_sub(OTHER_DESCRIPTORS)).unwrap_or(usize::MAX);
    wanted.min(room.max(1))
}
