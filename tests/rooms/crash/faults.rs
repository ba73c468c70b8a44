//! Every single operation fails once, or takes minutes: what is live stays live, and what was hindered is done later.

use std::io::ErrorKind;
use std::time::Duration;

use difusor::base::disk::{At, Twin};

use super::machine::{Machine, PATIENCE, Seen, Time};
use super::{Case, Reference, each, machine};
use crate::common::now;

/// So often is tried what a fault has hindered once.
const TRIES: usize = 4;
/// Of the operations one in so many is made to take its time.
const DELAYED: u64 = 5;
/// Of the nights in which any operation fails, one in so many is played to its end.
const WHOLE: u64 = 5;
const DELAY: Duration = Duration::from_secs(7 * 60);

/// Starts it, as systemd does, until it runs.
fn start(twin: &Twin, time: &Time) -> Machine {
    let start = |_| Machine::start(twin, time, None).ok();
    (0..TRIES).find_map(start).expect("what failed once goes well the next time")
}

/// What is seen when the machine starts again, with no source reachable: after the process was killed, or after a power
/// cut.
fn after_restart(reference: &Reference, machine: &Machine, seed: u64) -> [Seen; 2] {
    [machine.twin.copy(), machine.twin.after_power_cut(seed)].map(|(_, twin)| {
        let mut after = Machine::start(&twin, &machine.time.after(PATIENCE), None).unwrap();
        after.empty();
        after.work();
        assert_eq!(after.alarms(), [&""; 0], "one fault damages nothing\n{:#?}", machine.log);
        after.seen(&reference.night)
    })
}

/// The night, each step until it is done. One that is played `until` an operation ends with the step after that one.
fn play(reference: &Reference, mut machine: Machine, seed: u64, until: Option<u64>) {
    for step in 0..reference.night.steps.len() {
        let (before, after) = (&reference.seen[step], &reference.seen[step + 1]);
        let is_last = until.is_some_and(|n| machine.twin.operations() > n);
        for tried in 1.. {
            machine.step(&reference.night, step);
            let seen = machine.seen(&reference.night);
            if seen == *after && machine.has_taken(&reference.night, step) {
                break;
            }
            assert!(seen == *before || seen == *after, "what was live stays live, step {step}\n{:#?}", machine.log);
            let then = after_restart(reference, &machine, seed);
            assert!(then.iter().all(|then| then == before || then == after), "{step}: {then:?}\n{:#?}", machine.log);
            assert!(tried < TRIES, "step {step} does not come to {after:?}\n{:#?}", machine.log);
            machine.time.hands.advance(PATIENCE);
        }
        if is_last {
            assert!(after_restart(reference, &machine, seed).iter().all(|then| then == after));
            return;
        }
    }
    assert_eq!(machine.kept(), reference.kept, "{:#?}", machine.log);
    let last = reference.seen.last().unwrap();
    assert!(after_restart(reference, &machine, seed).iter().all(|then| then == last));
}

fn one_fails(kind: ErrorKind, is_operation: bool) {
    machine::one_processor();
    let reference = Reference::new();
    let nights = if is_operation { reference.operations() } else { reference.changes() };
    each(nights, |n| {
        let _case = Case(format!("{kind:?} at {n}"));
        let twin = Machine::new();
        if is_operation {
            twin.at(n, At::Fail(kind))
        } else {
            twin.at_change(n, At::Fail(kind))
        }
        let until = (is_operation && !n.is_multiple_of(WHOLE)).then_some(n);
        play(&reference, start(&twin, &Time::at(now())), n, until);
    });
    eprintln!("{nights} nights with {kind:?}");
}

#[test]
fn any_operation_may_fail_once() {
    one_fails(ErrorKind::Other, true);
}

#[test]
fn any_change_may_find_the_disk_full() {
    one_fails(ErrorKind::StorageFull, false);
}

#[test]
fn any_operation_may_take_minutes() {
    machine::one_processor();
    let reference = Reference::new();
    let nights = reference.operations() / DELAYED;
    each(nights, |n| {
        let _case = Case(format!("a delay at operation {}", n * DELAYED));
        let (twin, time) = (Machine::new(), Time::at(now()));
        let hands = time.hands.clone();
        twin.at(n * DELAYED, At::Call(Box::new(move || hands.advance(DELAY))));
        play(&reference, start(&twin, &time), n, Some(n * DELAYED));
    });
    eprintln!("{nights} nights with a delay");
}

#[test]
fn all_operations_may_take_minutes() {
    machine::one_processor();
    let reference = Reference::new();
    let (twin, time) = (Machine::new(), Time::at(now()));
    for n in 0..reference.operations() * 2 {
        let hands = time.hands.clone();
        twin.at(n, At::Call(Box::new(move || hands.advance(DELAY))));
    }
    play(&reference, start(&twin, &time), 0, None);
}
