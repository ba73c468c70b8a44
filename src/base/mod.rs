//! Floor 0: clock, disk, digests, units, a pool of threads. No idea of elections, and nothing from the floors above.

pub mod clock;
pub mod digest;
pub mod digests;
pub mod disk;
pub mod link;
pub mod months;
pub mod network;
pub mod pattern;
pub mod pool;
pub mod quota;
pub mod range;
pub mod reckoning;
pub mod rng;
pub mod shown;
#[expect(unsafe_code, reason = "one call of the kernel, which no maintained crate wraps")]
mod timex;
#[expect(unsafe_code, reason = "the same: one number of one socket")]
pub mod unacknowledged;
pub mod units;
