//! Stored responses in memory, by primary key and, within one, by what `Vary` selects (RFC 9111, 4.1).
//!
//! moka holds them: bounded by real bytes, what is asked for often stays. A crowd of keys that are asked for once does not
//! drive out what everybody reads.

mod known;
mod refusals;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use http::HeaderMap;
use moka::ops::compute::Op;
use moka::sync::Cache;

use self::known::{Known, Rest};
pub use self::refusals::{Against, Refusal, Refused};
use super::key::{self, Key};
use super::partial::Partial;
use super::purge::Purge;
use super::recent::Recent;
pub use super::stored::Stored;
use super::voice::Voice;
use super::written::Written;

/// What moka and the allocator need besides the bytes, for each key: measured with keys of 60 bytes (`benches/README.md`).
const OVERHEAD_BYTES: usize = 400;

/// Purges so far, and writes to what shares a key's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Era {
    purges: u64,
    written: u64,
}

/// See above.
pub struct Store {
    held: Cache<Key, Known>,
    recent: Recent,
    written: Written,
    /// Purges so far: what was asked for before one must not be stored as new after it.
    purges: AtomicU64,
}

impl Store {
    pub fn new(memory_bytes: u64) -> Store {
        let weigh =
            |key: &Key, known: &Known| u32::try_from(OVERHEAD_BYTES + key.len() + known.bytes()).unwrap_or(u32::MAX);
        let held = Cache::builder().max_capacity(memory_bytes).weigher(weigh).build();
        Store { held, recent: Recent::new(), written: Written::new(), purges: AtomicU64::new(0) }
    }

    fn known(&self, key: &str) -> Option<Known> {
        self.held.get(key).filter(|known| known.since == self.written.since(key))
    }

    /// What the request selects, and whether the key is known at all.
    pub fn find(&self, key: &str, request: &HeaderMap) -> (Option<Arc<Stored>>, bool) {
        let Some(known) = self.known(key) else { return (None, false) };
        (known.variants().find(|one| one.is_for(request)).cloned(), known.newest.is_some())
    }

    /// The newest response of a key, where there is no other: without regard to whom it is for. What is let go of for want of
    /// room may be found until the next second.
    pub fn only(&self, key: &str, now: u64) -> Option<Arc<Stored>> {
        self.recent.find(key, now, || {
            let known = self.known(key)?;
            if known.rest.as_ref().is_some_and(|rest| !rest.older.is_empty()) { None } else { known.newest }
        })
    }

    /// What the newest response says of who shares its answer: requests that differ in it must not wait for each other.
    pub fn selecting(&self, key: &Key, request: &HeaderMap) -> Vec<u8> {
        let newest = self.known(key).and_then(|known| known.newest);
        newest.and_then(|one| one.key_of(request)).unwrap_or_default()
    }

    /// Nothing is known of a key but that nobody waits for another's answer.
    pub fn is_alone_and_no_more(&self, key: &str, now: u64) -> bool {
        let Some(Known { newest: None, rest: Some(rest), .. }) = self.known(key) else { return false };
        let is_free = rest.older.is_empty() && rest.part.is_none() && rest.failed.is_none_or(|(_, until)| until <= now);
        is_free && rest.alone_until > now
    }

    /// How many purges there have been: noted before an origin is asked, and given to [`Store::put`].
    pub fn purges(&self) -> u64 {
        self.purges.load(SeqCst)
    }

    /// In the place of the one that the same requests select. Out of date at once where a purge came between.
    pub fn put(&self, key: &Key, mut stored: Arc<Stored>, purges: u64) {
        self.change(key, |known| {
            if self.purges() != purges {
                outdate(&mut stored);
            }
            known.put(stored.clone());
        });
    }

    /// `new` in the place of `old`, unless that is gone meanwhile: the same answer, worked over.
    pub fn replace(&self, key: &Key, old: &Arc<Stored>, new: Arc<Stored>) {
        self.change(key, |known| {
            if let Some(one) = known.variants_mut().find(|one| Arc::ptr_eq(one, old)) {
                *one = new;
            }
        });
    }

    /// What there is of a response that the request selects and whose body broke off.
    pub fn part(&self, key: &Key, request: &HeaderMap) -> Option<Arc<Partial>> {
        self.known(key)?.rest.as_ref()?.part.clone().filter(|part| part.stored.is_for(request))
    }

    /// In the place of any other; not where a purge came between.
    pub fn keep_part(&self, key: &Key, part: Partial, purges: u64) {
        self.change(key, |known| {
            if self.purges() == purges {
                known.rest().part = Some(Arc::new(part));
            }
        });
    }

    /// Noted before something is sent that was found earlier, see [`Store::still`].
    pub fn era(&self, key: &str) -> Era {
        Era { purges: self.purges(), written: self.written.since(key) }
    }

    /// What may be sent in the place of what the request selected in that era; `None` where that was purged or written to since.
    /// It may have been let go of for want of room.
    pub fn still(&self, key: &str, request: &HeaderMap, then: &Arc<Stored>, era: Era) -> Option<Arc<Stored>> {
        let now = self.find(key, request).0;
        let is_of_then = || self.era(key) == era && !then.outdated;
        now.map_or_else(|| is_of_then().then(|| then.clone()), |now| (!now.outdated).then_some(now))
    }

    fn rest_of(&self, key: &Key, says: impl Fn(&Rest) -> bool) -> bool {
        self.known(key).is_some_and(|known| known.rest.as_ref().is_some_and(|rest| says(rest)))
    }

    /// It is another's by now.
    pub fn forget_part(&self, key: &Key) {
        if self.rest_of(key, |rest| rest.part.is_some()) {
            self.change(key, |known| known.rest().part = None);
        }
    }

    /// What a request that went to the origin as it is has told of the stored response that it selects.
    pub fn told(&self, key: &Key, request: &HeaderMap, change: impl FnOnce(&Stored) -> Stored) {
        self.change(key, |known| {
            if let Some(one) = known.variants_mut().find(|one| one.is_for(request)) {
                *one = Arc::new(change(one));
            }
        });
    }

    /// Notes what a leader was refused. True where all are refused the same until then: so many in a row were, or `is_all`.
    pub fn refuse(&self, key: &Key, one: Refused, is_all: bool) -> bool {
        let mut is_told_all = false;
        self.change(key, |known| is_told_all = known.rest().refuse(one, is_all));
        is_told_all
    }

    /// What is held against everybody's request, and against those of this voice.
    pub fn against(&self, key: &str, voice: Option<Voice>, now: u64) -> Against {
        let Some(rest) = self.known(key).and_then(|known| known.rest) else { return Against::default() };
        let mut against = Against {
            is_alone: rest.alone_until > now,
            is_spared: rest.spared_until > now,
            failed: rest.failed.filter(|(_, until)| *until > now).map(|(failure, _)| failure),
        };
        if let Some(refusal) = voice.and_then(|voice| rest.refusals.of(voice, now)) {
            against.add(refusal);
        }
        against
    }

    /// What is stored under the address, whatever else its keys have, counts no longer without the origin's word (RFC 9111,
    /// 4.4). `has_more`: its route's keys are more than addresses and how they were asked for; what they hold is forgotten before anybody finds it again.
    pub fn outdate(&self, address: &str, has_more: bool) {
        for key in [address.into(), [address, key::IN_CLEAR].concat().into()] {
            if self.held.contains_key(&key) {
                self.change(&key, |known| {
                    known.forget_part(|_| true);
                    known.variants_mut().for_each(outdate);
                });
            }
            // What is held no longer may still be somebody's, and found by that.
            self.recent.changed(&key);
        }
        if has_more {
            self.written.note(address);
            self.recent.all_changed();
        }
    }

    fn change(&self, key: &Key, change: impl FnOnce(&mut Known)) {
        self.held.entry(key.clone()).and_compute_with(|entry| {
            let (is_held, since) = (entry.is_some(), self.written.since(key));
            let known = entry.map(|entry| entry.into_value()).filter(|known| known.since == since);
            let mut known = known.unwrap_or(Known { since, ..Known::default() });
            change(&mut known);
            match known.is_empty() {
                false => Op::Put(known),
                true if is_held => Op::Remove,
                true => Op::Nop,
            }
        });
        self.recent.changed(key);
    }

    /// Forgets what is meant, or has it validated; how many keys had any of it. Nothing of it is found afterwards, and what is
    /// on its way from an origin is not taken for newer.
    pub fn purge(&self, purge: &Purge) -> usize {
        self.purges.fetch_add(1, SeqCst);
        let mut count = 0;
        for (key, known) in &self.held {
            let by_address = purge.which.has(key::address(&key));
            let is_meant = |one: &Stored| by_address.unwrap_or_else(|| purge.which.tags(&one.fields()));
            let part = known.rest.as_ref().and_then(|rest| rest.part.as_ref());
            let is_part_meant = part.is_some_and(|part| is_meant(&part.stored));
            if known.since != self.written.since(&key) {
                continue;
            }
            if !is_part_meant && !known.variants().any(|one| is_meant(one)) {
                continue;
            }
            count += 1;
            self.change(&key, |known| {
                // What is not whole is not worth to be validated.
                known.forget_part(is_meant);
                match purge.soft {
                    true => known.variants_mut().filter(|one| is_meant(one)).for_each(outdate),
                    false => known.keep(|one| !is_meant(one)),
                }
            });
        }
        // Nobody knows which keys are held no longer, but still found by what somebody has of them.
        self.recent.all_changed();
        count
    }

    /// Keys and bytes; what is to be evicted is evicted first.
    pub fn held(&self) -> (u64, u64) {
        self.held.run_pending_tasks();
        (self.held.entry_count(), self.held.weighted_size())
    }
}

fn outdate(one: &mut Arc<Stored>) {
    Arc::make_mut(one).outdated = true;
}
