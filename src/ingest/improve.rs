//! Best compression in the background, and differences from earlier cortes, on low priority, given up as soon as a newer
//! corte comes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tracing::warn;

use super::operator::Event;
use super::plan::{self, Budget, Differing, Job};
use crate::base::clock::{self, Monotonic};
use crate::base::digest::Digest;
use crate::base::{pool, turns};
use crate::snapshot::{Content, Difference, Level, Snapshot, Still};
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
    pub differences: Vec<Arc<Difference>>,
    /// Codings that were put into the vault, and their bytes.
    pub kept: Vec<(Digest, u64)>,
    /// With the last of them.
    pub finished: Option<Finished>,
}

/// How long it took.
pub struct Finished {
    pub took: Duration,
    /// Of that until every content had its best codings; by the processor for differences.
    pub codings: Duration,
    pub differing: Duration,
}

impl Improving {
    /// Improves `snapshot`, whose dictionaries are of `past`, keeps what is done on `shelf` and sends it to `events`.
    pub fn start(
        snapshot: Arc<Snapshot>,
        (past, differing): (Vec<Arc<Snapshot>>, Differing),
        shelf: Shelf,
        events: SyncSender<Event>,
    ) -> Improving {
        let is_cancelled = Arc::new(Cancelled::new(false));
        let cancelled = is_cancelled.clone();
        let run = move || run(&snapshot, (&past, differing), &shelf, &cancelled, &events);
        if let Err(error) = std::thread::Builder::new().name("improve".into()).spawn(run) {
            warn!(%error, "no thread for better compression; what is live stays as it is");
        }
        Improving(is_cancelled)
    }
}

/// What is done.
enum Done {
    /// And what was kept of it.
    Content(Arc<Content>, Option<(Digest, u64)>),
    Difference(Arc<Difference>),
}

fn run(
    snapshot: &Arc<Snapshot>,
    (past, differing): (&[Arc<Snapshot>], Differing),
    shelf: &Shelf,
    cancelled: &Cancelled,
    events: &SyncSender<Event>,
) {
    // On Linux this is the thread's own niceness, which those it starts inherit.
    let _ = rustix::process::setpriority_process(None, NICENESS);
    // Where the kernel does not know them, turns are as long as everybody's.
    let _ = turns::short();
    let started = Monotonic::now();
    let made = snapshot.differences();
    let jobs = plan::jobs(snapshot, past, &made);
    let budget = Budget::new(differing, made.weight());
    // Those that went live with fast codings: a restart before the best ones are done must not make them again. And what
    // is as good as can be, but for some reason is not on the shelf: there should be two copies of everything.
    let fast = snapshot.unfinished().into_iter().filter(|content| content.level == Level::Fast);
    let unkept = snapshot.contents().filter(|c| c.level == Level::Best && !is(cancelled) && !shelf.has(&c.digest));
    let fast =
        fast.chain(unkept).map(|content| Done::Content(content.clone(), keep(&content, shelf, cancelled))).collect();
    let (next, (done, finished)) = (AtomicUsize::new(0), mpsc::channel());
    std::thread::scope(|scope| {
        for _ in 0..pool::cores().min(jobs.len()) {
            let (done, jobs, next, budget) = (done.clone(), &jobs, &next, &budget);
            scope.spawn(move || {
                while !is(cancelled)
                    && let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    if let Some(one) = work(job, budget, shelf, cancelled)
                        && done.send(one).is_err()
                    {
                        return;
                    }
                }
            });
        }
        drop(done);
        collect(snapshot, cancelled, events, &finished, (started, fast, &budget));
    });
}

fn work(job: &Job, budget: &Budget, shelf: &Shelf, cancelled: &Cancelled) -> Option<Done> {
    let still: Still = &|| !is(cancelled);
    match job {
        Job::Content(content, level) => {
            let content = Arc::new(content.at_while(*level, still)?);
            let kept = keep(&content, shelf, cancelled);
            Some(Done::Content(content, kept))
        }
        Job::Difference(..) if !budget.has_time() => None,
        Job::Difference(wanted, coding, level) => {
            let before = clock::thread_time();
            let made = plan::difference(wanted, *coding, *level, budget, still);
            budget.spend(clock::thread_time().saturating_sub(before));
            made.map(Done::Difference)
        }
    }
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
    (started, fast, budget): (Monotonic, Vec<Done>, &Budget),
) {
    let mut all: Vec<Done> = fast;
    let mut published = started;
    let mut codings = Duration::ZERO;
    loop {
        let left = PUBLISH_EVERY.saturating_sub(published.elapsed());
        let is_last = match finished.recv_timeout(left) {
            Ok(one) => {
                if let Done::Content(..) = one {
                    codings = started.elapsed();
                }
                all.push(one);
                continue;
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => true,
        };
        published = Monotonic::now();
        if is(cancelled) && !is_last {
            continue;
        }
        if is(cancelled) {
            // What lies in the vault has to be known there, or it would be neither counted nor ever removed.
            let Better { kept, .. } = better(snapshot, all, None);
            let told = Better { kept, ..better(snapshot, Vec::new(), None) };
            let _ = if told.kept.is_empty() { Ok(()) } else { events.send(Event::Better(told)) };
            return;
        }
        let finished = Finished { took: started.elapsed(), codings, differing: budget.spent() };
        let finished = is_last.then_some(finished);
        if is_last || !all.is_empty() {
            let better = better(snapshot, std::mem::take(&mut all), finished);
            if events.send(Event::Better(better)).is_err() {
                return;
            }
        }
        if is_last {
            return;
        }
    }
}

fn better(snapshot: &Arc<Snapshot>, all: Vec<Done>, finished: Option<Finished>) -> Better {
    let (snapshot, contents) = (snapshot.clone(), Vec::new());
    let mut better = Better { snapshot, contents, differences: Vec::new(), kept: Vec::new(), finished };
    for one in all {
        match one {
            Done::Content(content, kept) => {
                better.contents.push(content);
                better.kept.extend(kept);
            }
            Done::Difference(difference) => better.differences.push(difference),
        }
    }
    better
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::specimen;

    /// A newer corte has come: what was kept by then is told, whoever is done with it when, and nothing else.
    #[test]
    fn what_was_kept_is_told_though_the_work_is_given_up() {
        let snapshot = Arc::new(specimen::snapshot());
        let contents: Vec<_> = snapshot.contents().take(3).collect();
        let done = |n: usize, kept: bool| {
            let content = contents[n].clone();
            let kept = kept.then_some((content.digest, n as u64));
            Done::Content(content, kept)
        };
        let (finish, finished) = mpsc::channel();
        let (events, told) = mpsc::sync_channel(9);
        [done(1, false), done(2, true)].into_iter().for_each(|one| finish.send(one).unwrap());
        drop(finish);
        let (budget, cancelled) = (Budget::new(Differing::default(), 0), Cancelled::new(true));
        collect(&snapshot, &cancelled, &events, &finished, (Monotonic::now(), vec![done(0, true)], &budget));
        drop(events);
        let told: Vec<_> = told.into_iter().collect();
        let [Event::Better(better)] = &told[..] else { panic!("{}", told.len()) };
        assert_eq!(better.kept, [(contents[0].digest, 0), (contents[2].digest, 2)]);
        assert!(better.contents.is_empty() && better.differences.is_empty() && better.finished.is_none());
    }
}
