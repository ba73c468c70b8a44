//! Zip archives: the list at the end is read first, then all threads unpack.

use std::cell::Cell;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;

use super::entry::{Entry, METADATA, Reading};
use super::layout::{self, Listed, fault};
use super::{Keep, top_folder};
use crate::base::disk::ReadAt;
use crate::base::pool;
use crate::corte::{Refusal, path};

/// How a file may be packed (APPNOTE 4.4.5).
const STORED: u64 = 0;
const DEFLATED: u64 = 8;
/// Packed bytes that are read at a time.
const BUFFER: u64 = 64 << 10;

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
    files: &[(String, Listed)],
    from: impl Read + Seek + Clone + Sync,
    archive: &str,
    reading: &Reading<'_, K>,
) -> Result<Vec<Entry<K::Kept>>, Refusal> {
    pool::each(
        files.len(),
        || from.clone(),
        |from, i| {
            let (path, file) = &files[i];
            from.seek(SeekFrom::Start(file.data_at)).map_err(|error| Refusal::broken(archive, error))?;
            let mut packed = BufReader::with_capacity(file.packed.min(BUFFER) as usize, from.take(file.packed));
            if file.method == STORED {
                return unpack_one(path, file, &mut packed, archive, reading);
            }
            let mut unpacked = DeflateDecoder::new(packed);
            let entry = unpack_one(path, file, &mut unpacked, archive, reading)?;
            // Whoever goes through the archive without its list would find something of its own in the rest.
            if unpacked.total_in() != file.packed {
                return Err(fault(archive, "a file in it ends before its list says"));
            }
            Ok(entry)
        },
    )
}

/// Reads a file, and holds it to the size and the sum in the list.
fn unpack_one<K: Keep>(
    path: &str,
    file: &Listed,
    from: &mut impl Read,
    archive: &str,
    reading: &Reading<'_, K>,
) -> Result<Entry<K::Kept>, Refusal> {
    let mut summed = Summed { from, crc: Crc::new() };
    let len = Cell::new(0);
    let tick = |so_far| {
        len.set(so_far);
        reading.meter.ratio(path, file.packed, so_far)
    };
    let broken_at = |_: &str, error| Refusal::broken(archive, error);
    let entry = reading.stream(path.to_string(), file.unpacked, &mut summed, broken_at, tick)?;
    match len.get() == file.unpacked && u64::from(summed.crc.sum()) == file.crc {
        true => Ok(entry),
        false => Err(fault(archive, "a file has another size or sum than its list says")),
    }
}

/// Sums what passes.
struct Summed<R> {
    from: R,
    crc: Crc,
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(buf)?;
        self.crc.update(&buf[..n]);
        Ok(n)
    }
}

/// The files in the archive, by the list at its end: layout, paths, kinds and announced sizes checked.
fn list<K: Keep>(
    from: impl Read + Seek + Clone,
    archive: &str,
    reading: &Reading<'_, K>,
) -> Result<Vec<(String, Listed)>, Refusal> {
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for file in layout::files(from, archive, reading.limits.files)? {
        let name = file.name.strip_prefix(b"./").unwrap_or(&file.name);
        if let Some(folder) = name.strip_suffix(b"/") {
            folders.push(reading.admit(folder)?.to_string());
            continue;
        }
        let path = reading.admit(name)?.to_string();
        if file.is_encrypted() {
            return Err(fault(archive, "a file in it is encrypted"));
        }
        if !matches!(file.method, STORED | DEFLATED) {
            return Err(fault(archive, "a file in it is neither stored nor deflated"));
        }
        reading.announced(&path, file.unpacked)?;
        files.push((path, file));
    }
    path::apart(files.iter().map(|(path, _)| path.as_str()), &folders)?;
    Ok(files)
}
