//! Where people vote: sections and casillas of Coahuila, drawn by the seed inside the real municipalities.

use super::coahuila::{CASILLAS, DISTRITOS, ESPECIALES_POR_DISTRITO, LISTA_NOMINAL, MUNICIPIOS};
use super::rng::Rng;

/// The law's ceiling of voters for one casilla.
const MAX_LISTA: f64 = 750.0;

#[derive(Clone, Debug)]
pub(super) struct Casilla {
    /// Index: 0 is district 1.
    pub distrito: usize,
    /// Index into MUNICIPIOS.
    pub municipio: usize,
    pub seccion: u32,
    /// `B`, `C`, `E` or `S`.
    pub tipo: char,
    pub numero: u32,
    pub contigua: u32,
    pub urbana: bool,
    pub lista_nominal: u32,
}

impl Casilla {
    /// `B1`, `C2`, `E1C1`.
    pub fn nombre(&self) -> String {
        name(self.tipo, self.numero, self.contigua)
    }
}

pub(super) fn name(tipo: char, numero: u32, contigua: u32) -> String {
    match contigua {
        0 => format!("{tipo}{numero}"),
        n => format!("{tipo}{numero}C{n}"),
    }
}

/// The part of a municipality that lies in one district.
struct Parte {
    municipio: usize,
    distrito: usize,
    habitantes: f64,
}

/// Exactly `CASILLAS` of them, by section; sections are numbered municipality by municipality.
pub(super) fn casillas(rng: &mut Rng) -> Vec<Casilla> {
    let mut partes: Vec<Parte> = Vec::new();
    for (distrito, (_, municipios)) in DISTRITOS.iter().enumerate() {
        for &(municipio, share) in *municipios {
            let habitantes = MUNICIPIOS.get(municipio).map_or(0.0, |m| f64::from(m.1)) * f64::from(share) / 1000.0;
            partes.push(Parte { municipio, distrito, habitantes });
        }
    }
    partes.sort_by_key(|p| (p.municipio, p.distrito));
    let quotas = quotas(&partes, CASILLAS - ESPECIALES_POR_DISTRITO * DISTRITOS.len());
    let total: f64 = partes.iter().map(|p| p.habitantes).sum();

    let mut all = Vec::with_capacity(CASILLAS);
    let mut section = 0;
    for (parte, quota) in partes.iter().zip(quotas) {
        let lista = f64::from(LISTA_NOMINAL) * parte.habitantes / total;
        fill(rng, parte, quota, lista, &mut section, &mut all);
    }
    especiales(&mut all);
    all.sort_by_key(|c| (c.distrito, c.seccion));
    all
}

/// Shares that add up exactly, at least two casillas each: the largest shortfall gets the next one.
fn quotas(partes: &[Parte], casillas: usize) -> Vec<usize> {
    let total: f64 = partes.iter().map(|p| p.habitantes).sum();
    let ideal: Vec<f64> = partes.iter().map(|p| casillas as f64 * p.habitantes / total).collect();
    let mut given: Vec<usize> = ideal.iter().map(|i| (*i as usize).max(2)).collect();
    loop {
        let sum: usize = given.iter().sum();
        let want = |i: &usize| ideal[*i] - given[*i] as f64;
        let next = if sum < casillas {
            (0..given.len()).max_by(|a, b| want(a).total_cmp(&want(b))).map(|i| (i, 1))
        } else if sum > casillas {
            (0..given.len()).filter(|i| given[*i] > 2).min_by(|a, b| want(a).total_cmp(&want(b))).map(|i| (i, -1))
        } else {
            None
        };
        match next {
            Some((i, step)) => given[i] = given[i].saturating_add_signed(step),
            None => return given,
        }
    }
}

fn fill(rng: &mut Rng, parte: &Parte, quota: usize, lista: f64, section: &mut u32, all: &mut Vec<Casilla>) {
    let from = all.len();
    let urban = MUNICIPIOS.get(parte.municipio).map_or(0, |m| m.2);
    let mut left = quota as u32;
    while left > 0 {
        *section += 1;
        let urbana = rng.below(100) < urban;
        let size = (1 + if urbana { rng.below(4) } else { rng.below(2) }).min(left);
        left -= size;
        // A far hamlet of a rural section votes at a casilla of its own.
        let extra = u32::from(!urbana && size > 1 && rng.chance(0.6));
        let people = if urbana { rng.between(470.0, 740.0) } else { rng.between(180.0, 600.0) };
        for i in 0..size {
            let (tipo, numero) = match i {
                0 => ('B', 1),
                _ if i + extra >= size => ('E', 1),
                _ => ('C', i),
            };
            all.push(Casilla {
                distrito: parte.distrito,
                municipio: parte.municipio,
                seccion: *section,
                tipo,
                numero,
                contigua: 0,
                urbana,
                lista_nominal: people as u32,
            });
        }
    }
    let drawn: f64 = all.iter().skip(from).map(|c| f64::from(c.lista_nominal)).sum();
    for (i, casilla) in all.iter_mut().skip(from).enumerate() {
        let scaled = f64::from(casilla.lista_nominal) * lista / drawn.max(1.0);
        // Neighbours of one section differ by a voter, as names are split by the alphabet.
        casilla.lista_nominal = scaled.clamp(90.0, MAX_LISTA - 1.0) as u32 + (i % 2) as u32;
    }
}

/// In the first large sections of each cabecera.
fn especiales(all: &mut Vec<Casilla>) {
    for (distrito, (cabecera, _)) in DISTRITOS.iter().enumerate() {
        let here = |c: &&Casilla| {
            c.distrito == distrito
                && c.tipo == 'B'
                && c.urbana
                && MUNICIPIOS.get(c.municipio).is_some_and(|m| m.0 == *cabecera)
        };
        let found: Vec<Casilla> = all.iter().filter(here).step_by(9).take(ESPECIALES_POR_DISTRITO).cloned().collect();
        all.extend(found.into_iter().map(|c| Casilla { tipo: 'S', numero: 1, lista_nominal: 0, ..c }));
    }
}
