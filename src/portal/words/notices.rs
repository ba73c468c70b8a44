//! Why a page of ours answers instead of a result, and what it says.

/// What a page of ours tells.
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
    /// What a reader sends to an origin is more than it may be.
    PayloadTooLarge,
    /// An origin gave nothing that can be used.
    BadGateway,
    /// An origin took too long.
    GatewayTimeout,
    /// An origin, or the way to it, has all that it can do.
    TooBusy,
    /// One client asks for more than one client gets.
    TooMany,
    /// More is asked for than can be sent: this is for later.
    LeftOut,
    /// A request has come round to us again.
    LoopDetected,
    /// The authority's file is no longer among the cortes that are kept.
    CorteGone,
    /// The embargo: a countdown.
    NotOpenYet,
    /// Open, and nothing has been published yet.
    NoCorteYet,
    /// Too many cortes are missing.
    Interrupted,
    /// The window is over, and its results are no longer shown.
    Closed,
}

impl Notice {
    pub const ALL: [Notice; 21] = [
        Notice::NotFound,
        Notice::BadRequest,
        Notice::MethodNotAllowed,
        Notice::NotImplemented,
        Notice::NotAcceptable,
        Notice::PreconditionFailed,
        Notice::TargetTooLong,
        Notice::HeadTooLarge,
        Notice::RangeNotSatisfiable,
        Notice::PayloadTooLarge,
        Notice::BadGateway,
        Notice::GatewayTimeout,
        Notice::TooBusy,
        Notice::TooMany,
        Notice::LeftOut,
        Notice::LoopDetected,
        Notice::CorteGone,
        Notice::NotOpenYet,
        Notice::NoCorteYet,
        Notice::Interrupted,
        Notice::Closed,
    ];

    /// True for what stands in the place of all results, and gives way to them by itself; the others are errors.
    pub fn is_in_place_of_results(self) -> bool {
        matches!(self, Notice::NotOpenYet | Notice::NoCorteYet | Notice::Interrupted | Notice::Closed)
    }

    /// Its name for programs.
    pub fn token(self) -> &'static str {
        match self {
            Notice::NotFound => "no-encontrado",
            Notice::BadRequest => "solicitud-invalida",
            Notice::MethodNotAllowed => "metodo-no-permitido",
            Notice::NotImplemented => "metodo-desconocido",
            Notice::NotAcceptable => "formato-no-disponible",
            Notice::PreconditionFailed => "condicion-incumplida",
            Notice::TargetTooLong => "direccion-demasiado-larga",
            Notice::HeadTooLarge => "solicitud-demasiado-larga",
            Notice::RangeNotSatisfiable => "fragmento-inexistente",
            Notice::PayloadTooLarge => "cuerpo-demasiado-largo",
            Notice::BadGateway => "origen-fallido",
            Notice::GatewayTimeout => "origen-lento",
            Notice::TooBusy => "saturado",
            Notice::TooMany => "demasiadas-solicitudes",
            Notice::LeftOut => "para-mas-tarde",
            Notice::LoopDetected => "ciclo",
            Notice::CorteGone => "corte-no-disponible",
            Notice::NotOpenYet => "aun-no-abre",
            Notice::NoCorteYet => "sin-corte",
            Notice::Interrupted => "interrumpido",
            Notice::Closed => "cerrado",
        }
    }

    /// The status that it comes with (RFC 9110, 15).
    pub fn status(self) -> u16 {
        match self {
            Notice::BadRequest => 400,
            Notice::NotFound | Notice::CorteGone => 404,
            Notice::MethodNotAllowed => 405,
            Notice::NotAcceptable => 406,
            Notice::Closed => 410,
            Notice::PreconditionFailed => 412,
            Notice::PayloadTooLarge => 413,
            Notice::TargetTooLong => 414,
            Notice::RangeNotSatisfiable => 416,
            Notice::HeadTooLarge => 431,
            Notice::TooMany => 429,
            Notice::NotImplemented => 501,
            Notice::BadGateway => 502,
            Notice::TooBusy | Notice::LeftOut | Notice::NotOpenYet | Notice::NoCorteYet | Notice::Interrupted => 503,
            Notice::GatewayTimeout => 504,
            Notice::LoopDetected => 508,
        }
    }

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
            Notice::PayloadTooLarge => (
                "Envío demasiado grande",
                "Lo que envió rebasa el tamaño que este sitio acepta. Envíe menos e intente de nuevo.",
            ),
            Notice::BadGateway => (
                "Esta página no está disponible por ahora",
                "El servidor del que proviene no responde como debería. Intente de nuevo en unos minutos.",
            ),
            Notice::GatewayTimeout => (
                "Esta página está tardando demasiado",
                "El servidor del que proviene no respondió a tiempo. Intente de nuevo en unos minutos.",
            ),
            Notice::TooBusy => (
                "Hay demasiadas solicitudes en este momento",
                "Esta página recibe más visitas de las que puede atender. Intente de nuevo en unos minutos.",
            ),
            Notice::TooMany => (
                "Llegan demasiadas solicitudes desde su conexión",
                "Espere unos segundos e intente de nuevo. Si comparte la conexión con muchas personas, pruebe con otra red.",
            ),
            Notice::LeftOut => (
                "Este archivo podrá consultarse más tarde",
                "En este momento hay muchísimas consultas. Para que los resultados lleguen a todas las personas, las \
                 descargas más pesadas se dejan para después. Intente de nuevo en unos minutos.",
            ),
            Notice::LoopDetected => (
                "Esta página no está disponible por ahora",
                "La solicitud regresó a este mismo servidor, así que no hay quien la atienda. Avise a quien administra el sitio.",
            ),
            Notice::CorteGone => (
                "Este corte ya no está disponible",
                "Sólo se conservan los cortes más recientes. Consulte los resultados vigentes en la página principal.",
            ),
            Notice::NotOpenYet => (
                "Los resultados aún no se publican",
                "Podrán consultarse en esta página en cuanto comience su difusión.",
            ),
            Notice::NoCorteYet => (
                "Aún no hay resultados",
                "En cuanto se reciba y verifique el primer corte de información, aparecerá en esta página.",
            ),
            Notice::Interrupted => (
                "La transmisión de resultados está interrumpida",
                "No se han recibido cortes nuevos de la autoridad electoral. Los resultados volverán a esta página en \
                 cuanto llegue y se verifique el siguiente corte.",
            ),
            Notice::Closed => (
                "La difusión de resultados concluyó",
                "Terminó el periodo de publicación de los resultados preliminares. Los resultados definitivos los da a \
                 conocer la autoridad electoral.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_can_tell_notices_apart() {
        let tokens: std::collections::BTreeSet<_> = Notice::ALL.map(Notice::token).into();
        assert_eq!(tokens.len(), Notice::ALL.len());
        assert!(tokens.iter().all(|token| token.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')), "{tokens:?}");
    }

    /// They are of any page of the newspaper, results or not, and whoever reads them can do something.
    #[test]
    fn what_fails_at_an_origin_says_nothing_of_results() {
        for notice in
            [Notice::PayloadTooLarge, Notice::BadGateway, Notice::GatewayTimeout, Notice::TooBusy, Notice::LoopDetected]
        {
            let (title, sentence) = notice.words();
            assert!(!notice.is_in_place_of_results() && !format!("{title} {sentence}").contains("esultado"), "{title}");
            assert!(sentence.contains("intente") || sentence.contains("Intente") || sentence.contains("Avise"));
        }
    }
}
