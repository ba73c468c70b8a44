//! The operator's room, for tests that bring their own disk and clock.

use std::path::Path;
use std::time::Duration;

use difusor::base::disk::Disk;
use difusor::corte::{Limits, Tipo, Trust};
use difusor::ingest::{ContentCheck, Differing, Intake};
use difusor::store::Policy;

use super::always::always;
use super::{ELECTION, key, signers_of};

/// What the operator is told, for a folder with `incoming` in it.
pub fn intake(disk: &Disk, dir: &Path) -> Intake {
    Intake {
        disk: disk.clone(),
        state: dir.join("state"),
        incoming: Some(dir.join("incoming")),
        election: ELECTION.into(),
        calendar: always(Tipo::Oficial),
        trust: Trust::Signed,
        transport: None,
        signers: signers_of(&key()),
        identity: None,
        limits: Limits::default(),
        content_check: ContentCheck::Refuse,
        keep: 6,
        differing: Differing::default(),
        settle: Duration::from_secs(5),
        policy: Policy { bytes: 1 << 30, cortes: None, at_least: 12 },
        reserve: 0,
        refused_bytes: 1 << 20,
    }
}
