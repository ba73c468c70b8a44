//! Floor 8: the settings file. First as typed (`typed`), then as needed (`Settings`); every fault reported at once,
//! with its line, column and remedy. `table` is the one list of settings: code, manual and example come from it.

mod admin;
mod apart;
mod counter;
mod faults;
mod intake;
mod ladder;
mod load;
mod looks;
mod proxy;
mod rsync;
pub mod rsyncd;
mod schedule;
mod settings;
mod source;
pub mod table;
mod transport;
mod typed;

pub use faults::{Fault, Faults};
pub use load::{load, parse, state};
pub use rsync::{Login, Rsync};
pub use settings::Settings;
