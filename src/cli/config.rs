//! `difusor config`: a settings file with every setting, to start from.

use std::io::Write;
use std::process::ExitCode;

/// Print a settings file with every setting, its default and its meaning
#[derive(clap::Args)]
pub struct Args {}

pub fn run(_: &Args) -> ExitCode {
    // A reader that went away is no failure.
    let _ = std::io::stdout().write_all(crate::config::table::example().as_bytes());
    ExitCode::SUCCESS
}
