//! The promise on memory, and how soon a package is live.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use difusor::base::clock::Monotonic;
use difusor::base::pool;
use difusor::corte::{InMemory, Limits, Verified, read};
use difusor::snapshot::{Content, Edition, Known, Level, Snapshot};

use crate::common::{Tree, corte, data, expecting, key, now, sh, signers_of, tool};

/// Live and previous snapshot together, in hundredths of the package's bytes, when 5 % of the files changed.
const PROMISED: usize = 250;

/// Some 70 files of some 50 KB: rows of numbers, as publication sites have them.
fn generated() -> Vec<(String, Vec<u8>)> {
    let row = |f: u32, n: u32| {
        let votes = (f * 1_000 + n).wrapping_mul(2_654_435_761) >> 20;
        format!("{{\"seccion\": {}, \"casilla\": \"B{}\", \"votos\": {votes}}},\n", 100 + n / 3, n % 3)
    };
    let file = |f: u32| (format!("distrito_{f}.json"), (0..1_000).map(|n| row(f, n)).collect::<String>().into_bytes());
    (0..67).map(file).collect()
}

/// The real site of 2019.
fn real() -> Option<Vec<(String, Vec<u8>)>> {
    (tool("tar").is_some() && tool("xz").is_some()).then_some(())?;
    let archive = std::fs::canonicalize(data("qroo-2019/site-api-json.tar.xz")?).unwrap();
    let dir = tempfile::tempdir().unwrap();
    sh(dir.path(), &format!("tar xJf '{}' --strip-components=1", archive.display()));
    let mut all: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    let named = |path: &std::path::PathBuf| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap())
    };
    Some(all.iter().map(named).collect())
}

fn verified(id: &str, files: &[(String, Vec<u8>)], known: &Known) -> Verified {
    let borrowed: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (path.as_str(), &bytes[..])).collect();
    let keep = InMemory { known: &|digest| known.bytes(digest) };
    let tar = Tree::of(&corte(id), &borrowed).tar();
    let package = read::tar_from(&tar[..], &Limits::default(), &keep).unwrap();
    package.verify(&expecting(&signers_of(&key()))).unwrap()
}

/// Bytes of all codings of an edition, what is shared counted once.
fn weight(edition: &Edition) -> usize {
    let all = edition.all().flat_map(|snapshot| snapshot.contents());
    let distinct: HashMap<*const Content, Arc<Content>> = all.map(|content| (Arc::as_ptr(&content), content)).collect();
    // Bodies, too, may be shared between contents: by their address.
    let bodies = distinct.values().flat_map(|content| content.representations());
    let bodies: HashMap<*const u8, usize> = bodies.map(|r| (r.body.as_ptr(), r.body.len())).collect();
    bodies.values().sum()
}

/// The same corte compressed as well as pays, but for what is so in `known`.
fn best(snapshot: &Snapshot, known: &Known) -> Arc<Snapshot> {
    let taken_over = snapshot.with(known);
    let left = taken_over.unfinished();
    let improve = |_: &mut (), n: usize| Ok::<_, Infallible>(Arc::new(left[n].at(Level::Best)));
    let Ok(made) = pool::each(left.len(), || (), improve);
    Arc::new(taken_over.with(&Known::of(made)))
}

fn holds(what: &str, mut files: Vec<(String, Vec<u8>)>) {
    let package: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    let first = verified("20240602_2000", &files, &Known::default());
    let started = Monotonic::now();
    let first = Arc::new(Snapshot::usual(&first, &Known::default(), now(), None));
    eprintln!("{what}: {} files, {package} bytes, built in {:?}", files.len(), started.elapsed());
    let edition = Edition::first(first);
    // One in twenty gets a digit changed, as when another acta is counted.
    let changed = files.len() / 20 + 1;
    for (_, bytes) in files.iter_mut().step_by(20) {
        let digit = bytes.iter_mut().rev().find(|b| b.is_ascii_digit()).unwrap();
        *digit = if *digit == b'9' { b'0' } else { *digit + 1 };
    }
    let known = Known::of(edition.all().flat_map(|snapshot| snapshot.contents()));
    let second = verified("20240602_2010", &files, &known);
    let started = Monotonic::now();
    let second = Arc::new(Snapshot::usual(&second, &known, now(), Some(edition.live())));
    eprintln!("{what}: the next corte, {changed} changed, built in {:?}", started.elapsed());
    let edition = edition.next(second.clone(), 1);
    let both = |edition: &Edition, when: &str| {
        let share = weight(edition) * 100 / package;
        eprintln!("{what}, {when}: live and previous snapshot hold {share} % of the package");
        assert!(share <= PROMISED, "{share} %");
    };
    both(&edition, "as it went live");
    let improved = best(&second, &Known::default());
    both(&edition.improved(&improved), "live at best, previous as it went live");
    let previous = best(edition.all().last().unwrap(), &Known::of(improved.contents()));
    both(&edition.improved(&improved).improved(&previous), "both at best");
}

#[test]
fn two_snapshots_of_a_generated_site_hold_what_was_promised() {
    holds("generated", generated());
}

#[test]
fn two_snapshots_of_a_real_site_hold_what_was_promised() {
    if let Some(files) = real() {
        holds("Quintana Roo 2019", files);
    }
}
