//! What the tests of our pages tell.

use jiff::ZonedDateTime;

use super::offer::Offer;
use super::told::{Brand, Printed, Stamp, Told};
use crate::corte::Tipo;
use crate::schedule::State;

pub(crate) fn at(text: &str) -> ZonedDateTime {
    format!("2026-06-{text}-06:00[America/Monterrey]").parse().unwrap()
}

/// Each state at a time at which it may be so, with the times that the schedule tells of it.
pub(crate) fn told(state: State) -> Told {
    let (now, since, due) = match state {
        State::Before => ("07T16:17:30", None, None),
        State::Waiting => ("07T18:34:00", Some("07T18:30:00"), Some("07T18:30:00")),
        State::Current => ("07T20:12:00", Some("07T20:10:00"), Some("07T20:20:00")),
        State::Late => ("07T20:45:30", Some("07T20:22:00"), Some("07T20:20:00")),
        State::Interrupted => ("07T20:50:00", Some("07T20:42:00"), Some("07T20:20:00")),
        State::Final => ("07T20:14:00", Some("07T20:10:00"), None),
        State::Closed => ("15T08:00:00", Some("14T23:59:59"), None),
    };
    let has_corte = !matches!(state, State::Before | State::Waiting);
    let stamp = || {
        let zone = "2026-06-07T20:10:00-06:00[-06:00]".parse().unwrap();
        Stamp::new("20260607_2010".into(), "2026-06-07T20:10:00-06:00".into(), &zone)
    };
    let now = at(now);
    Told {
        election: "coahuila-2026-diputaciones".into(),
        kind: Tipo::Oficial,
        state,
        shows_results: matches!(state, State::Current | State::Late | State::Final),
        is_shifted: false,
        corte: has_corte.then(stamp),
        since: since.map(at),
        opens: at("07T18:30:00"),
        closes: at("14T23:59:59"),
        due: due.map(at),
        interval_s: 600,
        offer: Offer::Everything,
        printed: Printed { machine_s: now.timestamp().as_second(), election: now, pace: 1.0 },
    }
}

pub(crate) fn brand() -> Brand {
    Brand {
        name: Some("El Diario de Saltillo".into()),
        support: Some("844 123 4567".into()),
        colour: Some("#7a1f00".into()),
        on_colour: Some("#ffffff".into()),
        logo: None,
    }
}
