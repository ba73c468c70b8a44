//! From fields to a header block. What many responses say alike is put into the table once and is a byte each from then on; what
//! is one response's own is a literal that is in no table.

use std::collections::VecDeque;
use std::ops::Range;

use super::{ENTRY_BYTES, TABLE_BYTES, fixed, huffman, integer};

/// One response's status, where it has an index of its own.
const STATUSES: [(u16, u8); 7] = [(200, 8), (204, 9), (206, 10), (304, 11), (400, 12), (404, 13), (500, 14)];
/// The index of `:status`.
const STATUS: usize = 8;
/// Bits before a literal that goes into the table, into none, and into none of anybody's on the way (RFC 7541, 6.2).
const KEPT: (u32, u8) = (6, 0x40);
const PASSING: (u32, u8) = (4, 0x00);
const SECRET: (u32, u8) = (4, 0x10);
/// Indexes of a phrase that are remembered as they are written: a byte or two each.
const MEMO_BYTES: usize = 46;

/// Fields of which every file has another value, and of a name that no fixed table has.
pub const NAMES: [&[u8]; 2] = [b"repr-digest", b"use-as-dictionary"];
/// The number of entries that are there for their name: no word has it.
const OWN: u64 = 0;

/// A field that goes into tables. The number stands for name and value: equal numbers, equal fields.
#[derive(Debug)]
struct Word {
    number: u64,
    size: usize,
    literal: Range<usize>,
}

/// Fields that many responses have alike, in their order.
#[derive(Debug)]
pub struct Phrase {
    /// No two phrases of a process have the same.
    number: u64,
    words: Vec<Word>,
    literals: Vec<u8>,
}

impl Phrase {
    /// `number` is this phrase's alone; each field brings the number that stands for it.
    pub fn new<'f>(number: u64, fields: impl Iterator<Item = (u64, &'f [u8], &'f [u8])>) -> Phrase {
        let (mut words, mut literals) = (Vec::new(), Vec::new());
        for (number, name, value) in fields {
            let begin = literals.len();
            literal(name, value, KEPT, &mut literals);
            words.push(Word { number, size: name.len() + value.len() + ENTRY_BYTES, literal: begin..literals.len() });
        }
        Phrase { number, words, literals }
    }
}

/// A phrase as it was written last, all of it in the table.
#[derive(Debug, Default)]
struct Memo {
    phrase: u64,
    /// True as long as nothing has been put into the table since.
    put: u64,
    bytes: Vec<u8>,
}

/// The writing half of a connection.
#[derive(Debug)]
pub struct Encoder {
    /// Number and size of each entry, the newest first.
    entries: VecDeque<(u64, u32)>,
    size: usize,
    max: usize,
    /// The sizes that have to be said before the next block: the smallest one since the last, and the one that holds.
    unsaid: Option<(usize, usize)>,
    /// Entries that were ever put into the table, or tried; and those that went in.
    put: u64,
    inserted: u64,
    /// The last entry of each of [`NAMES`], by its place among those.
    named: [u64; NAMES.len()],
    /// The one that was used last is the first: a response has two phrases.
    memos: [Memo; 2],
}

impl Default for Encoder {
    fn default() -> Encoder {
        let memos = Default::default();
        let (put, inserted, named) = (0, 0, [0; NAMES.len()]);
        Encoder { entries: VecDeque::new(), size: 0, max: TABLE_BYTES, unsaid: None, put, inserted, named, memos }
    }
}

impl Encoder {
    /// The client's SETTINGS_HEADER_TABLE_SIZE (RFC 9113, 6.5.2).
    pub fn limit(&mut self, bytes: usize) {
        let max = bytes.min(TABLE_BYTES);
        if max == self.max && self.unsaid.is_none() {
            return;
        }
        let smallest = self.unsaid.map_or(max, |(smallest, _)| smallest.min(max));
        (self.unsaid, self.max) = (Some((smallest, max)), max);
        self.shrink(max);
        // Whether the phrase is still there has to be looked up.
        self.put += 1;
    }

    /// Begins a block with its status.
    pub fn begin(&mut self, status: u16, out: &mut Vec<u8>) {
        self.open(out);
        match STATUSES.iter().find(|(known, _)| *known == status) {
            Some((_, index)) => out.push(0x80 | index),
            None => {
                integer::write(STATUS, PASSING.0, PASSING.1, out);
                out.push(3);
                out.extend([status / 100, status / 10 % 10, status % 10].map(|digit| b'0' + digit as u8));
            }
        }
    }

    /// Begins a block that has no status.
    pub fn open(&mut self, out: &mut Vec<u8>) {
        if let Some((smallest, max)) = self.unsaid.take() {
            if smallest < max {
                integer::write(smallest, 5, 0x20, out);
            }
            integer::write(max, 5, 0x20, out);
        }
    }

    /// Writes a phrase.
    pub fn phrase(&mut self, phrase: &Phrase, out: &mut Vec<u8>) {
        let is_it = |memo: &Memo| memo.phrase == phrase.number && memo.put == self.put;
        if !is_it(&self.memos[0]) {
            self.memos.swap(0, 1);
        }
        if is_it(&self.memos[0]) {
            return out.extend_from_slice(&self.memos[0].bytes);
        }
        let (begin, before) = (out.len(), self.put);
        for word in &phrase.words {
            self.word(word, &phrase.literals[word.literal.clone()], out);
        }
        if self.put == before && out.len() - begin <= MEMO_BYTES {
            self.memos[0] = Memo { phrase: phrase.number, put: before, bytes: out[begin..].to_vec() };
        }
    }

    fn word(&mut self, word: &Word, literal: &[u8], out: &mut Vec<u8>) {
        if let Some(at) = self.entries.iter().position(|(number, _)| *number == word.number) {
            return integer::write(fixed::FIXED.len() + 1 + at, 7, 0x80, out);
        }
        out.extend_from_slice(literal);
        self.insert(word.number, word.size);
    }

    /// Begins a literal whose name many responses have, each with a value of its own, by an entry that has the name. Where the table
    /// has none, this field becomes one. Its value follows; `size` is the field's in a table.
    pub fn name(&mut self, place: usize, size: usize, out: &mut Vec<u8>) {
        let (name, last) = (NAMES[place], self.named[place]);
        // Entries behind which it stands.
        let newer = self.inserted - last;
        if last > 0 && newer < self.entries.len() as u64 {
            return integer::write(fixed::FIXED.len() + 1 + newer as usize, PASSING.0, PASSING.1, out);
        }
        integer::write(0, KEPT.0, KEPT.1, out);
        string(name, out);
        if self.insert(OWN, size) {
            self.named[place] = self.inserted;
        }
    }

    /// Whether it went in (RFC 7541, 4.4).
    fn insert(&mut self, number: u64, size: usize) -> bool {
        self.put += 1;
        self.shrink(self.max.saturating_sub(size));
        let fits = size <= self.max;
        if fits {
            self.size += size;
            self.entries.push_front((number, size as u32));
            self.inserted += 1;
        }
        fits
    }

    fn shrink(&mut self, max: usize) {
        while self.size > max
            && let Some((_, size)) = self.entries.pop_back()
        {
            self.size -= size as usize;
        }
    }
}

/// A field of one response.
pub fn field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    // Nobody on the way may have it guessed by what it is compressed with (RFC 7541, 7.1.3).
    let kind = if matches!(name, b"set-cookie" | b"authorization") { SECRET } else { PASSING };
    literal(name, value, kind, out);
}

fn literal(name: &[u8], value: &[u8], (prefix, pattern): (u32, u8), out: &mut Vec<u8>) {
    let index = fixed::named(name);
    integer::write(index.unwrap_or(0), prefix, pattern, out);
    if index.is_none() {
        string(name, out);
    }
    string(value, out);
}

/// Coded where that is shorter.
pub fn string(text: &[u8], out: &mut Vec<u8>) {
    let len = huffman::encoded_len(text);
    if len < text.len() {
        integer::write(len, 7, 0x80, out);
        huffman::encode(text, out);
    } else {
        integer::write(text.len(), 7, 0x00, out);
        out.extend_from_slice(text);
    }
}
