//! A real night, rebuilt from its published database. The file is hostile input: bounded, and every fault has its
//! line, its column and what to do about it.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::model::{Acta, Contendiente, Distrito, Eleccion, Origen, Tabla, Tipo};
use super::table::{CsvFault, decode, delimiter, fields, row};
use super::{Night, padron, partidos};

/// The largest state has some 20,000 actas, the country 170,000.
const MAX_ROWS: usize = 200_000;
const MAX_COLUMNS: usize = 200;
/// Bytes of one line.
const MAX_LINE: usize = 16_384;
/// The header block has six lines; blank ones may be mixed in.
const MAX_HEADER_LINES: usize = 50;
/// No state has more than 45.
const MAX_DISTRICT: u32 = 300;
/// No casilla has more than some 1,500 ballots; a slip of the pen may look like more.
const MAX_VOTES: u32 = 999_999;
/// A week of cortes.
const MAX_CORTES: i64 = 1_008;

const VERIFICACION: &str = "FECHA_HORA_VERIFICACION";

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

/// What stands right before the first vote column, the last of them that is there.
const ANTES_DE_VOTOS: [&str; 5] = [
    "TIPO_ACTA",
    "TOTAL_BOLETAS_SOBRANTES",
    "TOTAL_PERSONAS_VOTARON",
    "TOTAL_REP_PARTIDO_CI_VOTARON",
    "TOTAL_VOTOS_SACADOS",
];

pub(super) fn night(bytes: &[u8]) -> Result<Night, CsvFault> {
    let text = decode(bytes)?;
    let lines: Vec<(usize, &str)> = (1..).zip(text.lines()).filter(|(_, l)| !l.trim().is_empty()).collect();
    let header = Header::read(&lines)?;
    let mut reader = Reader::new(&header)?;
    for &(line, text) in lines.iter().skip(header.lines) {
        reader.read(line, text)?;
    }
    reader.finish()
}

/// Everything above the rows.
struct Header {
    /// How many of the non-blank lines it takes.
    lines: usize,
    line: usize,
    delimiter: char,
    titulo: String,
    columns: Vec<String>,
    offset: Offset,
}

impl Header {
    fn read(lines: &[(usize, &str)]) -> Result<Header, CsvFault> {
        let head = lines.iter().take(MAX_HEADER_LINES);
        let Some(at) = head.clone().position(|(_, l)| l.contains(VERIFICACION) && l.contains("SECCION")) else {
            return Err(CsvFault::file(
                format!("none of the first {MAX_HEADER_LINES} lines names the columns SECCION and {VERIFICACION}"),
                "give the database by casilla of a PREP, unzipped",
            ));
        };
        let &(line, text) = lines.get(at).unwrap_or(&(0, ""));
        let delimiter = delimiter(text);
        let columns = split(line, text, delimiter)?;
        if columns.len() > MAX_COLUMNS {
            let problem = format!("{} columns are more than the limit of {MAX_COLUMNS}", columns.len());
            return Err(CsvFault::at(line, "", problem, "give one election's database only"));
        }
        let above: Vec<&str> = head.take(at).map(|(_, l)| l.trim().trim_matches('"')).collect();
        let offset = above.iter().find_map(|l| utc_offset(l)).unwrap_or(Offset::constant(-6));
        let title = above.iter().find(|l| !l.starts_with("sep=")).copied().unwrap_or_default();
        let titulo = title.split(delimiter).next().unwrap_or_default().chars().take(120).collect();
        Ok(Header { lines: at + 1, line, delimiter, titulo, columns, offset })
    }

    /// The first of these columns that is there.
    fn find(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|n| self.columns.iter().position(|c| c == n))
    }

    fn need(&self, names: &[&str]) -> Result<usize, CsvFault> {
        self.find(names).ok_or_else(|| {
            let name = names.first().copied().unwrap_or_default();
            CsvFault::at(self.line, name, "the column is missing", "give the complete database, as published")
        })
    }

    /// From after the ballot box's own figures up to NULOS.
    fn vote_columns(&self) -> Result<std::ops::Range<usize>, CsvFault> {
        let before = ANTES_DE_VOTOS.iter().filter_map(|n| self.find(&[n])).max();
        let last = self.columns.iter().position(|c| partidos::is_null(c));
        match (before, last) {
            (Some(before), Some(last)) if before + 1 < last => Ok(before + 1..last + 1),
            _ => Err(CsvFault::at(
                self.line,
                "NULOS",
                "no columns of votes stand between TOTAL_VOTOS_SACADOS and NULOS",
                "give the database by casilla of a PREP, with its columns in the published order",
            )),
        }
    }
}

fn split(line: usize, text: &str, delimiter: char) -> Result<Vec<String>, CsvFault> {
    if text.len() > MAX_LINE {
        let problem = format!("{} bytes are more than the limit of {MAX_LINE} for one line", text.len());
        return Err(CsvFault::at(line, "", problem, "check the line ends of the file"));
    }
    fields(text, delimiter)
        .ok_or_else(|| CsvFault::at(line, "", "a quoted value is not closed", "close it with a quotation mark"))
}

/// From `03/06/2024 20:00 (UTC-6)`.
fn utc_offset(line: &str) -> Option<Offset> {
    let (_, rest) = line.split_once("(UTC")?;
    let hours: i8 = rest.split_once(')')?.0.parse().ok()?;
    Offset::from_hours(hours).ok().filter(|_| (-12..=14).contains(&hours))
}

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

struct Reader<'a> {
    header: &'a Header,
    at: Places,
    zone: TimeZone,
    estado: (u32, String),
    /// Number of the district -> its name, and its index once all are known.
    districts: BTreeMap<u32, String>,
    municipalities: BTreeMap<String, usize>,
    municipios: Vec<String>,
    actas: Vec<(u32, Acta)>,
    /// (district, vote column) -> the column has figures there, and their sum.
    used: BTreeMap<(u32, usize), u64>,
}

impl<'a> Reader<'a> {
    fn new(header: &'a Header) -> Result<Reader<'a>, CsvFault> {
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

    fn read(&mut self, line: usize, text: &str) -> Result<(), CsvFault> {
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
        read.and_then(|t| self.zone.to_ambiguous_zoned_datetime(t).compatible().ok())
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

    fn finish(self) -> Result<Night, CsvFault> {
        let times = || self.actas.iter().filter_map(|(_, a)| a.llegada);
        let (Some(first), Some(last)) = (times().min(), times().max()) else {
            return Err(CsvFault::file(
                format!("no row has a time in {VERIFICACION}"),
                "give the database of a late corte, when actas had come in",
            ));
        };
        // The last corte closes the night; the first is the one that closes the first ten whole minutes of it.
        let seconds = last.duration_since(first).as_secs();
        let cortes = seconds.div_euclid(600) + i64::from(seconds.rem_euclid(600) > 0);
        let cortes = cortes.max(1);
        if cortes > MAX_CORTES {
            let problem = format!("from {first} to {last} is more than a week");
            return Err(CsvFault::at(0, VERIFICACION, problem, "correct the dates"));
        }
        let end = ceil_ten_minutes(last, self.header.offset);
        let start = end.checked_sub(SignedDuration::from_mins(10 * (cortes - 1))).unwrap_or(end);
        let primer_corte = start.to_zoned_datetime(self.zone.clone());

        let columnas: Vec<String> =
            self.header.columns.get(self.at.votes.clone()).map(<[String]>::to_vec).unwrap_or_default();
        let contendientes = partidos::contendientes(&columnas);
        let mut distritos: Vec<Distrito> = self
            .districts
            .iter()
            .map(|(numero, cabecera)| Distrito {
                numero: *numero,
                cabecera: cabecera.clone(),
                contienden: standing(*numero, &contendientes, &self.used),
            })
            .collect();
        let contendientes = partidos::drop_absent(contendientes, &mut distritos);
        let index: BTreeMap<u32, usize> = self.districts.keys().copied().zip(0..).collect();
        let mut actas = Vec::with_capacity(self.actas.len());
        for (district, mut acta) in self.actas {
            acta.distrito = index.get(&district).copied().unwrap_or(0);
            actas.push(acta);
        }
        let bare = self.header.titulo.split(" (").next().unwrap_or_default().trim().to_owned();
        let nombre = if bare.is_empty() { "Elección".to_owned() } else { capitalised(&bare) };
        let anio = primer_corte.year();
        let eleccion = Eleccion {
            id: slug(&[&self.estado.1, &anio.to_string(), &nombre]),
            nombre,
            entidad: self.estado.1,
            id_entidad: self.estado.0,
            anio,
            origen: if self.header.titulo.contains("demostración") { Origen::Inventado } else { Origen::Reconstruido },
            columnas,
            contendientes,
            municipios: self.municipios,
            distritos,
            tabla: Tabla { delimitador: self.header.delimiter, titulo: bare, columnas: self.header.columns.clone() },
            primer_corte,
            cortes: usize::try_from(cortes).unwrap_or(1),
        };
        Ok(Night { eleccion, actas })
    }
}

/// The next full ten minutes of the local clock.
fn ceil_ten_minutes(time: Timestamp, offset: Offset) -> Timestamp {
    let local = time.as_second() + i64::from(offset.seconds());
    let short = (-local).rem_euclid(600);
    Timestamp::from_second(time.as_second() + short).unwrap_or(time)
}

/// A coalition stands in a district when somebody there marked it as one; its parties stand alone when nobody did.
fn standing(district: u32, all: &[Contendiente], used: &BTreeMap<(u32, usize), u64>) -> Vec<usize> {
    let sum = |c: &usize| used.get(&(district, *c)).copied();
    let joined = |c: &Contendiente| c.marcas.iter().filter_map(sum).sum::<u64>() > 0;
    let is_there = |c: &Contendiente| match c.tipo {
        Tipo::Coalicion => joined(c),
        Tipo::NoRegistradas | Tipo::Nulos => true,
        Tipo::Partido | Tipo::Independiente => {
            let in_coalition = all
                .iter()
                .any(|o| o.tipo == Tipo::Coalicion && joined(o) && c.columnas.iter().all(|i| o.columnas.contains(i)));
            !in_coalition && c.columnas.iter().any(|i| sum(i).is_some())
        }
    };
    all.iter().enumerate().filter(|(_, c)| is_there(c)).map(|(i, _)| i).collect()
}

/// Many files say `DISTRITO 1`, which is no name.
fn cabecera(name: &str) -> String {
    let upper = name.to_uppercase();
    let bare = upper.strip_prefix("DISTRITO").unwrap_or(&upper).trim_start();
    let named = bare.trim_start_matches(|c: char| c.is_ascii_digit() || " .-".contains(c));
    capitalised(named)
}

/// `QUINTANA ROO` -> `Quintana Roo`; small words stay small.
fn capitalised(text: &str) -> String {
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

/// `[a-z0-9-]{1,64}`, as FORMAT.md has it.
fn slug(parts: &[&str]) -> String {
    let mut id = String::new();
    for c in parts.join("-").to_lowercase().chars() {
        let plain = match c {
            'á' => 'a',
            'é' => 'e',
            'í' => 'i',
            'ó' => 'o',
            'ú' | 'ü' => 'u',
            'ñ' => 'n',
            'a'..='z' | '0'..='9' => c,
            _ => '-',
        };
        if plain != '-' || !(id.is_empty() || id.ends_with('-')) {
            id.push(plain);
        }
    }
    id.truncate(64);
    id.trim_end_matches('-').to_owned()
}
