//! The invented night: Coahuila, 7 June 2026. Puts padrón, votes and arrivals together as database rows.

use jiff::civil::{DateTime, date};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, ZonedDateTime};

use super::coahuila::{COLUMNAS, DISTRITOS, MUNICIPIOS};
use super::llegada::{self, CORTES};
use super::model::{Acta, Distrito, Eleccion, Origen, Tabla};
use super::padron::{self, Casilla};
use super::rng::Rng;
use super::table::row;
use super::votos::{self, BOLETAS_ESPECIAL, Votos};
use super::{Night, partidos};

/// Party representatives who vote at the casilla without being on its list.
const REPRESENTANTES: u32 = 14;

const ANTES: [&str; 14] = [
    "CLAVE_CASILLA",
    "CLAVE_ACTA",
    "ID_ESTADO",
    "ESTADO",
    "ID_DISTRITO",
    "DISTRITO",
    "ID_MUNICIPIO",
    "MUNICIPIO",
    "SECCION",
    "ID_CASILLA",
    "TIPO_CASILLA",
    "EXT_CONTIGUA",
    "UBICACION_CASILLA",
    "TIPO_ACTA",
];
const URNA: [&str; 4] =
    ["TOTAL_BOLETAS_SOBRANTES", "TOTAL_PERSONAS_VOTARON", "TOTAL_REP_PARTIDO_CI_VOTARON", "TOTAL_VOTOS_SACADOS"];
const DESPUES: [&str; 14] = [
    "TOTAL_VOTOS_ASENTADO",
    "TOTAL_VOTOS_CALCULADO",
    "LISTA_NOMINAL",
    "REPRESENTANTES_PP_CI",
    "OBSERVACIONES",
    "CONTABILIZADA",
    "MECANISMOS_TRASLADO",
    "SHA",
    "FECHA_HORA_ACOPIO",
    "FECHA_HORA_CAPTURA",
    "FECHA_HORA_VERIFICACION",
    "ORIGEN",
    "DIGITALIZACION",
    "TIPO_DOCUMENTO",
];

pub(super) fn night(seed: u64) -> Night {
    let casillas = padron::casillas(&mut Rng::stream(seed, 1));
    let votes = votos::votes(&mut Rng::stream(seed, 2), &casillas);
    let arrivals = llegada::arrivals(&mut Rng::stream(seed, 3), &casillas);
    let mut rng = Rng::stream(seed, 4);
    let first = first_corte();
    let actas = casillas
        .iter()
        .zip(votes)
        .zip(arrivals)
        .map(|((casilla, votes), seconds)| acta(&mut rng, casilla, votes, seconds, &first))
        .collect();
    Night { eleccion: eleccion(first), actas }
}

/// 18:30 in Saltillo: the hour of the call.
fn first_corte() -> ZonedDateTime {
    let saltillo = TimeZone::get("America/Monterrey").unwrap_or_else(|_| TimeZone::fixed(Offset::constant(-6)));
    saltillo.to_ambiguous_zoned_datetime(date(2026, 6, 7).at(18, 30, 0, 0)).compatible().unwrap_or_default()
}

fn eleccion(primer_corte: ZonedDateTime) -> Eleccion {
    let columnas: Vec<String> = COLUMNAS.map(str::to_owned).to_vec();
    let contendientes = partidos::contendientes(&columnas);
    let all: Vec<usize> = contendientes
        .iter()
        .enumerate()
        .filter(|(_, c)| !partidos::within_coalition(c, &contendientes))
        .map(|(i, _)| i)
        .collect();
    let mut distritos: Vec<Distrito> = (1..)
        .zip(DISTRITOS)
        .map(|(numero, (cabecera, _))| Distrito { numero, cabecera: cabecera.to_owned(), contienden: all.clone() })
        .collect();
    let contendientes = partidos::drop_absent(contendientes, &mut distritos);
    let names = ANTES.into_iter().chain(URNA).chain(COLUMNAS).chain(DESPUES);
    Eleccion {
        id: "coahuila-2026-diputaciones".to_owned(),
        nombre: "Diputaciones locales".to_owned(),
        entidad: "Coahuila de Zaragoza".to_owned(),
        id_entidad: 5,
        anio: 2026,
        origen: Origen::Inventado,
        columnas,
        contendientes,
        municipios: MUNICIPIOS.map(|m| m.0.to_owned()).to_vec(),
        distritos,
        tabla: Tabla {
            delimitador: ',',
            titulo: "DIPUTACIONES LOCALES".to_owned(),
            columnas: names.map(str::to_owned).collect(),
        },
        primer_corte,
        cortes: CORTES,
    }
}

/// What went wrong with an acta, in the words of the real database.
#[derive(Clone, Copy, PartialEq)]
enum Problema {
    Ninguno,
    AlgunDato,
    TodosIlegibles,
    SinSobre,
    Excede,
}

impl Problema {
    fn draw(rng: &mut Rng, casilla: &Casilla) -> Problema {
        match rng.below(1000) {
            0..9 => Problema::SinSobre,
            9..16 => Problema::TodosIlegibles,
            16..22 if casilla.tipo != 'S' => Problema::Excede,
            22..92 => Problema::AlgunDato,
            _ => Problema::Ninguno,
        }
    }

    fn observaciones(self) -> &'static str {
        match self {
            Problema::Ninguno => "",
            Problema::AlgunDato => "ALGUN DATO ILEGIBLE O SIN DATO",
            Problema::TodosIlegibles => "TODOS ILEGIBLES O SIN DATO",
            Problema::SinSobre => "SIN ACTA POR PAQUETE ENTREGADO SIN SOBRE",
            Problema::Excede => "EXCEDE LISTA NOMINAL",
        }
    }

    fn contabilizada(self) -> bool {
        matches!(self, Problema::Ninguno | Problema::AlgunDato)
    }
}

fn acta(rng: &mut Rng, casilla: &Casilla, mut votes: Votos, seconds: Option<i64>, first: &ZonedDateTime) -> Acta {
    let problema = Problema::draw(rng, casilla);
    // One field of a counted acta cannot be read: it is written as such and adds nothing.
    let unreadable = (problema == Problema::AlgunDato).then(|| rng.below(COLUMNAS.len() as u32) as usize);
    if problema == Problema::Excede {
        // A digit too many in one field, as typed from a bad photograph.
        votes[rng.below(6) as usize] += 900;
    }
    let written: Vec<String> = votes
        .iter()
        .enumerate()
        .map(|(i, v)| match problema {
            Problema::TodosIlegibles => "ILEGIBLE".to_owned(),
            Problema::SinSobre => "SIN DATO".to_owned(),
            _ if unreadable == Some(i) => if *v > 9 { "ILEGIBLE" } else { "SIN DATO" }.to_owned(),
            _ => v.to_string(),
        })
        .collect();
    let before: u32 = votes.iter().sum();
    for (i, vote) in votes.iter_mut().enumerate() {
        if matches!(problema, Problema::TodosIlegibles | Problema::SinSobre) || unreadable == Some(i) {
            *vote = 0;
        }
    }
    let when = Times::draw(rng, first.datetime(), seconds.unwrap_or(0));
    let total: u32 = votes.iter().sum();
    let boletas = if casilla.tipo == 'S' { BOLETAS_ESPECIAL } else { casilla.lista_nominal + REPRESENTANTES };
    let urna = [boletas.saturating_sub(before), before, rng.below(6), before].map(|n| n.to_string());
    let sha: String = (0..4).map(|_| format!("{:016x}", rng.bits())).collect();
    let mobile = rng.chance(0.3);
    let has_acta = problema != Problema::SinSobre;

    let known = antes(casilla);
    let lista = [casilla.lista_nominal.to_string(), REPRESENTANTES.to_string()];
    let counted = if problema.contabilizada() { "1" } else { "0" };
    let paper: [&str; 8] = [
        if mobile { "I" } else { "D" },
        if has_acta { &sha } else { "" },
        &when.acopio,
        &when.captura,
        &when.verificacion,
        if mobile { "CASILLA" } else { "CATD" },
        if mobile { "MOVIL" } else { "ESCANER" },
        if has_acta { "ACTA PREP" } else { "" },
    ];
    let totals = [before.to_string(), total.to_string()];
    let con = known
        .iter()
        .chain(&urna)
        .chain(&written)
        .chain(&totals)
        .chain(&lista)
        .map(String::as_str)
        .chain([problema.observaciones(), counted])
        .chain(paper);
    let sin = known
        .iter()
        .map(String::as_str)
        .chain(["-"; URNA.len() + COLUMNAS.len() + 2])
        .chain(lista.iter().map(String::as_str))
        .chain(["-"; 10]);
    Acta {
        distrito: casilla.distrito,
        municipio: Some(casilla.municipio),
        seccion: casilla.seccion,
        casilla: casilla.nombre(),
        urbana: casilla.urbana,
        especial: casilla.tipo == 'S',
        lista_nominal: casilla.lista_nominal,
        votos: votes.into(),
        contabilizada: problema.contabilizada(),
        inconsistente: matches!(problema, Problema::AlgunDato | Problema::TodosIlegibles | Problema::Excede),
        observaciones: problema.observaciones().to_owned(),
        llegada: seconds.and_then(|s| first.timestamp().checked_add(SignedDuration::from_secs(s)).ok()),
        fila_sin: row(sin, ','),
        fila_con: row(con, ','),
    }
}

/// The columns that are known before the election.
fn antes(c: &Casilla) -> Vec<String> {
    let clave = format!("05{:04}{}{:02}{:02}", c.seccion, c.tipo, c.numero, c.contigua);
    let tipo_acta = if c.tipo == 'S' { 3 } else { 2 };
    let cabecera = DISTRITOS.get(c.distrito).map_or("", |d| d.0);
    let municipio = MUNICIPIOS.get(c.municipio).map_or("", |m| m.0);
    vec![
        // As real files write it, so that no spreadsheet reads `050123E0100` as a number.
        format!("=\"{clave}\""),
        format!("{clave}{tipo_acta:02}"),
        "5".to_owned(),
        "COAHUILA DE ZARAGOZA".to_owned(),
        (c.distrito + 1).to_string(),
        cabecera.to_uppercase(),
        (c.municipio + 1).to_string(),
        municipio.to_uppercase(),
        c.seccion.to_string(),
        c.numero.to_string(),
        c.tipo.to_string(),
        c.contigua.to_string(),
        if c.urbana { "1" } else { "2" }.to_owned(),
        tipo_acta.to_string(),
    ]
}

struct Times {
    acopio: String,
    captura: String,
    verificacion: String,
}

impl Times {
    fn draw(rng: &mut Rng, first: DateTime, seconds: i64) -> Times {
        let typing = 150 + i64::from(rng.below(500));
        let waiting = 60 + i64::from(rng.below(900));
        let at = |s: i64| {
            let time = first.checked_add(SignedDuration::from_secs(s)).unwrap_or(first);
            time.strftime("%Y-%m-%d %H:%M:%S").to_string()
        };
        Times { acopio: at(seconds - typing - waiting), captura: at(seconds - typing), verificacion: at(seconds) }
    }
}
