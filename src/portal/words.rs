//! Every sentence that the public may read from us, and nothing else.

use jiff::ZonedDateTime;

use crate::base::months::MONTHS;

/// Why a page of ours answers instead of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Notice {
    NotFound,
    BadRequest,
    MethodNotAllowed,
    NotImplemented,
    NotAcceptable,
    PreconditionFailed,
    TargetTooLong,
    HeadTooLarge,
    RangeNotSatisfiable,
    NotOpenYet,
    Interrupted,
    Closed,
    /// Nothing has been published yet.
    NoCorteYet,
    /// The authority's file is no longer among the cortes that are kept.
    CorteGone,
}

impl Notice {
    pub const ALL: [Notice; 14] = [
        Notice::NotFound,
        Notice::BadRequest,
        Notice::MethodNotAllowed,
        Notice::NotImplemented,
        Notice::NotAcceptable,
        Notice::PreconditionFailed,
        Notice::TargetTooLong,
        Notice::HeadTooLarge,
        Notice::RangeNotSatisfiable,
        Notice::NotOpenYet,
        Notice::Interrupted,
        Notice::Closed,
        Notice::NoCorteYet,
        Notice::CorteGone,
    ];

    /// Title and sentence.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Notice::NotFound => (
                "No encontramos esta página",
                "La dirección no corresponde a ningún archivo del corte que se está difundiendo.",
            ),
            Notice::BadRequest => {
                ("No entendimos la solicitud", "La dirección está mal escrita. Revísela e intente de nuevo.")
            }
            Notice::MethodNotAllowed => {
                ("Solicitud no permitida", "Los resultados sólo pueden consultarse; este sitio no recibe datos.")
            }
            Notice::NotImplemented => ("Solicitud desconocida", "Este sitio no reconoce ese método de HTTP."),
            Notice::NotAcceptable => (
                "Formato no disponible",
                "El archivo no existe en ninguna de las codificaciones que su programa dice aceptar.",
            ),
            Notice::PreconditionFailed => (
                "El archivo cambió",
                "La condición que envió su programa ya no se cumple: hay otra versión del archivo.",
            ),
            Notice::TargetTooLong => ("Dirección demasiado larga", "Revise la dirección e intente de nuevo."),
            Notice::HeadTooLarge => (
                "Solicitud demasiado larga",
                "Su programa envió más encabezados de los que se aceptan. Borre las cookies del sitio e intente de nuevo.",
            ),
            Notice::RangeNotSatisfiable => {
                ("Fragmento inexistente", "El archivo es más corto que el fragmento que se solicitó.")
            }
            Notice::NotOpenYet => ("Aún no", ""),
            Notice::Interrupted => ("Transmisión interrumpida", ""),
            Notice::Closed => ("Terminó", ""),
            Notice::NoCorteYet => (
                "Aún no hay resultados",
                "En cuanto se reciba y verifique el primer corte de información, aparecerá en esta página.",
            ),
            Notice::CorteGone => (
                "Este corte ya no está disponible",
                "Sólo se conservan los cortes más recientes. Consulte los resultados vigentes en la página principal.",
            ),
        }
    }
}

pub const CORTE_OF: &str = "Corte del";
pub const NO_CORTE: &str = "Todavía no se ha publicado ningún corte";
pub const SEE_RESULTS: &str = "Ver los resultados";
pub const DRILL: &str = "SIMULACRO";
pub const DRILL_MEANS: &str = "Ejercicio de prueba: las cifras no son resultados de la elección.";

/// `7 de junio de 2026, 20:10 horas (UTC-6)`: the date and hour of a corte as it is said, in the authority's offset.
pub fn date_and_hour(at: &ZonedDateTime) -> String {
    let month = MONTHS[usize::from(at.month().unsigned_abs()) - 1];
    let (sign, minutes) = {
        let seconds = at.offset().seconds();
        (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs() / 60)
    };
    let offset = match minutes % 60 {
        0 => format!("UTC{sign}{}", minutes / 60),
        rest => format!("UTC{sign}{}:{rest:02}", minutes / 60),
    };
    format!("{} de {month} de {}, {:02}:{:02} horas ({offset})", at.day(), at.year(), at.hour(), at.minute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_said_as_people_say_them() {
        let at = |text: &str| -> ZonedDateTime { text.parse().unwrap() };
        assert_eq!(date_and_hour(&at("2026-06-07T20:10:00-06:00[-06:00]")), "7 de junio de 2026, 20:10 horas (UTC-6)");
        assert_eq!(
            date_and_hour(&at("2026-12-31T00:00:00+05:30[+05:30]")),
            "31 de diciembre de 2026, 00:00 horas (UTC+5:30)"
        );
    }
}
