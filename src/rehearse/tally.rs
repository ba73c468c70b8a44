//! Adding up: what is in at one instant, by state, district, municipality, section and casilla.

use jiff::Timestamp;

use super::model::{Acta, Eleccion};

/// What any set of actas comes to at one corte.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Suma {
    pub esperadas: u64,
    pub capturadas: u64,
    pub contabilizadas: u64,
    pub inconsistentes: u64,
    pub urbanas: u64,
    pub lista_nominal: u64,
    pub lista_contabilizada: u64,
    /// By vote column, of counted actas.
    pub columnas: Vec<u64>,
    /// Votes of counted special casillas.
    pub especiales: u64,
}

impl Suma {
    pub fn add(&mut self, acta: &Acta, now: Timestamp) {
        self.columnas.resize(self.columnas.len().max(acta.votos.len()), 0);
        self.esperadas += 1;
        self.lista_nominal += u64::from(acta.lista_nominal);
        if !is_in(acta, now) {
            return;
        }
        self.capturadas += 1;
        self.inconsistentes += u64::from(acta.inconsistente);
        if !acta.contabilizada {
            return;
        }
        self.contabilizadas += 1;
        self.urbanas += u64::from(acta.urbana);
        self.lista_contabilizada += u64::from(acta.lista_nominal);
        for (sum, votes) in self.columnas.iter_mut().zip(&acta.votos) {
            *sum += u64::from(*votes);
        }
        if acta.especial {
            self.especiales += acta.votos.iter().copied().map(u64::from).sum::<u64>();
        }
    }

    pub fn total(&self) -> u64 {
        self.columnas.iter().sum()
    }

    pub fn votes(&self, columns: &[usize]) -> u64 {
        columns.iter().filter_map(|c| self.columnas.get(*c)).sum()
    }

    /// Participation leaves special casillas out until the last corte: their voters are on no list of theirs.
    pub fn participation(&self, is_final: bool) -> String {
        let voters = if is_final { self.total() } else { self.total().saturating_sub(self.especiales) };
        percent(voters, self.lista_contabilizada)
    }
}

pub(super) fn is_in(acta: &Acta, now: Timestamp) -> bool {
    acta.llegada.is_some_and(|t| t <= now)
}

/// Four decimals, the fourth truncated and not rounded, as the PREP writes them.
pub(super) fn percent(part: u64, whole: u64) -> String {
    let units = (u128::from(part) * 1_000_000).checked_div(u128::from(whole)).unwrap_or(0);
    format!("{}.{:04}", units / 10_000, units % 10_000)
}

/// The state of the count at one corte.
pub(super) struct Cuenta {
    pub total: Suma,
    /// By index of district.
    pub distritos: Vec<Suma>,
    /// By index of contender: the sum over the districts where it stands.
    pub votos: Vec<u64>,
}

pub(super) fn count(eleccion: &Eleccion, actas: &[Acta], now: Timestamp) -> Cuenta {
    let mut total = Suma { columnas: vec![0; eleccion.columnas.len()], ..Suma::default() };
    let mut distritos = vec![total.clone(); eleccion.distritos.len()];
    for acta in actas {
        total.add(acta, now);
        if let Some(sum) = distritos.get_mut(acta.distrito) {
            sum.add(acta, now);
        }
    }
    let mut votos = vec![0; eleccion.contendientes.len()];
    for (district, sum) in eleccion.distritos.iter().zip(&distritos) {
        for &i in &district.contienden {
            if let (Some(own), Some(c)) = (votos.get_mut(i), eleccion.contendientes.get(i)) {
                *own += sum.votes(&c.columnas);
            }
        }
    }
    Cuenta { total, distritos, votos }
}

/// Who leads a district, and who follows. None while nothing is counted or the first two are level.
pub(super) struct Lugares {
    pub primero: Option<usize>,
    pub segundo: Option<usize>,
    pub ventaja: u64,
    pub empate: bool,
}

pub(super) fn places(eleccion: &Eleccion, district: usize, sum: &Suma) -> Lugares {
    let mut order: Vec<(u64, usize)> = eleccion
        .distritos
        .get(district)
        .into_iter()
        .flat_map(|d| &d.contienden)
        .filter_map(|i| Some((*i, eleccion.contendientes.get(*i)?)))
        .filter(|(_, c)| c.stands())
        .map(|(i, c)| (sum.votes(&c.columnas), i))
        .collect();
    order.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let first = order.first().copied().unwrap_or_default();
    let second = order.get(1).copied();
    let ventaja = first.0 - second.map_or(0, |s| s.0);
    let empate = first.0 > 0 && ventaja == 0;
    let led = first.0 > 0 && ventaja > 0;
    Lugares { primero: led.then_some(first.1), segundo: second.filter(|_| led).map(|s| s.1), ventaja, empate }
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn percentages_are_cut_off_not_rounded() {
        assert_eq!(percent(2031, 2136), "95.0842");
        assert_eq!(percent(2, 3), "66.6666");
        assert_eq!(percent(0, 0), "0.0000");
        assert_eq!(percent(5, 5), "100.0000");
    }
}
