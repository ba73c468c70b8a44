//! What a night is made of, whether invented or rebuilt. Plain data: everything is known in advance.

use jiff::{Timestamp, ZonedDateTime};
use serde::Serialize;

/// Where the figures come from; decides what every page and data file says about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origen {
    Inventado,
    Reconstruido,
}

impl Origen {
    /// The sentence that no page and no data file goes without.
    pub fn aviso(self) -> &'static str {
        match self {
            Origen::Inventado => "Datos de demostración: no son resultados de ninguna elección",
            Origen::Reconstruido => {
                "Reconstrucción de la jornada real a partir de la base de datos publicada; no es información en vivo"
            }
        }
    }

    pub fn clave(self) -> &'static str {
        match self {
            Origen::Inventado => "inventado",
            Origen::Reconstruido => "reconstruccion",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Tipo {
    Partido,
    Coalicion,
    Independiente,
    NoRegistradas,
    Nulos,
}

/// One line of a results table: a party, a coalition, an independent, or votes for nobody.
#[derive(Clone, Debug)]
pub(super) struct Contendiente {
    pub clave: String,
    pub siglas: String,
    pub nombre: String,
    pub color: String,
    pub tipo: Tipo,
    /// The vote columns that add up to it.
    pub columnas: Vec<usize>,
    /// Of those, the common marks of a coalition.
    pub marcas: Vec<usize>,
}

impl Contendiente {
    /// Can win a seat.
    pub fn stands(&self) -> bool {
        !matches!(self.tipo, Tipo::NoRegistradas | Tipo::Nulos)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Distrito {
    pub numero: u32,
    /// Empty when the source has no name beyond the number.
    pub cabecera: String,
    /// Indices of the `Contendiente`s that stand here: a coalition may not cover every district.
    pub contienden: Vec<usize>,
}

/// One expected acta: what is known of its casilla beforehand, and what it will say once it is in.
#[derive(Clone, Debug)]
pub(super) struct Acta {
    /// Index into `distritos`.
    pub distrito: usize,
    /// Index into `municipios`, where the source names them.
    pub municipio: Option<usize>,
    pub seccion: u32,
    /// `B1`, `C2`, `E1`, `E1C1`, `S1`.
    pub casilla: String,
    pub urbana: bool,
    pub especial: bool,
    pub lista_nominal: u32,
    /// By vote column.
    pub votos: Box<[u32]>,
    pub contabilizada: bool,
    pub inconsistente: bool,
    pub observaciones: String,
    /// None: never came in.
    pub llegada: Option<Timestamp>,
    /// The row of the database before and after it came in, ready to be written.
    pub fila_sin: String,
    pub fila_con: String,
}

/// The database file's own shape.
#[derive(Clone, Debug)]
pub(super) struct Tabla {
    pub delimitador: char,
    pub titulo: String,
    pub columnas: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Eleccion {
    pub id: String,
    pub nombre: String,
    pub entidad: String,
    pub id_entidad: u32,
    pub anio: i16,
    pub origen: Origen,
    /// Names of the vote columns.
    pub columnas: Vec<String>,
    pub contendientes: Vec<Contendiente>,
    pub municipios: Vec<String>,
    pub distritos: Vec<Distrito>,
    pub tabla: Tabla,
    pub primer_corte: ZonedDateTime,
    pub cortes: usize,
}

/// In the order of INEGI's keys, 1 to 32.
const ABREVIATURAS: [&str; 32] = [
    "AGS", "BC", "BCS", "CAMP", "COAH", "COL", "CHIS", "CHIH", "CDMX", "DGO", "GTO", "GRO", "HGO", "JAL", "MEX",
    "MICH", "MOR", "NAY", "NL", "OAX", "PUE", "QRO", "QROO", "SLP", "SIN", "SON", "TAB", "TAMPS", "TLAX", "VER", "YUC",
    "ZAC",
];

impl Eleccion {
    /// `COAH`: names the package and the files inside it.
    pub fn abreviatura(&self) -> &'static str {
        let index = (self.id_entidad as usize).wrapping_sub(1);
        ABREVIATURAS.get(index).copied().unwrap_or("MX")
    }
}
