//! What happens at intake, for whoever wants to tell people: the log, or the demo's screen.

use std::time::Duration;

use tracing::{info, warn};

use crate::corte::CorteId;

/// One thing that happened.
#[derive(Debug)]
pub enum Happening {
    /// A package went live.
    Live { corte: CorteId, files: usize, changed: usize, bytes: usize, verify: Duration, build: Duration },
    /// The corte is now compressed as well as pays.
    Improved { corte: CorteId, before: usize, after: usize, took: Duration },
    /// A package does not hold yet; it may still be arriving.
    Waiting { name: String, code: &'static str, why: String },
    /// A package is refused; nothing that is served has changed.
    Refused { name: String, code: &'static str, why: String },
    /// A package went live although something about it is odd.
    Odd { name: String, code: &'static str, why: String },
    /// The package that is live came again.
    Same { name: String, corte: CorteId },
    /// A package that lay there at the start is of an earlier corte than the one that is live.
    Older { name: String, corte: CorteId, live: CorteId },
    /// The incoming folder cannot be looked at.
    Blind { why: String },
}

/// Whoever is told.
pub type Reporter = Box<dyn Fn(&Happening) + Send>;

/// Tells the log.
pub fn to_log(happening: &Happening) {
    match happening {
        Happening::Live { corte, files, changed, bytes, verify, build } => {
            let (verify_ms, build_ms) = (verify.as_millis(), build.as_millis());
            info!(%corte, files, changed, bytes, verify_ms, build_ms, "live");
        }
        Happening::Improved { corte, before, after, took } => {
            info!(%corte, bytes_before = before, bytes_after = after, took_s = took.as_secs_f32(), "compressed best");
        }
        Happening::Waiting { name, code, why } => info!(package = name, code, why, "not whole yet, waiting"),
        Happening::Refused { name, code, why } => warn!(package = name, code, why, "refused, nothing has changed"),
        Happening::Odd { name, code, why } => warn!(package = name, code, why, "live all the same"),
        Happening::Same { name, corte } => info!(package = name, %corte, "is live already"),
        Happening::Older { name, corte, live } => {
            info!(package = name, %corte, %live, "passed over, a later one is live")
        }
        Happening::Blind { why } => warn!(why, "the incoming folder cannot be read; trying again"),
    }
}
