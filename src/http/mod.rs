//! Floor 6: the counter. Listeners, TLS, protocols, and the pure `answer` under all of them.
//!
//! A request: accept -> TLS -> protocol -> one load of what is shown -> `answer` -> `respond` -> vectored write.
//! Nothing here knows where what is shown comes from: no import of `store`, `ingest` or `corte`.

pub mod answer;
mod awaited;
mod batch;
mod body;
pub mod certificates;
pub mod clients;
pub mod conditional;
mod connection;
mod core;
mod dictionary;
pub mod fields;
pub mod framing;
mod freshness;
mod gate;
#[cfg(test)]
mod hits;
mod interjected;
mod listen;
mod multiplexed;
mod onward;
mod passage;
#[cfg(test)]
mod passing;
mod plain;
pub mod preferred;
pub mod recognise;
mod respond;
mod rewound;
mod sent;
mod server;
mod service;
mod streams;
pub mod target;
pub mod tickets;
pub mod tls;
mod tunnel;
#[cfg(test)]
mod twins;
mod watch;

pub use body::Body;
pub use freshness::{Freshness, Rhythm};
pub use listen::Listen;
pub use server::{Server, Settings, StartError};
pub use service::Site;
