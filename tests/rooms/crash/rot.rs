//! The disk ages: each file of the vault in its turn has a bit changed, cannot be read, or is gone. Never a byte of it is
//! served, what was decided holds, the corte before is shown if need be, and what is sent again mends it.

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use difusor::base::disk::Twin;
use difusor::corte::CorteId;

use super::machine::{Machine, PATIENCE, Time, one_processor};
use super::seen::Seen;
use super::{Case, Reference, each};
use crate::common::now;

/// What may happen to a file.
#[derive(Clone, Copy, Debug)]
enum Damage {
    /// One bit, this far into the file, in hundredths.
    Bit(u64),
    Unreadable,
    Gone,
}

const DAMAGES: [Damage; 5] = [Damage::Bit(0), Damage::Bit(50), Damage::Bit(99), Damage::Unreadable, Damage::Gone];

impl Damage {
    fn befalls(self, twin: &Twin, path: &Path) {
        match self {
            Damage::Bit(at) => {
                let len = twin.disk().stat(path).unwrap().len;
                twin.rot(path, len * 8 * at / 100).unwrap();
            }
            Damage::Unreadable => twin.spoil(path).unwrap(),
            Damage::Gone => twin.take_away(path).unwrap(),
        }
    }
}

/// The night until after so many steps, with all that is compressed in the vault.
fn until(reference: &Reference, steps: usize) -> Machine {
    let (events, inbox) = sync_channel(64);
    let mut machine = Machine::start(&Machine::empty_disk(), &Time::at(now()), Some(events)).unwrap();
    for step in 0..steps {
        machine.step(&reference.night, step);
        machine.improve(&inbox);
    }
    assert_eq!(machine.seen(&reference.night), reference.seen[steps]);
    machine
}

/// Starts again, with nothing in the incoming folder.
fn again(machine: &Machine) -> Machine {
    let mut again = Machine::start(&machine.twin, &machine.time.after(PATIENCE), None).unwrap();
    again.empty();
    again.work();
    again
}

/// Whether it may be that another corte is shown because of damage to this file.
fn is_needed(path: &Path, shown: CorteId) -> bool {
    path.parent().is_some_and(|folder| folder.ends_with(format!("cortes/{shown}")))
}

struct Damaged<'a> {
    reference: &'a Reference,
    steps: usize,
    /// What was seen before.
    seen: &'a Seen,
    is_needed: bool,
}

impl Damaged<'_> {
    /// The decisions hold, and what is shown is what was, or what was before it where that cannot be helped.
    fn check(&self, machine: &Machine) -> bool {
        let seen = machine.seen(&self.reference.night);
        if seen == *self.seen {
            return true;
        }
        assert!(self.is_needed, "{seen:?} and not {:?}\n{:#?}", self.seen, machine.log);
        assert!(seen.shown.is_some() && seen.shown < self.seen.shown, "{seen:?}\n{:#?}", machine.log);
        assert!(seen.is_held == self.seen.is_held && seen.withdrawn.is_none(), "{seen:?}");
        assert!(!machine.alarms().is_empty(), "it is told loudly");
        false
    }

    fn heals(&self, machine: Machine) {
        let machine = again(&machine);
        let is_same = self.check(&machine);
        if self.is_needed {
            assert!(!is_same, "the damage is noticed: {:#?}", machine.log);
        }
        // Once more: what was decided still holds, though an earlier corte is shown.
        let mut machine = again(&machine);
        self.check(&machine);
        machine.send_again(&self.reference.night, self.steps);
        machine.work();
        assert_eq!(machine.seen(&self.reference.night), *self.seen, "mended\n{:#?}", machine.log);
        let machine = again(&machine);
        assert_eq!(machine.seen(&self.reference.night), *self.seen, "and so it stays");
        assert_eq!(machine.alarms(), [&""; 0], "all of it is mended");
    }
}

/// Every file of the vault after so many steps of the night.
fn all_rot(steps: usize) {
    one_processor();
    let reference = Reference::new();
    let machine = until(&reference, steps);
    let seen = &reference.seen[steps];
    let shown = seen.shown.unwrap();
    let photo = machine.blob(&reference.night.package(shown).files["acta.png"]);
    let files: Vec<PathBuf> = machine.vault();
    assert!(files.contains(&photo) && files.len() > 40, "{files:?}");
    let cases: Vec<(&PathBuf, Damage)> = files.iter().flat_map(|file| DAMAGES.map(|damage| (file, damage))).collect();
    let time = machine.time.after(Duration::from_secs(60));
    each(cases.len() as u64, |n| {
        let (path, damage) = cases[n as usize];
        let _case = Case(format!("{damage:?} of {} after step {steps}", path.display()));
        let (_, twin) = machine.twin.copy();
        damage.befalls(&twin, path);
        let damaged = Damaged { reference: &reference, steps, seen, is_needed: is_needed(path, shown) };
        damaged.heals(Machine::start(&twin, &time, None).unwrap());
    });
    eprintln!("{} damages of {} files", cases.len(), files.len());
}

#[test]
fn a_vault_as_usual_ages() {
    all_rot(10);
}

#[test]
fn a_vault_with_a_withdrawn_corte_ages() {
    all_rot(11);
}

#[test]
fn a_vault_that_is_held_ages() {
    all_rot(13);
}
