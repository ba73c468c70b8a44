//! A ZIP archive that is itself a published file: what a stamp rule needs of it, and no more.

use std::io::{Cursor, Read};

use super::layout::{self, Listed};
use super::zip::Unpacked;
use crate::base::shown::Shown;
use crate::corte::Refusal;
use crate::corte::limits::{FILES, Meter};

/// Takes a file by its name, or its path, and its bytes.
pub(in crate::corte) type Each<'e> = dyn FnMut(&str, &[u8]) -> Result<(), Refusal> + 'e;

/// Bytes unpacked between two looks at the limits.
const CHUNK: u64 = 64 << 10;

/// How much of a file is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::corte) enum Most {
    /// All of it; one of more bytes is refused.
    Whole(u64),
    /// As many bytes as these from its front.
    First(usize),
}

impl Most {
    /// That much of a file that is in memory.
    pub fn of<'b>(self, bytes: &'b [u8], path: &str) -> Result<&'b [u8], Refusal> {
        match self {
            Most::Whole(limit) if bytes.len() as u64 > limit => {
                Err(Refusal::FileBytes { path: Shown::text(path), limit })
            }
            Most::Whole(_) => Ok(bytes),
            Most::First(n) => Ok(&bytes[..n.min(bytes.len())]),
        }
    }

    fn bytes(self) -> u64 {
        match self {
            Most::Whole(limit) => limit.saturating_add(1),
            Most::First(n) => n as u64,
        }
    }
}

/// Calls `each` for every file in the archive that is wanted, in the archive's order, one at a time. What is not wanted
/// is not held to anything: it is published as it is, inside the archive. Names that are not UTF-8 show U+FFFD.
pub(in crate::corte) fn each_in_zip(
    bytes: &[u8],
    archive: &str,
    meter: &Meter<'_>,
    most: Most,
    wanted: &dyn Fn(&str) -> bool,
    each: &mut Each<'_>,
) -> Result<(), Refusal> {
    for file in layout::files(Cursor::new(bytes), archive, FILES)? {
        meter.entry()?;
        let name = String::from_utf8_lossy(&file.name).into_owned();
        if name.ends_with('/') || !wanted(&name) {
            continue;
        }
        let path = format!("{archive}!{name}");
        let bytes = unpacked(&file, bytes, &path, meter, most)?;
        each(&name, &bytes)?;
    }
    Ok(())
}

fn unpacked(file: &Listed, archive: &[u8], path: &str, meter: &Meter<'_>, most: Most) -> Result<Vec<u8>, Refusal> {
    let reader = Unpacked::of(file, Cursor::new(archive), path)?;
    let (mut reader, mut bytes) = (reader.take(most.bytes()), Vec::new());
    loop {
        let n = reader.by_ref().take(CHUNK).read_to_end(&mut bytes).map_err(|error| Refusal::broken(path, error))?;
        if n == 0 {
            return most.of(&bytes, path).map(|_| ()).map(|()| bytes);
        }
        meter.bytes(path, bytes.len() as u64, n as u64)?;
        meter.ratio(path, file.packed, bytes.len() as u64)?;
    }
}
