//! A look into the incoming folder: which packages there may be, and a mark that changes whenever one of them does.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use crate::base::disk::{Disk, Kind};
use crate::corte::read::other_archive;

/// Something that may be a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    pub name: String,
    pub path: PathBuf,
    /// Over name, size, times and inode of every file: equal marks mean that nothing was written in between.
    pub mark: u64,
    /// Of each file in it that rsync removes or renames when a transfer is over, a mark like that of the whole.
    pub drafts: Vec<u64>,
}

/// What a look has found.
#[derive(Debug, Default)]
pub struct Look {
    /// In the order of their names, the latest first: a corte's name has its stamp.
    pub sightings: Vec<Sighting>,
    /// Every folder below, to be watched, those of the latest package first.
    pub folders: Vec<PathBuf>,
    /// Something vanished under our eyes: it is being written to, and the marks are of no moment of it.
    pub has_vanished: bool,
}

/// Forms that a package may have, besides a folder.
pub(super) const ARCHIVES: [&str; 4] = [".tar", ".tar.gz", ".tar.zst", ".zip"];
/// What lies at the root of a package: where the incoming folder has one of these beside a folder `sitio`, it is itself
/// a package. A list of sums alone may be about the archives beside it.
const PACKAGE_FILES: [&str; 2] = ["corte.json", "SHA256SUMS"];
const SITE: &str = "sitio";
/// Folders deeper than this are no package's.
const DEPTH_MAX: usize = 64;
/// Files that are marked at most; a package above its limit is refused anyway, and a look must end.
const MARKED_MAX: usize = 200_000;

/// Looks at everything in `folder`, which is one package itself if it is a mirror. Names that begin with a dot are rsync's and our own drafts, and never looked at.
pub fn look(disk: &Disk, folder: &Path, is_mirror: bool) -> io::Result<Look> {
    let mut look = Look { folders: vec![folder.to_owned()], ..Look::default() };
    let names = disk.folder(folder)?.names()?;
    let has = |name: &str, kind| names.iter().any(|(n, k)| n == name && *k == kind);
    let is_package = match is_mirror {
        true => !names.is_empty(),
        false => has(SITE, Kind::Folder) && PACKAGE_FILES.iter().any(|name| has(name, Kind::File)),
    };
    if is_package {
        // What a link there leads to: whoever wrote the settings is trusted.
        let path = folder.join(".");
        let (mark, drafts) = marked(disk, &path, &mut look)?;
        look.sightings.push(Sighting { name: ".".into(), path, mark, drafts });
    }
    if is_mirror {
        return Ok(look);
    }
    // The latest first: where there are more folders than can be watched, it is the old ones that are not.
    for (name, kind) in names.into_iter().rev() {
        let is_known = ARCHIVES.iter().any(|end| name.ends_with(end));
        // What is meant as a package is refused (P002) rather than passed over without a word.
        let is_archive = kind == Kind::File && (is_known || other_archive(&name).is_some());
        let is_folder = kind == Kind::Folder && !(is_package && name == SITE);
        if name.starts_with('.') || !(is_archive || is_folder) {
            continue;
        }
        let path = folder.join(&name);
        if is_folder {
            look.folders.push(path.clone());
        }
        // What vanishes under our eyes is gone at the next look.
        if let Ok((mark, drafts)) = marked(disk, &path, &mut look) {
            look.sightings.push(Sighting { name, path, mark, drafts });
        }
    }
    look.sightings.sort_by(|a, b| b.name.cmp(&a.name));
    Ok(look)
}

/// The mark of a file, or of a folder with all below it.
pub fn mark(disk: &Disk, path: &Path) -> io::Result<u64> {
    Ok(marked(disk, path, &mut Look::default())?.0)
}

/// The mark, and those of a transfer's drafts.
fn marked(disk: &Disk, path: &Path, look: &mut Look) -> io::Result<(u64, Vec<u64>)> {
    let mut marking = Marking { disk, left: MARKED_MAX, hasher: DefaultHasher::new(), drafts: Vec::new(), look };
    marking.add(path, 0, false)?;
    Ok((marking.hasher.finish(), marking.drafts))
}

/// True for a name under which rsync keeps what is not whole: `.NAME.x7Gq2a` (mkstemp(3)), and the folders of
/// `--partial-dir` and `--delay-updates` as rsync(1) calls them.
fn is_draft(name: &str) -> bool {
    let end = name.strip_prefix('.').and_then(|name| name.rsplit_once('.')).map(|(_, end)| end);
    let is_made_up = |end: &str| end.len() == 6 && end.bytes().all(|b| b.is_ascii_alphanumeric());
    [".~tmp~", ".rsync-partial"].contains(&name) || end.is_some_and(is_made_up)
}

struct Marking<'a> {
    disk: &'a Disk,
    left: usize,
    hasher: DefaultHasher,
    /// At most as many as are marked.
    drafts: Vec<u64>,
    look: &'a mut Look,
}

impl Marking<'_> {
    fn add(&mut self, path: &Path, depth: usize, is_draft: bool) -> io::Result<()> {
        match self.marks(path, depth, is_draft) {
            // A transfer renames and removes while we look. That it was there and is gone is a mark too, of no quiet tree.
            Err(error) if depth > 0 && error.kind() == io::ErrorKind::NotFound => {
                (path, "gone").hash(&mut self.hasher);
                self.look.has_vanished = true;
                Ok(())
            }
            marked => marked,
        }
    }

    fn marks(&mut self, path: &Path, depth: usize, is_draft: bool) -> io::Result<()> {
        let stat = self.disk.stat(path)?;
        (path, stat.mark).hash(&mut self.hasher);
        // A folder of drafts changes when one of them is removed, too.
        if is_draft && stat.kind != Kind::Folder {
            let mut hasher = DefaultHasher::new();
            (path, stat.mark).hash(&mut hasher);
            self.drafts.push(hasher.finish());
        }
        if stat.kind != Kind::Folder || depth == DEPTH_MAX {
            return Ok(());
        }
        for (name, kind) in self.disk.folder(path)?.names()? {
            if self.left == 0 {
                return Ok(());
            }
            self.left -= 1;
            let is_draft = is_draft || self::is_draft(&name);
            let path = path.join(name);
            if kind == Kind::Folder {
                self.look.folders.push(path.clone());
            }
            self.add(&path, depth + 1, is_draft)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::disk::At;
    use std::fs;

    fn look(folder: &Path) -> io::Result<Look> {
        super::look(&Disk::machine(), folder, false)
    }

    #[test]
    fn packages_are_seen_and_drafts_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let make = |name: &str| fs::write(dir.path().join(name), name).unwrap();
        ["a.tar", "c.zip", "d.TGZ", "notes.txt", "e.csv.gz", ".b.tar.x7Gq2a", ".hidden.tar"].into_iter().for_each(make);
        fs::create_dir_all(dir.path().join("b/sitio/datos")).unwrap();
        let seen = look(dir.path()).unwrap();
        let names: Vec<_> = seen.sightings.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["d.TGZ", "c.zip", "b", "a.tar"]);
        assert_eq!(seen.folders.len(), 4, "{:?}", seen.folders);
    }

    #[test]
    fn folders_of_the_latest_package_come_first() {
        let (disk, twin) = Disk::twin();
        for name in ["1830/sitio/a", "1850/sitio/a", "1840/sitio/a"] {
            twin.put(&Path::new("/in").join(name), b"").unwrap();
        }
        let folders = super::look(&disk, Path::new("/in"), false).unwrap().folders;
        let expected = ["", "1850", "1850/sitio", "1840", "1840/sitio", "1830", "1830/sitio"];
        assert_eq!(folders, expected.map(|name| Path::new("/in").join(name)));
    }

    #[test]
    fn any_change_below_changes_the_mark() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("p/sitio")).unwrap();
        let mark = || look(dir.path()).unwrap().sightings[0].mark;
        let empty = mark();
        fs::write(dir.path().join("p/sitio/a"), "1").unwrap();
        let one = mark();
        assert_ne!(empty, one);
        assert_eq!(mark(), one);
        fs::write(dir.path().join("p/sitio/a"), "22").unwrap();
        assert_ne!(mark(), one);
    }

    #[test]
    fn what_vanishes_under_our_eyes_is_a_change_and_no_blindness() {
        let (disk, twin) = Disk::twin();
        for name in ["a", "b/c"] {
            twin.put(&Path::new("/incoming").join(name), b"1").unwrap();
        }
        let mirror = || super::look(&disk, Path::new("/incoming"), true);
        let before = twin.operations();
        let quiet = mirror().unwrap();
        assert!(!quiet.has_vanished);
        let (looks, gone) = (twin.operations() - before, io::ErrorKind::NotFound);
        let mut changed = 0;
        for n in 0..looks {
            twin.at(twin.operations() + n, At::Fail(gone));
            // Without the folder itself there is nothing to be seen.
            let Ok(seen) = mirror() else { continue };
            assert!(seen.has_vanished && seen.sightings[0].mark != quiet.sightings[0].mark, "{n}");
            changed += 1;
        }
        assert!(changed > 2, "{changed} of {looks}");
        let denied = io::ErrorKind::PermissionDenied;
        twin.at(twin.operations() + looks - 1, At::Fail(denied));
        assert_eq!(mirror().unwrap_err().kind(), denied);
    }

    #[test]
    fn drafts_of_rsync_are_told_from_files() {
        for name in [".index.html.x7Gq2a", ".a.ABCDEF", ".~tmp~", ".rsync-partial"] {
            assert!(is_draft(name), "{name}");
        }
        for name in ["index.html", ".htaccess", ".index.html", "a.x7Gq2a", ".a.b-cdef"] {
            assert!(!is_draft(name), "{name}");
        }
    }

    #[test]
    fn each_draft_has_a_mark_of_its_own() {
        let (disk, twin) = Disk::twin();
        let put = |name: &str, text: &str| twin.put(&Path::new("/in").join(name), text.as_bytes()).unwrap();
        let drafts = || super::look(&disk, Path::new("/in"), true).unwrap().sightings.remove(0).drafts;
        put("a.html", "1");
        put("datos/.a.csv.x7Gq2a", "1");
        put(".~tmp~/datos/b.csv", "1");
        let first = drafts();
        assert_eq!(first.len(), 2);
        put("a.html", "2");
        assert_eq!(drafts(), first);
        put(".~tmp~/datos/b.csv", "22");
        let second = drafts();
        assert_eq!(second.iter().filter(|mark| first.contains(mark)).count(), 1, "{first:?} {second:?}");
        twin.take_away(Path::new("/in/.~tmp~/datos/b.csv")).unwrap();
        assert!(drafts().iter().all(|mark| first.contains(mark)), "its folder, which has changed, is none");
    }

    #[test]
    fn the_folder_itself_may_be_the_package() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sitio")).unwrap();
        fs::write(dir.path().join("corte.json"), "{}").unwrap();
        let seen = look(dir.path()).unwrap().sightings;
        assert_eq!((seen.len(), seen[0].name.as_str()), (1, "."));
        fs::write(dir.path().join("a.tar"), "").unwrap();
        let names: Vec<_> = look(dir.path()).unwrap().sightings.into_iter().map(|s| s.name).collect();
        assert_eq!(names, ["a.tar", "."], "what lies beside it is looked at all the same");
    }

    #[test]
    fn the_folder_may_be_a_link_but_nothing_in_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("real")).unwrap();
        let (real, link) = (dir.path().join("real/a"), dir.path().join("link"));
        fs::write(&real, "1").unwrap();
        std::os::unix::fs::symlink("real", &link).unwrap();
        let mirror = || super::look(&Disk::machine(), &link, true).unwrap().sightings.remove(0);
        let first = mirror();
        assert_eq!(mark(&Disk::machine(), &first.path).unwrap(), first.mark);
        fs::write(&real, "22").unwrap();
        assert_ne!(mirror().mark, first.mark, "what changes behind it is seen");
        std::os::unix::fs::symlink("/etc", dir.path().join("real/etc")).unwrap();
        assert!(look(&link).unwrap().sightings.is_empty());
    }

    #[test]
    fn a_list_of_sums_beside_archives_hides_none_of_them() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["SHA256SUMS", "a.tar"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(look(dir.path()).unwrap().sightings[0].name, "a.tar");
    }
}
