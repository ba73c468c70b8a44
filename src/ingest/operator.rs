//! The one loop that changes what is live.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, thread};

use super::admission::{self, ContentCheck, NotAdmitted, Verdict};
use super::handle::{Arrival, Handle, Outcome, Reply, Wish, WishFault};
use super::improve::{Better, Improving};
use super::incoming::{Sighting, look};
use super::report::{Happening, Reporter};
use super::room::Room;
use super::watch::Watching;
use crate::base::clock::{Clock, Monotonic};
use crate::base::digest::Digest;
use crate::base::disk::Disk;
use crate::corte::{self, Expectations, InMemory, Limits, Refusal, Signers, Tipo, Trust, Verified};
use crate::snapshot::{Edition, Known, Live, Snapshot};

/// Changes are looked for at least this often, for file systems that inotify does not see (NFS, some containers).
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// From one look to the next while changes come in.
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// Events that may wait: more `Changed` say no more than one.
const EVENTS_MAX: usize = 64;

/// What the operator is told.
pub struct Intake {
    pub incoming: PathBuf,
    pub election: String,
    pub kind: Tipo,
    pub signers: Signers,
    pub identity: Option<String>,
    pub limits: Limits,
    pub content_check: ContentCheck,
    pub keep: usize,
    pub settle: Duration,
}

/// What wakes the operator.
pub enum Event {
    Changed,
    /// Nothing has happened; the sender wants to know whether anybody listens.
    StillThere,
    Better(Better),
    /// Somebody who wrote into the incoming folder says that he is done.
    Notified,
    Arrived(Arrival, Reply<Outcome>),
    Wished(Wish, Reply<Result<String, WishFault>>),
    Stop,
}

/// A running operator.
pub struct Operator {
    thread: JoinHandle<()>,
    events: SyncSender<Event>,
    heartbeat: Arc<AtomicU64>,
}

impl Operator {
    /// Starts the loop; what is in the folder already is looked at first, the latest name first.
    pub fn start(intake: Intake, live: Arc<Live>, clock: Clock, report: Reporter) -> io::Result<Operator> {
        let (events, inbox) = sync_channel(EVENTS_MAX);
        let watching = Watching::start(events.clone())?;
        let heartbeat = Arc::new(AtomicU64::new(0));
        let desk = Desk {
            intake,
            live,
            disk: Disk::machine(),
            clock,
            report,
            watching,
            room: Room::default(),
            improving: None,
            events: events.clone(),
            started: Monotonic::now(),
            look_took: Duration::ZERO,
            at_start: HashSet::new(),
        };
        let beat = heartbeat.clone();
        let thread = thread::Builder::new().name("operator".into()).spawn(move || desk.run(&inbox, &beat))?;
        Ok(Operator { thread, events, heartbeat })
    }

    pub fn handle(&self) -> Handle {
        Handle { events: self.events.clone() }
    }

    /// Grows with every turn of the loop, several times a second while nothing is under way.
    pub fn heartbeat(&self) -> u64 {
        self.heartbeat.load(Ordering::Relaxed)
    }

    /// Ends the loop after what it is doing now.
    pub fn stop(self) {
        let _ = self.events.send(Event::Stop);
        let _ = self.thread.join();
    }
}

/// Everything the loop works with.
struct Desk {
    intake: Intake,
    live: Arc<Live>,
    disk: Disk,
    clock: Clock,
    report: Reporter,
    watching: Watching,
    room: Room,
    improving: Option<Improving>,
    events: SyncSender<Event>,
    started: Monotonic,
    look_took: Duration,
    /// What the first look has found: the cortes before the one that goes live lie there for a reason.
    at_start: HashSet<String>,
}

/// Why a package does not go live now.
enum Fault {
    /// It does not hold; it may still be arriving.
    Refused(Refusal),
    /// It is whole and genuine, and still not wanted.
    NotAdmitted(NotAdmitted),
}

impl Desk {
    fn run(mut self, inbox: &Receiver<Event>, heartbeat: &AtomicU64) {
        self.look();
        self.at_start = self.room.names().map(str::to_owned).collect();
        let mut next_look = LOOK_EVERY;
        loop {
            heartbeat.fetch_add(1, Ordering::Relaxed);
            let now = self.started.elapsed();
            if next_look <= now {
                self.look();
                next_look = now + LOOK_EVERY;
            }
            self.work();
            match inbox.recv_timeout(self.wait(next_look)) {
                Ok(Event::Changed) => next_look = next_look.min(now + self.pause()),
                Ok(Event::Better(better)) => self.improve(better),
                Ok(Event::Notified) => next_look = now,
                Ok(Event::Arrived(..) | Event::Wished(..)) => {}
                Ok(Event::StillThere) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// How long there is nothing to do, unless somebody says so.
    fn wait(&self, next_look: Duration) -> Duration {
        let next = self.room.next(self.intake.settle).unwrap_or(next_look).min(next_look);
        next.saturating_sub(self.started.elapsed())
    }

    /// While a large tree arrives, every write wakes us: a look must stay a small part of the time.
    fn pause(&self) -> Duration {
        LOOK_PAUSE.max(self.look_took * 4)
    }

    fn look(&mut self) {
        let started = Monotonic::now();
        let found = look(&self.disk, &self.intake.incoming);
        self.look_took = started.elapsed();
        match found {
            Ok(found) => {
                self.watching.add(&found.folders);
                self.room.see(found.sightings, self.started.elapsed());
            }
            Err(error) => (self.report)(&Happening::Blind { why: error.to_string() }),
        }
    }

    /// Tries one package: meanwhile a later one may have come, which goes first.
    fn work(&mut self) {
        if let Some(sighting) = self.room.due(self.started.elapsed()).first() {
            let name = sighting.name.clone();
            // A fault of ours must not end intake for the night. What `take` changes, it changes at its end.
            let taken = catch_unwind(AssertUnwindSafe(|| self.take(sighting)));
            match taken.unwrap_or(Err(Fault::NotAdmitted(NotAdmitted::OurFault))) {
                Ok(()) => self.room.done(&name),
                Err(Fault::NotAdmitted(NotAdmitted::NotLater { found, live })) if self.at_start.contains(&name) => {
                    self.room.done(&name);
                    (self.report)(&Happening::Older { name, corte: found, live });
                }
                Err(Fault::NotAdmitted(why)) => {
                    self.room.done(&name);
                    (self.report)(&Happening::Refused { name, code: why.code(), why: why.to_string() });
                }
                Err(Fault::Refused(refusal)) => {
                    let (code, why) = (refusal.code(), refusal.to_string());
                    let now = self.started.elapsed();
                    if self.room.failed(&name, code, why.clone(), refusal.may_heal(), now) {
                        (self.report)(&Happening::Waiting { name, code, why });
                    }
                }
            }
        }
        for gone in self.room.give_up(self.started.elapsed(), self.intake.settle) {
            (self.report)(&Happening::Refused { name: gone.name, code: gone.code, why: gone.why });
        }
    }

    /// Verifies a package and, if it is admitted, makes it live.
    fn take(&mut self, sighting: &Sighting) -> Result<(), Fault> {
        let edition = self.live.load();
        let edition = edition.as_deref();
        let known = Known::of(edition.into_iter().flat_map(Edition::all).flat_map(|s| s.contents()));
        let started = Monotonic::now();
        let verified = self.verify(sighting, &known).map_err(Fault::Refused)?;
        let verify = started.elapsed();
        let (corte, sums) = (verified.corte(), Digest::of(verified.sums()));
        let live = edition.map(|e| (e.live().corte(), e.live().sums()));
        match admission::admit(corte, sums, verified.files(), live) {
            Verdict::Admit => {}
            Verdict::Same => {
                let (name, corte) = (sighting.name.clone(), corte.id);
                (self.report)(&Happening::Same { name, corte });
                return Ok(());
            }
            Verdict::Refuse(why) => return Err(Fault::NotAdmitted(why)),
        }
        self.check_contents(sighting, &verified)?;
        let changed = verified.files().iter().filter(|f| known.bytes(&f.digest).is_none()).count();
        let started = Monotonic::now();
        let snapshot = Arc::new(Snapshot::build(&verified, &known, self.clock.now(), edition.map(|e| &**e.live())));
        let next = match edition {
            Some(edition) => edition.next(snapshot.clone(), self.intake.keep),
            None => Edition::first(snapshot.clone()),
        };
        // The work on the corte before is given up before this one is seen by anybody.
        self.improving = None;
        self.live.publish(next);
        (self.report)(&Happening::Live {
            corte: corte.id,
            files: verified.files().len(),
            changed,
            bytes: verified.files().iter().map(|f| f.bytes.len()).sum(),
            verify,
            build: started.elapsed(),
        });
        self.improving = Some(Improving::start(snapshot, self.events.clone()));
        Ok(())
    }

    fn verify(&self, sighting: &Sighting, known: &Known) -> Result<Verified, Refusal> {
        let known = |digest: &Digest| known.bytes(digest);
        let package = corte::read(&self.disk, &sighting.path, &self.intake.limits, &InMemory { known: &known })?;
        package.verify(&Expectations {
            trust: Trust::Signed,
            eleccion: Some(self.intake.election.clone()),
            tipo: Some(self.intake.kind),
            signers: &self.intake.signers,
            identity: self.intake.identity.clone(),
            now: self.clock.now(),
        })
    }

    fn check_contents(&self, sighting: &Sighting, verified: &Verified) -> Result<(), Fault> {
        if self.intake.content_check == ContentCheck::Off {
            return Ok(());
        }
        let Some(why) = admission::contradiction(verified.files()) else { return Ok(()) };
        if self.intake.content_check == ContentCheck::Refuse {
            return Err(Fault::NotAdmitted(why));
        }
        let (name, code) = (sighting.name.clone(), why.code());
        (self.report)(&Happening::Odd { name, code, why: why.to_string() });
        Ok(())
    }

    /// Puts better compressed contents in the place of those that are published.
    fn improve(&mut self, better: Better) {
        let guard = self.live.load();
        let Some(edition) = guard.as_deref() else { return };
        let Some(published) = edition.same_as(&better.snapshot) else { return };
        let before = published.weight();
        let improved = Arc::new(published.with(&Known::of(better.contents)));
        let after = improved.weight();
        self.live.publish(edition.improved(&improved));
        if let Some(took) = better.finished {
            let before = better.snapshot.weight().max(before);
            (self.report)(&Happening::Improved { corte: improved.corte().id, before, after, took });
        }
    }
}
