//! A package that lies unpacked in a directory. No link below its root is ever followed.

use super::Keep;
use super::entry::{Entry, Reading};
use crate::base::disk::{Folder, Kind, ReadAt};
use crate::base::pool;
use crate::base::shown::Shown;
use crate::corte::Refusal;

/// The folder that a thread read from last, as most files follow a neighbour.
type Last = Option<(String, Folder)>;

pub(super) fn read<K: Keep>(root: &Folder, reading: &Reading<'_, K>) -> Result<Vec<Entry<K::Kept>>, Refusal> {
    let paths = walk(root, reading)?;
    pool::each(
        paths.len(),
        || None,
        |last: &mut Last, i| {
            let path = &paths[i];
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            let unreadable = |error| Refusal::unreadable(path, error);
            let open = match last.take() {
                Some((path, open)) if path == folder => open,
                _ => root.below(folder).map_err(unreadable)?,
            };
            let (_, folder) = last.insert((folder.to_string(), open));
            let file = folder.file(name).map_err(unreadable)?;
            let size = file.len().map_err(unreadable)?;
            reading.announced(path, size)?;
            reading.stream(path.clone(), size, &mut ReadAt::of(file), Refusal::unreadable, |_| Ok(()))
        },
    )
}

/// The paths of all files, folders walked one after the other. Only names are looked at.
fn walk<K: Keep>(root: &Folder, reading: &Reading<'_, K>) -> Result<Vec<String>, Refusal> {
    let (mut files, mut folders) = (Vec::new(), vec![String::new()]);
    while let Some(folder) = folders.pop() {
        let open = root.below(&folder).map_err(|error| Refusal::unreadable(&folder, error))?;
        open.list(|name, kind| {
            let path = if folder.is_empty() { name.to_vec() } else { [folder.as_bytes(), b"/", name].concat() };
            let path = reading.admit(&path)?;
            match kind {
                Kind::File => files.push(path.to_string()),
                Kind::Folder => folders.push(path.to_string()),
                Kind::Link | Kind::Special => {
                    let kind = if kind == Kind::Link { "symbolic link" } else { "device, socket or pipe" };
                    return Err(Refusal::NotAPlainFile { path: Shown::text(path), kind }.into());
                }
            }
            Ok(())
        })
        .map_err(|error| Refusal::unreadable(&folder, error))?;
    }
    // In order, so that neighbours in a folder are read by one thread and the disk reads ahead.
    files.sort_unstable();
    Ok(files)
}
