//! Of packages: what became of them, how long it took, and where they came from.

use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;

use super::Metrics;

/// What became of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Package {
    Live,
    Held,
    Same,
    Refused(&'static str),
}

/// A step of taking a package in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    Verify,
    Build,
    Store,
}

/// What came of asking a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fetched {
    New,
    Unchanged,
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Source {
    source: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Status {
    status: u16,
}

impl Metrics {
    pub fn package(&self, package: Package) {
        let (outcome, code) = match package {
            Package::Live => ("live", ""),
            Package::Held => ("held", ""),
            Package::Same => ("same", ""),
            Package::Refused(code) => ("refused", code),
        };
        self.packages.get_or_create(&[("outcome", outcome), ("code", code)]).inc();
    }

    /// A corte went live: its own stamp, when it had arrived, when everybody began to see it.
    pub fn live(&self, stamp: Timestamp, received: Timestamp, live: Timestamp) {
        self.stamp.set(stamp.as_second());
        self.received.set(received.as_second());
        self.live.set(live.as_second());
    }

    pub fn took(&self, step: Step, took: Duration) {
        let step = match step {
            Step::Verify => "verify",
            Step::Build => "build",
            Step::Store => "store",
        };
        self.steps.get_or_create(&[("step", step)]).observe(took.as_secs_f64());
    }

    pub fn vault(&self, bytes: u64, cortes: usize) {
        self.vault.set(bytes);
        self.cortes.set(cortes as u64);
    }

    pub fn disk_free(&self, bytes: u64) {
        self.free.set(bytes);
    }

    /// A source was asked; its name comes from the settings, so there are few.
    pub fn fetched(&self, source: &str, fetched: Fetched) {
        let outcome = match fetched {
            Fetched::New => "new",
            Fetched::Unchanged => "unchanged",
            Fetched::Failed => "failed",
        };
        self.fetches.get_or_create_owned(&Source { source: source.to_owned(), outcome }).inc();
    }

    /// A push was answered.
    pub fn uploaded(&self, status: u16) {
        self.uploads.get_or_create_owned(&Status { status }).inc();
    }

    /// A push is under way.
    pub fn upload_begins(&self) {
        self.open.inc();
    }

    /// It is answered, or was cut.
    pub fn upload_ends(&self) {
        self.open.dec();
    }
}
