//! Header compression of HTTP/2 (RFC 7541). Bytes in, fields out, and back; knows nothing of frames or of what fields mean
//! beyond the token that a known name has.
//!
//! Ours, not a crate's: fluke-hpack and loona-hpack, the ones that are kept, come from hpack-rs, whose decoder makes vectors of each
//! field, and whose encoder has no Huffman code. Here a request is decoded into one buffer that is used again, and a response is
//! copied from blocks that lie ready.

pub mod block;
pub mod decoder;
pub mod encoder;
mod fixed;
pub mod huffman;
pub mod integer;
#[cfg(test)]
mod tests;
pub mod token;

pub use block::Block;
pub use decoder::Decoder;
pub use encoder::{Encoder, Phrase};
pub use token::Token;

/// Both sides begin with tables of this many bytes (RFC 7541, 4.2; RFC 9113, 6.5.2). We keep to it: larger ones would be memory a
/// connection for fields that a poll sends once.
pub const TABLE_BYTES: usize = 4096;
/// What an entry counts beyond its bytes (RFC 7541, 4.1).
pub const ENTRY_BYTES: usize = 32;

/// The block is none; the tables of both sides are no longer the same (RFC 7541, 2.3.3, and RFC 9113, 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;
