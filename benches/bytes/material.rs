//! Real material: the night of Quintana Roo 2019, rebuilt, and a difusor's file of 2018 as it was fetched.

use std::fs;
use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::process::Command;

use bytes::Bytes;
use difusor::rehearse::Night;

pub struct Material {
    /// Every file of every corte, by path.
    pub cortes: Vec<Vec<(String, Bytes)>>,
    /// The acta CSV of every corte.
    pub actas: Vec<Bytes>,
    /// `Diputados_MR_NACIONAL.json` in the order of its cortes, each once.
    pub diputados: Vec<Bytes>,
}

impl Material {
    /// A path's bytes, corte by corte.
    pub fn versions_of(&self, path: &str) -> Vec<Bytes> {
        let of =
            |files: &Vec<(String, Bytes)>| files.iter().find(|(name, _)| name == path).map(|(_, bytes)| bytes.clone());
        self.cortes.iter().filter_map(of).collect()
    }
}

fn folder() -> PathBuf {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    std::env::var_os("DIFUSOR_DATA").map_or_else(beside, PathBuf::from)
}

/// `None` where there is none.
pub fn find() -> Option<Material> {
    let package = fs::read(folder().join("qroo-2019/20190603_0547_PREP_DIP_QROO.zip")).ok()?;
    let csv = entry(&package, |name| name.ends_with("DIP_LOC_2019.csv"));
    let night = Night::from_csv(&csv).expect("the database of 2019 is one");
    let cortes: Vec<Vec<(String, Bytes)>> = (0..night.cortes())
        .map(|n| night.corte(n).files.into_iter().map(|(path, bytes)| (path, bytes.into())).collect())
        .collect();
    let actas = cortes.iter().map(|files| acta_csv(files)).collect();
    Some(Material { cortes, actas, diputados: diputados() })
}

/// The CSV in the ZIP in the ZIP that a corte has for download.
fn acta_csv(files: &[(String, Bytes)]) -> Bytes {
    let (_, outer) = files.iter().find(|(path, _)| path.starts_with("descargas/")).expect("a database for download");
    let inner = entry(outer, |name| name.ends_with(".zip"));
    entry(&inner, |name| name.contains("_DIP_LOC_") && name.ends_with(".csv")).into()
}

fn entry(archive: &[u8], is_it: impl Fn(&str) -> bool) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).expect("an archive");
    let mut names = archive.file_names().filter_map(Result::ok);
    let name = names.find(|name| is_it(name)).expect("the file is in it").into_owned();
    drop(names);
    let mut bytes = Vec::new();
    archive.by_name(&name).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// One body is a 403 page that the difusor served by mistake; the same corte was fetched several times.
fn diputados() -> Vec<Bytes> {
    let dir = tempfile::tempdir().unwrap();
    let archive = folder().join("mx-2018-diputados/snapshots.tar.xz");
    let unpacked = Command::new("tar").arg("xJf").arg(archive).arg("-C").arg(dir.path()).status();
    if !unpacked.is_ok_and(|status| status.success()) {
        return Vec::new();
    }
    let mut files: Vec<PathBuf> = fs::read_dir(dir.path().join("prep_nacional_diputados"))
        .map(|folder| folder.map(|entry| entry.unwrap().path()).collect())
        .unwrap_or_default();
    files.sort();
    let mut bodies: Vec<Bytes> = files.iter().map(|path| fs::read(path).unwrap().into()).collect();
    bodies.retain(|body: &Bytes| serde_json::from_slice::<serde_json::Value>(body).is_ok());
    bodies.dedup();
    bodies
}
