//! What happens at intake, written down: metrics for each, the journal for what went wrong.

use std::sync::Arc;

use crate::base::reckoning::Doubt;
use crate::ingest::{Came, Dates, Happening, Reporter};
use crate::record::incidents::note;
use crate::record::{Fetched, Journal, Metrics, Package, Step};
use crate::schedule::State;

/// A reporter that writes down what it is told, and passes it on.
pub fn keep(next: Reporter, journal: Arc<Journal>, metrics: Arc<Metrics>) -> Reporter {
    Arc::new(move |happening| {
        count(&metrics, happening);
        write(&journal, happening);
        next(happening);
    })
}

fn count(metrics: &Metrics, happening: &Happening) {
    match happening {
        Happening::Live { took, dates, .. } => {
            metrics.package(Package::Live);
            metrics.took(Step::Verify, took.verify);
            metrics.took(Step::Build, took.build);
            metrics.took(Step::Store, took.store);
            shown(metrics, dates);
        }
        Happening::Improved { differences, .. } => metrics.differences(differences.count, differences.bytes),
        Happening::Restored { dates, .. } | Happening::Decided { dates, .. } => shown(metrics, dates),
        Happening::Turned { from, to, .. } => metrics.turned(from.map(State::token), to.token()),
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

fn shown(metrics: &Metrics, dates: &Dates) {
    metrics.live(dates.stamp, dates.received, dates.since);
}

fn write(journal: &Journal, happening: &Happening) {
    match happening {
        Happening::Refused { name, source, code, why } | Happening::Odd { name, source, code, why } => {
            journal.note(&note(code, why).package(name).source(source));
        }
        Happening::SourceFailed { source, code, why, .. } => journal.note(&note(code, why).source(source)),
        Happening::SourceBack { source, after } => {
            let detail = format!("after {:.0} s", after.as_secs_f64());
            journal.note(&note("S099", &detail).source(source));
        }
        Happening::Blind { why } => {
            let detail = format!(
                "{why}; expected a folder that the service's user may read; it is looked at again every few seconds"
            );
            journal.note(&note("P091", &detail));
        }
        Happening::Unusable { corte, why } => journal.note(&note("V001", why).corte(*corte)),
        Happening::Unreadable { name, why } => journal.note(&note("V002", why).package(name)),
        Happening::StoreFailed { why } => journal.note(&note("V003", why)),
        Happening::Mended { corte, files, failed: None } => {
            journal.note(&note("V004", &format!("{files} files written anew")).corte(*corte));
        }
        Happening::Mended { corte, failed: Some(why), .. } => journal.note(&note("V005", why).corte(*corte)),
        Happening::Turned { from, to, reason } => {
            if let Some(code) = turned(*from, *to) {
                journal.note(&note(code, &format!("{}: {reason:?}", to.token())));
            }
        }
        Happening::Clock(doubt) => {
            let (code, detail) = doubted(doubt);
            journal.note(&note(code, &detail));
        }
        Happening::OurFault { what } => journal.note(&note("F001", what)),
        // Who decided, and why, the operators' side writes down.
        _ => {}
    }
}

/// What a change of state is to the journal; a start in the middle of the night changes nothing, unless it finds trouble.
fn turned(from: Option<State>, to: State) -> Option<&'static str> {
    match (from, to) {
        (_, State::Interrupted) => Some("E002"),
        (Some(State::Interrupted), State::Current | State::Late | State::Final) => Some("E003"),
        (_, State::Late) => Some("E004"),
        (None, _) => None,
        (_, State::Final) => Some("E005"),
        (_, State::Closed) => Some("E006"),
        (_, State::Before) => Some("E007"),
        (Some(State::Before), State::Waiting | State::Current) => Some("E001"),
        (_, State::Waiting | State::Current) => None,
    }
}

fn doubted(doubt: &Doubt) -> (&'static str, String) {
    match doubt {
        Doubt::Unsynchronised => ("C001", "check that chrony, ntpd or systemd-timesyncd runs".into()),
        Doubt::Jumped(by) => ("C002", format!("by {by:#}; if the new time is right, restart the service")),
        Doubt::SetRight(by) => ("C003", format!("by {by:#}")),
        Doubt::Synchronised | Doubt::Back => ("C004", String::new()),
    }
}
