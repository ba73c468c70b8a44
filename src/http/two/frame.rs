//! Frames as they are on the wire (RFC 9113, 4 and 6): heads read and written, payloads without their padding.

/// What a client begins with (RFC 9113, 3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const HEAD_BYTES: usize = 9;
/// The largest payload that we take, and the smallest that everybody has to (RFC 9113, 6.5.2): a larger one would be a buffer a
/// connection, and nothing would be the faster for it.
pub const PAYLOAD_MAX_BYTES: usize = 16_384;
const RESERVED_BIT: u32 = 1 << 31;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const ACK: u8 = 0x1;
pub const END_STREAM: u8 = 0x1;
pub const END_HEADERS: u8 = 0x4;
pub const PADDED: u8 = 0x8;
pub const WITH_PRIORITY: u8 = 0x20;

/// Why something ends (RFC 9113, 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    NoError = 0x0,
    Protocol = 0x1,
    Internal = 0x2,
    FlowControl = 0x3,
    StreamClosed = 0x5,
    FrameSize = 0x6,
    RefusedStream = 0x7,
    Compression = 0x9,
    EnhanceYourCalm = 0xb,
}

/// What is wrong with what came, and how much ends with it (RFC 9113, 5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Connection(Reason),
    Stream(u32, Reason),
}

/// What stands before each payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub len: usize,
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
}

impl Head {
    /// `None` where there is not all of it yet.
    pub fn read(bytes: &[u8]) -> Option<Head> {
        let [a, b, c, kind, flags, stream @ ..] = bytes.first_chunk::<HEAD_BYTES>()?;
        let len = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        Some(Head { len, kind: *kind, flags: *flags, stream: u32::from_be_bytes(*stream) & !RESERVED_BIT })
    }

    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_bytes());
    }

    pub fn to_bytes(self) -> [u8; HEAD_BYTES] {
        let [_, a, b, c] = (self.len as u32).to_be_bytes();
        let [d, e, f, g] = self.stream.to_be_bytes();
        [a, b, c, self.kind, self.flags, d, e, f, g]
    }
}

/// The payload of DATA or HEADERS without padding (RFC 9113, 6.1 and 6.2).
pub fn unpadded<'p>(head: &Head, payload: &'p [u8]) -> Result<&'p [u8], Fault> {
    if !head.has(PADDED) {
        return Ok(payload);
    }
    let (padding, rest) = payload.split_first().ok_or(Fault::Connection(Reason::FrameSize))?;
    let len = rest.len().checked_sub(usize::from(*padding)).ok_or(Fault::Connection(Reason::Protocol))?;
    Ok(&rest[..len])
}

/// The number in a payload of four bytes, without its reserved bit.
pub fn number(payload: &[u8]) -> Option<u32> {
    <[u8; 4]>::try_from(payload).ok().map(|bytes| u32::from_be_bytes(bytes) & !RESERVED_BIT)
}

/// The stream that the priority fields at the head of `payload` depend on (RFC 9113, 6.3; the scheme itself is no longer used).
pub fn dependency(payload: &[u8]) -> Option<u32> {
    payload.get(..4).and_then(number)
}
