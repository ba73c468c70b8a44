//! `corte.json`: what this corte is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::CorteId;

/// Whether a package is the real thing or a drill (FORMAT.md, `tipo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tipo {
    Oficial,
    Simulacro,
}

/// How many actas are expected, captured and counted, when the authority says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actas {
    pub esperadas: Option<u64>,
    pub capturadas: Option<u64>,
    pub contabilizadas: Option<u64>,
}

/// A well-formed `corte.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corte {
    pub eleccion: String,
    pub id: CorteId,
    /// The stamp as the authority wrote it, RFC 3339 with its offset; shown as is.
    pub fecha_hora: String,
    /// The instant that `fecha_hora` names.
    pub instant: Timestamp,
    pub tipo: Tipo,
    /// The last corte of the night.
    pub is_final: bool,
    pub actas: Option<Actas>,
}
