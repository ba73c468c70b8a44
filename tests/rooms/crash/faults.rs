//! Every single operation fails once, or takes minutes: what is live stays live, and what was hindered is done later.

use std::io::ErrorKind;
use std::time::Duration;

use difusor::base::disk::{At, Twin};

use super::machine::{Machine, PATIENCE, Time};
use super::seen::Seen;
use super::{Case, Reference, each, machine};
use crate::common::now;

/// So often is tried what a fault has hindered once.
const TRIES: usize = 4;
/// Of the operations of a whole night one in so many fails or takes its time.
const SOME: u64 = 7;
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

/// Does a step until it is done.
fn insist(reference: &Reference, machine: &mut Machine, step: usize, seed: u64) {
    let (before, after) = (&reference.seen[step], &reference.seen[step + 1]);
    for tried in 1.. {
        machine.step(&reference.night, step);
        let seen = machine.seen(&reference.night);
        if seen == *after && machine.has_taken(&reference.night, step) {
            return;
        }
        assert!(seen == *before || seen == *after, "what was live stays live, step {step}\n{:#?}", machine.log);
        let then = after_restart(reference, machine, seed);
        assert!(then.iter().all(|then| then == before || then == after), "{step}: {then:?}\n{:#?}", machine.log);
        assert!(tried < TRIES, "step {step} does not come to {after:?}\n{:#?}", machine.log);
        machine.time.hands.advance(PATIENCE);
    }
}

/// The whole night, each step until it is done.
fn play(reference: &Reference, mut machine: Machine, seed: u64) {
    (0..reference.night.steps.len()).for_each(|step| insist(reference, &mut machine, step, seed));
    reference.has_kept(&machine);
    let last = reference.seen.last().unwrap();
    assert!(after_restart(reference, &machine, seed).iter().all(|then| then == last));
}

#[test]
fn an_operation_may_fail_once_in_the_night() {
    machine::one_processor();
    let reference = Reference::new();
    let nights = reference.operations() / SOME;
    each(nights, |n| {
        let _case = Case(format!("a failure of operation {}", n * SOME));
        let twin = Machine::empty_disk();
        twin.at(n * SOME, At::Fail(ErrorKind::Other));
        play(&reference, start(&twin, &Time::at(now())), n);
    });
    eprintln!("{nights} nights");
}

#[test]
fn any_change_may_find_the_disk_full() {
    machine::one_processor();
    let reference = Reference::new();
    let nights = reference.changes();
    each(nights, |n| {
        let _case = Case(format!("no room for change {n}"));
        let twin = Machine::empty_disk();
        twin.at_change(n, At::Fail(ErrorKind::StorageFull));
        play(&reference, start(&twin, &Time::at(now())), n);
    });
    eprintln!("{nights} nights");
}

/// Every operation of a start with an empty incoming folder, and of the step after it.
#[test]
fn any_operation_may_fail_once_after_a_start() {
    machine::one_processor();
    let reference = Reference::new();
    let mut night = start(&Machine::empty_disk(), &Time::at(now()));
    for step in 0..reference.night.steps.len() {
        let (seen, time) = (&reference.seen[step], night.time.after(PATIENCE));
        night.empty();
        let (_, disk) = night.twin.copy();
        let play = |twin: &Twin, seed: u64| {
            let mut machine = start(twin, &time);
            assert_eq!(machine.seen(&reference.night), *seen, "what was announced is shown\n{:#?}", machine.log);
            machine.work();
            insist(&reference, &mut machine, step, seed);
            let then = after_restart(&reference, &machine, seed);
            assert!(then.iter().all(|then| *then == reference.seen[step + 1]), "{then:?}\n{:#?}", machine.log);
        };
        let (_, twin) = disk.copy();
        play(&twin, 0);
        let operations = twin.operations();
        each(operations, |n| {
            let _case = Case(format!("a failure of operation {n} of a start and step {step}"));
            let (_, twin) = disk.copy();
            twin.at(n, At::Fail(ErrorKind::Other));
            play(&twin, n);
        });
        eprintln!("{operations} starts before step {step}");
        night.step(&reference.night, step);
    }
}

#[test]
fn any_operation_may_take_minutes() {
    machine::one_processor();
    let reference = Reference::new();
    let nights = reference.operations() / SOME;
    each(nights, |n| {
        let _case = Case(format!("a delay at operation {}", n * SOME));
        let (twin, time) = (Machine::empty_disk(), Time::at(now()));
        let hands = time.hands.clone();
        twin.at(n * SOME, At::Call(Box::new(move || hands.advance(DELAY))));
        play(&reference, start(&twin, &time), n);
    });
    eprintln!("{nights} nights with a delay");
}

#[test]
fn all_operations_may_take_minutes() {
    machine::one_processor();
    let reference = Reference::new();
    let (twin, time) = (Machine::empty_disk(), Time::at(now()));
    for n in 0..reference.operations() * 2 {
        let hands = time.hands.clone();
        twin.at(n, At::Call(Box::new(move || hands.advance(DELAY))));
    }
    play(&reference, start(&twin, &time), 0);
}
