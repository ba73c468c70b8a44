//! Floor 0: clock, digests, units. No idea of elections, and nothing from the floors above.

pub mod clock;
pub mod digest;
pub mod units;
