//! Tar archives: one thread unpacks, the others hash.
//!
//! The headers that describe a next one (GNU long names, pax) are read here and not by the crate, which
//! would take any amount of memory for them.

use std::cell::Cell;
use std::io::{BufReader, Read};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use tar::{Archive, EntryType};

use super::Keep;
use super::entry::{Entry, METADATA, Reading};
use super::form::{self, ToTheEnd};
use super::guard::{Packed, Unpacked};
use crate::base::disk::ReadAt;
use crate::base::pool;
use crate::base::shown::Shown;
use crate::corte::limits::PATH_BYTES;
use crate::corte::{Refusal, path};

/// Files up to this size are hashed by other threads; larger ones as they stream by.
const HANDED_OVER: u64 = 1 << 20;
/// Batches waiting to be hashed, for each thread: together with `HANDED_OVER` it bounds the memory.
const WAITING: usize = 2;
/// Files that are handed over together: waking a thread for each costs more than hashing it.
type Batch = Vec<(String, Vec<u8>)>;
/// Bytes after which a batch is handed over: a quarter of a millisecond of hashing.
const BATCH: usize = 256 << 10;
/// Files after which it is, however small.
const BATCH_FILES: usize = 128;
/// Bytes of a pax header: a path and some attributes.
const PAX_BYTES: u64 = 64 << 10;
/// Bytes read from the disk at a time.
const BUFFER: usize = 128 << 10;
/// Memory that a zstd frame may ask for: 2^27, what `zstd -22` asks for and `zstd -d` allows.
const ZSTD_WINDOW_LOG: u32 = 27;

type Entries<B> = Result<Vec<Entry<B>>, Refusal>;

/// How an archive is packed.
pub(super) enum Packing {
    None,
    Gzip,
    Zstandard,
}

/// The archive in `file` as a stream that is held to the limits.
pub(super) fn unpacked<'a, K: Keep>(
    file: ReadAt,
    packing: Packing,
    name: &'a str,
    reading: &'a Reading<'_, K>,
) -> Result<Box<dyn Read + 'a>, Refusal> {
    let broken = |error| Refusal::broken(name, error);
    let count = Rc::new(Cell::new(0));
    let packed = BufReader::with_capacity(BUFFER, Packed { from: file, count: count.clone() });
    let guarded: Box<dyn Read + 'a> = match packing {
        Packing::None => return Ok(Box::new(packed)),
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
        Packing::Zstandard => {
            let mut unpacked = zstd::stream::read::Decoder::with_buffer(packed).map_err(broken)?;
            unpacked.window_log_max(ZSTD_WINDOW_LOG).map_err(broken)?;
            Box::new(unpacked)
        }
    };
    Ok(Box::new(Unpacked::new(guarded, name, count, &reading.meter, reading.limits)))
}

/// Reads an unpacked archive. Every thread but this one hashes what this one hands over.
pub(super) fn entries<K: Keep>(from: impl Read, name: &str, reading: &Reading<'_, K>) -> Entries<K::Kept> {
    let hashers = pool::cores();
    let (send, receive) = sync_channel::<Batch>(WAITING * hashers);
    let (receive, done) = (Mutex::new(receive), Mutex::new(Vec::new()));
    let read = thread::scope(|scope| {
        for _ in 0..hashers {
            scope.spawn(|| {
                let mut mine = Vec::new();
                while let Some(batch) = take(&receive) {
                    mine.extend(batch.into_iter().map(|(path, bytes)| reading.whole(path, bytes)));
                }
                done.lock().unwrap_or_else(|e| e.into_inner()).append(&mut mine);
            });
        }
        unpack(from, name, reading, send)
    });
    let mut entries = done.into_inner().unwrap_or_else(|e| e.into_inner());
    let Found { mut large, folders } = read?;
    entries.append(&mut large);
    path::apart(entries.iter().map(|entry| entry.path.as_str()), &folders)?;
    Ok(entries)
}

fn take<T>(receive: &Mutex<Receiver<T>>) -> Option<T> {
    receive.lock().unwrap_or_else(|e| e.into_inner()).recv().ok()
}

/// What is not handed over.
struct Found<B> {
    large: Vec<Entry<B>>,
    folders: Vec<String>,
}

/// Goes through the archive; returns the large files and the folders, and sends the other files.
fn unpack<K: Keep>(
    from: impl Read,
    archive: &str,
    reading: &Reading<'_, K>,
    send: SyncSender<Batch>,
) -> Result<Found<K::Kept>, Refusal> {
    let broken_at = |_: &str, error| Refusal::broken(archive, error);
    let (mut large, mut batch, mut bytes) = (Vec::new(), Batch::new(), 0);
    // Nobody receives only when a hasher panicked, which the scope passes on.
    let hand_over = |batch: &mut Batch| drop(send.send(std::mem::take(batch)));
    let folders = walk(from, archive, reading, |path, size, entry| {
        if size <= HANDED_OVER {
            let file = reading.slurp(path, size, entry, broken_at)?;
            bytes += file.len();
            batch.push((path.to_string(), file));
            if bytes >= BATCH || batch.len() == BATCH_FILES {
                hand_over(&mut batch);
                bytes = 0;
            }
        } else {
            large.push(streamed(path, size, entry, archive, reading)?);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    hand_over(&mut batch);
    Ok(Found { large, folders })
}

/// The three files that say what the package is, if the archive begins with them; nothing behind them is read.
pub(super) fn first<K: Keep>(
    from: impl Read,
    archive: &str,
    reading: &Reading<'_, K>,
) -> Result<Option<Vec<Entry<K::Kept>>>, Refusal> {
    let mut found: Vec<Entry<K::Kept>> = Vec::new();
    walk(from, archive, reading, |path, size, entry| {
        let (top, name) = path.rsplit_once('/').unwrap_or(("", path));
        let beside = found.first().is_none_or(|first| first.path.rsplit_once('/').map_or("", |(top, _)| top) == top);
        if !beside || top == "sitio" || top.contains('/') || !METADATA.contains(&name) {
            return Ok(ControlFlow::Break(()));
        }
        found.push(streamed(path, size, entry, archive, reading)?);
        Ok(if found.len() == METADATA.len() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok((found.len() == METADATA.len()).then_some(found))
}

/// Reads a file of the archive through a small buffer.
fn streamed<K: Keep>(
    path: &str,
    size: u64,
    entry: &mut impl Read,
    archive: &str,
    reading: &Reading<'_, K>,
) -> Result<Entry<K::Kept>, Refusal> {
    let broken_at = |_: &str, error| Refusal::broken(archive, error);
    reading.stream(path.to_string(), size, entry, broken_at, |len| match len > size {
        true => Err(Refusal::BrokenArchive { archive: Shown::text(archive), why: Shown::text("size") }),
        false => Ok(()),
    })
}

/// Goes through the files of an archive until `each`, told path and size, breaks off; paths, kinds and announced sizes
/// are checked. Returns the folders.
fn walk<R: Read, K: Keep>(
    from: R,
    archive: &str,
    reading: &Reading<'_, K>,
    mut each: impl FnMut(&str, u64, &mut tar::Entry<'_, ToTheEnd<R>>) -> Result<ControlFlow<()>, Refusal>,
) -> Result<Vec<String>, Refusal> {
    let broken = |error| Refusal::broken(archive, error);
    let fault = |why: &str| Refusal::BrokenArchive { archive: Shown::text(archive), why: Shown::text(why) };
    let (mut tar, mut described) = (Archive::new(ToTheEnd::of(from)), Described::default());
    let mut folders = Vec::new();
    for entry in tar.entries().map_err(broken)?.raw(true) {
        let mut entry = entry.map_err(broken)?;
        if let Some(why) = form::fault(entry.header()) {
            return Err(fault(why));
        }
        let (kind, size) = (entry.header().entry_type(), entry.size());
        if described.read(kind, size, &mut entry, archive)? {
            continue;
        }
        let name = described.take_name().unwrap_or_else(|| entry.path_bytes().into_owned());
        let name = name.strip_prefix(b"./").unwrap_or(&name);
        // Old archives mark a folder by its name alone.
        let is_folder = kind.is_dir() || (kind.is_file() && size == 0 && name.ends_with(b"/"));
        if is_folder {
            match name.strip_suffix(b"/").unwrap_or(name) {
                b"" | b"." => {}
                name => folders.push(reading.admit(name)?.to_string()),
            }
            continue;
        }
        let path = reading.admit(name)?;
        if !kind.is_file() {
            return Err(Refusal::NotAPlainFile { path: Shown::text(path), kind: in_words(kind) });
        }
        reading.announced(path, size)?;
        if each(path, size, &mut entry)?.is_break() {
            return Ok(folders);
        }
    }
    if !described.pending.is_empty() {
        return Err(fault("it ends where an entry was announced"));
    }
    tar.into_inner().fault().map_err(broken)?.map_or(Ok(folders), |why| Err(fault(why)))
}

/// What headers before an entry say of it.
#[derive(Default)]
struct Described {
    long_name: Option<Vec<u8>>,
    pax_path: Option<Vec<u8>>,
    /// Kinds of the headers that wait for the entry that they describe.
    pending: Vec<EntryType>,
    entries: usize,
}

impl Described {
    /// Reads the entry if it only describes another; says whether it did.
    fn read(&mut self, kind: EntryType, size: u64, from: &mut impl Read, archive: &str) -> Result<bool, Refusal> {
        let broken = |error| Refusal::broken(archive, error);
        let fault = |why: &str| Refusal::BrokenArchive { archive: Shown::text(archive), why: Shown::text(why) };
        let most = match kind {
            EntryType::GNULongName => PATH_BYTES as u64 + 1,
            EntryType::XHeader | EntryType::XGlobalHeader => PAX_BYTES,
            // A long link target: the link itself comes next and is refused.
            EntryType::GNULongLink => PAX_BYTES,
            _ => {
                self.entries = 0;
                self.pending.clear();
                return Ok(false);
            }
        };
        self.entries += 1;
        if size > most || self.entries > 4 {
            return Err(fault("a header that describes the next entry is too long"));
        }
        if kind != EntryType::XGlobalHeader {
            if self.pending.contains(&kind) {
                return Err(fault("two headers of one kind describe the next entry"));
            }
            self.pending.push(kind);
        }
        // Readers differ on which of two names counts.
        if self.long_name.is_some() || self.pax_path.is_some() {
            return Err(fault("a header that names the next entry is followed by another"));
        }
        let mut bytes = Vec::new();
        from.take(size).read_to_end(&mut bytes).map_err(broken)?;
        match kind {
            EntryType::GNULongName => self.long_name = Some(bytes.split(|b| *b == 0).next().unwrap_or(&[]).to_vec()),
            EntryType::GNULongLink => {}
            _ => {
                for (key, value) in pax(&bytes).ok_or_else(|| fault("a pax header is malformed"))? {
                    match key {
                        b"path" if kind == EntryType::XHeader && self.pax_path.is_none() => {
                            self.pax_path = Some(value.to_vec());
                        }
                        // These change what follows: none is needed for a package, and readers differ on them.
                        b"path" => return Err(fault("a pax header sets a path twice, or for all")),
                        b"size" | b"SCHILY.realsize" => return Err(fault("a pax header sets a size")),
                        b"hdrcharset" => return Err(fault("a pax header sets how names are written")),
                        _ if key.starts_with(b"GNU.sparse") => return Err(fault("it holds a sparse file")),
                        _ => {}
                    }
                }
            }
        }
        Ok(true)
    }

    fn take_name(&mut self) -> Option<Vec<u8>> {
        let (pax, long) = (self.pax_path.take(), self.long_name.take());
        pax.or(long)
    }
}

/// The records of a pax header: `LENGTH KEY=VALUE\n`, where the value may hold anything.
fn pax(mut bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let blank = bytes.iter().position(|b| *b == b' ')?;
        let digits = bytes[..blank].iter().all(u8::is_ascii_digit).then_some(&bytes[..blank])?;
        let len: usize = str::from_utf8(digits).ok()?.parse().ok()?;
        let (record, rest) = bytes.split_at_checked(len)?;
        let record = record.get(blank + 1..)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|b| *b == b'=')?;
        records.push((&record[..equals], &record[equals + 1..]));
        bytes = rest;
    }
    Some(records)
}

fn in_words(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Symlink => "symbolic link",
        EntryType::Link => "hard link",
        EntryType::Char | EntryType::Block => "device",
        EntryType::Fifo => "pipe",
        EntryType::GNUSparse => "sparse file",
        _ => "special entry",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pax_records_are_cut_by_their_length() {
        let records = pax(b"12 path=a/b\n16 x=two\nlines!\n").unwrap();
        assert_eq!(records, [(&b"path"[..], &b"a/b"[..]), (&b"x"[..], &b"two\nlines!"[..])]);
        for bad in [&b"x"[..], b"5 a=b", b"99 a=b\n", b"2 a=b\n", b"0 a=b\n", b"5 ab\n", b"-1 a=b\n", b"+6 a=b\n"] {
            assert_eq!(pax(bad), None, "{bad:?}");
        }
    }
}
