//! A running difusor: the counter and the operator around one live edition.

use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use jiff::SignedDuration;

use super::{limits, notebook};
use crate::admin::{self, Admin, Company};
use crate::base::clock::Clock;
use crate::base::disk::Disk;
use crate::config::Settings;
use crate::http::{Listen, Rhythm, Server, Site, StartError};
use crate::ingest::{Intake, Operator, Reporter};
use crate::record::{Journal, Metrics};
use crate::snapshot::Live;

/// Why it cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    #[error(transparent)]
    Http(#[from] StartError),
    #[error("the incoming folder cannot be watched: {0}; is fs.inotify.max_user_instances reached?")]
    Watch(io::Error),
    #[error("{path}: the folder for what is kept (`state`) cannot be made or used: {source}")]
    State { path: String, source: io::Error },
    #[error(transparent)]
    Admin(#[from] admin::StartFault),
}

/// Everything that runs, until it is stopped.
pub struct Running {
    server: Server,
    operator: Operator,
    admin: Admin,
    journal: Arc<Journal>,
}

impl Running {
    /// Starts answering first, then taking packages in: whoever comes early is told that there is nothing yet.
    pub fn start(settings: Settings, clock: Clock, report: Reporter) -> Result<Running, StartFault> {
        let (live, disk) = (Arc::new(Live::default()), Disk::machine());
        state_folder(&disk, &settings.admin.state)?;
        let metrics = Arc::new(Metrics::new());
        metrics.started(clock.now());
        let journal = Arc::new(Journal::new(disk.clone(), &settings.admin.state, clock.clone(), metrics.clone()));
        let interval = SignedDuration::try_from(settings.interval).unwrap_or(SignedDuration::MAX);
        let site = Site { live: live.clone(), rhythm: Rhythm { clock: clock.clone(), interval } };
        let mut http = settings.http;
        http.connections_max = limits::connections(http.connections_max);
        let server = Server::start(&http, Arc::new(site))?;
        let intake = Intake {
            incoming: settings.incoming,
            election: settings.election,
            kind: settings.kind,
            signers: settings.signers,
            identity: settings.identity,
            limits: settings.limits,
            content_check: settings.content_check,
            keep: settings.keep,
            settle: settings.settle,
        };
        let report = notebook::keep(report, journal.clone(), metrics.clone(), live.clone(), clock.clone());
        let operator = Operator::start(intake, live.clone(), clock.clone(), report).map_err(StartFault::Watch)?;
        let desk = Arc::new(operator.handle());
        let company = Company { desk, live, journal: journal.clone(), metrics, clock, disk };
        let admin = Admin::start(&settings.admin, company)?;
        Ok(Running { server, operator, admin, journal })
    }

    /// Where the operators' side listens with HTTPS.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.address()
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

    /// Nobody new is let in, at either counter. What has arrived whole is still judged, and whoever sent it gets his
    /// answer: so the operator stops before the operators' side does. Then readers finish. The operator may be in the
    /// middle of a large package.
    pub fn stop(self) {
        self.server.close();
        self.admin.close();
        self.operator.stop();
        self.admin.stop();
        self.journal.close();
        self.server.stop();
    }
}

/// Makes the folder where its parent is there.
fn state_folder(disk: &Disk, path: &Path) -> Result<(), StartFault> {
    let made = if disk.exists(path) { Ok(()) } else { disk.make_folder(path) };
    made.map_err(|source| StartFault::State { path: path.display().to_string(), source })
}
