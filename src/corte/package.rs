//! A package in memory, and the type that proves it was verified.

use bytes::Bytes;

use super::Corte;
use crate::base::digest::Digest;

/// One published file: a path below `sitio/`, and its bytes.
#[derive(Clone, Debug)]
pub struct File {
    /// Relative to `sitio/`, `/`-separated, UTF-8, checked: `datos/total.json`.
    pub path: String,
    pub digest: Digest,
    pub bytes: Bytes,
}

/// A package whose signature, sums, paths and stamp have held. Made by `verify` alone.
#[derive(Debug)]
pub struct Verified {
    corte: Corte,
    files: Vec<File>,
    sums: Bytes,
    signature: Bytes,
    signer: String,
}

impl Verified {
    pub fn corte(&self) -> &Corte {
        &self.corte
    }

    /// Sorted by path.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// `SHA256SUMS`, byte for byte.
    pub fn sums(&self) -> &Bytes {
        &self.sums
    }

    /// `SHA256SUMS.sig`, byte for byte.
    pub fn signature(&self) -> &Bytes {
        &self.signature
    }

    /// The principal in the signers file whose key made the signature.
    pub fn signer(&self) -> &str {
        &self.signer
    }
}
