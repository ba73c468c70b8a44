//! Floor 11: one thin file a verb; printing; exit codes.

pub mod ask;
pub mod audit;
pub mod config;
pub mod cortes;
pub mod demo;
mod doubts;
mod ics;
mod log;
pub mod pack;
pub mod push;
pub mod readers;
pub mod schedule;
pub mod serve;
pub mod show;
mod signals;
pub mod token;
pub mod verify;
mod watch;

use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// A moment with its offset, such as `2026-06-07T18:29:59-06:00`.
fn moment(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "expected a date, an hour and an offset, such as 2026-06-07T18:29:59-06:00".to_owned())
}

/// What a link leads to: whoever types its name knows that it is one. Packages themselves are never read through any.
fn behind(path: &Path) -> PathBuf {
    if path.is_symlink() { path.canonicalize().unwrap_or_else(|_| path.to_owned()) } else { path.to_owned() }
}

/// Something that was asked for could not be done.
pub const FAILED: u8 = 1;
/// Wrong use, or faulty settings: nothing was tried. clap uses the same.
pub const WRONG_USE: u8 = 2;
