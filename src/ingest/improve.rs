//! Best compression in the background, on low priority, given up as soon as a newer corte comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::time::Duration;

use tracing::warn;

use super::operator::Event;
use crate::base::clock::Monotonic;
use crate::base::pool;
use crate::snapshot::{Content, Snapshot};

/// Serving goes first: the scheduler gives these threads what is left over.
const NICENESS: i32 = 19;
/// Contents that are done are published together this often, so that a large package does not wait for its last file.
const PUBLISH_EVERY: Duration = Duration::from_secs(2);

/// A running improvement; dropping it gives it up.
pub struct Improving(Arc<AtomicBool>);

impl Drop for Improving {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Contents of a corte that are better compressed now.
pub struct Better {
    pub snapshot: Arc<Snapshot>,
    pub contents: Vec<Arc<Content>>,
    /// How long it took, with the last of them.
    pub finished: Option<Duration>,
}

impl Improving {
    /// Improves `snapshot` and sends what is done to `events`.
    pub fn start(snapshot: Arc<Snapshot>, events: SyncSender<Event>) -> Improving {
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let cancelled = is_cancelled.clone();
        let run = move || run(&snapshot, &cancelled, &events);
        if let Err(error) = std::thread::Builder::new().name("improve".into()).spawn(run) {
            warn!(%error, "no thread for better compression; what is live stays as it is");
        }
        Improving(is_cancelled)
    }
}

fn run(snapshot: &Arc<Snapshot>, cancelled: &AtomicBool, events: &SyncSender<Event>) {
    let started = Monotonic::now();
    let jobs = snapshot.unfinished();
    let (next, (done, finished)) = (AtomicUsize::new(0), mpsc::channel());
    std::thread::scope(|scope| {
        for _ in 0..pool::cores().min(jobs.len()) {
            let (done, jobs, next) = (done.clone(), &jobs, &next);
            scope.spawn(move || {
                // On Linux this is the thread's own niceness.
                let _ = rustix::process::setpriority_process(None, NICENESS);
                while !cancelled.load(Ordering::Relaxed)
                    && let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed))
                    && done.send(Arc::new(job.at_best())).is_ok()
                {}
            });
        }
        drop(done);
        collect(snapshot, cancelled, events, &finished, started);
    });
}

/// Publishes what comes in, now and then, until the workers are done.
fn collect(
    snapshot: &Arc<Snapshot>,
    cancelled: &AtomicBool,
    events: &SyncSender<Event>,
    finished: &mpsc::Receiver<Arc<Content>>,
    started: Monotonic,
) {
    let mut contents = Vec::new();
    let mut published = started;
    loop {
        let left = PUBLISH_EVERY.saturating_sub(published.elapsed());
        let is_last = match finished.recv_timeout(left) {
            Ok(content) => {
                contents.push(content);
                continue;
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => true,
        };
        published = Monotonic::now();
        if cancelled.load(Ordering::Relaxed) {
            return;
        }
        let finished = is_last.then(|| started.elapsed());
        if is_last || !contents.is_empty() {
            let better = Better { snapshot: snapshot.clone(), contents: std::mem::take(&mut contents), finished };
            if events.send(Event::Better(better)).is_err() {
                return;
            }
        }
        if is_last {
            return;
        }
    }
}
