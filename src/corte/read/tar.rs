//! Tar archives: one thread unpacks, the others hash.

use std::cell::Cell;
use std::io::{BufReader, Read};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use tar::{Archive, EntryType};

use super::Keep;
use super::described::Described;
use super::entry::{Entry, METADATA, Reading};
use super::form::{self, ToTheEnd};
use super::guard::{Packed, Unpacked};
use crate::base::back::{self, Crew};
use crate::base::disk::ReadAt;
use crate::base::pool;
use crate::base::shown::Shown;
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
    let crew = back::crew();
    let read = thread::scope(|scope| {
        for _ in 0..hashers {
            scope.spawn(|| {
                let _place = crew.as_ref().map(Crew::join);
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
    if described.is_waiting() {
        return Err(fault("it ends where an entry was announced"));
    }
    tar.into_inner().fault().map_err(broken)?.map_or(Ok(folders), |why| Err(fault(why)))
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
