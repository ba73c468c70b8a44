//! Compresses stored bodies, once for all who take a coding, behind everybody's back.

use std::sync::Arc;
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
/// Seconds that a body has to be fresh for at least: before, it would be gone when it is done.
const LIFETIME_LEAST: i64 = 2;
/// All that browsers take. Fast levels: what an origin sends is not there for long.
const CODINGS: [Coding; 3] = [Coding::Gzip, Coding::Br, Coding::Zstd];

/// A thread that compresses; it ends with this.
pub struct Press {
    /// `None` where there is no thread.
    jobs: Option<SyncSender<Job>>,
}

type Job = (Key, Arc<Stored>);

impl Press {
    /// Puts what it has made into `store`.
    pub fn start(store: Arc<Store>) -> Press {
        let (jobs, waiting) = sync_channel(WAITING_MAX);
        let run = move || run(&store, &waiting);
        match std::thread::Builder::new().name("press".into()).spawn(run) {
            Ok(_) => Press { jobs: Some(jobs) },
            Err(error) => {
                warn!(%error, "no thread to compress what origins send; it is served as it comes");
                Press { jobs: None }
            }
        }
    }

    /// Has it compressed soon, where that pays and there is time.
    pub fn take(&self, key: &Key, stored: &Arc<Stored>, now: u64) {
        let is_worth_it = stored.status == StatusCode::OK && stored.left(now) >= LIFETIME_LEAST;
        if let Some(jobs) = self.jobs.as_ref().filter(|_| is_worth_it && stored.coded.is_none()) {
            // Where too many wait, this one is served as it is.
            let _ = jobs.try_send((key.clone(), stored.clone()));
        }
    }
}

fn run(store: &Store, waiting: &Receiver<Job>) {
    // On Linux this is the thread's own niceness.
    let _ = rustix::process::setpriority_process(None, NICENESS);
    while let Ok((key, stored)) = waiting.recv() {
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
