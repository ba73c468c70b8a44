//! What happens at intake, for whoever wants to tell people: the log, or the demo's screen.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tracing::{debug, error, info, warn};

use crate::base::reckoning::Doubt;
use crate::corte::CorteId;
use crate::schedule::{Reason, State};
use crate::store::{Retained, Shown};

/// One thing that happened.
#[derive(Debug)]
pub enum Happening {
    /// A package went live.
    Live { corte: CorteId, files: usize, changed: usize, bytes: usize, took: Took, dates: Dates },
    /// The corte is now compressed as well as pays.
    Improved { corte: CorteId, before: usize, after: usize, took: Duration, differences: Made },
    /// A package does not hold yet; it may still be arriving.
    Waiting { name: String, code: &'static str, why: String },
    /// A package is refused; nothing that is served has changed.
    Refused { name: String, source: String, code: &'static str, why: String },
    /// A package went live although something about it is odd.
    Odd { name: String, source: String, code: &'static str, why: String },
    /// A package came again that was accepted before, from here or elsewhere.
    Same { name: String, source: String, corte: CorteId },
    /// After a start: a corte of the vault is shown again.
    Restored { corte: CorteId, files: usize, took: Duration, dates: Dates },
    /// A corte was verified and kept, and is not shown: somebody holds what is shown.
    Held { corte: CorteId },
    /// An operator has decided what is shown.
    Decided { what: Shown, corte: CorteId, reason: String, dates: Dates },
    /// Something damaged in the vault is whole again, or could not be put back.
    Mended { corte: CorteId, files: usize, failed: Option<String> },
    /// A corte in the vault cannot be used; the one before it is.
    Unusable { corte: CorteId, why: String },
    /// Something in the vault cannot be read.
    Unreadable { name: String, why: String },
    /// The vault cannot be written.
    StoreFailed { why: String },
    /// The vault after a corte, and the bytes that are free on its disk.
    Retained { retained: Retained, free: Option<u64> },
    /// A package that lay there at the start is of an earlier corte than the one that is live.
    Older { name: String, corte: CorteId, live: CorteId },
    /// The incoming folder cannot be looked at.
    Blind { why: String },
    /// A source was asked.
    Asked { source: String, came: Came },
    /// Nothing can be fetched from a source; it is tried again after `next`. Told once until the reason changes.
    SourceFailed { source: String, code: &'static str, why: String, next: Duration },
    /// A source that had failed for so long gives packages again.
    SourceBack { source: String, after: Duration },
    /// What the public is shown is another thing now, by time or by a corte.
    Turned { from: Option<State>, to: State, reason: Reason },
    /// The machine's clock.
    Clock(Doubt),
    /// A fault of ours in the middle of something, after which everything else goes on.
    OurFault { what: &'static str },
}

/// Differences from earlier cortes that are there.
#[derive(Clone, Copy, Debug)]
pub struct Made {
    pub count: usize,
    pub bytes: usize,
    /// Until the last of them, and what it took of the processor.
    pub took: Duration,
    pub processor: Duration,
}

/// How long the steps took by which a package went live; the last two ran at the same time.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    pub verify: Duration,
    pub build: Duration,
    pub store: Duration,
}

/// Of the corte that is shown: its own stamp, when it came, and since when it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Dates {
    pub stamp: Timestamp,
    pub received: Timestamp,
    pub since: Timestamp,
}

/// What came of asking a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    Package,
    Unchanged,
    Nothing,
}

/// Whoever is told.
pub type Reporter = Arc<dyn Fn(&Happening) + Send + Sync>;

/// Tells the log.
pub fn to_log(happening: &Happening) {
    match happening {
        Happening::Live { corte, files, changed, bytes, took: Took { verify, build, store }, .. } => {
            let (verify_ms, build_ms, store_ms) = (verify.as_millis(), build.as_millis(), store.as_millis());
            info!(%corte, files, changed, bytes, verify_ms, build_ms, store_ms, "live");
        }
        Happening::Improved { corte, before, after, took, differences } => {
            info!(%corte, bytes_before = before, bytes_after = after, took_ms = took.as_millis(), "compressed best");
            let Made { count, bytes, took, processor } = differences;
            let (took_ms, processor_ms) = (took.as_millis(), processor.as_millis());
            info!(%corte, count, bytes, took_ms, processor_ms, "differences from earlier cortes are ready");
        }
        Happening::Waiting { name, code, why } => info!(package = name, code, why, "not whole yet, waiting"),
        Happening::Refused { name, source, code, why } => {
            warn!(package = name, source, code, why, "refused, nothing has changed");
        }
        Happening::Odd { name, source, code, why } => warn!(package = name, source, code, why, "live all the same"),
        Happening::Same { name, source, corte } => info!(package = name, source, %corte, "was accepted before"),
        Happening::Restored { corte, files, took, .. } => {
            info!(%corte, files, took_ms = took.as_millis(), "live again, from the vault");
        }
        Happening::Held { corte } => warn!(%corte, "kept and not shown: what is shown is held"),
        Happening::Decided { what, corte, reason, .. } => warn!(?what, %corte, reason, "an operator has decided"),
        Happening::Mended { corte, files, failed: None } => warn!(%corte, files, "the vault was damaged and is mended"),
        Happening::Mended { corte, files, failed: Some(why) } => {
            error!(%corte, files, why, "the vault is damaged and cannot be mended, what is shown is whole");
        }
        Happening::Unusable { corte, why } => error!(%corte, why, "damaged in the vault, the one before it is shown"),
        Happening::Unreadable { name, why } => error!(name, why, "damaged in the vault, passed over"),
        Happening::StoreFailed { why } => error!(why, "the vault"),
        Happening::Retained { retained, free } => {
            let (removed, cortes, bytes) = (retained.removed.len(), retained.cortes, retained.bytes);
            info!(cortes, bytes, removed, free, "in the vault");
        }
        Happening::Older { name, corte, live } => {
            info!(package = name, %corte, %live, "passed over, a later one is live")
        }
        Happening::Blind { why } => error!(why, "the incoming folder cannot be read; trying again"),
        Happening::Asked { source, came } => debug!(source, ?came, "asked"),
        Happening::SourceFailed { source, code, why, next } => {
            warn!(source, code, why, next_s = next.as_secs(), "a source fails, nothing else is affected");
        }
        Happening::SourceBack { source, after } => {
            info!(source, after_s = after.as_secs(), "a source is back");
        }
        Happening::Turned { to: State::Interrupted, reason, .. } => {
            error!(?reason, "transmission counts as interrupted");
        }
        Happening::Turned { to: State::Late, reason, .. } => warn!(?reason, "the next corte is overdue"),
        Happening::Turned { from, to, reason } => {
            let (from, to) = (from.map(State::token), to.token());
            info!(from, to, ?reason, "the election's clock");
        }
        Happening::Clock(doubt @ (Doubt::Jumped(_) | Doubt::Unsynchronised)) => warn!(?doubt, "this machine's clock"),
        Happening::Clock(doubt) => info!(?doubt, "this machine's clock"),
        Happening::OurFault { what } => error!(what, "a fault of ours, please report it; everything else goes on"),
    }
}
