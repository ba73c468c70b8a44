//! Refused packages, kept for people to look at. Never served, never read again by the service, bounded.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::take::Candidate;
use crate::base::disk::{Disk, File, Folder, Kind, ReadAt};

/// Files of one refused package that are kept at most: enough to see what it was.
const FILES_MAX: usize = 20_000;
/// Folders deeper than this are no package's.
const DEPTH_MAX: usize = 64;
/// From one refused package that is kept to the next: whoever sends rubbish without end must not wear the disk out.
const EVERY: Duration = Duration::from_secs(5);
/// What a file takes of the disk, at least.
const BLOCK: u64 = 4 << 10;
/// What the disk lacks is no fault of the package, which comes again: a copy would take what is left.
const FOR_THE_DISKS_SAKE: [&str; 2] = ["P088", "P089"];
/// Bytes of a package's name that are taken over.
const NAME_MAX: usize = 80;

pub struct Quarantine {
    disk: Disk,
    folder: PathBuf,
    most: u64,
    /// Bytes of the disk that are left to the vault, and to everybody else.
    reserve: u64,
    /// What is kept, earliest first, with its bytes; `None` until the folder was looked at.
    kept: Option<VecDeque<(String, u64)>>,
    last: Option<Duration>,
}

impl Quarantine {
    /// At most `most` bytes below `state`; 0 keeps nothing.
    pub fn new(disk: &Disk, state: &Path, most: u64, reserve: u64) -> Quarantine {
        Quarantine { disk: disk.clone(), folder: state.join("refused"), most, reserve, kept: None, last: None }
    }

    /// Keeps a copy of what lies at the candidate's path, and why it was refused. Whether that works changes nothing.
    pub fn keep(&mut self, candidate: &Candidate, code: &str, why: &str, at: Timestamp, now: Duration) {
        if self.most == 0 || FOR_THE_DISKS_SAKE.contains(&code) || self.last.is_some_and(|last| now < last + EVERY) {
            return;
        }
        self.last = Some(now);
        let name = format!("{}-{code}-{}", at.strftime("%Y%m%dT%H%M%SZ"), plain(candidate.name));
        let folder = self.folder.join(&name);
        let free = self.folder.parent().and_then(|state| self.disk.space(state).ok()).map_or(0, |space| space.free);
        // Half of what the vault could take, too, so that the next corte finds room.
        let most = self.most.min(free.saturating_sub(self.reserve) / 2);
        let mut copy = Copy { disk: &self.disk, bytes_left: most, files_left: FILES_MAX };
        let kept = copy.package(candidate.path, &folder);
        let note = json!({
            "codigo": code, "motivo": why, "paquete": candidate.name, "origen": candidate.source, "hora": at,
            "completo": kept.is_ok(), "falta": kept.as_ref().err().map(ToString::to_string),
        });
        let written = self.disk.create(&folder.join("refused.json"));
        let _ = written.and_then(|mut file| file.write_all(format!("{note:#}\n").as_bytes()));
        let bytes = most - copy.bytes_left;
        // Best effort throughout: the refusal itself is told elsewhere.
        let _ = self.make_room(name, bytes);
    }

    /// Removes the earliest until what is kept is within its bounds.
    fn make_room(&mut self, name: String, bytes: u64) -> io::Result<()> {
        let mut kept = match self.kept.take() {
            Some(kept) => kept,
            None => self.look(&name)?,
        };
        kept.push_back((name, bytes));
        let mut total: u64 = kept.iter().map(|(_, bytes)| bytes).sum();
        while total > self.most && kept.len() > 1 {
            if let Some((name, bytes)) = kept.pop_front() {
                self.disk.remove_tree(&self.folder.join(name))?;
                total -= bytes;
            }
        }
        self.kept = Some(kept);
        Ok(())
    }

    /// Removes the earliest until so many bytes of the disk are free that were not. What is accepted is worth more than
    /// what is refused.
    pub fn give_way(&mut self, lacking: u64) {
        // Best effort: where there is no such folder, there is nothing to remove.
        let kept = self.kept.take().map_or_else(|| self.look(""), Ok);
        let Ok(mut kept) = kept else { return };
        let mut freed = 0;
        while freed < lacking
            && let Some((name, bytes)) = kept.pop_front()
            && self.disk.remove_tree(&self.folder.join(name)).is_ok()
        {
            freed += bytes;
        }
        self.kept = Some(kept);
    }

    /// What an earlier run has kept.
    fn look(&self, but: &str) -> io::Result<VecDeque<(String, u64)>> {
        let names = self.disk.folder(&self.folder)?.names()?;
        let size = |name: &str| size(&self.disk, &self.folder.join(name), 0).unwrap_or(0);
        Ok(names.into_iter().filter(|(name, _)| name != but).map(|(name, _)| (name.clone(), size(&name))).collect())
    }
}

fn size(disk: &Disk, path: &Path, depth: usize) -> io::Result<u64> {
    let stat = disk.stat(path)?;
    if stat.kind != Kind::Folder || depth > DEPTH_MAX {
        return Ok(stat.len.max(BLOCK));
    }
    let names = disk.folder(path)?.names()?;
    names.into_iter().map(|(name, _)| size(disk, &path.join(name), depth + 1)).sum()
}

/// A name without anything that a shell or a terminal could take amiss.
fn plain(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name: String = name.chars().take(NAME_MAX).map(|c| if fits(c) { c } else { '_' }).collect();
    name.trim_start_matches('.').to_owned()
}

/// A copy under way: plain files and folders, links never followed, within what is left.
struct Copy<'a> {
    disk: &'a Disk,
    bytes_left: u64,
    files_left: usize,
}

impl Copy<'_> {
    fn package(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.make_folder(to)?;
        let target = to.join("package");
        match self.disk.foreign_folder(from) {
            Ok(folder) => self.folder(&folder, &target, 0),
            Err(_) => self.file(self.disk.open_foreign(from)?, &target.with_file_name(plain(&name_of(from)))),
        }
    }

    fn folder(&mut self, from: &Folder, to: &Path, depth: usize) -> io::Result<()> {
        if depth > DEPTH_MAX {
            return Err(io::Error::other("its folders are too deep"));
        }
        self.disk.make_folder(to)?;
        for (name, kind) in from.names()? {
            match kind {
                Kind::Folder => self.folder(&from.folder(&name)?, &to.join(name), depth + 1)?,
                Kind::File => self.file(from.file(&name)?, &to.join(name))?,
                // What it was is in the reason; a copy of it would be as dangerous as itself.
                Kind::Link | Kind::Special => {}
            }
        }
        Ok(())
    }

    fn file(&mut self, from: File, to: &Path) -> io::Result<()> {
        self.files_left = self.files_left.checked_sub(1).ok_or_else(|| io::Error::other("it has too many files"))?;
        let mut file = self.disk.create(to)?;
        let copied = io::copy(&mut ReadAt::of(from).take(self.bytes_left), &mut file)?;
        self.bytes_left = self.bytes_left.saturating_sub(copied.max(BLOCK));
        if self.bytes_left == 0 { Err(io::Error::other("it is larger than what is kept")) } else { Ok(()) }
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| "package".into(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept after these packages were refused, each a folder of so many files of so many bytes.
    fn kept(packages: &[(usize, usize)], most: u64, reserve: u64, room: u64) -> (Vec<PathBuf>, u64) {
        let (disk, twin) = Disk::twin();
        twin.put(Path::new("/state/lock"), b"").unwrap();
        twin.has_room_for(room);
        let mut quarantine = Quarantine::new(&disk, Path::new("/state"), most, reserve);
        for (n, (files, bytes)) in packages.iter().enumerate() {
            let path = PathBuf::from(format!("/incoming/{n}"));
            for file in 0..*files {
                twin.put(&path.join(file.to_string()), &vec![b'x'; *bytes]).unwrap();
            }
            let candidate = Candidate { name: "p", path: &path, source: "incoming", mark: None };
            let at = Timestamp::from_second(1_700_000_000 + n as i64 * 60).unwrap();
            quarantine.keep(&candidate, "P063", "why", at, EVERY * n as u32);
        }
        (twin.files(Path::new("/state/refused")), disk.space(Path::new("/state")).unwrap().free)
    }

    #[test]
    fn files_without_bytes_count_too() {
        let (files, _) = kept(&[(10, 0); 20], 30 * BLOCK, 0, 1 << 30);
        assert_eq!(files.len(), 33, "the last three packages, each with its note");
        let (files, _) = kept(&[(100, 0)], 30 * BLOCK, 0, 1 << 30);
        assert_eq!(files.len(), 31);
    }

    #[test]
    fn what_is_reserved_stays_free() {
        let (files, free) = kept(&[(1, 100_000); 5], 1 << 20, 50_000, 220_000);
        assert!(!files.is_empty() && free > 50_000, "{free} bytes are left, {files:?}");
        let (_, free) = kept(&[(1, 100_000)], 1 << 20, 50_000, 50_600);
        assert!(free > 49_000, "{free}");
    }
}
