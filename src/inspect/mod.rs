//! Floor 10: a difusor looked at from outside, by anybody: is what it shows what the authority sent?
//!
//! `audit` asks, `judge` and the modules beside it say what an answer is worth, and know nothing of the network. All that
//! comes from the network may be hostile: every length and every wait has a bound.

mod audit;
mod body;
mod closed;
mod connect;
mod exchange;
mod files;
mod judge;
mod report;
mod results;
mod target;
mod told;

pub use audit::{Asked, Progress, audit};
pub use body::{Body, Fault as BodyFault, Sink};
pub use connect::{Trusted, TrustedFault};
pub use report::{CHECKS, Check, Findings, Mark, Report, Verdict};
pub use target::{NotATarget, Target};
pub use told::{Chain, Estado};
