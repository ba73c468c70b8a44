//! What becomes of an upstream's places, told in the log and the metrics.

use std::net::SocketAddr;
use std::sync::Arc;

use tracing::{info, warn};

use super::health::{FALL, RISE, Turn};
use crate::record::Metrics;

/// One upstream's.
pub struct Teller {
    upstream: String,
    metrics: Arc<Metrics>,
}

impl Teller {
    pub fn new(upstream: &str, metrics: &Arc<Metrics>) -> Teller {
        Teller { upstream: upstream.to_owned(), metrics: metrics.clone() }
    }

    /// At most one line in the ten seconds that the shortest ejection lasts, and one in three checks. `why`: what was seen
    /// last.
    pub fn turned(&self, place: SocketAddr, turn: Turn, why: &str) {
        let upstream = &self.upstream;
        match turn {
            Turn::Ejected(pause) => {
                self.metrics.place_ejected(upstream, place);
                let pause_s = pause.as_secs();
                warn!(upstream, %place, pause_s, last = why, "a place of an origin answers badly: it is left out for a while");
            }
            Turn::Back => info!(upstream, %place, "a place of an origin that was left out answers well again"),
            Turn::Down => {
                warn!(upstream, %place, checks = FALL, last = why, "a place of an origin fails its health checks: it is not used");
            }
            Turn::Up => {
                info!(upstream, %place, checks = RISE, "a place of an origin passes its health checks: it is used again")
            }
        }
        match turn {
            Turn::Down => self.metrics.place_is_well(upstream, place, false),
            Turn::Up => self.metrics.place_is_well(upstream, place, true),
            Turn::Ejected(_) | Turn::Back => {}
        }
    }

    /// A place is checked from now on.
    pub fn watched(&self, place: SocketAddr) {
        self.metrics.place_is_well(&self.upstream, place, true);
    }

    /// It is none any longer.
    pub fn gone(&self, place: SocketAddr) {
        self.metrics.place_is_gone(&self.upstream, place);
    }
}
