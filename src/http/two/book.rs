//! What many responses of a core say alike, as phrases that connections put into their tables: the corte, the state, freshness and
//! date, which all files have in common, and media type and coding, which those of a kind have. A phrase is made when one of them
//! changes, which is once a second, and not for each response.

use std::cell::RefCell;
use std::collections::VecDeque;

use bytes::Bytes;

use super::hpack::Phrase;
use super::packed::fields;
use crate::http::freshness::{Freshness, Rhythm};

/// Sets of lines in one phrase.
pub const PARTS: usize = 3;
/// Places for phrases, of which each has one; another's that has the same comes in its stead. 200 and 304 of each freshness, for
/// each group of connections, and as many again around a swap, are some 150.
const PLACES: usize = 512;
/// Fields that are known to be equal to earlier ones: most are the lifetimes of each group.
const WORDS_MAX: usize = 256;

/// Lines as HTTP/1.1 writes them; the same memory is the same lines.
pub type Parts<'p> = [Option<&'p Bytes>; PARTS];

struct Known {
    /// Kept, so that their memory stays theirs.
    parts: [Option<Bytes>; PARTS],
    stamp: u64,
    phrase: Phrase,
}

impl Known {
    fn is(&self, parts: &Parts, stamp: u64) -> bool {
        let place = |bytes: &Bytes| (bytes.as_ptr(), bytes.len());
        let is_same = |(known, part): (&Option<Bytes>, &Option<&Bytes>)| known.as_ref().map(place) == part.map(place);
        self.stamp == stamp && self.parts.iter().zip(parts).all(is_same)
    }
}

#[derive(Default)]
struct Book {
    known: Vec<Option<Known>>,
    /// A number that stands for a name and a value, and both as a line.
    words: VecDeque<(u64, Box<[u8]>)>,
    given: u64,
}

thread_local!(static BOOK: RefCell<Book> = RefCell::default());

/// The phrase of `parts`, and of `rhythm`'s fields where it has a part in it.
pub fn phrase<R>(parts: &Parts, rhythm: Option<(&Rhythm, Freshness)>, take: impl FnOnce(&Phrase) -> R) -> R {
    let stamp = rhythm.map_or(0, |(rhythm, freshness)| rhythm.stamp(freshness));
    BOOK.with_borrow_mut(|book| {
        let at = place(parts, stamp);
        if !matches!(book.known.get(at), Some(Some(known)) if known.is(parts, stamp)) {
            let made = book.make(parts, stamp, rhythm);
            if book.known.is_empty() {
                book.known.resize_with(PLACES, || None);
            }
            book.known[at] = Some(made);
        }
        let Some(Some(known)) = book.known.get(at) else { unreachable!("it was put there") };
        take(&known.phrase)
    })
}

/// Where a phrase is kept.
fn place(parts: &Parts, stamp: u64) -> usize {
    let mixed = parts.iter().flatten().fold(stamp, |mixed, part| {
        (mixed.rotate_left(7) ^ part.as_ptr() as u64 >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    });
    (mixed ^ mixed >> 32) as usize % PLACES
}

impl Book {
    fn make(&mut self, parts: &Parts, stamp: u64, rhythm: Option<(&Rhythm, Freshness)>) -> Known {
        let mut lines = Vec::new();
        // What changes every second is put last into tables, for what is oldest leaves them first; and then once a second.
        for part in parts.iter().flatten() {
            lines.extend_from_slice(part);
        }
        if let Some((rhythm, freshness)) = rhythm {
            rhythm.write(freshness, &mut lines);
        }
        let all: Vec<_> = fields(&lines).map(|(name, value, line)| (self.number(line), name, value)).collect();
        self.given += 1;
        let phrase = Phrase::new(self.given, all.into_iter());
        Known { parts: parts.map(Option::<&Bytes>::cloned), stamp, phrase }
    }

    fn number(&mut self, line: &[u8]) -> u64 {
        let at = self.words.iter().position(|(_, known)| **known == *line);
        if let Some(word) = at.and_then(|at| self.words.remove(at)) {
            // What is said still is not forgotten over the lifetimes of each second: it would come back as another word.
            self.words.push_front(word);
            return self.words[0].0;
        }
        self.given += 1;
        self.words.truncate(WORDS_MAX - 1);
        self.words.push_front((self.given, line.into()));
        self.given
    }
}
