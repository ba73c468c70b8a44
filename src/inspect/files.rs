//! Every file of the list, in every coding, over every protocol: several at once, each judged as it comes.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::RETRY_AFTER;
use tokio::task::JoinSet;

use super::audit::Progress;
use super::exchange::{Line, Wanted};
use super::judge::{self, Answer, Expected, Tags, Way};
use super::report::Findings;
use super::target::encoded;
use super::told::{ESTADO_BYTES, Estado};
use crate::base::clock::Monotonic;
use crate::base::digest::Digest;
use crate::corte::limits::TOTAL_BYTES;
use crate::schedule::State;
use crate::snapshot::{CODINGS, Coding};

/// Connections over HTTP/1.1, and requests at once over the one of HTTP/2: enough for a second or two over the internet,
/// and no burden for a difusor.
const AT_ONCE_11: usize = 4;
const AT_ONCE_2: usize = 8;
/// How long its word that it leaves things out explains refusals: each that comes later is a reason to ask again.
const WORD_FOR: Duration = Duration::from_secs(3);
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
#[derive(Debug)]
pub struct LeftOut(Mutex<Word>);

/// What it has said.
#[derive(Clone, Copy, Debug)]
struct Word {
    offers_less: bool,
    /// When it said so last; where it does no longer, when that was heard.
    at: Option<Monotonic>,
}

impl Word {
    fn is_within(&self, so_long: Duration) -> bool {
        self.at.is_some_and(|at| at.elapsed() < so_long)
    }
}

impl LeftOut {
    pub fn of(estado: &Estado) -> LeftOut {
        let offers_less = estado.offers_less;
        LeftOut(Mutex::new(Word { offers_less, at: offers_less.then(Monotonic::now) }))
    }

    fn word(&self) -> MutexGuard<'_, Word> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has said so within so long.
    fn explains(&self, so_long: Duration) -> bool {
        let word = self.word();
        word.offers_less && word.is_within(so_long)
    }

    /// It says this now. Whether that explains a refusal, or what it said before does: several are under way at once, and one
    /// may have come before it said otherwise.
    fn hear(&self, offers_less: bool, so_long: Duration) -> bool {
        let mut word = self.word();
        if !word.offers_less && !offers_less {
            return word.is_within(so_long);
        }
        *word = Word { offers_less, at: Some(Monotonic::now()) };
        true
    }

    /// Whether `answer` is such a refusal.
    pub async fn has(&self, answer: &Answer, line: &mut Line) -> bool {
        if answer.status != 503 || !answer.fields.contains_key(RETRY_AFTER) {
            return false;
        }
        if self.explains(WORD_FOR) {
            return true;
        }
        let told = line.ask(&Wanted::small("/.prep/estado.json", ESTADO_BYTES)).await;
        match told.ok().and_then(|told| Estado::parse(&told.body.bytes).ok()) {
            Some(estado) => self.hear(estado.offers_less, WORD_FOR),
            // Which is found elsewhere.
            None => self.word().offers_less,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_explains_refusals_for_a_while() {
        let estado = |said: &str| {
            let text = format!(r#"{{"estado":"previo","corte":null,"servicio":"{said}"}}"#);
            LeftOut::of(&Estado::parse(text.as_bytes()).unwrap())
        };
        let less = estado(crate::portal::Offer::WithoutImages.token());
        assert!(less.explains(Duration::MAX));
        assert!(!less.explains(Duration::ZERO), "by then it is asked again");
        assert!(less.hear(false, Duration::ZERO), "it was refused before it said so");
        assert!(!less.explains(Duration::MAX), "each is asked about");
        assert!(less.hear(false, Duration::MAX), "so was one that was under way");
        assert!(!less.hear(false, Duration::ZERO), "but nothing afterwards");
        assert!(less.hear(true, Duration::ZERO) && less.explains(Duration::MAX));
        let all = estado(crate::portal::Offer::Everything.token());
        assert!(!all.explains(Duration::MAX) && !all.hear(false, Duration::MAX));
    }
}
