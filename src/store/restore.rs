//! A corte read back from the vault. Every byte is hashed again; what does not hold is made from its own compressed
//! copy, or its second copy, if that holds.

use std::io::{self, Read};

use bytes::Bytes;

use super::coded::Codings;
use super::ledger::{CORTE, Entry, Ledger, SIGNATURE, SUMS, twice};
use crate::base::digest::Digest;
use crate::base::pool;
use crate::corte::{CorteId, File, Limits};

/// What lay in the vault: the files as the list names them, hashed now. Nothing is proven by that alone.
#[derive(Debug)]
pub struct Restored {
    pub corte_json: Bytes,
    pub sums: Bytes,
    pub signature: Option<Bytes>,
    pub files: Vec<File>,
    /// What did not hold and was made from its compressed copy: to be put back.
    pub mended: Vec<(Digest, Bytes)>,
}

/// A corte that cannot be read back whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("corte {corte}: {what}: {why}")]
pub struct Unusable {
    pub corte: CorteId,
    pub what: String,
    pub why: String,
    /// What lies under this name is not what it says, or cannot be read.
    pub blob: Option<Digest>,
}

impl Ledger {
    /// Reads a corte back on all cores. What `known` has is in memory and was hashed before.
    pub fn restore(
        &self,
        entry: &Entry,
        limits: &Limits,
        known: &(dyn Fn(&Digest) -> Option<Bytes> + Sync),
    ) -> Result<Restored, Unusable> {
        let unusable = |what: &str, why: &dyn std::fmt::Display, blob| {
            let (corte, what, why) = (entry.corte, what.to_owned(), why.to_string());
            Unusable { corte, what, why, blob }
        };
        let metadata = |name: &str, most: u64| {
            let path = self.at(entry.corte).join(name);
            let read = twice(|| self.disk.read(&path, most));
            read.map(Bytes::from).map_err(|error| unusable(name, &error, None))
        };
        let corte_json = metadata(CORTE, limits.corte_json_bytes)?;
        let (sums, list) = self.list(entry, limits.sums_bytes).map_err(|error| unusable(SUMS, &error, None))?;
        let signature = match &entry.facts.signer {
            Some(_) => Some(metadata(SIGNATURE, limits.signature_bytes)?),
            None => None,
        };
        let read = |(): &mut (), n: usize| {
            let (path, digest) = &list.files[n];
            let (bytes, is_mended) = match known(digest) {
                Some(bytes) => (bytes, false),
                None => self
                    .blob(digest, entry.facts.bytes)
                    .map_err(|error| unusable(&format!("sitio/{path}"), &error, Some(*digest)))?,
            };
            Ok((File { path: path.clone(), digest: *digest, bytes }, is_mended))
        };
        let read: Vec<(File, bool)> = pool::each(list.files.len(), || (), read)?;
        let mended = read.iter().filter(|(_, is_mended)| *is_mended);
        let mended = mended.map(|(file, _)| (file.digest, file.bytes.clone())).collect();
        let files = read.into_iter().map(|(file, _)| file).collect();
        Ok(Restored { corte_json, sums, signature, files, mended })
    }

    /// A blob of at most so many bytes, hashed, and whether it had to be made from its compressed copy.
    fn blob(&self, digest: &Digest, most: u64) -> io::Result<(Bytes, bool)> {
        let fault = match twice(|| self.blobs.get(digest, most)) {
            Ok(bytes) if Digest::of(&bytes) == *digest => return Ok((bytes.into(), false)),
            Ok(bytes) => io::Error::other(format!("the {} bytes in the vault are not those of {digest}", bytes.len())),
            Err(error) => error,
        };
        let mended = Codings::get(&self.coded, digest).and_then(|Codings { bodies, copy, .. }| {
            let made = bodies.iter().enumerate().filter_map(|(n, body)| decoded(n, &body.as_ref()?.body, most));
            made.map(Bytes::from).chain(copy).find(|bytes| Digest::of(bytes) == *digest)
        });
        mended.map(|bytes| (bytes, true)).ok_or(fault)
    }
}

/// Undoes coding number `n` of `Codings`.
fn decoded(n: usize, body: &Bytes, most: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = match n {
        0 => flate2::read::GzDecoder::new(&body[..]).take(most).read_to_end(&mut bytes),
        1 => brotli::Decompressor::new(&body[..], 64 << 10).take(most).read_to_end(&mut bytes),
        _ => zstd::Decoder::with_buffer(&body[..]).ok()?.take(most).read_to_end(&mut bytes),
    };
    read.ok().map(|_| bytes)
}
