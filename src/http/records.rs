//! Records of TLS once the handshake is done, sealed and opened where they lie: TLS 1.3 (RFC 8446, 5), and TLS 1.2 with AEAD
//! alone (RFC 5246, 6.2.3.3; RFC 5288; RFC 7905). The keys and all that made them are rustls's. No I/O.

use std::io::IoSlice;

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use rustls::{ConnectionTrafficSecrets, ProtocolVersion};

/// Content types (RFC 8446, 5.1).
pub const ALERT: u8 = 21;
pub const HANDSHAKE: u8 = 22;
pub const DATA: u8 = 23;

/// Bytes of what a record says of itself.
const HEADER: usize = 5;
/// Bytes of text in a record at most (RFC 8446, 5.1).
pub const TEXT_MAX: usize = 1 << 14;
/// Bytes that a record may be longer than its text (RFC 5246, 6.2.3).
const BEYOND_MAX: usize = 2048;
/// The same in TLS 1.3 (RFC 8446, 5.2).
const BEYOND_MAX_13: usize = 256;
/// Bytes of a whole record at most.
pub const RECORD_MAX: usize = HEADER + TEXT_MAX + BEYOND_MAX;
/// Bytes of a tag: the same for all three ciphers.
const TAG: usize = 16;
/// Bytes of the nonce that AES-GCM sends along in TLS 1.2 (RFC 5288, 3).
const EXPLICIT: usize = 8;
/// Bytes that a record of ours is longer than its text, at most.
pub const OVERHEAD: usize = HEADER + EXPLICIT + 1 + TAG;
/// A piece that is so large is worth a record that ends with it, for then it need not be copied.
const WHOLE_MIN: usize = 12 << 10;
/// Bytes of what comes behind it and goes with it at most: the head of a frame, or those of a response.
const BEHIND_MAX: usize = 512;
/// Records under one key: AES-GCM is safe for 2^24.5 of full size (RFC 8446, 5.5).
const RECORDS_MAX: u64 = 1 << 24;

/// Why a connection cannot go on; the alert that says so (RFC 8446, 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Unexpected = 10,
    BadRecord = 20,
    Overflow = 22,
    /// What has no words of its own, such as a key that is used up.
    Internal = 80,
}

/// How a nonce is made, and what is signed beside the text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Thirteen,
    TwelveExplicit,
    Twelve,
}

/// The key of one direction, and how often it was used.
pub struct Key {
    key: LessSafeKey,
    iv: [u8; NONCE_LEN],
    used: u64,
    form: Form,
}

impl Key {
    /// `None` where the cipher is none of these three.
    pub fn new(version: ProtocolVersion, (used, secrets): (u64, ConnectionTrafficSecrets)) -> Option<Key> {
        let (algorithm, key, iv, is_gcm) = match &secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv, true),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv, true),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv, false),
            _ => return None,
        };
        let form = match (version, is_gcm) {
            (ProtocolVersion::TLSv1_3, _) => Form::Thirteen,
            (ProtocolVersion::TLSv1_2, true) => Form::TwelveExplicit,
            (ProtocolVersion::TLSv1_2, false) => Form::Twelve,
            _ => return None,
        };
        let key = LessSafeKey::new(UnboundKey::new(algorithm, key.as_ref()).ok()?);
        Some(Key { key, iv: iv.as_ref().try_into().ok()?, used, form })
    }

    pub fn is_thirteen(&self) -> bool {
        self.form == Form::Thirteen
    }

    /// It is time for another one.
    pub fn is_used_up(&self) -> bool {
        // Some are left for what has to be said then.
        self.used >= RECORDS_MAX - 16
    }

    /// Each nonce once: the number of the record over the vector (RFC 8446, 5.3; RFC 7905, 2). Where it is sent along, whoever
    /// began has his own vector, so ours is as good as any (RFC 5288, 3).
    fn nonce(&self) -> [u8; NONCE_LEN] {
        let mut nonce = self.iv;
        for (at, byte) in nonce[NONCE_LEN - 8..].iter_mut().zip(self.used.to_be_bytes()) {
            *at ^= byte;
        }
        nonce
    }

    /// Writes a record of the next `len` bytes of `text` to the beginning of `out`, and returns its length.
    pub fn seal(&mut self, kind: u8, text: &mut Pieces, len: usize, out: &mut [u8]) -> Result<usize, Fault> {
        if self.used >= RECORDS_MAX {
            return Err(Fault::Internal);
        }
        let (inner, explicit): (&[u8], usize) = match self.form {
            Form::Thirteen => (&[kind], 0),
            Form::TwelveExplicit => (&[], EXPLICIT),
            Form::Twelve => (&[], 0),
        };
        let payload = explicit + len + inner.len() + TAG;
        let out = out.get_mut(..HEADER + payload).ok_or(Fault::Internal)?;
        let nonce = self.nonce();
        let outer = if self.form == Form::Thirteen { DATA } else { kind };
        let header = header(outer, payload);
        let signed = self.signed(header, len);
        let (before, rest) = out.split_at_mut(HEADER + explicit);
        before[..HEADER].copy_from_slice(&header);
        before[HEADER..].copy_from_slice(&nonce[NONCE_LEN - explicit..]);
        let (nonce, signed) = (Nonce::assume_unique_for_key(nonce), Aad::from(signed.bytes()));
        let done = match text.whole(len) {
            // From where it lies; what is small behind it is sealed as its type is.
            Some((whole, 0)) => {
                let (sealed, end) = rest.split_at_mut(len);
                self.key.seal_out_of_place_scatter(nonce, signed, whole, sealed, inner, end)
            }
            Some((whole, behind)) => {
                let mut small = [0; BEHIND_MAX + 1];
                text.copy(&mut small[..behind]);
                small[behind..][..inner.len()].copy_from_slice(inner);
                let (sealed, end) = rest.split_at_mut(whole.len());
                let small = &small[..behind + inner.len()];
                self.key.seal_out_of_place_scatter(nonce, signed, whole, sealed, small, end)
            }
            None => {
                let (sealed, end) = rest.split_at_mut(len);
                text.copy(sealed);
                self.key.seal_in_place_scatter(nonce, signed, sealed, inner, end)
            }
        };
        self.used += 1;
        done.map_err(|_| Fault::Internal)?;
        Ok(HEADER + payload)
    }

    /// Opens a whole record where it lies: its content type, and its text.
    pub fn open<'r>(&mut self, record: &'r mut [u8]) -> Result<(u8, &'r [u8]), Fault> {
        let (head, payload) = record.split_first_chunk_mut::<HEADER>().ok_or(Fault::Unexpected)?;
        let kind = head[0];
        if self.form == Form::Thirteen {
            if kind != DATA {
                return Err(Fault::Unexpected);
            }
            if payload.len() > TEXT_MAX + BEYOND_MAX_13 {
                return Err(Fault::Overflow);
            }
        } else if head[1..3] != [3, 3] {
            // It is signed as what it has to be.
            return Err(Fault::Unexpected);
        }
        let mut nonce = self.nonce();
        let payload = match self.form {
            Form::TwelveExplicit => {
                let (explicit, rest) = payload.split_first_chunk_mut::<EXPLICIT>().ok_or(Fault::BadRecord)?;
                nonce[NONCE_LEN - EXPLICIT..].copy_from_slice(explicit);
                rest
            }
            _ => payload,
        };
        let len = payload.len().checked_sub(TAG).ok_or(Fault::BadRecord)?;
        let signed = self.signed(*head, len);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = self.key.open_in_place(nonce, Aad::from(signed.bytes()), payload).map_err(|_| Fault::BadRecord)?;
        self.used = self.used.checked_add(1).ok_or(Fault::Internal)?;
        let (kind, text) = match self.form {
            // With the byte of its type; what hides its length counts, too.
            Form::Thirteen if opened.len() > TEXT_MAX + 1 => return Err(Fault::Overflow),
            Form::Thirteen => {
                // Behind the text its type, and zeros to hide its length (RFC 8446, 5.4).
                let end = opened.iter().rposition(|byte| *byte != 0).ok_or(Fault::Unexpected)?;
                (opened[end], &opened[..end])
            }
            _ => (kind, &*opened),
        };
        if text.len() > TEXT_MAX { Err(Fault::Overflow) } else { Ok((kind, text)) }
    }

    fn signed(&self, header: [u8; HEADER], len: usize) -> Signed {
        let mut all = [0; 8 + HEADER];
        let bytes = if self.form == Form::Thirteen { HEADER } else { 8 + HEADER };
        if self.form == Form::Thirteen {
            all[..HEADER].copy_from_slice(&header);
        } else {
            all[..8].copy_from_slice(&self.used.to_be_bytes());
            all[8..].copy_from_slice(&self::header(header[0], len));
        }
        Signed { all, bytes }
    }
}

/// What is signed beside the text.
struct Signed {
    all: [u8; 8 + HEADER],
    bytes: usize,
}

impl Signed {
    fn bytes(&self) -> &[u8] {
        &self.all[..self.bytes]
    }
}

fn header(kind: u8, len: usize) -> [u8; HEADER] {
    let [high, low] = (len as u16).to_be_bytes();
    [kind, 3, 3, high, low]
}

/// The length of the record that `bytes` begin with, once they tell it.
pub fn length(bytes: &[u8]) -> Result<Option<usize>, Fault> {
    let Some([_, _, _, high, low]) = bytes.first_chunk::<HEADER>() else { return Ok(None) };
    let len = HEADER + usize::from(u16::from_be_bytes([*high, *low]));
    if len > RECORD_MAX { Err(Fault::Overflow) } else { Ok(Some(len)) }
}

/// Text in pieces, of which some is gone already.
pub struct Pieces<'p> {
    pieces: &'p [IoSlice<'p>],
    /// Of the first of them.
    gone: usize,
    left: usize,
}

impl<'p> Pieces<'p> {
    pub fn new(pieces: &'p [IoSlice<'p>]) -> Pieces<'p> {
        Pieces { pieces, gone: 0, left: pieces.iter().map(|piece| piece.len()).sum() }
    }

    pub fn left(&self) -> usize {
        self.left
    }

    /// Bytes of text that the next record had best have: a large piece, and what is small behind it; or what is small up to there.
    pub fn record(&mut self) -> usize {
        self.skip();
        let Some((first, others)) = self.pieces.split_first() else { return 0 };
        let mut len = first.len() - self.gone;
        if len >= WHOLE_MIN {
            let behind = others.first().map_or(0, |behind| behind.len());
            let is_small = behind <= BEHIND_MAX && len + behind <= TEXT_MAX;
            return if is_small { len + behind } else { len.min(TEXT_MAX) };
        }
        for piece in others.iter().take_while(|piece| piece.len() < WHOLE_MIN) {
            len += piece.len();
        }
        len.min(TEXT_MAX)
    }

    /// What is over has no place any more.
    fn skip(&mut self) {
        while let [first, rest @ ..] = self.pieces
            && self.gone == first.len()
        {
            (self.pieces, self.gone) = (rest, 0);
        }
    }

    /// The next `len` bytes, if they lie in one piece; or all but so many of them, if the piece is large and they are few.
    fn whole(&mut self, len: usize) -> Option<(&'p [u8], usize)> {
        self.skip();
        let piece = self.pieces.first()?.get(self.gone..)?;
        let whole = piece.get(..len).unwrap_or(piece);
        let behind = len - whole.len();
        if behind > 0 && (whole.len() < WHOLE_MIN || behind > BEHIND_MAX) {
            return None;
        }
        self.gone += whole.len();
        self.left -= whole.len();
        Some((whole, behind))
    }

    /// The same where they do not.
    fn copy(&mut self, mut to: &mut [u8]) {
        while !to.is_empty()
            && let Some(first) = self.pieces.first()
        {
            let len = to.len().min(first.len() - self.gone);
            let (now, rest) = std::mem::take(&mut to).split_at_mut(len);
            now.copy_from_slice(&first[self.gone..self.gone + len]);
            to = rest;
            self.gone += len;
            self.left -= len;
            if self.gone == first.len() {
                (self.pieces, self.gone) = (&self.pieces[1..], 0);
            }
        }
    }
}
