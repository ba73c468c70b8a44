//! When each acta comes in: the shape of a real night.

use super::padron::Casilla;
use super::rng::Rng;

/// The first corte is at 18:30, the last of the 66 at 05:20.
pub(super) const CORTES: usize = 66;

/// Share of the actas that are in by each corte, in ten-thousandths of those that come at all.
/// Measured: FECHA_HORA_VERIFICACION of the 2,136 actas of Quintana Roo, night of 2 to 3 June 2019.
const CURVA: [u32; CORTES] = [
    0, 0, 5, 33, 128, 302, 619, 912, 1153, 1393, 1653, 1932, 2197, 2437, 2641, 2915, 3146, 3410, 3680, 4058, 4388,
    4728, 5031, 5371, 5664, 5947, 6164, 6415, 6618, 6845, 7029, 7156, 7256, 7378, 7515, 7610, 7718, 7827, 7988, 8040,
    8191, 8309, 8436, 8493, 8555, 8611, 8654, 8710, 8824, 8880, 8980, 9069, 9140, 9225, 9310, 9353, 9405, 9504, 9584,
    9655, 9754, 9849, 9906, 9981, 9986, 10000,
];

/// Seconds after 18:30 for each casilla; None for those whose acta does not come before the last corte.
pub(super) fn arrivals(rng: &mut Rng, casillas: &[Casilla]) -> Vec<Option<i64>> {
    let share = rng.between(0.930, 0.975);
    let road: Vec<f64> = (0..16).map(|_| rng.between(-0.35, 0.35)).collect();
    let mut order: Vec<(f64, usize)> = casillas
        .iter()
        .enumerate()
        .map(|(i, c)| {
            let far = if c.urbana { 0.0 } else { 0.75 };
            let special = if c.tipo == 'S' { 1.2 } else { 0.0 };
            (rng.normal() + far + special + road.get(c.distrito).copied().unwrap_or(0.0), i)
        })
        .collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let coming = (casillas.len() as f64 * share) as usize;
    let mut times = vec![None; casillas.len()];
    for (rank, (_, casilla)) in order.into_iter().take(coming).enumerate() {
        if let Some(time) = times.get_mut(casilla) {
            *time = Some(second((rank as f64 + 0.5) / coming as f64 * 10_000.0));
        }
    }
    times
}

/// The curve read backwards, straight between two cortes.
fn second(level: f64) -> i64 {
    for (n, pair) in CURVA.windows(2).enumerate() {
        let (from, to) = (f64::from(pair[0]), f64::from(pair[1]));
        if level <= to {
            return (n as f64 * 600.0 + (level - from) / (to - from) * 600.0) as i64;
        }
    }
    (CORTES as i64 - 1) * 600
}
