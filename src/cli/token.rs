//! `difusor token`: makes a token for whoever pushes packages.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use super::{FAILED, WRONG_USE};
use crate::admin::tokens;

/// Make a token for pushing packages: prints it, and the line for the file of `admin.tokens`
///
/// The first line is the token: it goes to whoever pushes, and is kept nowhere. The second line goes into the file; it
/// counts at once, without a restart.
#[derive(clap::Args)]
pub struct Args {
    /// Whose it is: 1 to 64 of A-Z, a-z, 0-9, `.`, `_` and `-`
    name: String,
}

pub fn run(args: &Args) -> ExitCode {
    let mut random = [0; tokens::RANDOM_BYTES];
    if let Err(error) = getrandom::fill(&mut random) {
        eprintln!("difusor token: the kernel gives no random bytes: {error}");
        return ExitCode::from(FAILED);
    }
    match tokens::make(&args.name, &random) {
        Ok((token, line)) => {
            if std::io::stderr().is_terminal() {
                eprintln!(
                    "The token, for {}; it is kept nowhere. Then the line for the file of admin.tokens.",
                    args.name
                );
            }
            let written = writeln!(std::io::stdout(), "{token}\n{line}");
            if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
        }
        Err(why) => {
            eprintln!("difusor token: {why}");
            ExitCode::from(WRONG_USE)
        }
    }
}
