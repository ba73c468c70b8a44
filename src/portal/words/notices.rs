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
    /// The authority's file is no longer among the cortes that are kept.
    CorteGone,
    /// An origin gave nothing that can be used.
    BadGateway,
    GatewayTimeout,
    TooBusy,
    LoopDetected,
    PayloadTooLarge,
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
    pub const ALL: [Notice; 19] = [
        Notice::NotFound,
        Notice::BadRequest,
        Notice::MethodNotAllowed,
        Notice::NotImplemented,
        Notice::NotAcceptable,
        Notice::PreconditionFailed,
        Notice::TargetTooLong,
        Notice::HeadTooLarge,
        Notice::RangeNotSatisfiable,
        Notice::CorteGone,
        Notice::BadGateway,
        Notice::GatewayTimeout,
        Notice::TooBusy,
        Notice::LoopDetected,
        Notice::PayloadTooLarge,
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
            Notice::CorteGone => "corte-no-disponible",
            Notice::BadGateway => "origen-fallido",
            Notice::GatewayTimeout => "origen-lento",
            Notice::TooBusy => "saturado",
            Notice::LoopDetected => "ciclo",
            Notice::PayloadTooLarge => "cuerpo-demasiado-largo",
            Notice::NotOpenYet => "aun-no-abre",
            Notice::NoCorteYet => "sin-corte",
            Notice::Interrupted => "interrumpido",
            Notice::Closed => "cerrado",
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
            Notice::CorteGone => (
                "Este corte ya no está disponible",
                "Sólo se conservan los cortes más recientes. Consulte los resultados vigentes en la página principal.",
            ),
            Notice::BadGateway => (
                "Esta página no está disponible",
                "El servidor que la tiene no respondió bien. Intente de nuevo más tarde.",
            ),
            Notice::GatewayTimeout => (
                "Esta página tarda demasiado",
                "El servidor que la tiene no respondió a tiempo. Intente de nuevo más tarde.",
            ),
            Notice::TooBusy => {
                ("Demasiadas solicitudes", "Muchas personas piden esta página. Intente de nuevo en unos segundos.")
            }
            Notice::LoopDetected => {
                ("La solicitud da vueltas", "La solicitud volvió a este sitio por el que ya había pasado.")
            }
            Notice::PayloadTooLarge => {
                ("Envío demasiado largo", "Su programa envió más datos de los que se aceptan en esta dirección.")
            }
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
