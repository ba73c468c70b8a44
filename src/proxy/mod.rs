//! Floor 5: the corridor to an origin, with its cache. [`corridor`] is its door, [`upstream`] the way to an origin; the rest is
//! the pure core: what RFC 9111 says of fields, ages and
//! stored responses, as functions over [`http::HeaderMap`]. No I/O and no clock: `now` comes in, decisions go out.
//!
//! A request: [`request::Directives`] -> the stored responses that [`vary`] selects -> [`reuse::decide`] -> sent, or
//! validated with [`validate::ask`]. A response: [`storable::judge`] -> [`update::stored`] with [`freshness::Kept`]; a 304 or
//! the answer to HEAD goes through [`update`] and [`renew`], the rest of a body that broke off through [`partial`], a range
//! through [`cut`]. What happened is told by [`status`]. Times are seconds since 1970 by the clock of this machine, ages and lifetimes seconds.

mod ask;
mod coded;
mod come;
pub mod corridor;
mod cut;
pub mod directives;
pub mod failure;
mod fetch;
pub mod flight;
pub mod forward;
pub mod freshness;
pub mod fuzz;
pub mod growing;
pub mod hops;
pub mod instant;
pub mod interim;
pub mod invalidate;
pub mod key;
mod lines;
pub mod list;
mod partial;
mod pass;
mod press;
#[cfg(test)]
mod properties;
pub mod purge;
mod recent;
mod renew;
pub mod reply;
pub mod request;
pub mod reuse;
pub mod route;
pub mod status;
pub mod storable;
pub mod store;
mod stored;
pub mod straight;
pub mod structured;
mod tally;
#[cfg(test)]
mod tests;
mod told;
pub mod update;
pub mod upstream;
pub mod validate;
pub mod vary;
pub mod voice;
mod written;

/// The most that a number of seconds in a field counts as (RFC 9111, 1.2.2): 2^31, 68 years.
pub const SECONDS_MOST: u32 = 1 << 31;
