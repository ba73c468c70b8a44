//! A calendar for tests and benches of everything else: open for longer than anybody looks, and no corte is ever late.

#![allow(dead_code, reason = "not every test binary needs all of it")]

use std::sync::Arc;

use difusor::corte::Tipo;
use difusor::schedule::{Calendar, Closed, OnInterrupted, Window};
use jiff::SignedDuration;
use jiff::tz::TimeZone;

/// As settings have it.
pub const ALWAYS: &str =
    "[[window]]\nopens = \"2000-01-01T00:00\"\ncloses = \"2100-01-01T00:00\"\ncortes_end = \"10m\"\n";

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
