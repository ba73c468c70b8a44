//! `difusor demo`: an election night on this machine, told on the terminal.

use std::io::{Write, stdout};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::{FAILED, WRONG_USE};
use crate::base::units;
use crate::http::StartError;
use crate::ingest::Happening;
use crate::rehearse::Night;
use crate::rehearse::demo::{Demo, DemoFault, Sent};

/// Where the demo listens unless told otherwise; where that is taken, any free port does.
const USUAL: &str = "127.0.0.1:8080";
/// A CSV that is larger is no PREP database: the largest, of a whole country, have some 60 MB.
const CSV_MAX_BYTES: u64 = 256 * units::MIB;

/// Play an election night on this machine: signed packages in, a results page out
#[derive(clap::Args)]
pub struct Args {
    /// From one corte to the next; each stands for 10 minutes of the night
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = units::duration)]
    every: Duration,
    /// Rebuild the night from a real PREP database instead of inventing one
    #[arg(long, value_name = "FILE.csv")]
    from: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:8080, or any free port]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Which invented night: the same number gives the same figures
    #[arg(long, value_name = "NUMBER", default_value_t = 2026, conflicts_with = "from")]
    seed: u64,
}

pub fn run(args: &Args) -> ExitCode {
    let night = match &args.from {
        None => Night::synthetic(args.seed),
        Some(path) => match rebuilt(path) {
            Ok(night) => night,
            Err(why) => {
                eprintln!("difusor demo: {}: {why}", path.display());
                return ExitCode::from(WRONG_USE);
            }
        },
    };
    match play(night, args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("difusor demo: {fault}");
            ExitCode::from(FAILED)
        }
    }
}

fn rebuilt(path: &Path) -> Result<Night, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > CSV_MAX_BYTES {
        return Err(format!("{} is more than a PREP database has", units::show_size(size)));
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    Night::from_csv(&bytes).map_err(|fault| fault.to_string())
}

fn start(night: Night, args: &Args) -> Result<Demo, DemoFault> {
    let begin = |night, address| Demo::start(night, args.every, address, Arc::new(tell));
    match args.listen {
        Some(address) => begin(night, address),
        None => {
            let usual: SocketAddr = USUAL.parse().unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
            match begin(night.clone(), usual) {
                Err(DemoFault::Start(crate::app::StartFault::Http(StartError::Bind { .. }))) => {
                    begin(night, SocketAddr::new(usual.ip(), 0))
                }
                other => other,
            }
        }
    }
}

fn play(night: Night, args: &Args) -> Result<(), DemoFault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(DemoFault::Signals)?;
    // Before anything is there that would have to be cleared away.
    let stop = runtime.block_on(async { super::signals::stop() }).map_err(DemoFault::Signals)?;
    let mut demo = start(night, args)?;
    introduce(&demo, args);
    runtime.block_on(async {
        tokio::pin!(stop);
        let mut every = tokio::time::interval(args.every);
        loop {
            tokio::select! {
                biased;
                _ = &mut stop => return Ok::<(), DemoFault>(()),
                _ = every.tick() => match demo.send_next()? {
                    Some(sent) => announce(&sent),
                    None => break,
                }
            }
        }
        say("\nThe night is over; the last corte stays up. Ctrl-C ends the demo.\n");
        stop.await;
        Ok(())
    })?;
    say("\nStopping; the demo leaves nothing behind.\n");
    Ok(())
}

/// What another terminal has to call to get this program: its name where that is found, else where it lies.
fn itself() -> String {
    let Ok(own) = std::env::current_exe() else { return "difusor".into() };
    let is_found = std::env::var_os("PATH").is_some_and(|path| {
        let mut there = std::env::split_paths(&path).map(|folder| folder.join("difusor")).filter(|at| at.is_file());
        there.next().and_then(|at| at.canonicalize().ok()).is_some_and(|at| Some(at) == own.canonicalize().ok())
    });
    if is_found { "difusor".into() } else { own.display().to_string() }
}

fn introduce(demo: &Demo, args: &Args) {
    let Some(address) = demo.address() else { return };
    let what = match &args.from {
        Some(path) => format!("the night of {}, rebuilt", path.display()),
        None => "an invented election night, Coahuila 2026".to_owned(),
    };
    let (every, signers) = (args.every, demo.signers());
    let signers = signers.display();
    let difusor = itself();
    say(&format!(
        "difusor demo: {what}. Nothing leaves this machine.\n\n\
         \x20 results        http://{address}/\n\
         \x20 in a page      http://{address}/.prep/embed\n\
         \x20 this corte     http://{address}/.prep/corte.json\n\
         \x20 signed list    http://{address}/.prep/SHA256SUMS\n\
         \x20 packages in    {}\n\
         \x20 who signs      {signers}\n\n\
         Check it, from another terminal: {difusor} audit http://{address} --signers {signers}\n\
         Every {every:?} a signed package arrives, which stands for 10 minutes of the night. Ctrl-C ends it.\n\n",
        demo.incoming().display()
    ));
}

fn announce(sent: &Sent) {
    let actas = match sent.actas {
        Some((captured, expected)) if expected > 0 => {
            format!("{captured} of {expected} actas, {:.1} %", captured as f64 * 100.0 / expected as f64)
        }
        _ => "actas not given".to_owned(),
    };
    let (size, took) = (units::show_size(sent.bytes), sent.took.as_millis());
    say(&format!("{:>3}/{} {}  {actas}; signed and sent, {size} in {took} ms\n", sent.number, sent.of, sent.corte));
}

fn tell(happening: &Happening) {
    let line = match happening {
        Happening::Live { corte, files, changed, bytes, took, .. } => {
            let (size, verify) = (units::show_size(*bytes as u64), took.verify.as_millis());
            let build = took.build.max(took.store).as_millis();
            format!(
                "       {corte}  live: {files} files, {changed} new, {size}; verified in {verify} ms, built in {build} ms"
            )
        }
        Happening::Improved { corte, before, after, took, .. } => {
            let (before, after) = (units::show_size(*before as u64), units::show_size(*after as u64));
            format!("       {corte}  compressed best: {before} -> {after} in memory, {:.1} s", took.as_secs_f32())
        }
        // A package is renamed into the folder whole, so this would be a fault of ours.
        Happening::Waiting { name, code, why }
        | Happening::Refused { name, code, why, .. }
        | Happening::Odd { name, code, why, .. } => format!("       {name}  {code}: {why}"),
        Happening::Blind { why } => format!("       the incoming folder cannot be read: {why}"),
        Happening::StoreFailed { why } => format!("       the vault: {why}"),
        // Nobody decides anything here, and nothing was there before.
        _ => return,
    };
    say(&format!("{line}\n"));
}

/// A reader that went away does not end the demo.
fn say(text: &str) {
    let mut out = stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}
