//! Zip archives: the list at the end is read first, then all threads unpack.

use std::io::{Read, Seek};

use zip::read::{Config, OwnedZipFileEntry, ZipFileEntry};
use zip::result::ZipError;
use zip::unstable::read::ZipIterable;
use zip::{CompressionMethod, ZipReadOptions};

use super::entry::{Entry, METADATA, Reading};
use super::{Keep, top_folder};
use crate::base::disk::ReadAt;
use crate::base::pool;
use crate::base::shown::Shown;
use crate::corte::Refusal;

/// The bits of a Unix mode that say what a file is, and the two kinds that a package may hold.
const KIND: u32 = 0o170_000;
const PLAIN: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;

pub(super) fn entries<K: Keep>(
    from: impl Read + Seek + Clone + Sync,
    archive: &str,
    reading: &Reading<'_, K>,
) -> Result<Vec<Entry<K::Kept>>, Refusal> {
    unpack(&list(from.clone(), archive, reading)?, from, archive, reading)
}

/// The three files that say what the package is, as far as the list has them; no other is read.
pub(super) fn first<K: Keep>(
    from: ReadAt,
    archive: &str,
    reading: &Reading<'_, K>,
) -> Result<Vec<Entry<K::Kept>>, Refusal> {
    let mut files = list(from.clone(), archive, reading)?;
    let top = top_folder(files.iter().map(|(path, _)| path.as_str()));
    files.retain(|(path, _)| path.strip_prefix(&top).is_some_and(|name| METADATA.contains(&name)));
    unpack(&files, from, archive, reading)
}

fn unpack<K: Keep>(
    files: &[(String, OwnedZipFileEntry)],
    from: impl Read + Seek + Clone + Sync,
    archive: &str,
    reading: &Reading<'_, K>,
) -> Result<Vec<Entry<K::Kept>>, Refusal> {
    pool::each(
        files.len(),
        || from.clone(),
        |from, i| {
            let (path, file) = &files[i];
            let options = ZipReadOptions::new();
            let mut unpacked = file.as_ref().with_reader(from, options).map_err(|error| broken(archive, error))?;
            let broken_at = |_: &str, error| Refusal::broken(archive, error);
            let ratio = |len| reading.meter.ratio(path, file.compressed_size(), len);
            reading.stream(path.clone(), file.size(), &mut unpacked, broken_at, ratio)
        },
    )
}

/// The files in the archive, by the list at its end: paths, kinds and announced sizes checked.
fn list<K: Keep>(
    from: impl Read + Seek,
    archive: &str,
    reading: &Reading<'_, K>,
) -> Result<Vec<(String, OwnedZipFileEntry)>, Refusal> {
    let mut files = Vec::new();
    let mut zip = ZipIterable::try_new(from, Config::default()).map_err(|error| broken(archive, error))?;
    for entry in zip.files().map_err(|error| broken(archive, error))? {
        let entry = entry.map_err(|error| broken(archive, error))?;
        let name = entry.name_raw();
        let name = name.strip_prefix(b"./").unwrap_or(name);
        if let Some(folder) = name.strip_suffix(b"/") {
            reading.admit(folder)?;
            continue;
        }
        let path = reading.admit(name)?.to_string();
        match entry.unix_mode().unwrap_or(0) & KIND {
            0 | PLAIN => {}
            kind => {
                let kind = if kind == FOLDER { "folder named as a file" } else { "link or device" };
                return Err(Refusal::NotAPlainFile { path: Shown::text(&path), kind });
            }
        }
        unpackable(&entry, archive)?;
        reading.announced(&path, entry.size())?;
        files.push((path, entry.into()));
    }
    Ok(files)
}

/// Refuses what cannot be unpacked here.
pub(super) fn unpackable(entry: &ZipFileEntry<'_>, archive: &str) -> Result<(), Refusal> {
    let fault = |why: &str| Err(Refusal::BrokenArchive { archive: Shown::text(archive), why: Shown::text(why) });
    match entry.compression() {
        _ if entry.encrypted() => fault("a file in it is encrypted"),
        CompressionMethod::Stored | CompressionMethod::Deflated => Ok(()),
        _ => fault("a file in it is neither stored nor deflated"),
    }
}

pub(super) fn broken(archive: &str, error: ZipError) -> Refusal {
    match error {
        ZipError::Io(error) => Refusal::broken(archive, error),
        other => Refusal::BrokenArchive { archive: Shown::text(archive), why: Shown::text(&other.to_string()) },
    }
}
