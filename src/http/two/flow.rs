//! Windows (RFC 9113, 5.2 and 6.9): what may be sent, and what may still come.

/// The largest window there is (RFC 9113, 6.9.1).
pub const WINDOW_MAX: i64 = (1 << 31) - 1;
/// What a client may send unasked, on a stream and in all: the default (RFC 9113, 6.9.2). It bounds what bodies on their way to
/// origins hold of our memory, a connection.
pub const OURS_BYTES: i64 = 65_535;

/// A window was made larger than any may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overflow;

/// What may be sent; a change of settings may leave it below nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window(i64);

impl Window {
    pub fn new(bytes: i64) -> Window {
        Window(bytes)
    }

    pub fn room(&self) -> usize {
        usize::try_from(self.0).unwrap_or(0)
    }

    pub fn take(&mut self, bytes: usize) {
        self.0 -= bytes as i64;
    }

    pub fn grow(&mut self, bytes: i64) -> Result<(), Overflow> {
        self.0 += bytes;
        if self.0 > WINDOW_MAX { Err(Overflow) } else { Ok(()) }
    }
}

/// What may still come, and what of it has gone on since we last said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    left: i64,
    freed: i64,
}

impl Default for Room {
    fn default() -> Room {
        Room { left: OURS_BYTES, freed: 0 }
    }
}

impl Room {
    /// So much has come; an error where it is more than was allowed.
    pub fn came(&mut self, bytes: usize) -> Result<(), Overflow> {
        self.left -= bytes as i64;
        if self.left < 0 { Err(Overflow) } else { Ok(()) }
    }

    /// Whether so much may come without another word from us.
    pub fn holds(&self, bytes: u64) -> bool {
        i64::try_from(bytes).is_ok_and(|bytes| bytes <= self.left)
    }

    /// So much is no longer held by us.
    pub fn free(&mut self, bytes: usize) {
        self.freed += bytes as i64;
    }

    /// What is to be said, once it is worth a frame: half of the window.
    pub fn to_say(&mut self) -> Option<u32> {
        if self.freed * 2 < OURS_BYTES {
            return None;
        }
        let bytes = std::mem::take(&mut self.freed);
        self.left += bytes;
        u32::try_from(bytes).ok()
    }
}
