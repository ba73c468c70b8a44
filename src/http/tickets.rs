//! Session tickets (RFC 8446, 4.6.1; RFC 5077): sealed under keys that change every few hours and outlive a restart, so that a
//! crowd that comes back after one does not have to shake hands anew.
//!
//! A ticket: four bytes that name the key, a nonce, and the session sealed by AES-256-GCM. Whoever has a key can read what was
//! said under its tickets' sessions: keys are kept in one file of the service's own, and for half a day at most.

use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use rustls::server::ProducesTickets;

use crate::base::digest::Digest;

/// Seals new tickets for so long.
const TURN_S: u64 = 6 * 3_600;
/// And opens those it has sealed for as long again.
const KEEP_S: u64 = 2 * TURN_S;
const KEY_BYTES: usize = 32;
const NAME_BYTES: usize = 4;
/// What the file begins with.
const MAGIC: &[u8; 8] = b"difusor1";
/// A key as it is kept: when it was made, in seconds since 1970, and itself.
const ENTRY_BYTES: usize = 8 + KEY_BYTES;
/// Keys at once: the one that seals, the one before, and one more where a clock was set.
const KEYS_MAX: usize = 3;
/// Bytes of the file at most.
pub const FILE_BYTES: u64 = (MAGIC.len() + KEYS_MAX * ENTRY_BYTES) as u64;

/// The keys, shared by all threads.
pub struct Tickets {
    /// Newest first; the first one seals.
    keys: ArcSwap<Vec<Arc<Key>>>,
}

struct Key {
    made: u64,
    bytes: [u8; KEY_BYTES],
    name: [u8; NAME_BYTES],
    seal: RandomizedNonceKey,
}

impl Key {
    fn of(made: u64, bytes: [u8; KEY_BYTES]) -> Option<Key> {
        let digest = Digest::of(&bytes);
        let name = digest.as_bytes().first_chunk::<NAME_BYTES>().copied()?;
        Some(Key { made, bytes, name, seal: RandomizedNonceKey::new(&AES_256_GCM, &bytes).ok()? })
    }

    /// Also for a key from the future: a clock that was wrong must not keep it for longer.
    fn age(&self, now: u64) -> u64 {
        now.abs_diff(self.made)
    }
}

impl Tickets {
    /// With the keys that were kept, as far as they still count; [`Tickets::turn`] makes the first where there is none.
    pub fn of(kept: &[u8], now: u64) -> Tickets {
        let keys = read(kept).unwrap_or_default().into_iter().filter(|key| key.age(now) < KEEP_S).map(Arc::new);
        Tickets { keys: ArcSwap::from_pointee(keys.collect()) }
    }

    /// Makes a new key where it is time to, and lets old ones go. What is to be kept, where that has changed; `None` too where
    /// there is no randomness: then tickets are sealed as before.
    pub fn turn(&self, now: u64) -> Option<Vec<u8>> {
        let held = self.keys.load();
        let is_due = held.first().is_none_or(|key| key.age(now) >= TURN_S);
        if !is_due && held.iter().all(|key| key.age(now) < KEEP_S) {
            return None;
        }
        let mut keys: Vec<Arc<Key>> = held.iter().filter(|key| key.age(now) < KEEP_S).cloned().collect();
        if is_due {
            let mut bytes = [0; KEY_BYTES];
            getrandom::fill(&mut bytes).ok()?;
            keys.insert(0, Arc::new(Key::of(now, bytes)?));
        }
        keys.truncate(KEYS_MAX);
        let mut kept = MAGIC.to_vec();
        for key in &keys {
            kept.extend_from_slice(&key.made.to_be_bytes());
            kept.extend_from_slice(&key.bytes);
        }
        self.keys.store(Arc::new(keys));
        Some(kept)
    }
}

/// The keys in a file; `None` for what is none.
fn read(bytes: &[u8]) -> Option<Vec<Key>> {
    let entries = bytes.strip_prefix(MAGIC)?.chunks_exact(ENTRY_BYTES);
    if !entries.remainder().is_empty() || entries.len() > KEYS_MAX {
        return None;
    }
    let key = |entry: &[u8]| {
        let (made, bytes) = entry.split_first_chunk::<8>()?;
        Key::of(u64::from_be_bytes(*made), bytes.try_into().ok()?)
    };
    entries.map(key).collect()
}

impl std::fmt::Debug for Tickets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tickets").field("keys", &self.keys.load().len()).finish()
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        TURN_S as u32
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let keys = self.keys.load();
        let key = keys.first()?;
        let mut sealed = plain.to_vec();
        let nonce = key.seal.seal_in_place_append_tag(Aad::from(key.name), &mut sealed).ok()?;
        Some([&key.name[..], nonce.as_ref(), &sealed].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_first_chunk::<NAME_BYTES>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let keys = self.keys.load();
        let key = keys.iter().find(|key| key.name == *name)?;
        let mut sealed = sealed.to_vec();
        let plain = key.seal.open_in_place(Nonce::from(nonce), Aad::from(*name), &mut sealed).ok()?;
        Some(plain.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_turn_and_outlive_a_restart() {
        let tickets = Tickets::of(b"", 1_000);
        assert!(tickets.encrypt(b"x").is_none(), "no key yet");
        let kept = tickets.turn(1_000).unwrap();
        let first = tickets.encrypt(b"primero").unwrap();
        assert_eq!(tickets.turn(1_000 + TURN_S - 1), None);
        // After a restart the same key seals and opens.
        let again = Tickets::of(&kept, 2_000);
        assert_eq!(again.turn(2_000), None);
        assert_eq!(again.decrypt(&first).as_deref(), Some(&b"primero"[..]));
        // The next one seals, both open.
        let kept = again.turn(1_000 + TURN_S).unwrap();
        assert_eq!(kept.len(), MAGIC.len() + 2 * ENTRY_BYTES);
        let second = again.encrypt(b"segundo").unwrap();
        assert_ne!(first[..NAME_BYTES], second[..NAME_BYTES]);
        assert!(again.decrypt(&first).is_some() && again.decrypt(&second).is_some());
        // Then the first is gone, here and in the file.
        let kept = again.turn(1_000 + KEEP_S).unwrap();
        assert!(again.decrypt(&first).is_none() && again.decrypt(&second).is_some());
        assert!(Tickets::of(&kept, 1_000 + KEEP_S).decrypt(&first).is_none());
        // What was kept for too long is not used again.
        assert!(Tickets::of(&kept, 1_000 + 3 * KEEP_S).decrypt(&second).is_none());
    }

    #[test]
    fn whatever_the_clock_does_there_are_few_keys() {
        let tickets = Tickets::of(b"", 0);
        for now in [10 * KEEP_S, 5, 9 * KEEP_S, 10 * KEEP_S + TURN_S, 10 * KEEP_S + 2 * TURN_S - 1, 0] {
            tickets.turn(now);
            assert!((1..=KEYS_MAX).contains(&tickets.keys.load().len()));
            assert!(tickets.encrypt(b"x").is_some());
        }
    }

    proptest! {
        #[test]
        fn foreign_bytes_open_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), bit in 0..8u8) {
            let tickets = Tickets::of(&bytes, 0);
            tickets.turn(0);
            prop_assert_eq!(tickets.decrypt(&bytes), None);
            let mut ticket = tickets.encrypt(&bytes).unwrap();
            prop_assert_eq!(tickets.decrypt(&ticket), Some(bytes));
            let at = at.index(ticket.len());
            ticket[at] ^= 1 << bit;
            prop_assert_eq!(tickets.decrypt(&ticket), None);
        }
    }
}
