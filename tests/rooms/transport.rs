//! An authority that only mirrors its site: the operator's room with a scripted clock, fed with real material.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use difusor::base::clock::{Clock, Hands};
use difusor::base::disk::{At, Disk, Twin};
use difusor::corte::{StampRule, Tipo, Trust};
use difusor::ingest::{Arrival, Complete, Corrections, Desk, Event, Happening, Intake, Outcome, Transport};
use difusor::schedule::{Calendar, Window};
use difusor::snapshot::Live;
use jiff::SignedDuration;
use jiff::tz::TimeZone;

use crate::common::always::always;
use crate::common::room::intake;
use crate::common::{data, sh, tool};

const QUIET: Duration = Duration::from_secs(30);
/// A draft that nobody has written to for so long is nobody's any more.
const ABANDONED: Duration = Duration::from_secs(360);

/// A desk without threads of its own: its clock moves when the test says so.
struct Room {
    dir: tempfile::TempDir,
    desk: Desk,
    hands: Hands,
    live: Arc<Live>,
    told: Receiver<String>,
}

impl Room {
    fn new(rule: StampRule, corrections: Corrections, now: &str) -> Room {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("incoming")).unwrap();
        Room::start(dir, Transport { rule, is_mirror: true, complete: Complete::Quiet(QUIET), corrections }, now)
    }

    fn start(dir: tempfile::TempDir, transport: Transport, now: &str) -> Room {
        let intake = Intake {
            trust: Trust::Transport,
            transport: Some(transport),
            settle: QUIET,
            ..intake(&Disk::machine(), dir.path())
        };
        let (clock, hands) = Clock::scripted(now.parse().unwrap());
        let (tell, told) = channel();
        let report = move |happening: &Happening| {
            let _ = match happening {
                Happening::Live { corte, .. } => tell.send(format!("live {corte}")),
                Happening::Same { .. } => tell.send("same".into()),
                Happening::Refused { code, .. } => tell.send((*code).into()),
                Happening::Waiting { code, .. } => tell.send(format!("waiting {code}")),
                _ => Ok(()),
            };
        };
        let live = Arc::new(Live::default());
        let mut desk = Desk::open(intake, live.clone(), clock, Arc::new(report), None).unwrap();
        desk.begin();
        Room { dir, desk, hands, live, told }
    }

    /// What was told since the last time, after the tree has been quiet for long enough.
    fn quiet(&mut self) -> Vec<String> {
        self.desk.look();
        self.desk.work();
        assert!(self.told.try_recv().is_err(), "a tree that has just changed is not tried");
        self.hands.advance(QUIET);
        self.desk.look();
        self.desk.work();
        self.told.try_iter().collect()
    }

    /// What was told of everything that is due by now.
    fn work(&mut self) -> Vec<String> {
        self.desk.look();
        (0..4).for_each(|_| self.desk.work());
        self.told.try_iter().collect()
    }

    /// The outcome of a delivery, as pull and push make them.
    fn receive(&mut self, name: &str, bytes: &[u8]) -> Outcome {
        let path = self.dir.path().join(name);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("Diputados_a.json"), bytes).unwrap();
        let (reply, mut outcome) = tokio::sync::oneshot::channel();
        self.desk.hear(Event::Arrived(Arrival { name: name.into(), path, source: "pull".into() }, reply));
        self.desk.work();
        outcome.try_recv().unwrap()
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.dir.path().join("incoming").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn shown(&self) -> Option<String> {
        Some(self.live.load().as_deref()?.live().corte().id.to_string())
    }
}

fn site_of_2018(hour: &str, total: u32) -> Vec<u8> {
    format!(r#"{{"fechaCorte":"01 de julio de 2018","horaCorte":"{hour}","total":{total}}}"#).into()
}

fn rule_of_2018() -> StampRule {
    let pointers = ["/fechaCorte", "/horaCorte"];
    StampRule::json("Diputados_*.json", &pointers, "%d de %B de %Y %H:%M", Some("America/Mexico_City")).unwrap()
}

#[test]
fn every_fetch_of_2018_in_place_of_the_one_before() {
    let (Some(_), Some(archive)) = (tool("xz"), data("mx-2018-diputados/snapshots.tar.xz")) else { return };
    let real = tempfile::tempdir().unwrap();
    let archive = fs::canonicalize(archive).unwrap();
    sh(real.path(), &format!("tar xJf '{}' --strip-components=1", archive.display()));
    let mut files: Vec<_> = fs::read_dir(real.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 127);
    let mut room = Room::new(rule_of_2018(), Corrections::Refuse, "2018-07-03T12:00:00Z");
    let (mut live, mut same, mut last) = (0, 0, String::new());
    for file in &files {
        let bytes = fs::read(file).unwrap();
        room.put("Diputados_MR_NACIONAL.json", &bytes);
        let told = room.quiet();
        match told.as_slice() {
            [one] if one.starts_with("live ") => {
                assert!(*one > last, "{one} after {last}");
                (live, last) = (live + 1, one.clone());
            }
            [one] if one == "same" => same += 1,
            // The 403 page is the first fetch of all: nothing was live, and nothing is.
            refused => {
                assert!(bytes.starts_with(b"<!DOCTYPE"), "{refused:?} for {}", file.display());
                assert_eq!(refused, ["waiting P103", "P103"], "{}", file.display());
            }
        }
    }
    assert_eq!((live, same), (96, 30));
    assert_eq!(room.shown().unwrap(), "20180702_2100");
    // A corte that steps back in time is refused, also under the same counts; one whose counts fall is not.
    let early = fs::read_to_string(&files[20]).unwrap();
    let stepped = replace(&early, "02 de julio de 2018", "20:58");
    room.put("Diputados_MR_NACIONAL.json", stepped.as_bytes());
    assert_eq!(room.quiet(), ["P081"]);
    let fallen = replace(&early, "02 de julio de 2018", "21:10");
    room.put("Diputados_MR_NACIONAL.json", fallen.as_bytes());
    assert_eq!(room.quiet(), ["live 20180702_2110"]);
}

/// The same counts under another stamp.
fn replace(json: &str, day: &str, hour: &str) -> String {
    let mut value: serde_json::Value = serde_json::from_str(json).unwrap();
    (value["fechaCorte"], value["horaCorte"]) = (day.into(), hour.into());
    value.to_string()
}

#[test]
fn by_the_name_of_the_real_database_and_by_its_header() {
    let Some(zip) = data("qroo-2019/20190603_0547_PREP_DIP_QROO.zip") else { return };
    let name = zip.file_name().unwrap().to_str().unwrap();
    let by_name = StampRule::names(r"^(\d{8}_\d{4})_PREP", "%Y%m%d_%H%M", Some("America/Cancun")).unwrap();
    let header = r"^(\d{4}/\d\d/\d\d \d\d:\d\d \(UTC[+-]\d+\))";
    let by_line =
        StampRule::line("*_PREP_DIP_*.zip!QROO_DIP_LOC_*.csv", 3, header, "%Y/%m/%d %H:%M (UTC%z)", None).unwrap();
    for rule in [by_name, by_line] {
        let mut room = Room::new(rule, Corrections::Refuse, "2019-06-03T12:00:00Z");
        room.put(name, &fs::read(&zip).unwrap());
        room.put("index.html", b"<p>PREP");
        assert_eq!(room.quiet(), ["live 20190603_0547"]);
    }
}

#[test]
fn another_tree_under_the_same_stamp() {
    for (corrections, expected) in [
        (Corrections::Refuse, ["P082", "P082", "same"]),
        (Corrections::Revise, ["live 20180701_2050-1", "same", "live 20180701_2050-2"]),
    ] {
        let mut room = Room::new(rule_of_2018(), corrections, "2018-07-02T12:00:00Z");
        room.put("Diputados_a.json", &site_of_2018("20:50", 1));
        assert_eq!(room.quiet(), ["live 20180701_2050"]);
        room.put("Diputados_a.json", &site_of_2018("20:50", 2));
        assert_eq!(room.quiet(), expected[..1], "{corrections:?}");
        // Sent once more, byte for byte.
        room.put("Diputados_a.json", &site_of_2018("20:50", 2));
        assert_eq!(room.quiet(), expected[1..2], "{corrections:?}");
        // Back to the first one.
        room.put("Diputados_a.json", &site_of_2018("20:50", 1));
        assert_eq!(room.quiet(), expected[2..], "{corrections:?}");
    }
}

#[test]
fn a_transfer_that_stands_still_is_no_whole_tree() {
    for draft in ["datos/.total.csv.Ab12Cd", ".rsync-partial/total.csv", "datos/.~tmp~/total.csv"] {
        let mut room = Room::new(rule_of_2018(), Corrections::Refuse, "2018-07-02T12:00:00Z");
        room.put("Diputados_a.json", &site_of_2018("20:50", 1));
        room.put("datos/total.csv", b"1");
        assert_eq!(room.quiet(), ["live 20180701_2050"]);
        // The file with the stamp has come; the totals are under way, and the line hangs.
        room.put("Diputados_a.json", &site_of_2018("21:00", 2));
        room.put(draft, b"2");
        assert!(room.quiet().is_empty(), "{draft}");
        room.put(draft, b"22");
        room.hands.advance(ABANDONED - QUIET);
        assert!(room.quiet().is_empty(), "{draft}: it grows");
        let incoming = room.dir.path().join("incoming");
        fs::rename(incoming.join(draft), incoming.join("datos/total.csv")).unwrap();
        let _ = fs::remove_dir(incoming.join(draft).parent().unwrap());
        assert_eq!(room.quiet(), ["live 20180701_2100"], "{draft}");
        // One that was cut is not waited for without end, and what it has left does not hold up the next ones.
        room.put("Diputados_a.json", &site_of_2018("21:10", 3));
        room.put(draft, b"3");
        assert!(room.quiet().is_empty(), "{draft}");
        room.hands.advance(ABANDONED - QUIET);
        assert_eq!(room.work(), ["live 20180701_2110"], "{draft}");
        room.put("Diputados_a.json", &site_of_2018("21:20", 4));
        assert_eq!(room.quiet(), ["live 20180701_2120"], "{draft}");
        fs::remove_file(incoming.join(draft)).unwrap();
        room.put("Diputados_a.json", &site_of_2018("21:30", 5));
        assert_eq!(room.quiet(), ["live 20180701_2130"], "{draft}: that it was removed is no draft");
    }
}

#[test]
fn what_was_corrected_does_not_come_back_as_a_correction() {
    let transport = || Transport {
        rule: rule_of_2018(),
        is_mirror: false,
        complete: Complete::Quiet(QUIET),
        corrections: Corrections::Revise,
    };
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("incoming")).unwrap();
    let mut room = Room::start(dir, transport(), "2018-07-02T12:00:00Z");
    for (name, total, expected) in [("a", 1, "live 20180701_2050"), ("b", 2, "live 20180701_2050-1")] {
        room.put(&format!("{name}/Diputados_a.json"), &site_of_2018("20:50", total));
        assert_eq!(room.quiet(), [expected]);
    }
    for hour in 13..16 {
        let Room { dir, desk, .. } = room;
        drop(desk);
        room = Room::start(dir, transport(), &format!("2018-07-02T{hour}:00:00Z"));
        room.hands.advance(QUIET);
        assert_eq!(room.work(), ["same", "same"]);
        assert_eq!(room.shown().as_deref(), Some("20180701_2050-1"));
    }
    // Two servers of the authority's, one of which is late: each poll finds the other's.
    for n in 0..4 {
        let outcome = room.receive(&format!("p{n}"), &site_of_2018("20:50", 1 + n % 2));
        assert!(matches!(outcome, Outcome::Same { .. }), "{outcome:?}");
    }
    assert_eq!(room.shown().as_deref(), Some("20180701_2050-1"));
    let outcome = room.receive("third", &site_of_2018("20:50", 3));
    assert!(matches!(outcome, Outcome::Live { corte } if corte.to_string() == "20180701_2050-2"), "{outcome:?}");
}

#[test]
fn a_tree_that_changes_while_it_is_read_is_read_again() {
    let (disk, twin) = Disk::twin();
    let write = |name: &str, text: &str| {
        let path = Path::new("/incoming").join(name);
        let _ = disk.remove(&path);
        std::io::Write::write_all(&mut disk.create(&path).unwrap(), text.as_bytes()).unwrap();
    };
    disk.make_folder(Path::new("/incoming")).unwrap();
    write("a.json", r#"{"t":"20180701_2050"}"#);
    write("b.html", "uno");
    let rule = StampRule::json("a.json", &["/t"], "%Y%m%d_%H%M", Some("America/Mexico_City")).unwrap();
    let transport =
        Transport { rule, is_mirror: true, complete: Complete::Quiet(QUIET), corrections: Corrections::Refuse };
    let intake = Intake { trust: Trust::Transport, transport: Some(transport), ..intake(&disk, Path::new("/")) };
    let (clock, hands) = Clock::scripted("2018-07-02T12:00:00Z".parse().unwrap());
    let (tell, told) = channel();
    let report = move |happening: &Happening| {
        let _ = match happening {
            Happening::Live { corte, .. } => tell.send(format!("live {corte}")),
            Happening::Waiting { code, .. } => tell.send(format!("waiting {code}")),
            _ => Ok(()),
        };
    };
    let live = Arc::new(Live::default());
    let mut desk = Desk::open(intake, live.clone(), clock, Arc::new(report), None).unwrap();
    desk.begin();
    hands.advance(QUIET);
    desk.look();
    // Between the reading of one file and that of the next, rsync puts a new one in its place.
    let (disk_then, n) = (disk.clone(), twin.operations());
    let swap = move || {
        let (from, to) = (Path::new("/incoming/.b.html.x7Gq2a"), Path::new("/incoming/b.html"));
        std::io::Write::write_all(&mut disk_then.create(from).unwrap(), b"dos").unwrap();
        disk_then.rename(from, to).unwrap();
    };
    twin.at(n + 4, difusor::base::disk::At::Call(Box::new(swap)));
    desk.work();
    assert_eq!(told.try_iter().collect::<Vec<_>>(), ["waiting P090"]);
    assert!(live.load().is_none());
    desk.look();
    hands.advance(QUIET);
    desk.look();
    desk.work();
    assert_eq!(told.try_iter().collect::<Vec<_>>(), ["live 20180701_2050"]);
    let guard = live.load();
    let shown = guard.as_deref().unwrap().live();
    let page = shown.files().find(|(path, _)| *path == "b.html").unwrap().1.identity().body.clone();
    assert_eq!(&page[..], b"dos");
}

/// A mirror that waits for notices, on a disk of its own; its service can be started again.
struct Mirror {
    disk: Disk,
    twin: Twin,
    calendar: Arc<Calendar>,
    clock: Clock,
    hands: Hands,
    live: Arc<Live>,
    desk: Option<Desk>,
}

impl Mirror {
    fn new(calendar: Arc<Calendar>, now: &str) -> Mirror {
        let (disk, twin) = Disk::twin();
        disk.make_folder(Path::new("/incoming")).unwrap();
        let (clock, hands) = Clock::scripted(now.parse().unwrap());
        Mirror { disk, twin, calendar, clock, hands, live: Arc::default(), desk: None }
    }

    fn start(&mut self) {
        self.desk = None;
        let rule = StampRule::json("a.json", &["/t"], "%Y%m%d_%H%M", Some("UTC")).unwrap();
        let (complete, corrections) = (Complete::Notified, Corrections::Refuse);
        let intake = Intake {
            trust: Trust::Transport,
            transport: Some(Transport { rule, is_mirror: true, complete, corrections }),
            calendar: self.calendar.clone(),
            ..intake(&self.disk, Path::new("/"))
        };
        self.live = Arc::default();
        let mut desk = Desk::open(intake, self.live.clone(), self.clock.clone(), Arc::new(|_: &_| {}), None).unwrap();
        desk.begin();
        self.desk = Some(desk);
    }

    fn put(&self, stamp: &str) {
        let json = format!(r#"{{"t":"{stamp}"}}"#);
        self.twin.put(Path::new("/incoming/a.json"), json.as_bytes()).unwrap();
        self.twin.put(Path::new("/incoming/b.html"), stamp.as_bytes()).unwrap();
    }

    fn desk(&mut self) -> &mut Desk {
        self.desk.as_mut().unwrap()
    }

    /// As the operator's loop does, every five seconds.
    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds / 5 {
            self.hands.advance(Duration::from_secs(5));
            self.desk().look();
            self.desk().turn();
            self.desk().work();
        }
    }

    fn notify(&mut self) {
        self.desk().notified();
        self.desk().work();
    }

    fn shown(&self) -> Option<String> {
        Some(self.live.load().as_deref()?.live().corte().id.to_string())
    }
}

#[test]
fn a_notice_that_came_while_nobody_listened_is_made_up_for() {
    let mut mirror = Mirror::new(always(Tipo::Oficial), "2026-06-08T01:00:00Z");
    mirror.start();
    mirror.put("20260608_0030");
    mirror.notify();
    assert_eq!(mirror.shown().as_deref(), Some("20260608_0030"));
    mirror.put("20260608_0040");
    mirror.pass(600);
    assert_eq!(mirror.shown().as_deref(), Some("20260608_0030"), "a transfer may stand still, and its notice come");
    mirror.start();
    mirror.pass(60);
    assert_eq!(mirror.shown().as_deref(), Some("20260608_0030"), "it may be under way");
    mirror.pass(540);
    assert_eq!(mirror.shown().as_deref(), Some("20260608_0040"));
    // One that was cut has left a draft.
    mirror.put("20260608_0050");
    mirror.twin.put(Path::new("/incoming/.c.html.x7Gq2a"), b"half").unwrap();
    mirror.start();
    mirror.pass(600);
    assert_eq!(mirror.shown().as_deref(), Some("20260608_0040"));
}

#[test]
fn a_notice_of_one_transfer_is_none_of_another_that_is_under_way() {
    let mut mirror = Mirror::new(always(Tipo::Oficial), "2026-06-08T01:00:00Z");
    let draft = Path::new("/incoming/.c.html.x7Gq2a");
    mirror.start();
    mirror.put("20260608_0030");
    mirror.notify();
    assert_eq!(mirror.shown().as_deref(), Some("20260608_0030"));
    // Two ports, or a cron whose runs overlap.
    mirror.put("20260608_0040");
    mirror.twin.put(draft, b"half").unwrap();
    mirror.notify();
    mirror.pass(300);
    assert_eq!(mirror.shown().as_deref(), Some("20260608_0030"));
    mirror.twin.take_away(draft).unwrap();
    mirror.twin.put(Path::new("/incoming/c.html"), b"whole").unwrap();
    mirror.notify();
    assert_eq!(mirror.shown().as_deref(), Some("20260608_0040"));
    // A transfer was cut, and another has gone well.
    mirror.put("20260608_0050");
    mirror.twin.put(draft, b"half").unwrap();
    mirror.notify();
    mirror.pass(400);
    assert_eq!(mirror.shown().as_deref(), Some("20260608_0050"));
    mirror.put("20260608_0055");
    mirror.notify();
    assert_eq!(mirror.shown().as_deref(), Some("20260608_0055"), "what lies there since then holds up nothing");
}

#[test]
fn a_notice_is_not_used_up_by_a_look_that_has_failed() {
    for kind in [std::io::ErrorKind::NotFound, std::io::ErrorKind::Other] {
        let mut mirror = Mirror::new(always(Tipo::Oficial), "2026-06-08T01:00:00Z");
        mirror.start();
        mirror.put("20260608_0020");
        let before = mirror.twin.operations();
        mirror.desk().look();
        let last = mirror.twin.operations() - before - 1;
        // What was seen before is no longer what the notice is about.
        mirror.put("20260608_0030");
        mirror.twin.at(mirror.twin.operations() + last, At::Fail(kind));
        mirror.notify();
        mirror.pass(20);
        assert_eq!(mirror.shown().as_deref(), Some("20260608_0030"), "{kind}");
    }
}

#[test]
fn a_notice_of_a_corte_for_the_next_window_holds_in_it() {
    let window = |kind, from: &str, to: &str| {
        let (opens, closes) = (from.parse().unwrap(), to.parse().unwrap());
        Window { kind, opens, closes, ends: closes, ..always(kind).windows()[0].clone() }
    };
    let windows = vec![
        window(Tipo::Simulacro, "2026-05-31T18:00:00Z", "2026-06-01T18:00:00Z"),
        window(Tipo::Oficial, "2026-06-07T18:00:00Z", "2026-06-08T18:00:00Z"),
    ];
    let calendar = Arc::new(Calendar::new(windows, TimeZone::UTC, SignedDuration::ZERO).unwrap());
    let mut mirror = Mirror::new(calendar, "2026-06-07T17:58:00Z");
    mirror.start();
    mirror.put("20260607_1800");
    mirror.notify();
    mirror.pass(60);
    assert_eq!(mirror.shown(), None);
    mirror.pass(75);
    assert_eq!(mirror.shown().as_deref(), Some("20260607_1800"));
}
