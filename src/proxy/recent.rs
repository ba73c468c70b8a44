//! What a core has found in the store within this second, so that what everybody asks for is not looked up anew for each. Whatever
//! changes a key is seen at once: its place in a table of changes counts on. A core holds no response up that the store
//! has let go of, and asks the store once a second all the same, so that it knows what is asked for.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use super::stored::Stored;

/// Places of a core, of which each key has one; another key that has the same comes in its stead. A power of two.
const PLACES: usize = 1 << 10;
/// Keys that are longer are looked up each time: with the places it bounds what a core keeps, at 512 KiB with what stands around them.
const KEY_MOST_BYTES: usize = 256;
/// Places for changes: 2 KiB, of which a flood of changes misses most.
const CHANGES: usize = 1 << 8;

/// See above. One a store.
pub struct Recent {
    /// By which it is told from others on the same thread.
    number: u64,
    changes: Box<[AtomicU64]>,
    /// Of keys that nobody can name.
    of_all: AtomicU64,
}

struct Seen {
    store: u64,
    changes: u64,
    second: u64,
    key: Box<str>,
    stored: Weak<Stored>,
}

thread_local!(static SEEN: RefCell<Vec<Option<Seen>>> = const { RefCell::new(Vec::new()) });

impl Recent {
    pub fn new() -> Recent {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let changes = (0..CHANGES).map(|_| AtomicU64::new(0)).collect();
        Recent { number: NUMBERS.fetch_add(1, Ordering::Relaxed), changes, of_all: AtomicU64::new(0) }
    }

    /// A key has changed, and whoever looks it up finds that.
    pub fn changed(&self, key: &str) {
        self.changes[mixed(key) as usize % CHANGES].fetch_add(1, Ordering::SeqCst);
    }

    /// So may all have.
    pub fn all_changed(&self) {
        self.of_all.fetch_add(1, Ordering::SeqCst);
    }

    /// What `look` finds, or has found in this second.
    pub fn find(&self, key: &str, second: u64, look: impl FnOnce() -> Option<Arc<Stored>>) -> Option<Arc<Stored>> {
        let mixed = mixed(key);
        // Before it is looked up: what changes meanwhile is looked up again. Both only grow, so their sum tells of both.
        let changes =
            self.changes[mixed as usize % CHANGES].load(Ordering::SeqCst) + self.of_all.load(Ordering::SeqCst);
        SEEN.with_borrow_mut(|places| {
            if places.is_empty() {
                places.resize_with(PLACES, || None);
            }
            let place = &mut places[(mixed >> 32) as usize % PLACES];
            let same = place.as_mut().filter(|seen| seen.store == self.number && *seen.key == *key);
            if let Some(seen) = &same
                && (seen.changes, seen.second) == (changes, second)
                && let Some(stored) = seen.stored.upgrade()
            {
                return Some(stored);
            }
            let found = look()?;
            let stored = Arc::downgrade(&found);
            match same {
                Some(seen) => (seen.changes, seen.second, seen.stored) = (changes, second, stored),
                None if key.len() > KEY_MOST_BYTES => {}
                None => *place = Some(Seen { store: self.number, changes, second, key: key.into(), stored }),
            }
            Some(found)
        })
    }
}

/// Who shares a place with whom costs time alone, so this need not withstand anybody.
fn mixed(key: &str) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut words = key.as_bytes().chunks_exact(8);
    let mut mixed = key.len() as u64;
    for word in words.by_ref() {
        let word = word.try_into().map_or(0, u64::from_le_bytes);
        mixed = (mixed ^ word).wrapping_mul(ODD).rotate_left(29);
    }
    for byte in words.remainder() {
        mixed = (mixed ^ u64::from(*byte)).wrapping_mul(ODD).rotate_left(29);
    }
    mixed ^ mixed >> 29
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::super::freshness::Kept;
    use super::super::vary::Vary;
    use super::*;

    fn stored(body: &'static str) -> Arc<Stored> {
        let fields = HeaderMap::new();
        let kept = Kept::of(StatusCode::OK, &fields, 0, 0, None);
        let vary = Vary::read(&fields);
        Arc::new(Stored::new(StatusCode::OK, fields, body.into(), kept, vary, Vec::new()))
    }

    #[test]
    fn what_has_changed_or_is_gone_is_looked_up_again() {
        let (recent, other) = (Recent::new(), Recent::new());
        let [first, second] = ["a", "b"].map(stored);
        let look = |recent: &Recent, second, held: &Arc<Stored>| {
            recent.find("http://a/", second, || Some(held.clone())).unwrap().body.clone()
        };
        assert_eq!(look(&recent, 7, &first), "a");
        assert_eq!(look(&recent, 7, &second), "a", "it is not looked up again");
        assert_eq!(look(&recent, 8, &second), "b", "but in the next second");
        recent.changed("http://b/");
        assert_eq!(look(&recent, 8, &first), "b");
        recent.changed("http://a/");
        assert_eq!(look(&recent, 8, &first), "a");
        recent.all_changed();
        assert_eq!(look(&recent, 8, &second), "b");
        assert_eq!(look(&other, 8, &first), "a", "another store has its own");
        drop(first);
        assert!(other.find("http://a/", 8, || None).is_none(), "what nobody holds is gone");
        let long = "x".repeat(KEY_MOST_BYTES + 1);
        for held in [&second, &stored("c")] {
            assert_eq!(recent.find(&long, 8, || Some(held.clone())).unwrap().body, held.body);
        }
    }
}
