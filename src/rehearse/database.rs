//! The database for download: a CSV with a row for every expected acta, as a ZIP in a ZIP, as real packages are.
//!
//! Deterministic: the same corte gives the same bytes, so that nothing is signed or fetched anew for nothing.

use std::io::{Cursor, Write};

use zip::result::ZipResult;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::Cut;
use super::table::row;
use super::tally::percent;

const RESUMEN: [&str; 13] = [
    "ACTAS_ESPERADAS",
    "ACTAS_REGISTRADAS",
    "ACTAS_FUERA_CATALOGO",
    "ACTAS_CAPTURADAS",
    "PORCENTAJE_ACTAS_CAPTURADAS",
    "ACTAS_CONTABILIZADAS",
    "PORCENTAJE_ACTAS_CONTABILIZADAS",
    "PORCENTAJE_ACTAS_INCONSISTENCIAS",
    "ACTAS_NO_CONTABILIZADAS",
    "LISTA_NOMINAL_ACTAS_CONTABILIZADAS",
    "TOTAL_VOTOS_C_CS",
    "TOTAL_VOTOS_S_CS",
    "PORCENTAJE_PARTICIPACION_CIUDADANA",
];

/// One file under a stable name; the names inside carry the corte.
pub(super) fn files(cut: &Cut) -> Vec<(String, Vec<u8>)> {
    let path = format!("descargas/PREP_{}.zip", cut.eleccion.abreviatura());
    // Writing to memory fails only past the format's own limits, far above any election.
    archive(cut).map(|bytes| vec![(path, bytes)]).unwrap_or_default()
}

fn archive(cut: &Cut) -> ZipResult<Vec<u8>> {
    let (abreviatura, anio) = (cut.eleccion.abreviatura(), cut.eleccion.anio);
    let inner = zip(
        cut,
        CompressionMethod::Deflated,
        &[
            (format!("{abreviatura}_DIP_LOC_{anio}.csv"), csv(cut).into_bytes()),
            (format!("{abreviatura}_DIP_CANDIDATURAS_{anio}.csv"), candidaturas(cut).into_bytes()),
            ("LEEME.txt".to_owned(), leeme(cut).into_bytes()),
        ],
    )?;
    let name = format!("{}_PREP_DIP_LOC_{abreviatura}.zip", cut.id);
    zip(cut, CompressionMethod::Stored, &[(name, inner)])
}

fn zip(cut: &Cut, method: CompressionMethod, files: &[(String, Vec<u8>)]) -> ZipResult<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(method)
        .last_modified_time(modified(cut).unwrap_or_default())
        .unix_permissions(0o644);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(name.as_str(), options)?;
        writer.write_all(bytes)?;
    }
    Ok(writer.finish()?.into_inner())
}

/// The corte's own time: a clock would change the bytes.
fn modified(cut: &Cut) -> Option<DateTime> {
    let t = cut.stamp.datetime();
    let byte = |n: i8| u8::try_from(n).ok();
    let year = u16::try_from(t.year()).ok()?;
    DateTime::from_date_and_time(year, byte(t.month())?, byte(t.day())?, byte(t.hour())?, byte(t.minute())?, 0).ok()
}

fn csv(cut: &Cut) -> String {
    let tabla = &cut.eleccion.tabla;
    let total = &cut.cuenta.total;
    let d = tabla.delimitador;
    let voters = if cut.is_final { total.total() } else { total.total() - total.especiales };
    let summary = [
        total.esperadas.to_string(),
        total.capturadas.to_string(),
        "0".to_owned(),
        total.capturadas.to_string(),
        percent(total.capturadas, total.esperadas),
        total.contabilizadas.to_string(),
        percent(total.contabilizadas, total.esperadas),
        percent(total.inconsistentes, total.esperadas),
        (total.capturadas - total.contabilizadas).to_string(),
        total.lista_contabilizada.to_string(),
        total.total().to_string(),
        (total.total() - total.especiales).to_string(),
        percent(voters, total.lista_contabilizada),
    ];
    let title = format!("{} (SIMULACRO: {})", tabla.titulo, cut.eleccion.origen.aviso());
    let bytes: usize = cut.actas.iter().map(|a| a.fila_con.len() + 2).sum();
    let mut text = String::with_capacity(bytes + 4096);
    // With the BOM, spreadsheets read the accents right.
    text.push('\u{feff}');
    for line in [
        row([title.as_str()], d),
        format!("{} ({})", cut.stamp.strftime("%d/%m/%Y %H:%M"), offset(cut)),
        row(RESUMEN, d),
        row(summary.iter().map(String::as_str), d),
        String::new(),
        row(tabla.columnas.iter().map(String::as_str), d),
    ] {
        text.push_str(&line);
        text.push('\n');
    }
    for acta in cut.actas {
        let here = super::tally::is_in(acta, cut.now);
        text.push_str(if here { &acta.fila_con } else { &acta.fila_sin });
        text.push('\n');
    }
    text
}

/// `UTC-6`, `UTC+5:30`.
fn offset(cut: &Cut) -> String {
    let minutes = cut.stamp.offset().seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    match (minutes.abs() / 60, minutes.abs() % 60) {
        (h, 0) => format!("UTC{sign}{h}"),
        (h, m) => format!("UTC{sign}{h}:{m:02}"),
    }
}

/// Who stands. No names: an invented night must not have people in it, and a rebuilt one does not know them.
fn candidaturas(cut: &Cut) -> String {
    let e = cut.eleccion;
    let mut text =
        String::from("\u{feff}ID_ESTADO,ID_DISTRITO_LOCAL,PARTIDO_CI,CANDIDATURA_PROPIETARIA,CANDIDATURA_SUPLENTE\n");
    for district in &e.distritos {
        let standing = district.contienden.iter().filter_map(|i| e.contendientes.get(*i)).filter(|c| c.stands());
        for c in standing {
            let who = match e.origen {
                super::model::Origen::Inventado => "CANDIDATURA DE DEMOSTRACIÓN",
                super::model::Origen::Reconstruido => "SIN DATO",
            };
            let (state, number) = (e.id_entidad.to_string(), district.numero.to_string());
            text.push_str(&row([state.as_str(), &number, &c.clave, who, who], ','));
            text.push('\n');
        }
    }
    text
}

fn leeme(cut: &Cut) -> String {
    let e = cut.eleccion;
    let aviso = e.origen.aviso();
    let when = cut.stamp.strftime("%d/%m/%Y %H:%M");
    format!(
        "SIMULACRO\r\n{aviso}.\r\n\r\n\
         {nombre}, {entidad}, {anio}. Corte {id}: {when} ({offset}).\r\n\r\n\
         {ab}_DIP_LOC_{anio}.csv\r\n\
         \x20 Un renglón por cada acta esperada, en UTF-8, separado por «{d}». Antes de los renglones: la elección, la\r\n\
         \x20 fecha y hora del corte, y un resumen. Los porcentajes llevan cuatro decimales; el cuarto se trunca, no se\r\n\
         \x20 redondea. Los campos de un acta que aún no se captura llevan un guion (-). ILEGIBLE y SIN DATO suman cero.\r\n\
         \x20 CONTABILIZADA: 1, el acta suma a los resultados; 0, no suma, y OBSERVACIONES dice por qué.\r\n\
         \x20 Las columnas que empiezan con C_ son los votos marcados para varios partidos de una coalición.\r\n\
         \x20 La participación no incluye casillas especiales sino hasta el último corte.\r\n\r\n\
         {ab}_DIP_CANDIDATURAS_{anio}.csv\r\n\
         \x20 Partidos y coaliciones por distrito. No contiene nombres de personas.\r\n",
        nombre = e.nombre,
        entidad = e.entidad,
        anio = e.anio,
        id = cut.id,
        offset = offset(cut),
        ab = e.abreviatura(),
        d = match e.tabla.delimitador {
            '\t' => "tabulador".to_owned(),
            d => d.to_string(),
        },
    )
}
