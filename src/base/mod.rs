//! Floor 0: digests, units, clock, disk. No idea of elections, and nothing from the floors above.

pub mod digest;
pub mod disk;
pub mod pool;
pub mod shown;
