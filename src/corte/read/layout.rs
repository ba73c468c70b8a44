//! Whether a zip archive is laid out in the one way in which all readers find the same files in it.
//!
//! ```text
//! 0  header data [descriptor]  header data [descriptor]  ...  list  [ZIP64 records]  end record, comment  EOF
//! ```
//! Nothing before, between or behind; nothing twice; the list in the order of the files, and each header saying the same
//! as the list. That is what zip(1), Python, Java, Go, .NET and 7-Zip write. What readers see in anything else depends on
//! whether they go by the headers or by the list, and on which end record they take. Field numbers: PKWARE APPNOTE 4.3.

use std::io::{BufReader, Read, Seek, SeekFrom};

use super::fields::{Extra, number};
use crate::base::shown::Shown;
use crate::corte::Refusal;
use crate::corte::limits::PATH_BYTES;

/// Bytes of the end record without its comment, and of the longest comment.
const END: u64 = 22;
const COMMENT_MAX: u64 = 0xffff;
/// Bytes of the record that holds what does not fit in the end record, and of the locator behind it.
const END64: u64 = 56;
const LOCATOR: u64 = 20;
/// Bytes of a name: a path, `./` before it, `/` behind it.
const NAME_MAX: u64 = PATH_BYTES as u64 + 3;
/// The flags that say how a file is to be read: encrypted, with a descriptor, patched, strongly encrypted, UTF-8, masked.
const FLAGS: u64 = 0x2869;
const IS_ENCRYPTED: u64 = 1;
const HAS_DESCRIPTOR: u64 = 1 << 3;
/// A value that is to be looked for in the ZIP64 field.
const ELSEWHERE: u64 = 0xffff_ffff;

/// The files and folders of the archive that `from` reads, `most` at most.
pub(super) fn files(from: impl Read + Seek + Clone, archive: &str, most: usize) -> Result<Vec<Listed>, Refusal> {
    Layout { from, archive }.files(most)
}

struct Layout<'a, R> {
    from: R,
    archive: &'a str,
}

/// What the end of the archive says of its list.
struct List {
    at: u64,
    len: u64,
    /// Where the records behind it begin.
    end: u64,
    files: u64,
}

/// A file as the list and its own header have it.
pub(super) struct Listed {
    /// As written; ends with `/` for a folder.
    pub name: Vec<u8>,
    flags: u64,
    pub method: u64,
    pub crc: u64,
    /// Bytes, packed and unpacked.
    pub packed: u64,
    pub unpacked: u64,
    /// Where its header begins, and where its data do.
    at: u64,
    pub data_at: u64,
}

impl Listed {
    pub fn is_encrypted(&self) -> bool {
        self.flags & IS_ENCRYPTED != 0
    }

    /// Where its data end.
    fn end(&self) -> u64 {
        self.data_at.saturating_add(self.packed)
    }
}

impl<R: Read + Seek + Clone> Layout<'_, R> {
    fn files(&mut self, most: usize) -> Result<Vec<Listed>, Refusal> {
        let list = self.list()?;
        if list.files > most as u64 {
            return Err(Refusal::TooManyFiles { limit: most });
        }
        let mut from = self.from.clone();
        from.seek(SeekFrom::Start(list.at)).map_err(|error| Refusal::broken(self.archive, error))?;
        let mut lines = BufReader::new(from).take(list.len);
        let mut files: Vec<Listed> = Vec::new();
        for _ in 0..list.files {
            let mut file = self.listed(&mut lines)?;
            self.follows(files.last(), file.at)?;
            file.data_at = self.header(&file)?;
            files.push(file);
        }
        self.follows(files.last(), list.at)?;
        self.hold(lines.limit() == 0, "its list has more than it says")?;
        Ok(files)
    }

    /// Finds the list by the records at the end.
    fn list(&mut self) -> Result<List, Refusal> {
        let len = self.from.seek(SeekFrom::End(0)).map_err(|error| Refusal::broken(self.archive, error))?;
        let start = len.saturating_sub(END + COMMENT_MAX);
        let tail = self.bytes(start, len - start)?;
        let found = tail.windows(4).rposition(|four| four == b"PK\x05\x06");
        let record = found.and_then(|at| tail.get(at..at + END as usize));
        let (Some(found), Some(record)) = (found, record) else {
            return Err(self.fault("it is cut short: the record at its end is missing"));
        };
        let at = start + found as u64;
        self.hold(at + END + number(record, 20, 2) == len, "something follows its end record, or it has two")?;
        let is_one_part = number(record, 4, 4) == 0 && number(record, 8, 2) == number(record, 10, 2);
        self.hold(is_one_part, "it is one of several parts")?;
        let mut list =
            List { at: number(record, 16, 4), len: number(record, 12, 4), end: at, files: number(record, 10, 2) };
        if at >= LOCATOR + END64 && self.bytes(at - LOCATOR, 4)? == b"PK\x06\x07" {
            list = self.list64(&list)?;
        }
        self.hold(
            list.at.checked_add(list.len) == Some(list.end),
            "its list does not end where its end record begins",
        )?;
        Ok(list)
    }

    /// The same by the ZIP64 record, which stands before `list.end` with its locator.
    fn list64(&mut self, list: &List) -> Result<List, Refusal> {
        let locator_at = list.end - LOCATOR;
        let at = locator_at - END64;
        let locator = self.bytes(locator_at, LOCATOR)?;
        let record = self.bytes(at, END64)?;
        let is_found = record.starts_with(b"PK\x06\x06") && number(&locator, 8, 8) == at;
        self.hold(is_found && number(&record, 4, 8) == END64 - 12, "its ZIP64 record is not where it should be")?;
        let is_one_part = number(&locator, 4, 4) == 0 && number(&locator, 16, 4) <= 1 && number(&record, 16, 8) == 0;
        self.hold(is_one_part && number(&record, 24, 8) == number(&record, 32, 8), "it is one of several parts")?;
        let long =
            List { at: number(&record, 48, 8), len: number(&record, 40, 8), end: at, files: number(&record, 32, 8) };
        let agree = |short: u64, long: u64, elsewhere: u64| short == long || short == elsewhere;
        let do_agree = agree(list.files, long.files, 0xffff)
            && agree(list.len, long.len, ELSEWHERE)
            && agree(list.at, long.at, ELSEWHERE);
        self.hold(do_agree, "its two end records do not agree")?;
        Ok(long)
    }

    /// The next file of the list.
    fn listed(&self, lines: &mut impl Read) -> Result<Listed, Refusal> {
        let line = take(lines, 46, self.archive)?;
        self.hold(line.starts_with(b"PK\x01\x02"), "its list is shorter than it says, or broken")?;
        let name_len = number(&line, 28, 2);
        let name = take(lines, name_len, self.archive)?;
        if name_len > NAME_MAX {
            return Err(Refusal::PathTooLong { path: Shown::bytes(&name), limit: PATH_BYTES });
        }
        let extra = take(lines, number(&line, 30, 2), self.archive)?;
        take(lines, number(&line, 32, 2), self.archive)?;
        let extra = Extra::read(&extra, &name).map_err(|why| self.fault(why))?;
        let mut long = extra.long.unwrap_or_default();
        let mut or_long = |value: u64| if value == ELSEWHERE { long.next() } else { Some(value) };
        // In this order, whichever of them are there.
        let values = [24, 20, 42].map(|at| or_long(number(&line, at, 4)));
        let [Some(unpacked), Some(packed), Some(at)] = values else {
            return Err(self.fault("a size in its list is missing"));
        };
        self.hold(long.is_empty(), "a size in its list is given twice")?;
        self.hold(number(&line, 34, 2) == 0, "it is one of several parts")?;
        self.is_plain(&name, number(&line, 38, 4), packed, unpacked)?;
        let (flags, method, crc) = (number(&line, 8, 2) & FLAGS, number(&line, 10, 2), number(&line, 16, 4));
        Ok(Listed { name, flags, method, crc, packed, unpacked, at, data_at: 0 })
    }

    /// Files are files and folders folders, whatever system the archive says that it is from: readers go by different
    /// signs.
    fn is_plain(&self, name: &[u8], attributes: u64, packed: u64, unpacked: u64) -> Result<(), Refusal> {
        let is_folder = name.ends_with(b"/");
        let kind = match (attributes >> 28, attributes & 0x10 != 0) {
            (0 | 0o10, false) if !is_folder => return Ok(()),
            // An empty file takes two bytes once deflated.
            (0 | 0o4, _) if is_folder && unpacked == 0 && packed <= 2 => return Ok(()),
            (0 | 0o4 | 0o10, _) if is_folder => "folder with contents",
            (0 | 0o4 | 0o10, _) => "folder named as a file",
            _ => "link or device",
        };
        Err(Refusal::NotAPlainFile { path: Shown::bytes(name), kind })
    }

    /// Checks that a file's own header says the same as the list; returns where its data begin.
    fn header(&mut self, file: &Listed) -> Result<u64, Refusal> {
        let header = self.bytes(file.at, 30)?;
        self.hold(header.starts_with(b"PK\x03\x04"), "a file is not where its list says")?;
        let (name_len, extra_len) = (number(&header, 26, 2), number(&header, 28, 2));
        let rest = self.bytes(file.at + 30, name_len + extra_len)?;
        let (name, extra) = rest.split_at(name_len as usize);
        let extra = Extra::read(extra, name).map_err(|why| self.fault(why))?;
        let is_same =
            name == file.name && number(&header, 6, 2) & FLAGS == file.flags && number(&header, 8, 2) == file.method;
        self.hold(is_same, "a file has another name, or is packed otherwise, than its list says")?;
        // What was not known when the header was written is zero there, and follows in a descriptor.
        let may_wait = file.flags & HAS_DESCRIPTOR != 0;
        let agree = |found: u64, listed: u64| found == listed || (may_wait && found == 0);
        let mut long = extra.long.unwrap_or_default();
        let mut or_long = |value: u64| if value == ELSEWHERE { long.next().unwrap_or(value) } else { value };
        let (unpacked, packed) = (or_long(number(&header, 22, 4)), or_long(number(&header, 18, 4)));
        let is_same = agree(number(&header, 14, 4), file.crc)
            && agree(unpacked, file.unpacked)
            && agree(packed, file.packed)
            && long.all(|value| agree(value, file.unpacked) || agree(value, file.packed));
        self.hold(is_same, "a file has another size or sum than its list says")?;
        // What was read above fits in the archive.
        Ok(file.at + 30 + name_len + extra_len)
    }

    /// Checks that what begins at `at` follows upon the file before, with nothing between but its descriptor.
    fn follows(&mut self, last: Option<&Listed>, at: u64) -> Result<(), Refusal> {
        let Some(file) = last else { return self.hold(at == 0, "something stands before its first file") };
        let Some(gap) = at.checked_sub(file.end()) else { return Err(self.fault("two files in it overlap")) };
        if file.flags & HAS_DESCRIPTOR == 0 {
            return self.hold(gap == 0, "something stands between two of its files");
        }
        // With a signature or without, with sizes of 4 bytes or of 8.
        self.hold(matches!(gap, 12 | 16 | 20 | 24), "something stands between two of its files")?;
        let bytes = self.bytes(file.end(), gap)?;
        let signed = matches!(gap, 16 | 24);
        let found = if signed { bytes.strip_prefix(b"PK\x07\x08") } else { Some(&bytes[..]) };
        let size = if gap >= 20 { 8 } else { 4 };
        let is_same = found.is_some_and(|found| {
            number(found, 0, 4) == file.crc
                && number(found, 4, size) == file.packed
                && number(found, 4 + size, size) == file.unpacked
        });
        self.hold(is_same, "a file has another size or sum than its list says")
    }

    /// So many bytes at a place in the file.
    fn bytes(&mut self, at: u64, len: u64) -> Result<Vec<u8>, Refusal> {
        let archive = self.archive;
        self.from.seek(SeekFrom::Start(at)).map_err(|error| Refusal::broken(archive, error))?;
        take(&mut self.from, len, archive)
    }

    fn hold(&self, holds: bool, otherwise: &str) -> Result<(), Refusal> {
        if holds { Ok(()) } else { Err(self.fault(otherwise)) }
    }

    fn fault(&self, why: &str) -> Refusal {
        fault(self.archive, why)
    }
}

/// The next bytes; `len` is at most twice 64 KiB, as all lengths in headers have 16 bits.
fn take(from: &mut impl Read, len: u64, archive: &str) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::with_capacity(len as usize);
    from.take(len).read_to_end(&mut bytes).map_err(|error| Refusal::broken(archive, error))?;
    if bytes.len() as u64 == len { Ok(bytes) } else { Err(fault(archive, "it is cut short")) }
}

pub(super) fn fault(archive: &str, why: &str) -> Refusal {
    Refusal::BrokenArchive { archive: Shown::text(archive), why: Shown::text(why) }
}
