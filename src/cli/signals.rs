//! Signals: those that end the program, and the one that has its certificates looked at.

use std::future::{Future, pending};
use std::io::{self, IsTerminal};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Resolves to the name of the signal that asked us to stop: SIGTERM from systemd, SIGINT from a keyboard, SIGHUP from a
/// terminal that is closed. From this call on, none of them ends the program by itself.
pub fn stop() -> io::Result<impl Future<Output = &'static str>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hangup = signal(SignalKind::hangup())?;
    let has_terminal = io::stdin().is_terminal();
    Ok(async move {
        let closed = async {
            match has_terminal {
                true => hangup.recv().await,
                // A service has no terminal that could be closed: there it means something else.
                false => pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
            _ = closed => "SIGHUP",
        }
    })
}

/// SIGHUP of a service: what may have changed is to be looked at.
pub struct Reload(Option<Signal>);

impl Reload {
    pub fn new() -> io::Result<Reload> {
        let is_ours = !io::stdin().is_terminal();
        Ok(Reload(is_ours.then(|| signal(SignalKind::hangup())).transpose()?))
    }

    pub async fn asked(&mut self) {
        match &mut self.0 {
            Some(signal) => drop(signal.recv().await),
            None => pending().await,
        }
    }
}
