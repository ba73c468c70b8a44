//! A package that lies unpacked in a directory. No link below its root is ever followed.

use super::Keep;
use super::bare::is_meanwhile;
use super::entry::{Entry, METADATA, Reading};
use crate::base::disk::{Folder, Kind, ReadAt};
use crate::base::pool;
use crate::base::shown::Shown;
use crate::corte::Refusal;

/// The folder that a thread read from last, as most files follow a neighbour.
type Last = Option<(String, Folder)>;

pub(super) fn read<K: Keep>(root: &Folder, reading: &Reading<'_, K>) -> Result<Vec<Entry<K::Kept>>, Refusal> {
    files(root, &walk(root, reading)?, reading)
}

/// The three files that say what the package is, as far as they are there; no other is read, no folder below theirs
/// looked into. `None` where several folders lie at the root and no file: one of them may be the top.
pub(super) fn first<K: Keep>(root: &Folder, reading: &Reading<'_, K>) -> Result<Option<Vec<Entry<K::Kept>>>, Refusal> {
    let (mut found, mut folders) = list(root, "", reading)?;
    match folders.pop() {
        Some(_) if found.is_empty() && !folders.is_empty() => return Ok(None),
        Some(top) if found.is_empty() && top != "sitio" => found = list(root, &top, reading)?.0,
        _ => {}
    }
    found.retain(|path| METADATA.contains(&path.rsplit_once('/').map_or(path.as_str(), |(_, name)| name)));
    files(root, &found, reading).map(Some)
}

/// Reads these files, on all cores.
fn files<K: Keep>(root: &Folder, paths: &[String], reading: &Reading<'_, K>) -> Result<Vec<Entry<K::Kept>>, Refusal> {
    pool::each(
        paths.len(),
        || None,
        |last: &mut Last, i| {
            let path = &paths[i];
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            let unreadable = |error| Refusal::unreadable(path, error);
            let open = match last.take() {
                Some(open) if open.0 == folder => open,
                _ => (folder.to_string(), root.below(folder).map_err(unreadable)?),
            };
            let file = last.insert(open).1.file(name).map_err(unreadable)?;
            let size = file.size().map_err(unreadable)?;
            reading.announced(path, size)?;
            reading.file(path.clone(), size, &mut ReadAt::of(file))
        },
    )
}

/// The paths of all files, folders walked one after the other. Only names are looked at.
fn walk<K: Keep>(root: &Folder, reading: &Reading<'_, K>) -> Result<Vec<String>, Refusal> {
    let (mut files, mut folders) = (Vec::new(), vec![String::new()]);
    while let Some(folder) = folders.pop() {
        let (mut inside, mut below) = list(root, &folder, reading)?;
        files.append(&mut inside);
        folders.append(&mut below);
    }
    // In order, so that neighbours in a folder are read by one thread and the disk reads ahead.
    files.sort_unstable();
    Ok(files)
}

/// The paths of the files and of the folders that lie in one folder.
fn list<K: Keep>(root: &Folder, folder: &str, reading: &Reading<'_, K>) -> Result<(Vec<String>, Vec<String>), Refusal> {
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    let unreadable = |error| Refusal::unreadable(folder, error);
    let each = |name: &[u8], kind| {
        let path = if folder.is_empty() { name.to_vec() } else { [folder.as_bytes(), b"/", name].concat() };
        let path = reading.admit(&path)?;
        match kind {
            _ if reading.is_bare && is_meanwhile(name) => {}
            Kind::File => files.push(path.to_string()),
            Kind::Folder => folders.push(path.to_string()),
            Kind::Link | Kind::Special => {
                let kind = if kind == Kind::Link { "symbolic link" } else { "device, socket or pipe" };
                return Err(Refusal::NotAPlainFile { path: Shown::text(path), kind }.into());
            }
        }
        Ok(())
    };
    root.below(folder).map_err(unreadable)?.list(each).map_err(unreadable)?;
    Ok((files, folders))
}
