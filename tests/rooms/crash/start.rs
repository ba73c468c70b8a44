//! The start itself, on a disk that fails or is full: what was announced is shown all the same.

use std::path::PathBuf;

use difusor::base::disk::{At, Twin};

use super::machine::{Machine, PATIENCE, Time, one_processor};
use super::seen::Seen;
use super::{Case, Reference};
use crate::common::now;

/// The disks as they are found after each step of the night, and what must be seen then.
fn disks(reference: &Reference) -> Vec<(Twin, Time, Seen)> {
    let mut machine = Machine::start(&Machine::empty_disk(), &Time::at(now()), None).unwrap();
    let after = |step: usize| {
        machine.step(&reference.night, step);
        let (_, twin) = machine.twin.copy();
        (twin, machine.time.after(PATIENCE), reference.seen[step + 1].clone())
    };
    (0..reference.night.steps.len()).map(after).collect()
}

/// Starts with nothing in the incoming folder.
fn start(twin: &Twin, time: &Time) -> Result<Machine, String> {
    let mut machine = Machine::start(twin, time, None)?;
    machine.empty();
    machine.work();
    Ok(machine)
}

#[test]
fn a_full_disk_shows_what_it_has() {
    one_processor();
    let reference = Reference::new();
    for (step, (disk, time, seen)) in disks(&reference).iter().enumerate() {
        let _case = Case(format!("a full disk after step {step}"));
        let (_, twin) = disk.copy();
        twin.has_room_for(0);
        let machine = start(&twin, time).unwrap();
        assert_eq!(machine.seen(&reference.night), *seen, "{:#?}", machine.log);
    }
}

#[test]
fn a_full_disk_with_a_damaged_corte_shows_the_one_before() {
    one_processor();
    let reference = Reference::new();
    for (step, (disk, time, seen)) in disks(&reference).iter().enumerate().skip(1) {
        let _case = Case(format!("a full and damaged disk after step {step}"));
        let (_, twin) = disk.copy();
        let end = PathBuf::from(format!("cortes/{}/entry.json", seen.shown.unwrap()));
        let entry = twin.files("/state".as_ref()).into_iter().find(|path| path.ends_with(&end)).unwrap();
        twin.spoil(&entry).unwrap();
        twin.has_room_for(0);
        for _ in 0..2 {
            let machine = start(&twin, time).unwrap();
            let found = machine.seen(&reference.night);
            assert!(found.shown.is_some() && found.shown < seen.shown, "{found:?}\n{:#?}", machine.log);
            assert_eq!(found.is_held, seen.is_held);
            assert!(!machine.alarms().is_empty());
        }
    }
}

#[test]
fn what_was_kept_and_not_announced_is_shown_once_it_can_be() {
    one_processor();
    let reference = Reference::new();
    // The last change but for the history before a corte is seen is that of the head: before it all is kept.
    let (twin, time) = (Machine::empty_disk(), Time::at(now()));
    let mut machine = Machine::start(&twin, &time, None).unwrap();
    machine.step(&reference.night, 0);
    let before = twin.changes();
    for n in before..reference.changes[2] {
        let _case = Case(format!("a cut at change {n}"));
        let twin = Machine::empty_disk();
        let mut machine = Machine::start(&twin, &time.after(PATIENCE), None).unwrap();
        machine.step(&reference.night, 0);
        twin.at_change(n, At::PowerCut);
        machine.step(&reference.night, 1);
        let (_, full) = twin.copy();
        full.has_room_for(0);
        let machine = start(&full, &time.after(PATIENCE * 2)).unwrap();
        let shown = machine.seen(&reference.night);
        assert!(reference.seen[1..3].contains(&shown), "{shown:?}");
        assert_eq!(machine.announced(), shown.shown, "nobody sees what might be gone the next time");
        full.has_room_for(1 << 20);
        let then = start(&full, &time.after(PATIENCE * 3)).unwrap().seen(&reference.night);
        assert!(then.shown >= shown.shown, "{then:?} after {shown:?}");
    }
}
