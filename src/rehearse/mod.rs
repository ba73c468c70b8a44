//! Floor 10: an election night, known in advance, for demo and drills. Pure but for `demo`, which plays it.
//!
//! Either invented from a seed (`coahuila`, `padron`, `votos`, `llegada`, `synthetic`) or rebuilt from a real
//! database (`table`, `from_csv`, `rows`, `rebuilt`); both become the same `model`, which `tally` adds up for one corte and `data`,
//! `database` and `page` write as the files of a publication site.

mod coahuila;
mod data;
mod database;
pub mod demo;
mod from_csv;
mod llegada;
mod model;
mod padron;
mod page;
mod partidos;
mod rebuilt;
mod rows;
mod synthetic;
mod table;
mod tally;
mod votos;

#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp, ZonedDateTime};

use crate::base::rng;
use crate::corte::{Actas, CorteId};
pub use table::CsvFault;

/// A whole election night, known in advance.
#[derive(Clone, Debug)]
pub struct Night {
    eleccion: model::Eleccion,
    actas: Vec<model::Acta>,
}

/// What the authority publishes at one corte.
#[derive(Clone, Debug)]
pub struct CorteFiles {
    pub stamp: ZonedDateTime,
    pub is_final: bool,
    pub actas: Actas,
    /// Path below `sitio/`, and bytes.
    pub files: Vec<(String, Vec<u8>)>,
}

/// One corte while its files are written.
struct Cut<'a> {
    eleccion: &'a model::Eleccion,
    actas: &'a [model::Acta],
    cuenta: tally::Cuenta,
    id: String,
    /// RFC 3339 with its offset.
    fecha_hora: String,
    stamp: ZonedDateTime,
    now: Timestamp,
    is_final: bool,
}

impl Night {
    /// Coahuila, 7 June 2026, with invented figures: the same seed gives the same night.
    pub fn synthetic(seed: u64) -> Night {
        synthetic::night(seed)
    }

    /// A real night, rebuilt from its published database by FECHA_HORA_VERIFICACION.
    pub fn from_csv(bytes: &[u8]) -> Result<Night, CsvFault> {
        from_csv::night(bytes)
    }

    /// How many cortes of 10 minutes; at least one.
    pub fn cortes(&self) -> usize {
        self.eleccion.cortes
    }

    /// The name of the election in `corte.json`: `coahuila-2026-diputaciones`.
    pub fn eleccion(&self) -> &str {
        &self.eleccion.id
    }

    /// The files of corte `n`, from 0; past the end, those of the last.
    pub fn corte(&self, n: usize) -> CorteFiles {
        let cut = self.cut(n);
        let mut files = page::files(&cut);
        files.extend(data::files(&cut));
        files.extend(database::files(&cut));
        let total = &cut.cuenta.total;
        let actas = Actas {
            esperadas: Some(total.esperadas),
            capturadas: Some(total.capturadas),
            contabilizadas: Some(total.contabilizadas),
        };
        CorteFiles { stamp: cut.stamp, is_final: cut.is_final, actas, files }
    }

    fn cut(&self, n: usize) -> Cut<'_> {
        let last = self.eleccion.cortes.saturating_sub(1);
        let n = n.min(last);
        let first = &self.eleccion.primer_corte;
        let stamp = first.checked_add(SignedDuration::from_mins(10 * n as i64)).unwrap_or_else(|_| first.clone());
        let now = stamp.timestamp();
        Cut {
            eleccion: &self.eleccion,
            actas: &self.actas,
            cuenta: tally::count(&self.eleccion, &self.actas, now),
            id: CorteId::new(stamp.datetime(), 0).to_string(),
            fecha_hora: stamp.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            stamp,
            now,
            is_final: n == last,
        }
    }
}
