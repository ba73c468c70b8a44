//! One connection of a client, or one who asks through another's: what it may do, and whose it is.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::bucket::Bucket;
use super::{Clients, REMEMBERED_MAX};
use crate::base::network::client;
use crate::proxy::upstream::Caller;

/// One connection of a client; gives its place back when it is dropped.
pub struct Guest {
    pub(super) standing: Standing,
    pub(super) caller: Caller,
}

pub(super) enum Standing {
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

impl Guest {
    /// The same by that connection of his.
    pub fn by(mut self, caller: Caller) -> Guest {
        debug_assert_eq!(caller.from.ip(), self.address());
        self.caller = caller;
        self
    }

    /// From where he has come, and where he found us.
    pub fn caller(&self) -> Caller {
        Caller { is_crowd: !matches!(self.standing, Standing::Counted { .. }), ..self.caller }
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
        let network = client(self.address());
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
