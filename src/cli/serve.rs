//! `difusor serve`: publishes what arrives, until it is told to stop.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tracing::{error, info, warn};

use super::{FAILED, WRONG_USE};
use crate::app::{Notifier, Running};
use crate::base::clock::{Clock, Pace};
use crate::config;
use crate::corte::Tipo;
use crate::ingest;

/// A week in ten minutes.
const RATE_MAX: i64 = 1_000;
/// Below the state folder: what a rehearsal keeps.
pub(super) const REHEARSAL: &str = "ensayo";
/// How often to look after the threads, at least.
const ALIVE_EVERY: Duration = Duration::from_secs(5);

/// Publish verified packages from the incoming folder, over HTTP and TLS
#[derive(clap::Args)]
pub struct Args {
    /// The settings; `difusor config` prints a file with all of them
    #[arg(long, value_name = "FILE", default_value = "difusor.toml")]
    config: PathBuf,
    /// Check the settings and what they name, then end
    #[arg(long)]
    check: bool,
    /// Rehearse: begin at this moment, such as 2026-06-07T18:25:00-06:00. Everything says SIMULACRO, and what is kept goes
    /// to `ensayo` in the state folder
    #[arg(long, value_name = "TIME", value_parser = super::moment)]
    clock: Option<Timestamp>,
    /// And go so many times as fast
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=RATE_MAX), requires = "clock")]
    clock_rate: u32,
}

pub fn run(args: &Args) -> ExitCode {
    let mut settings = match config::load(&args.config) {
        Ok(settings) => settings,
        Err(faults) => {
            eprintln!("{faults}");
            return ExitCode::from(WRONG_USE);
        }
    };
    let doubts = super::doubts::of(&settings, Clock::machine().now());
    if args.check {
        doubts.iter().for_each(|doubt| eprintln!("warning: {doubt}"));
        println!("{}: no fault found", args.config.display());
        return ExitCode::SUCCESS;
    }
    let clock = match args.clock.map(|from| rehearsal(&mut settings, from, args.clock_rate)).transpose() {
        Ok(clock) => clock.unwrap_or_else(Clock::machine),
        Err(why) => {
            eprintln!("difusor serve: {why}");
            return ExitCode::from(WRONG_USE);
        }
    };
    super::log::start();
    doubts.iter().for_each(|doubt| warn!("{doubt}"));
    if clock.is_shifted() {
        warn!(clock = %clock.now(), rate = args.clock_rate, state = %settings.intake.state.display(), "SIMULACRO: this clock is not the real one");
    }
    let incoming = settings.intake.incoming.as_ref().map(|folder| folder.display().to_string());
    let sources = settings.sources.len();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    // Asked for before anything starts, so that no signal finds nobody at home.
    let signals = runtime.block_on(async { Ok((super::signals::stop()?, super::signals::Reload::new()?)) });
    let (stop, reload) = match signals {
        Ok(signals) => signals,
        Err(error) => return failed::<io::Error>(&error),
    };
    let running = match Running::start(settings, clock, Arc::new(ingest::to_log)) {
        Ok(running) => running,
        Err(fault) => return failed(&fault),
    };
    let mut notifier = Notifier::new();
    let admin = running.admin_address().map(|address| format!("https://{address}"));
    info!(version = env!("CARGO_PKG_VERSION"), listening = running.urls(), incoming, sources, admin, "ready");
    notifier.ready(&format!("listening on {}", running.urls()));
    let ended = runtime.block_on(until_told_to_stop(stop, reload, &running, &mut notifier));
    notifier.stopping();
    if let End::Lost(thread) = ended {
        error!(thread, "a thread has ended by a fault of ours; ending, so that the service is started again");
        running.abandon();
        return ExitCode::from(FAILED);
    }
    running.stop();
    info!("stopped");
    ExitCode::SUCCESS
}

/// A clock that is not the real one must never be taken for it: neither by readers, nor by the real night's vault.
fn rehearsal(settings: &mut config::Settings, from: Timestamp, rate: u32) -> Result<Clock, String> {
    let named = settings
        .intake
        .calendar
        .windows()
        .iter()
        .find_map(|window| window.name.as_ref().filter(|_| window.kind == Tipo::Oficial));
    if let Some(name) = named {
        return Err(format!(
            "these settings publish the election at {name}; rehearse with a copy of them without `window.name`"
        ));
    }
    settings.intake.state = settings.intake.state.join(REHEARSAL);
    let second = Duration::from_secs(1);
    Ok(Clock::shifted(from, Pace { election: second * rate, machine: second }))
}

fn failed<E: std::fmt::Display>(error: &E) -> ExitCode {
    error!("{error}");
    ExitCode::from(FAILED)
}

/// Why it does not go on.
enum End {
    Told,
    /// Of a thread without which it is no service.
    Lost(&'static str),
}

async fn until_told_to_stop(
    stop: impl Future<Output = &'static str>,
    mut reload: super::signals::Reload,
    running: &Running,
    notifier: &mut Notifier,
) -> End {
    tokio::pin!(stop);
    let mut every = tokio::time::interval(notifier.every().unwrap_or(ALIVE_EVERY).min(ALIVE_EVERY));
    loop {
        tokio::select! {
            name = &mut stop => {
                info!(signal = name, "stopping: no more connections, finishing those that are under way");
                return End::Told;
            }
            () = reload.asked() => {
                info!(signal = "SIGHUP", "looking at the certificates");
                running.renew();
            }
            _ = every.tick() => {
                if let Some(thread) = running.has_lost() {
                    return End::Lost(thread);
                }
                if !notifier.alive(running) {
                    warn!("a thread does not move");
                }
            }
        }
    }
}
