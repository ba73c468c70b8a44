//! Floor 10: readers, simulated: what a night costs in requests and bytes, and how late anybody sees a corte.
//!
//! [`crowd`] is the pure core: readers with their caches ([`keep`]), when they come ([`curve`]), what each asks for next. It
//! knows no network and no clock, so a night can be simulated in no time (`benches/bytes`). [`run`] lets it loose on a
//! real server, over HTTP/1.1 ([`line`]) and HTTP/2 ([`streams`]), and [`bodies`] proves every body that comes.

pub mod bodies;
mod connect;
pub mod crowd;
pub mod curve;
mod decode;
pub mod keep;
mod line;
pub mod plan;
mod report;
mod request;
mod run;
pub mod said;
pub mod seen;
mod streams;
mod tally;
#[cfg(test)]
mod tests;

pub use connect::{Door, DoorFault};
pub use report::Report;
pub use run::{Progress, Run};
