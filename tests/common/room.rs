//! The operator's room, for tests that bring their own disk and clock.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use difusor::base::disk::Disk;
use difusor::corte::{Limits, Tipo, Trust};
use difusor::ingest::{ContentCheck, Intake};
use difusor::schedule::{Calendar, Closed, OnInterrupted, Window};
use difusor::store::Policy;
use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::{ELECTION, key, signers_of};

/// One window that is open for longer than anybody looks, and in which no corte is ever late.
pub fn always(kind: Tipo) -> Arc<Calendar> {
    let at = |text: &str| text.parse().unwrap();
    let opens = at("2000-01-01T00:00:00Z");
    let window = Window {
        kind,
        opens,
        closes: at("2100-01-01T00:00:00Z"),
        interval: SignedDuration::from_mins(10),
        grace: SignedDuration::from_mins(1),
        periods: 3,
        ends: opens + SignedDuration::from_mins(10),
        on_interrupted: OnInterrupted::Notice,
        closed: Closed::Keep,
        name: None,
    };
    Arc::new(Calendar::new(vec![window], TimeZone::UTC, SignedDuration::ZERO).unwrap())
}

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
        settle: Duration::from_secs(5),
        policy: Policy { bytes: 1 << 30, cortes: None, at_least: 12 },
        reserve: 0,
        refused_bytes: 1 << 20,
    }
}
