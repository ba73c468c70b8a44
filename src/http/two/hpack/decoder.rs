//! From a header block to fields, with the table that both sides keep (RFC 7541, 2.3.2, 4 and 6).

use std::collections::VecDeque;

use super::block::Block;
use super::token::Token;
use super::{Broken, ENTRY_BYTES, TABLE_BYTES, fixed, huffman, integer};

/// What is kept of one block. What is beyond is still read, so that the tables stay the same, and then answered 431.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of names and values, each field counted with [`ENTRY_BYTES`] more.
    pub bytes: usize,
    pub fields: usize,
}

/// An entry of the dynamic table.
#[derive(Debug)]
struct Entry {
    token: Token,
    is_proper: bool,
    name_len: u32,
    /// The name, then the value.
    bytes: Box<[u8]>,
}

/// The reading half of a connection. Holds nothing until the client has something kept.
#[derive(Debug)]
pub struct Decoder {
    /// The newest is the first.
    entries: VecDeque<Entry>,
    size: usize,
    /// The most that the client wants kept; at most [`TABLE_BYTES`].
    max: usize,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder { entries: VecDeque::new(), size: 0, max: TABLE_BYTES }
    }
}

impl Decoder {
    /// Reads a whole block; `out` is cleared first.
    pub fn read(&mut self, mut coded: &[u8], limits: Limits, out: &mut Block) -> Result<(), Broken> {
        out.clear();
        // A change of size stands before all fields (RFC 7541, 4.2).
        while let [first, ..] = coded
            && first & 0xe0 == 0x20
        {
            let (max, len) = integer::read(coded, 5)?;
            if max > TABLE_BYTES {
                return Err(Broken);
            }
            self.max = max;
            self.shrink(max);
            coded = &coded[len..];
        }
        while let [first, ..] = coded {
            let len = match first {
                0x80.. => self.indexed(coded, limits, out)?,
                0x40.. => self.literal(coded, 6, true, limits, out)?,
                0x20.. => return Err(Broken),
                _ => self.literal(coded, 4, false, limits, out)?,
            };
            coded = &coded[len..];
        }
        Ok(())
    }

    fn indexed(&mut self, coded: &[u8], limits: Limits, out: &mut Block) -> Result<usize, Broken> {
        let (index, len) = integer::read(coded, 7)?;
        let begun = out.begin();
        let at = index.checked_sub(1).ok_or(Broken)?;
        match fixed::FIXED.get(at) {
            Some((name, value)) => {
                out.bytes().extend_from_slice(name.as_bytes());
                out.bytes().extend_from_slice(value.as_bytes());
                out.end(begun, name.len(), fixed::token(at), limits);
            }
            None => {
                let entry = self.entries.get(at - fixed::FIXED.len()).ok_or(Broken)?;
                out.is_malformed |= !entry.is_proper;
                if out.is_too_large {
                    // A byte must not copy 4 KiB that nobody keeps.
                    return Ok(len);
                }
                out.bytes().extend_from_slice(&entry.bytes);
                out.end(begun, entry.name_len as usize, entry.token, limits);
            }
        }
        Ok(len)
    }

    fn literal(
        &mut self,
        coded: &[u8],
        prefix: u32,
        is_kept: bool,
        limits: Limits,
        out: &mut Block,
    ) -> Result<usize, Broken> {
        let (index, mut done) = integer::read(coded, prefix)?;
        let begun = out.begin();
        let mut known = None;
        match index.checked_sub(1) {
            None => done += string(&coded[done..], out.bytes())?,
            Some(at) => match fixed::FIXED.get(at) {
                Some((name, _)) => {
                    out.bytes().extend_from_slice(name.as_bytes());
                    known = Some(fixed::token(at));
                }
                None => {
                    let entry = self.entries.get(at - fixed::FIXED.len()).ok_or(Broken)?;
                    out.bytes().extend_from_slice(&entry.bytes[..entry.name_len as usize]);
                }
            },
        }
        let name_len = out.since(&begun).len();
        done += string(&coded[done..], out.bytes())?;
        let (name, value) = out.since(&begun).split_at(name_len);
        let is_proper = (known.is_some() || is_name(name)) && is_value(value);
        let token = known.unwrap_or_else(|| Token::of(name));
        if is_kept {
            self.keep(Entry { token, is_proper, name_len: name_len as u32, bytes: out.since(&begun).into() });
        }
        out.is_malformed |= !is_proper;
        out.end(begun, name_len, token, limits);
        Ok(done)
    }

    /// RFC 7541, 4.4: what is larger than the table empties it, and is no error.
    fn keep(&mut self, entry: Entry) {
        let size = entry.bytes.len() + ENTRY_BYTES;
        self.shrink(self.max.saturating_sub(size));
        if size <= self.max {
            self.size += size;
            self.entries.push_front(entry);
        }
    }

    fn shrink(&mut self, max: usize) {
        while self.size > max
            && let Some(oldest) = self.entries.pop_back()
        {
            self.size -= oldest.bytes.len() + ENTRY_BYTES;
        }
    }
}

/// Appends a string literal (RFC 7541, 5.2); returns the bytes that it took.
fn string(coded: &[u8], out: &mut Vec<u8>) -> Result<usize, Broken> {
    let (len, head) = integer::read(coded, 7)?;
    let bytes = coded.get(head..head + len).ok_or(Broken)?;
    match coded.first() {
        Some(0x80..) => huffman::decode(bytes, out)?,
        _ => out.extend_from_slice(bytes),
    }
    Ok(head + len)
}

/// A token (RFC 9110, 5.6.2) in lower case, perhaps behind one colon (RFC 9113, 8.2.1 and 8.3).
fn is_name(name: &[u8]) -> bool {
    let rest = name.strip_prefix(b":").unwrap_or(name);
    let is_token = |b: &u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.') || b"!#$%&'*+^`|~".contains(b);
    !rest.is_empty() && rest.iter().all(is_token)
}

/// RFC 9113, 8.2.1, and no other control character either (RFC 9110, 5.5).
fn is_value(value: &[u8]) -> bool {
    let is_space = |b: Option<&u8>| matches!(b, Some(b' ' | b'\t'));
    let is_text = |b: &u8| (*b >= b' ' && *b != 0x7f) || *b == b'\t';
    !is_space(value.first()) && !is_space(value.last()) && value.iter().all(is_text)
}
