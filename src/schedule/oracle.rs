//! The state machine held against nights that are walked second by second, and against the diagram above its enum.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{Calendar, Closed, Facts, OnInterrupted, Said, Shown, State, Window, step};
use crate::base::reckoning::{Reading, Reckoning};
use crate::corte::Tipo;

const INTERVAL_S: i64 = 600;
const GRACE_S: i64 = 60;
const PERIODS: u32 = 3;
/// Seconds after the beginning of the story.
const OPENS_S: i64 = 1_800;
const ENDS_S: i64 = 30_000;
const CLOSES_S: i64 = 36_000;
const NEXT_OPENS_S: i64 = 45_000;
const COUNTDOWN_S: i64 = 3_600;

fn at(second: i64) -> Timestamp {
    let start: Timestamp = "2026-06-08T00:00:00Z".parse().unwrap();
    start + SignedDuration::from_secs(second)
}

fn window(opens: i64, closes: i64, kind: Tipo) -> Window {
    Window {
        kind,
        opens: at(opens),
        closes: at(closes),
        interval: SignedDuration::from_secs(INTERVAL_S),
        grace: SignedDuration::from_secs(GRACE_S),
        periods: PERIODS,
        ends: at(ENDS_S),
        on_interrupted: OnInterrupted::Notice,
        closed: Closed::Keep,
        name: None,
    }
}

fn calendar() -> Calendar {
    let next = Window { ends: at(NEXT_OPENS_S + 600), ..window(NEXT_OPENS_S, NEXT_OPENS_S + 900, Tipo::Oficial) };
    let windows = vec![next, window(OPENS_S, CLOSES_S, Tipo::Simulacro)];
    Calendar::new(windows, TimeZone::UTC, SignedDuration::from_secs(COUNTDOWN_S)).unwrap()
}

/// What happens in the first window, each at its second.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A corte goes live; its stamp is so many seconds older.
    Corte {
        age_s: i64,
        is_final: bool,
    },
    SayFinal,
    Resume,
}

/// What is known after these events, and what a plain, slow reading of the call makes of it at `now`: it counts every
/// second of silence.
fn oracle(events: &[(i64, Event)], now: i64) -> (Facts, State) {
    let (mut facts, mut silence, mut has_final) = (Facts::default(), 0, false);
    let mut due_in = 0;
    for second in 0..=now {
        if second > OPENS_S {
            silence += 1;
            due_in -= 1;
        }
        for (_, event) in events.iter().filter(|(when, _)| *when == second) {
            match event {
                Event::Corte { age_s, is_final } => {
                    let stamp = at(second - age_s);
                    if facts.shown.is_some_and(|shown| stamp <= shown.stamp) {
                        continue;
                    }
                    facts = Facts { shown: Some(Shown { stamp, is_final: *is_final }), said: None };
                    has_final = *is_final;
                    // Nobody waits before the opening.
                    silence = (*age_s).min((second - OPENS_S).max(0));
                    due_in = INTERVAL_S - silence;
                }
                _ if facts.shown.is_none() => {}
                Event::SayFinal => {
                    facts.said = Some(Said::Final { at: at(second) });
                    has_final = true;
                }
                Event::Resume => {
                    facts.said = Some(Said::Resumed { at: at(second) });
                    has_final = facts.shown.is_some_and(|shown| shown.is_final);
                    silence = 0;
                }
            }
        }
    }
    let missed = (1..).take_while(|period| period * INTERVAL_S + GRACE_S <= silence).count();
    let is_interrupted = missed >= PERIODS as usize;
    let state = if now < OPENS_S {
        State::Before
    } else if now >= NEXT_OPENS_S {
        if now >= NEXT_OPENS_S + 900 { State::Closed } else { State::Waiting }
    } else if now >= NEXT_OPENS_S - COUNTDOWN_S {
        State::Before
    } else if now >= CLOSES_S {
        State::Closed
    } else if facts.shown.is_none() {
        if is_interrupted { State::Interrupted } else { State::Waiting }
    } else if has_final || now >= ENDS_S {
        State::Final
    } else if is_interrupted {
        State::Interrupted
    } else if due_in <= -GRACE_S {
        State::Late
    } else {
        State::Current
    };
    (facts, state)
}

/// The facts as the gate would know them: cortes of an earlier window are nothing to the next.
fn known(calendar: &Calendar, facts: Facts, now: Timestamp) -> Facts {
    let window = calendar.governing(now);
    let is_here = facts.shown.is_some_and(|shown| calendar.is_for(window, Tipo::Simulacro, shown.stamp));
    if is_here { facts } else { Facts::default() }
}

fn events() -> impl Strategy<Value = Vec<(i64, Event)>> {
    let corte = (0i64..900, prop::bool::weighted(0.04)).prop_map(|(age_s, is_final)| Event::Corte { age_s, is_final });
    let event = prop_oneof![12 => corte, 1 => Just(Event::SayFinal), 1 => Just(Event::Resume)];
    prop::collection::vec((0i64..CLOSES_S, event), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn random_nights_are_as_the_call_wants_them(events in events(), moments in prop::collection::vec(0i64..NEXT_OPENS_S + 2_000, 30)) {
        let calendar = calendar();
        for now in moments {
            let (facts, expected) = oracle(&events, now);
            let stands = step(&calendar, at(now), &known(&calendar, facts, at(now)));
            prop_assert_eq!(stands.state, expected, "at {}: {:?}", now, stands);
            // Nothing changes by time alone before it says so, and something does then.
            let next = stands.next.map(|next| next.duration_since(at(0)).as_secs());
            prop_assert!(next.is_none_or(|next| next > now));
            let until = next.unwrap_or(NEXT_OPENS_S * 2);
            for later in [now + 1, (now + until) / 2, until - 1] {
                let same = step(&calendar, at(later.max(now)), &known(&calendar, facts, at(later.max(now))));
                if later < until {
                    prop_assert_eq!((same.state, same.since), (stands.state, stands.since), "{} to {}", now, later);
                }
            }
            if let Some(next) = next {
                let then = step(&calendar, at(next), &known(&calendar, facts, at(next)));
                prop_assert!(then.state != stands.state || then.reason != stands.reason || then.window != stands.window);
            }
        }
    }

    /// The same on a machine whose wall clock jumps, that sleeps, and is started again.
    #[test]
    fn whatever_the_clock_does(
        events in events(),
        steps in prop::collection::vec((1u64..1_500, prop_oneof![Just(0i64), -90_000i64..90_000], any::<bool>(), prop::bool::weighted(0.1)), 1..60),
    ) {
        let calendar = calendar();
        let (mut passed, mut slept, mut made_at) = (0u64, 0u64, 0u64);
        let read = |passed: u64, slept: u64, made_at: u64, off: i64| Reading {
            wall: at(passed as i64 + off),
            elapsed: Duration::from_secs(passed - slept - made_at),
            suspended: Duration::from_secs(slept),
            is_synchronised: Some(true),
        };
        let mut reckoning = Reckoning::new(read(0, 0, 0, 0));
        for (by, jump, sleeps, restarts) in steps {
            passed += by;
            slept += if sleeps { by } else { 0 };
            // Between two looks a clock may be off by any amount that is no small correction.
            let mut off = if jump.abs() <= 3 { 0 } else { jump };
            if restarts {
                // Whoever starts it on a wrong clock cannot be helped.
                (off, made_at) = (0, passed - slept);
                reckoning = Reckoning::new(read(passed, slept, made_at, off));
            }
            let reading = read(passed, slept, made_at, off);
            reckoning.check(reading);
            let now = reckoning.now(reading.elapsed);
            prop_assert_eq!(now, at(passed as i64), "off by {}", off);
            let (facts, expected) = oracle(&events, passed as i64);
            prop_assert_eq!(step(&calendar, now, &known(&calendar, facts, now)).state, expected);
        }
    }
}

/// Walks a night second by second under every kind of event, and notes each change of state.
#[test]
fn the_diagram_is_complete() {
    use State::*;
    let calendar = calendar();
    let corte = |age_s, is_final| Event::Corte { age_s, is_final };
    let nights: [&[(i64, Event)]; 9] = [
        &[],
        &[(1_000, corte(0, false))],
        &[(2_000, corte(60, false)), (3_500, corte(60, false)), (5_000, corte(60, true))],
        &[(2_000, corte(0, false)), (2_900, Event::SayFinal), (9_000, corte(0, false))],
        &[(2_000, corte(0, false)), (5_000, Event::Resume), (9_000, corte(0, false))],
        &[(2_000, corte(0, false)), (6_000, Event::SayFinal)],
        &[(29_500, corte(0, false)), (29_990, corte(0, false))],
        &[(29_000, corte(0, false)), (29_100, corte(0, true))],
        &[(5_000, corte(0, true)), (5_200, Event::Resume)],
    ];
    let mut seen = BTreeSet::new();
    for night in nights {
        let mut before = None;
        for now in (0..NEXT_OPENS_S + 1_000).step_by(20) {
            let events: Vec<_> = night.iter().filter(|(when, _)| *when <= now).copied().collect();
            let facts = facts(&events);
            let state = step(&calendar, at(now), &known(&calendar, facts, at(now))).state;
            if let Some(before) = before.filter(|before| *before != state) {
                seen.insert((before as u8, state as u8));
            }
            before = Some(state);
        }
    }
    let drawn = [
        (Before, Waiting),
        (Before, Current),
        (Waiting, Current),
        (Waiting, Interrupted),
        (Current, Late),
        (Current, Final),
        (Late, Current),
        (Late, Interrupted),
        (Late, Final),
        (Interrupted, Current),
        (Interrupted, Late),
        (Interrupted, Final),
        (Interrupted, Closed),
        (Waiting, Closed),
        (Final, Current),
        (Final, Closed),
        (Closed, Before),
    ];
    let drawn: BTreeSet<(u8, u8)> = drawn.into_iter().map(|(from, to)| (from as u8, to as u8)).collect();
    assert_eq!(seen, drawn);
}

/// Facts after these events, in order.
fn facts(events: &[(i64, Event)]) -> Facts {
    events.iter().fold(Facts::default(), |facts, (second, event)| match event {
        Event::Corte { age_s, is_final } => {
            Facts { shown: Some(Shown { stamp: at(second - age_s), is_final: *is_final }), said: None }
        }
        Event::SayFinal => Facts { said: Some(Said::Final { at: at(*second) }), ..facts },
        Event::Resume => Facts { said: Some(Said::Resumed { at: at(*second) }), ..facts },
    })
}

#[test]
fn the_calls_own_night() {
    let calendar = calendar();
    let shown = |stamp| Facts { shown: Some(Shown { stamp: at(stamp), is_final: false }), said: None };
    let state = |now, facts: &Facts| step(&calendar, at(now), facts).state;
    assert_eq!(state(OPENS_S - 1, &shown(OPENS_S - 600)), State::Before, "not one second early");
    assert_eq!(state(OPENS_S, &shown(OPENS_S - 600)), State::Current, "a corte from before the opening counts from it");
    let facts = shown(3_000);
    assert_eq!(state(3_000 + 659, &facts), State::Current);
    assert_eq!(state(3_000 + 660, &facts), State::Late);
    assert_eq!(state(3_000 + 1859, &facts), State::Late);
    assert_eq!(state(3_000 + 1860, &facts), State::Interrupted, "in the 32nd minute after the corte's stamp");
    assert_eq!(state(ENDS_S, &facts), State::Final, "after a day nothing is late");
}

#[test]
fn cortes_belong_to_the_window_of_their_stamp_and_kind() {
    let calendar = calendar();
    let is_for = |window, kind, second| calendar.is_for(window, kind, at(second));
    assert!(is_for(0, Tipo::Simulacro, 2_000) && !is_for(0, Tipo::Oficial, 2_000));
    let earliest = OPENS_S - COUNTDOWN_S;
    assert!(is_for(0, Tipo::Simulacro, earliest), "what comes in its countdown");
    assert!(
        !is_for(0, Tipo::Simulacro, earliest - 1),
        "the first window governs from ever, but old cortes are not its own"
    );
    assert!(calendar.clone().open_ended().is_for(0, Tipo::Simulacro, at(-9_000_000)));
    assert!(is_for(0, Tipo::Simulacro, CLOSES_S + 10), "until the next begins");
    let begins = NEXT_OPENS_S - COUNTDOWN_S;
    assert!(is_for(0, Tipo::Simulacro, begins - 1) && !is_for(0, Tipo::Simulacro, begins));
    assert!(is_for(1, Tipo::Oficial, begins) && !is_for(1, Tipo::Oficial, begins - 1));
    assert!(is_for(1, Tipo::Oficial, NEXT_OPENS_S + 9_000_000), "the last one lasts");
}
