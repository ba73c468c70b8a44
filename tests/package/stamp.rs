//! The stamp of a bare tree: on real material, in archives within archives, and as a package.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use difusor::base::disk::Disk;
use difusor::corte::{self, About, Bare, InMemory, Limits, Proof, Refusal, StampRule, Tipo, Trust, Verified};
use jiff::Timestamp;
use zip::write::SimpleFileOptions;

use crate::common::{code_of, data, expecting, key, sh, signers_of, tool};

const ZONE: Option<&str> = Some("America/Mexico_City");
const ZIP: &str = "20190603_0547_PREP_DIP_QROO.zip";

fn about(now: &str) -> About {
    let now: Timestamp = now.parse().unwrap();
    About { eleccion: "prueba".into(), tipo: Tipo::Simulacro, revision: 0, now }
}

fn bare(from: &Path) -> Bare {
    corte::read_bare(&Disk::machine(), from, &Limits::default(), &InMemory { known: &|_| None }).unwrap()
}

/// A tree of one file, read from the disk as any is.
fn tree(path: &str, bytes: &[u8]) -> Bare {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, bytes).unwrap();
    bare(dir.path())
}

fn code(tree: &Bare, rule: &StampRule) -> &'static str {
    tree.find(rule).map_or_else(
        |refusal| {
            eprintln!("{}: {refusal}", refusal.code());
            refusal.code()
        },
        |_| "",
    )
}

fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn header(file: &str) -> StampRule {
    StampRule::line(file, 3, r"^\d{4}/.*\)$", "%Y/%m/%d %H:%M (UTC%z)", None).unwrap()
}

#[test]
fn every_snapshot_of_the_night_of_2018() {
    let Some(series) = data("mx-2018-diputados/snapshots.tar.xz") else { return };
    if ["tar", "xz"].iter().any(|name| tool(name).is_none()) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    sh(dir.path(), &format!("tar xJf '{}'", series.display()));
    let mut fetched: Vec<_> = fs::read_dir(dir.path().join("prep_nacional_diputados")).unwrap().flatten().collect();
    fetched.sort_by_key(fs::DirEntry::file_name);
    let format = "%d de %B de %Y %H:%M";
    let rule = StampRule::json("Diputados_MR_*.json", &["/fechaCorte", "/horaCorte"], format, ZONE).unwrap();
    let as_text = r#""horaCorte":"([0-9:]+)".*"fechaCorte":"([^"]+)""#;
    let as_text = StampRule::text("*.json", as_text, "%H:%M %d de %B de %Y", ZONE).unwrap();
    let (mut stamps, mut refused) = (vec![], vec![]);
    for snapshot in &fetched {
        let name = snapshot.file_name().into_string().unwrap();
        let tree = tree("Diputados_MR_NACIONAL.json", &fs::read(snapshot.path()).unwrap());
        let at = format!("{}-05:00", name.replace(' ', "T"));
        match tree.find(&rule) {
            Ok(stamp) => {
                assert_eq!(tree.find(&as_text).unwrap(), stamp, "{name}: read as text");
                // The name is the moment of the fetch: a corte is never of a later one.
                assert!(stamp.instant <= at.parse().unwrap(), "{name}: {}", stamp.fecha_hora());
                let verified = tree.stamp(&rule, &about(&at)).unwrap();
                assert_eq!(verified.corte().id.to_string(), stamp.local.strftime("%Y%m%d_%H%M").to_string());
                assert_eq!(verified.corte().instant, stamp.instant);
                stamps.push(verified.corte().id);
            }
            Err(refusal) => refused.push((name, refusal.code(), refusal.to_string())),
        }
    }
    assert_eq!((stamps.len(), refused.len()), (126, 1));
    let (name, code, why) = &refused[0];
    assert!(name.starts_with("2018-07-01 20:50:07") && *code == "P103" && why.contains("no JSON"), "the 403: {why}");
    assert_eq!(stamps[0].to_string(), "20180701_2050");
    assert_eq!(stamps[125].to_string(), "20180702_2100");
    assert!(stamps.is_sorted(), "as fetched, no stamp is before the one of the fetch before");
    stamps.dedup();
    assert_eq!(stamps.len(), 96);
}

#[test]
fn the_package_of_quintana_roo() {
    let Some(file) = data(&format!("qroo-2019/{ZIP}")) else { return };
    let real = fs::read(file).unwrap();
    let name = StampRule::names(r"^(\d{8}_\d{4})_PREP_DIP_QROO\.zip$", "%Y%m%d_%H%M", Some("America/Cancun")).unwrap();
    let once = zip_of(&[("LEEME.txt", b""), (ZIP, &real)]);
    let twice = zip_of(&[("dentro.zip", &once)]);
    for (path, bytes, rule) in [
        (format!("datos/{ZIP}"), &real, name),
        (format!("datos/{ZIP}"), &real, header("*_PREP_DIP_QROO.zip!QROO_DIP_LOC_*.csv")),
        ("todo.zip".into(), &once, header("todo.zip!*_PREP_DIP_QROO.zip!QROO_DIP_LOC_*.csv")),
        ("todo.zip".into(), &twice, header("*.zip!*.zip!*.zip!QROO_DIP_LOC_*.csv")),
    ] {
        let stamp = tree(&path, bytes).find(&rule).unwrap();
        assert_eq!(stamp.id(0).to_string(), "20190603_0547");
        assert_eq!(stamp.fecha_hora(), "2019-06-03T05:47:00-05:00");
    }
    let tree = tree(ZIP, &real);
    assert_eq!(code(&tree, &header("*.zip!QROO_DIP_CANDIDATURAS_*.csv")), "P103", "another layout");
    assert_eq!(code(&tree, &header("*.zip!QROO_GUB_*.csv")), "P101");
    assert_eq!(code(&tree, &header("*.zip!*.csv!x")), "P003", "a CSV is no archive");
}

#[test]
fn the_site_of_quintana_roo() {
    let Some(site) = data("qroo-2019/site-api-json.tar.xz") else { return };
    if ["tar", "xz"].iter().any(|name| tool(name).is_none()) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    sh(dir.path(), &format!("tar xJf '{}'", site.display()));
    let verified =
        bare(dir.path()).stamp(&header("*/QROO_DIP_LOC_*.csv"), &about("2019-06-03T05:50:00-05:00")).unwrap();
    assert_eq!(verified.corte().fecha_hora, "2019-06-03T05:47:00-05:00");
    assert_eq!(verified.files().len(), 69);
    assert_eq!(verified.trust(), &Proof::Transport);
}

#[test]
fn archives_are_hostile_here_too() {
    let csv = b"a\nb\n2019/06/03 05:47 (UTC-5)\n";
    let rule = header("a.zip!*.csv");
    let find = |zip: &[u8]| code(&tree("a.zip", zip), &rule);
    assert_eq!(find(&zip_of(&[("x.csv", csv)])), "");
    // What the rule does not look into is published as it is: whatever its name, kind or size.
    let mut other = zip_of(&[("x.csv", csv), ("../aAaA", b"")]);
    other = replaced(&other, b"aAaA", b"a\xff\\a");
    assert_eq!(find(&other), "");
    let zeros = vec![0; 8 << 20];
    assert_eq!(find(&zip_of(&[("x.csv", csv), ("bomb", &zeros)])), "");
    // Of a file in which a header is looked for, the front is enough; an archive is needed whole.
    assert_eq!(find(&zip_of(&[("x.csv", &[csv.to_vec(), zeros.clone()].concat())])), "");
    let bomb = zip_of(&[("i.zip", &zip_of(&[("x.csv", csv), ("z", &vec![0; 64 << 20])])), ("bomb.zip", &zeros)]);
    assert_eq!(code(&tree("a.zip", &bomb), &header("a.zip!i.zip!*.csv")), "");
    assert_eq!(code(&tree("a.zip", &bomb), &header("a.zip!*.zip!*.csv")), "P014");
    let json = StampRule::json("a.zip!*", &["/t"], "%F %R", ZONE).unwrap();
    let noise: Vec<u8> = (0..17u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    assert_eq!(code(&tree("a.zip", &zip_of(&[("x.json", &noise)])), &json), "P013");
    let cut = zip_of(&[("x.csv", csv)]);
    assert_eq!(find(&cut[..cut.len() - 10]), "P003");
    assert_eq!(find(&replaced(&zip_of(&[("x.csv", csv)]), b"PK\x03\x04", b"PK\x03\x05")), "P003");
}

/// The same bytes with one sequence in the place of another of its length.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> =
        bytes.windows(from.len()).enumerate().filter(|(_, w)| *w == from).map(|(i, _)| i).collect();
    assert!(!places.is_empty());
    places.iter().for_each(|at| bytes[*at..at + to.len()].copy_from_slice(to));
    bytes
}

fn site(votes: u32) -> Bare {
    tree("datos/total.json", format!(r#"{{"corte":"2026-06-07 20:10","votos":{votes}}}"#).as_bytes())
}

fn rule() -> StampRule {
    StampRule::json("datos/total.json", &["/corte"], "%F %R", Some("America/Monterrey")).unwrap()
}

#[test]
fn a_bare_tree_becomes_a_package() {
    let at = about("2026-06-07T20:12:00-06:00");
    let verified = site(1).stamp(&rule(), &at).unwrap();
    let corte = verified.corte();
    assert_eq!(corte.id.to_string(), "20260607_2010");
    assert_eq!(corte.fecha_hora, "2026-06-07T20:10:00-06:00");
    assert_eq!((corte.eleccion.as_str(), corte.tipo, corte.is_final), ("prueba", Tipo::Simulacro, false));
    assert_eq!(verified.trust().trust(), Trust::Transport);
    let sums = str::from_utf8(verified.sums()).unwrap();
    assert!(sums.lines().count() == 2 && sums.ends_with("  sitio/datos/total.json\n"), "{sums}");
    // As a vault has it after a restart, even if signatures are asked for by now.
    let signers = signers_of(&key());
    let (json, list) = (verified.corte_json().clone(), verified.sums().clone());
    let files = verified.files().to_vec();
    let restored = corte::restore(json, list, None, files, Trust::Transport, &expecting(&signers)).unwrap();
    assert_eq!(restored.trust(), &Proof::Transport);
    assert_eq!(restored.corte(), verified.corte());
}

#[test]
fn a_correction_under_the_same_stamp_is_told_by_its_sums() {
    let at = about("2026-06-07T20:12:00-06:00");
    let (first, again, other) = (site(1), site(1), site(2));
    let announced = first.announce(&rule(), &at).unwrap();
    assert_eq!(announced, again.announce(&rule(), &at).unwrap(), "the same tree is the same package");
    let corrected = other.announce(&rule(), &at).unwrap();
    assert_eq!(corrected.corte, announced.corte);
    assert_ne!(corrected.sums, announced.sums);
    let revised = other.stamp(&rule(), &About { revision: announced.corte.id.revision() + 1, ..at }).unwrap();
    assert_eq!(revised.corte().id.to_string(), "20260607_2010-1");
    assert!(revised.corte().id > announced.corte.id);
}

#[test]
fn what_a_package_must_hold_a_bare_tree_must_too() {
    let stamp = |about: About| -> Result<Verified, Refusal> { site(1).stamp(&rule(), &about) };
    let at = about("2026-06-07T20:12:00-06:00");
    assert_eq!(code_of(stamp(about("2026-06-07T20:04:59-06:00"))), "P074");
    assert_eq!(code_of(stamp(about("2026-06-07T20:05:00-06:00"))), "");
    assert_eq!(code_of(stamp(About { eleccion: "No Vale".into(), ..at.clone() })), "P042");
    assert_eq!(code_of(stamp(About { revision: u32::MAX, ..at.clone() })), "P042");
    assert_eq!(code_of(tree("otro.json", b"{}").stamp(&rule(), &at)), "P101");
}
