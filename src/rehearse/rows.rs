//! The rows of a published database, read without trust: each becomes an acta, or a fault with its line and column.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::from_csv::{Header, VERIFICACION, split};
use super::model::Acta;
use super::padron;
use super::table::{CsvFault, row};

/// The largest state has some 20,000 actas, the country 170,000.
const MAX_ROWS: usize = 200_000;
/// No state has more than 45.
const MAX_DISTRICT: u32 = 300;
/// No casilla has more than some 1,500 ballots; a slip of the pen may look like more.
const MAX_VOTES: u32 = 999_999;
/// Any PREP there ever was, and room.
const YEARS: std::ops::Range<i16> = 1990..2100;

/// Known before the election, so shown before the acta is in.
const CATALOGO: [&str; 24] = [
    "CLAVE_CASILLA",
    "CLAVE_ACTA",
    "ID_ESTADO",
    "ID_ENTIDAD",
    "ESTADO",
    "ENTIDAD",
    "ID_DISTRITO",
    "ID_DISTRITO_LOCAL",
    "ID_DISTRITO_FEDERAL",
    "DISTRITO",
    "DISTRITO_LOCAL",
    "DISTRITO_FEDERAL",
    "ID_MUNICIPIO",
    "MUNICIPIO",
    "SECCION",
    "ID_CASILLA",
    "TIPO_CASILLA",
    "EXT_CONTIGUA",
    "UBICACION_CASILLA",
    "CASILLA",
    "TIPO_ACTA",
    "NUM_ACTA_IMPRESO",
    "LISTA_NOMINAL",
    "REPRESENTANTES_PP_CI",
];

/// Where in a row each thing stands.
struct Places {
    id_estado: Option<usize>,
    estado: Option<usize>,
    id_distrito: usize,
    distrito: Option<usize>,
    municipio: Option<usize>,
    seccion: usize,
    id_casilla: Option<usize>,
    tipo: Option<usize>,
    contigua: Option<usize>,
    ubicacion: Option<usize>,
    lista: usize,
    observaciones: Option<usize>,
    contabilizada: Option<usize>,
    verificacion: usize,
    votes: std::ops::Range<usize>,
    catalogue: Vec<bool>,
}

pub(super) struct Reader<'a> {
    header: &'a Header,
    at: Places,
    pub zone: TimeZone,
    pub estado: (u32, String),
    /// Number of the district -> its name, and its index once all are known.
    pub districts: BTreeMap<u32, String>,
    municipalities: BTreeMap<String, usize>,
    pub municipios: Vec<String>,
    pub actas: Vec<(u32, Acta)>,
    /// (district, vote column) -> the column has figures there, and their sum.
    pub used: BTreeMap<(u32, usize), u64>,
}

impl<'a> Reader<'a> {
    pub fn new(header: &'a Header) -> Result<Reader<'a>, CsvFault> {
        let at = Places {
            id_estado: header.find(&["ID_ESTADO", "ID_ENTIDAD"]),
            estado: header.find(&["ESTADO", "ENTIDAD"]),
            id_distrito: header.need(&["ID_DISTRITO", "ID_DISTRITO_LOCAL", "ID_DISTRITO_FEDERAL"])?,
            distrito: header.find(&["DISTRITO", "DISTRITO_LOCAL", "DISTRITO_FEDERAL"]),
            municipio: header.find(&["MUNICIPIO", "MUNICIPIO_LOCAL"]),
            seccion: header.need(&["SECCION"])?,
            id_casilla: header.find(&["ID_CASILLA"]),
            tipo: header.find(&["TIPO_CASILLA"]),
            contigua: header.find(&["EXT_CONTIGUA"]),
            ubicacion: header.find(&["UBICACION_CASILLA"]),
            lista: header.need(&["LISTA_NOMINAL"])?,
            observaciones: header.find(&["OBSERVACIONES"]),
            contabilizada: header.find(&["CONTABILIZADA"]),
            verificacion: header.need(&[VERIFICACION])?,
            votes: header.vote_columns()?,
            catalogue: header.columns.iter().map(|c| CATALOGO.contains(&c.as_str())).collect(),
        };
        Ok(Reader {
            header,
            at,
            zone: TimeZone::fixed(header.offset),
            estado: (0, String::new()),
            districts: BTreeMap::new(),
            municipalities: BTreeMap::new(),
            municipios: Vec::new(),
            actas: Vec::new(),
            used: BTreeMap::new(),
        })
    }

    pub fn read(&mut self, line: usize, text: &str) -> Result<(), CsvFault> {
        if self.actas.len() >= MAX_ROWS {
            let problem = format!("more than {MAX_ROWS} rows");
            return Err(CsvFault::at(line, "", problem, "give one election's database only"));
        }
        let values = split(line, text, self.header.delimiter)?;
        let (columns, found) = (self.header.columns.len(), values.len());
        if found != columns {
            let problem = format!("{found} values for {columns} columns");
            return Err(CsvFault::at(line, "", problem, "give the file as published, or take the line out"));
        }
        let value = |i: usize| values.get(i).map_or("", String::as_str);
        // Actas outside the catalogue have no district: they count nowhere.
        if matches!(value(self.at.id_distrito), "" | "-" | "0") {
            return Ok(());
        }
        let number = |i: usize, most: u32| self.number(line, i, value(i), most);
        let district = number(self.at.id_distrito, MAX_DISTRICT)?;
        let seccion = number(self.at.seccion, 99_999)?;
        let lista_nominal = number(self.at.lista, MAX_VOTES)?;
        let small = |i: Option<usize>| i.map(value).and_then(|v| v.parse::<u32>().ok()).unwrap_or(0);
        let tipo = self.at.tipo.and_then(|i| value(i).chars().next()).unwrap_or('B');
        let numero = small(self.at.id_casilla);
        let llegada = self.time(line, value(self.at.verificacion))?;
        let mut votos = Vec::with_capacity(self.at.votes.len());
        for i in self.at.votes.clone() {
            // Words (ILEGIBLE, SIN DATO, -) add nothing; what begins with a digit must be a number.
            let v = value(i);
            let votes = if v.starts_with(|c: char| c.is_ascii_digit()) { number(i, MAX_VOTES)? } else { 0 };
            votos.push(votes);
        }
        let observaciones = self.at.observaciones.map_or("", value);
        let mut acta = Acta {
            distrito: 0,
            municipio: None,
            seccion,
            casilla: padron::name(tipo, numero, small(self.at.contigua)),
            urbana: small(self.at.ubicacion) == 1,
            especial: tipo == 'S',
            lista_nominal,
            votos: votos.into(),
            contabilizada: self.at.contabilizada.is_none_or(|i| value(i) == "1"),
            inconsistente: ["ILEGIBLE", "SIN DATO", "EXCEDE"].iter().any(|w| observaciones.contains(w)),
            observaciones: observaciones.chars().take(120).collect(),
            llegada,
            fila_sin: self.masked(&values),
            fila_con: row(values.iter().map(String::as_str), self.header.delimiter),
        };
        acta.municipio = self.at.municipio.and_then(|i| self.municipality(value(i)));
        self.note_use(district, &values);
        let name = self.at.distrito.map_or("", value);
        self.districts.entry(district).or_insert_with(|| cabecera(name));
        if self.estado.1.is_empty() {
            self.estado = (small(self.at.id_estado), capitalised(self.at.estado.map_or("", value)));
        }
        self.actas.push((district, acta));
        Ok(())
    }

    fn number(&self, line: usize, column: usize, value: &str, most: u32) -> Result<u32, CsvFault> {
        let plain = value.bytes().all(|b| b.is_ascii_digit()).then(|| value.parse().ok()).flatten();
        plain.filter(|n| *n <= most).ok_or_else(|| {
            let name = self.header.columns.get(column).map_or("", String::as_str);
            let shown: String = value.chars().take(20).collect();
            CsvFault::at(line, name, format!("`{shown}` is not a whole number from 0 to {most}"), "correct the value")
        })
    }

    fn time(&self, line: usize, value: &str) -> Result<Option<Timestamp>, CsvFault> {
        if matches!(value, "" | "-") {
            return Ok(None);
        }
        let formats =
            ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%Y/%m/%d %H:%M:%S"];
        let read = formats.iter().find_map(|f| DateTime::strptime(f, value).ok());
        read.filter(|t| YEARS.contains(&t.year()))
            .and_then(|t| self.zone.to_ambiguous_zoned_datetime(t).compatible().ok())
            .map(|z| Some(z.timestamp()))
            .ok_or_else(|| {
                let shown: String = value.chars().take(30).collect();
                let problem = format!("`{shown}` is not a date and time");
                CsvFault::at(
                    line,
                    VERIFICACION,
                    problem,
                    "write it as 2024-06-02 20:10:45, or - when the acta never came",
                )
            })
    }

    /// The row before its acta came in.
    fn masked(&self, values: &[String]) -> String {
        let shown = values.iter().zip(&self.at.catalogue).map(|(v, known)| if *known { v.as_str() } else { "-" });
        row(shown, self.header.delimiter)
    }

    fn municipality(&mut self, name: &str) -> Option<usize> {
        if matches!(name, "" | "-") {
            return None;
        }
        let next = self.municipios.len();
        let index = *self.municipalities.entry(name.to_owned()).or_insert(next);
        if index == next {
            self.municipios.push(capitalised(name));
        }
        Some(index)
    }

    /// Only what is a figure shows that a column is in use: elsewhere there is a dash.
    fn note_use(&mut self, district: u32, values: &[String]) {
        let votes = values.get(self.at.votes.clone()).unwrap_or_default();
        for (i, value) in votes.iter().enumerate() {
            if let Ok(n) = value.parse::<u32>() {
                *self.used.entry((district, i)).or_default() += u64::from(n);
            }
        }
    }
}

/// Many files say `DISTRITO 1`, which is no name.
fn cabecera(name: &str) -> String {
    let upper = name.to_uppercase();
    let bare = upper.strip_prefix("DISTRITO").unwrap_or(&upper).trim_start();
    let named = bare.trim_start_matches(|c: char| c.is_ascii_digit() || " .-".contains(c));
    capitalised(named)
}

/// `QUINTANA ROO` -> `Quintana Roo`; small words stay small.
pub(super) fn capitalised(text: &str) -> String {
    let words = text.split_whitespace().take(12).enumerate().map(|(i, word)| {
        let lower = word.to_lowercase();
        let small = i > 0 && ["de", "del", "la", "las", "los", "el", "y", "locales", "local"].contains(&lower.as_str());
        let mut chars = lower.chars();
        match chars.next() {
            Some(first) if !small => first.to_uppercase().chain(chars).take(40).collect::<String>(),
            _ => lower.chars().take(40).collect(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
