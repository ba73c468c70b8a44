//! Floor 6: the counter. Listeners, TLS, protocols, and the pure `answer` under all of them.
//!
//! A request: accept -> TLS -> protocol -> one load of what is shown -> `answer` -> `respond` -> vectored write.
//! Nothing here knows where what is shown comes from: no import of `store`, `ingest` or `corte`.

pub mod answer;
mod awaited;
mod body;
mod budget;
pub mod certificates;
pub mod clients;
pub mod conditional;
mod connection;
mod core;
mod counted;
mod dictionary;
mod early;
pub mod fields;
pub mod flight;
pub mod forwarded;
pub mod framing;
mod freshness;
mod gate;
#[cfg(test)]
mod hits;
mod host;
mod interjected;
mod introduced;
pub mod ladder;
mod last;
mod listen;
#[cfg(test)]
mod misses;
mod onward;
mod outbox;
mod passage;
#[cfg(test)]
mod passing;
pub mod patience;
mod plain;
pub mod preferred;
pub mod proxy_protocol;
pub mod recognise;
pub mod records;
mod respond;
mod rewound;
mod secure;
#[cfg(test)]
mod secured;
mod sent;
mod server;
mod service;
mod session;
mod socket;
mod straight;
pub mod target;
pub mod tickets;
pub mod tls;
mod tunnel;
mod turned_away;
#[cfg(test)]
mod twins;
pub mod two;
pub mod validity;
mod watch;

pub use body::Body;
pub use counted::Counted;
pub use freshness::{Freshness, Rhythm, Spread};
pub use listen::Listen;
pub use server::{Server, Settings, StartError};
pub use service::Site;
pub use watch::Meter;
