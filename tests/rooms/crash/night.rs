//! The night that is played over and over: packages as folder, archive and push, one that is refused, and what the
//! operators decide meanwhile. Every case does the same steps, so every case must come to the same states.

use std::collections::BTreeMap;

use difusor::corte::CorteId;
use difusor::ingest::Wish;

use crate::common::{Tree, corte};

/// What happens next.
pub enum Step {
    /// The nth package comes into the incoming folder, as it is or as a tar.
    Folder(usize),
    Archive(usize),
    /// It is handed over by somebody who pushes.
    Pushed(usize),
    Wish(Wish),
}

/// A package, and what it must look like when it is served.
pub struct Package {
    pub id: CorteId,
    pub tree: Tree,
    pub files: BTreeMap<String, Vec<u8>>,
}

pub struct Night {
    pub packages: Vec<Package>,
    pub steps: Vec<Step>,
}

/// Not sent in the night: one with some bytes of the first.
pub const AGAIN: usize = 9;
/// The one that does not hold: its sums are of other bytes.
pub const SPOILT: usize = 2;
/// Some bytes that are no text, so that there is no compressed copy of them.
const PHOTO: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR, and what else a photograph of an acta has";

fn id(text: &str) -> CorteId {
    text.parse().unwrap()
}

/// Some files change with every corte, one never, one now and then, and one occurs under two paths.
fn package(n: usize, text: &str) -> Package {
    let rows: String = (0..12).map(|row| format!("{{\"casilla\": {row}, \"votos\": {}}},\n", n * 37 + row)).collect();
    let photo = [PHOTO, &[n as u8 / 3]].concat();
    let files = [
        ("index.html", format!("<h1>Corte {}</h1><p>{}", n % AGAIN, "resultados preliminares ".repeat(6)).into_bytes()),
        ("datos/total.json", format!("[{rows}{n}]").into_bytes()),
        ("datos/copia.json", format!("[{rows}{n}]").into_bytes()),
        ("fijo.js", "addEventListener('load', () => actualiza());\n".repeat(6).into_bytes()),
        ("acta.png", photo),
    ];
    let tree = Tree::of(&corte(text), &files.each_ref().map(|(path, bytes)| (*path, &bytes[..])));
    let tree = if n == SPOILT { tree.with("sitio/acta.png", PHOTO) } else { tree };
    Package { id: id(text), tree, files: files.map(|(path, bytes)| (path.to_owned(), bytes)).into() }
}

impl Night {
    pub fn new() -> Night {
        let ids = ["1830", "1840", "1845", "1850", "1900", "1910", "1920", "1930", "1940", "1950"];
        let ids = ids.map(|time| format!("20260607_{time}"));
        let reason = || "así se decidió".to_owned();
        let rollback = |n: usize| Step::Wish(Wish::Rollback { corte: id(&ids[n]), seen: None, reason: reason() });
        let steps = vec![
            Step::Folder(0),
            Step::Archive(1),
            Step::Archive(SPOILT),
            Step::Folder(3),
            // Back to the one before, which ends when a later one comes.
            rollback(1),
            Step::Archive(4),
            Step::Wish(Wish::Hold { reason: reason() }),
            Step::Folder(5),
            Step::Wish(Wish::Release { reason: reason() }),
            Step::Pushed(6),
            // Back, held there, and while it is held another one comes.
            rollback(5),
            Step::Wish(Wish::Hold { reason: reason() }),
            Step::Pushed(7),
            Step::Wish(Wish::Release { reason: reason() }),
            Step::Archive(8),
        ];
        Night { packages: ids.iter().enumerate().map(|(n, id)| package(n, id)).collect(), steps }
    }

    pub fn package(&self, id: CorteId) -> &Package {
        self.packages.iter().find(|package| package.id == id).unwrap_or_else(|| panic!("{id} was never sent"))
    }
}
