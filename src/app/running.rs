//! A running difusor: the counter and the operator around one live edition.

use std::fmt::Write;
use std::sync::Arc;

use jiff::SignedDuration;

use super::limits;
use crate::base::clock::Clock;
use crate::config::Settings;
use crate::http::{Listen, Rhythm, Server, Site, StartError};
use crate::ingest::{self, Operator, Reporter};
use crate::snapshot::Live;

/// Why it cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    #[error(transparent)]
    Http(#[from] StartError),
    #[error(transparent)]
    Intake(#[from] ingest::StartFault),
}

/// Everything that runs, until it is stopped.
pub struct Running {
    server: Server,
    operator: Operator,
}

impl Running {
    /// Starts answering first, then taking packages in: whoever comes early is told that there is nothing yet.
    pub fn start(settings: Settings, clock: Clock, report: Reporter) -> Result<Running, StartFault> {
        let live = Arc::new(Live::default());
        let interval = SignedDuration::try_from(settings.interval).unwrap_or(SignedDuration::MAX);
        let site = Site { live: live.clone(), rhythm: Rhythm { clock: clock.clone(), interval } };
        let mut http = settings.http;
        http.connections_max = limits::connections(http.connections_max);
        let server = Server::start(&http, Arc::new(site))?;
        let operator = Operator::start(settings.intake, live, clock, report)?;
        Ok(Running { server, operator })
    }

    pub fn addresses(&self) -> &[Listen] {
        self.server.addresses()
    }

    /// Where it listens, for people: `http://127.0.0.1:8080 https://...`
    pub fn urls(&self) -> String {
        self.addresses().iter().fold(String::new(), |mut out, listen| {
            let scheme = if listen.is_tls { "https" } else { "http" };
            let _ = write!(out, "{}{scheme}://{}", if out.is_empty() { "" } else { " " }, listen.address);
            out
        })
    }

    /// One count for each thread that has to live; each grows at least once in two seconds unless its thread hangs.
    pub fn heartbeats(&self) -> Vec<u64> {
        self.server.heartbeats()
    }

    /// The operator's count: it may stand still for as long as a large package takes.
    pub fn operator_heartbeat(&self) -> u64 {
        self.operator.heartbeat()
    }

    /// Stops accepting connections, then taking packages in, then lets readers finish. The operator may be in the middle
    /// of a large package; nobody new is let in meanwhile.
    pub fn stop(self) {
        self.server.close();
        self.operator.stop();
        self.server.stop();
    }
}
