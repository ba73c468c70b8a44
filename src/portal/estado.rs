//! The state of transmission for programs, our own scripts among them.

use jiff::ZonedDateTime;
use serde_json::{Value, json};

use super::told::{Brand, Told};
use super::words::{self, Notice};

/// `/.prep/estado.json`. A browser's time of the election is `reloj.eleccion` and, `reloj.ritmo` times, what an answer's
/// `Date` says beyond `reloj.maquina_s`.
pub fn estado_json(told: &Told, brand: &Brand) -> String {
    format!("{}\n", estado(told, brand))
}

pub(super) fn estado(told: &Told, brand: &Brand) -> Value {
    let corte = told.corte();
    json!({
        "eleccion": told.election,
        "tipo": told.kind,
        "simulacro": told.is_drill(),
        "estado": told.state.token(),
        "estado_texto": words::state(told),
        "resultados": told.shows_results,
        "desde": written(&told.since),
        "corte": corte.map(|corte| &corte.id),
        "fecha_hora": corte.map(|corte| &corte.fecha_hora),
        "texto": corte.map(|corte| &corte.date_and_hour),
        "siguiente": written(&told.due),
        "intervalo_s": told.interval_s,
        "servicio": told.offer.token(),
        "abre": rfc_3339(&told.opens),
        "cierra": rfc_3339(&told.closes),
        "reloj": {
            "eleccion": rfc_3339(&told.printed.election),
            "maquina_s": told.printed.machine_s,
            "ritmo": told.printed.pace,
        },
        "difusor": brand.name,
        "soporte": brand.support,
    })
}

/// A notice for programs: `aviso` where it stands in the place of results; else `error`, and a problem by RFC 9457.
pub fn notice_json(notice: Notice, told: &Told, brand: &Brand) -> String {
    let corte = told.corte();
    let (title, sentence) = notice.words();
    let key = if notice.is_in_place_of_results() { "aviso" } else { "error" };
    let mut about = json!({
        key: notice.token(),
        "titulo": title,
        "texto": sentence,
        "eleccion": told.election,
        "simulacro": told.is_drill(),
        "estado": told.state.token(),
        "estado_texto": words::state(told),
        "desde": written(&told.since),
        "corte": corte.map(|corte| &corte.id),
        "fecha_hora": corte.map(|corte| &corte.fecha_hora),
        "abre": rfc_3339(&told.opens),
        "difusor": brand.name,
        "soporte": brand.support,
    });
    if let (false, Value::Object(about)) = (notice.is_in_place_of_results(), &mut about) {
        // A tag (RFC 4151), as the operators' side has them.
        about.insert("type".into(), format!("tag:difusor,2026:{}", notice.token()).into());
        about.insert("title".into(), title.into());
        about.insert("status".into(), notice.status().into());
        about.insert("detail".into(), sentence.into());
    }
    format!("{about}\n")
}

fn written(at: &Option<ZonedDateTime>) -> Option<String> {
    at.as_ref().map(rfc_3339)
}

/// `2026-06-07T20:10:00-06:00`
fn rfc_3339(at: &ZonedDateTime) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::schedule::State;

    fn parsed(told: &Told) -> Value {
        serde_json::from_str(&estado_json(told, &sample::brand())).unwrap()
    }

    #[test]
    fn the_keys_that_programs_rely_on() {
        let estado = parsed(&sample::told(State::Late));
        let expected = json!({
            "eleccion": "coahuila-2026-diputaciones",
            "tipo": "oficial",
            "simulacro": false,
            "estado": "atrasado",
            "estado_texto": "Corte atrasado: el siguiente se esperaba a las 20:20 horas",
            "resultados": true,
            "desde": "2026-06-07T20:22:00-06:00",
            "corte": "20260607_2010",
            "fecha_hora": "2026-06-07T20:10:00-06:00",
            "texto": "7 de junio de 2026, 20:10 horas (UTC−6)",
            "siguiente": "2026-06-07T20:20:00-06:00",
            "intervalo_s": 600,
            "servicio": "completo",
            "abre": "2026-06-07T18:30:00-06:00",
            "cierra": "2026-06-14T23:59:59-06:00",
            "reloj": { "eleccion": "2026-06-07T20:45:30-06:00", "maquina_s": 1_780_886_730, "ritmo": 1.0 },
            "difusor": "El Diario de Saltillo",
            "soporte": "844 123 4567",
        });
        assert_eq!(estado, expected);
        let keys = |v: &Value| v.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        for state in State::ALL {
            assert_eq!(keys(&parsed(&sample::told(state))), keys(&expected), "{state:?}");
        }
    }

    #[test]
    fn nothing_of_a_corte_before_the_opening() {
        let mut told = sample::told(State::Before);
        told.corte = sample::told(State::Current).corte;
        let estado = parsed(&told);
        for key in ["corte", "fecha_hora", "texto"] {
            assert!(estado[key].is_null(), "{key}");
        }
        for notice in Notice::ALL {
            let told: Value = serde_json::from_str(&notice_json(notice, &told, &sample::brand())).unwrap();
            assert!(told["corte"].is_null() && told["fecha_hora"].is_null(), "{notice:?}");
        }
    }

    #[test]
    fn a_notice_says_what_it_is_and_of_which_corte() {
        let told = sample::told(State::Interrupted);
        let parsed = |notice| -> Value { serde_json::from_str(&notice_json(notice, &told, &sample::brand())).unwrap() };
        let notice = parsed(Notice::Interrupted);
        assert_eq!(notice["aviso"], "interrumpido");
        assert_eq!(notice["desde"], "2026-06-07T20:42:00-06:00");
        assert_eq!(notice["fecha_hora"], "2026-06-07T20:10:00-06:00");
        assert_eq!(notice["soporte"], "844 123 4567");
        let error = parsed(Notice::NotFound);
        assert_eq!(error["error"], "no-encontrado");
        assert_eq!(error.get("aviso"), None);
        assert_eq!((&error["status"], &error["title"]), (&json!(404), &error["titulo"]));
        assert_eq!(error["type"], "tag:difusor,2026:no-encontrado");
        assert_eq!(notice.get("type"), None);
    }
}
