//! The vault on a disk that fails: what was announced is shown again whatever happens, and never a byte that is wrong.

#[path = "crash/faults.rs"]
mod faults;
#[path = "crash/machine.rs"]
mod machine;
#[path = "crash/mend.rs"]
mod mend;
#[path = "crash/night.rs"]
mod night;
#[path = "crash/power.rs"]
mod power;
#[path = "crash/rot.rs"]
mod rot;
#[path = "crash/seen.rs"]
mod seen;
#[path = "crash/start.rs"]
mod start;

use std::convert::Infallible;

use machine::{Machine, Time};
use night::Night;
use seen::Seen;

use crate::common::now;

/// The night without any fault.
struct Reference {
    night: Night,
    /// What is seen before the first step, and after each.
    seen: Vec<Seen>,
    /// The changes of the disk until each of these moments, and all operations.
    changes: Vec<u64>,
    operations: Vec<u64>,
    /// What the vault has at the end.
    kept: Vec<difusor::corte::CorteId>,
}

impl Reference {
    fn new() -> Reference {
        let night = Night::new();
        let mut machine = Machine::start(&Machine::empty_disk(), &Time::at(now()), None).unwrap();
        let mut reference = Reference {
            seen: vec![machine.seen(&night)],
            changes: vec![machine.twin.changes()],
            operations: vec![machine.twin.operations()],
            kept: Vec::new(),
            night,
        };
        for n in 0..reference.night.steps.len() {
            machine.step(&reference.night, n);
            reference.seen.push(machine.seen(&reference.night));
            assert!(machine.kept().len() <= machine::CORTES, "step {n}: {:?}", machine.kept());
            reference.changes.push(machine.twin.changes());
            reference.operations.push(machine.twin.operations());
        }
        assert_eq!(machine.alarms(), [&""; 0]);
        reference.kept = machine.kept();
        assert_eq!(machine.refused(), ["P063"]);
        reference
    }

    /// What is done before the last step, which shows how the night went.
    fn operations(&self) -> u64 {
        self.operations[self.night.steps.len() - 1]
    }

    fn changes(&self) -> u64 {
        self.changes[self.night.steps.len() - 1]
    }

    /// The last cortes are in the vault, and as many as may be. Which is the first of them depends on when room was made:
    /// what is needed while an earlier corte is shown stays.
    fn has_kept(&self, machine: &Machine) {
        let kept = machine.kept();
        let is_same = kept.len() == self.kept.len() && kept[1..] == self.kept[1..];
        assert!(is_same, "{kept:?} and not {:?}\n{:#?}", self.kept, machine.log);
    }

    /// Whether a step is a decision, of which somebody is told that it holds.
    fn is_decided(&self, step: usize) -> bool {
        matches!(self.night.steps[step], night::Step::Wish(_))
    }
}

/// Says which case it was when a check fails in it.
struct Case(String);

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in the case of {}", self.0);
        }
    }
}

/// Does all cases on all processors, each of them on one.
fn each(cases: u64, case: impl Fn(u64) + Sync) {
    let one = |(): &mut (), n: usize| {
        case(n as u64);
        Ok::<(), Infallible>(())
    };
    let done = difusor::base::pool::each(cases as usize, machine::one_processor, one);
    let Ok(_) = done;
}

#[test]
fn the_night_goes_as_it_was_meant() {
    machine::one_processor();
    let reference = Reference::new();
    let seen: Vec<String> = reference
        .seen
        .iter()
        .map(|seen| {
            let time = seen.shown.map_or("-".into(), |id| id.to_string()[9..].to_owned());
            let withdrawn = seen.withdrawn.as_ref().map_or(String::new(), |id| format!(" -{}", &id[9..]));
            format!("{time}{withdrawn}{}", if seen.is_held { " held" } else { "" })
        })
        .collect();
    let expected = [
        "-",
        "1830",
        "1840",
        "1840",
        "1850",
        "1840 -1850",
        "1900",
        "1900 held",
        "1900 held",
        "1910",
        "1920",
        "1910 -1920",
        "1910 -1920 held",
        "1910 -1920 held",
        "1930",
        "1940",
    ];
    assert_eq!(seen, expected);
    let kept: Vec<String> = reference.kept.iter().map(ToString::to_string).collect();
    assert_eq!(kept, ["20260607_1910", "20260607_1930", "20260607_1940"]);
}
