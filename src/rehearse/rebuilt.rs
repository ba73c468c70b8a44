//! From the rows of a real database to the night they came in: cortes, coalitions by district, names.

use std::collections::BTreeMap;

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use super::from_csv::{Header, VERIFICACION};
use super::model::{Contendiente, Distrito, Eleccion, Origen, Tabla, Tipo};
use super::rows::{Reader, capitalised};
use super::table::CsvFault;
use super::{Night, partidos};

/// A week of cortes.
const MAX_CORTES: i64 = 1_008;

pub(super) fn night(header: &Header, rows: Reader) -> Result<Night, CsvFault> {
    let times = || rows.actas.iter().filter_map(|(_, a)| a.llegada);
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
    let end = ceil_ten_minutes(last, header.offset);
    let start = end.checked_sub(SignedDuration::from_mins(10 * (cortes - 1))).unwrap_or(end);
    let primer_corte = start.to_zoned_datetime(rows.zone.clone());

    let columnas: Vec<String> = header.columns.get(header.vote_columns()?).map(<[String]>::to_vec).unwrap_or_default();
    let contendientes = partidos::contendientes(&columnas);
    let mut distritos: Vec<Distrito> = rows
        .districts
        .iter()
        .map(|(numero, cabecera)| Distrito {
            numero: *numero,
            cabecera: cabecera.clone(),
            contienden: standing(*numero, &contendientes, &rows.used),
        })
        .collect();
    let contendientes = partidos::drop_absent(contendientes, &mut distritos);
    let index: BTreeMap<u32, usize> = rows.districts.keys().copied().zip(0..).collect();
    let mut actas = Vec::with_capacity(rows.actas.len());
    for (district, mut acta) in rows.actas {
        acta.distrito = index.get(&district).copied().unwrap_or(0);
        actas.push(acta);
    }
    let bare = header.titulo.split(" (").next().unwrap_or_default().trim().to_owned();
    let nombre = if bare.is_empty() { "Elección".to_owned() } else { capitalised(&bare) };
    let anio = primer_corte.year();
    let eleccion = Eleccion {
        id: slug(&[&rows.estado.1, &anio.to_string(), &nombre]),
        nombre,
        entidad: rows.estado.1,
        id_entidad: rows.estado.0,
        anio,
        origen: if header.titulo.contains("demostración") { Origen::Inventado } else { Origen::Reconstruido },
        columnas,
        contendientes,
        municipios: rows.municipios,
        distritos,
        tabla: Tabla { delimitador: header.delimiter, titulo: bare, columnas: header.columns.clone() },
        primer_corte,
        cortes: usize::try_from(cortes).unwrap_or(1),
    };
    Ok(Night { eleccion, actas })
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
