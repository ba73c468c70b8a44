//! Which corte is shown, and why: one small file, changed by one rename.

use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ledger::{by_text, write_whole};
use crate::base::disk::Disk;
use crate::corte::CorteId;

/// The corte that was announced last, and what operators have decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    #[serde(with = "by_text")]
    pub corte: CorteId,
    /// Since when it is shown.
    pub since: Timestamp,
    /// What `Last-Modified` says while it is shown; it never steps back, whatever is shown.
    pub last_modified: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
}

/// An earlier corte was taken back, and those after it were withdrawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// The one that was taken back.
    #[serde(with = "by_text")]
    pub to: CorteId,
    /// The latest that was withdrawn; a later one goes live as usual.
    #[serde(with = "by_text")]
    pub withdrawn: CorteId,
    pub at: Timestamp,
    pub reason: String,
}

/// Nothing that is shown changes, whatever comes in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub at: Timestamp,
    pub reason: String,
}

/// Bytes of the file, at most: two reasons, which the admin side bounds, and some dates.
const BYTES: u64 = 64 << 10;
const NAME: &str = "head";

impl Head {
    /// True for what an operator has withdrawn.
    pub fn has_withdrawn(&self, corte: CorteId) -> bool {
        self.rollback.as_ref().is_some_and(|rollback| rollback.to < corte && corte <= rollback.withdrawn)
    }

    pub(super) fn read(disk: &Disk, folder: &Path) -> io::Result<Option<Head>> {
        match disk.read(&folder.join(NAME), BYTES) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Durable when it returns.
    pub(super) fn write(&self, disk: &Disk, folder: &Path) -> io::Result<()> {
        write_whole(disk, &folder.join(NAME), &serde_json::to_vec(self)?)?;
        disk.sync_folder(folder)
    }
}
