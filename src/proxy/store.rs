//! Stored responses in memory, by primary key and, within one, by what `Vary` selects (RFC 9111, 4.1).
//!
//! moka holds them: bounded by real bytes, what is asked for often stays. A crowd of keys that are asked for once does not
//! drive out what everybody reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use http::HeaderMap;
use moka::ops::compute::Op;
use moka::sync::Cache;

use super::failure::Failure;
use super::key::{self, Key};
use super::partial::Partial;
use super::purge::Purge;
use super::recent::Recent;
pub use super::stored::Stored;
use super::written::Written;

/// Responses of one key. More are of an origin that varies by what differs with every reader: the oldest go.
const VARIANTS_MAX: usize = 16;
/// What moka and the allocator need besides the bytes, for each key: measured with keys of 60 bytes (`benches/README.md`).
const OVERHEAD_BYTES: usize = 400;

/// What is known of a key.
#[derive(Debug, Clone, Default)]
struct Known {
    newest: Option<Arc<Stored>>,
    /// See [`Written::since`].
    since: u64,
    /// Few keys have any of it.
    rest: Option<Arc<Rest>>,
}

#[derive(Debug, Clone, Default)]
struct Rest {
    /// Newest first.
    older: Vec<Arc<Stored>>,
    /// Until then (seconds since 1970) its answers are taken for ones that nobody can share: nobody waits for another's.
    alone_until: u64,
    /// Until then the origin, which has failed, is not asked again where something stale may be sent.
    spared_until: u64,
    /// And until then nobody is let through to an origin that has just failed, who has nothing stored either.
    failed: Option<(Failure, u64)>,
    /// The newest response, where its body broke off.
    part: Option<Arc<Partial>>,
}

impl Rest {
    fn is_empty(&self) -> bool {
        let Rest { older, alone_until, spared_until, failed, part } = self;
        older.is_empty() && (*alone_until, *spared_until) == (0, 0) && failed.is_none() && part.is_none()
    }
}

impl Known {
    /// Newest first.
    fn variants(&self) -> impl Iterator<Item = &Arc<Stored>> {
        self.newest.iter().chain(self.rest.iter().flat_map(|rest| &rest.older))
    }

    fn variants_mut(&mut self) -> impl Iterator<Item = &mut Arc<Stored>> {
        self.newest.iter_mut().chain(self.rest.iter_mut().flat_map(|rest| &mut Arc::make_mut(rest).older))
    }

    fn rest(&mut self) -> &mut Rest {
        Arc::make_mut(self.rest.get_or_insert_default())
    }

    /// Leaves these of the variants.
    fn keep(&mut self, is_kept: impl Fn(&Stored) -> bool) {
        let mut left = self.variants().filter(|one| is_kept(one)).cloned().collect::<Vec<_>>().into_iter();
        self.newest = left.next();
        if let Some(rest) = &mut self.rest {
            Arc::make_mut(rest).older = left.collect();
        }
    }

    /// In the place of the one that the same requests select; whatever was held against the key is over.
    fn put(&mut self, stored: Arc<Stored>) {
        self.keep(|one| !one.is_instead_of(&stored));
        let older: Vec<Arc<Stored>> = self.variants().take(VARIANTS_MAX - 1).cloned().collect();
        self.rest = (!older.is_empty()).then(|| Arc::new(Rest { older, ..Rest::default() }));
        self.newest = Some(stored);
    }

    fn forget_part(&mut self, is_meant: impl Fn(&Stored) -> bool) {
        if let Some(rest) = self.rest.as_mut().map(Arc::make_mut) {
            rest.part = rest.part.take().filter(|part| !is_meant(&part.stored));
        }
    }

    fn is_empty(&self) -> bool {
        self.newest.is_none() && self.rest.as_ref().is_none_or(|rest| rest.is_empty())
    }

    fn bytes(&self) -> usize {
        let part = |rest: &Rest| rest.part.as_ref().map_or(0, |part| part.stored.bytes());
        let rest = self.rest.as_ref().map_or(0, |rest| size_of::<Rest>() + part(rest));
        self.variants().map(|one| one.bytes()).sum::<usize>() + rest
    }
}

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

    pub fn is_alone(&self, key: &Key, now: u64) -> bool {
        self.rest_of(key, |rest| rest.alone_until > now)
    }

    /// Nothing is known of a key but that, as of [`Store::is_alone`].
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

    /// Nobody waits for another's answer until then.
    pub fn leave_alone(&self, key: &Key, until: u64) {
        self.change(key, |known| known.rest().alone_until = until);
    }

    /// The origin is not asked until then where something stale may be sent.
    pub fn spare(&self, key: &Key, until: u64) {
        self.change(key, |known| known.rest().spared_until = until);
    }

    pub fn is_spared(&self, key: &Key, now: u64) -> bool {
        self.rest_of(key, |rest| rest.spared_until > now)
    }

    /// Who asks until then is told the same.
    pub fn fail(&self, key: &Key, failure: Failure, until: u64) {
        self.change(key, |known| known.rest().failed = Some((failure, until)));
    }

    pub fn failed(&self, key: &Key, now: u64) -> Option<Failure> {
        let (failure, until) = self.known(key)?.rest.as_ref()?.failed?;
        (until > now).then_some(failure)
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::StatusCode;

    use super::super::freshness::Kept;
    use super::super::purge::Which;
    use super::super::vary::Vary;
    use super::*;

    fn head(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect()
    }

    fn stored(fields: &[(&'static str, &'static str)], asked: &HeaderMap, body: &'static str) -> Arc<Stored> {
        let fields = head(fields);
        let vary = Vary::read(&fields);
        let selects = vary.key(asked).unwrap();
        let kept = Kept::of(StatusCode::OK, &fields, 0, 0, None);
        Arc::new(Stored::new(StatusCode::OK, fields, body.into(), kept, vary, selects))
    }

    fn body(found: (Option<Arc<Stored>>, bool)) -> Option<Bytes> {
        found.0.map(|one| one.body.clone())
    }

    #[test]
    fn vary_selects_among_several() {
        let (store, key) = (Store::new(1 << 20), Key::from("http://a/"));
        let (es, en, none) = (head(&[("a", "es")]), head(&[("a", "en")]), head(&[]));
        assert!(!store.find(&key, &none).1);
        store.put(&key, stored(&[("vary", "a")], &es, "hola"), 0);
        store.put(&key, stored(&[("vary", "a")], &en, "hello"), 0);
        assert_eq!(body(store.find(&key, &es)), Some("hola".into()));
        assert_eq!(body(store.find(&key, &en)), Some("hello".into()));
        let (found, is_known) = store.find(&key, &none);
        assert!(found.is_none() && is_known);
        store.put(&key, stored(&[("vary", "a")], &es, "buenas"), 0);
        assert_eq!(body(store.find(&key, &es)), Some("buenas".into()));
        // The newest that is selected counts, whatever an older one varies by (RFC 9111, 4.1).
        store.put(&key, stored(&[], &none, "all"), 0);
        assert_eq!(body(store.find(&key, &es)), Some("all".into()));
    }

    #[test]
    fn an_attack_of_keys_and_variants_stays_within_the_memory() {
        let store = Store::new(1 << 20);
        for n in 0..20_000 {
            store.put(&format!("http://a/{n}").into(), stored(&[], &head(&[]), "x"), 0);
        }
        let key = Key::from("http://a/v");
        for n in 0..2_000 {
            let mut asked = HeaderMap::new();
            asked.insert("a", n.into());
            store.put(&key, stored(&[("vary", "a")], &asked, "x"), 0);
        }
        let (keys, bytes) = store.held();
        assert!(bytes <= 1 << 20, "{bytes}");
        assert!(keys > 100, "{keys}");
    }

    #[test]
    fn what_is_written_to_is_asked_for_again() {
        let store = Store::new(1 << 20);
        let (plain, by_corte) = (Key::from("http://a/b"), Key::from("http://a/b\ncorte c"));
        let other = Key::from("http://a/bc");
        for key in [&plain, &by_corte, &other] {
            store.put(key, stored(&[], &head(&[]), "x"), 0);
        }
        store.outdate("http://a/b", true);
        assert!(store.find(&plain, &head(&[])).0.unwrap().outdated);
        assert!(store.find(&by_corte, &head(&[])).0.is_none());
        assert!(!store.find(&other, &head(&[])).0.unwrap().outdated);
    }

    #[test]
    fn a_purge_reaches_what_is_on_its_way_too() {
        let store = Store::new(1 << 20);
        let (a, b) = (Key::from("http://a/b/1"), Key::from("http://a/c"));
        for key in [&a, &b] {
            store.put(key, stored(&[("cache-tag", "t")], &head(&[]), "x"), 0);
        }
        let before = store.purges();
        let purge = |which, soft| store.purge(&Purge { which, soft });
        assert_eq!(purge(Which::Prefix("/b/".into()), false), 1);
        assert!(store.find(&a, &head(&[])).0.is_none() && !store.find(&b, &head(&[])).0.unwrap().outdated);
        assert_eq!(purge(Which::Tag("t".into()), true), 1);
        assert!(store.find(&b, &head(&[])).0.unwrap().outdated);
        assert_eq!(purge(Which::Tag("u".into()), false), 0);
        store.put(&a, stored(&[], &head(&[]), "x"), before);
        assert!(store.find(&a, &head(&[])).0.unwrap().outdated, "asked for before the purge");
        store.put(&a, stored(&[], &head(&[]), "x"), store.purges());
        assert!(!store.find(&a, &head(&[])).0.unwrap().outdated);
    }

    #[test]
    fn what_was_seen_in_this_second_is_purged_and_outdated_too() {
        let (store, key) = (Store::new(1 << 20), Key::from("http://a/b"));
        let purge = |soft| store.purge(&Purge { which: Which::Prefix("/b".into()), soft });
        let see = || {
            store.put(&key, stored(&[], &head(&[]), "x"), store.purges());
            store.only(&key, 7).unwrap()
        };
        let _reader = see();
        assert_eq!(purge(false), 1);
        assert!(store.only(&key, 7).is_none());
        let _reader = see();
        assert_eq!(purge(true), 1);
        assert!(store.only(&key, 7).unwrap().outdated);
        // Let go of for want of room, while somebody reads it.
        let nothing_held = |soft| assert_eq!(purge(soft), 0);
        let change: [&dyn Fn(); 3] =
            [&|| nothing_held(false), &|| nothing_held(true), &|| store.outdate("http://a/b", false)];
        for change in change {
            let reader = see();
            store.held.invalidate(&key);
            assert!(Arc::ptr_eq(&store.only(&key, 7).unwrap(), &reader));
            change();
            assert!(store.only(&key, 7).is_none());
        }
    }

    #[test]
    fn a_part_counts_and_goes_like_all_else() {
        let (store, key) = (Store::new(1 << 20), Key::from("http://a/b"));
        let asked = head(&[("a", "es")]);
        let fields = [("etag", "\"a\""), ("vary", "a"), ("cache-tag", "t")];
        let keep = || {
            let mut one = Stored::clone(&stored(&fields, &asked, ""));
            one.body = vec![0; 1 << 10].into();
            store.keep_part(&key, Partial::of(one, Some(1 << 11)).unwrap(), 0);
            store.part(&key, &asked).is_some()
        };
        assert!(keep() && store.part(&key, &head(&[])).is_none());
        assert!(store.find(&key, &asked).0.is_none(), "it is no whole one");
        assert!(store.held().1 > 1 << 10, "{:?}", store.held());
        store.outdate("http://a/b", false);
        assert!(store.part(&key, &asked).is_none() && keep());
        store.put(&key, stored(&[], &asked, "x"), 0);
        assert!(store.part(&key, &asked).is_none(), "there is a newer one");
        assert!(keep());
        assert_eq!(store.purge(&Purge { which: Which::Tag("t".into()), soft: true }), 1);
        assert!(store.part(&key, &asked).is_none() && !keep(), "asked for before the purge");
        assert!(!store.find(&key, &asked).0.unwrap().outdated, "another's tag");
    }

    #[test]
    fn what_cannot_be_shared_is_remembered_for_a_while() {
        let (store, key) = (Store::new(1 << 20), Key::from("http://a/"));
        store.leave_alone(&key, 100);
        assert!(store.is_alone(&key, 99) && !store.is_alone(&key, 100));
        store.put(&key, stored(&[], &head(&[]), "x"), 0);
        assert!(!store.is_alone(&key, 99));
    }

    #[test]
    fn what_is_gone_leaves_nothing_behind() {
        let (store, key) = (Store::new(1 << 20), Key::from("http://a/"));
        let one = stored(&[], &head(&[]), "x");
        store.put(&key, one.clone(), 0);
        assert_eq!(store.held().0, 1);
        store.purge(&Purge { which: Which::Everything, soft: false });
        assert_eq!(store.held(), (0, 0));
        // Whoever comes with news of it comes too late.
        store.replace(&key, &one, one.clone());
        store.told(&key, &head(&[]), Stored::old);
        assert_eq!(store.held(), (0, 0));
    }

    #[test]
    fn what_a_response_varies_by_counts_too() {
        let names: Vec<String> = (0..30).map(|n| format!("{n}{}", "x".repeat(500))).collect();
        let with = |fields: &HeaderMap| {
            let vary = Vary::read(fields);
            let selects = vary.key(&HeaderMap::new()).unwrap();
            let kept = Kept::of(StatusCode::OK, fields, 0, 0, None);
            Stored::new(StatusCode::OK, fields.clone(), Bytes::new(), kept, vary, selects)
        };
        let mut fields = HeaderMap::new();
        let alone = with(&fields).bytes();
        fields.insert("vary", names.join(",").parse().unwrap());
        // Its line, its names, and what the request has in them.
        let least = 3 * names.iter().map(String::len).sum::<usize>();
        assert!(with(&fields).bytes() >= alone + least);
    }

    #[test]
    fn a_write_reaches_all_keys_of_its_address() {
        let (store, none) = (Store::new(1 << 20), head(&[]));
        let keys = ["http://a/b", "http://a/b\ncorte 1", "http://a/b\nx:1\ncorte 2"].map(Key::from);
        for key in &keys {
            store.put(key, stored(&[], &none, "viejo"), 0);
        }
        store.leave_alone(&keys[1], 100);
        store.outdate("http://a/b", true);
        assert!(store.find(&keys[0], &none).0.unwrap().outdated);
        for key in &keys[1..] {
            assert!(!store.find(key, &none).1 && store.only(key, 1).is_none() && !store.is_alone(key, 1));
            store.told(key, &none, |one| panic!("{one:?} is gone"));
            store.put(key, stored(&[], &none, "nuevo"), 0);
            assert_eq!(body(store.find(key, &none)), Some("nuevo".into()));
        }
        store.outdate("http://a/b", false);
        assert!(store.only(&keys[1], 1).is_some(), "its route has no such keys");
    }

    #[test]
    fn what_was_found_is_sent_later_unless_it_was_purged_or_written_to_since() {
        let (store, none) = (Store::new(1 << 20), head(&[]));
        let key: Key = "http://a/x".into();
        let then = stored(&[], &none, "uno");
        store.put(&key, then.clone(), store.purges());
        let era = store.era(&key);
        let sent = || store.still(&key, &none, &then, era).map(|one| one.body.clone());
        assert_eq!(sent(), Some("uno".into()));
        store.put(&key, stored(&[], &none, "dos"), store.purges());
        assert_eq!(sent(), Some("dos".into()), "the newest");
        store.held.invalidate(&key);
        assert_eq!(sent(), Some("uno".into()), "there was no room");
        store.purge(&Purge { which: Which::Everything, soft: false });
        assert_eq!(sent(), None, "purged, though it was held no longer");
        let (era, now) = (store.era(&key), stored(&[], &none, "tres"));
        store.put(&key, now.clone(), store.purges());
        store.outdate("http://a/x", false);
        assert!(store.still(&key, &none, &now, era).is_none(), "written to");
    }
}
