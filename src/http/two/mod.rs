//! HTTP/2 (RFC 9113) for whoever asks us: frames, header compression, streams and flow control of our own. GET and HEAD of the
//! edition and what lies ready in the corridor are answered from blocks that are there; what has to be waited for is an exchange of
//! the same connection.
//!
//! `connection` is the core: bytes in, bytes out, no I/O and no clock. `serve` drives it.

mod answers;
mod book;
pub mod connection;
pub(super) mod exchange;
pub mod flow;
pub mod frame;
mod frames;
pub mod fuzz;
pub mod guard;
pub mod head;
pub mod hpack;
mod outbox;
mod packed;
mod sending;
mod serve;
pub mod settings;
mod streams;
#[cfg(test)]
mod table;
mod wake;

#[cfg(test)]
pub use serve::drive;
pub use serve::serve;
