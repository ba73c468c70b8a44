//! Archives byte for byte, so that any of their fields can lie.

use crate::common::Tree;

/// A file of a zip archive: what its own header says, what the list says, what lies between.
#[derive(Clone)]
pub struct Item {
    pub header: Fields,
    pub listed: Fields,
    pub data: Vec<u8>,
    pub descriptor: Vec<u8>,
    /// Upper half of the external attributes: the Unix mode.
    pub mode: u16,
    /// The system it is from: 3 is Unix, 0 is DOS.
    pub system: u8,
}

#[derive(Clone)]
pub struct Fields {
    pub name: Vec<u8>,
    pub flags: u16,
    pub method: u16,
    pub crc: u32,
    pub packed: u32,
    pub unpacked: u32,
    pub extra: Vec<u8>,
}

impl Item {
    pub fn stored(name: &[u8], bytes: &[u8]) -> Item {
        Item::packed(name, 0, bytes.to_vec(), bytes)
    }

    pub fn deflated(name: &[u8], bytes: &[u8]) -> Item {
        Item::packed(name, 8, deflate(bytes), bytes)
    }

    pub fn packed(name: &[u8], method: u16, packed: Vec<u8>, bytes: &[u8]) -> Item {
        let (len, unpacked) = (packed.len() as u32, bytes.len() as u32);
        let crc = crc(bytes);
        let fields = Fields { name: name.to_vec(), flags: 0, method, crc, packed: len, unpacked, extra: vec![] };
        let (header, listed) = (fields.clone(), fields);
        Item { header, listed, data: packed, descriptor: vec![], mode: 0o100_644, system: 3 }
    }

    /// The same with sizes and sum behind the data, not before.
    pub fn streamed(mut self) -> Item {
        let Fields { crc, packed, unpacked, .. } = self.listed;
        self.descriptor = [&b"PK\x07\x08"[..], &le(crc), &le(packed), &le(unpacked)].concat();
        self.listed.flags |= 8;
        self.header = Fields { crc: 0, packed: 0, unpacked: 0, ..self.listed.clone() };
        self
    }

    /// Header, data, descriptor.
    pub fn bytes(&self) -> Vec<u8> {
        let fields = self.header.bytes();
        let extra = &self.header.extra;
        let head = [&b"PK\x03\x04\x14\0"[..], &fields, &(extra.len() as u16).to_le_bytes()].concat();
        [&head, &self.header.name, extra, &self.data, &self.descriptor].map(|part| &part[..]).concat()
    }

    /// Its line in the list, for where it lies.
    pub fn line(&self, at: u32) -> Vec<u8> {
        let fields = self.listed.bytes();
        let extra = &self.listed.extra;
        let head = [b"PK\x01\x02\x14", &[self.system][..], b"\x14\0", &fields, &(extra.len() as u16).to_le_bytes()];
        let mode = u32::from(self.mode) << 16;
        let tail = [&[0; 6][..], &le(mode), &le(at)].concat();
        [&head.concat(), &tail, &self.listed.name, extra].map(|part| &part[..]).concat()
    }
}

impl Fields {
    /// From the flags up to the length of the name.
    fn bytes(&self) -> Vec<u8> {
        let short = [self.flags, self.method, 0, 33].map(u16::to_le_bytes).concat();
        let long = [self.crc, self.packed, self.unpacked].map(u32::to_le_bytes).concat();
        [&short, &long, &(self.name.len() as u16).to_le_bytes()[..]].concat()
    }
}

pub fn le(number: u32) -> [u8; 4] {
    number.to_le_bytes()
}

pub fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

pub fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut out, bytes).unwrap();
    out.finish().unwrap()
}

/// The record at the end.
pub fn end(files: u16, list: u32, at: u32, comment: &[u8]) -> Vec<u8> {
    let [n, len] = [files, comment.len() as u16].map(u16::to_le_bytes);
    [&b"PK\x05\x06\0\0\0\0"[..], &n, &n, &le(list), &le(at), &len, comment].concat()
}

/// The list of items that lie at these places, and the end record.
pub fn ending(items: &[(Item, usize)], at: usize) -> Vec<u8> {
    let list: Vec<u8> = items.iter().flat_map(|(item, at)| item.line(*at as u32)).collect();
    let end = end(items.len() as u16, list.len() as u32, at as u32, b"");
    [list, end].concat()
}

/// An archive in order, but for what the items lie about.
pub fn zip(items: &[Item]) -> Vec<u8> {
    let (mut out, mut placed) = (Vec::new(), Vec::new());
    for item in items {
        placed.push((item.clone(), out.len()));
        out.extend(item.bytes());
    }
    let ending = ending(&placed, out.len());
    [out, ending].concat()
}

/// A package's files as items.
pub fn items(package: &Tree) -> Vec<Item> {
    package.0.iter().map(|(path, bytes)| Item::deflated(path, bytes)).collect()
}

/// A tar header with a right checksum, after `change` has had its way with it.
pub fn header(kind: u8, name: &[u8], size: u64, change: impl FnOnce(&mut [u8; 512])) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_size(size);
    header.set_mode(0o644);
    change(header.as_mut_bytes());
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// An entry: header, bytes, padding.
pub fn entry(kind: u8, name: &[u8], bytes: &[u8]) -> Vec<u8> {
    let padding = vec![0; bytes.len().next_multiple_of(512) - bytes.len()];
    [header(kind, name, bytes.len() as u64, |_| ()), bytes.to_vec(), padding].concat()
}

/// The package as tar with these bytes before its end.
pub fn tar_with(package: &Tree, more: &[u8]) -> Vec<u8> {
    let entries: Vec<u8> = package.0.iter().flat_map(|(path, bytes)| entry(b'0', path, bytes)).collect();
    [&entries, more, &[0; 1024]].concat()
}

/// A record of a pax header.
pub fn pax(key: &str, value: &str) -> Vec<u8> {
    // The length counts itself.
    let rest = key.len() + value.len() + 3;
    let len = (rest + 1..).find(|len| rest + len.to_string().len() == *len).unwrap();
    format!("{len} {key}={value}\n").into_bytes()
}
