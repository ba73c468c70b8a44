//! The log: lines on standard error, which never fails the program (standard output may be a pipe that is closed).

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts the log. `RUST_LOG` chooses what is said; by default everything from `info` on.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        // It would tell of them on standard error, which is what has failed, and panic.
        .log_internal_errors(false);
    let _ = log.try_init();
}
