//! Compresses stored bodies, once for all who take a coding, behind everybody's back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use http::StatusCode;
use tracing::warn;

use super::coded;
use super::key::Key;
use super::store::{Store, Stored};
use crate::snapshot::{Coding, Level, compress};

/// Serving goes first: the scheduler gives this thread what is left over.
const NICENESS: i32 = 19;
/// Bodies that may wait to be compressed; more are sent as they are until they are stored anew.
const WAITING_MAX: usize = 256;
/// And their bytes: they may be gone from the store meanwhile, and nobody else counts them.
const WAITING_BYTES: usize = 32 << 20;
/// Seconds that a body has to be fresh for at least: before, it would be gone when it is done.
const LIFETIME_LEAST: i64 = 2;
/// All that browsers take. Fast levels: what an origin sends is not there for long.
const CODINGS: [Coding; 3] = [Coding::Gzip, Coding::Br, Coding::Zstd];

/// A thread that compresses; it ends with this.
pub struct Press {
    /// `None` where there is no thread.
    jobs: Option<SyncSender<Job>>,
    /// Bytes that wait.
    waiting: Arc<AtomicUsize>,
}

type Job = (Key, Arc<Stored>, Room);

/// What one body takes of [`WAITING_BYTES`].
struct Room {
    waiting: Arc<AtomicUsize>,
    bytes: usize,
}

impl Room {
    fn take(waiting: &Arc<AtomicUsize>, bytes: usize) -> Option<Room> {
        let before = waiting.fetch_add(bytes, Relaxed);
        // Given back in any case.
        let room = Room { waiting: waiting.clone(), bytes };
        (before + bytes <= WAITING_BYTES).then_some(room)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.bytes, Relaxed);
    }
}

impl Press {
    /// Puts what it has made into `store`.
    pub fn start(store: Arc<Store>) -> Press {
        let (jobs, waiting) = sync_channel(WAITING_MAX);
        let run = move || run(&store, &waiting);
        match std::thread::Builder::new().name("press".into()).spawn(run) {
            Ok(_) => Press { jobs: Some(jobs), waiting: Arc::default() },
            Err(error) => {
                warn!(%error, "no thread to compress what origins send; it is served as it comes");
                Press { jobs: None, waiting: Arc::default() }
            }
        }
    }

    /// Has it compressed soon, where that pays and there is time.
    pub fn take(&self, key: &Key, stored: &Arc<Stored>, now: u64) {
        let is_worth_it =
            stored.status == StatusCode::OK && coded::is_of_size(&stored.body) && stored.left(now) >= LIFETIME_LEAST;
        if let Some(jobs) = self.jobs.as_ref().filter(|_| is_worth_it && stored.coded.is_none()) {
            // Where too many wait, this one is served as it is.
            let Some(room) = Room::take(&self.waiting, stored.body.len()) else { return };
            let _ = jobs.try_send((key.clone(), stored.clone(), room));
        }
    }
}

fn run(store: &Store, waiting: &Receiver<Job>) {
    // On Linux this is the thread's own niceness.
    let _ = rustix::process::setpriority_process(None, NICENESS);
    while let Ok((key, stored, _room)) = waiting.recv() {
        if let Some(pressed) = press(&stored) {
            store.replace(&key, &stored, Arc::new(pressed));
        }
    }
}

/// `None` where no coding pays.
fn press(stored: &Stored) -> Option<Stored> {
    if !coded::deserves(&stored.fields(), &stored.body) {
        return None;
    }
    let made = |coding| Some((coding, compress(&stored.body, coding, Level::Fast)?));
    let bodies: Vec<_> = CODINGS.into_iter().filter_map(made).collect();
    (!bodies.is_empty()).then(|| stored.clone().with_codings(bodies))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::super::freshness::Kept;
    use super::super::vary::Vary;
    use super::*;

    #[test]
    fn no_more_waits_than_there_is_room_for() {
        let (jobs, waiting) = sync_channel(WAITING_MAX);
        let press = Press { jobs: Some(jobs), waiting: Arc::default() };
        let mut fields = HeaderMap::new();
        fields.insert("cache-control", "max-age=60".parse().unwrap());
        let kept = Kept::of(StatusCode::OK, &fields, 0, 0, None);
        let body = Bytes::from(vec![b'x'; 3 << 20]);
        let of = |body| {
            let (fields, kept, vary) = (fields.clone(), kept.clone(), Vary::read(&fields));
            Arc::new(Stored::new(StatusCode::OK, fields, body, kept, vary, Vec::new()))
        };
        let large = of(body);
        for n in 0..WAITING_MAX {
            press.take(&format!("http://a/{n}").into(), &large, 0);
        }
        assert_eq!(waiting.try_iter().count(), WAITING_BYTES / large.body.len());
        // Those are done; what is too long to be compressed does not even wait.
        press.take(&Key::from("http://a/"), &of(vec![b'x'; 5 << 20].into()), 0);
        assert_eq!((waiting.try_iter().count(), press.waiting.load(Relaxed)), (0, 0));
        press.take(&Key::from("http://a/"), &large, 0);
        assert_eq!(waiting.try_iter().count(), 1);
    }
}
