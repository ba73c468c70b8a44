//! What is shown: the one who stores to `Live`. First it is in the vault and announced there, then anybody sees it, so
//! that a restart at any moment shows the same corte or a later one.

mod improved;
mod rebuild;
mod restore;

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;

use super::admission::Standing;
use super::descent::Descent;
use super::desk::Intake;
use super::improve::Improving;
use super::news::News;
use super::operator::Event;
use super::report::{Dates, Happening, Reporter};
use crate::base::back::{self, Crew};
use crate::base::clock::{Clock, Monotonic};
use crate::corte::{CorteId, Verified};
use crate::schedule::Said;
use crate::snapshot::{Edition, Known, Level, Live, Making, Occasion, Snapshot};
use crate::store::{Codings, Entry, Facts, Head, Moment, Retained, Shown, StoreFault, Unusable, Vault};

/// What became of a verified package that was admitted.
#[derive(Debug)]
pub enum Taken {
    /// How long building and storing took.
    Live { snapshot: Arc<Snapshot>, build: Duration, store: Duration },
    /// It is in the vault; somebody holds what is shown.
    Held,
    /// What was damaged in the vault is whole again; a later corte is shown.
    Mended,
}

pub struct Stage {
    pub vault: Vault,
    live: Arc<Live>,
    pub(super) clock: Clock,
    pub(super) report: Reporter,
    /// The number of the window that cortes are shown for.
    pub(super) window: usize,
    events: Option<SyncSender<Event>>,
    improving: Option<Improving>,
    /// Cortes before the live one that are still to be made reachable after a start, the latest last.
    to_restore: Vec<CorteId>,
    /// Why no room can be made in the vault.
    crowded: News,
}

impl Stage {
    pub fn new(
        vault: Vault,
        live: Arc<Live>,
        clock: Clock,
        report: Reporter,
        events: Option<SyncSender<Event>>,
        window: usize,
    ) -> Stage {
        Stage {
            vault,
            live,
            clock,
            report,
            window,
            events,
            improving: None,
            to_restore: Vec::new(),
            crowded: News::default(),
        }
    }

    /// Another window has begun. What was shown is not for it; `vault` is another one if its cortes are of the other kind.
    pub fn turn_to(&mut self, window: usize, vault: Option<Vault>) {
        (self.improving, self.window) = (None, window);
        self.to_restore.clear();
        if let Some(vault) = vault {
            self.vault = vault;
        }
        self.live.clear();
    }

    /// Whether a corte of the vault is for this window.
    pub(super) fn is_here(&self, intake: &Intake, corte: CorteId) -> bool {
        let kind = intake.calendar.windows()[self.window].kind;
        let stamp = self.vault.ledger().entry(corte).and_then(|entry| entry.facts.instant());
        stamp.is_some_and(|stamp| intake.calendar.is_for(self.window, kind, stamp))
    }

    /// The head; what operators decided in an earlier window counts no more.
    pub(super) fn head(&self, intake: &Intake) -> Option<Head> {
        let head = self.vault.ledger().head()?.clone();
        Some(match self.is_here(intake, head.corte) || self.vault.ledger().entry(head.corte).is_none() {
            true => head,
            false => Head { rollback: None, hold: None, said: None, ..head },
        })
    }

    pub(super) fn is_unusable(&mut self, fault: Fault) {
        match fault {
            Fault::Unusable(why) => {
                self.vault.is_unusable(&why, self.clock.now());
                (self.report)(&Happening::Unusable { corte: why.corte, why: why.to_string() });
            }
            Fault::Store(why) => (self.report)(&Happening::StoreFailed { why: why.to_string() }),
        }
    }

    /// Of what is shown, as the ledger has it: neither a restart nor a hold makes it newer.
    pub(super) fn dates(&self) -> Dates {
        let (ledger, now) = (self.vault.ledger(), self.clock.now());
        let head = ledger.head();
        let facts = head.and_then(|head| ledger.entry(head.corte)).map(|entry| &entry.facts);
        Dates {
            stamp: facts.and_then(Facts::instant).unwrap_or(now),
            received: facts.map_or(now, |facts| facts.received),
            since: head.map_or(now, |head| head.since),
        }
    }

    /// Contents that are in memory.
    pub fn known(&self) -> Known {
        let edition = self.live.load();
        Known::of(edition.as_deref().into_iter().flat_map(Edition::all).flat_map(|s| s.contents()))
    }

    /// The corte that operators want shown.
    pub fn shown(&self) -> Option<CorteId> {
        self.live.load().as_deref().map(|edition| edition.live().corte().id)
    }

    /// The revisions that were accepted of the corte of this minute, the latest first.
    pub fn latest_of(&self, minute: DateTime) -> impl Iterator<Item = &Entry> {
        self.vault.ledger().entries().iter().rev().filter(move |entry| entry.corte.minute() == minute)
    }

    /// What the ledger says of an ID.
    pub fn standing(&self, intake: &Intake, corte: CorteId) -> Standing {
        let ledger = self.vault.ledger();
        let (entry, head) = (ledger.entry(corte), self.head(intake));
        Standing {
            accepted: entry.map(|entry| entry.sums),
            is_damaged: entry.is_some_and(|entry| entry.is_damaged) || ledger.is_unreadable(corte),
            is_withdrawn: head.as_ref().is_some_and(|head| head.has_withdrawn(corte)),
            highest: ledger.highest(),
            shown: self.live.load().as_deref().map(|edition| edition.live().corte().id),
            is_held: head.is_some_and(|head| head.hold.is_some()),
        }
    }

    /// Whether nobody has decided against showing this corte, and nothing later is shown.
    fn may_show(&self, intake: &Intake, corte: CorteId) -> bool {
        let is_past = self.standing(intake, corte).shown.is_some_and(|shown| corte < shown);
        !is_past && self.head(intake).is_none_or(|head| head.lets_show(corte))
    }

    /// Keeps an admitted package and shows it, unless somebody holds what is shown. After a failure nothing has changed
    /// that anybody sees.
    pub fn take(&mut self, intake: &Intake, verified: &Verified, facts: Facts) -> Result<Taken, StoreFault> {
        let corte = verified.corte();
        let (standing, head) = (self.standing(intake, corte.id), self.head(intake));
        let is_kept = standing.accepted.is_some() && !standing.is_damaged;
        if !self.may_show(intake, corte.id) {
            if !is_kept {
                self.vault.keep(verified, facts)?;
            }
            return Ok(if standing.is_held { Taken::Held } else { Taken::Mended });
        }
        let now = self.clock.now();
        let last_modified = Occasion::after(corte.instant, now, self.last_modified());
        let next = Head {
            corte: corte.id,
            since: now,
            last_modified,
            withdrawn: head.as_ref().map(|head| head.withdrawn.clone()).unwrap_or_default(),
            rollback: head.as_ref().and_then(|head| head.rollback_under(corte.id)),
            hold: head.and_then(|head| head.hold),
            said: None,
            chain: None,
        };
        let new = (!is_kept).then(|| self.entry(verified, facts.clone()));
        let occasion = self.occasion(&next, new.as_ref());
        let (known, shelf, vault) = (self.known(), self.vault.coded(), &mut self.vault);
        let kept = |digest: &_| Codings::get(&shelf, digest);
        let making = Making { kept: &kept, level: Level::Fast };
        let descent = Descent::of_next(intake, self.live.load().as_deref(), corte.id);
        // One waits for the disk, the other for the processor.
        let crew = back::crew();
        let ((stored, store), (snapshot, build)) = thread::scope(|scope| {
            let build = || descent.of(&Snapshot::build(verified, &known, &making, &occasion));
            let building = scope.spawn(|| {
                let _place = crew.as_ref().map(Crew::join);
                timed(build)
            });
            let stored = timed(|| if is_kept { Ok(()) } else { vault.keep(verified, facts) });
            (stored, building.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        stored?;
        let (corte, snapshot) = (corte.id, Arc::new(snapshot));
        let moment = Moment { at: now, what: Shown::Live, corte, reason: None };
        let (announced, announce) = timed(|| self.vault.announce(next, moment));
        announced?;
        self.publish(intake, snapshot.clone());
        Ok(Taken::Live { snapshot, build, store: store + announce })
    }

    /// Removes what the policy does not keep, and what it would keep for so many bytes of the disk. `None` where that fails,
    /// which is told.
    pub(super) fn give_way(&mut self, intake: &Intake, lacking: u64) -> Option<Retained> {
        let retained = self.vault.give_way(&intake.policy, lacking, self.clock.now());
        for why in self.vault.found_damaged(self.clock.now()) {
            (self.report)(&Happening::Unusable { corte: why.corte, why: why.to_string() });
        }
        match retained {
            Ok(retained) => {
                self.crowded.over();
                Some(retained)
            }
            Err(error) => {
                let why = format!("making room: {error}");
                if self.crowded.is(&why) {
                    (self.report)(&Happening::StoreFailed { why });
                }
                None
            }
        }
    }

    pub(super) fn publish(&mut self, intake: &Intake, snapshot: Arc<Snapshot>) {
        // The work on the corte before is given up before this one is seen by anybody.
        self.improving = None;
        let corte = snapshot.corte().id;
        let next = match self.live.load().as_deref() {
            Some(edition) => edition.next(snapshot, intake.keep),
            None => Edition::first(snapshot),
        };
        // Where the head's own corte is damaged, the one before it is shown.
        let said = self.vault.ledger().head().and_then(Head::said).filter(|said| said.corte == corte);
        let said = said.map(|said| match said.is_final {
            true => Said::Final { at: said.at },
            false => Said::Resumed { at: said.at },
        });
        self.live.publish(next.saying(said));
    }

    /// What `Last-Modified` has said so far: later must be later.
    fn last_modified(&self) -> Option<Timestamp> {
        let announced = self.vault.ledger().head().map(|head| head.last_modified);
        let seen = self.live.load().as_deref().map(|edition| edition.live().fields().last_modified_at);
        announced.max(seen)
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let started = Monotonic::now();
    let done = work();
    (done, started.elapsed())
}

/// Why a corte of the vault is not shown.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Unusable(Unusable),
    #[error(transparent)]
    Store(StoreFault),
}

/// What is known of a package that was verified just now.
pub fn facts(verified: &Verified, known: &Known, source: &str, received: Timestamp, now: Timestamp) -> Facts {
    let (corte, proof, files) = (verified.corte(), verified.trust(), verified.files());
    Facts {
        fecha_hora: corte.fecha_hora.clone(),
        received,
        verified: now,
        source: source.to_owned(),
        trust: proof.trust(),
        signer: proof.signer().map(str::to_owned),
        fingerprint: proof.fingerprint().map(str::to_owned),
        files: files.len() as u64,
        changed: files.iter().filter(|file| known.bytes(&file.digest).is_none()).count() as u64,
        bytes: files.iter().map(|file| file.bytes.len() as u64).sum(),
    }
}
