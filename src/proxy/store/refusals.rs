//! What an origin gave leaders of flights in the place of an answer for all, and whose affair that is: the leader's own, and of
//! those who ask just as he does, until others in a row have fared no better.

use super::super::failure::Failure;
use super::super::voice::Voice;

/// Leaders in a row, no two of whom ask alike, to whom nothing comes that others may have: then it is not them. As often as one
/// who waits boards (`BOARDS_MAX`), so that he hears of it.
pub const VOICES: usize = 3;

/// What became of a leader's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// An answer that nobody else may have.
    Alone,
    /// A failure, and something stale that was sent instead.
    Spared,
    /// A failure, and nothing.
    Failed(Failure),
}

/// What one leader was refused.
#[derive(Debug, Clone, Copy)]
pub struct Refused {
    pub voice: Voice,
    pub refusal: Refusal,
    /// Until then (seconds since 1970) who asks so is refused without asking; longer it says something of the origin.
    pub until: u64,
}

/// What is held against a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Against {
    /// Nobody waits for another's answer.
    pub is_alone: bool,
    /// The origin is not asked where something stale may be sent.
    pub is_spared: bool,
    /// Nor where there is nothing.
    pub failed: Option<Failure>,
}

impl Against {
    pub(super) fn add(&mut self, refusal: Refusal) {
        match refusal {
            Refusal::Alone => self.is_alone = true,
            Refusal::Spared => self.is_spared = true,
            Refusal::Failed(failure) => self.failed = Some(failure),
        }
    }
}

/// The last ones in a row, no two of one voice; anything that is stored ends it.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusals(Vec<Refused>);

impl Refusals {
    /// Notes one; what it says of everybody's requests, if anything.
    pub(super) fn note(&mut self, one: Refused) -> Option<Refusal> {
        self.0.retain(|other| other.voice != one.voice);
        self.0.push(one);
        if self.0.len() > VOICES {
            self.0.remove(0);
        }
        // An origin that answers anybody is well.
        let is_well = self.0.iter().any(|one| one.refusal == Refusal::Alone);
        let is_all = self.0.len() == VOICES;
        is_all.then_some(if is_well { Refusal::Alone } else { one.refusal })
    }

    /// What this voice has been refused.
    pub(super) fn of(&self, voice: Voice, now: u64) -> Option<Refusal> {
        self.0.iter().find(|one| one.voice == voice && one.until > now).map(|one| one.refusal)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<Refused>()
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::super::super::route::specimen;
    use super::*;

    fn one(cookie: u32, refusal: Refusal) -> Refused {
        let mut heard = HeaderMap::new();
        heard.insert("cookie", HeaderValue::from(cookie));
        Refused { voice: Voice::of(&heard, &specimen("/")), refusal, until: 10 }
    }

    #[test]
    fn what_several_in_a_row_are_refused_all_are() {
        use Refusal::*;
        let failed = Failed(Failure::Reset);
        for (said, expected) in [
            (&[(1, Alone), (2, Alone)][..], None),
            (&[(1, Alone), (2, Alone), (3, Alone)], Some(Alone)),
            (&[(1, failed), (1, failed), (1, failed), (2, failed)], None),
            (&[(1, failed), (2, failed), (3, failed)], Some(failed)),
            (&[(1, failed), (2, failed), (3, failed), (4, Spared)], Some(Spared)),
            (&[(1, Alone), (2, failed), (3, failed)], Some(Alone)),
            (&[(1, Alone), (2, failed), (3, failed), (4, failed)], Some(failed)),
        ] {
            let mut refusals = Refusals::default();
            let last = said.iter().map(|(cookie, refusal)| refusals.note(one(*cookie, *refusal))).last().unwrap();
            assert_eq!(last, expected, "{said:?}");
            assert!(refusals.0.len() <= VOICES);
        }
    }

    #[test]
    fn one_is_refused_for_a_while() {
        let mut refusals = Refusals::default();
        refusals.note(one(1, Refusal::Alone));
        assert_eq!(refusals.of(one(1, Refusal::Alone).voice, 9), Some(Refusal::Alone));
        assert_eq!(refusals.of(one(1, Refusal::Alone).voice, 10), None);
        assert_eq!(refusals.of(one(2, Refusal::Alone).voice, 9), None);
    }
}
