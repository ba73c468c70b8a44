//! How many connections each client has at a door, and how many packages each sender sends: one that takes all places, by
//! mistake or on purpose, must not keep the others out.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Connections of one client at once: as many as packages may be pushed at once, and as many again for metrics and tries.
pub const EACH_MAX: usize = 8;
/// Bits of an IPv6 address that tell networks apart; the rest each machine chooses as it likes (RFC 4291, 2.5.4).
const NETWORK_BITS: u32 = 64;

/// Who is inside, and how often.
pub struct Crowd<K> {
    each_max: usize,
    inside: Mutex<HashMap<K, usize>>,
}

/// One connection of a client, or package of a sender; its end makes room.
pub struct Guest<K: Eq + Hash> {
    crowd: Arc<Crowd<K>>,
    who: K,
}

impl<K> Default for Crowd<K> {
    fn default() -> Crowd<K> {
        Crowd::of(EACH_MAX)
    }
}

impl<K> Crowd<K> {
    /// Each may be inside so many times.
    pub fn of(each_max: usize) -> Crowd<K> {
        Crowd { each_max, inside: Mutex::default() }
    }
}

impl<K: Clone + Eq + Hash> Crowd<K> {
    /// `None` for one who has as many as he may.
    pub fn enter(self: &Arc<Self>, who: K) -> Option<Guest<K>> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let count = inside.entry(who.clone()).or_default();
        if *count >= self.each_max {
            return None;
        }
        *count += 1;
        Some(Guest { crowd: self.clone(), who })
    }
}

impl<K: Eq + Hash> Drop for Guest<K> {
    fn drop(&mut self) {
        let mut inside = self.crowd.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = inside.get_mut(&self.who) {
            *count -= 1;
            if *count == 0 {
                inside.remove(&self.who);
            }
        }
    }
}

/// Who counts as one client: an IPv4 address, or an IPv6 network.
pub fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> NETWORK_BITS << NETWORK_BITS)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_his_places_and_no_more() {
        let crowd = Arc::new(Crowd::default());
        let mut inside: Vec<_> = (0..EACH_MAX).map(|_| crowd.enter(1).unwrap()).collect();
        assert!(crowd.enter(1).is_none());
        let other = crowd.enter(2);
        inside.pop();
        assert!(other.is_some() && crowd.enter(1).is_some());
        drop((inside, other));
        assert!(crowd.inside.lock().unwrap().is_empty(), "whoever has gone is forgotten");
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let of = |text: &str| client(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
