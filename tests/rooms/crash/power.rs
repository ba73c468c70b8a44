//! The power goes at every single change of the disk, and now and then again while the machine starts up.

use std::time::Duration;

use difusor::base::disk::{At, Twin};

use super::machine::{Machine, Time};
use super::seen::Seen;
use super::{Case, Reference, each};
use crate::common::now;

/// Ways in which the disk may be found after each cut.
const WAYS: u64 = 6;
/// From the cut until the machine runs again.
const DARK: Duration = Duration::from_secs(60);

/// A machine that lost its power.
struct Cut {
    twin: Twin,
    time: Time,
    /// The step that was under way.
    step: usize,
    /// What may be seen when it runs again.
    may_be_seen: Vec<Seen>,
}

/// The night until the nth change; nothing where there are not so many.
fn cut(reference: &Reference, n: u64) -> Cut {
    let (twin, time) = (Machine::empty_disk(), Time::at(now()));
    twin.at_change(n, At::PowerCut);
    let Ok(mut machine) = Machine::start(&twin, &time, None) else {
        return Cut { twin, time, step: 0, may_be_seen: vec![Seen::default()] };
    };
    let mut step = 0;
    let mut is_done = machine.step(&reference.night, step);
    while !twin.is_dead() {
        step += 1;
        is_done = machine.step(&reference.night, step);
    }
    let (before, after) = (reference.seen[step].clone(), reference.seen[step + 1].clone());
    let last_seen = machine.seen(&reference.night);
    assert!(last_seen == before || last_seen == after, "{last_seen:?}");
    // What readers have seen, or operators were told, holds; what was under way may have come to its end or not.
    let is_settled = last_seen == after || (is_done && reference.is_decided(step));
    let may_be_seen = if is_settled { vec![after] } else { vec![before, after] };
    Cut { twin, time, step, may_be_seen }
}

/// Starts a machine whose power was cut; with some seeds it is cut again meanwhile.
fn start(cut: &Cut, seed: u64) -> Machine {
    let (_, twin) = cut.twin.after_power_cut(seed);
    let time = cut.time.after(DARK);
    if seed % 3 < 2 {
        return Machine::start(&twin, &time, None).unwrap();
    }
    twin.at_change(seed / 3 * 7 % 12, At::PowerCut);
    drop(Machine::start(&twin, &time, None));
    let (_, twin) = twin.after_power_cut(seed);
    Machine::start(&twin, &time.after(DARK), None).unwrap()
}

/// Goes on from the cut: the step that was under way, and for one of the ways the whole night.
fn go_on(reference: &Reference, cut: &Cut, seed: u64) {
    let night = &reference.night;
    let mut machine = start(cut, seed);
    if seed.is_multiple_of(2) {
        machine.empty();
    }
    let seen = machine.seen(night);
    assert!(cut.may_be_seen.contains(&seen), "{seen:?} and not {:?}\n{:#?}", cut.may_be_seen, machine.log);
    assert_eq!(machine.alarms(), [&""; 0], "a cut damages nothing");
    machine.work();
    if seed.is_multiple_of(2) {
        assert_eq!(machine.seen(night), seen, "no source is reachable");
        machine.fill(night, cut.step);
        machine.work();
    }
    let is_whole = seed % WAYS == cut.step as u64 % WAYS;
    for step in cut.step..if is_whole { night.steps.len() } else { cut.step + 1 } {
        machine.step(night, step);
        assert_eq!(machine.seen(night), reference.seen[step + 1], "after step {step}\n{:#?}", machine.log);
        machine.time.hands.advance(DARK);
    }
    assert_eq!(machine.alarms(), [&""; 0]);
    if !is_whole {
        return;
    }
    reference.has_kept(&machine);
    assert!(machine.refused().contains(&"P063".into()), "of what was refused a copy is kept");
}

#[test]
fn a_power_cut_at_any_change_loses_nothing_that_was_announced() {
    super::machine::one_processor();
    let reference = Reference::new();
    let cuts = reference.changes();
    each(cuts, |n| {
        let case = Case(format!("a power cut at change {n}"));
        let cut = cut(&reference, n);
        drop(case);
        for way in 0..WAYS {
            let seed = n * WAYS + way;
            let _case = Case(format!("a power cut at change {n} in step {}, seed {seed}", cut.step));
            go_on(&reference, &cut, seed);
        }
    });
    eprintln!("{cuts} cuts, each found in {WAYS} ways");
}
