//! What the public is told beside the results: the state of transmission, and who tells it.

use jiff::ZonedDateTime;

use super::offer::Offer;
use super::words;
use crate::corte::Tipo;
use crate::schedule::State;

/// Where things stand, for pages, headers and programs. All times are in the zone in which people here read them.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub election: String,
    pub kind: Tipo,
    pub state: State,
    /// Whether results are shown.
    pub shows_results: bool,
    /// The clock of this server is not the real one: a rehearsal.
    pub is_shifted: bool,
    /// The corte that is shown, or was last; never before the opening.
    pub corte: Option<Stamp>,
    pub since: Option<ZonedDateTime>,
    pub opens: ZonedDateTime,
    pub closes: ZonedDateTime,
    /// When the next corte is due, or was.
    pub due: Option<ZonedDateTime>,
    /// Seconds from one corte to the next.
    pub interval_s: i64,
    /// What is left out for now because too much is asked for.
    pub offer: Offer,
    pub printed: Printed,
}

/// When this was printed, so that a browser knows the election's time from a response's `Date`: what it says beyond
/// `machine_s`, times `pace`, after `election`.
#[derive(Clone, Debug, PartialEq)]
pub struct Printed {
    pub election: ZonedDateTime,
    /// Seconds since 1970, as `Date` has them.
    pub machine_s: i64,
    /// Seconds of the election in one of the machine; 1 but for rehearsals.
    pub pace: f64,
}

/// A corte's date and hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// `20260607_2010`
    pub id: String,
    /// As the authority wrote it: `2026-06-07T20:10:00-06:00`.
    pub fecha_hora: String,
    /// `7 de junio de 2026, 20:10 horas (UTC−6)`
    pub date_and_hour: String,
}

/// Who publishes: the difusor's own name, looks and help, from the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brand {
    /// `El Diario de Saltillo`
    pub name: Option<String>,
    /// Where people turn to for help: `844 123 4567, soporte@eldiario.example`.
    pub support: Option<String>,
    /// Background and text of bars and titles: `#7a1f00`.
    pub colour: Option<String>,
    pub on_colour: Option<String>,
    /// An image for our pages, as it is served: its media type and its bytes.
    pub logo: Option<(&'static str, bytes::Bytes)>,
}

impl Told {
    /// True where the figures are no results of the election.
    pub fn is_drill(&self) -> bool {
        self.kind == Tipo::Simulacro || self.is_shifted
    }

    /// The corte that may be named: none before the opening, whatever is known.
    pub fn corte(&self) -> Option<&Stamp> {
        self.corte.as_ref().filter(|_| self.state != State::Before)
    }
}

impl Stamp {
    /// `at` is in the offset that the authority wrote.
    pub fn new(id: String, fecha_hora: String, at: &ZonedDateTime) -> Stamp {
        Stamp { id, fecha_hora, date_and_hour: words::date_and_hour(at) }
    }
}
