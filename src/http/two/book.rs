//! What many responses of a core say alike, as phrases that connections put into their tables: the corte, the state, freshness and
//! date. A phrase is made when one of them changes, which is once a second, and not for each response.

use std::cell::RefCell;
use std::collections::VecDeque;

use bytes::Bytes;

use super::hpack::Phrase;
use super::packed::fields;
use crate::http::freshness::{Freshness, Rhythm};

/// Sets of lines in one phrase.
pub const PARTS: usize = 4;
/// Phrases that are remembered: 200 and 304 of each freshness, the corridor's, and as many again around a swap.
const PHRASES_MAX: usize = 12;
/// Fields that are known to be equal to earlier ones.
const WORDS_MAX: usize = 64;

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
    known: VecDeque<Known>,
    /// A number that stands for a name and a value, and both as a line.
    words: VecDeque<(u64, Box<[u8]>)>,
    given: u64,
}

thread_local!(static BOOK: RefCell<Book> = RefCell::default());

/// The phrase of `parts`, and of `rhythm`'s fields where it has a part in it.
pub fn phrase<R>(parts: &Parts, rhythm: Option<(&Rhythm, Freshness)>, take: impl FnOnce(&Phrase) -> R) -> R {
    let stamp = rhythm.map_or(0, |(rhythm, freshness)| rhythm.stamp(freshness));
    BOOK.with_borrow_mut(|book| {
        let at = match book.known.iter().position(|known| known.is(parts, stamp)) {
            Some(at) => at,
            None => book.make(parts, stamp, rhythm),
        };
        take(&book.known[at].phrase)
    })
}

impl Book {
    fn make(&mut self, parts: &Parts, stamp: u64, rhythm: Option<(&Rhythm, Freshness)>) -> usize {
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
        self.known.truncate(PHRASES_MAX - 1);
        self.known.push_front(Known { parts: parts.map(Option::<&Bytes>::cloned), stamp, phrase });
        0
    }

    fn number(&mut self, line: &[u8]) -> u64 {
        if let Some((number, _)) = self.words.iter().find(|(_, known)| **known == *line) {
            return *number;
        }
        self.given += 1;
        self.words.truncate(WORDS_MAX - 1);
        self.words.push_front((self.given, line.into()));
        self.given
    }
}
