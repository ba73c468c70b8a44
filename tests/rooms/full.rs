//! A disk that is nearly full, at a desk on a scripted clock: old cortes go for new ones, as far as they may and no
//! further.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use difusor::base::clock::{Clock, Hands};
use difusor::base::digest::Digest;
use difusor::base::disk::{Disk, Twin};
use difusor::corte::Tipo;
use difusor::ingest::{Desk, Happening, Intake};
use difusor::snapshot::Live;
use difusor::store::{Ledger, Policy, Vault};

use crate::common::room::intake;
use crate::common::{ELECTION, Tree, corte, now};

/// Bytes of a corte, besides its list and what it says of itself.
const LEN: usize = 10 << 12;
/// Bytes for which there is room where there is none for a corte: it takes twice its bytes.
const LITTLE: u64 = LEN as u64 / 2;
/// Longer than whatever is tried again or given up has to wait.
const PATIENCE: Duration = Duration::from_secs(11);
/// What may be due at once.
const TURNS: usize = 12;

struct Room {
    twin: Twin,
    desk: Desk,
    hands: Hands,
    live: Arc<Live>,
    told: Receiver<String>,
}

fn root() -> PathBuf {
    Vault::root(Path::new("/state"), ELECTION, Tipo::Oficial)
}

fn policy(at_least: usize) -> Policy {
    Policy { bytes: 1 << 30, cortes: None, at_least }
}

fn id(n: usize) -> String {
    format!("20260607_18{n:02}")
}

fn ids(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(id).collect()
}

impl Room {
    /// A service that has begun, over this disk.
    fn start(twin: &Twin, policy: Policy) -> Room {
        let (clock, hands) = Clock::scripted(now());
        let (live, (tell, told)) = (Arc::new(Live::default()), channel());
        let report = move |happening: &Happening| drop(tell.send(format!("{happening:?}")));
        let intake = Intake { policy, ..intake(&twin.disk(), Path::new("/")) };
        let mut desk = Desk::open(intake, live.clone(), clock, Arc::new(report), None).unwrap();
        desk.begin();
        Room { twin: twin.clone(), desk, hands, live, told }
    }

    /// One in whose vault there are so many cortes, each with bytes of its own.
    fn with(cortes: usize, policy: Policy) -> Room {
        let (_, twin) = Disk::twin();
        twin.put(Path::new("/incoming/.keep"), b"").unwrap();
        let mut room = Room::start(&twin, policy);
        for n in 0..cortes {
            room.bring(n);
            assert_eq!(room.shown(), Some(id(n)));
            room.take_away(n);
        }
        room
    }

    /// The same disk, after the process has ended.
    fn start_again(self, policy: Policy) -> Room {
        let Room { twin, desk, .. } = self;
        drop(desk);
        Room::start(&twin, policy)
    }

    fn path(n: usize) -> PathBuf {
        Path::new("/incoming").join(format!("{}.tar", id(n)))
    }

    fn bring(&mut self, n: usize) {
        let noise = |k: u32| (k + 100_000 * n as u32).wrapping_mul(2_654_435_761).to_le_bytes();
        let bytes: Vec<u8> = (0..LEN as u32 / 4).flat_map(noise).collect();
        let tar = Tree::of(&corte(&id(n)), &[("acta.mp4", &bytes)]).tar();
        self.twin.put(&Room::path(n), &tar).unwrap();
        self.later(Duration::from_secs(1));
    }

    fn take_away(&mut self, n: usize) {
        self.twin.take_away(&Room::path(n)).unwrap();
        self.desk.look();
    }

    /// Time passes, and everything that is due is done.
    fn later(&mut self, by: Duration) {
        self.desk.look();
        self.hands.advance(by);
        (0..TURNS).for_each(|_| self.desk.work());
    }

    fn shown(&self) -> Option<String> {
        Some(self.live.load().as_deref()?.live().corte().id.to_string())
    }

    /// The cortes in the vault, each with all of its bytes.
    fn kept(&self) -> Vec<String> {
        let (disk, _) = self.twin.copy();
        let ledger = Ledger::read(&disk, &root()).unwrap();
        assert!(ledger.unreadable.is_empty(), "{:?}", ledger.unreadable);
        let cortes: Vec<String> = ledger.entries().iter().map(|entry| entry.corte.to_string()).collect();
        let blobs = self.twin.files(&root().join("blobs"));
        assert_eq!(blobs.len(), cortes.len(), "one file each, and nobody else's");
        cortes
    }

    fn told(&self, what: &str) -> Vec<String> {
        self.told.try_iter().filter(|line| line.contains(what)).collect()
    }

    fn quarantined(&self) -> Vec<PathBuf> {
        self.twin.files(Path::new("/state/refused"))
    }
}

#[test]
fn the_earliest_cortes_go_for_the_next_one_and_no_more_than_it_needs() {
    let mut room = Room::with(5, policy(2));
    room.twin.has_room_for(LITTLE);
    room.bring(5);
    assert_eq!(room.shown(), Some(id(5)), "{:#?}", room.told(""));
    assert_eq!(room.kept(), ids(3..6), "two of them for it, and then one for the next");
    assert_eq!(room.told("P088"), [""; 0]);
}

#[test]
fn what_must_stay_stays_and_the_package_goes_live_by_itself_once_there_is_room() {
    let mut room = Room::with(5, policy(5));
    room.twin.has_room_for(LITTLE);
    room.bring(5);
    room.later(PATIENCE);
    let told = room.told("");
    let count = |what: &str| told.iter().filter(|line| line.starts_with(what) && line.contains("P088")).count();
    assert_eq!((count("Waiting"), count("Refused")), (1, 1), "{told:#?}");
    for _ in 0..5 {
        room.later(PATIENCE);
    }
    assert_eq!(room.told(""), [""; 0], "all of it was said");
    assert_eq!((room.shown(), room.kept()), (Some(id(4)), ids(0..5)));
    assert!(room.quarantined().is_empty(), "a good package, and a copy of it would take what it lacks");
    room.twin.has_room_for(1 << 20);
    room.later(PATIENCE);
    assert_eq!((room.shown(), room.kept()), (Some(id(5)), ids(0..6)));
}

#[test]
fn no_corte_goes_in_vain() {
    let mut room = Room::with(5, policy(4));
    room.twin.has_room_for(0);
    room.bring(5);
    room.later(PATIENCE);
    assert_eq!(room.kept(), ids(0..5), "the one that may go has half of what is needed");
    room.twin.has_room_for(LEN as u64 + 8192);
    room.later(PATIENCE);
    assert_eq!((room.shown(), room.kept()), (Some(id(5)), ids(2..6)), "one for it, and then one for the next");
}

#[test]
fn what_is_shown_and_the_one_before_it_stay_though_later_ones_came() {
    use difusor::ingest::{Event, Wish};
    let mut room = Room::with(4, policy(1));
    let (reply, mut answer) = tokio::sync::oneshot::channel();
    let wish = Wish::Rollback { corte: id(1).parse().unwrap(), seen: None, reason: "lo pidió el instituto".into() };
    room.desk.hear(Event::Wished(wish, reply));
    answer.try_recv().unwrap().unwrap();
    let (reply, _answer) = tokio::sync::oneshot::channel();
    room.desk.hear(Event::Wished(Wish::Hold { reason: "una duda".into() }, reply));
    room.twin.has_room_for(LITTLE);
    room.bring(4);
    assert_eq!(room.shown(), Some(id(1)));
    let kept = room.kept();
    assert_eq!(kept[..2], ids([0, 1]), "{kept:?}: the one that is shown, and what is shown should it be damaged");
    for _ in 0..3 {
        room.bring(5);
        room.later(PATIENCE);
        room.twin.has_room_for(0);
    }
    assert_eq!(room.kept()[..2], ids([0, 1]));
}

#[test]
fn refused_packages_go_before_cortes_do() {
    let mut room = Room::with(3, policy(1));
    let copy = Path::new("/state/refused/20260607T000000Z-P063-x/package");
    room.twin.put(&copy.join("acta.mp4"), &[1; 4 * LEN]).unwrap();
    room.twin.has_room_for(LITTLE);
    room.bring(3);
    assert_eq!((room.shown(), room.kept()), (Some(id(3)), ids(0..4)));
    assert!(room.quarantined().is_empty());
}

#[test]
fn what_a_crash_left_is_swept_before_anything_is_judged() {
    let room = Room::with(3, policy(3));
    let left: Vec<PathBuf> = (0..4_u8)
        .map(|n| {
            let digest = Digest::of(&[n]).to_string();
            root().join("blobs").join(&digest[..2]).join(digest)
        })
        .collect();
    for path in &left {
        room.twin.put(path, &[1; LEN]).unwrap();
    }
    let Room { twin, desk, .. } = room;
    drop(desk);
    twin.has_room_for(LITTLE);
    // It lies there already: nothing is idle before it is judged.
    let mut room = Room::start(&twin, policy(3));
    room.bring(3);
    assert_eq!((room.shown(), room.kept()), (Some(id(3)), ids(0..4)));
}

#[test]
fn fewer_bytes_for_the_vault_have_their_effect_at_the_next_start_and_after_what_is_shown_is_shown() {
    let room = Room::with(5, policy(1));
    room.twin.has_room_for(0);
    let fewer = Policy { bytes: 3 * LEN as u64, ..policy(1) };
    let mut room = room.start_again(fewer);
    assert_eq!((room.shown(), room.kept().len()), (Some(id(4)), 5), "readers wait for this, and for nothing else");
    room.later(Duration::ZERO);
    assert_eq!((room.shown(), room.kept()), (Some(id(4)), ids([3, 4])));
}

#[test]
fn room_for_the_next_corte_is_made_before_it_comes() {
    // Whoever brings a package needs room for it in the folder of what is arriving: where there is none, nobody asks here.
    let mut room = Room::with(6, policy(2));
    room.twin.has_room_for(LITTLE);
    room.later(Duration::from_secs(61));
    assert_eq!(room.kept(), ids(2..6));
    let free = room.twin.disk().space(Path::new("/state")).unwrap().free;
    assert!(free >= 2 * LEN as u64, "{free}");
}
