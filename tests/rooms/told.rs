//! What people are told of intake: by whom a package came, what it is called, since when a corte is shown.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use difusor::base::clock::{Clock, Hands};
use difusor::base::disk::{Disk, Twin};
use difusor::ingest::{Arrival, Dates, Desk, Event, Happening, Outcome, Wish};
use difusor::snapshot::Live;
use tokio::sync::oneshot;

use crate::common::room::intake;
use crate::common::{Tree, corte};

const START: &str = "2026-06-08T03:00:00Z";
/// Longer than anything waits: for quiet, for what may heal, for the settling time.
const LATER: Duration = Duration::from_secs(30);
const FIXED: &str = "corte.tar";

struct Room {
    disk: Disk,
    twin: Twin,
    desk: Desk,
    hands: Hands,
    told: Receiver<(String, Option<Dates>)>,
}

impl Room {
    /// A room whose folder has these packages in it before the operator looks.
    fn with(packages: &[(&str, Vec<u8>)]) -> Room {
        let (disk, twin) = Disk::twin();
        disk.make_folder(Path::new("/incoming")).unwrap();
        for (name, bytes) in packages {
            twin.put(&Path::new("/incoming").join(name), bytes).unwrap();
        }
        let (clock, hands) = Clock::scripted(START.parse().unwrap());
        let (tell, told) = channel();
        let report = move |happening: &Happening| {
            let line = match happening {
                Happening::Live { corte, dates, .. } => (format!("live {corte}"), Some(*dates)),
                Happening::Decided { what, dates, .. } => (format!("{what:?}"), Some(*dates)),
                Happening::Restored { corte, dates, .. } => (format!("restored {corte}"), Some(*dates)),
                Happening::Refused { name, source, code, .. } => (format!("{code} {name} of {source}"), None),
                Happening::Older { name, .. } => (format!("older {name}"), None),
                Happening::Blind { .. } => ("blind".into(), None),
                _ => return,
            };
            tell.send(line).unwrap();
        };
        let desk = Desk::open(intake(&disk, Path::new("/")), Arc::new(Live::default()), clock, Arc::new(report), None);
        let mut room = Room { disk, twin, desk: desk.unwrap(), hands, told };
        room.desk.begin();
        room
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        self.twin.put(&Path::new("/incoming").join(name), bytes).unwrap();
    }

    /// Looks, and works until nothing is left to do.
    fn work(&mut self) -> Vec<String> {
        self.looked_at().into_iter().map(|(line, _)| line).collect()
    }

    fn looked_at(&mut self) -> Vec<(String, Option<Dates>)> {
        for _ in 0..4 {
            self.desk.look();
            self.hands.advance(LATER);
            self.desk.work();
        }
        self.told.try_iter().collect()
    }

    fn deliver(&mut self, bytes: &[u8]) -> Outcome {
        let path = PathBuf::from("/state/staging/push-7-1-a.zip");
        self.twin.put(&path, bytes).unwrap();
        let (reply, mut answer) = oneshot::channel();
        let arrival = Arrival { name: "a.zip".into(), path, source: "push redaccion".into() };
        self.desk.hear(Event::Arrived(arrival, reply));
        self.desk.work();
        answer.try_recv().unwrap()
    }

    fn wish(&mut self, wish: Wish) {
        let (reply, mut answer) = oneshot::channel();
        self.desk.hear(Event::Wished(wish, reply));
        answer.try_recv().unwrap().unwrap();
    }
}

fn package(id: &str) -> Vec<u8> {
    Tree::of(&corte(id), &[("index.html", id.as_bytes())]).tar()
}

#[test]
fn a_refusal_says_which_way_the_package_came_and_nothing_of_our_folders() {
    let mut room = Room::with(&[]);
    let Outcome::Refused { code, why, .. } = room.deliver(b"PK\x03\x04") else { panic!("it is cut short") };
    assert_eq!(code, "P003");
    assert!(why.starts_with("a.zip: ") && !why.contains("staging"), "{why}");
    room.put("b.zip", b"PK\x03\x04");
    assert_eq!(room.work(), ["P003 a.zip of push redaccion", "P003 b.zip of incoming"]);
}

#[test]
fn a_file_that_always_has_the_same_name_is_passed_over_at_the_start_alone() {
    // The latest name first.
    let mut room = Room::with(&[("z.tar", package("20260607_2010")), (FIXED, package("20260607_2000"))]);
    assert_eq!(room.work(), ["live 20260607_2010", "older corte.tar"]);
    room.put(FIXED, &package("20260607_1950"));
    assert_eq!(room.work(), ["P081 corte.tar of incoming"], "who sends it now sends what is old");
}

#[test]
fn neither_a_hold_nor_its_end_makes_a_corte_newer() {
    let mut room = Room::with(&[("a.tar", package("20260607_2010"))]);
    let (_, live) = room.looked_at().remove(0);
    let live = live.unwrap();
    assert!(live.stamp < live.received && live.received <= live.since);
    for wish in [Wish::Hold { reason: "x".into() }, Wish::Release { reason: "x".into() }] {
        room.hands.advance(LATER);
        room.wish(wish);
        let (what, now) = room.told.try_recv().unwrap();
        let now = now.unwrap();
        assert_eq!((now.stamp, now.received, now.since), (live.stamp, live.received, live.since), "{what}");
    }
}

#[test]
fn a_folder_that_cannot_be_read_is_told_once_until_it_can() {
    let mut room = Room::with(&[]);
    let disk = room.disk.clone();
    disk.remove_tree(Path::new("/incoming")).unwrap();
    assert_eq!(room.work(), ["blind"]);
    disk.make_folder(Path::new("/incoming")).unwrap();
    room.put("a.tar", &package("20260607_2010"));
    assert_eq!(room.work(), ["live 20260607_2010"]);
    disk.remove_tree(Path::new("/incoming")).unwrap();
    assert_eq!(room.work(), ["blind"]);
}
