//! What both sides have set (RFC 9113, 6.5).

use super::flow::WINDOW_MAX;
use super::frame::{self, Fault, HEAD_BYTES, Head, PAYLOAD_MAX_BYTES, Reason};
use crate::http::connection::HEAD_MAX_BYTES;

/// Streams that a client may have open at once (RFC 9113, 6.5.2, advises at least 100).
pub const STREAMS_MAX: usize = 128;

const HEADER_TABLE_SIZE: u16 = 1;
const ENABLE_PUSH: u16 = 2;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;
const MAX_HEADER_LIST_SIZE: u16 = 6;
const ENTRY_BYTES: usize = 6;
/// The largest frames that may be asked for.
const FRAME_LIMIT: u32 = (1 << 24) - 1;

/// Ours; what is not in it is as RFC 9113 begins: a window of 65,535 bytes, frames of 16 KiB, a table of 4 KiB.
pub fn write_ours(out: &mut Vec<u8>) {
    let ours = [(MAX_CONCURRENT_STREAMS, STREAMS_MAX), (MAX_HEADER_LIST_SIZE, HEAD_MAX_BYTES)];
    Head { len: ours.len() * ENTRY_BYTES, kind: frame::SETTINGS, flags: 0, stream: 0 }.write(out);
    for (name, value) in ours {
        out.extend_from_slice(&name.to_be_bytes());
        out.extend_from_slice(&(value as u32).to_be_bytes());
    }
    debug_assert!(out.len() >= HEAD_BYTES);
}

/// The client's, as far as they bind us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    pub window: i64,
    pub payload_max: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { window: 65_535, payload_max: PAYLOAD_MAX_BYTES }
    }
}

impl Settings {
    /// Takes a payload. `table` is told of every size of the table in it, for the smallest one counts too (RFC 7541, 4.2).
    pub fn take(&mut self, payload: &[u8], mut table: impl FnMut(usize)) -> Result<(), Fault> {
        let (entries, []) = payload.as_chunks::<ENTRY_BYTES>() else {
            return Err(Fault::Connection(Reason::FrameSize));
        };
        for [a, b, value @ ..] in entries {
            let value = u32::from_be_bytes(*value);
            match u16::from_be_bytes([*a, *b]) {
                HEADER_TABLE_SIZE => table(value as usize),
                ENABLE_PUSH if value > 1 => return Err(Fault::Connection(Reason::Protocol)),
                INITIAL_WINDOW_SIZE if i64::from(value) > WINDOW_MAX => {
                    return Err(Fault::Connection(Reason::FlowControl));
                }
                INITIAL_WINDOW_SIZE => self.window = i64::from(value),
                MAX_FRAME_SIZE if !(PAYLOAD_MAX_BYTES as u32..=FRAME_LIMIT).contains(&value) => {
                    return Err(Fault::Connection(Reason::Protocol));
                }
                MAX_FRAME_SIZE => self.payload_max = value as usize,
                // MAX_CONCURRENT_STREAMS is for pushes, which there are none of; what is unknown is ignored.
                _ => {}
            }
        }
        Ok(())
    }
}
