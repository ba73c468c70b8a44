//! The gate: the one who stores to `Public`. It holds the edition that the operator wants shown against the election's
//! clock, and lets out what may be seen, at the second that the calendar says.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::report::{Happening, Reporter};
use crate::base::clock::{Clock, Monotonic};
use crate::portal::{Offer, Printed, Stamp, Told};
use crate::schedule::{Calendar, Closed, Facts, OnInterrupted, Reason, Shown, State, Step, step};
use crate::snapshot::{Edition, Live, Looks, Public, Showing, Timing};

/// The machine's clock is looked at this often; no deadline is waited for longer in one go.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The countdown is printed in minutes.
const COUNTED_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// A clock that is set right may go back by as much; what was opened meanwhile stays open.
const STEADY: SignedDuration = SignedDuration::from_secs(2);

/// What does not change while it runs.
#[derive(Clone, Debug)]
pub struct Plan {
    pub election: String,
    pub calendar: Arc<Calendar>,
    pub looks: Looks,
}

/// See above. Shared by the operator, who brings editions, and the thread that waits for the next deadline.
pub struct Gate {
    plan: Plan,
    live: Arc<Live>,
    public: Arc<Public>,
    clock: Clock,
    report: Reporter,
    inner: Mutex<Inner>,
    /// The window and state that were told last. Held while they are told, so that they are in their order; `inner` is
    /// only ever taken within it.
    told: Mutex<Option<(usize, State)>>,
    bell: Condvar,
}

struct Inner {
    /// The latest moment that was acted upon.
    latest: Timestamp,
    /// Where things stood then, of which edition, and what was offered of it.
    stood: (Step, Option<Arc<Edition>>, Offer),
    /// What is to be offered; whoever reads the meters says it.
    offer: Offer,
    /// What will be shown at the next deadline, if nothing comes: at the opening nobody waits for pages to be printed.
    ready: Option<Ready>,
    is_stopping: bool,
}

struct Ready {
    stands: Step,
    edition: Option<Arc<Edition>>,
    offer: Offer,
    showing: Showing,
}

impl Ready {
    fn is_of(&self, stands: &Step, edition: Option<&Arc<Edition>>, offer: Offer) -> bool {
        self.stands == *stands && self.offer == offer && is_same(self.edition.as_ref(), edition) == Same::All
    }
}

impl Gate {
    /// Shows what is to be shown now, and from now on after every change of `live`.
    pub fn new(plan: Plan, live: Arc<Live>, clock: Clock, report: Reporter) -> Arc<Gate> {
        let latest = clock.now();
        let (stands, _) = stand(&plan, latest, &Live::default());
        let public = Arc::new(Public::new(showing(&plan, &clock, &stands, (None, Offer::default()), latest, None)));
        let inner = Mutex::new(Inner {
            latest,
            stood: (stands, None, Offer::default()),
            offer: Offer::default(),
            ready: None,
            is_stopping: false,
        });
        let gate =
            Arc::new(Gate { plan, live, public, clock, report, inner, told: Mutex::default(), bell: Condvar::new() });
        let listening = Arc::downgrade(&gate);
        gate.live.listen(move || {
            if let Some(gate) = listening.upgrade() {
                gate.renew();
            }
        });
        gate.renew();
        gate
    }

    /// Where readers find it.
    pub fn public(&self) -> Arc<Public> {
        self.public.clone()
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Where things stand.
    pub fn stands(&self) -> Step {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).stood.0
    }

    /// So much is offered from now on; the public is told at once.
    pub fn offer(&self, offer: Offer) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).offer = offer;
        self.renew();
    }

    /// Lets out what may be seen now. Called after every change of the edition, and at every deadline. Where a fault of ours
    /// prevents it, what was shown before is, and the next call tries again.
    pub fn renew(&self) {
        // Where things stand is noted once it is shown.
        if catch_unwind(AssertUnwindSafe(|| self.let_out())).is_err() {
            (self.report)(&Happening::OurFault { what: "printing what is shown" });
        }
    }

    fn let_out(&self) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let now = steady(inner.latest, self.clock.now());
        inner.latest = now;
        let (stands, edition) = stand(&self.plan, now, &self.live);
        let offer = inner.offer;
        let next = (stands, edition.clone(), offer);
        let (stood, shown, offered) = &inner.stood;
        let has_turned = *stood != stands || *offered != offer;
        match is_same(shown.as_ref(), edition.as_ref()) {
            Same::All if !has_turned && !is_old(&self.public.load(), now) => {}
            Same::Cortes if !has_turned => {
                if let Some(edition) = &edition {
                    let showing = self.public.load().with(edition);
                    self.public.show(showing);
                }
            }
            _ => {
                let ready = inner.ready.take().filter(|ready| ready.is_of(&stands, edition.as_ref(), offer));
                let ready = ready.map(|ready| ready.showing);
                let print = || {
                    let before = self.public.load();
                    showing(&self.plan, &self.clock, &stands, (edition, offer), now, Some(&before))
                };
                self.public.show(ready.unwrap_or_else(print));
            }
        }
        inner.stood = next;
        drop(inner);
        self.bell.notify_one();
        self.tell();
    }

    /// Tells where things stand, if that is news.
    fn tell(&self) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let stands = self.stands();
        let turned = Some((stands.window, stands.state));
        if self.live.is_known() && *told != turned {
            let from = std::mem::replace(&mut *told, turned).map(|(_, state)| state);
            (self.report)(&Happening::Turned { from, to: stands.state, reason: stands.reason });
        }
    }

    /// Waits for deadlines on a thread of its own, and looks after the machine's clock.
    pub fn start(self: &Arc<Gate>) -> std::io::Result<Waiting> {
        let gate = self.clone();
        let thread = thread::Builder::new().name("gate".into()).spawn(move || gate.wait())?;
        Ok(Waiting { gate: self.clone(), thread })
    }

    fn wait(&self) {
        loop {
            if let Some(doubt) = self.clock.check() {
                (self.report)(&Happening::Clock(doubt));
            }
            self.renew();
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            if inner.is_stopping {
                return;
            }
            // What somebody else has let out meanwhile may end sooner.
            let next = inner.stood.0.next;
            let left =
                next.map_or(SignedDuration::MAX, |next| self.clock.outside(next.duration_since(self.clock.now())));
            let began = Monotonic::now();
            let left = Duration::try_from(left.max(SignedDuration::ZERO)).unwrap_or(Duration::ZERO).min(LOOK_EVERY);
            if let Some(next) = next.filter(|_| left < LOOK_EVERY) {
                let (offer, ready) = (inner.offer, inner.ready.take());
                // Without it the page is printed when it is due, and then a fault is told.
                let prepared = catch_unwind(AssertUnwindSafe(|| self.prepare(next, offer, ready)));
                inner.ready = prepared.unwrap_or_default();
            }
            let left = left.saturating_sub(began.elapsed());
            drop(self.bell.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Prints what will be shown at the deadline `at`, unless that lies ready.
    fn prepare(&self, at: Timestamp, offer: Offer, ready: Option<Ready>) -> Option<Ready> {
        let (stands, edition) = stand(&self.plan, at, &self.live);
        let print = || {
            let before = self.public.load();
            let showing = showing(&self.plan, &self.clock, &stands, (edition.clone(), offer), at, Some(&before));
            Ready { stands, edition: edition.clone(), offer, showing }
        };
        Some(ready.filter(|ready| ready.is_of(&stands, edition.as_ref(), offer)).unwrap_or_else(print))
    }
}

/// The thread that waits.
pub struct Waiting {
    gate: Arc<Gate>,
    thread: JoinHandle<()>,
}

impl Waiting {
    /// False once it has died by a fault of ours: nobody meets deadlines any more.
    pub fn is_alive(&self) -> bool {
        !self.thread.is_finished()
    }

    pub fn stop(self) {
        self.gate.inner.lock().unwrap_or_else(PoisonError::into_inner).is_stopping = true;
        self.gate.bell.notify_one();
        let _ = self.thread.join();
    }
}

/// Whether the countdown, as those read it who have no script, has to be printed again.
fn is_old(showing: &Showing, now: Timestamp) -> bool {
    let told = showing.told();
    told.state == State::Before && now.duration_since(told.printed.election.timestamp()).abs() >= COUNTED_EVERY
}

/// A clock that was set back a little has not undone what was done.
fn steady(latest: Timestamp, now: Timestamp) -> Timestamp {
    if latest.duration_since(now) <= STEADY { now.max(latest) } else { now }
}

/// Where things stand at `now`, and the edition if it is for the window that governs.
fn stand(plan: &Plan, now: Timestamp, live: &Live) -> (Step, Option<Arc<Edition>>) {
    let window = plan.calendar.governing(now);
    let edition = live.load().clone().filter(|edition| {
        let corte = edition.live().corte();
        plan.calendar.is_for(window, corte.tipo, corte.instant)
    });
    let shown = edition.as_ref().map(|edition| {
        let corte = edition.live().corte();
        Shown { stamp: corte.instant, is_final: corte.is_final }
    });
    let said = edition.as_ref().and_then(|edition| edition.said());
    let mut stands = step(&plan.calendar, now, &Facts { shown, said });
    if stands.reason == Reason::NeverBegan && !live.is_known() {
        // A start in the middle of the night: the vault has not been read yet.
        (stands.state, stands.reason) = (State::Waiting, Reason::NoCorteYet);
    }
    // Before the opening that something has come must make no difference, not even in when a page was printed.
    let is_secret = stands.state == State::Before;
    (stands, edition.filter(|_| !is_secret))
}

/// How much of two editions is the same.
#[derive(PartialEq, Eq)]
enum Same {
    All,
    /// The same cortes under the same circumstances, compressed anew or with others beside.
    Cortes,
    Nothing,
}

fn is_same(before: Option<&Arc<Edition>>, now: Option<&Arc<Edition>>) -> Same {
    match (before, now) {
        (None, None) => Same::All,
        (Some(before), Some(now)) if Arc::ptr_eq(before, now) => Same::All,
        (Some(before), Some(now)) => {
            let (was, is) = (before.live(), now.live());
            let is_one = was.sums() == is.sums() && was.fields().last_modified_at == is.fields().last_modified_at;
            if is_one { Same::Cortes } else { Same::Nothing }
        }
        _ => Same::Nothing,
    }
}

fn showing(
    plan: &Plan,
    clock: &Clock,
    stands: &Step,
    (edition, offer): (Option<Arc<Edition>>, Offer),
    now: Timestamp,
    before: Option<&Showing>,
) -> Showing {
    let calendar = &plan.calendar;
    let window = &calendar.windows()[stands.window];
    let is_secret = stands.state == State::Before;
    let corte = edition.as_ref().filter(|_| !is_secret).map(|edition| edition.live().corte());
    let local = |at: Timestamp| at.to_zoned_datetime(calendar.zone().clone());
    // What is printed ahead of its time is printed for its time.
    let machine_s = clock.seconds().1 + clock.outside(now.duration_since(clock.now())).as_secs();
    let told = Told {
        election: plan.election.clone(),
        kind: window.kind,
        state: stands.state,
        shows_results: corte.is_some() && stands.shows_results(window),
        is_shifted: clock.is_shifted(),
        corte: corte.map(|corte| Stamp::new(corte.id.to_string(), corte.fecha_hora.clone(), &corte.as_written())),
        since: stands.since.map(local),
        opens: local(window.opens),
        closes: local(window.closes),
        due: stands.due.map(local),
        interval_s: window.interval.as_secs(),
        offer,
        printed: Printed { election: local(now), machine_s, pace: clock.pace() },
    };
    let timing = Timing {
        interval: window.interval,
        due: stands.due,
        until: until(stands, calendar),
        opens: is_secret.then_some(window.opens),
    };
    Showing::new(told, edition, timing, &plan.looks, before)
}

/// When results are no longer shown if nothing comes.
fn until(stands: &Step, calendar: &Calendar) -> Option<Timestamp> {
    let window = &calendar.windows()[stands.window];
    let over = match window.closed {
        Closed::Page => Some(window.closes),
        Closed::Keep => calendar.begins(stands.window + 1),
    };
    let is_awaited = matches!(stands.state, State::Current | State::Late);
    let base = stands.due.filter(|_| is_awaited && window.on_interrupted == OnInterrupted::Notice);
    // One interval of the patience has passed when a corte is due; an operator who resumes only makes it longer.
    let interrupts = base.map(|due| due.saturating_add(window.patience() - window.interval).unwrap_or(Timestamp::MAX));
    let interrupts = interrupts.map(|at| if stands.reason == Reason::Resumed { stands.next.unwrap_or(at) } else { at });
    match (over, interrupts) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
