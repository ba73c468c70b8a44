//! Floor 2: the notebook, write side. What went wrong on the night (`incidents`), and how much of everything there was
//! (`metrics`). Whoever writes here never fails by it and never waits long; who reads it is somebody else's affair.

pub mod incidents;
mod kinds;
mod lanes;
pub mod metrics;
mod metrics_table;
mod rate;

pub use incidents::{Incident, Journal};
pub use kinds::{Kind, Severity, TABLE, kind};
pub use metrics::{Fetched, Metrics, Package, Step};
pub use metrics_table::TABLE as METRICS;
pub use rate::Rate;
