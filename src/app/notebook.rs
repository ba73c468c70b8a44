//! What happens at intake, written down: metrics for each, the journal for what went wrong.

use std::sync::Arc;

use crate::base::clock::Clock;
use crate::ingest::{Happening, Reporter};
use crate::record::incidents::note;
use crate::record::{Journal, Metrics, Package, Step};
use crate::snapshot::Live;

/// What the journal says of packages that nobody pushed or pulled.
const INCOMING: &str = "incoming";

/// A reporter that writes down what it is told, and passes it on.
pub fn keep(next: Reporter, journal: Arc<Journal>, metrics: Arc<Metrics>, live: Arc<Live>, clock: Clock) -> Reporter {
    Box::new(move |happening| {
        match happening {
            Happening::Live { verify, build, .. } => {
                metrics.package(Package::Live);
                metrics.took(Step::Verify, *verify);
                metrics.took(Step::Build, *build);
                let (now, guard) = (clock.now(), live.load());
                if let Some(edition) = guard.as_deref() {
                    let took = jiff::SignedDuration::try_from(*verify + *build).unwrap_or_default();
                    let received = now.checked_sub(took).unwrap_or(now);
                    metrics.live(edition.live().corte().instant, received, now);
                }
            }
            Happening::Refused { name, code, why } => {
                metrics.package(Package::Refused(code));
                journal.note(&note(code, why).source(INCOMING).package(name));
            }
            Happening::Odd { name, code, why } => {
                journal.note(&note(code, why).source(INCOMING).package(name));
            }
            Happening::Same { .. } => metrics.package(Package::Same),
            Happening::Blind { why } => journal.note(&note("P001", why).source(INCOMING)),
            Happening::Waiting { .. } | Happening::Improved { .. } | Happening::Older { .. } => {}
        }
        next(happening);
    })
}
