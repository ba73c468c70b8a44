//! A running difusor: the counter and the operator around one live edition.

use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::ladder::{Told, Watch};
use super::renewal::{Kept, Renewal};
use super::{limits, notebook};
use crate::admin::{self, Admin, Company};
use crate::base::clock::Clock;
use crate::config::Settings;
use crate::http::ladder::Ladder;
use crate::http::{Counted, Listen, Rhythm, Server, Site, StartError};
use crate::ingest::source::proxy::Proxies;
use crate::ingest::{self, Gate, Operator, Plan, Reporter, Sources, Staging, Waiting};
use crate::proxy::corridor::Corridor;
use crate::proxy::upstream::Checks;
use crate::record::{Journal, Metrics};
use crate::snapshot::Live;

/// Why it cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    #[error(transparent)]
    Http(#[from] StartError),
    #[error(transparent)]
    Intake(#[from] ingest::StartFault),
    #[error(transparent)]
    Admin(#[from] admin::StartFault),
    #[error("a source cannot be started: {0}")]
    Source(io::Error),
    #[error("the health checks of origins cannot be started: {0}")]
    Checks(io::Error),
    #[error("the election's clock cannot be started: {0}")]
    Gate(io::Error),
    #[error("certificates cannot be looked after: {0}")]
    Renewal(io::Error),
    #[error("nobody can watch how much is asked for: {0}")]
    Ladder(io::Error),
}

/// Everything that runs, until it is stopped.
pub struct Running {
    server: Server,
    gate: Waiting,
    operator: Operator,
    admin: Admin,
    journal: Arc<Journal>,
    sources: Sources,
    checks: Option<Checks>,
    renewal: Renewal,
    ladder: Watch,
}

/// How long a slow disk may take to keep what a source has fetched in part.
const SOURCES_END: Duration = Duration::from_secs(5);

impl Running {
    /// Starts answering first, then taking packages in: whoever comes early is told that there is nothing yet.
    pub fn start(settings: Settings, clock: Clock, report: Reporter) -> Result<Running, StartFault> {
        let live = Arc::new(Live::default());
        let (disk, state) = (settings.intake.disk.clone(), settings.intake.state.clone());
        let (limit, reserve) = (settings.intake.limits.total_bytes, settings.intake.reserve);
        let metrics = Arc::new(Metrics::new());
        metrics.started(clock.now());
        let journal = Arc::new(Journal::new(disk.clone(), &state, clock.clone(), metrics.clone()));
        let report = notebook::keep(report, journal.clone(), metrics.clone());
        let (election, calendar) = (settings.intake.election.clone(), settings.intake.calendar.clone());
        let plan = Plan { election, calendar, looks: settings.looks };
        let gate = Gate::new(plan, live.clone(), clock.clone(), report.clone());
        let corridor = settings.proxy.map(|proxy| Arc::new(Corridor::new(proxy, clock.clone(), &metrics)));
        let ladder = Arc::new(Ladder::new(settings.ladder.classes, &metrics));
        let site = Site {
            public: gate.public(),
            rhythm: Rhythm { clock: clock.clone() },
            corridor: corridor.clone(),
            ladder: ladder.clone(),
            counted: Counted::new(&metrics),
        };
        let mut http = settings.http;
        http.connections_max = limits::connections(http.connections_max);
        let kept = Kept::read(&disk, &state, &clock);
        let server = Server::start(&http, Arc::new(site), kept.tickets.clone(), &metrics)?;
        let checks = corridor.as_ref().map_or(Ok(None), |corridor| corridor.check()).map_err(StartFault::Checks)?;
        // The operator first: he makes the state folder, and holds its lock. What is wrong with the machine's clock is for
        // the journal there.
        let operator = Operator::start(settings.intake, live.clone(), clock.clone(), report.clone())?;
        let told = Told { ladder, gate: gate.clone(), journal: journal.clone(), metrics: metrics.clone() };
        let ladder = Watch::start(settings.ladder.bounds, server.meters(), told).map_err(StartFault::Ladder)?;
        let waiting = gate.start().map_err(StartFault::Gate)?;
        let proxies = Proxies::of(|name| std::env::var(name).ok());
        let staging = Staging::of(&disk, &state, reserve);
        let fetched = Sources::start(settings.sources, &proxies, &staging, limit, &operator.handle(), &report);
        let desk = Arc::new(operator.handle());
        let company = Company { desk, live, journal: journal.clone(), metrics, clock, disk, corridor };
        let private = admin::Settings { state, package_bytes: limit, reserve, https: settings.admin };
        let admin = Admin::start(&private, company)?;
        let public = server.certificates().map(|certificates| ("public", certificates.clone()));
        let operators = admin.certificates().map(|certificates| ("operators", certificates.clone()));
        let renewal = Renewal::start(public.into_iter().chain(operators).collect(), kept, journal.clone());
        let (sources, renewal) = (fetched.map_err(StartFault::Source)?, renewal.map_err(StartFault::Renewal)?);
        Ok(Running { server, gate: waiting, operator, sources, admin, journal, checks, renewal, ladder })
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

    /// Who has died by a fault of ours, of those without whom this is no service: whoever meets the deadlines of the
    /// calendar, takes packages in, or serves. Nothing but a new start brings one back.
    pub fn has_lost(&self) -> Option<&'static str> {
        let essential = [
            ("gate", self.gate.is_alive()),
            ("operator", self.operator.is_alive()),
            ("server", self.server.is_alive()),
        ];
        essential.into_iter().find_map(|(name, is_alive)| (!is_alive).then_some(name))
    }

    /// The end without farewell, when a new start is worth more than those who are being served: the vault is whole at
    /// any moment, and what the journal has to write is written.
    pub fn abandon(self) {
        self.journal.close();
    }

    /// New certificates are looked for now.
    pub fn renew(&self) {
        self.renewal.wake();
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
        self.renewal.stop();
        self.ladder.stop();
        self.sources.stop();
        self.operator.stop();
        self.sources.join(SOURCES_END);
        self.admin.stop();
        self.journal.close();
        self.server.stop();
        self.gate.stop();
        // Readers who finish still want to know who is well.
        self.checks.into_iter().for_each(Checks::stop);
    }
}
