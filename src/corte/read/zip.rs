//! Zip archives: the list at the end is read first, then all threads unpack.

use std::io::{self, BufReader, Read, Seek, SeekFrom, Take};

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
            let mut unpacked = Unpacked::of(file, from, archive)?;
            let broken_at = |_: &str, error| Refusal::broken(archive, error);
            let ratio = |len| reading.meter.ratio(path, file.packed, len);
            reading.stream(path.clone(), file.unpacked, &mut unpacked, broken_at, ratio)
        },
    )
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
        unpackable(&file, archive)?;
        reading.announced(&path, file.unpacked)?;
        files.push((path, file));
    }
    path::apart(files.iter().map(|(path, _)| path.as_str()), &folders)?;
    Ok(files)
}

/// Refuses what cannot be unpacked here.
fn unpackable(file: &Listed, archive: &str) -> Result<(), Refusal> {
    match file.method {
        _ if file.is_encrypted() => Err(fault(archive, "a file in it is encrypted")),
        STORED | DEFLATED => Ok(()),
        _ => Err(fault(archive, "a file in it is neither stored nor deflated")),
    }
}

/// The bytes of one file, held to the size and the sum in the list: whoever reads to the end knows that they hold, else
/// there is a `Refusal` in the `io::Error`.
pub(super) struct Unpacked<'a, R> {
    from: Packed<R>,
    crc: Crc,
    len: u64,
    file: &'a Listed,
    archive: &'a str,
}

enum Packed<R> {
    Stored(Take<R>),
    Deflated(Box<DeflateDecoder<BufReader<Take<R>>>>),
}

impl<'a, R: Read + Seek> Unpacked<'a, R> {
    pub fn of(file: &'a Listed, mut archived: R, archive: &'a str) -> Result<Unpacked<'a, R>, Refusal> {
        unpackable(file, archive)?;
        archived.seek(SeekFrom::Start(file.data_at)).map_err(|error| Refusal::broken(archive, error))?;
        let buffer = file.packed.min(BUFFER) as usize;
        let packed = archived.take(file.packed);
        let from = match file.method {
            STORED => Packed::Stored(packed),
            _ => Packed::Deflated(Box::new(DeflateDecoder::new(BufReader::with_capacity(buffer, packed)))),
        };
        Ok(Unpacked { from, crc: Crc::new(), len: 0, file, archive })
    }

    /// What is wrong at the end.
    fn end(&self) -> Result<(), Refusal> {
        // Whoever goes through the archive without its list would find something of its own in the rest.
        let is_used_up = match &self.from {
            Packed::Stored(_) => true,
            Packed::Deflated(unpacked) => unpacked.total_in() == self.file.packed,
        };
        match is_used_up && self.len == self.file.unpacked && u64::from(self.crc.sum()) == self.file.crc {
            true => Ok(()),
            false => Err(fault(self.archive, "a file has another size or sum than its list says")),
        }
    }
}

impl<R: Read + Seek> Read for Unpacked<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = match &mut self.from {
            Packed::Stored(from) => from.read(buf)?,
            Packed::Deflated(from) => from.read(buf)?,
        };
        if n == 0 && !buf.is_empty() {
            self.end()?;
        }
        self.len += n as u64;
        self.crc.update(&buf[..n]);
        Ok(n)
    }
}
