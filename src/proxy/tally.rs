//! What became of a route's requests, counted; and a line of the log where an origin fails, but not for each of a crowd.

use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;
use prometheus_client::metrics::counter::Counter;
use tracing::{debug, warn};

use super::failure::Failure;
use super::route::Route;
use super::status::{Outcome, Status};
use crate::base::clock::Clock;
use crate::base::shown::Shown;
use crate::record::{Metrics, Rate};

/// One route's.
pub struct Tally {
    route: String,
    outcomes: [Counter; Outcome::ALL.len()],
    /// Requests that joined another's.
    collapsed: Counter,
    metrics: Arc<Metrics>,
    clock: Clock,
    lines: Mutex<Rate>,
}

impl Tally {
    pub fn new(route: &Route, metrics: &Arc<Metrics>, clock: &Clock) -> Tally {
        let name = route.name.clone();
        Tally {
            outcomes: Outcome::ALL.map(|outcome| metrics.proxied(&name, outcome.name())),
            collapsed: metrics.proxied(&name, "collapsed"),
            route: name,
            metrics: metrics.clone(),
            clock: clock.clone(),
            lines: Mutex::default(),
        }
    }

    /// One request for `path` was answered with `code`.
    pub fn count(&self, status: &Status, path: &str, code: StatusCode) {
        debug!(
            route = self.route,
            // Nothing of it is done while nobody listens.
            path = %Shown::text(path),
            outcome = status.outcome.name(),
            collapsed = status.collapsed,
            detail = status.detail,
            status = code.as_u16(),
            "proxied"
        );
        if status.collapsed {
            self.collapsed.inc();
        } else if let Some(place) = Outcome::ALL.iter().position(|outcome| *outcome == status.outcome) {
            self.outcomes[place].inc();
        }
    }

    /// An errand came to nothing.
    pub fn failed(&self, upstream: &str, failure: Failure) {
        self.metrics.origin_failed(&self.route, failure.name());
        let line = self.lines.lock().unwrap_or_else(PoisonError::into_inner).take(self.clock.elapsed());
        if let Some(untold) = line {
            warn!(
                route = self.route,
                upstream,
                failure = failure.name(),
                untold,
                "the origin gave no answer: {failure}"
            );
        }
    }
}
