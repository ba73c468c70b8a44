//! A package that was read, and the type that proves it was verified, as far as the configured trust asks.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::preamble::Proven;
use super::sums::Sums;
use super::{Corte, Preamble, Proof, Refusal, Signers, Tipo, Trust};
use crate::base::digest::Digest;
use crate::base::shown::Shown;

/// How far a corte may be ahead of this machine's clock: what two clocks without NTP differ by.
pub const AHEAD_AT_MOST: SignedDuration = SignedDuration::from_mins(5);

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
    /// Whether a signature is asked for, or sums are enough.
    pub trust: Trust,
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

/// A package whose sums, paths and stamp have held, and its signature where that is asked for (`trust`). Made by
/// `Unverified::verify` alone: `restore` and `Bare::stamp` go through it too.
#[derive(Debug)]
pub struct Verified<B = Bytes> {
    proven: Proven,
    files: Vec<File<B>>,
}

impl<B> Unverified<B> {
    /// The one way to a `Verified`. Under `Trust::Transport` the sums are our own: they tell whether what was kept
    /// is what was accepted, not who made it.
    pub fn verify(self, expected: &Expectations<'_>) -> Result<Verified<B>, Refusal> {
        self.verify_with(None, expected)
    }

    /// The same where the preamble was proven just now, under the same expectations: if it is still the same, byte for
    /// byte, it is not proven again.
    pub fn verify_with(self, before: Option<Proven>, expected: &Expectations<'_>) -> Result<Verified<B>, Refusal> {
        let proven = match before.filter(|before| before.is_of(&self.preamble)) {
            Some(before) => before,
            None => self.preamble.prove(expected)?,
        };
        agree(&proven.list, &self.files, &self.extra)?;
        Ok(Verified { proven, files: self.files })
    }
}

/// Makes a `Verified` again of what was accepted before and kept: all is checked as `verify` does, under the trust that
/// was asked for then, whatever `expected` asks for now. `expected.now` is the moment at which it was accepted.
/// `files` may come in any order; their digests are of the bytes as they are now.
pub fn restore(
    corte_json: Bytes,
    sums: Bytes,
    signature: Option<Bytes>,
    mut files: Vec<File>,
    trust: Trust,
    expected: &Expectations<'_>,
) -> Result<Verified, Refusal> {
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let preamble = Preamble { corte_json: Some(corte_json), sums: Some(sums), signature };
    let kept = Unverified { preamble, files, extra: vec![] };
    kept.verify(&Expectations { trust, ..expected.clone() })
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
        let ahead = corte.instant.duration_since(self.now);
        if ahead > AHEAD_AT_MOST {
            // Upwards: what is more than five is never said to be five.
            let minutes = (ahead.as_secs() + 59) / 60;
            return Err(Refusal::Future { fecha_hora: corte.fecha_hora.clone(), minutes });
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

    /// What `SHA256SUMS` lists.
    pub fn list(&self) -> &Sums {
        &self.proven.list
    }

    /// What makes it trusted.
    pub fn trust(&self) -> &Proof {
        &self.proven.proof
    }
}
