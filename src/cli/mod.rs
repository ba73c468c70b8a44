//! Floor 11: one thin file a verb; printing; exit codes.

pub mod ask;
pub mod audit;
pub mod config;
pub mod cortes;
pub mod demo;
mod log;
pub mod pack;
pub mod push;
pub mod serve;
pub mod show;
mod signals;
pub mod token;
pub mod verify;
mod watch;

/// Something that was asked for could not be done.
pub const FAILED: u8 = 1;
/// Wrong use, or faulty settings: nothing was tried. clap uses the same.
pub const WRONG_USE: u8 = 2;
