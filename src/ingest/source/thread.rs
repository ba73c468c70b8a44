//! The threads of the sources: each polls, hands over, waits.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::client::{Client, Interrupt};
use super::fault::Fault;
use super::fetch::{Polled, Poller, Signals};
use super::pace::{FLOOR, Pace, Trouble, Turn};
use super::part::Place;
use super::proxy::Proxies;
use super::settings::{self, Settings};
use super::wire::Wire;
use crate::base::clock::Monotonic;
use crate::ingest::handle::{Handle, Outcome};
use crate::ingest::report::{Came, Happening, Reporter};
use crate::ingest::staging::Staging;

/// All sources that run.
pub struct Sources(Vec<Running>);

struct Running {
    bell: Arc<Bell>,
    interrupt: Interrupt,
    thread: JoinHandle<()>,
}

/// What wakes a source before its time.
#[derive(Default)]
struct Bell {
    signals: Signals,
    rung: Mutex<Rung>,
    heard: Condvar,
}

#[derive(Clone, Copy, Default)]
struct Rung {
    now: bool,
    forget: bool,
    stop: bool,
}

impl Sources {
    /// Starts a thread for each. `limit`: bytes of a package.
    pub fn start(
        all: Vec<Settings>,
        proxies: &Proxies,
        staging: &Staging,
        limit: u64,
        handle: &Handle,
        report: &Reporter,
    ) -> io::Result<Sources> {
        let mut running = Sources(Vec::new());
        for settings in all {
            let place = Place { staging: staging.clone(), name: settings.name.clone() };
            let client = Client::new(&settings, proxies.clone());
            let (interrupt, bell) = (client.interrupt(), Arc::new(Bell::default()));
            let watch = Watch {
                name: settings.name.clone(),
                pace: Pace::new(settings.every, settings::seed()),
                trouble: Trouble::default(),
                started: Monotonic::now(),
                bell: bell.clone(),
                handle: handle.clone(),
                report: report.clone(),
            };
            let name = format!("source {}", settings.name);
            let poller = Poller::new(settings, client, place, limit);
            let thread = Builder::new().name(name).spawn(move || watch.run(poller))?;
            running.0.push(Running { bell, interrupt, thread });
        }
        Ok(running)
    }

    /// All poll at once. `anew`: what they have fetched comes again, whether it has changed or not.
    pub fn poll_now(&self, anew: bool) {
        self.0.iter().for_each(|source| source.bell.ring(Rung { now: true, forget: anew, stop: false }));
    }

    /// Ends all polls, wherever they are. What has arrived in part is kept.
    pub fn stop(&self) {
        for source in &self.0 {
            source.bell.signals.stop.store(true, Ordering::Relaxed);
            source.bell.ring(Rung { stop: true, ..Rung::default() });
            source.interrupt.now();
        }
    }

    /// Waits until what has arrived is kept, once the operator is gone; not for one who looks up a name or connects.
    pub fn join(self, patience: Duration) {
        const LOOK_EVERY: Duration = Duration::from_millis(5);
        let started = Monotonic::now();
        for source in self.0 {
            while source.bell.signals.is_receiving.load(Ordering::Acquire) && started.elapsed() < patience {
                std::thread::sleep(LOOK_EVERY);
            }
            if source.thread.is_finished() {
                let _ = source.thread.join();
            }
        }
    }
}

impl Bell {
    fn ring(&self, rung: Rung) {
        let mut before = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        *before =
            Rung { now: before.now || rung.now, forget: before.forget || rung.forget, stop: before.stop || rung.stop };
        self.heard.notify_all();
    }

    /// Waits until somebody rings, or the time is over.
    fn wait(&self, wait: Duration) -> Rung {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let is_silent = |rung: &mut Rung| !(rung.now || rung.stop);
        let waited = self.heard.wait_timeout_while(rung, wait, is_silent);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let heard = *rung;
        *rung = Rung { stop: heard.stop, ..Rung::default() };
        heard
    }
}

/// Who looks after one source.
struct Watch {
    name: String,
    pace: Pace,
    trouble: Trouble,
    started: Monotonic,
    bell: Arc<Bell>,
    handle: Handle,
    report: Reporter,
}

impl Watch {
    fn run<W: Wire>(mut self, mut poller: Poller<W>) {
        // A staging folder that cannot be written may be mended, as a server may.
        while let Err(fault) = poller.begin() {
            let wait = self.failed(&fault);
            if self.rest(wait).is_none() {
                return;
            }
        }
        loop {
            let Some(wait) = self.turn(&mut poller) else { return };
            match self.rest(wait) {
                None => return,
                Some(true) => poller.forget(),
                Some(false) => {}
            }
        }
    }

    /// Waits, but never less than the floor. `None` at the end; else whether to fetch everything anew.
    fn rest(&self, wait: Duration) -> Option<bool> {
        let started = Monotonic::now();
        let mut heard = self.bell.wait(wait);
        let mut forget = heard.forget;
        while !heard.stop && started.elapsed() < FLOOR {
            heard = self.bell.wait(FLOOR.saturating_sub(started.elapsed()));
            forget |= heard.forget;
        }
        (!heard.stop).then_some(forget)
    }

    /// One poll, and what comes of it. How long to wait; `None` at the end.
    fn turn<W: Wire>(&mut self, poller: &mut Poller<W>) -> Option<Duration> {
        let signals = &self.bell.signals;
        let polled = catch_unwind(AssertUnwindSafe(|| poller.poll(signals))).unwrap_or_else(|_| {
            poller.recover();
            signals.is_receiving.store(false, Ordering::Release);
            Err(Fault::Ours)
        });
        if signals.stop.load(Ordering::Relaxed) {
            return None;
        }
        let turn = match polled {
            Err(fault) => return Some(self.failed(&fault)),
            Ok(Polled::Unchanged) => {
                self.asked(Came::Unchanged);
                Turn::Good
            }
            Ok(Polled::Package(arrival)) => {
                self.asked(Came::Package);
                // Without an answer there is no operator any more.
                let outcome = self.handle.deliver(arrival).blocking_recv().ok()?;
                poller.told(&outcome);
                if matches!(outcome, Outcome::Refused { heals: true, .. }) { Turn::Later } else { Turn::Good }
            }
        };
        if let Some(after) = self.trouble.healed(self.started.elapsed()) {
            (self.report)(&Happening::SourceBack { source: self.name.clone(), after });
        }
        Some(self.pace.after(turn))
    }

    fn asked(&self, came: Came) {
        (self.report)(&Happening::Asked { source: self.name.clone(), came });
    }

    fn failed(&mut self, fault: &Fault) -> Duration {
        self.asked(Came::Nothing);
        let next = self.pace.after(Turn::Failed { retry_after: fault.retry_after() });
        if self.trouble.failed(fault, self.started.elapsed()) {
            let (source, code, why) = (self.name.clone(), fault.code(), fault.to_string());
            (self.report)(&Happening::SourceFailed { source, code, why, next });
        }
        next
    }
}
