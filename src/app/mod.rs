//! Floor 9: the composition root. The only place that knows everybody: starts the counter and the operator, stops them.

mod ladder;
mod limits;
mod notebook;
mod renewal;
mod running;
mod watchdog;

pub use running::{Running, StartFault};
pub use watchdog::Notifier;
