//! Best compression in the background, on low priority, given up as soon as a newer corte comes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tracing::warn;

use super::operator::Event;
use crate::base::clock::Monotonic;
use crate::base::digest::Digest;
use crate::base::pool;
use crate::snapshot::{Content, Level, Snapshot};
use crate::store::Shelf;

/// Serving goes first: the scheduler gives these threads what is left over.
const NICENESS: i32 = 19;
/// Contents that are done are published together this often, so that a large package does not wait for its last file.
const PUBLISH_EVERY: Duration = Duration::from_secs(2);

/// A running improvement; dropping it gives it up.
pub struct Improving(Arc<Cancelled>);

/// True once the work is given up; whoever writes to the vault holds it meanwhile, so that nobody does afterwards.
type Cancelled = RwLock<bool>;

impl Drop for Improving {
    fn drop(&mut self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = true;
    }
}

/// Contents of a corte that are better compressed now.
pub struct Better {
    pub snapshot: Arc<Snapshot>,
    pub contents: Vec<Arc<Content>>,
    /// Codings that were put into the vault, and their bytes.
    pub kept: Vec<(Digest, u64)>,
    /// How long it took, with the last of them.
    pub finished: Option<Duration>,
}

impl Improving {
    /// Improves `snapshot`, keeps what is done on `shelf` and sends it to `events`.
    pub fn start(snapshot: Arc<Snapshot>, shelf: Shelf, events: SyncSender<Event>) -> Improving {
        let is_cancelled = Arc::new(Cancelled::new(false));
        let cancelled = is_cancelled.clone();
        let run = move || run(&snapshot, &shelf, &cancelled, &events);
        if let Err(error) = std::thread::Builder::new().name("improve".into()).spawn(run) {
            warn!(%error, "no thread for better compression; what is live stays as it is");
        }
        Improving(is_cancelled)
    }
}

/// A content that is done, and what was kept of it.
type Done = (Arc<Content>, Option<(Digest, u64)>);

fn run(snapshot: &Arc<Snapshot>, shelf: &Shelf, cancelled: &Cancelled, events: &SyncSender<Event>) {
    // On Linux this is the thread's own niceness, which those it starts inherit.
    let _ = rustix::process::setpriority_process(None, NICENESS);
    let started = Monotonic::now();
    // What came back from the vault without its codings weighs most on the line: it goes first.
    let plain = snapshot.unfinished().into_iter().filter(|c| c.level == Level::Plain).map(|c| (c, Level::Fast));
    let best = snapshot.unfinished().into_iter().map(|c| (c, Level::Best));
    let jobs: Vec<(Arc<Content>, Level)> = plain.chain(best).collect();
    // Those that went live with fast codings: a restart before the best ones are done must not make them again. And what
    // is as good as can be, but for some reason is not on the shelf: there should be two copies of everything.
    let fast = jobs.iter().filter(|(content, _)| content.level == Level::Fast).map(|(content, _)| content.clone());
    let unkept = snapshot.contents().filter(|c| c.level == Level::Best && !is(cancelled) && !shelf.has(&c.digest));
    let fast = fast.chain(unkept).map(|content| (content.clone(), keep(&content, shelf, cancelled))).collect();
    let (next, (done, finished)) = (AtomicUsize::new(0), mpsc::channel());
    std::thread::scope(|scope| {
        for _ in 0..pool::cores().min(jobs.len()) {
            let (done, jobs, next) = (done.clone(), &jobs, &next);
            scope.spawn(move || {
                while !is(cancelled)
                    && let Some((content, level)) = jobs.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let content = Arc::new(content.at(*level));
                    let kept = keep(&content, shelf, cancelled);
                    if done.send((content, kept)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        collect(snapshot, cancelled, events, &finished, (started, fast));
    });
}

fn is(cancelled: &Cancelled) -> bool {
    *cancelled.read().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the codings for a restart. That it fails costs time then, nothing else; the disk's state is told elsewhere.
fn keep(content: &Content, shelf: &Shelf, cancelled: &Cancelled) -> Option<(Digest, u64)> {
    let cancelled = cancelled.read().unwrap_or_else(PoisonError::into_inner);
    if *cancelled {
        return None;
    }
    let bytes = content.to_keep()?.put(shelf, &content.digest).ok()?;
    Some((content.digest, bytes))
}

/// Publishes what comes in, now and then, until the workers are done.
fn collect(
    snapshot: &Arc<Snapshot>,
    cancelled: &Cancelled,
    events: &SyncSender<Event>,
    finished: &mpsc::Receiver<Done>,
    (started, fast): (Monotonic, Vec<Done>),
) {
    let mut contents: Vec<Done> = fast;
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
        if is(cancelled) {
            return;
        }
        let finished = is_last.then(|| started.elapsed());
        if is_last || !contents.is_empty() {
            let (contents, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut contents).into_iter().unzip();
            let kept = kept.into_iter().flatten().collect();
            let better = Better { snapshot: snapshot.clone(), contents, kept, finished };
            if events.send(Event::Better(better)).is_err() {
                return;
            }
        }
        if is_last {
            return;
        }
    }
}
