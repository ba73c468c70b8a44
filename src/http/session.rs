//! What a TLS connection keeps once its handshake is done: two keys, and what of a record or an answer is not whole. No I/O.
//!
//! rustls shakes hands, and derives the keys that follow (its `kernel` interface, made for kTLS); records are ours, so that a
//! response is sealed straight into what is sent, and a connection that is idle holds no buffer.

use rustls::kernel::KernelConnection;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::{Error, ProtocolVersion};

use super::records::{self, ALERT, DATA, Fault, HANDSHAKE, Key, OVERHEAD, Pieces, TEXT_MAX};

/// Text that is sealed at once: what one write takes.
pub const SEALED_MAX: usize = 4 * TEXT_MAX;
/// Room for it: before and behind each large piece, what is small may have a record of its own.
pub const OUT_BYTES: usize = SEALED_MAX + 16 * OVERHEAD;

/// Records one after the other that bring nothing: rustls allows as many.
const EMPTY_MAX: u8 = 32;
/// New keys that a client may ask for: nobody needs one in the hours that a connection lasts.
const RENEWALS_MAX: u8 = 32;
/// Warnings of TLS 1.2 that are passed over.
const WARNINGS_MAX: u8 = 4;

/// Alerts (RFC 8446, 6).
const WARNING: u8 = 1;
const FATAL: u8 = 2;
const CLOSE_NOTIFY: u8 = 0;
const USER_CANCELED: u8 = 90;
/// RFC 5246, 7.2.2: asked to shake hands anew, we would rather not.
const NO_RENEGOTIATION: u8 = 100;
/// A whole KeyUpdate (RFC 8446, 4.6.3) but for its last byte.
const KEY_UPDATE: [u8; 4] = [24, 0, 0, 1];

/// See above.
pub struct Session {
    own: Key,
    client: Key,
    kernel: KernelConnection<ServerConnectionData>,
    /// Beginning of a record.
    pub sealed: Vec<u8>,
    /// Text that whoever reads had no room for.
    opened: Vec<u8>,
    /// And how much of it has been read.
    read: usize,
    /// Sealed, and not sent.
    pub unsent: Vec<u8>,
    empty: u8,
    renewals: u8,
    warnings: u8,
    /// The client has said that nothing more comes.
    pub is_over: bool,
    has_said_close: bool,
    /// What ended it, where that is not told yet.
    fault: Option<Fault>,
}

impl Session {
    /// After the handshake of `tls`, behind which `sealed` has come, and which has left `unsent`.
    pub fn new(tls: UnbufferedServerConnection, sealed: Vec<u8>, unsent: Vec<u8>) -> Result<Session, Error> {
        let (secrets, kernel) = tls.dangerous_into_kernel_connection()?;
        let version = kernel.protocol_version();
        let unknown = || Error::General("a cipher that the records do not know".into());
        Ok(Session {
            own: Key::new(version, secrets.tx).ok_or_else(unknown)?,
            client: Key::new(version, secrets.rx).ok_or_else(unknown)?,
            kernel,
            sealed,
            opened: Vec::new(),
            read: 0,
            unsent,
            empty: 0,
            renewals: 0,
            warnings: 0,
            is_over: false,
            has_said_close: false,
            fault: None,
        })
    }

    /// Text that waits to be read.
    pub fn opened(&self) -> &[u8] {
        &self.opened[self.read..]
    }

    pub fn has_read(&mut self, bytes: usize) {
        self.read += bytes;
        if self.read == self.opened.len() {
            (self.opened, self.read) = (Vec::new(), 0);
        }
    }

    /// Opens the records that `bytes` begin with while `take` has room for text, of which it returns how much it has taken.
    /// Returns how many bytes are done with. A fault behind text that was taken is told the next time.
    pub fn open(&mut self, bytes: &mut [u8], mut take: impl FnMut(&[u8]) -> usize) -> Result<usize, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let (mut done, mut taken) = (0, 0);
        while self.opened.is_empty() && !self.is_over {
            let rest = &mut bytes[done..];
            let opened = self.open_one(rest, |text| {
                let now = take(text);
                taken += now;
                now
            });
            match opened {
                Ok(0) => return Ok(done),
                Ok(len) => done += len,
                Err(fault) => {
                    // Nothing is opened any more: else whoever meddles could try as often as he likes.
                    self.fault = Some(fault);
                    return if taken == 0 { Err(fault) } else { Ok(bytes.len()) };
                }
            }
        }
        // What comes behind the end is nothing (RFC 8446, 6.1).
        Ok(if self.is_over { bytes.len() } else { done })
    }

    /// The length of the record that it has opened, or 0 where that is not whole.
    fn open_one(&mut self, bytes: &mut [u8], take: impl FnOnce(&[u8]) -> usize) -> Result<usize, Fault> {
        let Some(len) = records::length(bytes)? else { return Ok(0) };
        let Some(record) = bytes.get_mut(..len) else { return Ok(0) };
        let (kind, text) = self.client.open(record)?;
        self.empty = if text.is_empty() { self.empty + 1 } else { 0 };
        match kind {
            _ if self.empty > EMPTY_MAX => return Err(Fault::Unexpected),
            DATA => {
                let taken = take(text);
                self.opened.extend_from_slice(&text[taken..]);
            }
            ALERT => self.alerted(text)?,
            HANDSHAKE if !self.client.is_thirteen() => {
                self.warned()?;
                self.say(ALERT, &[WARNING, NO_RENEGOTIATION])?;
            }
            // Alone in its record: nothing else comes under the old key.
            HANDSHAKE => match text.split_last() {
                Some((asked @ 0..=1, update)) if *update == KEY_UPDATE => self.renewed(*asked == 1)?,
                _ => return Err(Fault::Unexpected),
            },
            _ => return Err(Fault::Unexpected),
        }
        Ok(len)
    }

    fn alerted(&mut self, text: &[u8]) -> Result<(), Fault> {
        match text {
            [_, CLOSE_NOTIFY] => self.is_over = true,
            [_, USER_CANCELED] => self.warned()?,
            [WARNING, _] if !self.client.is_thirteen() => self.warned()?,
            _ => {
                // It is over, and nobody listens.
                self.has_said_close = true;
                return Err(Fault::Unexpected);
            }
        }
        Ok(())
    }

    fn warned(&mut self) -> Result<(), Fault> {
        self.warnings += 1;
        if self.warnings > WARNINGS_MAX { Err(Fault::Unexpected) } else { Ok(()) }
    }

    /// The client has new keys, and perhaps wants us to have some too.
    fn renewed(&mut self, asked: bool) -> Result<(), Fault> {
        self.renewals += 1;
        if self.renewals > RENEWALS_MAX {
            return Err(Fault::Unexpected);
        }
        let secrets = self.kernel.update_rx_secret().map_err(|_| Fault::Internal)?;
        self.client = Key::new(ProtocolVersion::TLSv1_3, secrets).ok_or(Fault::Internal)?;
        if asked { self.renew() } else { Ok(()) }
    }

    /// New keys of our own (RFC 8446, 4.6.3).
    fn renew(&mut self) -> Result<(), Fault> {
        self.say(HANDSHAKE, &[&KEY_UPDATE[..], &[0]].concat())?;
        let secrets = self.kernel.update_tx_secret().map_err(|_| Fault::Internal)?;
        self.own = Key::new(ProtocolVersion::TLSv1_3, secrets).ok_or(Fault::Internal)?;
        Ok(())
    }

    /// Seals what is no data; it goes before all else.
    fn say(&mut self, kind: u8, text: &[u8]) -> Result<(), Fault> {
        let mut out = [0; 64];
        let text = [std::io::IoSlice::new(text)];
        let mut text = Pieces::new(&text);
        let left = text.left();
        let len = self.own.seal(kind, &mut text, left, &mut out)?;
        self.unsent.extend_from_slice(&out[..len]);
        Ok(())
    }

    /// Seals text into `out`, at most [`SEALED_MAX`] bytes of it, behind whatever is unsent. Returns how many bytes of text, and of
    /// `out`.
    pub fn seal(&mut self, text: &[std::io::IoSlice], out: &mut [u8]) -> Result<(usize, usize), Fault> {
        // Behind the last word nothing is said (RFC 8446, 6.1).
        if self.has_said_close {
            return Err(Fault::Internal);
        }
        if self.own.is_used_up() {
            // TLS 1.2 has no new key: what is left of this one is for the last word.
            if self.own.is_thirteen() { self.renew()? } else { return Err(Fault::Internal) }
        }
        let mut pieces = Pieces::new(text);
        let (all, mut written) = (pieces.left(), 0);
        loop {
            let taken = all - pieces.left();
            let free = out.get_mut(written..).ok_or(Fault::Internal)?;
            let len = pieces.record().min(SEALED_MAX - taken).min(free.len().saturating_sub(OVERHEAD));
            if len == 0 {
                return Ok((taken, written));
            }
            written += self.own.seal(DATA, &mut pieces, len, free)?;
        }
    }

    /// Says that nothing more comes.
    pub fn close(&mut self) {
        if !std::mem::replace(&mut self.has_said_close, true) {
            // A key that is used up says nothing any more.
            let _ = self.say(ALERT, &[WARNING, CLOSE_NOTIFY]);
        }
    }

    /// Says why it cannot go on.
    pub fn refuse(&mut self, fault: Fault) {
        if !std::mem::replace(&mut self.has_said_close, true) {
            let _ = self.say(ALERT, &[FATAL, fault as u8]);
        }
    }
}
