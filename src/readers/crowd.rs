//! All readers and their caches: who is due, what he asks for, and what comes of the answer. Pure: neither network nor
//! clock, so that a night can be simulated in no time.
//!
//! ```text
//! away ──comes──> page ──> each file ──> poll ──> poll ──┬──> ...
//!   ^                        ^                           │
//!   │                        └───── a new corte ─────────┤
//!   └──────── those who came for a corte only ───────────┘
//! ```
//!
//! Polls are due at fixed times: whoever waits for an answer until his next one is due asks at once, and has waited since
//! then (no coordinated omission).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::bodies::Stored;
use super::curve::{after_corte_us, anywhere_us, micros, pause_us};
use super::keep::{Kept, Lifetime, Mode, SECOND_US, Use, is_dictionary, look};
use super::plan::Plan;
use super::seen::{NO_CORTE, Seen};
use crate::base::rng::Rng;

/// How far requests may come behind `rate_max` and still catch up: we look for who is due once a millisecond.
const BURST_US: u64 = 5_000;

/// By which protocol a reader asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Http11,
    Http2,
}

pub const WAYS: [Way; 2] = [Way::Http11, Way::Http2];

/// A request that somebody has to make.
#[derive(Clone, Debug)]
pub struct Ask {
    pub reader: u32,
    pub resource: u16,
    pub due_us: u64,
    pub knows_dictionaries: bool,
    /// What the reader has of it: its entity tag is sent along.
    pub kept: Option<Arc<Stored>>,
    /// What the reader may name as a dictionary.
    pub dictionary: Option<Arc<Stored>>,
    /// The reader was shown what he had, and waits for nothing.
    is_hidden: bool,
}

impl Ask {
    /// By somebody who is none of the readers and has nothing.
    pub fn of_nobody(resource: u16) -> Ask {
        let (kept, dictionary) = (None, None);
        Ask { reader: u32::MAX, resource, due_us: 0, knows_dictionaries: false, kept, dictionary, is_hidden: true }
    }
}

/// What came of a request.
#[derive(Clone, Debug)]
pub enum Outcome {
    NotModified { lifetime: Lifetime, corte: Option<u16> },
    Whole { lifetime: Lifetime, corte: Option<u16>, stored: Arc<Stored> },
    Failed,
}

/// What there is to do by one protocol.
#[derive(Debug)]
pub enum Next {
    Ask(Ask),
    /// Nobody is due before.
    At(u64),
    /// Nobody will be due, unless an answer or a corte comes.
    Nothing,
}

#[derive(Debug)]
struct Reader {
    way: Way,
    knows_dictionaries: bool,
    is_comer: bool,
    is_here: bool,
    since_us: u64,
    next_poll_us: u64,
    /// The next resource to look at.
    next: u16,
    /// The last corte that was shown to him, and the one that his files were asked for after.
    seen: u16,
    loaded: u16,
    kept: Box<[Option<Kept>]>,
}

/// See the names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Visits {
    pub new: u64,
    pub returning: u64,
    /// Looks that were answered from a reader's own cache, without and with a request behind them.
    pub fresh: u64,
    pub stale: u64,
    /// Requests that waited for `rate_max`.
    pub held_back: u64,
}

/// All of them.
#[derive(Debug)]
pub struct Crowd {
    plan: Plan,
    rng: Rng,
    readers: Vec<Reader>,
    /// By protocol: when, and who.
    due: [BinaryHeap<Reverse<(u64, u32)>>; WAYS.len()],
    pub seen: Seen,
    pub visits: Visits,
    /// When the next request may be made, where there is a limit.
    slot_us: u64,
}

impl Crowd {
    /// Nobody is here yet: those who stay come within the first poll's time, the others as for a corte.
    pub fn new(plan: Plan) -> Crowd {
        let mut rng = Rng::stream(plan.seed, 1);
        let resources = plan.resources().count();
        let mut due = [BinaryHeap::new(), BinaryHeap::new()];
        let mut readers = Vec::new();
        for n in 0..plan.readers {
            let is_comer = rng.chance(plan.comers);
            let way = if rng.chance(plan.http2) { Way::Http2 } else { Way::Http11 };
            let knows_dictionaries = rng.chance(plan.dictionaries);
            let comes_us =
                if is_comer { after_corte_us(plan.rush, rng.unit()) } else { anywhere_us(plan.poll, &mut rng) };
            due[way as usize].push(Reverse((comes_us, n)));
            readers.push(Reader {
                way,
                knows_dictionaries,
                is_comer,
                is_here: false,
                since_us: 0,
                next_poll_us: 0,
                next: Plan::PAGE,
                seen: NO_CORTE,
                loaded: NO_CORTE,
                kept: vec![None; resources].into(),
            });
        }
        let (seen, visits) = (Seen::default(), Visits::default());
        Crowd { plan, rng, readers, due, seen, visits, slot_us: 0 }
    }

    /// How many readers ask by this protocol.
    pub fn count(&self, way: Way) -> usize {
        self.readers.iter().filter(|reader| reader.way == way).count()
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The corte's place in the order in which they were first seen; who learns of it comes for it. `since_us`: when the
    /// one before was still live.
    pub fn corte(&mut self, name: &[u8], since_us: u64) -> Option<u16> {
        let (place, is_new) = self.seen.place(name, since_us)?;
        if is_new && place > 0 {
            self.call(since_us);
        }
        Some(place)
    }

    /// Those who come for a corte come.
    fn call(&mut self, since_us: u64) {
        for (n, reader) in (0u32..).zip(&mut self.readers) {
            if reader.is_comer && !reader.is_here && reader.since_us > 0 {
                let at = since_us + after_corte_us(self.plan.rush, self.rng.unit());
                reader.since_us = 0;
                self.due[reader.way as usize].push(Reverse((at, n)));
            }
        }
    }

    /// What is due by this protocol.
    pub fn next(&mut self, way: Way, now_us: u64) -> Next {
        loop {
            let at = match self.due[way as usize].peek() {
                None => return Next::Nothing,
                Some(Reverse((at, _))) => *at,
            };
            let at_least = self.plan.rate_max.map_or(at, |_| at.max(self.slot_us));
            if at_least > now_us {
                return Next::At(at_least);
            }
            let Some(Reverse((_, n))) = self.due[way as usize].pop() else { return Next::Nothing };
            // Else it was shown from the reader's own cache.
            if let Some(ask) = self.look(n, at, now_us) {
                return Next::Ask(self.paced(ask, now_us));
            }
        }
    }

    /// Takes the next slot of `rate_max`. Who waits for our own limit does not wait for the server.
    fn paced(&mut self, mut ask: Ask, now_us: u64) -> Ask {
        if let Some(rate) = self.plan.rate_max {
            self.visits.held_back += u64::from(self.slot_us > ask.due_us);
            ask.due_us = ask.due_us.max(self.slot_us);
            let from = self.slot_us.max(now_us.saturating_sub(BURST_US));
            self.slot_us = from + SECOND_US / u64::from(rate.max(1));
        }
        ask
    }

    /// One reader looks at his next resource; a request, unless what he has is fresh.
    fn look(&mut self, n: u32, due_us: u64, now_us: u64) -> Option<Ask> {
        if !self.readers.get(n as usize)?.is_here {
            self.arrive(n, due_us);
        }
        let reader = self.readers.get_mut(n as usize)?;
        let resource = reader.next;
        let kept = reader.kept.get(usize::from(resource))?.as_ref();
        let mode = if resource == Plan::PAGE { Mode::Default } else { self.plan.mode };
        let used = look(kept, mode, now_us);
        let ask = Ask {
            reader: n,
            resource,
            due_us,
            knows_dictionaries: reader.knows_dictionaries,
            kept: kept.filter(|kept| kept.stored.etag.is_some()).map(|kept| kept.stored.clone()),
            dictionary: kept
                .filter(|kept| reader.knows_dictionaries && is_dictionary(kept, now_us))
                .map(|kept| kept.stored.clone()),
            is_hidden: used == Use::Stale,
        };
        let shown = kept.map(|kept| kept.corte);
        match used {
            Use::Fresh => self.visits.fresh += 1,
            Use::Stale => self.visits.stale += 1,
            Use::Ask => return Some(ask),
        }
        self.show(n, shown, now_us);
        if used == Use::Stale {
            return Some(ask);
        }
        self.go_on(n, now_us);
        None
    }

    fn arrive(&mut self, n: u32, now_us: u64) {
        let is_back = self.rng.chance(self.plan.returning);
        let Some(reader) = self.readers.get_mut(n as usize) else { return };
        let was_here = reader.kept.iter().any(Option::is_some);
        if was_here && is_back {
            self.visits.returning += 1;
        } else {
            self.visits.new += 1;
            reader.kept.fill(None);
        }
        (reader.is_here, reader.since_us, reader.next) = (true, now_us.max(1), Plan::PAGE);
        (reader.seen, reader.loaded) = (NO_CORTE, NO_CORTE);
        reader.next_poll_us = now_us + micros(self.plan.poll);
    }

    /// What came of an ask.
    pub fn answered(&mut self, ask: &Ask, outcome: Outcome, now_us: u64) {
        let Some(reader) = self.readers.get_mut(ask.reader as usize) else { return };
        let Some(place) = reader.kept.get_mut(usize::from(ask.resource)) else { return };
        let shown = match outcome {
            Outcome::NotModified { lifetime, corte } => {
                if let Some(kept) = place {
                    (kept.at_us, kept.lifetime) = (now_us, lifetime);
                    kept.corte = corte.unwrap_or(kept.corte);
                }
                corte.or(place.as_ref().map(|kept| kept.corte))
            }
            Outcome::Whole { lifetime, corte, stored } => {
                let kept = Kept { at_us: now_us, lifetime, corte: corte.unwrap_or(NO_CORTE), stored };
                *place = (!lifetime.no_store).then_some(kept);
                corte
            }
            Outcome::Failed => None,
        };
        if !ask.is_hidden {
            self.show(ask.reader, shown, now_us);
        }
        self.go_on(ask.reader, now_us);
    }

    /// A reader has seen something of this corte.
    fn show(&mut self, n: u32, corte: Option<u16>, now_us: u64) {
        let (Some(corte), Some(reader)) = (corte, self.readers.get_mut(n as usize)) else { return };
        if corte != NO_CORTE && (reader.seen == NO_CORTE || corte > reader.seen) {
            self.seen.shown(corte, reader.seen, reader.since_us, now_us);
            reader.seen = corte;
        }
    }

    /// What this reader does next, and when.
    fn go_on(&mut self, n: u32, now_us: u64) {
        let last = Plan::FIRST + u16::try_from(self.plan.paths.len()).unwrap_or(0);
        let Some(reader) = self.readers.get_mut(n as usize) else { return };
        let done = reader.next;
        reader.next = match done {
            Plan::PAGE if last > Plan::FIRST => Plan::FIRST,
            Plan::POLL if reader.seen != reader.loaded && last > Plan::FIRST => Plan::FIRST,
            Plan::PAGE | Plan::POLL => Plan::POLL,
            file if file + 1 < last => file + 1,
            _ => Plan::POLL,
        };
        if done == Plan::POLL {
            reader.next_poll_us += micros(self.plan.poll);
        }
        let at = if reader.next == Plan::POLL {
            reader.next_poll_us
        } else {
            now_us + pause_us(self.plan.think, &mut self.rng)
        };
        if reader.next != Plan::POLL {
            reader.loaded = reader.seen;
        }
        if reader.is_comer && at.max(now_us) >= reader.since_us + micros(self.plan.stay) {
            reader.is_here = false;
            return;
        }
        self.due[reader.way as usize].push(Reverse((at, n)));
    }

    /// Readers who have not yet been shown the last corte, and were there before it: how many, and since when.
    pub fn waiting(&self) -> (usize, u64) {
        let Some((last, since_us)) = self.seen.last() else { return (0, 0) };
        let is_waiting = |reader: &&Reader| {
            reader.is_here && reader.since_us < since_us && (reader.seen == NO_CORTE || reader.seen < last)
        };
        (self.readers.iter().filter(is_waiting).count(), since_us)
    }
}
