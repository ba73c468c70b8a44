//! One file of a package on its way in: metered, hashed, kept.

use std::io::{self, Read};

use bytes::Bytes;

use super::Keep;
use crate::base::digest::{Digest, Hasher};
use crate::base::shown::Shown;
use crate::corte::limits::Meter;
use crate::corte::{Limits, Refusal, path};

/// Bytes read at a time: large enough that the system calls do not show, small enough for a cache.
const CHUNK: usize = 128 << 10;
/// Bytes of a file that is read at once: each thread holds one.
const AT_ONCE: u64 = 1 << 20;

/// The names of the files that say what a package is.
pub(super) const METADATA: [&str; 3] = ["corte.json", "SHA256SUMS", "SHA256SUMS.sig"];

/// A file as read. `metadata` holds the bytes of what may be `corte.json`, `SHA256SUMS` or its signature.
pub(crate) struct Entry<B> {
    pub path: String,
    pub digest: Digest,
    pub kept: B,
    pub metadata: Option<Bytes>,
}

/// One reading of one package, shared by its threads.
pub(super) struct Reading<'a, K> {
    pub limits: &'a Limits,
    pub meter: Meter<'a>,
    /// Whether it is a bare tree, in which no file says what the others are.
    pub is_bare: bool,
    keep: &'a K,
}

impl<'a, K: Keep> Reading<'a, K> {
    pub fn new(limits: &'a Limits, keep: &'a K) -> Reading<'a, K> {
        Reading { limits, meter: Meter::new(limits), is_bare: false, keep }
    }

    pub fn bare(limits: &'a Limits, keep: &'a K) -> Reading<'a, K> {
        Reading { is_bare: true, ..Reading::new(limits, keep) }
    }

    /// Counts an entry and checks its path.
    pub fn admit<'p>(&self, path: &'p [u8]) -> Result<&'p str, Refusal> {
        self.meter.entry()?;
        path::check(path)
    }

    /// Refuses a file whose announced size is beyond the limits, before a byte of it is read.
    pub fn announced(&self, path: &str, size: u64) -> Result<(), Refusal> {
        self.beyond_metadata(path, size)?;
        match size > self.limits.file_bytes {
            true => Err(Refusal::FileBytes { path: Shown::text(path), limit: self.limits.file_bytes }),
            false => Ok(()),
        }
    }

    /// Reads all of `from`, metered, hashing as it comes. `size` is a hint. `tick` is told how much came so far.
    pub fn stream(
        &self,
        path: String,
        size: u64,
        from: &mut impl Read,
        fault: impl Fn(&str, io::Error) -> Refusal,
        tick: impl Fn(u64) -> Result<(), Refusal>,
    ) -> Result<Entry<K::Kept>, Refusal> {
        let collects = K::BYTES || self.metadata_limit(&path).is_some();
        let hint = usize::try_from(size).unwrap_or(CHUNK);
        // A hint is not to be trusted with more memory than a chunk, but saves the copying of small files.
        let mut bytes = Vec::with_capacity(if collects { hint.min(CHUNK) } else { 0 });
        let mut chunk = vec![0; hint.saturating_add(1).min(CHUNK)];
        let (mut hasher, mut len) = (Hasher::default(), 0);
        loop {
            let n = match from.read(&mut chunk) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(fault(&path, error)),
            };
            len += n as u64;
            self.meter.bytes(&path, len, n as u64)?;
            self.beyond_metadata(&path, len)?;
            tick(len)?;
            hasher.update(&chunk[..n]);
            if collects {
                bytes.extend_from_slice(&chunk[..n]);
            }
        }
        Ok(self.done(path, hasher.finish(), len, bytes))
    }

    /// Reads all of a file that should have `size` bytes: a small one by one call to the disk, without a second buffer.
    pub fn file(&self, path: String, size: u64, from: &mut impl Read) -> Result<Entry<K::Kept>, Refusal> {
        if size > AT_ONCE {
            return self.stream(path, size, from, Refusal::unreadable, |_| Ok(()));
        }
        // One byte more is asked for: that it does not come shows that this was all.
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0) + 1];
        let read = loop {
            match from.read(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        bytes.truncate(read.map_err(|error| Refusal::unreadable(&path, error))?);
        if bytes.len() as u64 == size {
            self.meter.bytes(&path, size, size)?;
            return Ok(self.whole(path, bytes));
        }
        // Somebody writes to it, or it comes in pieces. What there is now is read; the sums will tell.
        self.stream(path, size, &mut bytes.chain(from), Refusal::unreadable, |_| Ok(()))
    }

    /// Reads all of a file of `size` bytes, metered, and leaves hashing to others.
    pub fn slurp(
        &self,
        path: &str,
        size: u64,
        from: &mut impl Read,
        fault: impl Fn(&str, io::Error) -> Refusal,
    ) -> Result<Vec<u8>, Refusal> {
        self.meter.bytes(path, size, size)?;
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        from.read_exact(&mut bytes).map_err(|error| fault(path, error))?;
        Ok(bytes)
    }

    /// Hashes a file that is in memory and metered.
    pub fn whole(&self, path: String, bytes: Vec<u8>) -> Entry<K::Kept> {
        let (digest, len) = (Digest::of(&bytes), bytes.len() as u64);
        self.done(path, digest, len, bytes)
    }

    fn done(&self, path: String, digest: Digest, len: u64, bytes: Vec<u8>) -> Entry<K::Kept> {
        let metadata = self.metadata_limit(&path).map(|_| Bytes::copy_from_slice(&bytes));
        let kept = self.keep.keep(&digest, len, bytes);
        Entry { path, digest, kept, metadata }
    }

    fn beyond_metadata(&self, path: &str, len: u64) -> Result<(), Refusal> {
        match self.metadata_limit(path) {
            Some(limit) if len > limit => Err(Refusal::MetadataBytes { path: Shown::text(path), limit }),
            _ => Ok(()),
        }
    }

    /// The limit of what may turn out, at the root or under a top folder, to say what the package is.
    fn metadata_limit(&self, path: &str) -> Option<u64> {
        let name = match path.split_once('/') {
            _ if self.is_bare => return None,
            Some(("sitio", _)) => return None,
            Some((_, name)) => name,
            None => path,
        };
        match name {
            "corte.json" => Some(self.limits.corte_json_bytes),
            "SHA256SUMS" => Some(self.limits.sums_bytes),
            "SHA256SUMS.sig" => Some(self.limits.signature_bytes),
            _ => None,
        }
    }
}
