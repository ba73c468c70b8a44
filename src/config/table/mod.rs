//! The one list of settings: their names, forms, defaults and meanings. Each section's rows are in the file of what it is about.

mod counter;
mod example;
mod intake;
mod proxy;
mod schedule;

pub use self::example::example;

/// One setting.
pub struct Setting {
    /// Dotted, as it is spoken of: `listen.http`. `certificate.chain` stands in each `[[certificate]]`.
    pub key: &'static str,
    /// What it must look like, as an error message says it.
    pub form: &'static str,
    /// As it would be typed; `None` for what has to be given, `Some("")` for what may be left out.
    pub default: Option<&'static str>,
    /// An example, as it would be typed.
    pub example: &'static str,
    pub about: &'static str,
}

const fn setting(
    key: &'static str,
    form: &'static str,
    default: Option<&'static str>,
    example: &'static str,
    about: &'static str,
) -> Setting {
    Setting { key, form, default, example, about }
}

/// By sections, as the settings file has them.
static TABLE: &[&[Setting]] = &[
    intake::TOP,
    counter::LISTEN,
    counter::CERTIFICATE,
    intake::CORTES,
    intake::DIFFERENCES,
    intake::RSYNC,
    counter::LIMITS,
    counter::LADDER,
    intake::TRANSPORT,
    intake::VAULT,
    intake::REFUSED,
    counter::ADMIN,
    intake::SOURCE,
    schedule::SCHEDULE,
    schedule::WINDOW,
    counter::DIFUSOR,
    proxy::PROXY,
    proxy::UPSTREAM,
    proxy::ROUTE,
    counter::STOP,
];

pub fn rows() -> impl Iterator<Item = &'static Setting> {
    TABLE.iter().copied().flatten()
}

/// The row of a key that the code names.
pub fn row(key: &str) -> Option<&'static Setting> {
    rows().find(|row| row.key == key)
}
