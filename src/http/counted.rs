//! Responses and bytes of the package by coding, for the metrics.

use super::answer::{Answer, What};
use crate::record::Metrics;
use crate::record::metrics::Sent;
use crate::snapshot::{CODINGS, Coding, DICTIONARY_CODINGS};

/// Counters by coding, in the order of `Coding`; the last one is of 304s.
#[derive(Debug, Default)]
pub struct Counted([Sent; CODINGS.len() + DICTIONARY_CODINGS.len() + 1]);

impl Counted {
    pub fn new(metrics: &Metrics) -> Counted {
        let names = CODINGS.into_iter().chain(DICTIONARY_CODINGS).map(Coding::name).chain(["none"]);
        let mut counted = Counted::default();
        counted.0.iter_mut().zip(names).for_each(|(sent, name)| *sent = metrics.sent(name));
        counted
    }

    /// Counts an answer that goes out, with its body or without.
    pub fn count(&self, answer: &Answer, has_body: bool) {
        let (place, len) = match &answer.what {
            What::Whole(_, chosen) => (chosen.coding as usize, chosen.body.len()),
            What::Part(_, chosen, part) => (chosen.coding as usize, part.len()),
            What::NotModified(..) => (self.0.len() - 1, 0),
            _ => return,
        };
        if let Some(sent) = self.0.get(place) {
            sent.responses.inc();
            sent.bytes.inc_by(if has_body { len as u64 } else { 0 });
        }
    }
}
