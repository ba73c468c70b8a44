//! What a run has found: for people, and as JSON.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use super::connect::Counts;
use super::crowd::{Crowd, Visits};
use super::plan::Site;
use super::tally::{CODINGS, Sum, Tally, Times, at_ms};
use crate::base::units::show_size;

/// Parts of all at which durations are told.
const PARTS: [(&str, f64); 5] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)];

/// Bytes where they met the kernel, with TLS and framing; and connections that were made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wire {
    pub sent: u64,
    pub received: u64,
    pub connections: u64,
}

impl Wire {
    pub(super) fn of(counts: &Counts) -> Wire {
        let [sent, received, connections] =
            [&counts.sent, &counts.received, &counts.connections].map(|count| count.load(Ordering::Relaxed));
        Wire { sent, received, connections }
    }
}

/// What this client has used and done itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Client {
    pub cpu_s: f64,
    pub hashed: u64,
    pub compared: u64,
}

/// Durations in milliseconds, by `PARTS`.
type Spread = [f64; PARTS.len()];

/// One corte, and how late readers who were there before it saw it.
#[derive(Clone, Debug)]
pub struct Late {
    pub corte: String,
    pub live_s: f64,
    pub readers: u64,
    pub ms: Spread,
}

#[derive(Clone, Debug)]
pub struct Report {
    pub url: String,
    pub took: Duration,
    pub readers: u32,
    pub asked: u64,
    pub answers: u64,
    pub by_status: Vec<(u16, u64)>,
    pub by_coding: Vec<(&'static str, Sum)>,
    pub wire: Wire,
    pub waited_ms: Spread,
    pub served_ms: Spread,
    pub failures: Vec<(String, u64)>,
    pub told: Vec<String>,
    pub proven: u64,
    pub unproven: u64,
    pub visits: Visits,
    pub cortes: Vec<Late>,
    /// Readers who had not seen the last corte at the end.
    pub waiting: u64,
    pub client: Client,
}

fn spread(times: &Times) -> Spread {
    PARTS.map(|(_, part)| at_ms(times, part))
}

impl Report {
    pub(super) fn new(site: &Site, crowd: &Crowd, tally: &Tally, wire: Wire, client: Client, took: Duration) -> Report {
        let late = |corte: &super::seen::Corte| Late {
            corte: corte.name.to_string(),
            live_s: corte.since_us as f64 / 1e6,
            readers: corte.late.len(),
            ms: spread(&corte.late),
        };
        Report {
            url: format!("{}{}", site.origin, site.page),
            took,
            readers: crowd.plan().readers,
            asked: tally.asked,
            answers: tally.answers(),
            by_status: tally.by_status.iter().map(|(status, count)| (*status, *count)).collect(),
            by_coding: CODINGS
                .iter()
                .zip(tally.by_coding)
                .filter(|(_, sum)| sum.responses > 0)
                .map(|(coding, sum)| (coding.name(), sum))
                .collect(),
            wire,
            waited_ms: spread(&tally.waited),
            served_ms: spread(&tally.served),
            failures: tally.failures.iter().map(|(failure, count)| (failure.name(), *count)).collect(),
            told: tally.told.clone(),
            proven: tally.proven,
            unproven: tally.unproven,
            visits: crowd.visits,
            cortes: crowd.seen.cortes().iter().map(late).collect(),
            waiting: crowd.waiting().0 as u64,
            client,
        }
    }

    pub fn errors(&self) -> u64 {
        self.failures.iter().map(|(_, count)| count).sum()
    }

    fn body_bytes(&self) -> u64 {
        self.by_coding.iter().map(|(_, sum)| sum.bytes).sum()
    }

    /// Requests that had no answer when the time was over.
    fn under_way(&self) -> u64 {
        self.asked.saturating_sub(self.answers)
    }

    fn rate(&self) -> f64 {
        self.answers as f64 / self.took.as_secs_f64().max(1e-3)
    }

    fn rate_of_client(&self) -> f64 {
        self.answers as f64 / self.client.cpu_s.max(1e-3)
    }

    pub fn to_json(&self) -> Value {
        let spread = |ms: &Spread| -> Value {
            PARTS
                .iter()
                .zip(ms)
                .map(|((name, _), ms)| ((*name).to_owned(), json!(ms)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let by = |pairs: Vec<(String, Value)>| Value::Object(pairs.into_iter().collect());
        let coding =
            |(name, sum): &(&str, Sum)| ((*name).to_owned(), json!({ "responses": sum.responses, "bytes": sum.bytes }));
        let late = |late: &Late| json!({ "corte": late.corte, "live_s": late.live_s, "readers": late.readers, "late_ms": spread(&late.ms) });
        json!({
            "url": self.url, "seconds": self.took.as_secs_f64(), "readers": self.readers,
            "requests": self.asked, "answers": self.answers, "answers_per_second": self.rate(),
            "under_way_at_the_end": self.under_way(),
            "by_status": by(self.by_status.iter().map(|(status, n)| (status.to_string(), json!(n))).collect()),
            "bytes": {
                "received": self.wire.received, "sent": self.wire.sent, "bodies": self.body_bytes(),
                "by_coding": by(self.by_coding.iter().map(coding).collect()),
            },
            "connections": self.wire.connections,
            "waited_ms": spread(&self.waited_ms), "served_ms": spread(&self.served_ms),
            "errors": by(self.failures.iter().map(|(name, n)| (name.clone(), json!(n))).collect()),
            "bodies": { "proven": self.proven, "unproven": self.unproven, "hashed": self.client.hashed, "compared": self.client.compared },
            "visits": { "new": self.visits.new, "returning": self.visits.returning },
            "from_cache": { "fresh": self.visits.fresh, "stale": self.visits.stale },
            "held_back_by_rate_max": self.visits.held_back,
            "cortes": self.cortes.iter().map(late).collect::<Vec<_>>(),
            "readers_without_the_last_corte": self.waiting,
            "client": { "cpu_s": self.client.cpu_s, "answers_per_cpu_s": self.rate_of_client() },
        })
    }

    /// For people.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}: {} readers, {:.1} s\n", self.url, self.readers, self.took.as_secs_f64());
        let list = |pairs: Vec<String>| if pairs.is_empty() { "none".to_owned() } else { pairs.join(", ") };
        let spread = |ms: &Spread| {
            let parts = PARTS.iter().zip(ms).map(|((name, _), ms)| format!("{name} {ms:.1}"));
            format!("{} ms", parts.collect::<Vec<_>>().join(", "))
        };
        let statuses = self.by_status.iter().map(|(status, n)| format!("{n} x {status}")).collect();
        let codings = self
            .by_coding
            .iter()
            .map(|(name, sum)| format!("{name} {} in {} responses", show_size(sum.bytes), sum.responses));
        let mut rows = vec![
            ("answers", format!("{}, {:.0} a second: {}", self.answers, self.rate(), list(statuses))),
            ("visits", format!("{} new, {} returning", self.visits.new, self.visits.returning)),
            ("own caches", format!("{} looks fresh, {} stale", self.visits.fresh, self.visits.stale)),
            (
                "received",
                format!(
                    "{}: bodies {}, heads and framing {}",
                    show_size(self.wire.received),
                    show_size(self.body_bytes()),
                    show_size(self.wire.received.saturating_sub(self.body_bytes()))
                ),
            ),
            ("bodies", list(codings.collect())),
            ("checked", format!("{} proven, {} of which nothing is said", self.proven, self.unproven)),
            ("waited", format!("{} (since each was due)", spread(&self.waited_ms))),
            ("served", format!("{} (since each was sent)", spread(&self.served_ms))),
        ];
        if self.visits.held_back > 0 {
            rows.push(("held back", format!("{} requests waited for --rate-max", self.visits.held_back)));
        }
        for late in &self.cortes {
            let seen = format!("live at {:.1} s", late.live_s);
            let seen = if late.readers > 0 {
                format!("{seen}; {} readers saw it after {}", late.readers, spread(&late.ms))
            } else {
                seen
            };
            rows.push(("corte", format!("{}  {seen}", late.corte)));
        }
        if self.waiting > 0 {
            rows.push(("not yet", format!("{} readers had not seen the last corte", self.waiting)));
        }
        rows.push((
            "this client",
            format!("{:.1} s of CPU, {:.0} answers for each", self.client.cpu_s, self.rate_of_client()),
        ));
        let failures = self.failures.iter().map(|(name, n)| format!("{n} x {name}")).collect();
        rows.push(("errors", list(failures)));
        for (name, value) in rows {
            text += &format!("  {name:<11} {value}\n");
        }
        for told in &self.told {
            text += &format!("              {told}\n");
        }
        text
    }
}
