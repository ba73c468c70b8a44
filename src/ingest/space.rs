//! Room on the disk of the vault, for a package that is here and for the next one.

use std::time::Duration;

use super::admission::NotAdmitted;
use super::desk::Desk;
use super::report::Happening;
use super::take::not_kept;
use crate::base::disk::Space;
use crate::corte::Verified;
use crate::snapshot::Known;
use crate::store::{Retained, StoreFault};

/// Codings take room beside the bytes they are of: together they are less than twice as much.
const WITH_CODINGS: u64 = 2;
/// How often is looked whether there is room for the next corte: others fill the disk too, and whoever brings a package is
/// turned away before anybody here hears of it.
const LOOK_EVERY: Duration = Duration::from_secs(60);

impl Desk {
    /// A disk that is nearly full must not fail in the middle of the night's work: there is room, or it is made, or
    /// nothing begins.
    pub(super) fn check_room(&mut self, verified: &Verified, known: &Known) -> Result<(), NotAdmitted> {
        let new = verified.files().iter().filter(|file| known.bytes(&file.digest).is_none());
        let needed = self.needed(new.map(|file| file.bytes.len() as u64).sum());
        if self.space()?.free >= needed {
            return Ok(());
        }
        self.make_room(needed, false);
        // What was removed may have had some of it, and what is not in memory may be there.
        let new = self.stage.vault.lacks(verified).map_err(|error| not_kept(StoreFault(error)))?;
        let (free, needed) = (self.space()?.free, self.needed(new));
        if free < needed { Err(NotAdmitted::DiskFull { free, needed }) } else { Ok(()) }
    }

    /// After a corte was kept, and once after a start.
    pub(super) fn make_room_for_the_next(&mut self) {
        let wanted = self.wanted();
        self.make_room(wanted, true);
    }

    /// True once after a start, and then now and then.
    pub(super) fn is_to_look_for_room(&self) -> bool {
        self.look_for_room.is_none_or(|at| at <= self.clock.elapsed())
    }

    /// What a start owes, when readers wait no more and nothing else is to be done, and then now and then.
    pub(super) fn look_for_room(&mut self) {
        let is_first = self.look_for_room.is_none();
        self.look_for_room = Some(self.clock.elapsed() + LOOK_EVERY);
        if is_first {
            self.make_room_for_the_next();
            // Hours may pass until the next corte: it finds for itself what was damaged by then.
            self.stage.vault.look_again();
        } else {
            let wanted = self.wanted();
            if self.lacking(wanted) > 0 {
                self.make_room(wanted, false);
            }
        }
    }

    /// Bytes that are to be free for another corte as large as the one that is shown, should nothing of it be known.
    fn wanted(&self) -> u64 {
        let ledger = self.stage.vault.ledger();
        let shown = self.stage.shown().and_then(|corte| ledger.entry(corte));
        self.needed(shown.map_or(0, |entry| entry.facts.bytes))
    }

    fn needed(&self, new: u64) -> u64 {
        new.saturating_mul(WITH_CODINGS).saturating_add(self.intake.reserve)
    }

    /// Makes so many bytes free, as far as that goes: what nothing refers to and what the policy does not keep go first, then
    /// copies of refused packages, then old cortes. `is_told`: whatever comes of it.
    fn make_room(&mut self, wanted: u64, is_told: bool) {
        let given = self.stage.give_way(&self.intake, 0);
        let has_failed = given.is_none();
        let mut retained = given.unwrap_or_default();
        let lacking = self.lacking(wanted);
        if lacking > 0 {
            self.quarantine.give_way(lacking);
        }
        if has_failed {
            // It was told; copies of what was refused go all the same.
            return;
        }
        let lacking = self.lacking(wanted);
        if lacking > 0
            && let Some(more) = self.stage.give_way(&self.intake, lacking)
        {
            let removed = [retained.removed, more.removed].concat();
            retained = Retained { removed, ..more };
        }
        if is_told && let Some(why) = &retained.fault {
            (self.report)(&Happening::Unreadable { name: "coded".into(), why: why.clone() });
        }
        if is_told || !retained.removed.is_empty() {
            let free = self.space().ok().map(|space| space.free);
            (self.report)(&Happening::Retained { retained, free });
        }
    }

    /// How many bytes less than these are free; where that cannot be told, nothing has to go for it.
    fn lacking(&self, wanted: u64) -> u64 {
        self.space().map_or(0, |space| wanted.saturating_sub(space.free))
    }

    fn space(&self) -> Result<Space, NotAdmitted> {
        let space = self.intake.disk.space(&self.intake.state);
        space.map_err(|error| not_kept(StoreFault(error)))
    }
}
