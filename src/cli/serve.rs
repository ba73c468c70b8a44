//! `difusor serve`: publishes what arrives, until it is told to stop.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info, warn};

use super::{FAILED, WRONG_USE};
use crate::app::{Notifier, Running};
use crate::base::clock::Clock;
use crate::config;
use crate::ingest;

/// How often to look after the threads where nobody else waits for it.
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
}

pub fn run(args: &Args) -> ExitCode {
    let settings = match config::load(&args.config) {
        Ok(settings) => settings,
        Err(faults) => {
            eprintln!("{faults}");
            return ExitCode::from(WRONG_USE);
        }
    };
    if args.check {
        println!("{}: no fault found", args.config.display());
        return ExitCode::SUCCESS;
    }
    super::log::start();
    let incoming = settings.intake.incoming.as_ref().map(|folder| folder.display().to_string());
    let sources = settings.sources.len();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    // Asked for before anything starts, so that no signal finds nobody at home.
    let stop = match runtime.block_on(async { super::signals::stop() }) {
        Ok(stop) => stop,
        Err(error) => return failed(&error),
    };
    let running = match Running::start(settings, Clock::machine(), Arc::new(ingest::to_log)) {
        Ok(running) => running,
        Err(fault) => return failed(&fault),
    };
    let mut notifier = Notifier::new();
    let admin = running.admin_address().map(|address| format!("https://{address}"));
    info!(version = env!("CARGO_PKG_VERSION"), listening = running.urls(), incoming, sources, admin, "ready");
    notifier.ready(&format!("listening on {}", running.urls()));
    runtime.block_on(until_told_to_stop(stop, &running, &mut notifier));
    notifier.stopping();
    running.stop();
    info!("stopped");
    ExitCode::SUCCESS
}

fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    error!("{error}");
    ExitCode::from(FAILED)
}

async fn until_told_to_stop(stop: impl Future<Output = &'static str>, running: &Running, notifier: &mut Notifier) {
    tokio::pin!(stop);
    let mut every = tokio::time::interval(notifier.every().unwrap_or(ALIVE_EVERY));
    loop {
        tokio::select! {
            name = &mut stop => {
                info!(signal = name, "stopping: no more connections, finishing those that are under way");
                return;
            }
            _ = every.tick() => if !notifier.alive(running) {
                warn!("a thread does not move");
            }
        }
    }
}
