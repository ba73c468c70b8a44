//! What everybody sees of a machine, and that every byte of it is right.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use bytes::Bytes;
use difusor::corte::CorteId;
use difusor::snapshot::{Edition, Representation, Snapshot};

use super::night::Night;
use crate::common::wire::decode;

/// What everybody can see.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Seen {
    pub shown: Option<CorteId>,
    /// The latest corte that was withdrawn, while an earlier one is shown in its place.
    pub withdrawn: Option<String>,
    pub is_held: bool,
}

impl Seen {
    /// What this edition shows, each byte of it held against the packages.
    pub fn of(edition: &Edition, night: &Night) -> Seen {
        edition.all().for_each(|snapshot| holds(night, snapshot));
        let about: serde_json::Value = serde_json::from_slice(&own(edition.live(), ".prep/corte.json")).unwrap();
        let decisions = about["decisiones"].as_array().cloned().unwrap_or_default();
        let of = |what: &str| decisions.iter().find(|decision| decision["accion"] == what);
        Seen {
            shown: Some(edition.live().corte().id),
            withdrawn: of("reversion").map(|decision| decision["retirado"].as_str().unwrap().to_owned()),
            is_held: of("retencion").is_some(),
        }
    }
}

fn own(snapshot: &Snapshot, path: &str) -> Vec<u8> {
    snapshot.files().find(|(other, _)| *other == path).unwrap().1.identity().body.to_vec()
}

/// Every file of a corte is there, and no other; every byte of every coding is its package's.
fn holds(night: &Night, snapshot: &Snapshot) {
    let package = night.package(snapshot.corte().id);
    let mut found = 0;
    for (path, content) in snapshot.files() {
        let expected = match path {
            "" => continue,
            ".prep/SHA256SUMS" => package.tree.bytes("SHA256SUMS"),
            ".prep/SHA256SUMS.sig" => package.tree.bytes("SHA256SUMS.sig"),
            ".prep/corte.original.json" => package.tree.bytes("corte.json"),
            _ if path.starts_with(".prep/") => continue,
            _ => {
                found += 1;
                package.files.get(path).unwrap_or_else(|| panic!("{path} is not in {}", package.id))
            }
        };
        for rep in content.representations() {
            assert!(decoded(rep) == *expected, "{} {path} {:?}", package.id, rep.coding);
        }
    }
    assert_eq!(found, package.files.len(), "{}", package.id);
}

/// Contents by coding and coded bytes.
type Known = HashMap<(&'static str, Bytes), Vec<u8>>;

/// What was decoded before need not be again: most of the time of thousands of nights would go into it.
fn decoded(rep: &Representation) -> Vec<u8> {
    static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
    let key = (rep.coding.name(), rep.body.clone());
    let mut known = KNOWN.lock().unwrap();
    known.entry(key).or_insert_with(|| decode(rep.coding.name(), &rep.body)).clone()
}
