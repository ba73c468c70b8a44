//! Cortes of any size: files of text that compresses as results do, of which some change.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::time::Duration;

use bytes::Bytes;
use difusor::base::clock::Clock;
use difusor::base::disk::Disk;
use difusor::corte::{Limits, Signers, Tipo, Trust, pack};
use difusor::ingest::{ContentCheck, Desk, Differing, Event, Happening, Intake};
use difusor::snapshot::Live;
use difusor::store::Policy;
use ssh_key::PrivateKey;
use ssh_key::private::Ed25519Keypair;

use crate::always::always;

pub const ELECTION: &str = "coahuila-2026-diputaciones";

pub fn key() -> PrivateKey {
    Ed25519Keypair::from_seed(&[9; 32]).into()
}

pub fn signers_line() -> String {
    format!("iec {}\n", key().public_key().to_openssh().unwrap())
}

/// The ID of corte number `n`: of the past, as the real binary goes by the machine's clock.
pub fn id(n: usize) -> String {
    format!("20240602_{:02}{:02}", 10 + n / 6, n % 6 * 10)
}

pub fn about(n: usize) -> String {
    let id = id(n);
    let stamp = format!("2024-06-02T{}:{}:00-06:00", &id[9..11], &id[11..]);
    format!(r#"{{"formato":1,"eleccion":"{ELECTION}","corte":"{id}","fecha_hora":"{stamp}","tipo":"oficial"}}"#)
}

/// Text of so many bytes, like the counts of a casilla; `version` changes some of it.
fn counts(file: usize, version: usize, bytes: usize) -> Bytes {
    let mut state = (file as u64) << 20 | version as u64;
    let mut text = String::with_capacity(bytes + 64);
    while text.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (a, b, c) = (state >> 54, state >> 44 & 0x1ff, state >> 34 & 0x1ff);
        text += &format!("{{\"seccion\":{},\"votos\":[{a},{b},{c}],\"total\":{}}},", state >> 50, a + b + c);
    }
    text.truncate(bytes);
    text.into()
}

/// Corte number `n` of `files` files; of each hundred files `changed` differ from the corte before.
pub fn site(n: usize, files: usize, bytes: usize, changed: usize) -> Vec<(String, Bytes)> {
    let version = |file: usize| if file % 100 < changed { n } else { 0 };
    let path = |file: usize| format!("datos/{:03}/casilla-{file:06}.txt", file / 200);
    let mut site: Vec<_> = (0..files).map(|file| (path(file), counts(file, version(file), bytes))).collect();
    site.push(("index.html".into(), format!("<!doctype html><title>corte {n}</title>").into()));
    site
}

/// Writes the package of a corte, as a folder or, by the end of its name, an archive.
pub fn write(n: usize, site: &[(String, Bytes)], out: &Path) {
    pack::sign(about(n).as_bytes(), site, &key()).unwrap().write(out, &Limits::default()).unwrap();
}

/// A desk over real folders, and what it tells.
pub struct Room {
    pub desk: Desk,
    pub told: Receiver<Told>,
    /// Background compression ends when nobody listens.
    _events: Receiver<Event>,
}

pub struct Told {
    pub verify: Duration,
    pub build: Duration,
}

impl Room {
    pub fn open(dir: &Path) -> Room {
        fs::create_dir_all(dir.join("incoming")).unwrap();
        let intake = Intake {
            disk: Disk::machine(),
            state: dir.join("state"),
            incoming: Some(dir.join("incoming")),
            election: ELECTION.into(),
            calendar: always(Tipo::Oficial),
            trust: Trust::Signed,
            transport: None,
            signers: Signers::parse(&signers_line()).unwrap(),
            identity: None,
            limits: Limits::default(),
            content_check: ContentCheck::Refuse,
            keep: 1,
            differing: Differing::default(),
            settle: Duration::from_secs(10),
            policy: Policy { bytes: 1 << 40, cortes: None, at_least: 1 },
            reserve: 0,
            refused_bytes: 0,
        };
        let (tell, told) = channel();
        let report = move |happening: &Happening| match happening {
            Happening::Live { took, .. } => {
                drop(tell.send(Told { verify: took.verify, build: took.build.max(took.store) }))
            }
            Happening::Retained { .. } | Happening::Improved { .. } | Happening::Restored { .. } => {}
            other => panic!("{other:?}"),
        };
        let (events, inbox) = sync_channel(64);
        let mut desk =
            Desk::open(intake, Arc::new(Live::default()), Clock::machine(), Arc::new(report), Some(events)).unwrap();
        desk.begin();
        Room { desk, told, _events: inbox }
    }

    /// Takes in what lies in the folder.
    pub fn take(&mut self) -> Told {
        loop {
            self.desk.look();
            self.desk.work();
            if let Ok(told) = self.told.try_recv() {
                return told;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
