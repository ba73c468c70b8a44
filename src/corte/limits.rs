//! How large a package may be, and the meter that holds a reader to it while it reads.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use super::Refusal;
use crate::base::shown::Shown;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Bytes of a package once unpacked. Real sites are some MB; this still fits the memory of the machine in the call.
pub const TOTAL_BYTES: u64 = 2 * GIB;
/// Files and folders in a package. A page for each of a state's 10,000 casillas and its acta leaves room.
pub const FILES: usize = 100_000;
/// Bytes of one file. The largest real ones are CSV and ZIP files of some MB.
pub const FILE_BYTES: u64 = 512 * MIB;
/// Unpacked bytes for each packed byte. Real CSV and JSON stay below 40; bombs begin at 1,000.
pub const COMPRESSION_RATIO: u64 = 200;
/// Unpacked bytes below which the ratio is no concern: small archives of equal bytes are honest.
pub const RATIO_FLOOR: u64 = MIB;
/// Bytes of `corte.json`: a dozen short keys, and room for unknown ones.
pub const CORTE_JSON_BYTES: u64 = 64 * KIB;
/// Bytes of `SHA256SUMS`: 100,000 lines of some 300 bytes.
pub const SUMS_BYTES: u64 = 32 * MIB;
/// Bytes of `SHA256SUMS.sig`: an RSA signature of 4096 bits takes some 1.5 KB.
pub const SIGNATURE_BYTES: u64 = 16 * KIB;
/// Bytes of a path in a package, which become part of a URL.
pub const PATH_BYTES: usize = 1024;
/// Bytes of an archive around each entry at most: headers, long names, padding.
const AROUND_ENTRY: u64 = 8 * KIB;
/// Bytes of one segment of a path: what Linux file systems hold (NAME_MAX).
pub const SEGMENT_BYTES: usize = 255;

/// The limits that a package is held to while it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub total_bytes: u64,
    /// Folders count too.
    pub files: usize,
    pub file_bytes: u64,
    pub compression_ratio: u64,
    pub corte_json_bytes: u64,
    pub sums_bytes: u64,
    pub signature_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            total_bytes: TOTAL_BYTES,
            files: FILES,
            file_bytes: FILE_BYTES,
            compression_ratio: COMPRESSION_RATIO,
            corte_json_bytes: CORTE_JSON_BYTES,
            sums_bytes: SUMS_BYTES,
            signature_bytes: SIGNATURE_BYTES,
        }
    }
}

impl Limits {
    /// Bytes that an archive of such a package can have, packed or not.
    pub(super) fn archive_bytes(&self) -> u64 {
        self.total_bytes.saturating_add(AROUND_ENTRY.saturating_mul(self.files as u64 + 1))
    }
}

/// Counts what is read, by all threads together, and refuses at the first byte or entry too many.
pub(super) struct Meter<'a> {
    limits: &'a Limits,
    bytes: AtomicU64,
    entries: AtomicUsize,
}

impl<'a> Meter<'a> {
    pub fn new(limits: &'a Limits) -> Meter<'a> {
        Meter { limits, bytes: AtomicU64::new(0), entries: AtomicUsize::new(0) }
    }

    /// One more file or folder.
    pub fn entry(&self) -> Result<(), Refusal> {
        match self.entries.fetch_add(1, Relaxed) < self.limits.files {
            true => Ok(()),
            false => Err(Refusal::TooManyFiles { limit: self.limits.files }),
        }
    }

    /// `more` bytes of the file at `path`, of which `so_far` are read, those included.
    pub fn bytes(&self, path: &str, so_far: u64, more: u64) -> Result<(), Refusal> {
        if so_far > self.limits.file_bytes {
            return Err(Refusal::FileBytes { path: Shown::text(path), limit: self.limits.file_bytes });
        }
        match self.bytes.fetch_add(more, Relaxed).saturating_add(more) <= self.limits.total_bytes {
            true => Ok(()),
            false => Err(Refusal::TotalBytes { limit: self.limits.total_bytes }),
        }
    }

    /// `unpacked` bytes came out of at most `packed` bytes of `what`.
    pub fn ratio(&self, what: &str, packed: u64, unpacked: u64) -> Result<(), Refusal> {
        if unpacked > RATIO_FLOOR && unpacked / packed.max(1) > self.limits.compression_ratio {
            return Err(Refusal::CompressionRatio { path: Shown::text(what), limit: self.limits.compression_ratio });
        }
        Ok(())
    }
}
