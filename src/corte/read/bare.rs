//! A bare tree: a site as the authority mirrors it, without anything of ours. All that is in it is published.

use std::path::Path;

use super::entry::Reading;
use super::{Keep, Source, files_of};
use crate::base::disk::Disk;
use crate::corte::{Bare, File, Limits, Refusal, path};

/// Folders that rsync(1) makes in the tree while it sends: of --delay-updates, and the usual --partial-dir.
const FOLDERS: [&[u8]; 2] = [b".~tmp~", b".rsync-partial"];
/// Random letters and digits at the end of the name that a file has while rsync sends it: `.NAME.XXXXXX`.
const RANDOM: usize = 6;

/// Reads the bare tree at `from`, a directory or an archive by the end of its name: limits and paths as of any package,
/// every file under the path that it has, no top folder taken off. What rsync makes in a directory while it sends is
/// passed over.
pub fn read_bare<K: Keep>(disk: &Disk, from: &Path, limits: &Limits, keep: &K) -> Result<Bare<K::Kept>, Refusal> {
    let (reading, name) = (Reading::bare(limits, keep), from.to_string_lossy());
    let mut entries = files_of(Source::open(disk, from, &name, limits)?, &name, &reading)?;
    path::distinct(entries.iter().map(|entry| entry.path.as_str()))?;
    entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let file = |entry: super::Entry<K::Kept>| File { path: entry.path, digest: entry.digest, bytes: entry.kept };
    Ok(Bare { files: entries.into_iter().map(file).collect() })
}

/// Whether a name in a directory is one that rsync gives while it sends.
pub(super) fn is_meanwhile(name: &[u8]) -> bool {
    if FOLDERS.contains(&name) {
        return true;
    }
    let Some((front, random)) = name.split_last_chunk::<RANDOM>() else { return false };
    name.starts_with(b".") && front.len() > 2 && front.ends_with(b".") && random.iter().all(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rsync() {
        for name in [".~tmp~", ".rsync-partial", ".index.html.Ab3dE9", ".a.000000", ".ñ.abcdef"] {
            assert!(is_meanwhile(name.as_bytes()), "{name}");
        }
        for name in
            ["", ".", ".well-known", "index.html.Ab3dE9", ".a.00000", ".a.00000-", "..abcdef", ".abcdef", "~tmp~"]
        {
            assert!(!is_meanwhile(name.as_bytes()), "{name}");
        }
    }
}
