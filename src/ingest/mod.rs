//! Floor 5: the operator. Watches the incoming folder, admits packages, and is the only one who changes what is live.
//!
//! `watch` (inotify) wakes the loop of `operator`, whose `desk` looks (`incoming`), decides when to try (`room`), has
//! packages verified (`take`), asks `admission`, sees to it that there is room (`space`), builds a snapshot and publishes it (`stage`); `improve` compresses it
//! better in the background, in the order of `plan`.
//! `source` fetches packages from elsewhere and hands them over (`handle`).

pub mod admission;
mod decide;
mod descent;
mod desk;
mod gate;
mod handle;
mod improve;
mod incoming;
mod news;
mod occasion;
mod operator;
mod plan;
mod quarantine;
mod report;
mod room;
pub mod source;
mod space;
mod stage;
mod staging;
mod take;
mod transport;
mod watch;

pub use admission::ContentCheck;
pub use desk::{Desk, Intake};
pub use gate::{Gate, Plan, Waiting};
pub use handle::{Arrival, Handle, Outcome, Reply, Wish, WishFault};
pub use operator::{Event, Operator, StartFault};
pub use plan::Differing;
pub use report::{Came, Dates, Happening, Made, Reporter, Took, to_log};
pub use source::Sources;
pub use staging::{ASK_EVERY_BYTES, Staging};
pub use transport::{Complete, Corrections, Transport};
