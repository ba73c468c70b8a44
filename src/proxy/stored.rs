//! A response as it is kept: as few bytes as it takes, and the head ready to be sent.

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, AGE, HeaderMap, HeaderValue};
use http::{StatusCode, header};

use super::coded::Coded;
use super::directives::{Directives, Reach};
use super::freshness::{self, Kept};
use super::lines::Lines;
use super::vary::Vary;

/// A response that is kept.
#[derive(Debug, Clone)]
pub struct Stored {
    pub status: StatusCode,
    /// A write, a purge or a HEAD has told that it is out of date: the origin is asked before it is sent again.
    pub outdated: bool,
    /// The origin has to be asked each time, or there are fields that only its word lets go (RFC 9111, 5.2.2.4).
    needs_word: bool,
    /// It came with an `Age`: from another cache.
    was_aged: bool,
    /// As in [`Kept`].
    initial_age: u32,
    lifetime: u32,
    received: u64,
    /// As they came, without those of the connection and `Age`, with the length of the body.
    lines: Lines,
    pub body: Bytes,
    /// `None` where every request selects it.
    selected: Option<Box<Selected>>,
    /// The body in other codings, of our making; `None` where there is none.
    pub coded: Option<Box<[Coded]>>,
}

/// Who gets a response that is for some.
#[derive(Debug, Clone)]
struct Selected {
    vary: Vary,
    /// What the request that it answers had in the fields of `vary`.
    by: Box<[u8]>,
}

impl Stored {
    /// `selects`: what `vary` made of the request that it answers.
    pub fn new(
        status: StatusCode,
        mut fields: HeaderMap,
        body: Bytes,
        kept: Kept,
        vary: Vary,
        selects: Vec<u8>,
    ) -> Stored {
        freshness::date(&mut fields, kept.received);
        // What it said is in `initial_age`.
        let was_aged = fields.remove(AGE).is_some();
        if status == StatusCode::OK {
            fields.entry(ACCEPT_RANGES).or_insert(HeaderValue::from_static("bytes"));
        }
        let is_for_all = matches!(&vary, Vary::Fields(names) if names.is_empty());
        Stored {
            status,
            outdated: false,
            was_aged,
            needs_word: kept.directives.no_cache != Reach::Absent,
            initial_age: kept.initial_age,
            lifetime: kept.lifetime,
            received: kept.received,
            lines: Lines::of(&fields),
            body,
            selected: (!is_for_all).then(|| Box::new(Selected { vary, by: selects.into() })),
            coded: None,
        }
    }

    /// The same body under fields that the origin has renewed.
    pub fn renewed(&self, fields: HeaderMap, kept: Kept, vary: Vary, selects: Vec<u8>) -> Stored {
        let new = Stored::new(self.status, fields, self.body.clone(), kept, vary, selects);
        let bodies = self.coded.iter().flatten().map(|one| (one.coding, one.body.clone()));
        new.with_codings(bodies.collect())
    }

    /// With its body in these codings, too.
    pub fn with_codings(mut self, bodies: Vec<(crate::snapshot::Coding, Bytes)>) -> Stored {
        let fields = self.fields();
        let coded: Box<[Coded]> = bodies.into_iter().map(|(coding, body)| Coded::new(coding, body, &fields)).collect();
        self.coded = (!coded.is_empty()).then_some(coded);
        self
    }

    /// The same, out of date.
    pub fn old(&self) -> Stored {
        Stored { outdated: true, ..self.clone() }
    }

    pub fn was_aged(&self) -> bool {
        self.was_aged
    }

    pub fn lines(&self) -> &Lines {
        &self.lines
    }

    pub fn fields(&self) -> HeaderMap {
        self.lines.to_map()
    }

    /// What tells its age and lifetime.
    pub fn kept(&self) -> Kept {
        let directives = Directives::read(&self.fields());
        Kept { initial_age: self.initial_age, received: self.received, lifetime: self.lifetime, directives }
    }

    /// See [`Kept::age`].
    pub fn age(&self, now: u64) -> u32 {
        freshness::age(self.initial_age, self.received, now)
    }

    /// See [`Kept::left`].
    pub fn left(&self, now: u64) -> i64 {
        i64::from(self.lifetime) - i64::from(self.age(now))
    }

    pub fn received(&self) -> u64 {
        self.received
    }

    /// True where it may go to any client that asks nothing special of a cache, with all its fields.
    pub fn is_ready(&self, now: u64) -> bool {
        !self.outdated && !self.needs_word && self.left(now) > 0
    }

    /// True where the origin has to be asked each time, or for some of the fields.
    pub fn needs_word(&self) -> bool {
        self.needs_word
    }

    /// True where `request` selects it.
    pub fn is_for(&self, request: &HeaderMap) -> bool {
        let Some(selected) = &self.selected else { return true };
        let mut lines = request.get_all(header::ACCEPT_ENCODING).iter().map(HeaderValue::as_bytes);
        let (line, has_more) = (lines.next(), lines.next().is_some());
        // The usual case costs no allocation.
        if let Some(told) = self.is_for_codings(line).filter(|_| !has_more) {
            return told;
        }
        selected.vary.key(request).is_some_and(|key| *key == *selected.by)
    }

    /// The same for a request of which nothing is known but its `Accept-Encoding`; `None` where that does not tell.
    pub fn is_for_codings(&self, line: Option<&[u8]>) -> Option<bool> {
        let Some(selected) = &self.selected else { return Some(true) };
        match &selected.vary {
            Vary::Fields(names) if *names == [header::ACCEPT_ENCODING] => super::vary::is_same(&selected.by, line),
            _ => None,
        }
    }

    /// What the request has in the fields by which this one is selected.
    pub fn key_of(&self, request: &HeaderMap) -> Option<Vec<u8>> {
        self.selected.as_ref().map_or_else(|| Some(Vec::new()), |selected| selected.vary.key(request))
    }

    pub fn selects(&self) -> &[u8] {
        self.selected.as_ref().map_or(&[], |selected| &selected.by)
    }

    /// True where the same requests select both.
    pub fn is_instead_of(&self, other: &Stored) -> bool {
        let vary = |one: &'_ Stored| one.selected.as_ref().map(|selected| (selected.vary.clone(), selected.by.clone()));
        vary(self) == vary(other)
    }

    /// What it takes in memory, beside what holds it.
    pub fn bytes(&self) -> usize {
        let selected = |one: &Selected| size_of::<Selected>() + one.vary.bytes() + one.by.len();
        let selected = self.selected.as_deref().map_or(0, selected);
        let coded: usize = self.coded.iter().flatten().map(Coded::bytes).sum();
        size_of::<Stored>() + self.lines.as_bytes().len() + self.body.len() + selected + coded
    }
}
