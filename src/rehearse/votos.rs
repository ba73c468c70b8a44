//! How people vote in the invented night: strengths by state, district, municipality and section.
//!
//! Town and country lean differently and come in at different hours, so a lead can change as the count goes on.

use super::coahuila::{COLUMNAS, DISTRITOS, FUERZAS, MUNICIPIOS};
use super::padron::Casilla;
use super::rng::Rng;

/// What one ballot box holds, by vote column.
pub(super) type Votos = [u32; COLUMNAS.len()];

/// Ballots that a special casilla gets.
pub(super) const BOLETAS_ESPECIAL: u32 = 1_000;

const N: usize = FUERZAS.len();
const NO_REGISTRADOS: usize = COLUMNAS.len() - 2;
const NULOS: usize = COLUMNAS.len() - 1;

pub(super) fn votes(rng: &mut Rng, casillas: &[Casilla]) -> Vec<Votos> {
    let state: [f64; N] = FUERZAS.each_ref().map(|f| f.media * rng.factor(f.entre_noches));
    let rural: [f64; N] = FUERZAS.each_ref().map(|_| rng.factor(0.16));
    let districts: Vec<[f64; N]> =
        DISTRITOS.iter().map(|_| FUERZAS.each_ref().map(|f| rng.factor(f.entre_distritos))).collect();
    let municipalities: Vec<[f64; N]> =
        MUNICIPIOS.iter().map(|_| FUERZAS.each_ref().map(|_| rng.factor(0.12))).collect();
    let district_turnout: Vec<f64> = DISTRITOS.iter().map(|_| 0.02 * rng.normal()).collect();

    let mut section = (0, [1.0; N], 0.0);
    casillas
        .iter()
        .map(|c| {
            if section.0 != c.seccion {
                section = (c.seccion, FUERZAS.each_ref().map(|_| rng.factor(0.16)), 0.05 * rng.normal());
            }
            let shares: [f64; N] = std::array::from_fn(|i| {
                let lean = if c.urbana { 1.0 } else { rural[i] };
                let district = districts.get(c.distrito).map_or(1.0, |d| d[i]);
                let municipality = municipalities.get(c.municipio).map_or(1.0, |m| m[i]);
                state[i] * lean * district * municipality * section.1[i] * rng.factor(0.05)
            });
            let country = if c.urbana { -0.004 } else { 0.035 };
            let here = district_turnout.get(c.distrito).copied().unwrap_or(0.0);
            let turnout = (0.559 + country + here + section.2 + 0.02 * rng.normal()).clamp(0.22, 0.90);
            let voters = match c.tipo {
                'S' => rng.between(180.0, 760.0),
                _ => f64::from(c.lista_nominal) * turnout,
            };
            ballot_box(rng, voters as u32, shares)
        })
        .collect()
}

/// Divides the ballots; what rounding leaves over goes to the strongest.
fn ballot_box(rng: &mut Rng, ballots: u32, shares: [f64; N]) -> Votos {
    let mut votes: Votos = [0; COLUMNAS.len()];
    votes[NULOS] = (f64::from(ballots) * 0.026 * rng.factor(0.4)) as u32;
    votes[NO_REGISTRADOS] = u32::from(rng.chance(0.25)) + u32::from(rng.chance(0.08));
    let valid = ballots.saturating_sub(votes[NULOS] + votes[NO_REGISTRADOS]);
    let sum: f64 = shares.iter().sum();
    let mut left = valid;
    let mut strongest = (0.0, 0);
    for (fuerza, share) in FUERZAS.iter().zip(shares) {
        let own = f64::from(valid) * share / sum;
        for &(column, part) in fuerza.columnas {
            let n = ((own * part * rng.factor(0.10) + rng.unit()) as u32).min(left);
            votes[column] += n;
            left -= n;
        }
        if let Some(&(column, _)) = fuerza.columnas.first()
            && share > strongest.0
        {
            strongest = (share, column);
        }
    }
    // A jitter below one leaves a few over; who takes them is noise of the same size as the jitter's own.
    votes[strongest.1] += left;
    votes
}
