//! Results of tools, which appear whole under their name or not at all.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rustix::fs::{CWD, RenameFlags};

/// A file or folder under way: it lives under a name that starts with a dot beside its target until
/// `commit`, and is removed if that is never called.
pub struct Draft {
    temporary: PathBuf,
    target: PathBuf,
    committed: bool,
}

impl Draft {
    /// A name for a draft of `target`, which must not exist yet.
    pub fn of(target: &Path) -> io::Result<Draft> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        if fs::symlink_metadata(target).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
        // The end of the name stays: it tells what form the draft has.
        let name = format!(".{}-{}.{name}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        Ok(Draft { temporary: target.with_file_name(name), target: target.into(), committed: false })
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// Gives the draft its name. What was written must have been synced; an existing target is kept.
    pub fn commit(mut self) -> io::Result<()> {
        match rustix::fs::renameat_with(CWD, &self.temporary, CWD, &self.target, RenameFlags::NOREPLACE) {
            // Some network file systems know no flags; the check in `of` must do there.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => fs::rename(&self.temporary, &self.target)?,
            other => other?,
        }
        self.committed = true;
        sync_folder(self.target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.committed {
            // Best effort: the failure that led here is the one worth telling.
            let _ = fs::remove_file(&self.temporary);
            let _ = fs::remove_dir_all(&self.temporary);
        }
    }
}

/// Makes all that was written below a folder durable: one call, where a call a file would take minutes.
pub fn sync_tree(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(path)?)?)
}

/// Makes the names in a folder durable.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_appears_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out");
        let draft = Draft::of(&target).unwrap();
        fs::write(draft.path(), "half").unwrap();
        drop(draft);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let (first, second) = (Draft::of(&target).unwrap(), Draft::of(&target).unwrap());
        fs::write(first.path(), "whole").unwrap();
        fs::write(second.path(), "late").unwrap();
        first.commit().unwrap();
        assert!(second.commit().is_err(), "a draft never replaces");
        assert_eq!(fs::read(&target).unwrap(), b"whole");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
