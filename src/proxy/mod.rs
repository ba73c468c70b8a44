//! Floor 5: the corridor to an origin, with its cache. Here stands its pure core: what RFC 9111 says of fields, ages and
//! stored responses, as functions over [`http::HeaderMap`]. No I/O and no clock: `now` comes in, decisions go out.
//! Times are seconds since 1970 by the clock of this machine, ages and lifetimes seconds.

pub mod directives;
pub mod freshness;
pub mod hops;
pub mod list;
pub mod request;
pub mod reuse;
pub mod status;
pub mod storable;
pub mod structured;
pub mod vary;

/// The most that a number of seconds in a field counts as (RFC 9111, 1.2.2): 2^31, 68 years.
pub const SECONDS_MOST: u32 = 1 << 31;
