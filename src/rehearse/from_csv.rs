//! A published database: its header block and columns. The file is hostile input: bounded, and every fault has its
//! line, its column and what to do about it. `rows` reads the rows, `rebuilt` makes the night of them.

use jiff::tz::Offset;

use super::rows::Reader;
use super::table::{CsvFault, decode, delimiter, fields};
use super::{Night, partidos, rebuilt};

const MAX_COLUMNS: usize = 200;
/// Bytes of one line.
const MAX_LINE: usize = 16_384;
/// The header block has six lines; blank ones may be mixed in.
const MAX_HEADER_LINES: usize = 50;
pub(super) const VERIFICACION: &str = "FECHA_HORA_VERIFICACION";

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
    rebuilt::night(&header, reader)
}

/// Everything above the rows.
pub(super) struct Header {
    /// How many of the non-blank lines it takes.
    pub lines: usize,
    pub line: usize,
    pub delimiter: char,
    pub titulo: String,
    pub columns: Vec<String>,
    pub offset: Offset,
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
    pub fn find(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|n| self.columns.iter().position(|c| c == n))
    }

    pub fn need(&self, names: &[&str]) -> Result<usize, CsvFault> {
        self.find(names).ok_or_else(|| {
            let name = names.first().copied().unwrap_or_default();
            CsvFault::at(self.line, name, "the column is missing", "give the complete database, as published")
        })
    }

    /// From after the ballot box's own figures up to NULOS.
    pub fn vote_columns(&self) -> Result<std::ops::Range<usize>, CsvFault> {
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

pub(super) fn split(line: usize, text: &str, delimiter: char) -> Result<Vec<String>, CsvFault> {
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
