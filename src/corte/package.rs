//! A package that was read, and the type that proves it was verified.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::preamble::Proven;
use super::sums::Sums;
use super::{Corte, Preamble, Refusal, Signers, Tipo};
use crate::base::digest::Digest;
use crate::base::shown::Shown;

/// How far a corte may be ahead of this machine's clock: what two clocks without NTP differ by.
const AHEAD_AT_MOST: SignedDuration = SignedDuration::from_mins(5);

/// One published file: a path below `sitio/`, and its bytes (or, where `B` is `u64`, how many).
#[derive(Clone, Debug)]
pub struct File<B = Bytes> {
    /// Relative to `sitio/`, `/`-separated, UTF-8, checked: `datos/total.json`.
    pub path: String,
    pub digest: Digest,
    pub bytes: B,
}

/// A package that was read within limits, its paths checked, every file hashed; nothing proven.
#[derive(Debug)]
pub struct Unverified<B = Bytes> {
    pub(super) preamble: Preamble,
    /// What lies below `sitio/`, sorted by path.
    pub(super) files: Vec<File<B>>,
    /// What belongs to no package, sorted.
    pub(super) extra: Vec<String>,
}

/// What must hold of a package besides its being whole and genuine.
#[derive(Clone, Debug)]
pub struct Expectations<'a> {
    /// The election that is configured; `None` takes any.
    pub eleccion: Option<String>,
    /// Whether the real thing or a drill is on; `None` takes either.
    pub tipo: Option<Tipo>,
    pub signers: &'a Signers,
    /// The principal that must have signed; `None` takes every one in the signers file.
    pub identity: Option<String>,
    /// The clock: keys must be valid now, and the corte not ahead of it.
    pub now: Timestamp,
}

/// A package whose signature, sums, paths and stamp have held. Made by `verify` alone.
#[derive(Debug)]
pub struct Verified<B = Bytes> {
    proven: Proven,
    files: Vec<File<B>>,
}

impl<B> Unverified<B> {
    /// The one way to a `Verified`.
    pub fn verify(self, expected: &Expectations<'_>) -> Result<Verified<B>, Refusal> {
        let proven = self.preamble.prove(expected)?;
        agree(&proven.list, &self.files, &self.extra)?;
        Ok(Verified { proven, files: self.files })
    }
}

/// Checks that the files are those of the list: none missing, none extra, none other. Both are sorted.
fn agree<B>(sums: &Sums, files: &[File<B>], extra: &[String]) -> Result<(), Refusal> {
    let missing = unmatched(sums.files.iter().map(|(path, _)| path), files.iter().map(|file| &file.path));
    if let Some((path, count)) = missing {
        return Err(Refusal::FileMissing { path: Shown::text(&format!("sitio/{path}")), count });
    }
    let unlisted = unmatched(files.iter().map(|file| &file.path), sums.files.iter().map(|(path, _)| path));
    if let Some((path, count)) = unlisted {
        let (path, count) = (Shown::text(&format!("sitio/{path}")), count + extra.len());
        return Err(Refusal::FileExtra { path, count });
    }
    if let Some(path) = extra.first() {
        return Err(Refusal::FileExtra { path: Shown::text(path), count: extra.len() });
    }
    match sums.files.iter().zip(files).find(|((_, digest), file)| *digest != file.digest) {
        Some(((path, expected), file)) => {
            let (path, expected, found) = (Shown::text(&format!("sitio/{path}")), *expected, file.digest);
            Err(Refusal::FileDiffers { path, expected, found })
        }
        None => Ok(()),
    }
}

/// The first of `these` that `those` lack, and how many there are. Both are sorted.
fn unmatched<'a>(
    these: impl Iterator<Item = &'a String>,
    those: impl Iterator<Item = &'a String>,
) -> Option<(&'a str, usize)> {
    let (mut those, mut first, mut count) = (those.peekable(), None, 0);
    for path in these {
        while those.next_if(|other| *other < path).is_some() {}
        if those.next_if_eq(&path).is_none() {
            first = first.or(Some(path.as_str()));
            count += 1;
        }
    }
    first.map(|path| (path, count))
}

impl Expectations<'_> {
    pub(super) fn check(&self, corte: &Corte) -> Result<(), Refusal> {
        if let Some(expected) = self.eleccion.as_ref().filter(|expected| **expected != corte.eleccion) {
            return Err(Refusal::ElectionOther { found: corte.eleccion.clone(), expected: Shown::text(expected) });
        }
        if let Some(expected) = self.tipo.filter(|expected| *expected != corte.tipo) {
            return Err(Refusal::TipoOther { found: corte.tipo, expected });
        }
        if corte.instant.duration_since(self.now) > AHEAD_AT_MOST {
            return Err(Refusal::Future { fecha_hora: corte.fecha_hora.clone(), now: self.now });
        }
        Ok(())
    }
}

impl<B> Verified<B> {
    pub fn corte(&self) -> &Corte {
        &self.proven.corte
    }

    /// `corte.json`, byte for byte, with the keys that are unknown here.
    pub fn corte_json(&self) -> &Bytes {
        &self.proven.corte_json
    }

    /// Sorted by path.
    pub fn files(&self) -> &[File<B>] {
        &self.files
    }

    /// `SHA256SUMS`, byte for byte.
    pub fn sums(&self) -> &Bytes {
        &self.proven.sums
    }

    /// `SHA256SUMS.sig`, byte for byte.
    pub fn signature(&self) -> &Bytes {
        &self.proven.signature
    }

    /// The principal in the signers file whose key made the signature: the identity that was expected,
    /// or else the principals as the file writes them.
    pub fn signer(&self) -> &str {
        &self.proven.signed.by
    }

    /// The fingerprint of the key that made the signature, `SHA256:...`.
    pub fn fingerprint(&self) -> &str {
        &self.proven.signed.fingerprint
    }
}
