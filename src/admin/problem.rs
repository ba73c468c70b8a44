//! Everything that the operators' side refuses, and how it says so: RFC 9457, with a Spanish title for people.

use http::StatusCode;
use serde::Serialize;

use crate::base::units::show_size;
use crate::record;

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The request itself is faulty.
    Malformed(String),
    /// Neither certificate nor token, or a wrong one.
    Unauthorised {
        was_given: bool,
    },
    NotThroughThisDoor,
    NotFound,
    /// The method that this resource has.
    Method(&'static str),
    /// The client was too slow, or silent.
    TooSlow,
    /// The operator would not.
    Conflict(String),
    /// Larger than so many bytes.
    TooLarge(u64),
    /// Not a form that packages have.
    Form(String),
    /// The package was refused. `heals`: the same bytes may hold later.
    Refused {
        code: &'static str,
        why: String,
        heals: bool,
    },
    /// As many packages as may be are under way.
    TooMany,
    /// A fault of ours.
    OurFault(String),
    /// The service is stopping.
    Stopping,
    /// The verdict takes longer than anybody waits.
    NoVerdict,
    /// The disk has no room.
    NoRoom(String),
    /// The client went away; nobody hears this.
    Gone,
}

/// As it is sent.
#[derive(Serialize)]
struct Sent<'p> {
    #[serde(rename = "type")]
    kind: String,
    title: &'p str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heals: Option<bool>,
}

impl Problem {
    pub fn status(&self) -> StatusCode {
        match self {
            Problem::Malformed(_) | Problem::Gone => StatusCode::BAD_REQUEST,
            Problem::Unauthorised { .. } => StatusCode::UNAUTHORIZED,
            Problem::NotThroughThisDoor => StatusCode::FORBIDDEN,
            Problem::NotFound => StatusCode::NOT_FOUND,
            Problem::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Problem::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Problem::Conflict(_) => StatusCode::CONFLICT,
            Problem::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Problem::Form(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Problem::Refused { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Problem::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Problem::OurFault(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Problem::Stopping | Problem::NoVerdict => StatusCode::SERVICE_UNAVAILABLE,
            Problem::NoRoom(_) => StatusCode::INSUFFICIENT_STORAGE,
        }
    }

    /// For operators.
    pub fn title(&self) -> &'static str {
        match self {
            Problem::Malformed(_) => "La petición está mal hecha",
            Problem::Unauthorised { was_given: false } => "Hace falta un certificado o una contraseña de envío",
            Problem::Unauthorised { was_given: true } => "Esa contraseña de envío no es válida",
            Problem::NotThroughThisDoor => {
                "Eso sólo se puede pedir en la propia máquina, como root o con el usuario del servicio"
            }
            Problem::NotFound => "Aquí no hay nada con ese nombre",
            Problem::Method(_) => "Eso se pide de otro modo",
            Problem::TooSlow => "El envío es demasiado lento o se detuvo",
            Problem::Conflict(_) => "No se puede hacer ahora",
            Problem::TooLarge(_) => "El paquete es demasiado grande",
            Problem::Form(_) => "Eso no tiene forma de paquete",
            Problem::Refused { code, .. } => record::kind(code).sentence,
            Problem::TooMany => "Hay demasiados envíos al mismo tiempo",
            Problem::OurFault(_) => "Falló el programa",
            Problem::Stopping => "El servicio se está deteniendo",
            Problem::NoVerdict => "El veredicto tarda demasiado",
            Problem::NoRoom(_) => "No hay lugar en el disco",
            Problem::Gone => "El envío se cortó",
        }
    }

    /// What, expected, found, what to do.
    pub fn detail(&self) -> String {
        match self {
            Problem::Malformed(why) | Problem::Conflict(why) | Problem::Form(why) | Problem::OurFault(why) => {
                why.clone()
            }
            Problem::Refused { why, .. } => why.clone(),
            Problem::NoRoom(why) => format!("{why}; make room on the disk of the state folder, then send it again"),
            Problem::Unauthorised { was_given: false } => {
                "send `Authorization: Bearer TOKEN`, or a certificate of an authority in admin.client_ca".into()
            }
            Problem::Unauthorised { was_given: true } => {
                "no line of admin.tokens has this token; make one with `difusor token NAME`".into()
            }
            Problem::NotThroughThisDoor => {
                "use difusor's own verbs on the machine, as root or as the user of the service".into()
            }
            Problem::NotFound => "there are /packages/NAME and /metrics, and on the socket more".into(),
            Problem::Method(allowed) => format!("expected {allowed}"),
            Problem::TooSlow => "the body came too slowly, or not at all for a while; send it again".into(),
            Problem::TooLarge(limit) => {
                format!(
                    "the body has more than {} (limits.package_bytes); raise the limit if that is right",
                    show_size(*limit)
                )
            }
            Problem::TooMany => "others are being sent, perhaps by yourself; send it again in a while".into(),
            Problem::Stopping => "send it again once the service runs".into(),
            Problem::NoVerdict => {
                "the package has arrived and is still being verified; send it again to learn more".into()
            }
            Problem::Gone => "the body ended too early".into(),
        }
    }

    /// When to try again, in seconds, where the same request may do then.
    pub fn retry_after(&self) -> Option<u32> {
        match self {
            Problem::TooMany => Some(5),
            Problem::Stopping => Some(10),
            Problem::NoVerdict | Problem::NoRoom(_) => Some(60),
            _ => None,
        }
    }

    /// `application/problem+json`.
    pub fn json(&self) -> Vec<u8> {
        let (code, heals) = match self {
            Problem::Refused { code, heals, .. } => (Some(*code), Some(*heals)),
            _ => (None, None),
        };
        // A tag (RFC 4151) where the reason has a name of its own; else the status says it all.
        let kind = code.map_or_else(|| "about:blank".into(), |code| format!("tag:difusor,2026:{code}"));
        let sent =
            Sent { kind, title: self.title(), status: self.status().as_u16(), detail: self.detail(), code, heals };
        serde_json::to_vec(&sent).unwrap_or_default()
    }
}
