//! The crowd let loose on a real server: one thread, so many connections, until the time is over.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

use super::bodies::{Bodies, Came, Wrong};
use super::connect::Door;
use super::crowd::{Ask, Crowd, Next, Outcome, WAYS, Way};
use super::curve::micros;
use super::keep::Lifetime;
use super::line::Line;
use super::plan::Plan;
use super::report::{Client, Report, Wire};
use super::request::Requests;
use super::said::Said;
use super::seen::NO_CORTE;
use super::streams::Shared;
use super::tally::{Failure, Tally, at_ms};
use crate::base::clock::Monotonic;

/// How often it is looked whether somebody is due: nobody is late by more, for want of us.
const TICK: Duration = Duration::from_millis(1);
/// Who was free when a request became due, and took it within this time, has not waited for the server.
const OWN_LATENESS_US: u64 = 2_500;
/// How long a whole answer may take; browsers wait longer, readers do not.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// Requests at once on a connection over HTTP/2.
const STREAMS: usize = 16;
/// How often it is looked which corte is live, so that staleness is known to that.
const WATCH_EVERY: Duration = Duration::from_millis(50);

/// Everything that asks share.
struct Office {
    door: Arc<Door>,
    requests: Requests,
    room: Mutex<Room>,
    wake: [Notify; WAYS.len()],
    started: Monotonic,
}

struct Room {
    crowd: Crowd,
    bodies: Bodies,
    tally: Tally,
    /// When the watch last asked and was shown the corte that was live before.
    watched_us: u64,
}

/// How far a run is, for whoever shows it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    pub took: Duration,
    pub answers: u64,
    pub errors: u64,
    pub p99_ms: f64,
}

/// A run under way.
pub struct Run {
    office: Arc<Office>,
    tasks: JoinSet<()>,
    cpu_s: f64,
}

impl Run {
    /// Begins at once, with so many connections for both protocols together. `None` where a path is none.
    pub fn start(plan: Plan, door: Door, connections: usize) -> Option<Run> {
        let requests = Requests::new(&plan, door.site())?;
        let crowd = Crowd::new(plan);
        let all = crowd.count(Way::Http11) + crowd.count(Way::Http2);
        let share = |way: Way| match (crowd.count(way) * connections).div_ceil(all.max(1)) {
            0 if crowd.count(way) > 0 => 1,
            share => share.min(crowd.count(way)),
        };
        let (plain, multiplexed) = (share(Way::Http11), share(Way::Http2));
        let room = Room { crowd, bodies: Bodies::default(), tally: Tally::default(), watched_us: 0 };
        let office = Arc::new(Office {
            door: Arc::new(door),
            requests,
            room: Mutex::new(room),
            wake: Default::default(),
            started: Monotonic::now(),
        });
        let mut tasks = JoinSet::new();
        for _ in 0..plain {
            tasks.spawn(ask_on_line(office.clone()));
        }
        for _ in 0..multiplexed {
            let shared = Arc::new(Shared::new(office.door.clone()));
            for _ in 0..STREAMS {
                tasks.spawn(ask_on_stream(office.clone(), shared.clone()));
            }
        }
        tasks.spawn(tick(office.clone()));
        tasks.spawn(watch(office.clone()));
        Some(Run { office, tasks, cpu_s: cpu_s() })
    }

    pub fn progress(&self) -> Progress {
        let room = self.office.room();
        let (tally, took) = (&room.tally, self.office.started.elapsed());
        let p99_ms = at_ms(&tally.waited, 0.99);
        Progress { took, answers: tally.answers(), errors: tally.errors(), p99_ms }
    }

    /// Ends it, and what was found.
    pub fn end(mut self) -> Report {
        self.tasks.abort_all();
        let took = self.office.started.elapsed();
        let counts = &self.office.door.counts;
        let wire = Wire::of(counts);
        let room = self.office.room();
        let client = Client { cpu_s: cpu_s() - self.cpu_s, hashed: room.bodies.hashed, compared: room.bodies.compared };
        Report::new(self.office.door.site(), &room.crowd, &room.tally, wire, client, took)
    }
}

/// Seconds of processor time that this process has used.
fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

impl Office {
    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_us(&self) -> u64 {
        micros(self.started.elapsed())
    }

    /// The next request by this protocol, when it is due, and since when its reader waits.
    async fn next(&self, way: Way) -> (Ask, u64) {
        let mut was_free = false;
        loop {
            let wake = self.wake[way as usize].notified();
            {
                let (mut room, now) = (self.room(), self.now_us());
                if let Next::Ask(ask) = room.crowd.next(way, now) {
                    room.tally.asked += 1;
                    // Whoever else is free looks too.
                    self.wake[way as usize].notify_one();
                    let is_on_time = was_free && now.saturating_sub(ask.due_us) <= OWN_LATENESS_US;
                    let since = if is_on_time { now } else { ask.due_us };
                    return (ask, since);
                }
            }
            was_free = true;
            wake.await;
        }
    }

    /// What an answer means for its reader, and whether it is right.
    fn take(&self, ask: &Ask, said: &Said, body: &[u8], waits_since_us: u64, sent_us: u64) {
        let (mut room, now) = (self.room(), self.now_us());
        let room = &mut *room;
        room.tally.answered(said, body.len(), now.saturating_sub(waits_since_us), now.saturating_sub(sent_us));
        let path = self.requests.path(ask.resource);
        let corte = said.corte.and_then(|name| room.crowd.corte(name, room.watched_us));
        let lifetime = Lifetime::read(said.cache_control, said.age);
        let outcome = match said.status {
            304 if ask.kept.is_some() => Ok(Outcome::NotModified { lifetime, corte }),
            304 => Err(Failure::Unconditional),
            200 => {
                let coding = said.coding().ok_or(Wrong::Unasked);
                let dictionary = ask.dictionary.as_deref();
                let stored = coding.and_then(|coding| {
                    room.bodies.take(usize::from(ask.resource), &Came { said, coding, coded: body, dictionary, path })
                });
                stored.map(|stored| Outcome::Whole { lifetime, corte, stored }).map_err(Failure::Body)
            }
            code => Err(Failure::Status(code)),
        };
        if let Ok(Outcome::Whole { stored, .. }) = &outcome {
            room.tally.checked(stored);
        }
        let outcome = outcome.unwrap_or_else(|failure| {
            room.tally.failed(failure, path);
            Outcome::Failed
        });
        room.crowd.answered(ask, outcome, now);
    }

    /// Nothing whole came.
    fn fail(&self, ask: &Ask, failure: Failure) {
        let (mut room, now) = (self.room(), self.now_us());
        room.tally.failed(failure, self.requests.path(ask.resource));
        room.crowd.answered(ask, Outcome::Failed, now);
    }
}

async fn ask_on_line(office: Arc<Office>) {
    let (mut line, mut request) = (Line::new(office.door.clone()), Vec::new());
    loop {
        let (ask, since) = office.next(Way::Http11).await;
        let sent = office.now_us();
        request.clear();
        office.requests.write(&ask, &mut request);
        let asking = line.ask(&request, |said, body| office.take(&ask, said, body, since, sent));
        match timeout(ANSWER_MAX, asking).await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => office.fail(&ask, failure),
            Err(_) => {
                office.fail(&ask, Failure::Timeout);
                // What still comes belongs to nobody.
                line = Line::new(office.door.clone());
            }
        }
    }
}

async fn ask_on_stream(office: Arc<Office>, shared: Arc<Shared>) {
    let mut buffer = BytesMut::new();
    loop {
        let (ask, since) = office.next(Way::Http2).await;
        let sent = office.now_us();
        let Some(request) = office.requests.http2(&ask) else {
            office.fail(&ask, Failure::Malformed);
            continue;
        };
        let asking = shared.ask(request, &mut buffer, |said, body| office.take(&ask, said, body, since, sent));
        match timeout(ANSWER_MAX, asking).await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => office.fail(&ask, failure),
            Err(_) => office.fail(&ask, Failure::Timeout),
        }
    }
}

/// Wakes who is free when somebody is due.
async fn tick(office: Arc<Office>) {
    let mut ticks = interval(TICK);
    loop {
        ticks.tick().await;
        for wake in &office.wake {
            wake.notify_one();
        }
    }
}

/// Looks which corte is live, on a connection of its own; its requests count nowhere.
async fn watch(office: Arc<Office>) {
    let mut line = Line::new(office.door.clone());
    let mut request = Vec::new();
    let ask = Ask::of_nobody(Plan::POLL);
    office.requests.write(&ask, &mut request);
    let mut last = NO_CORTE;
    loop {
        let sent = office.now_us();
        let asking = line.ask(&request, |said, _| {
            let mut room = office.room();
            let watched_us = room.watched_us;
            let corte = said.corte.and_then(|name| room.crowd.corte(name, watched_us));
            if corte.is_some_and(|corte| corte == last) {
                room.watched_us = sent;
            }
            last = corte.unwrap_or(last);
        });
        if timeout(ANSWER_MAX, asking).await.is_err() {
            line = Line::new(office.door.clone());
        }
        sleep(WATCH_EVERY).await;
    }
}
