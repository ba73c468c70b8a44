//! Sources: packages that are fetched, each source by a thread of its own, so that one that hangs delays nobody.
//!
//! `pace` says when to poll and `exchange` what to ask and what an answer means, both pure; `fetch` does it, over the
//! `wire` that `client` is, and takes what arrives to the disk (`part`). The operator decides what becomes of it.

pub mod address;
mod client;
pub mod document;
pub mod exchange;
#[cfg(test)]
mod fake;
pub mod fault;
mod fetch;
pub mod fields;
mod name;
mod pace;
mod part;
pub mod proxy;
pub mod secure;
pub mod settings;
mod thread;
mod through;
mod wire;

#[cfg(test)]
mod tests;

pub use settings::Settings;
pub use thread::Sources;
