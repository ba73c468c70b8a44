//! inotify: tells the operator that something below the incoming folder has changed, and no more than that.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, TrySendError};

use inotify::{Inotify, WatchDescriptor, WatchMask, Watches};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::operator::Event;

/// Room for the events of one read; what does not fit is read next.
const BUFFER_BYTES: usize = 16 << 10;
/// How often the watching thread looks whether the operator is still there.
const ALIVE_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
/// Folders that are watched at most (fs.inotify.max_user_watches may be as low as 8192 for all programs of a user);
/// changes in others are seen at the next regular look.
const WATCHED_MAX: usize = 4096;

/// Says which folders are watched.
pub struct Watching {
    watches: Watches,
    watched: HashMap<PathBuf, WatchDescriptor>,
}

impl Watching {
    /// Starts the watching thread; it ends when the receiver of `events` is gone.
    pub fn start(events: SyncSender<Event>) -> io::Result<Watching> {
        let inotify = Inotify::init()?;
        let watches = inotify.watches();
        std::thread::Builder::new().name("watch".into()).spawn(move || run(inotify, &events))?;
        Ok(Watching { watches, watched: HashMap::new() })
    }

    /// Watches these folders and no others, and the first of them where they are too many. One that is gone meanwhile needs
    /// no watch.
    pub fn watch(&mut self, folders: &[PathBuf]) {
        let folders = &folders[..folders.len().min(WATCHED_MAX)];
        let wanted: HashSet<&PathBuf> = folders.iter().collect();
        // First of all: a folder that was renamed has the same descriptor under both names, and is added below.
        for (_, descriptor) in self.watched.extract_if(|path, _| !wanted.contains(path)) {
            let _ = self.watches.remove(descriptor);
        }
        let changes = WatchMask::CLOSE_WRITE
            | WatchMask::MOVED_TO
            | WatchMask::MOVED_FROM
            | WatchMask::CREATE
            | WatchMask::DELETE
            | WatchMask::MODIFY
            | WatchMask::ATTRIB
            | WatchMask::ONLYDIR
            | WatchMask::DONT_FOLLOW;
        for folder in folders {
            if let Ok(descriptor) = self.watches.add(folder, changes) {
                self.watched.insert(folder.clone(), descriptor);
            }
        }
    }
}

fn run(mut inotify: Inotify, events: &SyncSender<Event>) {
    let mut buffer = [0; BUFFER_BYTES];
    loop {
        let mut fds = [PollFd::new(&inotify, PollFlags::IN)];
        let ready = poll(&mut fds, Some(&ALIVE_EVERY));
        let has_changed = match ready {
            Ok(0) => false,
            // Which file it was does not matter: the operator looks for itself.
            _ => inotify.read_events(&mut buffer).is_ok_and(|mut all| all.next().is_some()),
        };
        let message = if has_changed { Event::Changed } else { Event::StillThere };
        if let Err(TrySendError::Disconnected(_)) = events.try_send(message) {
            return;
        }
    }
}
