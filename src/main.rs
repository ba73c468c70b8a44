//! Dispatches the verbs.

use std::process::ExitCode;

use clap::Parser;
use difusor::cli;

#[derive(Parser)]
#[command(version, about)]
enum Verb {
    Pack(cli::pack::Args),
    Verify(cli::verify::Args),
}

fn main() -> ExitCode {
    match Verb::parse() {
        Verb::Pack(args) => cli::pack::run(&args),
        Verb::Verify(args) => cli::verify::run(&args),
    }
}
