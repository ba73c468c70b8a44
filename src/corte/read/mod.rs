//! Reads a package from where it lies: paths checked, limits held, every file hashed. Proves nothing.

mod entry;
mod folder;
mod guard;
mod tar;
mod zip;

use std::path::Path;

use bytes::Bytes;

use super::{File, Limits, Refusal, Unverified, path};
use crate::base::digest::Digest;
use crate::base::disk::{Disk, ReadAt};
use crate::base::shown::Shown;
use entry::{Entry, Reading};

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

/// Reads the package at `from`: a directory, or an archive by the end of its name.
pub fn read<K: Keep>(disk: &Disk, from: &Path, limits: &Limits, keep: &K) -> Result<Unverified<K::Kept>, Refusal> {
    let reading = Reading::new(limits, keep);
    let (name, shown) = (from.to_string_lossy(), from.to_string_lossy().into_owned());
    let open = || Ok(ReadAt::of(disk.open(from).map_err(|error| Refusal::unreadable(&shown, error))?));
    let entries = if let Ok(folder) = disk.folder(from) {
        folder::read(&folder, &reading)?
    } else if name.ends_with(".tar") {
        tar::plain(open()?, &shown, &reading)?
    } else if name.ends_with(".tar.gz") {
        tar::gzip(open()?, &shown, &reading)?
    } else if name.ends_with(".tar.zst") {
        tar::zstandard(open()?, &shown, &reading)?
    } else if name.ends_with(".zip") {
        zip::entries(open()?, &shown, &reading)?
    } else {
        return Err(Refusal::UnknownForm { path: Shown::text(&shown) });
    };
    assemble(entries)
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
    path::distinct(entries.iter().map(|entry| entry.path.as_str()))?;
    entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let top = top_folder(&entries);
    let mut package = Unverified { corte_json: None, sums: None, signature: None, files: vec![], extra: vec![] };
    for Entry { path, digest, kept, metadata } in entries {
        let below = top.as_ref().and_then(|top| path.strip_prefix(top.as_str())).unwrap_or(&path);
        match (below, metadata) {
            ("corte.json", Some(bytes)) => package.corte_json = Some(bytes),
            ("SHA256SUMS", Some(bytes)) => package.sums = Some(bytes),
            ("SHA256SUMS.sig", Some(bytes)) => package.signature = Some(bytes),
            _ => match below.strip_prefix("sitio/") {
                Some(path) => package.files.push(File { path: path.into(), digest, bytes: kept }),
                None => package.extra.push(below.into()),
            },
        }
    }
    Ok(package)
}

/// `NAME/` if everything lies under one folder that is not itself the site.
fn top_folder<B>(entries: &[Entry<B>]) -> Option<String> {
    let (first, last) = (&entries.first()?.path, &entries.last()?.path);
    let top = &first[..=first.find('/')?];
    // Sorted, so what the first and the last share, all share.
    (top != "sitio/" && last.starts_with(top)).then(|| top.to_string())
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
            assert!(package.corte_json.is_some() && package.sums.is_some() && package.signature.is_some());
            let files: Vec<&str> = package.files.iter().map(|file| file.path.as_str()).collect();
            assert_eq!(files, ["a/SHA256SUMS", "b", "corte.json"]);
            assert!(package.extra.is_empty());
        }
        let stray = assembled(&["x/corte.json", "x/sitio/a", "y"]);
        assert!(stray.corte_json.is_none() && stray.extra.len() == 3);
        let only_site = assembled(&["sitio/a"]);
        assert_eq!(only_site.files[0].path, "a");
    }
}
