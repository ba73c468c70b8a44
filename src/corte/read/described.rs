//! The headers of a tar archive that describe a next one: GNU long names, pax. They are read here and not by the crate,
//! which would take any amount of memory for them.

use std::io::Read;

use tar::EntryType;

use crate::base::shown::Shown;
use crate::corte::Refusal;
use crate::corte::limits::PATH_BYTES;

/// Bytes of a pax header: a path and some attributes.
const PAX_BYTES: u64 = 64 << 10;

/// What headers before an entry say of it.
#[derive(Default)]
pub(super) struct Described {
    long_name: Option<Vec<u8>>,
    pax_path: Option<Vec<u8>>,
    /// Kinds of the headers that wait for the entry that they describe.
    pending: Vec<EntryType>,
    entries: usize,
}

impl Described {
    /// Reads the entry if it only describes another; says whether it did.
    pub fn read(&mut self, kind: EntryType, size: u64, from: &mut impl Read, archive: &str) -> Result<bool, Refusal> {
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

    /// Whether an entry was described that has not come.
    pub fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The name that they give the entry.
    pub fn take_name(&mut self) -> Option<Vec<u8>> {
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
