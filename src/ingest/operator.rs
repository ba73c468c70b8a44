//! The one loop through which everything comes that may change what is live: its thread, and what wakes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, thread};

use super::desk::{Desk, Intake};
use super::handle::{Arrival, Handle, Notice, Outcome, Reply, Wish, WishFault};
use super::improve::Better;
use super::report::Reporter;
use super::watch::Watching;
use crate::base::clock::Clock;
use crate::base::turns;
use crate::snapshot::Live;
use crate::store::OpenFault;

/// Changes are looked for at least this often, for file systems that inotify does not see (NFS, some containers).
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Events that may wait: more `Changed` say no more than one, and whoever delivers can wait.
const EVENTS_MAX: usize = 64;

/// Why there is no operator.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    #[error("the incoming folder cannot be watched: {0}; is fs.inotify.max_user_instances reached?")]
    Watch(#[from] io::Error),
    #[error(transparent)]
    Vault(#[from] OpenFault),
}

/// What wakes the operator.
pub enum Event {
    Changed,
    /// Nothing that is told here: the sender wants to know whether anybody listens, or the loop to turn.
    StillThere,
    Better(Better),
    Arrived(Arrival, Reply<Outcome>),
    Wished(Wish, Reply<Result<String, WishFault>>),
    Stop,
}

/// A running operator.
pub struct Operator {
    thread: JoinHandle<()>,
    events: SyncSender<Event>,
    notice: Notice,
    heartbeat: Arc<AtomicU64>,
}

impl Operator {
    /// Opens the vault and starts the loop: what was shown last is shown again, then what lies in the folder is looked
    /// at, the latest name first.
    pub fn start(intake: Intake, live: Arc<Live>, clock: Clock, report: Reporter) -> Result<Operator, StartFault> {
        let (events, inbox) = sync_channel(EVENTS_MAX);
        let watching = Watching::start(events.clone())?;
        let mut desk = Desk::open(intake, live, clock, report, Some(events.clone()))?;
        desk.watching = Some(watching);
        let (heartbeat, notice) = (Arc::new(AtomicU64::new(0)), Notice::default());
        let (beat, given) = (heartbeat.clone(), notice.clone());
        let thread = thread::Builder::new().name("operator".into()).spawn(move || {
            // What a corte costs at its coming is not to hold up who is being served. Not every kernel can.
            let _ = turns::short();
            desk.run(&inbox, &given, &beat)
        })?;
        Ok(Operator { thread, events, notice, heartbeat })
    }

    pub fn handle(&self) -> Handle {
        Handle::new(self.events.clone(), self.notice.clone())
    }

    /// Grows with every turn of the loop, several times a second while nothing is under way.
    pub fn heartbeat(&self) -> u64 {
        self.heartbeat.load(Ordering::Relaxed)
    }

    /// False once it has died by a fault of ours: nothing is taken in any more.
    pub fn is_alive(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Ends the loop after what it is doing now.
    pub fn stop(self) {
        let _ = self.events.send(Event::Stop);
        let _ = self.thread.join();
    }
}

impl Desk {
    fn run(mut self, inbox: &Receiver<Event>, notice: &Notice, heartbeat: &AtomicU64) {
        self.surely("beginning", Desk::begin);
        let mut next_look = self.clock.elapsed() + LOOK_EVERY;
        loop {
            heartbeat.fetch_add(1, Ordering::Relaxed);
            let now = self.clock.elapsed();
            if next_look <= now {
                next_look = now + LOOK_EVERY;
                self.surely("looking into the incoming folder", |desk| {
                    desk.look();
                });
            }
            self.surely("turning to another window", Desk::turn);
            if notice.take() {
                self.surely("looking into the incoming folder", Desk::notified);
            }
            self.surely("intake", Desk::work);
            match inbox.recv_timeout(self.wait(next_look)) {
                Ok(Event::Changed) => next_look = next_look.min(now + self.pause()),
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(event) => self.surely("intake", |desk| desk.hear(event)),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc::channel;

    use super::*;
    use crate::base::disk::Disk;
    use crate::corte::{Limits, Signers, StampRule, Tipo, Trust};
    use crate::ingest::{Complete, ContentCheck, Corrections, Differing, Happening, Transport};
    use crate::schedule::specimen::always;
    use crate::store::Policy;

    fn intake(disk: Disk) -> Intake {
        let rule = StampRule::json("resumen.json", &["/hora"], "%Y-%m-%dT%H:%M:%S%z", None).unwrap();
        let (complete, corrections) = (Complete::Notified, Corrections::Refuse);
        Intake {
            disk,
            state: "/state".into(),
            incoming: Some("/incoming".into()),
            election: "prueba-2026".into(),
            calendar: always(Tipo::Oficial),
            trust: Trust::Transport,
            transport: Some(Transport { rule, is_mirror: true, complete, corrections }),
            signers: Signers::default(),
            identity: None,
            limits: Limits::default(),
            content_check: ContentCheck::Refuse,
            keep: 6,
            differing: Differing::default(),
            settle: Duration::from_secs(10),
            policy: Policy { bytes: 1 << 20, cortes: None, at_least: 1 },
            reserve: 0,
            refused_bytes: 0,
        }
    }

    fn clock() -> Clock {
        Clock::scripted("2026-06-08T02:12:00Z".parse().unwrap()).0
    }

    /// Fails on what a folder that is not there makes it tell, so many times.
    fn failing(times: u64) -> Reporter {
        let told = AtomicU64::new(0);
        Arc::new(move |happening: &Happening| {
            if matches!(happening, Happening::Blind { .. } | Happening::OurFault { .. }) {
                assert!(told.fetch_add(1, Ordering::Relaxed) >= times, "on purpose");
            }
        })
    }

    #[test]
    fn a_fault_of_ours_ends_what_was_done_and_nothing_else() {
        let desk = Desk::open(intake(Disk::twin().0), Arc::default(), clock(), failing(1), None).unwrap();
        let (events, inbox) = sync_channel(2);
        let (reply, mut answer) = tokio::sync::oneshot::channel();
        let wish = Wish::Hold { reason: "x".into() };
        for event in [Event::Wished(wish, reply), Event::Stop] {
            events.try_send(event).unwrap_or_else(|_| panic!("there is room"));
        }
        desk.run(&inbox, &Notice::default(), &AtomicU64::new(0));
        assert!(answer.try_recv().unwrap().is_err(), "nothing is shown that could be held");
    }

    #[test]
    fn an_operator_who_is_gone_is_missed() {
        let intake = intake(Disk::twin().0);
        let operator = Operator::start(intake, Arc::default(), clock(), failing(u64::MAX)).unwrap();
        while operator.is_alive() {
            thread::yield_now();
        }
        assert!(operator.thread.join().is_err());
    }

    #[test]
    fn a_notice_is_heard_however_full_the_queue_is() {
        let (disk, twin) = Disk::twin();
        twin.put(Path::new("/incoming/index.html"), b"<p>").unwrap();
        let (tell, told) = channel();
        let report: Reporter = Arc::new(move |happening: &Happening| {
            if let Happening::Waiting { code, .. } = happening {
                tell.send(*code).unwrap();
            }
        });
        let desk = Desk::open(intake(disk), Arc::default(), clock(), report, None).unwrap();
        let ((events, inbox), notice) = (sync_channel(2), Notice::default());
        for event in [Event::Changed, Event::Stop] {
            events.try_send(event).unwrap_or_else(|_| panic!("there is room"));
        }
        Handle::new(events, notice.clone()).notify();
        desk.run(&inbox, &notice, &AtomicU64::new(0));
        assert_eq!(told.try_iter().collect::<Vec<_>>(), ["P101"]);
    }
}
