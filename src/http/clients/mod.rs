//! Who is connected how often, and asks how much: limits for each client, by his address.
//!
//! A client is an IPv4 address or an IPv6 network of 64 bits, which is what one household or one phone has. Thousands of phones
//! may share an address behind their carrier's NAT: the limits are for who takes everything, not for who shares.

mod bucket;
mod guest;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tracing::warn;

use self::bucket::Bucket;
pub use self::guest::Guest;
use self::guest::Standing;
#[cfg(test)]
pub use self::guest::one;
use super::forwarded::Forwarders;
use crate::base::network::{Client as Prefix, Network, client};
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

struct Known {
    connections: u32,
    bucket: Arc<Bucket>,
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
        let network = client(address);
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
        let network = client(address);
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
