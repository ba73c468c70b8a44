//! `difusor pack`: sums, signs and packs a directory.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::corte::{Limits, pack};

/// Make a signed package of a directory that holds corte.json and sitio/
///
/// SHA256SUMS and SHA256SUMS.sig are made anew, as `sha256sum` and `ssh-keygen -Y sign -n prep-corte` make them. The
/// package appears under its name only when it is whole and has been verified.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The directory; nothing in it is changed
    dir: PathBuf,
    /// Private key in OpenSSH format, without passphrase: Ed25519, ECDSA P-256, or RSA of 2048 bits or more
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// What to write: a directory, or an archive if the name ends in .tar, .tar.gz, .tar.zst or .zip
    #[arg(long, value_name = "PKG")]
    out: PathBuf,
}

pub fn run(args: &Args) -> ExitCode {
    match make(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("difusor pack: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn make(args: &Args) -> Result<(), String> {
    let text = fs::read_to_string(&args.key).map_err(|error| format!("{}: {error}", args.key.display()))?;
    let key = pack::key(&text).map_err(|fault| format!("{}: {fault}", args.key.display()))?;
    let limits = Limits::default();
    let told = |fault: pack::PackFault| match fault {
        pack::PackFault::Refused(refusal) => format!("{}: {refusal}", refusal.code()),
        other => other.to_string(),
    };
    pack::folder(&super::behind(&args.dir), &limits, &key)
        .and_then(|package| package.write(&args.out, &limits))
        .map_err(told)
}
