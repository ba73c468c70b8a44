//! Floor 2: the election's clock. A calendar of windows, and a pure state machine over it: `now` and a few facts in, what
//! the public is shown out, why, and when that changes next. No I/O, no clock, no words for people.

mod calendar;
#[cfg(test)]
mod oracle;
#[cfg(test)]
pub mod specimen;
mod state;

pub use calendar::{Calendar, CalendarFault, Closed, Fault, OnInterrupted, Window};
pub use state::{Facts, Reason, Said, Shown, State, Step, step};
