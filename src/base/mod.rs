//! Floor 0: clock, disk, digests, units, a pool of threads. No idea of elections, and nothing from the floors above.

pub mod back;
pub mod clock;
#[expect(unsafe_code, reason = "one option of one socket, which no maintained crate sets")]
pub mod deferred;
pub mod digest;
pub mod digests;
pub mod disk;
#[expect(unsafe_code, reason = "memory that is a file: mapping it cannot be proven safe by anybody but who seals it")]
pub mod filed;
pub mod link;
pub mod months;
pub mod network;
pub mod origin;
pub mod pattern;
pub mod pool;
pub mod quota;
pub mod range;
pub mod reckoning;
pub mod rng;
pub mod shown;
#[expect(unsafe_code, reason = "one call of the kernel, which no maintained crate wraps")]
mod timex;
#[expect(unsafe_code, reason = "two calls of the kernel, which no maintained crate wraps")]
pub mod turns;
#[expect(unsafe_code, reason = "the same: one number of one socket")]
pub mod unacknowledged;
pub mod units;
