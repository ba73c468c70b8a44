//! Of what is sent, and of what is not. The serving path asks for its counters once, and keeps them.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use super::super::lanes::Lanes;
use super::Metrics;

/// Of the serving path.
pub(super) type SentCounter = Counter<u64, Lanes>;

/// What goes out in one coding.
#[derive(Debug, Default)]
pub struct Sent {
    pub responses: SentCounter,
    pub bytes: SentCounter,
}

impl Metrics {
    /// The counter of what clients are refused for this reason: kept by who counts.
    pub fn turned_away(&self, reason: &'static str) -> Counter {
        self.turned_away.get_or_create(&[("reason", reason)]).clone()
    }

    /// The counter of what is left out of this class: kept by who counts.
    pub fn left_out(&self, class: &'static str) -> Counter {
        self.left_out.get_or_create(&[("class", class)]).clone()
    }

    /// So many steps of the ladder are taken.
    pub fn ladder(&self, steps: usize) {
        self.ladder.set(steps as i64);
    }

    /// How many connections there are: kept by who counts.
    pub fn connections(&self) -> Gauge {
        self.connections.clone()
    }

    /// The counters of what is sent in this coding: kept by who sends.
    pub fn sent(&self, coding: &'static str) -> Sent {
        let labels = [("coding", coding)];
        let (responses, bytes) = (&self.responses, &self.response_bytes);
        Sent { responses: responses.get_or_create(&labels).clone(), bytes: bytes.get_or_create(&labels).clone() }
    }

    /// Differences of the live corte that are ready, and their bytes.
    pub fn differences(&self, count: usize, bytes: usize) {
        self.differences.set(count as u64);
        self.difference_bytes.set(bytes as u64);
    }
}
