//! The three files that say what a package is, and what they prove: who signed, which files there must be, which
//! corte it is. Nothing in here has seen a published file.

use bytes::Bytes;

use super::sums::Sums;
use super::{Corte, Expectations, Proof, Refusal, Trust, signature};
use crate::base::digest::Digest;
use crate::base::shown::Shown;

/// `corte.json`, `SHA256SUMS` and `SHA256SUMS.sig` as they came, as far as they came; nothing proven.
#[derive(Clone, Debug, Default)]
pub struct Preamble {
    pub(super) corte_json: Option<Bytes>,
    pub(super) sums: Option<Bytes>,
    pub(super) signature: Option<Bytes>,
}

/// What a package says it is, before its files are read: genuine, but perhaps not whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    pub corte: Corte,
    /// The digest of `SHA256SUMS`: of all that the package will hold.
    pub sums: Digest,
}

/// A preamble that holds, for the moment and the keys that it was proven with.
#[derive(Debug)]
pub struct Proven {
    pub(super) corte: Corte,
    pub(super) corte_json: Bytes,
    pub(super) sums: Bytes,
    pub(super) list: Sums,
    pub(super) proof: Proof,
}

impl Proven {
    /// What the package says it is.
    pub fn announced(&self) -> Announced {
        Announced { sums: Digest::of(&self.sums), corte: self.corte.clone() }
    }

    /// Whether it was proven of these very bytes.
    pub(super) fn is_of(&self, preamble: &Preamble) -> bool {
        let same = |ours: Option<&Bytes>, theirs: &Option<Bytes>| ours == theirs.as_ref();
        same(Some(&self.corte_json), &preamble.corte_json)
            && same(Some(&self.sums), &preamble.sums)
            && (self.proof.trust() != Trust::Signed || same(self.proof.signature(), &preamble.signature))
    }
}

impl Preamble {
    /// From files that are in memory.
    pub fn of(corte_json: Option<Bytes>, sums: Option<Bytes>, signature: Option<Bytes>) -> Preamble {
        Preamble { corte_json, sums, signature }
    }

    /// Checks all that `Unverified::verify` checks but the published files, with the same refusals.
    pub fn check(&self, expected: &Expectations<'_>) -> Result<Announced, Refusal> {
        Ok(self.clone().prove(expected)?.announced())
    }

    /// Who signed the list; nothing else is looked at.
    pub fn proof(&self, expected: &Expectations<'_>) -> Result<Proof, Refusal> {
        let sums = self.sums.as_ref().ok_or(Refusal::SumsMissing)?;
        signature::check(sums, self.signature.clone(), expected)
    }

    /// Nothing in the list or in `corte.json` is looked at before it is known who signed them, if that is asked for.
    pub fn prove(self, expected: &Expectations<'_>) -> Result<Proven, Refusal> {
        let corte_json = self.corte_json.ok_or(Refusal::CorteMissing)?;
        let sums = self.sums.ok_or(Refusal::SumsMissing)?;
        let proof = match expected.trust {
            Trust::Signed => signature::check(&sums, self.signature, expected)?,
            Trust::Checksums => Proof::Checksums,
            Trust::Transport => Proof::Transport,
        };
        let list = Sums::parse(&sums)?;
        listed(&list, &corte_json)?;
        let corte = Corte::parse(&corte_json)?;
        expected.check(&corte)?;
        Ok(Proven { corte, corte_json, sums, list, proof })
    }
}

/// Checks that this `corte.json` is the one of the list.
fn listed(list: &Sums, corte_json: &[u8]) -> Result<(), Refusal> {
    let path = || Shown::text("corte.json");
    let expected = list.corte_json.ok_or_else(|| Refusal::FileExtra { path: path(), count: 1 })?;
    match Digest::of(corte_json) {
        found if found == expected => Ok(()),
        found => Err(Refusal::FileDiffers { path: path(), expected, found }),
    }
}
