//! The gate on a scripted clock: what may be seen changes at the second, by time or by a corte, and is told once.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use difusor::base::clock::{Clock, Hands};
use difusor::corte::Tipo;
use difusor::ingest::{Gate, Happening, Plan, Waiting};
use difusor::schedule::{Calendar, Closed, OnInterrupted, Said, State, Window};
use difusor::snapshot::{Edition, Live, Looks};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::common::ELECTION;
use crate::common::server::until;
use crate::night::snapshot;

/// A gate, and what it has told.
struct Room {
    gate: Arc<Gate>,
    live: Arc<Live>,
    hands: Hands,
    turns: Arc<Mutex<Vec<State>>>,
}

fn at(text: &str) -> Timestamp {
    format!("2024-06-03T{text}Z").parse().unwrap()
}

fn a_moment_before(text: &str) -> Timestamp {
    at(text) - Duration::from_millis(1)
}

/// Opens at 18:00 in Saltillo, which is midnight UTC; the nth corte of the night is of n minutes later.
fn window() -> Window {
    Window {
        kind: Tipo::Oficial,
        opens: at("00:00:00"),
        closes: at("23:00:00"),
        interval: SignedDuration::from_mins(10),
        grace: SignedDuration::from_mins(1),
        periods: 3,
        ends: at("10:00:00"),
        on_interrupted: OnInterrupted::Notice,
        closed: Closed::Page,
        name: None,
    }
}

fn plan(windows: Vec<Window>) -> Plan {
    let calendar = Arc::new(Calendar::new(windows, TimeZone::UTC, SignedDuration::ZERO).unwrap());
    Plan { election: ELECTION.into(), calendar, looks: Looks::default() }
}

fn room(now: Timestamp) -> Room {
    room_of(vec![window()], now)
}

fn room_of(windows: Vec<Window>, now: Timestamp) -> Room {
    let (clock, hands) = Clock::scripted(now);
    let (live, turns): (Arc<Live>, Arc<Mutex<Vec<State>>>) = Default::default();
    let told = turns.clone();
    let report = Arc::new(move |happening: &Happening| {
        if let Happening::Turned { to, .. } = happening {
            told.lock().unwrap().push(*to);
        }
    });
    Room { gate: Gate::new(plan(windows), live.clone(), clock, report), live, hands, turns }
}

impl Room {
    /// The state that the public sees, and the corte, if its results are shown.
    fn seen(&self) -> (State, Option<String>) {
        let public = self.gate.public();
        let showing = public.load();
        (showing.told().state, showing.results().map(|results| results.live().corte().id.to_string()))
    }

    fn turned_to(&self, now: &str) -> (State, Option<String>) {
        self.hands.set(at(now));
        self.gate.renew();
        self.seen()
    }
}

#[test]
fn a_night_from_the_countdown_to_the_closing_page() {
    let room = room(a_moment_before("00:00:00"));
    room.live.publish(Edition::first(snapshot(0)));
    assert_eq!(room.seen(), (State::Before, None));
    let public = room.gate.public();
    assert!(public.load().corte().is_none() && public.load().told().corte.is_none());
    let first = Some("20240602_1800".to_owned());
    assert_eq!(room.turned_to("00:00:00"), (State::Current, first.clone()));
    assert_eq!(room.turned_to("00:10:59"), (State::Current, first.clone()));
    assert_eq!(room.turned_to("00:11:00"), (State::Late, first.clone()));
    assert_eq!(room.turned_to("00:31:00"), (State::Interrupted, None));
    assert!(public.load().corte().is_some(), "the last corte's date and hour are told all the same");
    // A corte is enough, nobody has to look at the clock.
    room.hands.set(at("00:41:00"));
    room.live.publish(Edition::first(snapshot(0)).next(snapshot(40), 6));
    let second = Some("20240602_1840".to_owned());
    assert_eq!(room.seen(), (State::Current, second.clone()));
    room.live.publish(Edition::first(snapshot(40)).saying(Some(Said::Final { at: at("00:50:00") })));
    assert_eq!(room.turned_to("05:00:00"), (State::Final, second.clone()));
    assert_eq!(room.turned_to("23:00:00"), (State::Closed, None));
    let expected =
        [State::Before, State::Current, State::Late, State::Interrupted, State::Current, State::Final, State::Closed];
    let turns = room.turns.lock().unwrap();
    assert_eq!(*turns, expected);
}

#[test]
fn a_small_step_back_does_not_close_what_was_opened() {
    let room = room(at("00:00:00"));
    room.live.publish(Edition::first(snapshot(0)));
    assert_eq!(room.seen().0, State::Current);
    room.hands.set(at("00:00:00") - Duration::from_millis(1500));
    room.gate.renew();
    assert_eq!(room.seen().0, State::Current);
}

#[test]
fn deadlines_are_met_by_the_waiting_thread() {
    let room = room(at("00:00:00"));
    let waiting = room.gate.start().unwrap();
    room.live.publish(Edition::first(snapshot(0)));
    room.hands.set(at("00:31:00"));
    let until = crate::common::server::until(|| (room.seen().0 == State::Interrupted).then_some(()));
    assert!(until.is_some());
    waiting.stop();
}

/// The one who waits and the one who brings a corte turn it at the same second: whoever tells later must not have told of
/// what was before.
#[test]
fn turns_are_told_in_their_order() {
    let ((begun, has_begun), (ended, has_ended)) = (mpsc::channel(), mpsc::channel::<()>());
    let (turns, has_ended) = (Arc::new(Mutex::new(Vec::new())), Mutex::new(has_ended));
    let told = turns.clone();
    let report = move |happening: &Happening| {
        let Happening::Turned { from, to, .. } = happening else { return };
        if *to == State::Waiting {
            begun.send(()).unwrap();
            // The other one is not waited for: this ends early only if he overtakes.
            let _ = has_ended.lock().unwrap().recv_timeout(Duration::from_millis(300));
        }
        told.lock().unwrap().push((*from, *to));
        if *to == State::Current {
            let _ = ended.send(());
        }
    };
    let (clock, hands) = Clock::scripted(a_moment_before("00:00:00"));
    let live = Arc::new(Live::default());
    let gate = Gate::new(plan(vec![window()]), live.clone(), clock, Arc::new(report));
    live.clear();
    hands.set(at("00:00:00"));
    std::thread::scope(|scope| {
        scope.spawn(|| gate.renew());
        has_begun.recv().unwrap();
        live.publish(Edition::first(snapshot(0)));
    });
    let expected =
        [(None, State::Before), (Some(State::Before), State::Waiting), (Some(State::Waiting), State::Current)];
    assert_eq!(*turns.lock().unwrap(), expected);
}

#[test]
fn a_countdown_is_printed_anew_when_the_clock_is_set_right() {
    let room = room(a_moment_before("00:00:00"));
    for now in [a_moment_before("00:00:00") - SignedDuration::from_hours(1), a_moment_before("00:00:00")] {
        room.hands.set(now);
        room.gate.renew();
        assert_eq!(room.gate.public().load().told().printed.election.timestamp(), now);
    }
}

#[test]
fn caches_keep_results_no_longer_than_their_window_governs() {
    let drill = Window { kind: Tipo::Oficial, closed: Closed::Keep, closes: at("12:00:00"), ..window() };
    let next = Window { opens: at("20:00:00"), closes: at("21:00:00"), ends: at("21:00:00"), ..drill.clone() };
    let room = room_of(vec![drill.clone(), next], at("00:00:00"));
    room.live.publish(Edition::first(snapshot(0)).saying(Some(Said::Final { at: at("00:05:00") })));
    for (now, state) in [("00:06:00", State::Final), ("13:00:00", State::Closed)] {
        assert_eq!(room.turned_to(now).0, state);
        assert_eq!(room.gate.public().load().timing().until, Some(at("20:00:00")), "{now}");
    }
    let room = room_of(vec![drill], at("13:00:00"));
    room.live.publish(Edition::first(snapshot(0)));
    assert_eq!(room.gate.public().load().timing().until, None, "the last one's stay");
}

#[test]
fn whoever_looks_after_the_waiting_thread_sees_that_it_has_died() {
    let report = |happening: &Happening| {
        let is_last =
            matches!(happening, Happening::Turned { to: State::Interrupted, .. } | Happening::OurFault { .. });
        assert!(!is_last, "a fault of ours");
    };
    let (gate, waiting, hands) = waiting(report);
    assert!(waiting.is_alive());
    hands.set(at("00:31:00"));
    assert!(until(|| (!waiting.is_alive()).then_some(())).is_some());
    assert_eq!(gate.public().load().told().state, State::Interrupted, "it told of it when it was done");
}

#[test]
fn a_fault_of_ours_leaves_the_deadlines_to_come() {
    let report = |happening: &Happening| {
        let is_last = matches!(happening, Happening::Turned { to: State::Interrupted, .. });
        assert!(!is_last, "a fault of ours");
    };
    let (gate, waiting, hands) = waiting(report);
    let becomes = |state| until(|| (gate.public().load().told().state == state).then_some(())).is_some();
    hands.set(at("00:31:00"));
    assert!(becomes(State::Interrupted));
    hands.set(at("23:00:00"));
    assert!(becomes(State::Closed) && waiting.is_alive());
}

/// A gate that waits, with nothing to show, from the opening on.
fn waiting(report: impl Fn(&Happening) + Send + Sync + 'static) -> (Arc<Gate>, Waiting, Hands) {
    let (clock, hands) = Clock::scripted(at("00:00:00"));
    let live = Arc::new(Live::default());
    let gate = Gate::new(plan(vec![window()]), live.clone(), clock, Arc::new(report));
    live.clear();
    let waiting = gate.start().unwrap();
    (gate, waiting, hands)
}
