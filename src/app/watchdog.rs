//! What systemd is told: ready, alive, stopping (sd_notify(3)). Without systemd it is told nothing.

use std::time::Duration;

use sd_notify::NotifyState;

use super::Running;
use crate::base::clock::Monotonic;

/// How long the operator may be busy with one package before the service counts as hung.
const OPERATOR_MAX: Duration = Duration::from_secs(600);

/// Tells systemd; alive only as long as every thread is.
pub struct Notifier {
    every: Option<Duration>,
    cores: Vec<u64>,
    operator: (u64, Monotonic),
}

impl Notifier {
    pub fn new() -> Notifier {
        // Twice within systemd's own limit, as sd_watchdog_enabled(3) advises.
        Notifier {
            every: sd_notify::watchdog_enabled().map(|t| t / 2),
            cores: Vec::new(),
            operator: (0, Monotonic::now()),
        }
    }

    /// How often `alive` is to be called; `None` where nobody waits for it.
    pub fn every(&self) -> Option<Duration> {
        self.every
    }

    pub fn ready(&self, status: &str) {
        tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    pub fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }

    /// Tells systemd that all is well, if every thread has moved since the last time.
    pub fn alive(&mut self, running: &Running) -> bool {
        let cores = running.heartbeats();
        let have_moved = self.cores.len() != cores.len() || self.cores.iter().zip(&cores).all(|(was, is)| was != is);
        let beat = running.operator_heartbeat();
        if beat != self.operator.0 {
            self.operator = (beat, Monotonic::now());
        }
        self.cores = cores;
        let is_well = have_moved && running.has_lost().is_none() && self.operator.1.elapsed() < OPERATOR_MAX;
        if is_well {
            tell(&[NotifyState::Watchdog]);
        }
        is_well
    }
}

impl Default for Notifier {
    fn default() -> Notifier {
        Notifier::new()
    }
}

fn tell(states: &[NotifyState]) {
    // Without NOTIFY_SOCKET this does nothing; a socket that is gone is systemd's affair.
    let _ = sd_notify::notify(states);
}
