//! Better compressed contents, and differences, in the place of what is published: the work is begun here, and what it has
//! made is taken.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use super::Stage;
use crate::ingest::descent::Descent;
use crate::ingest::desk::Intake;
use crate::ingest::improve::{Better, Finished, Improving};
use crate::ingest::operator::Event;
use crate::ingest::report::{Happening, Made};
use crate::snapshot::{Known, Snapshot};

impl Stage {
    pub(in crate::ingest) fn improve_from(&mut self, intake: &Intake, snapshot: Arc<Snapshot>) {
        let descent = Descent::of_next(intake, self.live.load().as_deref(), snapshot.corte().id);
        let before = (descent.past, intake.differing);
        let start = |events: &SyncSender<Event>| Improving::start(snapshot, before, self.vault.coded(), events.clone());
        self.improving = self.events.as_ref().map(start);
    }

    /// Puts better compressed contents in the place of those that are published.
    pub fn improve(&mut self, intake: &Intake, better: Better) {
        for (digest, bytes) in &better.kept {
            self.vault.has_coded(better.snapshot.corte().id, *digest, *bytes);
        }
        if better.contents.is_empty() && better.differences.is_empty() && better.finished.is_none() {
            return;
        }
        let guard = self.live.load();
        let Some(edition) = guard.as_deref() else { return };
        let Some(published) = edition.same_as(&better.snapshot) else { return };
        let before = published.weight();
        let mut improved = published.with(&Known::of(better.contents));
        // One that is live no longer has let go of its differences: whoever asks for it by its name is sent none.
        if !better.differences.is_empty() && Arc::ptr_eq(published, edition.live()) {
            let mut all = improved.differences();
            better.differences.into_iter().for_each(|one| all.add(one));
            let descent = Descent::of_next(intake, Some(edition), improved.corte().id);
            improved = improved.descending(&descent.past, &all);
        }
        let improved = Arc::new(improved);
        self.live.publish(edition.improved(&improved));
        if let Some(Finished { took, codings, differing }) = better.finished {
            let made = improved.differences();
            (self.report)(&Happening::Improved {
                corte: improved.corte().id,
                before: better.snapshot.weight().max(before),
                after: improved.weight(),
                took: codings,
                differences: Made { count: made.len(), bytes: made.weight(), took, processor: differing },
            });
        }
    }
}
