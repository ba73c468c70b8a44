//! Of origins and their places.

use std::net::SocketAddr;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;

use super::Metrics;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Proxied {
    route: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OriginFailed {
    route: String,
    failure: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OriginPlace {
    upstream: String,
    place: String,
}

impl OriginPlace {
    fn of(upstream: &str, place: SocketAddr) -> OriginPlace {
        OriginPlace { upstream: upstream.to_owned(), place: place.to_string() }
    }
}

impl Metrics {
    /// The counter of a route's requests that came to `outcome`: kept by who counts, for it is asked for on the serving path.
    /// Both names come from the settings and the code, so there are few.
    pub fn proxied(&self, route: &str, outcome: &'static str) -> Counter {
        self.proxied.get_or_create_owned(&Proxied { route: route.to_owned(), outcome }).clone()
    }

    /// An origin owed an answer and did not give it.
    pub fn origin_failed(&self, route: &str, failure: &'static str) {
        self.origin_failures.get_or_create_owned(&OriginFailed { route: route.to_owned(), failure }).inc();
    }

    /// A place of an origin is left out for a while.
    pub fn place_ejected(&self, upstream: &str, place: SocketAddr) {
        self.origin_ejections.get_or_create_owned(&OriginPlace::of(upstream, place)).inc();
    }

    /// What the health checks of a place have come to.
    pub fn place_is_well(&self, upstream: &str, place: SocketAddr, is_well: bool) {
        self.origin_up.get_or_create_owned(&OriginPlace::of(upstream, place)).set(is_well.into());
    }

    /// It is none of the origin's places any longer.
    pub fn place_is_gone(&self, upstream: &str, place: SocketAddr) {
        self.origin_up.remove(&OriginPlace::of(upstream, place));
    }
}
