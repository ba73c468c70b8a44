//! Counters and gauges for whoever watches from outside, in OpenMetrics' text form. `metrics_table` feeds the
//! registry. Nothing here is on the serving path.

mod intake;
mod origins;
mod served;

use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry, Unit};

pub use self::intake::{Fetched, Package, Step};
use self::intake::{Source, Status};
use self::origins::{OriginFailed, OriginPlace, Proxied};
pub use self::served::Sent;
use self::served::SentCounter;
use super::kinds::Severity;
use super::metrics_table::TABLE;

type Labels<const N: usize> = [(&'static str, &'static str); N];

type Number = Gauge<u64, AtomicU64>;

/// All of them. One for all threads; counting takes a short lock at most.
pub struct Metrics {
    registry: Registry,
    packages: Family<Labels<2>, Counter>,
    incidents: Family<Labels<1>, Counter>,
    suppressed: Counter,
    lost: Counter,
    stamp: Gauge,
    received: Gauge,
    live: Gauge,
    steps: Family<Labels<1>, Histogram, fn() -> Histogram>,
    vault: Number,
    cortes: Number,
    free: Number,
    fetches: Family<Source, Counter>,
    uploads: Family<Status, Counter>,
    open: Gauge,
    turned_away: Family<Labels<1>, Counter>,
    left_out: Family<Labels<1>, Counter>,
    ladder: Gauge,
    connections: Gauge,
    responses: Family<Labels<1>, SentCounter>,
    response_bytes: Family<Labels<1>, SentCounter>,
    differences: Number,
    difference_bytes: Number,
    proxied: Family<Proxied, Counter>,
    origin_failures: Family<OriginFailed, Counter>,
    origin_ejections: Family<OriginPlace, Counter>,
    origin_up: Family<OriginPlace, Gauge, fn() -> Gauge>,
    states: Family<Labels<1>, Gauge>,
    start: Gauge,
}

/// From a small site on a fast disk to a gigabyte on a slow one.
fn steps() -> Histogram {
    Histogram::new([0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0])
}

/// A place is well until it is known not to be: nobody reads a 0 before that.
fn well() -> Gauge {
    let gauge = Gauge::default();
    gauge.set(1);
    gauge
}

/// Registers under the table's row of that name. The table's test sees to it that there is one.
fn add<M: Metric + Clone>(registry: &mut Registry, name: &str, metric: M) -> M {
    if let Some(row) = TABLE.iter().find(|row| row.name == name) {
        match row.unit {
            Some(unit) => registry.register_with_unit(name, row.about, Unit::Other(unit.into()), metric.clone()),
            None => registry.register(name, row.about, metric.clone()),
        }
    }
    metric
}

impl Metrics {
    pub fn new() -> Metrics {
        let mut all = Registry::default();
        let registry = &mut all;
        let metrics = Metrics {
            packages: add(registry, "difusor_packages", Family::default()),
            incidents: add(registry, "difusor_incidents", Family::default()),
            suppressed: add(registry, "difusor_incidents_suppressed", Counter::default()),
            lost: add(registry, "difusor_incidents_lost", Counter::default()),
            stamp: add(registry, "difusor_corte_stamp", Gauge::default()),
            received: add(registry, "difusor_corte_received", Gauge::default()),
            live: add(registry, "difusor_corte_live", Gauge::default()),
            steps: add(registry, "difusor_step", Family::new_with_constructor(steps)),
            vault: add(registry, "difusor_vault", Number::default()),
            cortes: add(registry, "difusor_vault_cortes", Number::default()),
            free: add(registry, "difusor_disk_free", Number::default()),
            fetches: add(registry, "difusor_fetches", Family::default()),
            uploads: add(registry, "difusor_uploads", Family::default()),
            open: add(registry, "difusor_uploads_open", Gauge::default()),
            turned_away: add(registry, "difusor_turned_away", Family::default()),
            left_out: add(registry, "difusor_left_out", Family::default()),
            ladder: add(registry, "difusor_ladder", Gauge::default()),
            connections: add(registry, "difusor_connections", Gauge::default()),
            responses: add(registry, "difusor_responses", Family::default()),
            response_bytes: add(registry, "difusor_response", Family::default()),
            differences: add(registry, "difusor_differences", Number::default()),
            difference_bytes: add(registry, "difusor_difference", Number::default()),
            proxied: add(registry, "difusor_proxied", Family::default()),
            origin_failures: add(registry, "difusor_origin_failures", Family::default()),
            origin_ejections: add(registry, "difusor_origin_ejections", Family::default()),
            origin_up: add(registry, "difusor_origin_up", Family::new_with_constructor(well)),
            states: add(registry, "difusor_state", Family::default()),
            start: add(registry, "difusor_start", Gauge::default()),
            registry: Registry::default(),
        };
        // There from the start, at 0: an alarm on what has never happened must not find nothing.
        for severity in Severity::ALL {
            let _ = metrics.incidents.get_or_create(&[("severity", severity.as_str())]);
        }
        Metrics { registry: all, ..metrics }
    }

    /// The public is shown something else; by the tokens of `Corte-Estado`.
    pub fn turned(&self, from: Option<&'static str>, to: &'static str) {
        for (state, value) in from.into_iter().map(|from| (from, 0)).chain([(to, 1)]) {
            self.states.get_or_create(&[("state", state)]).set(value);
        }
    }

    pub fn started(&self, at: Timestamp) {
        self.start.set(at.as_second());
    }

    pub(super) fn incident(&self, severity: Severity) {
        self.incidents.get_or_create(&[("severity", severity.as_str())]).inc();
    }

    pub(super) fn suppressed(&self) {
        self.suppressed.inc();
    }

    pub(super) fn lost(&self) {
        self.lost.inc();
    }

    /// The media type of `text`.
    pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// All of them as OpenMetrics text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string fails only where a metric cannot be told, and then the rest is there.
        let _ = text::encode(&mut out, &self.registry);
        out
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_row_is_registered_and_nothing_else_is() {
        let metrics = Metrics::new();
        metrics.package(Package::Refused("P063"));
        metrics.took(Step::Verify, Duration::from_millis(20));
        metrics.fetched("iec", Fetched::New);
        metrics.uploaded(201);
        metrics.turned_away("client-requests").inc();
        metrics.left_out("image").inc();
        metrics.ladder(1);
        metrics.sent("dcb").bytes.inc_by(7);
        metrics.differences(3, 900);
        metrics.proxied("actas", "hit").inc();
        metrics.origin_failed("actas", "reset");
        let place = |number| ([192, 0, 2, number], 80).into();
        metrics.place_ejected("portada", place(1));
        metrics.place_is_well("portada", place(1), false);
        metrics.place_is_well("portada", place(2), true);
        metrics.place_is_gone("portada", place(2));
        metrics.turned(None, "vigente");
        let text = metrics.text();
        let mut types: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        let mut rows: Vec<String> = TABLE
            .iter()
            .map(|row| format!("{}{} {}", row.name, row.unit.map(|u| format!("_{u}")).unwrap_or_default(), row.kind))
            .collect();
        types.sort_unstable();
        rows.sort_unstable();
        assert_eq!(types, rows);
        for line in [
            "difusor_packages_total{outcome=\"refused\",code=\"P063\"} 1",
            "difusor_incidents_total{severity=\"critico\"} 0",
            "difusor_step_seconds_bucket{le=\"0.03\",step=\"verify\"} 1",
            "difusor_fetches_total{source=\"iec\",outcome=\"new\"} 1",
            "difusor_uploads_total{status=\"201\"} 1",
            "difusor_left_out_total{class=\"image\"} 1",
            "difusor_ladder 1",
            "difusor_corte_stamp_seconds 0",
            "difusor_origin_ejections_total{upstream=\"portada\",place=\"192.0.2.1:80\"} 1",
            "difusor_origin_up{upstream=\"portada\",place=\"192.0.2.1:80\"} 0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\nnot in\n{text}");
        }
        assert!(!text.contains("192.0.2.2"), "who is gone is told of no longer");
        assert!(text.ends_with("# EOF\n"));
    }
}
