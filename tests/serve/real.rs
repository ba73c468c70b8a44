//! Real material: a publication site of 2019 as one package, a real difusor's file of 2018 as a night of cortes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use difusor::base::clock::Clock;
use difusor::base::disk::Disk;
use difusor::ingest::{Happening, Operator};
use difusor::snapshot::Live;

use crate::common::room::intake;
use crate::common::server::{DEADLINE, Setup, until};
use crate::common::wire::Talk;
use crate::common::{Tree, corte, data, sh, tool};

/// How long the best compression of a real site may take: it has the lowest priority, and here it is built without
/// optimisation.
const PATIENCE: Duration = Duration::from_secs(300);

/// Unpacks an archive of real material into `dir`; its files with their names, in order.
fn unpacked(name: &str, dir: &Path) -> Option<Vec<PathBuf>> {
    tool("tar")?;
    tool("xz")?;
    let archive = data(name)?;
    sh(dir, &format!("tar xJf '{}' --strip-components=1", fs::canonicalize(archive).unwrap().display()));
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    Some(files)
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

#[test]
fn a_real_site_comes_out_byte_for_byte_in_every_coding() {
    let real = tempfile::tempdir().unwrap();
    let Some(files) = unpacked("qroo-2019/site-api-json.tar.xz", real.path()) else { return };
    let contents: Vec<(&str, Vec<u8>)> = files.iter().map(|path| (name(path), fs::read(path).unwrap())).collect();
    let borrowed: Vec<(&str, &[u8])> = contents.iter().map(|(name, bytes)| (*name, &bytes[..])).collect();
    let id = "20190603_0547";
    let site = Setup::clear().start();
    site.deliver("qroo.tar", &Tree::of(&corte(id), &borrowed));
    site.live(id);
    let figures = site.log_line(&["INFO live "]);
    eprintln!("{figures}");
    // First as it went live, then as well compressed as pays.
    let mut sizes = Vec::new();
    for _ in 0..2 {
        let mut talk = Talk::with(site.http());
        for coding in ["identity", "gzip", "br", "zstd"] {
            let mut sum = 0;
            for (name, bytes) in &contents {
                let got = talk.get(&format!("/{name}"), &format!("Accept-Encoding: {coding}\r\n"));
                assert_eq!((got.status, got.field("corte")), (200, Some(id)), "{name}");
                assert!(&got.decoded() == bytes, "{name} differs as {coding}");
                sum += got.body.len();
            }
            sizes.push(sum);
        }
        site.log_line_within(PATIENCE, &["compressed best"]);
    }
    eprintln!("identity, gzip, br, zstd; at first and at best: {sizes:?} bytes");
    assert!((1..4).all(|n| sizes[n] * 4 < sizes[0] && sizes[n + 4] <= sizes[n]), "{sizes:?}");
}

/// What each saved file says of its own corte, as an ID: `horaCorte` and `fechaCorte`.
fn own_id(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let json: serde_json::Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?;
    let said = |key: &str| find(&json, key).and_then(|value| value.as_str().map(str::to_owned));
    let (hour, date) = (said("horaCorte")?, said("fechaCorte")?);
    // `01 de julio de 2018`
    let mut words = date.split(" de ");
    let (day, month, year) = (words.next()?, words.next()?, words.next()?);
    assert_eq!(month, "julio");
    Some(format!("{}07{day}_{}", year.trim(), hour.trim().replace(':', "")))
}

fn find<'j>(json: &'j serde_json::Value, key: &str) -> Option<&'j serde_json::Value> {
    match json {
        serde_json::Value::Object(map) => map.get(key).or_else(|| map.values().find_map(|value| find(value, key))),
        serde_json::Value::Array(all) => all.iter().find_map(|value| find(value, key)),
        _ => None,
    }
}

#[test]
fn a_real_night_of_127_fetches() {
    let real = tempfile::tempdir().unwrap();
    let Some(files) = unpacked("mx-2018-diputados/snapshots.tar.xz", real.path()) else { return };
    assert_eq!(files.len(), 127);
    let dir = tempfile::tempdir().unwrap();
    let (incoming, draft) = (dir.path().join("incoming"), dir.path().join("draft.tar"));
    fs::create_dir(&incoming).unwrap();
    let live = Arc::new(Live::default());
    let (tell, told) = channel();
    let intake = intake(&Disk::machine(), dir.path());
    let report = move |happening: &Happening| {
        let verdict = match happening {
            Happening::Live { .. } => "live",
            Happening::Same { .. } => "same",
            Happening::Refused { code, .. } => *code,
            Happening::Improved { .. } | Happening::Retained { .. } => return,
            other => panic!("{other:?}"),
        };
        let _ = tell.send(verdict);
    };
    let operator = Operator::start(intake, live.clone(), Clock::machine(), Arc::new(report)).unwrap();
    let deliver = |n: usize, id: &str, bytes: &[u8]| {
        fs::write(&draft, Tree::of(&corte(id), &[("Diputados_MR_NACIONAL.json", bytes)]).tar()).unwrap();
        fs::rename(&draft, incoming.join(format!("{n:03}.tar"))).unwrap();
        told.recv_timeout(DEADLINE).unwrap()
    };
    let shown = || {
        let guard = live.load();
        let live = guard.as_deref().map(|edition| edition.live().clone())?;
        let file = live.files().find(|(path, _)| *path == "Diputados_MR_NACIONAL.json")?.1.clone();
        Some((live.corte().id.to_string(), file.identity().body.clone()))
    };
    let (mut verdicts, mut last) = (std::collections::BTreeMap::new(), None::<(String, Vec<u8>)>);
    for (n, file) in files.iter().enumerate() {
        let bytes = fs::read(file).unwrap();
        // A body that says nothing of its corte comes under the minute at which it was fetched.
        let fetched = || name(file)[..16].replace(['-', ':'], "").replace(' ', "_");
        let own = own_id(&bytes);
        let id = own.clone().unwrap_or_else(fetched);
        let expected = match &last {
            _ if own.is_none() => "P084",
            Some((live, _)) if *live > id => "P081",
            Some((live, held)) if *live == id => {
                if *held == bytes {
                    "same"
                } else {
                    "P082"
                }
            }
            _ => "live",
        };
        let verdict = deliver(n, &id, &bytes);
        assert_eq!(verdict, expected, "{} as {id}", file.display());
        *verdicts.entry(verdict).or_insert(0) += 1;
        if verdict == "live" {
            last = Some((id, bytes));
        }
        assert_eq!(shown().map(|(id, body)| (id, body.to_vec())), last);
    }
    eprintln!("{verdicts:?}");
    assert_eq!(verdicts["P084"], 1, "the 403 page");
    assert!(verdicts["live"] > 80 && verdicts["same"] > 0, "{verdicts:?}");
    // An earlier fetch once more, and what was never seen of an earlier minute: the night never goes back.
    let early = fs::read(&files[5]).unwrap();
    assert_eq!(deliver(500, &own_id(&early).unwrap(), &early), "same");
    assert_eq!(deliver(503, "20180701_2051", &early), "P081");
    // Numbers that freeze or fall under a later stamp are no fault: it is the stamp that counts.
    let (_, held) = last.unwrap();
    assert_eq!(deliver(501, "20180702_2110", &held), "live");
    assert_eq!(deliver(502, "20180702_2120", &early), "live");
    assert_eq!(shown().unwrap(), ("20180702_2120".into(), early.into()));
    until(|| told.try_recv().is_err().then_some(())).unwrap();
    operator.stop();
}
