//! The operator's desk: whatever comes, one thing after the other. A test drives it by itself, without threads and
//! without inotify.

use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use super::admission::{ContentCheck, NotAdmitted};
use super::handle::{Arrival, Outcome, Reply, Wish, WishFault};
use super::incoming::look;
use super::news::News;
use super::operator::Event;
use super::plan::Differing;
use super::quarantine::Quarantine;
use super::report::{Happening, Reporter};
use super::room::{Room, UNHEARD, UNSEEN};
use super::stage::Stage;
use super::take::{Candidate, Fault};
use super::transport::Transport;
use super::watch::Watching;
use crate::base::back;
use crate::base::clock::{Clock, Monotonic};
use crate::base::disk::Disk;
use crate::base::shown::Shown;
use crate::corte::{AHEAD_AT_MOST, Limits, Signers, Tipo, Trust};
use crate::schedule::Calendar;
use crate::snapshot::Live;
use crate::store::{OpenFault, Policy, Vault};

/// From one look to the next while changes come in.
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// What a corte costs at its coming stands back for who is being served, but no longer than this, or it would go live so much later on
/// a processor that has no time to spare.
const STAND_BACK_MAX: Duration = Duration::from_millis(50);
/// The source of what lies in the incoming folder, as ledger and people call it.
const INCOMING: &str = "incoming";

/// What the operator is told.
#[derive(Debug)]
pub struct Intake {
    pub disk: Disk,
    /// The folder for everything that is kept.
    pub state: PathBuf,
    /// The folder that is watched; without it packages come from elsewhere only.
    pub incoming: Option<PathBuf>,
    pub election: String,
    pub calendar: Arc<Calendar>,
    pub trust: Trust,
    /// With `Trust::Transport`, and only then.
    pub transport: Option<Transport>,
    pub signers: Signers,
    pub identity: Option<String>,
    pub limits: Limits,
    pub content_check: ContentCheck,
    pub keep: usize,
    pub differing: Differing,
    pub settle: Duration,
    pub policy: Policy,
    /// Bytes that the vault leaves free on its disk.
    pub reserve: u64,
    /// Bytes of refused packages that are kept for a look.
    pub refused_bytes: u64,
}

/// Everything the loop works with.
pub struct Desk {
    pub(super) intake: Intake,
    pub(super) stage: Stage,
    pub(super) clock: Clock,
    pub(super) report: Reporter,
    pub(super) quarantine: Quarantine,
    pub(super) watching: Option<Watching>,
    room: Room,
    arrivals: VecDeque<(Arrival, Reply<Outcome>)>,
    /// The last thing that was taken had been brought: the folder comes next.
    has_received: bool,
    look_took: Duration,
    /// Why the incoming folder cannot be looked at.
    blind: News,
    /// Why the vault of the next window cannot be opened.
    closed: News,
    /// When to look whether there is room on the disk; `None` where a start owes it.
    pub(super) look_for_room: Option<Duration>,
    /// What the first look has found and was not judged yet: the cortes before the one that goes live lie there for a
    /// reason.
    at_start: HashSet<String>,
}

impl Desk {
    /// Opens the vault; nothing is shown yet. `events` is where better compressed contents are sent; without it nothing
    /// is compressed better in the background.
    pub fn open(
        intake: Intake,
        live: Arc<Live>,
        clock: Clock,
        report: Reporter,
        events: Option<SyncSender<Event>>,
    ) -> Result<Desk, OpenFault> {
        let window = intake.calendar.governing(clock.now());
        let vault = open_vault(&intake, intake.calendar.windows()[window].kind, &clock)?;
        if let Some(known) = vault.ledger().latest() {
            clock.not_before(known);
        }
        let room = Room::new(intake.transport.as_ref().map(|transport| transport.complete));
        Ok(Desk {
            stage: Stage::new(vault, live, clock.clone(), report.clone(), events, window),
            quarantine: Quarantine::new(&intake.disk, &intake.state, intake.refused_bytes, intake.reserve),
            intake,
            clock,
            report,
            watching: None,
            room,
            arrivals: VecDeque::new(),
            has_received: false,
            look_took: Duration::ZERO,
            blind: News::default(),
            closed: News::default(),
            look_for_room: None,
            at_start: HashSet::new(),
        })
    }

    /// Shows what was shown last, and looks at what lies in the folder.
    pub fn begin(&mut self) {
        // Whatever the vault holds, packages must go on being taken in.
        self.surely("reading the vault", |desk| desk.stage.restore(&desk.intake));
        self.room.may_be_complete(UNHEARD);
        self.surely("looking into the incoming folder", |desk| {
            desk.look();
        });
        self.at_start = self.room.names().map(str::to_owned).collect();
        // Neither readers nor packages wait for it.
        self.look_for_room = None;
    }

    /// Another window of the calendar may have begun: its cortes are shown, and its packages taken in.
    pub fn turn(&mut self) {
        let window = self.intake.calendar.governing(self.clock.now());
        if window == self.stage.window {
            return;
        }
        let windows = self.intake.calendar.windows();
        let (was, is) = (windows[self.stage.window].kind, windows[window].kind);
        let mut vault = None;
        if was != is {
            match open_vault(&self.intake, is, &self.clock) {
                Ok(opened) => vault = Some(opened),
                // Tried again at the next turn; until then nothing of the other kind is taken in.
                Err(fault) => {
                    let why = fault.to_string();
                    if self.closed.is(&why) {
                        (self.report)(&Happening::StoreFailed { why });
                    }
                    return;
                }
            }
        }
        self.closed.over();
        self.stage.turn_to(window, vault);
        self.room.anew();
        self.begin();
    }

    pub(super) fn kind(&self) -> Tipo {
        self.intake.calendar.windows()[self.stage.window].kind
    }

    /// Does something that a fault of ours must not make the end of everything else. Whoever is called changes what it
    /// changes at its end, or is asked again.
    pub(super) fn surely(&mut self, what: &'static str, work: impl FnOnce(&mut Desk)) {
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            (self.report)(&Happening::OurFault { what });
        }
    }

    /// Takes note of what somebody says.
    pub fn hear(&mut self, event: Event) {
        match event {
            Event::Better(better) => back::stand(STAND_BACK_MAX, || self.stage.improve(&self.intake, better)),
            Event::Arrived(arrival, reply) => self.arrivals.push_back((arrival, reply)),
            Event::Wished(wish, reply) => {
                // Nobody decides about a window that is over.
                self.turn();
                let _ = reply.send(self.wish(wish));
            }
            Event::Changed | Event::StillThere | Event::Stop => {}
        }
    }

    /// Somebody who wrote into the incoming folder says that he is done: what lies there now need not be waited for.
    pub fn notified(&mut self) {
        if self.look() {
            self.room.is_complete();
        } else {
            self.room.may_be_complete(UNSEEN);
        }
    }

    fn is_mirror(&self) -> bool {
        self.intake.transport.as_ref().is_some_and(|transport| transport.is_mirror)
    }

    /// How long there is nothing to do, unless somebody says so.
    pub(super) fn wait(&self, next_look: Duration) -> Duration {
        if !self.arrivals.is_empty() || self.stage.has_more_to_restore() || self.look_for_room.is_none() {
            return Duration::ZERO;
        }
        let next = self.room.next(self.intake.settle).unwrap_or(next_look).min(next_look);
        next.saturating_sub(self.clock.elapsed())
    }

    /// While a large tree arrives, every write wakes us: a look must stay a small part of the time.
    pub(super) fn pause(&self) -> Duration {
        LOOK_PAUSE.max(self.look_took * 4)
    }

    /// Looks at what lies in the incoming folder; true if it was seen as it is, and not between two moments.
    pub fn look(&mut self) -> bool {
        let Some(incoming) = &self.intake.incoming else { return true };
        let started = Monotonic::now();
        let found = look(&self.intake.disk, incoming, self.is_mirror());
        self.look_took = started.elapsed();
        match found {
            Ok(found) => {
                if let Some(watching) = &mut self.watching {
                    watching.watch(&found.folders);
                }
                let unheard = self.room.see(found.sightings, self.clock.elapsed());
                if let Some(after) = unheard.filter(|_| found.has_vanished) {
                    self.room.may_be_complete(after);
                }
                self.blind.over();
                !found.has_vanished
            }
            Err(error) => {
                let why = format!("{}: {error}", incoming.display());
                if self.blind.is(&why) {
                    (self.report)(&Happening::Blind { why });
                }
                false
            }
        }
    }

    /// One thing at a time: meanwhile a later package may have come, which goes first. What is brought and what lies in the
    /// folder take turns: whoever brings one thing after the other keeps nobody waiting.
    pub fn work(&mut self) {
        let due = self.room.due(self.clock.elapsed());
        let is_folders_turn = self.has_received && !due.is_empty();
        let arrival = if is_folders_turn { None } else { self.arrivals.pop_front() };
        self.has_received = arrival.is_some();
        if let Some((arrival, reply)) = arrival {
            let outcome = self.receive(arrival);
            let _ = reply.send(outcome);
        } else if let Some(sighting) = due.first() {
            let candidate =
                Candidate { name: &sighting.name, path: &sighting.path, source: INCOMING, mark: Some(sighting.mark) };
            let was_at_start = self.at_start.remove(&sighting.name);
            match self.guarded(&candidate) {
                Ok(_) => self.room.done(&sighting.name),
                Err(fault) => self.not_taken(&candidate, &fault, was_at_start),
            }
        } else if self.stage.has_more_to_restore() {
            back::stand(STAND_BACK_MAX, || self.stage.restore_earlier(&self.intake));
        } else if self.is_to_look_for_room() {
            back::stand(STAND_BACK_MAX, || self.look_for_room());
        }
        for gone in self.room.give_up(self.clock.elapsed(), self.intake.settle) {
            let Some(incoming) = &self.intake.incoming else { continue };
            let path = incoming.join(&gone.name);
            let candidate = Candidate { name: &gone.name, path: &path, source: INCOMING, mark: None };
            self.refuse(&candidate, gone.code, gone.why);
        }
    }

    /// A fault of ours must not end intake for the night. What taking a package changes, it changes at its end.
    fn guarded(&mut self, candidate: &Candidate) -> Result<Outcome, Fault> {
        let taken = catch_unwind(AssertUnwindSafe(|| back::stand(STAND_BACK_MAX, || self.take(candidate))));
        taken.unwrap_or(Err(Fault::NotAdmitted(NotAdmitted::OurFault)))
    }

    /// What lies in the folder may still be arriving, and what is done with it must be remembered.
    fn not_taken(&mut self, candidate: &Candidate, fault: &Fault, was_at_start: bool) {
        let name = candidate.name;
        match fault {
            Fault::NotAdmitted(NotAdmitted::NotLater { found, highest }) if was_at_start => {
                self.room.done(name);
                (self.report)(&Happening::Older { name: name.to_owned(), corte: *found, live: *highest });
            }
            // What an earlier window left lying there.
            fault if was_at_start && fault.is_for_another_window() => self.room.done(name),
            Fault::NotAdmitted(why) if !why.may_heal() => {
                self.room.done(name);
                self.refuse(candidate, why.code(), why.to_string());
            }
            fault => {
                let (code, why) = (fault.code(), fault.to_string());
                if self.room.failed(name, code, why.clone(), fault.may_heal(), self.clock.elapsed()) {
                    (self.report)(&Happening::Waiting { name: name.to_owned(), code, why });
                }
            }
        }
    }

    /// True for what may be for the next window, which begins at any moment: its stamp may be ahead of this clock.
    fn is_early(&self, fault: &Fault) -> bool {
        let begins = self.intake.calendar.begins(self.stage.window + 1);
        fault.is_for_another_window() && begins.is_some_and(|at| at.duration_since(self.clock.now()) <= AHEAD_AT_MOST)
    }

    /// Takes in what was delivered whole: there is nothing to wait for.
    fn receive(&mut self, arrival: Arrival) -> Outcome {
        let Arrival { name, path, source } = arrival;
        let candidate = Candidate { name: &name, path: &path, source: &source, mark: None };
        let outcome = self.guarded(&candidate).unwrap_or_else(|fault| {
            // Whoever sent it knows it by its own name; where it lies is our affair.
            let ours = Shown::text(&path.to_string_lossy());
            let why = fault.to_string().replace(ours.as_str(), &name);
            let (code, heals) = (fault.code(), fault.may_heal() || self.is_early(&fault));
            self.refuse(&candidate, code, why.clone());
            Outcome::Refused { code, why, heals }
        });
        // Whatever became of it: what is worth keeping lies in the vault, or among the refused.
        let _ = self.intake.disk.remove_tree(&path);
        outcome
    }

    /// Tells people, and keeps what was sent for them to look at.
    fn refuse(&mut self, candidate: &Candidate, code: &'static str, why: String) {
        self.quarantine.keep(candidate, code, &why, self.clock.now(), self.clock.elapsed());
        let (name, source) = (candidate.name.to_owned(), candidate.source.to_owned());
        (self.report)(&Happening::Refused { name, source, code, why });
    }

    fn wish(&mut self, wish: Wish) -> Result<String, WishFault> {
        let done = catch_unwind(AssertUnwindSafe(|| self.stage.wish(&self.intake, wish)));
        done.unwrap_or_else(|_| Err(WishFault::Refused("a fault of ours; the log says where, please report it".into())))
    }
}

/// The vault of this election's cortes of one kind.
fn open_vault(intake: &Intake, kind: Tipo, clock: &Clock) -> Result<Vault, OpenFault> {
    let root = Vault::root(&intake.state, &intake.election, kind);
    let holder = format!("process {}, since {}", std::process::id(), clock.now());
    Vault::open(&intake.disk, &root, &intake.limits, &holder)
}
