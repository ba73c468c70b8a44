//! Addresses that were written to (RFC 9111, 4.4), for keys that are more than an address: nobody knows all of those. In a table
//! of fixed size, so that a flood of writes costs neither memory nor those who read; where two addresses share a place in it, a
//! write to one has the other asked for anew, and nothing worse.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use super::key;

/// 128 KiB of counters: of as many writes one hits what is asked for.
const PLACES: usize = 1 << 14;

/// See above.
pub struct Written {
    counts: Box<[AtomicU64]>,
    /// So that nobody outside knows who shares a place.
    hasher: RandomState,
}

impl Written {
    pub fn new() -> Written {
        Written { counts: (0..PLACES).map(|_| AtomicU64::new(0)).collect(), hasher: RandomState::new() }
    }

    /// Whatever is known of keys that begin with the address counts no longer.
    pub fn note(&self, address: &str) {
        self.count(address).fetch_add(1, SeqCst);
    }

    /// What is known of a key counts as long as this is the same. Of an address itself it always is.
    pub fn since(&self, key: &str) -> u64 {
        let address = key::address(key);
        if address.len() == key.len() { 0 } else { self.count(address).load(SeqCst) }
    }

    fn count(&self, address: &str) -> &AtomicU64 {
        &self.counts[self.hasher.hash_one(address) as usize % PLACES]
    }
}
