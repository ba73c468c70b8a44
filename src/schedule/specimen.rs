//! A calendar for tests of everything else: open for longer than anybody looks, and no corte is ever late.

use std::sync::Arc;

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::{Calendar, Closed, OnInterrupted, Window};
use crate::corte::Tipo;

pub fn always(kind: Tipo) -> Arc<Calendar> {
    let at = |text: &str| text.parse().unwrap();
    let window = Window {
        kind,
        opens: at("2000-01-01T00:00:00Z"),
        closes: at("2100-01-01T00:00:00Z"),
        interval: SignedDuration::from_mins(10),
        grace: SignedDuration::from_mins(1),
        periods: 3,
        ends: at("2000-01-01T00:10:00Z"),
        on_interrupted: OnInterrupted::Notice,
        closed: Closed::Keep,
        name: None,
    };
    Arc::new(Calendar::new(vec![window], TimeZone::UTC, SignedDuration::ZERO).unwrap())
}
