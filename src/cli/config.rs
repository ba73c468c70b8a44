//! `difusor config`: a settings file with every setting, to start from; `difusor config rsyncd`: what rsyncd needs.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{FAILED, WRONG_USE};
use crate::config::rsyncd::{self, Places};
use crate::config::{self, Settings};

/// Print a settings file with every setting, its default and its meaning
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    of: Option<Of>,
}

#[derive(clap::Subcommand)]
enum Of {
    Rsyncd(Rsyncd),
}

/// Print rsyncd.conf for the rsync daemon in front of the service
///
/// Goes beside the settings, as rsyncd.conf. Who may push, and where: the section [rsync] of the settings.
#[derive(clap::Args)]
struct Rsyncd {
    /// The settings of the service
    #[arg(long, value_name = "FILE", default_value = "difusor.toml")]
    config: PathBuf,
    /// Print the systemd unit that runs the daemon, an instance for each port: difusor-rsyncd@.service
    #[arg(long)]
    unit: bool,
}

pub fn run(args: &Args) -> ExitCode {
    match &args.of {
        None => print(&config::table::example()),
        Some(Of::Rsyncd(args)) => rsyncd(args),
    }
}

fn rsyncd(args: &Rsyncd) -> ExitCode {
    let failed = |error: std::io::Error| {
        eprintln!("difusor config rsyncd: {error}");
        ExitCode::from(FAILED)
    };
    // Absolute, and so is all that the settings name: rsyncd and systemd have a working folder of their own.
    let file = match std::path::absolute(&args.config) {
        Ok(file) => file,
        Err(error) => return failed(error),
    };
    let settings = match config::load(&file) {
        Ok(settings) => settings,
        Err(faults) => {
            eprintln!("{faults}");
            return ExitCode::from(WRONG_USE);
        }
    };
    let places = match places(&file, &settings) {
        Ok(places) => places,
        Err(error) => return failed(error),
    };
    let printed = match args.unit {
        true => rsyncd::unit(&settings.rsync, &places),
        false => rsyncd::conf(&settings.rsync, &places),
    };
    match printed {
        Ok(text) => {
            for advice in advice(&settings) {
                eprintln!("difusor config rsyncd: {advice}");
            }
            print(&text)
        }
        Err(fault) => {
            eprintln!("difusor config rsyncd: {fault}");
            ExitCode::from(WRONG_USE)
        }
    }
}

fn places(file: &Path, settings: &Settings) -> std::io::Result<Places> {
    let keys = settings.http.certificates.iter().map(|files| &files.key);
    let admin = settings.admin.iter().flat_map(|https| [Some(&https.certificate.key), https.tokens.as_ref()]);
    let Some(incoming) = &settings.intake.incoming else {
        return Err(std::io::Error::other("rsync needs a folder to write into: add `incoming = \"incoming\"`"));
    };
    Ok(Places {
        settings: file.to_owned(),
        conf: file.with_file_name("rsyncd.conf"),
        program: std::env::current_exe()?,
        incoming: incoming.clone(),
        hidden: keys.chain(admin.flatten()).cloned().collect(),
    })
}

/// What is no fault, and still nobody could push.
fn advice(settings: &Settings) -> Vec<String> {
    let mut advice = Vec::new();
    if settings.rsync.trusted.is_empty() {
        advice.push("nobody may push: name the authority's addresses in `rsync.trusted`".to_owned());
    }
    if let Some(login) = &settings.rsync.login
        && let Err(error) = std::fs::metadata(&login.secrets)
    {
        let (path, user) = (login.secrets.display(), &login.user);
        advice.push(format!("{path}: {error}; write a line {user}:PASSWORD there, for root and the group alone (640)"));
    }
    advice
}

fn print(text: &str) -> ExitCode {
    // A reader that went away is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}
