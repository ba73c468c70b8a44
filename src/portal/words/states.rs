//! What is said of the state of transmission.

use super::dates::{date_and_hour, moment};
use crate::portal::Told;
use crate::schedule::State;

/// The state in words: one sentence without its full stop, for the bar of the embed and for programs.
pub fn state(told: &Told) -> String {
    let now = &told.printed.election;
    let due = told.due.as_ref().map(|due| moment(due, now));
    let since = told.since.as_ref().map(|since| moment(since, now));
    match (told.state, due, since) {
        (State::Before, ..) => opening(told),
        (State::Waiting, ..) => "En espera del primer corte".to_owned(),
        (State::Current, Some(due), _) => format!("Corte vigente; el siguiente se espera {}", by(&due)),
        (State::Current, ..) => "Corte vigente".to_owned(),
        (State::Late, Some(due), _) => format!("Corte atrasado: el siguiente se esperaba {}", by(&due)),
        (State::Late, ..) => "Corte atrasado: aún no llega el siguiente".to_owned(),
        (State::Interrupted, _, Some(since)) => format!("Transmisión interrumpida desde {since}"),
        (State::Interrupted, ..) => "Transmisión interrumpida".to_owned(),
        (State::Final, ..) => "Último corte: no se esperan más".to_owned(),
        (State::Closed, ..) if told.shows_results => "La difusión concluyó; éste es el último corte".to_owned(),
        (State::Closed, ..) => "La difusión concluyó".to_owned(),
    }
}

/// When results begin.
pub fn opening(told: &Told) -> String {
    format!("Los resultados se publican a partir del {}", date_and_hour(&told.opens))
}

/// What more a page says that stands in the place of results: since when, and how it goes on.
pub fn awaits(told: &Told) -> Option<String> {
    let now = &told.printed.election;
    let since = told.since.as_ref().map(|since| moment(since, now));
    match (told.state, since) {
        (State::Before, _) => Some(format!("La publicación comienza el {}.", date_and_hour(&told.opens))),
        (State::Waiting, Some(since)) => Some(format!("La difusión comenzó {}.", by(&since))),
        (State::Interrupted, Some(since)) => Some(format!("La transmisión se considera interrumpida desde {since}.")),
        (State::Closed, Some(since)) => Some(format!("La difusión terminó {}.", by(&since))),
        _ => None,
    }
}

/// `a las 20:10 horas`, `el 7 de junio ...`: when something happens.
fn by(moment: &str) -> String {
    match moment.starts_with("las ") {
        true => format!("a {moment}"),
        false => moment.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::sample;

    #[test]
    fn every_state_has_its_sentence() {
        let said = |of| state(&sample::told(of));
        assert_eq!(
            said(State::Before),
            "Los resultados se publican a partir del 7 de junio de 2026, 18:30 horas (UTC−6)"
        );
        assert_eq!(said(State::Waiting), "En espera del primer corte");
        assert_eq!(said(State::Current), "Corte vigente; el siguiente se espera a las 20:20 horas");
        assert_eq!(said(State::Late), "Corte atrasado: el siguiente se esperaba a las 20:20 horas");
        assert_eq!(said(State::Interrupted), "Transmisión interrumpida desde las 20:42 horas");
        assert_eq!(said(State::Final), "Último corte: no se esperan más");
        assert_eq!(said(State::Closed), "La difusión concluyó");
        let kept = Told { shows_results: true, ..sample::told(State::Closed) };
        assert_eq!(state(&kept), "La difusión concluyó; éste es el último corte");
    }
}
