//! Every sentence that the public may read from us, and nothing else.

mod dates;
mod notices;
mod scripts;
mod states;
mod verify;

pub use dates::{date_and_hour, moment, parts};
pub use notices::Notice;
pub use scripts::{for_embed, for_notice, for_verify};
pub use states::{awaits, opening, state};
pub use verify::{VERIFY, Verify};

pub const CORTE_OF: &str = "Corte del";
pub const LAST_CORTE: &str = "Último corte:";
pub const NO_CORTE: &str = "Todavía no se ha publicado ningún corte";
pub const SEE_RESULTS: &str = "Ver los resultados";
pub const FRONT_PAGE: &str = "Ir a la página principal";
pub const DRILL: &str = "SIMULACRO";
pub const DRILL_MEANS: &str = "Ejercicio de prueba: las cifras no son resultados de la elección.";
/// Where the difusor has given no name.
pub const PREP: &str = "Resultados electorales preliminares";
/// What the frame with the publication is called.
pub const RESULTS: &str = "Resultados electorales";
/// In commands that readers copy, where scripts do not write the true one.
pub const SITE: &str = "https://ESTE-SITIO";
pub const HELP: &str = "Contacto:";
pub const LEFT: &str = "Faltan";
pub const BY_ITSELF: &str = "Esta página se actualiza sola.";
pub const BY_HAND: &str = "Para saber si ya hay cambios,";
pub const REFRESH: &str = "actualice la página";
pub const FULL_SCREEN: &str = "Pantalla completa";
pub const VERIFY_LINK: &str = "Verificar";
