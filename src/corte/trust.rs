//! The three degrees of trust (FORMAT.md), and what was proven under each.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What must hold of what the authority sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// Signature, sums, paths and stamp.
    #[default]
    Signed,
    /// All but the signature, which is not asked for. One that is there is neither looked at nor passed on: nobody is
    /// to take for proven what was not proven here.
    Checksums,
    /// A bare tree: who may send is settled by the way it comes. Our own sums, and `corte.json` by a configured rule.
    Transport,
}

impl Trust {
    /// As settings, ledgers and `/.prep/corte.json` write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Trust::Signed => "signed",
            Trust::Checksums => "checksums",
            Trust::Transport => "transport",
        }
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What makes a package trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    Signed {
        /// The principal in the signers file whose key made the signature: the identity that was expected, or else
        /// the principals as the file writes them.
        signer: String,
        /// Of the key that made the signature, as ssh-keygen prints it: `SHA256:...`.
        fingerprint: String,
        /// `SHA256SUMS.sig`, byte for byte.
        signature: Bytes,
    },
    Checksums,
    Transport,
}

impl Proof {
    pub fn trust(&self) -> Trust {
        match self {
            Proof::Signed { .. } => Trust::Signed,
            Proof::Checksums => Trust::Checksums,
            Proof::Transport => Trust::Transport,
        }
    }

    pub fn signer(&self) -> Option<&str> {
        match self {
            Proof::Signed { signer, .. } => Some(signer),
            Proof::Checksums | Proof::Transport => None,
        }
    }

    pub fn fingerprint(&self) -> Option<&str> {
        match self {
            Proof::Signed { fingerprint, .. } => Some(fingerprint),
            Proof::Checksums | Proof::Transport => None,
        }
    }

    /// Both, where somebody signed.
    pub fn signer_and_key(&self) -> Option<(String, String)> {
        Some((self.signer()?.to_owned(), self.fingerprint()?.to_owned()))
    }

    /// `SHA256SUMS.sig`, byte for byte.
    pub fn signature(&self) -> Option<&Bytes> {
        match self {
            Proof::Signed { signature, .. } => Some(signature),
            Proof::Checksums | Proof::Transport => None,
        }
    }
}
