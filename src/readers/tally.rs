//! What is counted while it goes on.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::bodies::{Stored, Wrong};
use super::said::Said;
use crate::snapshot::Coding;

/// Durations in microseconds.
pub type Times = Histogram<u32>;

/// The longest duration that is told apart: nobody waits longer than that for an answer.
const LONGEST_US: u64 = 600_000_000;
/// Failures that are told in words, each of another kind; all are counted.
const TOLD_MAX: usize = 8;
/// Every coding, in the order of `by_coding`.
pub const CODINGS: [Coding; 6] = [Coding::Identity, Coding::Gzip, Coding::Br, Coding::Zstd, Coding::Dcb, Coding::Dcz];

/// An empty histogram, to two digits: 25 KB.
pub fn micros_histogram() -> Times {
    histogram(2)
}

fn histogram(digits: u8) -> Times {
    // Refused for bounds and digits that make no sense only.
    Histogram::new_with_bounds(1, LONGEST_US, digits).expect("bounds and digits are in order")
}

/// Why a request came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// No connection, or no TLS.
    Connect,
    /// No whole answer within the time.
    Timeout,
    /// The connection ended within an answer, or before it twice.
    Broken,
    /// Not HTTP, or of a length that cannot be told.
    Malformed,
    /// Neither 200 nor 304.
    Status(u16),
    /// A 304 for something that the reader does not have.
    Unconditional,
    Body(Wrong),
}

impl Failure {
    /// The name that reports have.
    pub fn name(self) -> String {
        match self {
            Failure::Connect => "connect".into(),
            Failure::Timeout => "timeout".into(),
            Failure::Broken => "broken".into(),
            Failure::Malformed => "malformed".into(),
            Failure::Status(code) => format!("status-{code}"),
            Failure::Unconditional => "unconditional-304".into(),
            Failure::Body(wrong) => match wrong {
                Wrong::Digest => "body-digest".into(),
                Wrong::Content => "body-content".into(),
                Wrong::Coding => "body-coding".into(),
                Wrong::Unasked => "body-unasked".into(),
                Wrong::Validator => "body-validator".into(),
                Wrong::TooMany => "bodies-too-many".into(),
            },
        }
    }
}

/// Responses in one coding, and the bytes of their bodies as they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub responses: u64,
    pub bytes: u64,
}

#[derive(Debug)]
pub struct Tally {
    pub asked: u64,
    pub by_status: BTreeMap<u16, u64>,
    pub by_coding: [Sum; CODINGS.len()],
    /// Since the request was due; since it was sent.
    pub waited: Times,
    pub served: Times,
    pub failures: BTreeMap<Failure, u64>,
    /// The first failure of each kind, with the path that was asked for.
    pub told: Vec<String>,
    /// Bodies that the server's own words prove, and those of which it says nothing.
    pub proven: u64,
    pub unproven: u64,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally {
            asked: 0,
            by_status: BTreeMap::new(),
            by_coding: Default::default(),
            waited: histogram(3),
            served: histogram(3),
            failures: BTreeMap::new(),
            told: Vec::new(),
            proven: 0,
            unproven: 0,
        }
    }
}

impl Tally {
    /// A whole answer, right or wrong.
    pub fn answered(&mut self, said: &Said, body_len: usize, waited_us: u64, served_us: u64) {
        *self.by_status.entry(said.status).or_default() += 1;
        self.waited.saturating_record(waited_us.max(1));
        self.served.saturating_record(served_us.max(1));
        let coding = said.coding().and_then(|coding| CODINGS.iter().position(|known| *known == coding));
        if let Some(sum) = coding.filter(|_| body_len > 0).and_then(|at| self.by_coding.get_mut(at)) {
            sum.responses += 1;
            sum.bytes += body_len as u64;
        }
    }

    pub fn checked(&mut self, stored: &Stored) {
        if stored.is_proven {
            self.proven += 1;
        } else {
            self.unproven += 1;
        }
    }

    pub fn failed(&mut self, failure: Failure, path: &str) {
        let count = self.failures.entry(failure).or_default();
        *count += 1;
        if *count == 1 && self.told.len() < TOLD_MAX {
            self.told.push(format!("{}: {path}", failure.name()));
        }
    }

    pub fn answers(&self) -> u64 {
        self.by_status.values().sum()
    }

    pub fn errors(&self) -> u64 {
        self.failures.values().sum()
    }
}

/// Milliseconds at a part of all, in [0, 1]; 0 where there is nothing.
pub fn at_ms(times: &Times, part: f64) -> f64 {
    times.value_at_quantile(part) as f64 / 1e3
}
