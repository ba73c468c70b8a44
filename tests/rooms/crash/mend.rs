//! What a damaged vault does next: nothing more is lost, decisions hold, and whatever comes again mends it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use difusor::base::disk::At;
use difusor::corte::Tipo;
use difusor::ingest::{Event, Wish};
use difusor::store::Vault;

use super::machine::{Machine, PATIENCE, Time, one_processor};
use super::night::{AGAIN, Night, Package, SPOILT};
use crate::common::{ELECTION, now};

/// The night until after so many steps, and then a start with nothing in the incoming folder.
fn after(night: &Night, steps: usize, damage: impl FnOnce(&Machine)) -> Machine {
    one_processor();
    let mut machine = Machine::start(&Machine::empty_disk(), &Time::at(now()), None).unwrap();
    for step in 0..steps {
        machine.step(night, step);
    }
    damage(&machine);
    machine.empty();
    let mut machine = Machine::start(&machine.twin, &machine.time.after(PATIENCE), None).unwrap();
    machine.work();
    machine
}

/// A file of a corte's folder in the vault.
fn of(machine: &Machine, package: &Package, name: &str) -> PathBuf {
    let end = Path::new("cortes").join(package.id.to_string()).join(name);
    machine.vault().into_iter().find(|path| path.ends_with(&end)).unwrap()
}

/// What is shown, without the day; what is withdrawn.
fn shown(machine: &Machine, night: &Night) -> String {
    let seen = machine.seen(night);
    let withdrawn = seen.withdrawn.map_or(String::new(), |id| format!(" -{}", &id[9..]));
    format!("{}{withdrawn}", &seen.shown.unwrap().to_string()[9..])
}

fn reason() -> String {
    "así se decidió".into()
}

#[test]
fn a_file_that_is_gone_comes_back_with_the_next_corte_that_has_it() {
    let night = Night::new();
    let mut machine = after(&night, 2, |_| {});
    // Nobody has reason to look at it before it is needed.
    let gone = machine.blob(&night.packages[0].files["index.html"]);
    machine.twin.take_away(&gone).unwrap();
    machine.put(&night.packages[AGAIN], true);
    machine.work();
    assert_eq!(shown(&machine, &night), "1950", "{:#?}", machine.log);
    let machine = Machine::start(&machine.twin, &machine.time.after(PATIENCE), None).unwrap();
    assert_eq!(shown(&machine, &night), "1950");
    assert_eq!(machine.alarms(), [&""; 0]);
}

#[test]
fn what_can_be_compressed_again_keeps_no_corte_out() {
    let night = Night::new();
    let mut machine = after(&night, 2, |_| {});
    let root = Vault::root(Path::new("/state"), ELECTION, Tipo::Oficial);
    machine.twin.take_away(&root.join("coded")).unwrap();
    machine.put(&night.packages[3], true);
    machine.work();
    assert_eq!(shown(&machine, &night), "1850", "{:#?}", machine.log);
    let alarms = machine.alarms();
    assert!(alarms.len() == 1 && alarms[0].starts_with("Unreadable"), "{alarms:?}");
}

#[test]
fn what_was_decided_holds_though_the_head_is_lost_twice() {
    let night = Night::new();
    // While one is withdrawn, while it is held, and at the end.
    for steps in [11, 13, night.steps.len()] {
        for is_gone in [false, true] {
            let mut before = None;
            let machine = after(&night, steps, |machine| {
                before = Some(machine.seen(&night));
                for name in ["head", "head.copy"] {
                    let path = Vault::root(Path::new("/state"), ELECTION, Tipo::Oficial).join("cortes").join(name);
                    if is_gone { machine.twin.take_away(&path) } else { machine.twin.spoil(&path) }.unwrap();
                }
            });
            assert_eq!(Some(machine.seen(&night)), before, "{steps} {:#?}", machine.log);
            assert!(machine.alarms().iter().any(|line| line.contains("head")), "{:#?}", machine.log);
            let machine = Machine::start(&machine.twin, &machine.time.after(PATIENCE), None).unwrap();
            assert_eq!(Some(machine.seen(&night)), before, "{steps}");
            assert_eq!(machine.alarms(), [&""; 0], "it was put in its place");
        }
    }
}

#[test]
fn an_entry_that_cannot_be_read_keeps_its_files() {
    let night = Night::new();
    let package = &night.packages[1];
    let broken = |machine: &Machine| machine.twin.spoil(&of(machine, package, "entry.json")).unwrap();
    let files = |machine: &Machine| package.files.values().all(|bytes| machine.vault().contains(&machine.blob(bytes)));
    let mut machine = after(&night, 2, broken);
    assert_eq!(shown(&machine, &night), "1830");
    machine.put(&night.packages[3], true);
    machine.work();
    assert_eq!(shown(&machine, &night), "1850");
    assert!(files(&machine), "a later corte removes nothing of it");
    // It is sent again, and that fails somewhere.
    for n in 0..40 {
        let mut machine = after(&night, 2, broken);
        machine.twin.at_change(machine.twin.changes() + n, At::Fail(ErrorKind::StorageFull));
        machine.put(package, true);
        machine.work();
        assert!(files(&machine), "fault {n}: {:#?}", machine.log);
        machine.time.hands.advance(PATIENCE);
        machine.work();
        assert_eq!(shown(&machine, &night), "1840", "fault {n}: {:#?}", machine.log);
    }
}

#[test]
fn room_is_made_though_an_earlier_corte_cannot_be_read() {
    let night = Night::new();
    let package = &night.packages[1];
    for name in ["SHA256SUMS", "entry.json"] {
        let mut machine = after(&night, 4, |machine| machine.twin.spoil(&of(machine, package, name)).unwrap());
        assert_eq!(shown(&machine, &night), "1850");
        for n in [4, 5] {
            machine.put(&night.packages[n], true);
            machine.work();
        }
        assert_eq!((shown(&machine, &night), machine.kept().len()), ("1910".into(), 3), "{name}");
        assert!(!machine.alarms().iter().any(|line| line.starts_with("StoreFailed")), "{name}: {:#?}", machine.log);
        assert!(!machine.vault().contains(&machine.blob(&package.files["index.html"])), "what only it had goes, too");
        let machine = Machine::start(&machine.twin, &machine.time.after(PATIENCE), None).unwrap();
        assert_eq!(shown(&machine, &night), "1910");
        assert_eq!(machine.alarms(), [&""; 0], "{name}");
    }
}

#[test]
fn damage_to_an_earlier_corte_is_told_once_it_is_found() {
    let night = Night::new();
    let earlier = &night.packages[0];
    let mut machine = after(&night, 2, |_| {});
    // A digit of the digest of a file: it still looks like a list.
    let list = of(&machine, earlier, "SHA256SUMS");
    let at = earlier.tree.bytes("SHA256SUMS").iter().position(|b| matches!(b, b'2' | b'4' | b'6')).unwrap();
    machine.twin.rot(&list, at as u64 * 8).unwrap();
    for n in [3, 4] {
        machine.put(&night.packages[n], true);
        machine.work();
        let told = machine.alarms().iter().filter(|line| line.contains("Unusable") && line.contains("1830")).count();
        assert_eq!(told, 1, "{:#?}", machine.log);
    }
    assert!(!machine.kept().contains(&earlier.id), "it was the first to go");
}

#[test]
fn nothing_is_removed_while_the_list_of_what_is_shown_cannot_be_read() {
    let night = Night::new();
    let mut machine = after(&night, 4, |_| {});
    assert!(machine.wish(Wish::Hold { reason: reason() }));
    machine.twin.spoil(&of(&machine, &night.packages[3], "SHA256SUMS")).unwrap();
    machine.put(&night.packages[4], true);
    machine.work();
    assert_eq!((shown(&machine, &night), machine.kept().len()), ("1850".into(), 4));
    assert!(machine.alarms()[0].contains("1850"), "{:#?}", machine.log);
    machine.put(&night.packages[3], true);
    machine.work();
    machine.put(&night.packages[5], true);
    machine.work();
    assert_eq!((shown(&machine, &night), machine.kept().len()), ("1850".into(), 3), "{:#?}", machine.log);
}

#[test]
fn one_copy_mends_all_that_is_rotten() {
    let night = Night::new();
    let package = &night.packages[1];
    let mut machine = after(&night, 2, |machine| {
        for name in ["index.html", "datos/total.json"] {
            machine.twin.rot(&machine.blob(&package.files[name]), 77).unwrap();
        }
    });
    assert_eq!(shown(&machine, &night), "1830");
    machine.put(package, true);
    machine.work();
    assert_eq!(shown(&machine, &night), "1840");
    machine.empty();
    let machine = Machine::start(&machine.twin, &machine.time.after(PATIENCE), None).unwrap();
    assert_eq!(shown(&machine, &night), "1840", "{:#?}", machine.log);
    assert_eq!(machine.alarms(), [&""; 0]);
}

#[test]
fn a_corte_whose_folder_is_lost_is_not_forgotten() {
    let night = Night::new();
    let package = &night.packages[3];
    let lose =
        |machine: &Machine| machine.twin.take_away(of(machine, package, "entry.json").parent().unwrap()).unwrap();
    let mut machine = after(&night, 4, lose);
    assert_eq!(shown(&machine, &night), "1840");
    assert!(machine.alarms()[0].contains("1850"), "it is told: {:#?}", machine.log);
    let Package { id, tree, files } = Night::new().packages.swap_remove(SPOILT);
    machine.put(&Package { id, tree: tree.with("sitio/acta.png", &files["acta.png"][..]), files }, true);
    machine.work();
    assert!(machine.refused().contains(&"P081".into()), "nothing before it is taken: {:#?}", machine.log);
    machine.put(package, true);
    machine.work();
    assert_eq!(shown(&machine, &night), "1850", "{:#?}", machine.log);
}

#[test]
fn a_damaged_corte_does_not_keep_a_hold_from_ending() {
    let night = Night::new();
    let mut machine = after(&night, 8, |_| {});
    assert_eq!(shown(&machine, &night), "1900");
    let damaged = &night.packages[5];
    machine.twin.spoil(&of(&machine, damaged, "SHA256SUMS")).unwrap();
    assert!(machine.wish(Wish::Release { reason: reason() }));
    assert_eq!(shown(&machine, &night), "1900");
    assert!(machine.alarms()[0].contains("1910"), "{:#?}", machine.log);
    machine.put(damaged, true);
    machine.work();
    assert_eq!(shown(&machine, &night), "1910");
}

#[test]
fn what_is_withdrawn_stays_so_when_it_is_mended() {
    let night = Night::new();
    for name in ["SHA256SUMS", "entry.json"] {
        let damaged = &night.packages[6];
        let mut machine = after(&night, 10, |machine| machine.twin.spoil(&of(machine, damaged, name)).unwrap());
        assert_eq!(shown(&machine, &night), "1910");
        assert!(machine.wish(Wish::Rollback { corte: night.packages[4].id, seen: None, reason: reason() }));
        assert_eq!(shown(&machine, &night), "1900 -1920", "{name}");
        machine.put(damaged, true);
        machine.work();
        let machine = Machine::start(&machine.twin, &machine.time.after(PATIENCE), None).unwrap();
        assert_eq!(shown(&machine, &night), "1900 -1920", "{name}");
        assert_eq!(machine.alarms(), [&""; 0], "{name}");
    }
}

#[test]
fn a_corte_is_mended_as_often_as_it_is_damaged() {
    let night = Night::new();
    let package = &night.packages[1];
    let mut machine = after(&night, 2, |machine| machine.twin.spoil(&of(machine, package, "SHA256SUMS")).unwrap());
    assert_eq!(shown(&machine, &night), "1830");
    for times in 1..4 {
        machine.put(package, true);
        machine.work();
        assert_eq!(shown(&machine, &night), "1840", "{times}: {:#?}", machine.log);
        machine.twin.spoil(&of(&machine, package, "SHA256SUMS")).unwrap();
        assert!(!machine.wish(Wish::Hold { reason: reason() }), "it is found to be damaged");
    }
    assert!(!machine.log.iter().any(|line| line.starts_with("Waiting")), "{:#?}", machine.log);
}

#[test]
fn what_was_compressed_goes_with_its_corte() {
    one_processor();
    let night = Night::new();
    let (events, inbox) = sync_channel(64);
    let mut machine = Machine::start(&Machine::empty_disk(), &Time::at(now()), Some(events)).unwrap();
    for step in 0..night.steps.len() {
        machine.step(&night, step);
        machine.improve(&inbox);
    }
    let kept = machine.kept();
    let coded = machine.vault().into_iter().filter(|path| path.components().any(|part| part.as_os_str() == "coded"));
    let coded: Vec<PathBuf> = coded.collect();
    for package in night.packages.iter().filter(|package| !kept.contains(&package.id)) {
        for bytes in [package.tree.bytes("SHA256SUMS"), &package.files["index.html"]] {
            let name = machine.blob(bytes);
            assert!(!coded.iter().any(|path| path.file_name() == name.file_name()), "of {}", package.id);
        }
    }
    // Five files, of which two are the same, and four that we add; of two cortes some more for what was decided.
    assert!(coded.len() <= kept.len() * 9, "{}", coded.len());
}

#[test]
fn what_is_live_no_longer_gets_no_differences_back() {
    one_processor();
    let night = Night::new();
    let (events, inbox) = sync_channel(64);
    let mut machine = Machine::start(&Machine::empty_disk(), &Time::at(now()), Some(events)).unwrap();
    machine.step(&night, 0);
    machine.improve(&inbox);
    machine.step(&night, 1);
    // What was made for it is heard once it is live no longer.
    let late = machine.made(&inbox);
    let has_any = |event: &Event| matches!(event, Event::Better(better) if !better.differences.is_empty());
    assert!(late.iter().any(has_any));
    machine.put(&night.packages[3], true);
    machine.work();
    assert_eq!(shown(&machine, &night), "1850");
    late.into_iter().for_each(|event| machine.desk.hear(event));
    let edition = machine.live.load();
    let earlier: Vec<_> = edition.as_deref().unwrap().all().skip(1).collect();
    assert!(earlier.iter().any(|one| one.corte().id == night.packages[1].id));
    assert!(earlier.iter().all(|one| one.differences().is_empty()));
}

#[test]
fn a_corte_whose_entry_is_lost_leaves_its_place_in_the_chain_and_gets_it_back() {
    let night = Night::new();
    let whole = after(&night, 2, |_| {}).chain();
    assert_eq!(whole.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [night.packages[0].id, night.packages[1].id]);
    let broken = |machine: &Machine| machine.twin.spoil(&of(machine, &night.packages[1], "entry.json")).unwrap();
    let mut machine = after(&night, 2, broken);
    // What comes next is linked to it all the same: the head remembers.
    machine.put(&night.packages[3], true);
    machine.work();
    let chain = machine.chain();
    assert_eq!((chain[1].0, chain[1].1.before, chain[1].1.number), (night.packages[3].id, whole[1].1.link, 3));
    machine.put(&night.packages[1], true);
    machine.work();
    assert_eq!(machine.chain()[..2], whole[..]);
    // And the same where it comes again at once.
    let mut machine = after(&night, 2, broken);
    machine.put(&night.packages[1], true);
    machine.work();
    assert_eq!(machine.chain(), whole);
}

#[test]
fn the_chain_tells_what_was_withdrawn_and_not_what_nobody_has_seen() {
    let night = Night::new();
    let ids = |machine: &Machine| {
        let told = machine.told();
        told.iter()
            .map(|row| (row["corte"].as_str().unwrap()[9..].to_owned(), row["retirado"] == true))
            .collect::<Vec<_>>()
    };
    let shown = |ids: &[(&str, bool)]| ids.iter().map(|(id, gone)| ((*id).to_owned(), *gone)).collect::<Vec<_>>();
    // Taken back to 1840, from 1850.
    let machine = after(&night, 5, |_| {});
    assert_eq!(ids(&machine), shown(&[("1830", false), ("1840", false), ("1850", true)]));
    // 1910 has come while 1900 is held; others had to make room.
    let machine = after(&night, 8, |_| {});
    assert_eq!(machine.chain().last().unwrap().0, night.packages[5].id);
    assert_eq!(ids(&machine), shown(&[("1840", false), ("1900", false)]));
}
