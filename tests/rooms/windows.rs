//! Several windows of a calendar at one desk, on a scripted clock: what was decided or sent in one is nothing to the next.

use std::fs;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use difusor::base::clock::{Clock, Hands};
use difusor::base::disk::Disk;
use difusor::corte::{Limits, Tipo};
use difusor::ingest::{Arrival, Desk, Event, Happening, Intake, Outcome, Wish, WishFault};
use difusor::schedule::{Calendar, Window};
use difusor::snapshot::Live;
use difusor::store::Vault;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

use crate::common::always::always;
use crate::common::room::intake;
use crate::common::{ELECTION, Tree, corte};

/// A desk without threads of its own.
struct Room {
    dir: tempfile::TempDir,
    calendar: Arc<Calendar>,
    desk: Desk,
    hands: Hands,
    live: Arc<Live>,
    told: Receiver<String>,
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// One window after the other, each of six hours, taken over an hour before its opening where there is time for it.
fn room(windows: &[(Tipo, &str)]) -> Room {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("incoming")).unwrap();
    let window = |(kind, opens): &(Tipo, &str)| {
        let opens = at(opens);
        let closes = opens + SignedDuration::from_hours(6);
        Window { kind: *kind, opens, closes, ends: closes, ..always(*kind).windows()[0].clone() }
    };
    let windows = windows.iter().map(window).collect();
    let calendar = Calendar::new(windows, TimeZone::UTC, SignedDuration::from_hours(1)).unwrap();
    Room::open(dir, Arc::new(calendar))
}

impl Room {
    /// Another run over the same folder.
    fn start_again(self) -> Room {
        let Room { dir, calendar, desk, .. } = self;
        drop(desk);
        Room::open(dir, calendar)
    }

    fn open(dir: tempfile::TempDir, calendar: Arc<Calendar>) -> Room {
        let intake = Intake { calendar: calendar.clone(), ..intake(&Disk::machine(), dir.path()) };
        let (clock, hands) = Clock::scripted(at("2024-05-20T00:30:00Z"));
        let live = Arc::new(Live::default());
        let (tell, told) = channel();
        let report = move |happening: &Happening| drop(tell.send(format!("{happening:?}")));
        let mut desk = Desk::open(intake, live.clone(), clock, Arc::new(report), None).unwrap();
        desk.begin();
        Room { dir, calendar, desk, hands, live, told }
    }

    fn go_to(&mut self, now: &str) {
        self.hands.set(at(now));
        self.desk.turn();
    }

    /// Brings a package as somebody does who sends it whole.
    fn send(&mut self, kind: Tipo, id: &str) -> Outcome {
        let (name, about) = (format!("{id}.tar"), corte(id).replace("oficial", &kind.to_string()));
        let path = self.dir.path().join(&name);
        fs::write(&path, Tree::of(&about, &[("index.html", id.as_bytes())]).tar()).unwrap();
        let (reply, mut answer) = oneshot::channel();
        self.desk.hear(Event::Arrived(Arrival { name, path, source: "push".into() }, reply));
        self.desk.work();
        answer.try_recv().unwrap()
    }

    fn wish(&mut self, wish: Wish) -> Result<String, WishFault> {
        let (reply, mut answer) = oneshot::channel();
        self.desk.hear(Event::Wished(wish, reply));
        answer.try_recv().unwrap()
    }

    fn shown(&self) -> Option<String> {
        Some(self.live.load().as_deref()?.live().corte().id.to_string())
    }
}

#[test]
fn what_is_brought_does_not_keep_the_folder_waiting() {
    let mut room = room(&[(Tipo::Oficial, "2024-05-20T00:00:00Z")]);
    let tar = |id: &str| Tree::of(&corte(id), &[("index.html", id.as_bytes())]).tar();
    fs::write(room.dir.path().join("incoming/20240519_1829.tar"), tar("20240519_1829")).unwrap();
    room.desk.look();
    room.hands.advance(Duration::from_secs(1));
    for id in ["20240519_1800", "20240519_1810", "20240519_1820"] {
        let name = format!("{id}.tar");
        let path = room.dir.path().join(&name);
        fs::write(&path, tar(id)).unwrap();
        let (reply, _) = oneshot::channel();
        room.desk.hear(Event::Arrived(Arrival { name, path, source: "push".into() }, reply));
    }
    room.desk.work();
    assert_eq!(room.shown().as_deref(), Some("20240519_1800"));
    room.desk.work();
    assert_eq!(room.shown().as_deref(), Some("20240519_1829"), "it does not wait for all that was brought");
}

fn roll_back(corte: &str) -> Wish {
    Wish::Rollback { corte: corte.parse().unwrap(), seen: None, reason: "lo pidió el instituto".into() }
}

#[test]
fn nobody_withdraws_what_he_has_not_seen() {
    let mut room = room(&[(Tipo::Oficial, "2024-05-20T00:00:00Z")]);
    let ids = ["20240519_1800", "20240519_1810", "20240519_1820"];
    for id in ids {
        assert!(matches!(room.send(Tipo::Oficial, id), Outcome::Live { .. }));
    }
    let back = |seen: &str| {
        let (corte, seen) = (ids[0].parse().unwrap(), Some(seen.parse().unwrap()));
        Wish::Rollback { corte, seen, reason: "x".into() }
    };
    // He has looked before the last one came.
    let refused = room.wish(back(ids[1])).unwrap_err().to_string();
    assert!(refused.contains(ids[1]) && refused.contains(ids[2]), "{refused}");
    assert_eq!(room.shown().as_deref(), Some(ids[2]));
    room.wish(back(ids[2])).unwrap();
    assert_eq!(room.shown().as_deref(), Some(ids[0]));
}

#[test]
fn a_corte_of_the_drill_before_is_not_shown_again_in_this_one() {
    let mut room = room(&[(Tipo::Simulacro, "2024-05-20T00:00:00Z"), (Tipo::Simulacro, "2024-05-27T00:00:00Z")]);
    assert!(matches!(room.send(Tipo::Simulacro, "20240519_1830"), Outcome::Live { .. }));
    room.wish(Wish::Hold { reason: "una duda".into() }).unwrap();
    room.go_to("2024-05-27T01:00:00Z");
    assert_eq!(room.shown(), None);
    for id in ["20240526_1830", "20240526_1840"] {
        assert!(matches!(room.send(Tipo::Simulacro, id), Outcome::Live { .. }), "the hold was another drill's");
    }
    let refused = room.wish(roll_back("20240519_1830")).unwrap_err().to_string();
    assert!(refused.contains("another window"), "{refused}");
    assert_eq!(room.shown().as_deref(), Some("20240526_1840"));
    room.wish(roll_back("20240526_1830")).unwrap();
    assert_eq!(room.shown().as_deref(), Some("20240526_1830"));
}

#[test]
fn what_comes_a_moment_before_its_window_may_come_again() {
    let mut room = room(&[(Tipo::Simulacro, "2024-05-20T00:00:00Z"), (Tipo::Oficial, "2024-05-20T06:00:00Z")]);
    let heals = |outcome: Outcome| match outcome {
        Outcome::Refused { code, heals, .. } => (code, heals),
        other => panic!("{other:?}"),
    };
    assert_eq!(heals(room.send(Tipo::Oficial, "20240519_1820")), ("P072", false), "it is for no window to come");
    room.go_to("2024-05-20T05:58:00Z");
    assert_eq!(heals(room.send(Tipo::Oficial, "20240520_0000")), ("P072", true));
    room.go_to("2024-05-20T06:00:00Z");
    assert!(matches!(room.send(Tipo::Oficial, "20240520_0000"), Outcome::Live { .. }));
    assert_eq!(heals(room.send(Tipo::Simulacro, "20240520_0000")), ("P072", false));
}

#[test]
fn what_was_withdrawn_while_cortes_come_back_does_not() {
    let mut room = room(&[(Tipo::Oficial, "2024-05-20T00:00:00Z")]);
    let ids = ["20240519_1800", "20240519_1810", "20240519_1820", "20240519_1830"];
    for id in ids {
        assert!(matches!(room.send(Tipo::Oficial, id), Outcome::Live { .. }));
    }
    let mut room = room.start_again();
    assert_eq!(room.shown().as_deref(), Some(ids[3]), "and the others are still to come back");
    room.wish(roll_back(ids[1])).unwrap();
    for _ in ids {
        room.desk.work();
    }
    let reachable: Vec<_> = room.live.load().as_deref().unwrap().all().map(|s| s.corte().id.to_string()).collect();
    assert_eq!(reachable, [ids[1], ids[0]]);
}

#[test]
fn a_vault_that_another_process_holds_is_told_of_once() {
    let mut room = room(&[(Tipo::Simulacro, "2024-05-20T00:00:00Z"), (Tipo::Oficial, "2024-05-27T00:00:00Z")]);
    let root = Vault::root(&room.dir.path().join("state"), ELECTION, Tipo::Oficial);
    let hold = || Vault::open(&Disk::machine(), &root, &Limits::default(), "somebody else").unwrap();
    let failures = |room: &Room| room.told.try_iter().filter(|line| line.starts_with("StoreFailed")).count();
    let held = hold();
    for _ in 0..20 {
        room.go_to("2024-05-27T01:00:00Z");
    }
    assert_eq!(failures(&room), 1);
    drop(held);
    room.go_to("2024-05-27T01:00:00Z");
    assert!(matches!(room.send(Tipo::Oficial, "20240526_1830"), Outcome::Live { .. }));
    assert_eq!(failures(&room), 0);
}
