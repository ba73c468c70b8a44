//! Every file of the list, in every coding, over every protocol: several at once, each judged as it comes.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use http::header::RETRY_AFTER;
use tokio::task::JoinSet;

use super::audit::Progress;
use super::exchange::{Line, Wanted};
use super::judge::{self, Answer, Expected, Tags, Way};
use super::report::Findings;
use super::target::encoded;
use super::told::{ESTADO_BYTES, Estado};
use crate::base::digest::Digest;
use crate::corte::limits::TOTAL_BYTES;
use crate::schedule::State;
use crate::snapshot::{CODINGS, Coding};

/// Connections over HTTP/1.1, and requests at once over the one of HTTP/2: enough for a second or two over the internet,
/// and no burden for a difusor.
const AT_ONCE_11: usize = 4;
const AT_ONCE_2: usize = 8;
/// Faults after which nobody needs to hear of more.
const FAULTS_MAX: usize = 40;
/// Bytes of all bodies: a package of the largest size in four codings, twice.
const BYTES_MAX: u64 = TOTAL_BYTES * 8;

/// What is asked for.
pub struct Files {
    pub list: Vec<(String, Digest)>,
    pub expected: Expected,
    pub state: State,
    pub left_out: LeftOut,
    pub progress: Arc<Progress>,
}

/// Whether the difusor says that it leaves things out for now, asked anew where that would explain a refusal.
#[derive(Debug, Default)]
pub struct LeftOut(AtomicBool);

impl LeftOut {
    pub fn of(estado: &Estado) -> LeftOut {
        LeftOut(AtomicBool::new(estado.offers_less))
    }

    /// Whether `answer` is such a refusal.
    pub async fn has(&self, answer: &Answer, line: &mut Line) -> bool {
        if answer.status != 503 || !answer.fields.contains_key(RETRY_AFTER) {
            return false;
        }
        if !self.0.load(Relaxed)
            && let Ok(told) = line.ask(&Wanted::small("/.prep/estado.json", ESTADO_BYTES)).await
            && Estado::parse(&told.body.bytes).is_ok_and(|estado| estado.offers_less)
        {
            self.0.store(true, Relaxed);
        }
        self.0.load(Relaxed)
    }
}

/// What has come of it.
#[derive(Default)]
pub struct Came {
    pub found: Findings,
    /// Places in the list of those that are left out for now.
    pub left_out: BTreeSet<usize>,
    /// Responses by coding, in the order of `CODINGS`.
    pub codings: [u64; 4],
    pub bytes: u64,
}

struct Shared {
    asked: Files,
    tags: Vec<Mutex<Tags>>,
    faults: AtomicUsize,
    bytes: AtomicU64,
}

/// Asks for all of it over these lines, one of each protocol that is spoken.
pub async fn files(asked: Files, lines: &[Line]) -> Came {
    let tags = asked.list.iter().map(|_| Mutex::default()).collect();
    asked.progress.expect((asked.list.len() * CODINGS.len() * lines.len()) as u64);
    let shared = Arc::new(Shared { asked, tags, faults: AtomicUsize::new(0), bytes: AtomicU64::new(0) });
    let mut came = Came::default();
    let mut workers = JoinSet::new();
    for line in lines {
        let next = Arc::new(AtomicUsize::new(0));
        let many = if line.way == Way::Http2 { AT_ONCE_2 } else { AT_ONCE_11 }.min(shared.asked.list.len());
        for _ in 0..many {
            match line.another().await {
                Ok(line) => drop(workers.spawn(work(line, shared.clone(), next.clone()))),
                Err(fault) => {
                    let why = format!("one connection more over {}: {}", line.way.name(), fault.why);
                    came.found.warn("reach", why);
                }
            }
        }
        if many > 0 && workers.is_empty() {
            came.found.fault("reach", format!("no connection over {}", line.way.name()));
        }
    }
    while let Some(done) = workers.join_next().await {
        // A worker that panics has found nothing: that must not pass for well.
        let Ok(one) = done else {
            came.found.fault("files", "the audit itself has failed; please report it");
            continue;
        };
        came.found.merge(one.found);
        came.bytes += one.bytes;
        came.left_out.extend(one.left_out);
        came.codings.iter_mut().zip(one.codings).for_each(|(sum, n)| *sum += n);
    }
    let most = shared.faults.load(Relaxed) > FAULTS_MAX;
    if most {
        came.found.fault("files", format!("given up after {FAULTS_MAX} faults"));
    }
    if shared.bytes.load(Relaxed) > BYTES_MAX {
        came.found.fault("files", format!("more than {BYTES_MAX} bytes in all"));
    }
    came
}

async fn work(mut line: Line, shared: Arc<Shared>, next: Arc<AtomicUsize>) -> Came {
    let mut came = Came::default();
    loop {
        let at = next.fetch_add(1, Relaxed);
        let Some((path, digest)) = shared.asked.list.get(at) else { return came };
        for coding in CODINGS {
            if shared.faults.load(Relaxed) > FAULTS_MAX || shared.bytes.load(Relaxed) > BYTES_MAX {
                return came;
            }
            let mut found = Findings::default();
            match line.ask(&Wanted::file(encoded(path), coding)).await {
                Err(why) => found.fault("files", why),
                Ok(answer) => {
                    judge::manners(&answer, &mut found);
                    judge::state(&answer, shared.asked.state, &mut found);
                    shared.asked.expected.check(&answer, &mut found);
                    if shared.asked.left_out.has(&answer, &mut line).await {
                        came.left_out.insert(at);
                    } else {
                        judge::file(&answer, digest, coding, &mut found);
                    }
                    if answer.status == 200 {
                        judge::digests_of(&answer, &mut found);
                        shared.tags[at].lock().unwrap_or_else(PoisonError::into_inner).check(&answer, &mut found);
                    }
                    let came_as = judge::coding(&answer.fields).unwrap_or(Coding::Identity);
                    came.codings[came_as as usize] += 1;
                    came.bytes += answer.body.coded_len;
                    shared.bytes.fetch_add(answer.body.coded_len, Relaxed);
                }
            }
            shared.faults.fetch_add(found.faults(), Relaxed);
            came.found.merge(found);
            shared.asked.progress.did();
        }
    }
}
