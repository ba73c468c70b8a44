//! Reads a package from where it lies: paths checked, limits held, every file hashed. Proves nothing.

mod bare;
mod described;
mod entry;
mod fields;
mod folder;
mod form;
mod guard;
mod inner;
mod layout;
mod tar;
mod zip;

use std::path::Path;

use bytes::Bytes;

use super::{File, Limits, Preamble, Refusal, Unverified, path};
use crate::base::digest::Digest;
use crate::base::disk::{Disk, Folder, Kind, ReadAt};
use crate::base::shown::Shown;
pub use bare::read_bare;
use entry::{Entry, Reading};
pub(super) use inner::{Each, Most, each_in_zip};
use tar::Packing;

/// What becomes of a file's bytes once they are hashed.
pub trait Keep: Sync {
    /// What stays of a file.
    type Kept: Send;
    /// Whether `keep` needs the bytes; if not they pass through a small buffer.
    const BYTES: bool;
    /// `len` bytes were read and hashed; `bytes` holds them if `BYTES`, and is empty otherwise.
    fn keep(&self, digest: &Digest, len: u64, bytes: Vec<u8>) -> Self::Kept;
}

/// Keeps how many bytes there were, and nothing else: for checking a package of any size.
pub struct Nothing;

impl Keep for Nothing {
    type Kept = u64;
    const BYTES: bool = false;

    fn keep(&self, _: &Digest, len: u64, _: Vec<u8>) -> u64 {
        len
    }
}

/// Keeps every byte: for serving. A file that `known` has already is shared, not kept twice.
pub struct InMemory<'a> {
    pub known: &'a (dyn Fn(&Digest) -> Option<Bytes> + Sync),
}

impl Keep for InMemory<'_> {
    type Kept = Bytes;
    const BYTES: bool = true;

    fn keep(&self, digest: &Digest, _: u64, mut bytes: Vec<u8>) -> Bytes {
        if let Some(known) = (self.known)(digest) {
            return known;
        }
        bytes.shrink_to_fit();
        Bytes::from(bytes)
    }
}

/// How archives end that are no form of a package: whoever sends one means a package, and has to hear that it is none (P002).
const OTHER_ARCHIVES: [&str; 10] =
    [".tgz", ".tzst", ".tbz2", ".txz", ".tar.bz2", ".tar.xz", ".tar.lz4", ".tar.z", ".7z", ".rar"];

/// The end of `name` if it is of such an archive, in whatever case.
pub fn other_archive(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    OTHER_ARCHIVES.into_iter().find(|end| name.ends_with(end))
}

/// Where a package lies and in which form.
enum Source {
    Folder(Folder),
    Tar(ReadAt, Packing),
    Zip(ReadAt),
}

impl Source {
    /// A directory, or an archive by the end of its name; not what a link there leads to, which may be anything that we
    /// may read.
    fn open(disk: &Disk, from: &Path, name: &str, limits: &Limits) -> Result<Source, Refusal> {
        let is_link = || disk.stat(from).is_ok_and(|stat| stat.kind == Kind::Link);
        let unreadable = |error| match is_link() {
            true => Refusal::NotAPlainFile { path: Shown::text(name), kind: "symbolic link" },
            false => Refusal::unreadable(name, error),
        };
        match disk.foreign_folder(from) {
            Ok(folder) => return Ok(Source::Folder(folder)),
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory && !is_link() => {}
            Err(error) => return Err(unreadable(error)),
        }
        let open = || {
            let file = disk.open_foreign(from).map_err(unreadable)?;
            match file.size().map_err(unreadable)? > limits.archive_bytes() {
                // It would be refused at its end; by then all of it was read.
                true => Err(Refusal::TotalBytes { limit: limits.archive_bytes() }),
                false => Ok(ReadAt::of(file)),
            }
        };
        Ok(match name {
            _ if name.ends_with(".tar") => Source::Tar(open()?, Packing::None),
            _ if name.ends_with(".tar.gz") => Source::Tar(open()?, Packing::Gzip),
            _ if name.ends_with(".tar.zst") => Source::Tar(open()?, Packing::Zstandard),
            _ if name.ends_with(".zip") => Source::Zip(open()?),
            _ => return Err(Refusal::UnknownForm { path: Shown::text(name) }),
        })
    }
}

/// Reads the package at `from`: a directory, or an archive by the end of its name.
pub fn read<K: Keep>(disk: &Disk, from: &Path, limits: &Limits, keep: &K) -> Result<Unverified<K::Kept>, Refusal> {
    let (reading, name) = (Reading::new(limits, keep), from.to_string_lossy());
    assemble(files_of(Source::open(disk, from, &name, limits)?, &name, &reading)?)
}

/// Every file, in any order.
fn files_of<K: Keep>(source: Source, name: &str, reading: &Reading<'_, K>) -> Result<Vec<Entry<K::Kept>>, Refusal> {
    match source {
        Source::Folder(folder) => folder::read(&folder, reading),
        Source::Tar(file, packing) => tar::entries(tar::unpacked(file, packing, name, reading)?, name, reading),
        Source::Zip(file) => zip::entries(file, name, reading),
    }
}

/// Reads the three files that say what the package at `from` is, and no other. `None` where that cannot be done: a
/// tar archive in which they do not come first, or folders of which one may be the package's top; then read it all.
/// What is missing shows when the preamble is checked.
pub fn preamble(disk: &Disk, from: &Path, limits: &Limits) -> Result<Option<Preamble>, Refusal> {
    let (reading, name) = (Reading::new(limits, &Nothing), from.to_string_lossy());
    let entries = match Source::open(disk, from, &name, limits)? {
        Source::Folder(folder) => folder::first(&folder, &reading)?,
        Source::Tar(file, packing) => tar::first(tar::unpacked(file, packing, &name, &reading)?, &name, &reading)?,
        Source::Zip(file) => Some(zip::first(file, &name, &reading)?),
    };
    Ok(entries.map(assemble).transpose()?.map(|package| package.preamble))
}

/// A tar archive from any reader; for tests and fuzzing.
pub fn tar_from<K: Keep>(from: impl std::io::Read, limits: &Limits, keep: &K) -> Result<Unverified<K::Kept>, Refusal> {
    assemble(tar::entries(from, "tar", &Reading::new(limits, keep))?)
}

/// A zip archive from any reader; for tests and fuzzing.
pub fn zip_from<K: Keep>(
    from: impl std::io::Read + std::io::Seek + Clone + Sync,
    limits: &Limits,
    keep: &K,
) -> Result<Unverified<K::Kept>, Refusal> {
    assemble(zip::entries(from, "zip", &Reading::new(limits, keep))?)
}

/// Sorts out what was read: the three files that say what the package is, `sitio/`, and the rest.
fn assemble<B>(mut entries: Vec<Entry<B>>) -> Result<Unverified<B>, Refusal> {
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    path::distinct(entries.iter().map(|entry| entry.path.as_str()))?;
    let top = top_folder(entries.iter().map(|entry| entry.path.as_str()));
    let mut package = Unverified { preamble: Preamble::default(), files: vec![], extra: vec![] };
    for Entry { mut path, digest, kept, metadata } in entries {
        let below = path.strip_prefix(&top).unwrap_or(&path);
        match (below, metadata) {
            ("corte.json", Some(bytes)) => package.preamble.corte_json = Some(bytes),
            ("SHA256SUMS", Some(bytes)) => package.preamble.sums = Some(bytes),
            ("SHA256SUMS.sig", Some(bytes)) => package.preamble.signature = Some(bytes),
            _ => match below.strip_prefix("sitio/") {
                Some(below) => {
                    path.drain(..path.len() - below.len());
                    package.files.push(File { path, digest, bytes: kept });
                }
                None => package.extra.push(below.into()),
            },
        }
    }
    Ok(package)
}

/// `NAME/` if everything lies under one folder that is not itself the site, else nothing.
fn top_folder<'a>(paths: impl Iterator<Item = &'a str> + Clone) -> String {
    let first = paths.clone().next().unwrap_or("");
    let top = first.find('/').map_or("", |slash| &first[..=slash]);
    match top != "sitio/" && paths.into_iter().all(|path| path.starts_with(top)) {
        true => top.into(),
        false => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assembled(paths: &[&str]) -> Unverified<u64> {
        let reading = Limits::default();
        let reading = Reading::new(&reading, &Nothing);
        assemble(paths.iter().map(|path| reading.whole(path.to_string(), vec![])).collect()).unwrap()
    }

    #[test]
    fn at_the_root_or_under_one_top_folder() {
        for top in ["", "20260607_2010/", "corte.json/"] {
            let paths =
                ["sitio/b", "corte.json", "sitio/a/SHA256SUMS", "SHA256SUMS", "SHA256SUMS.sig", "sitio/corte.json"];
            let paths: Vec<String> = paths.iter().map(|path| format!("{top}{path}")).collect();
            let package = assembled(&paths.iter().map(String::as_str).collect::<Vec<_>>());
            let preamble = &package.preamble;
            assert!(preamble.corte_json.is_some() && preamble.sums.is_some() && preamble.signature.is_some());
            let files: Vec<&str> = package.files.iter().map(|file| file.path.as_str()).collect();
            assert_eq!(files, ["a/SHA256SUMS", "b", "corte.json"]);
            assert!(package.extra.is_empty());
        }
        let stray = assembled(&["x/corte.json", "x/sitio/a", "y"]);
        assert!(stray.preamble.corte_json.is_none() && stray.extra.len() == 3);
        let only_site = assembled(&["sitio/a"]);
        assert_eq!(only_site.files[0].path, "a");
    }
}
