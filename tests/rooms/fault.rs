//! A fault of ours, wherever it strikes while the vault is read at a start: something is shown, and intake goes on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use difusor::base::clock::{Clock, Hands};
use difusor::base::disk::{At, Disk, Twin};
use difusor::ingest::Desk;
use difusor::snapshot::Live;

use crate::common::room::intake;
use crate::common::{Tree, corte, now};

struct Room {
    twin: Twin,
    desk: Desk,
    hands: Hands,
    live: Arc<Live>,
}

impl Room {
    /// Opened, and nothing is shown yet.
    fn open((disk, twin): (Disk, Twin)) -> Room {
        let (clock, hands) = Clock::scripted(now());
        let live = Arc::new(Live::default());
        let intake = intake(&disk, Path::new("/"));
        let desk = Desk::open(intake, live.clone(), clock, Arc::new(|_: &_| {}), None).unwrap();
        Room { twin, desk, hands, live }
    }

    fn bring(&mut self, id: &str) {
        let tar = Tree::of(&corte(id), &[("index.html", id.as_bytes())]).tar();
        self.twin.put(&Path::new("/incoming").join(format!("{id}.tar")), &tar).unwrap();
        self.desk.look();
        self.hands.advance(Duration::from_secs(1));
        self.desk.look();
        self.desk.work();
    }

    fn shown(&self) -> Option<String> {
        Some(self.live.load().as_deref()?.live().corte().id.to_string())
    }
}

#[test]
fn what_cannot_be_shown_hides_nothing_that_can() {
    let (disk, twin) = Disk::twin();
    disk.make_folder(Path::new("/incoming")).unwrap();
    let mut room = Room::open((disk, twin));
    room.desk.begin();
    for id in ["20260607_1830", "20260607_1840"] {
        room.bring(id);
        assert_eq!(room.shown().as_deref(), Some(id));
    }
    let Room { twin, desk, .. } = room;
    drop(desk);
    let mut sound = Room::open(twin.copy());
    let before = sound.twin.operations();
    sound.desk.begin();
    let operations = sound.twin.operations();
    assert!(before + 5 < operations);
    let mut earlier = 0;
    for n in before..operations {
        let mut room = Room::open(twin.copy());
        room.twin.at(n, At::Call(Box::new(|| panic!("on purpose"))));
        room.desk.begin();
        let shown = room.shown().unwrap_or_else(|| panic!("nothing is shown after a fault at {n}"));
        earlier += u32::from(shown == "20260607_1830");
        room.bring("20260607_1850");
        assert_eq!(room.shown().as_deref(), Some("20260607_1850"), "{n}");
    }
    assert!(earlier > 0, "a fault while the latest is read");
}
