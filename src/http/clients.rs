//! Who is connected how often, and asks how much: limits for each client, by his address.
//!
//! A client is an IPv4 address or an IPv6 network of 64 bits, which is what one household or one phone has. Thousands of phones
//! may share an address behind their carrier's NAT: the limits are for who takes everything, not for who shares.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tracing::warn;

use super::forwarded::Forwarders;
use crate::base::network::Network;
use crate::proxy::upstream::Caller;
use crate::record::{Metrics, Rate};

/// So that cores seldom wait for each other.
const SHARDS: usize = 16;
/// With more clients in a shard, the sweep forgets those who have gone and have asked for hardly anything.
const CROWD: usize = 4_096;
/// Clients that are remembered after they have gone, in each shard. An attacker with many addresses gains nothing but that.
const REMEMBERED_MAX: usize = 4 * CROWD;
/// Whose bucket lacks no more than this part of it, nor more than a second gives back, has asked for hardly anything: to be
/// forgotten gives nobody more than twice his pace.
const HARDLY_PART: u32 = 8;

/// What one client may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once.
    pub connections: u32,
    /// Requests a second, on average; 0 is no limit.
    pub requests: u32,
    /// Requests at once beyond that, which fill up again at that pace.
    pub burst: u32,
}

/// What the settings say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    pub limits: Limits,
    /// Who stands for many others, such as a server before this one: not counted.
    pub exempt: Vec<Network>,
    /// Who says by the PROXY protocol for whom each connection is; not counted either.
    pub proxy_protocol_from: Vec<Network>,
    /// They need not.
    pub proxy_protocol_is_optional: bool,
    /// Who says by a field for whom each request is; nor are they.
    pub forwarders: Forwarders,
}

/// All clients that are here, or were a moment ago.
pub struct Clients {
    rules: Rules,
    /// Seconds of any beginning, the same for all cores.
    now: AtomicU32,
    hasher: RandomState,
    shards: [Mutex<HashMap<Prefix, Known>>; SHARDS],
    refused_connections: Counter,
    refused_requests: Counter,
    lines: Mutex<Rate>,
}

/// The part of an address that is one client.
type Prefix = [u8; 8];

struct Known {
    connections: u32,
    bucket: Arc<Bucket>,
}

/// Requests that may be asked now: the second of the last look in the upper half, what was left then in the lower.
struct Bucket(AtomicU64);

impl Bucket {
    fn full(limits: Limits, now: u32) -> Bucket {
        Bucket(AtomicU64::new(packed(now, limits.burst)))
    }

    fn left(limits: Limits, state: u64, now: u32) -> u32 {
        let (then, left) = ((state >> 32) as u32, state as u32);
        let gained = now.saturating_sub(then).saturating_mul(limits.requests);
        left.saturating_add(gained).min(limits.burst)
    }

    fn take(&self, limits: Limits, now: u32) -> bool {
        let took = self.0.fetch_update(Relaxed, Relaxed, |state| {
            let left = Bucket::left(limits, state, now).checked_sub(1)?;
            Some(packed(now.max((state >> 32) as u32), left))
        });
        took.is_ok()
    }

    /// But for so many.
    fn is_full(&self, limits: Limits, now: u32, but: u32) -> bool {
        Bucket::left(limits, self.0.load(Relaxed), now).saturating_add(but) >= limits.burst
    }
}

fn packed(second: u32, left: u32) -> u64 {
    u64::from(second) << 32 | u64::from(left)
}

/// One connection of a client; gives its place back when it is dropped.
pub struct Guest {
    standing: Standing,
    caller: Caller,
}

enum Standing {
    Exempt,
    /// Exempt, and believed when he says for whom he asks.
    Trusted(Arc<Clients>),
    Counted {
        clients: Arc<Clients>,
        bucket: Arc<Bucket>,
        /// It counts as one of his connections.
        has_place: bool,
    },
}

fn has(networks: &[Network], address: IpAddr) -> bool {
    networks.iter().any(|network| network.has(address))
}

impl Clients {
    pub fn new(rules: Rules, metrics: &Metrics) -> Clients {
        Clients {
            rules,
            now: AtomicU32::new(0),
            hasher: RandomState::new(),
            shards: Default::default(),
            refused_connections: metrics.turned_away("client-connections"),
            refused_requests: metrics.turned_away("client-requests"),
            lines: Mutex::default(),
        }
    }

    /// One that has all that one client gets; told in the log, but not each time.
    fn refused(&self, counter: &Counter, address: IpAddr, what: &'static str) {
        counter.inc();
        if let Some(untold) = self.line() {
            warn!(%address, what, untold, "a client has all that one client gets");
        }
    }

    /// A line about an address, but not each time.
    pub fn tell(&self, address: IpAddr, what: &'static str) {
        if let Some(untold) = self.line() {
            warn!(%address, untold, "{what}");
        }
    }

    fn line(&self) -> Option<u64> {
        let now = Duration::from_secs(self.now.load(Relaxed).into());
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).take(now)
    }

    /// Whether a connection from this address begins with for whom it is.
    pub fn is_introduced(&self, address: IpAddr) -> bool {
        has(&self.rules.proxy_protocol_from, address)
    }

    /// Or with nothing of the kind.
    pub fn may_say_nothing(&self) -> bool {
        self.rules.proxy_protocol_is_optional
    }

    /// Who is believed, and by which field.
    pub fn forwarders(&self) -> &Forwarders {
        &self.rules.forwarders
    }

    /// One who asks through another's connection: his requests are counted, and that connection is not his.
    pub fn asking(self: &Arc<Self>, address: IpAddr) -> Guest {
        if let Some(guest) = self.uncounted(address) {
            return guest;
        }
        let network = network(address);
        let mut shard = self.shard(&network);
        let bucket = self.known(&mut shard, network).bucket.clone();
        let standing = Standing::Counted { clients: self.clone(), bucket, has_place: false };
        Guest { standing, caller: Caller::of(address) }
    }

    /// Who is exempt.
    fn uncounted(self: &Arc<Self>, address: IpAddr) -> Option<Guest> {
        let Rules { exempt, proxy_protocol_from, forwarders, .. } = &self.rules;
        let standing = match forwarders.has(address) {
            true => Standing::Trusted(self.clone()),
            false if has(exempt, address) || has(proxy_protocol_from, address) => Standing::Exempt,
            false => return None,
        };
        Some(Guest { standing, caller: Caller::of(address) })
    }

    fn known<'s>(&self, shard: &'s mut HashMap<Prefix, Known>, network: Prefix) -> &'s mut Known {
        let full = || Arc::new(Bucket::full(self.rules.limits, self.now.load(Relaxed)));
        shard.entry(network).or_insert_with(|| Known { connections: 0, bucket: full() })
    }

    /// Lets one more connection in, if its client has room.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Guest> {
        if let Some(guest) = self.uncounted(address) {
            return Some(guest);
        }
        let network = network(address);
        let mut shard = self.shard(&network);
        let known = self.known(&mut shard, network);
        if known.connections >= self.rules.limits.connections {
            drop(shard);
            self.refused(&self.refused_connections, address, "connections");
            return None;
        }
        known.connections += 1;
        let standing = Standing::Counted { clients: self.clone(), bucket: known.bucket.clone(), has_place: true };
        Some(Guest { standing, caller: Caller::of(address) })
    }

    /// It is this second now, whichever core finds that first; who has gone and owes nothing is forgotten.
    pub fn sweep(&self, now: u32) {
        if self.now.fetch_max(now, Relaxed) >= now {
            return;
        }
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let limits = self.rules.limits;
            let hardly = if shard.len() > CROWD { (limits.burst / HARDLY_PART).min(limits.requests) } else { 0 };
            shard.retain(|_, known| known.connections > 0 || !known.bucket.is_full(limits, now, hardly));
        }
    }

    fn shard(&self, network: &Prefix) -> MutexGuard<'_, HashMap<Prefix, Known>> {
        let at = self.hasher.hash_one(network) as usize % SHARDS;
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap().len()).sum()
    }
}

impl Guest {
    /// The same by that connection of his.
    pub fn by(mut self, caller: Caller) -> Guest {
        debug_assert_eq!(caller.from.ip(), self.address());
        self.caller = caller;
        self
    }

    /// From where he has come, and where he found us.
    pub fn caller(&self) -> Caller {
        self.caller
    }

    pub fn address(&self) -> IpAddr {
        self.caller.from.ip()
    }

    /// Whoever is believed when he says for whom he asks: who that is, what is returned can say.
    pub fn trusted(&self) -> Option<&Arc<Clients>> {
        match &self.standing {
            Standing::Trusted(clients) => Some(clients),
            _ => None,
        }
    }

    /// Whether the client may ask one more request.
    pub fn may_ask(&self) -> bool {
        let Standing::Counted { clients, bucket, .. } = &self.standing else { return true };
        let may = clients.rules.limits.requests == 0 || bucket.take(clients.rules.limits, clients.now.load(Relaxed));
        if !may {
            clients.refused(&clients.refused_requests, self.address(), "requests");
        }
        may
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let Standing::Counted { clients, has_place, .. } = &self.standing else { return };
        let network = network(self.address());
        let mut shard = clients.shard(&network);
        let is_full = shard.len() > REMEMBERED_MAX;
        if let Some(known) = shard.get_mut(&network) {
            known.connections -= u32::from(*has_place);
            if known.connections == 0 && (is_full || clients.rules.limits.requests == 0) {
                shard.remove(&network);
            }
        }
    }
}

/// A guest for tests, who may have anything.
#[cfg(test)]
pub fn one() -> Guest {
    Guest { standing: Standing::Exempt, caller: Caller::of([127, 0, 0, 1].into()) }
}

/// An IPv4 address is kept apart from all networks that are routed, in ::/64.
fn network(address: IpAddr) -> Prefix {
    match address.to_canonical() {
        IpAddr::V4(four) => {
            let [a, b, c, d] = four.octets();
            [0, 0, 0, 0, a, b, c, d]
        }
        IpAddr::V6(six) => first_half(six),
    }
}

fn first_half(address: Ipv6Addr) -> Prefix {
    let [a, b, c, d, e, f, g, h, ..] = address.octets();
    [a, b, c, d, e, f, g, h]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { connections: 2, requests: 3, burst: 5 };

    fn of(limits: Limits) -> Clients {
        let exempt = vec!["198.51.100.0/24".parse().unwrap()];
        Clients::new(Rules { limits, exempt, ..Rules::default() }, &Metrics::new())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn connections_are_counted_by_client() {
        let clients = Arc::new(of(LIMITS));
        let first = clients.admit(ip("192.0.2.1")).unwrap();
        let _second = clients.admit(ip("::ffff:192.0.2.1")).unwrap();
        assert!(clients.admit(ip("192.0.2.1")).is_none());
        let _other = clients.admit(ip("192.0.2.2")).unwrap();
        // Who stands for many is not counted.
        let many: Vec<Guest> = (0..9).map(|_| clients.admit(ip("198.51.100.7")).unwrap()).collect();
        assert!(many.iter().all(|guest| (0..9).all(|_| guest.may_ask())));
        drop(first);
        assert!(clients.admit(ip("192.0.2.1")).is_some());
        // A household has 2^64 addresses.
        let _six: Vec<Guest> = (1..3).map(|n| clients.admit(ip(&format!("2001:db8::{n}"))).unwrap()).collect();
        assert!(clients.admit(ip("2001:db8::ffff")).is_none());
        assert!(clients.admit(ip("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn requests_come_at_a_pace_whatever_the_connection() {
        let clients = Arc::new(of(LIMITS));
        let asks = |now: u32| {
            clients.sweep(now);
            (0..10).filter(|_| clients.admit(ip("192.0.2.1")).unwrap().may_ask()).count()
        };
        assert_eq!([asks(0), asks(0), asks(1), asks(2), asks(9)], [5, 0, 3, 3, 5]);
        clients.sweep(10);
        assert_eq!(clients.len(), 1, "he would begin anew");
        clients.sweep(11);
        assert_eq!(clients.len(), 0);
        let unlimited = Arc::new(of(Limits { requests: 0, ..LIMITS }));
        let guest = unlimited.admit(ip("192.0.2.1")).unwrap();
        assert!((0..100).all(|_| guest.may_ask()));
        drop(guest);
        assert_eq!(unlimited.len(), 0);
    }

    #[test]
    fn who_asks_through_another_is_counted_by_his_requests() {
        let forwarders = Forwarders { from: vec!["10.0.0.0/8".parse().unwrap()], ..Forwarders::default() };
        let proxy_protocol_from = vec!["172.16.0.1".parse().unwrap()];
        let rules = Rules { limits: LIMITS, forwarders, proxy_protocol_from, ..Rules::default() };
        let clients = Arc::new(Clients::new(rules, &Metrics::new()));
        // Those before us have as many connections as they need.
        let many: Vec<Guest> =
            ["10.0.0.1", "172.16.0.1"].iter().flat_map(|a| (0..9).map(|_| clients.admit(ip(a)).unwrap())).collect();
        assert_eq!((many.len(), clients.len()), (18, 0));
        let trusts = |address: &str| clients.admit(ip(address)).unwrap().trusted().is_some();
        assert!(trusts("10.0.0.1") && !trusts("172.16.0.1") && !trusts("192.0.2.9"));
        assert!(clients.is_introduced(ip("172.16.0.1")) && !clients.is_introduced(ip("10.0.0.1")));
        let _his = [clients.admit(ip("192.0.2.1")).unwrap(), clients.admit(ip("192.0.2.1")).unwrap()];
        let asks = |address: &str| (0..10).filter(|_| clients.asking(ip(address)).may_ask()).count();
        assert_eq!([asks("192.0.2.1"), asks("192.0.2.2"), asks("192.0.2.1")], [5, 5, 0]);
        assert!(clients.admit(ip("192.0.2.1")).is_none(), "he has two connections, as before");
        clients.sweep(9);
        assert_eq!(clients.len(), 1, "who has gone is forgotten");
    }

    #[test]
    fn many_addresses_are_not_remembered_for_ever() {
        let clients = Arc::new(of(Limits { requests: 1, burst: 100, ..LIMITS }));
        let come = |n: u32| clients.admit(IpAddr::from(n.to_be_bytes())).unwrap();
        for n in 0..100_000 {
            let guest = come(n);
            assert!((0..2).all(|_| guest.may_ask()));
        }
        // In such a crowd, who has spent all he has gains nothing by coming again; nor does who asks once at a time.
        let asks = || (0..200).filter(|_| clients.asking(ip("192.0.2.1")).may_ask()).count();
        assert_eq!([asks(), asks()], [100, 0]);
        clients.sweep(1);
        assert_eq!(clients.len(), 1, "who has hardly asked is forgotten, and he is not");
        assert_eq!(asks(), 1);
        (0..400_000).for_each(|n| drop(come(n)));
        assert!(clients.len() <= SHARDS * (REMEMBERED_MAX + 1), "{}", clients.len());
    }

    #[test]
    fn nobody_is_forgotten_for_less_than_he_takes() {
        let clients = Arc::new(of(Limits { requests: 1, burst: 100, ..LIMITS }));
        let crowd = SHARDS as u32 * (CROWD as u32 * 5 / 4);
        let _crowd: Vec<Guest> = (0..crowd).map(|n| clients.admit(IpAddr::from(n.to_be_bytes())).unwrap()).collect();
        let asks = |now: u32| {
            clients.sweep(now);
            (0..100 / HARDLY_PART).filter(|_| clients.asking(ip("192.0.2.1")).may_ask()).count()
        };
        let all: usize = (1..=40).map(asks).sum();
        assert_eq!(all, 100 + 39, "what he has, and his pace");
    }

    proptest! {
        /// A plain count of what may be asked, second by second.
        #[test]
        fn a_bucket_is_a_bucket(steps in proptest::collection::vec((0..3u32, 0..8u32), 0..40)) {
            let clients = Arc::new(of(LIMITS));
            let guest = clients.admit(ip("192.0.2.1")).unwrap();
            let (mut now, mut left) = (0, LIMITS.burst);
            for (later, asks) in steps {
                now += later;
                clients.sweep(now);
                left = (left + later * LIMITS.requests).min(LIMITS.burst);
                for _ in 0..asks {
                    prop_assert_eq!(guest.may_ask(), left > 0);
                    left = left.saturating_sub(1);
                }
            }
        }
    }
}
