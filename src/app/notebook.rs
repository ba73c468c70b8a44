//! What happens at intake, written down: metrics for each, the journal for what went wrong.

use std::sync::Arc;

use jiff::SignedDuration;

use crate::base::clock::Clock;
use crate::ingest::{Came, Happening, Reporter};
use crate::record::incidents::note;
use crate::record::{Fetched, Journal, Metrics, Package, Step};
use crate::snapshot::Live;

/// A reporter that writes down what it is told, and passes it on.
pub fn keep(next: Reporter, journal: Arc<Journal>, metrics: Arc<Metrics>, live: Arc<Live>, clock: Clock) -> Reporter {
    Arc::new(move |happening| {
        count(&metrics, happening, &live, &clock);
        write(&journal, happening);
        next(happening);
    })
}

fn count(metrics: &Metrics, happening: &Happening, live: &Live, clock: &Clock) {
    match happening {
        Happening::Live { verify, build, .. } => {
            metrics.package(Package::Live);
            metrics.took(Step::Verify, *verify);
            metrics.took(Step::Build, *build);
            shown(metrics, live, clock, SignedDuration::try_from(*verify + *build).unwrap_or_default());
        }
        Happening::Restored { .. } | Happening::Decided { .. } => shown(metrics, live, clock, SignedDuration::ZERO),
        Happening::Held { .. } => metrics.package(Package::Held),
        Happening::Same { .. } => metrics.package(Package::Same),
        Happening::Refused { code, .. } => metrics.package(Package::Refused(code)),
        Happening::Asked { source, came } => {
            let fetched = match came {
                Came::Package => Fetched::New,
                Came::Unchanged => Fetched::Unchanged,
                Came::Nothing => Fetched::Failed,
            };
            metrics.fetched(source, fetched);
        }
        Happening::Retained { retained, free } => {
            metrics.vault(retained.bytes, retained.cortes);
            if let Some(free) = free {
                metrics.disk_free(*free);
            }
        }
        _ => {}
    }
}

/// What is live has changed; it came `ago`.
fn shown(metrics: &Metrics, live: &Live, clock: &Clock, ago: SignedDuration) {
    let (now, guard) = (clock.now(), live.load());
    if let Some(edition) = guard.as_deref() {
        metrics.live(edition.live().corte().instant, now.checked_sub(ago).unwrap_or(now), now);
    }
}

fn write(journal: &Journal, happening: &Happening) {
    match happening {
        Happening::Refused { name, code, why } | Happening::Odd { name, code, why } => {
            journal.note(&note(code, why).package(name));
        }
        Happening::SourceFailed { source, code, why, .. } => journal.note(&note(code, why).source(source)),
        Happening::SourceBack { source, after } => {
            let detail = format!("after {:.0} s", after.as_secs_f64());
            journal.note(&note("S099", &detail).source(source));
        }
        Happening::Blind { why } => journal.note(&note("P001", &format!("the incoming folder: {why}"))),
        Happening::Unusable { corte, why } => journal.note(&note("V001", why).corte(*corte)),
        Happening::Unreadable { name, why } => journal.note(&note("V002", why).package(name)),
        Happening::StoreFailed { why } => journal.note(&note("V003", why)),
        Happening::Mended { corte, files, failed: None } => {
            journal.note(&note("V004", &format!("{files} files written anew")).corte(*corte));
        }
        Happening::Mended { corte, failed: Some(why), .. } => journal.note(&note("V005", why).corte(*corte)),
        // Who decided, and why, the operators' side writes down.
        _ => {}
    }
}
