//! Names and colours of those who stand, and how coalitions are read from column names.
//!
//! Every colour has a contrast of 3:1 or more against white and against the page's dark ground alike.

use super::model::{Contendiente, Distrito, Tipo};

/// Siglas, name, colour.
const PARTIDOS: [(&str, &str, &str); 16] = [
    ("PAN", "Partido Acción Nacional", "#2f6fd6"),
    ("PRI", "Partido Revolucionario Institucional", "#12834a"),
    ("PRD", "Partido de la Revolución Democrática", "#a48200"),
    ("PVEM", "Partido Verde Ecologista de México", "#7a950f"),
    ("PT", "Partido del Trabajo", "#d33a35"),
    ("MC", "Movimiento Ciudadano", "#e07000"),
    ("MORENA", "Morena", "#b23a5e"),
    ("NA", "Nueva Alianza", "#0b94a3"),
    ("PANAL", "Nueva Alianza", "#0b94a3"),
    ("PES", "Partido Encuentro Solidario", "#7a5ac8"),
    ("UDC", "Unidad Democrática de Coahuila", "#6b7f2a"),
    ("PLA", "Partido Local A", "#7a5ac8"),
    ("PLB", "Partido Local B", "#0b8f9c"),
    ("MAS", "Movimiento Auténtico Social", "#0b8f9c"),
    ("CQROO", "Confianza por Quintana Roo", "#b0539f"),
    ("PESQROO", "Encuentro Social Quintana Roo", "#7a5ac8"),
];

/// For parties that the table does not know, in turn.
const OTROS: [&str; 6] = ["#7a5ac8", "#0b8f9c", "#b0539f", "#8a7440", "#4f7fa8", "#a8643c"];
const GRIS: &str = "#7c828b";

fn known(siglas: &str) -> Option<(&'static str, &'static str)> {
    PARTIDOS.iter().find(|p| p.0 == siglas).map(|p| (p.1, p.2))
}

/// A vote column that is the common mark of several parties: `C_PRI_UDC`, `PVEM_PT_MORENA`.
pub(super) fn members<'a>(column: &'a str, all: &[String]) -> Option<Vec<&'a str>> {
    let bare = ["C_", "CC_", "COA_"].iter().find_map(|p| column.strip_prefix(p)).unwrap_or(column);
    let parts: Vec<&str> = bare.split(['_', '-']).collect();
    let all_stand = parts.iter().all(|p| all.iter().any(|c| c == p));
    (parts.len() > 1 && all_stand).then_some(parts)
}

pub(super) fn is_null(column: &str) -> bool {
    column.to_uppercase().contains("NULOS")
}

pub(super) fn is_unregistered(column: &str) -> bool {
    column.to_uppercase().contains("NO_REGISTRAD") || column.to_uppercase().contains("NO REGISTRAD")
}

/// Everyone who may stand by these vote columns: parties and independents in ballot order, each coalition in the
/// place of its first party, then unregistered and null votes.
pub(super) fn contendientes(columns: &[String]) -> Vec<Contendiente> {
    let marks: Vec<(usize, Vec<&str>)> =
        columns.iter().enumerate().filter_map(|(i, c)| Some((i, members(c, columns)?))).collect();
    let mut list = Vec::new();
    let mut others = 0;
    for (i, column) in columns.iter().enumerate() {
        let widest = |(_, m): &&(usize, Vec<&str>)| {
            m.first() == Some(&column.as_str())
                && !marks.iter().any(|(_, n)| n.len() > m.len() && m.iter().all(|p| n.contains(p)))
        };
        for (_, parties) in marks.iter().filter(widest) {
            list.push(coalition(parties, &marks, columns));
        }
        if !marks.iter().any(|(mark, _)| *mark == i) {
            list.push(single(i, column, &mut others));
        }
    }
    // Stable: keeps the ballot order within each kind.
    list.sort_by_key(|c| match c.tipo {
        Tipo::Partido | Tipo::Coalicion | Tipo::Independiente => 0,
        Tipo::NoRegistradas => 1,
        Tipo::Nulos => 2,
    });
    list
}

fn coalition(parties: &[&str], marks: &[(usize, Vec<&str>)], columns: &[String]) -> Contendiente {
    let within = |m: &Vec<&str>| m.iter().all(|p| parties.contains(p));
    let marks: Vec<usize> = marks.iter().filter(|(_, m)| within(m)).map(|(i, _)| *i).collect();
    let mut all: Vec<usize> =
        columns.iter().enumerate().filter(|(_, c)| parties.contains(&c.as_str())).map(|(i, _)| i).collect();
    all.extend(&marks);
    // Known by its best-known member: the first of these that is in it.
    let face = ["MORENA", "PRI", "PAN"].into_iter().find(|p| parties.contains(p)).or(parties.first().copied());
    let mut order: Vec<&str> = parties.to_vec();
    order.sort_by_key(|p| Some(*p) != face);
    let written: Vec<&str> = order.iter().map(|p| if *p == "MORENA" { "Morena" } else { *p }).collect();
    Contendiente {
        clave: parties.join("_"),
        siglas: written.join("–"),
        nombre: format!("Coalición {}", written.join("–")),
        color: face.and_then(known).map_or(GRIS, |k| k.1).to_owned(),
        tipo: Tipo::Coalicion,
        columnas: all,
        marcas: marks,
    }
}

fn single(column: usize, name: &str, others: &mut usize) -> Contendiente {
    let (tipo, siglas, nombre, color) = if is_null(name) {
        (Tipo::Nulos, "Nulos".to_owned(), "Votos nulos".to_owned(), GRIS)
    } else if is_unregistered(name) {
        (Tipo::NoRegistradas, "No registradas".to_owned(), "Candidaturas no registradas".to_owned(), GRIS)
    } else if let Some(n) = name.strip_prefix("CAND_IND") {
        let n = n.trim_start_matches('_');
        (Tipo::Independiente, format!("Ind. {n}"), format!("Candidatura independiente {n}"), GRIS)
    } else if let Some((nombre, color)) = known(name) {
        let siglas = if name == "MORENA" { "Morena" } else { name };
        (Tipo::Partido, siglas.to_owned(), nombre.to_owned(), color)
    } else {
        *others += 1;
        let color = OTROS.get((*others - 1) % OTROS.len()).copied().unwrap_or(GRIS);
        (Tipo::Partido, name.to_owned(), name.to_owned(), color)
    };
    Contendiente {
        clave: name.to_owned(),
        siglas,
        nombre,
        color: color.to_owned(),
        tipo,
        columnas: vec![column],
        marcas: Vec::new(),
    }
}

/// A party that stands only within a coalition has no line of its own.
pub(super) fn within_coalition(c: &Contendiente, all: &[Contendiente]) -> bool {
    c.tipo == Tipo::Partido
        && all.iter().any(|o| o.tipo == Tipo::Coalicion && c.columnas.iter().all(|i| o.columnas.contains(i)))
}

/// Takes out who stands in no district.
pub(super) fn drop_absent(all: Vec<Contendiente>, distritos: &mut [Distrito]) -> Vec<Contendiente> {
    let present: Vec<bool> = (0..all.len()).map(|i| distritos.iter().any(|d| d.contienden.contains(&i))).collect();
    let before = |i: usize| present.iter().take(i).filter(|p| **p).count();
    for district in distritos {
        district.contienden = district.contienden.iter().map(|i| before(*i)).collect();
    }
    all.into_iter().zip(&present).filter(|(_, p)| **p).map(|(c, _)| c).collect()
}
