//! A night of small cortes, and what every response of it must be: tag, corte and bytes of one and the same package.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use difusor::base::clock::Clock;
use difusor::base::digest::Digest;
use difusor::corte::{InMemory, Limits, Tipo, Verified, read};
use difusor::ingest::{Gate, Plan};
use difusor::snapshot::{Edition, Known, Level, Live, Looks, Public, Snapshot};
use jiff::Timestamp;
use jiff::civil::date;

use crate::common::always::always;
use crate::common::wire::decode;
use crate::common::{ELECTION, Tree, corte, expecting, key, now, signers_of};

/// Target and path of what is asked for.
pub const TARGETS: [(&str, &str); 5] = [
    ("/", "index.html"),
    ("/datos/total.json", "datos/total.json"),
    ("/fijo.js", "fijo.js"),
    ("/.prep/corte.json", ".prep/corte.json"),
    ("/.prep/SHA256SUMS", ".prep/SHA256SUMS"),
];
/// The one of them whose bytes change with every corte and have every coding.
pub const TOTAL: usize = 1;

/// One corte, as it must be seen.
pub struct Expected {
    pub id: String,
    fecha_hora: String,
    /// For each target, every body by its tag.
    bodies: [HashMap<Vec<u8>, Bytes>; TARGETS.len()],
}

/// All of them, in order.
#[derive(Default)]
pub struct Night {
    pub cortes: Vec<Expected>,
    by_id: HashMap<Vec<u8>, usize>,
}

/// What a client saw of a response.
#[derive(Default, Debug, Clone)]
pub struct Seen {
    pub status: u16,
    pub corte: Vec<u8>,
    pub fecha_hora: Vec<u8>,
    pub etag: Vec<u8>,
    pub coding: Vec<u8>,
    pub body: Bytes,
}

/// What was asked for: a target, and how.
#[derive(Clone, Debug)]
pub struct Asked {
    pub target: usize,
    pub coding: &'static str,
    /// The tag that the client holds.
    pub held: Option<Vec<u8>>,
    /// The corte that is named in the URL.
    pub pinned: Option<usize>,
}

/// The ID of the nth corte: one a minute.
fn id(n: usize) -> String {
    let at = date(2024, 6, 2).at(18, 0, 0, 0) + jiff::Span::new().minutes(n as i64);
    at.strftime("%Y%m%d_%H%M").to_string()
}

/// The files of the nth corte.
fn files(n: usize) -> [(&'static str, Vec<u8>); 3] {
    let rows: String =
        (0..12).map(|d| format!("{{\"distrito\": {d}, \"votos\": {}}},\n", (n + 1) * (d + 7) % 9973)).collect();
    [
        ("index.html", format!("<h1>Corte {}</h1><p>{}", id(n), "resultados preliminares ".repeat(8)).into()),
        ("datos/total.json", format!("[{rows}{n}]").into()),
        ("fijo.js", "addEventListener('load', () => actualiza());\n".repeat(12).into()),
    ]
}

/// The nth corte as a package that was really verified.
pub fn verified(n: usize) -> Verified {
    let files = files(n);
    let tree = Tree::of(&corte(&id(n)), &files.each_ref().map(|(path, bytes)| (*path, &bytes[..])));
    let keep = InMemory { known: &|_| None };
    let package = read::tar_from(&tree.tar()[..], &Limits::default(), &keep).unwrap();
    package.verify(&expecting(&signers_of(&key()))).unwrap()
}

/// The nth corte, ready to be served.
pub fn snapshot(n: usize) -> Arc<Snapshot> {
    Arc::new(Snapshot::usual(&verified(n), &Known::default(), now(), None))
}

/// A gate that lets everything out that is published.
pub fn gate(live: &Arc<Live>) -> Arc<Gate> {
    let plan = Plan { election: ELECTION.into(), calendar: always(Tipo::Oficial), looks: Looks::default() };
    Gate::new(plan, live.clone(), Clock::scripted(now()).0, Arc::new(|_| {}))
}

/// What readers see of an edition.
pub fn public(edition: Option<Edition>) -> Arc<Public> {
    let live = Arc::new(Live::default());
    let gate = gate(&live);
    edition.into_iter().for_each(|edition| live.publish(edition));
    gate.public()
}

/// The same, compressed as well as pays.
pub fn improved(snapshot: &Snapshot) -> Arc<Snapshot> {
    let best = snapshot.unfinished().into_iter().map(|content| Arc::new(content.at(Level::Best)));
    Arc::new(snapshot.with(&Known::of(best)))
}

/// RFC 4648, 5, of the first 96 bits: said here again, not borrowed from what is tested.
fn tag_of(content: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digest = Digest::of(content);
    let bits: Vec<u8> = digest.as_bytes().iter().flat_map(|b| (0..8).rev().map(move |i| b >> i & 1)).collect();
    bits.chunks(6).take(16).map(|six| ALPHABET[six.iter().fold(0, |n, b| n << 1 | usize::from(*b))] as char).collect()
}

impl Night {
    /// Notes what this snapshot of the nth corte holds, after making sure that it is that corte's.
    pub fn learn(&mut self, n: usize, snapshot: &Snapshot) {
        if self.cortes.len() == n {
            let fecha_hora = snapshot.corte().fecha_hora.clone();
            assert_eq!(fecha_hora.parse::<Timestamp>().unwrap(), snapshot.corte().instant);
            self.by_id.insert(id(n).into_bytes(), n);
            self.cortes.push(Expected { id: id(n), fecha_hora, bodies: Default::default() });
        }
        for (target, (_, path)) in TARGETS.iter().enumerate() {
            let (_, content) = snapshot.files().find(|(other, _)| other == path).unwrap();
            let original = match files(n).into_iter().find(|(other, _)| other == path) {
                Some((_, bytes)) => bytes,
                None => content.identity().body.to_vec(),
            };
            assert!(*path != ".prep/corte.json" || String::from_utf8_lossy(&original).contains(&id(n)));
            let name = tag_of(&original);
            for rep in content.representations() {
                let tag = rep.etag.to_str().unwrap();
                assert!(decode(rep.coding.name(), &rep.body) == original && tag.starts_with(&format!("\"{name}")));
                // A tag stands for the same bytes all through the night.
                let before = self.cortes[n].bodies[target].insert(tag.into(), rep.body.clone());
                assert!(before.is_none_or(|before| before == rep.body));
            }
        }
    }

    /// Holds a response against the corte that it names, and returns which one that is.
    pub fn check(&self, asked: &Asked, seen: &Seen) -> usize {
        let told = || format!("{asked:?}: {seen:?}");
        let n = *self.by_id.get(&seen.corte).unwrap_or_else(|| panic!("of no corte: {}", told()));
        let expected = &self.cortes[n];
        assert!(seen.fecha_hora == expected.fecha_hora.as_bytes(), "another date and hour: {}", told());
        let body = expected.bodies[asked.target].get(&seen.etag);
        let body = body.unwrap_or_else(|| panic!("a tag that this corte does not have: {}", told()));
        match seen.status {
            200 => {
                assert!(seen.body == *body, "other bytes than the tag names: {}", told());
                assert!(seen.coding.is_empty() || seen.coding == asked.coding.as_bytes(), "coding: {}", told());
            }
            304 => assert!(seen.body.is_empty() && asked.held.as_ref() == Some(&seen.etag), "304: {}", told()),
            _ => panic!("{}", told()),
        }
        assert!(asked.pinned.is_none_or(|pinned| pinned == n), "another corte than the URL names: {}", told());
        n
    }
}
