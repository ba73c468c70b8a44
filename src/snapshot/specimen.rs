//! A small corte for the tests of the floors above, which need not know how packages are made.

use std::sync::Arc;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::{Coding, Difference, Edition, Known, Level, Looks, Showing, Snapshot, Timing};
use crate::base::disk::Disk;
use crate::corte::{Expectations, InMemory, Limits, Signers, Trust, pack, read};
use crate::portal::{Printed, Stamp, Told};
use crate::schedule::State;

pub const STAMP: &str = "2026-06-07T20:10:00-06:00";

/// A small corte, by the whole way that every package goes.
pub fn snapshot() -> Snapshot {
    corte("20260607_2010", STAMP, &total(12345))
}

/// What `datos/total.json` says.
pub fn total(votes: u32) -> String {
    (0..300).map(|n| format!("{{\"casilla\":{n},\"votos\":{}}},", votes.wrapping_mul(n) % 997)).collect()
}

/// What `datos/total.json` said in the corte before.
pub fn total_before() -> String {
    total(12345).replacen("\"votos\":", "\"votes\":", 9)
}

/// The small corte after another one, with all differences from it.
pub fn edition() -> Edition {
    let before = Arc::new(corte("20260607_2000", "2026-06-07T20:00:00-06:00", &total_before()));
    let (live, past) = (snapshot(), [before.clone()]);
    let wanted = live.wanted(&past);
    let make = |coding, level| {
        wanted.iter().filter_map(move |one| Difference::new(&one.content, &one.dictionary, coding, level))
    };
    let made = make(Coding::Dcz, Level::Best).chain(make(Coding::Dcb, Level::Best)).map(Arc::new).collect();
    Edition::first(before).next(Arc::new(live.descending(&past, &made)), 6)
}

fn corte(id: &str, stamp: &str, total: &str) -> Snapshot {
    let key = ssh_key::PrivateKey::random(&mut ssh_key::rand_core::OsRng, ssh_key::Algorithm::Ed25519).unwrap();
    let about =
        format!(r#"{{"formato":1,"eleccion":"prueba","corte":"{id}","fecha_hora":"{stamp}","tipo":"simulacro"}}"#);
    let text = |s: &str, n| Bytes::from(s.repeat(n));
    let files = [
        ("index.html", text("<p>resultados</p>", 40)),
        ("datos/total.json", text(total, 1)),
        ("datos/vacio.txt", Bytes::new()),
        ("foto.jpg", Bytes::from_static(b"\xff\xd8\xff\xe0 not compressed")),
        ("sub/index.html", text("sub", 100)),
    ];
    let files: Vec<_> = files.into_iter().map(|(path, bytes)| (path.to_owned(), bytes)).collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.tar");
    pack::sign(about.as_bytes(), &files, &key).unwrap().write(&path, &Limits::default()).unwrap();
    let signers = Signers::parse(&format!("a {}\n", key.public_key().to_openssh().unwrap())).unwrap();
    let now: Timestamp = stamp.parse().unwrap();
    let expected =
        Expectations { trust: Trust::Signed, eleccion: None, tipo: None, signers: &signers, identity: None, now };
    let package = read(&Disk::machine(), &path, &Limits::default(), &InMemory { known: &|_| None }).unwrap();
    Snapshot::usual(&package.verify(&expected).unwrap(), &Known::default(), now, None)
}

/// The snapshot, shown as current.
pub fn showing(snapshot: Snapshot) -> Showing {
    showing_of(Edition::first(Arc::new(snapshot)))
}

/// The edition, shown as current.
pub fn showing_of(edition: Edition) -> Showing {
    let live = edition.live().clone();
    let at = live.corte().as_written();
    let corte = live.corte();
    let told = Told {
        election: corte.eleccion.clone(),
        kind: corte.tipo,
        state: State::Current,
        shows_results: true,
        is_shifted: false,
        corte: Some(Stamp::new(corte.id.to_string(), corte.fecha_hora.clone(), &at)),
        since: Some(at.clone()),
        opens: at.clone(),
        closes: at.clone(),
        due: None,
        interval_s: 600,
        printed: Printed { election: at, machine_s: 0, pace: 1.0 },
    };
    let timing = Timing { interval: SignedDuration::from_mins(10), due: None, until: None, opens: None };
    Showing::new(told, Some(Arc::new(edition)), timing, &Looks::default(), None)
}
