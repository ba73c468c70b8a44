//! All cores together: bind, start, watch, stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use super::certificates::Certificates;
use super::clients::{Clients, Rules};
use super::core::{Core, Port, Start};
use super::listen::{Listen, bind};
use super::patience::Patience;
use super::service::Site;
use super::tickets::Tickets;
use super::tls::{self, CertificateFault, CertificateFiles};
use super::turned_away::TurnedAway;
use super::watch::Meter;
use crate::record::Metrics;

/// What the server is told.
#[derive(Clone, Debug)]
pub struct Settings {
    pub listen: Vec<Listen>,
    pub certificates: Vec<CertificateFiles>,
    /// Clear ports answer with a redirect to the first TLS port.
    pub redirect: bool,
    /// Serving threads, one a core.
    pub threads: usize,
    /// Connections at once, all cores together.
    pub connections_max: usize,
    /// How long connections may take to finish once it is time to stop.
    pub grace: Duration,
    /// What one client may have.
    pub clients: Rules,
    /// How long clients are waited for.
    pub patience: Patience,
}

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {address}: {source}; {}", unbound(source))]
    Bind { address: SocketAddr, source: io::Error },
    #[error(transparent)]
    Certificate(#[from] CertificateFault),
    #[error("a serving thread could not be started: {0}")]
    Thread(io::Error),
}

/// What to look at where an address cannot be listened on.
fn unbound(why: &io::Error) -> &'static str {
    match why.kind() {
        io::ErrorKind::AddrInUse => "another program listens there, perhaps another difusor: `ss -ltnp` says which",
        io::ErrorKind::PermissionDenied => {
            "a port below 1024 takes CAP_NET_BIND_SERVICE, which systemd/difusor.service gives; or take one from 1024 on"
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address: `ip address` lists its own",
        _ => "look at the address",
    }
}

/// A running server.
pub struct Server {
    cores: Vec<Core>,
    stop: watch::Sender<bool>,
    addresses: Vec<Listen>,
    certificates: Option<Arc<Certificates>>,
}

impl Server {
    /// Binds every address, then starts every core; nothing is answered if one of them fails.
    pub fn start(
        settings: &Settings,
        site: Arc<Site>,
        tickets: Arc<Tickets>,
        metrics: &Metrics,
    ) -> Result<Server, StartError> {
        let tls = match settings.certificates.as_slice() {
            [] => None,
            files => Some(tls::public(files, tickets)?),
        };
        let threads = settings.threads.max(1);
        let mut ports: Vec<Vec<Port>> = (0..threads).map(|_| Vec::new()).collect();
        let mut addresses = Vec::new();
        // TLS first: the redirect needs its port.
        let (secure, clear): (Vec<_>, Vec<_>) = settings.listen.iter().partition(|l| l.is_tls);
        for listen in secure.into_iter().chain(clear) {
            let config = tls.as_ref().filter(|_| listen.is_tls).map(|tls| tls.config.clone());
            let https = addresses.iter().find(|l: &&Listen| l.is_tls).map(|l| l.address.port());
            let https_port = https.filter(|_| settings.redirect && !listen.is_tls);
            let failed = |source| StartError::Bind { address: listen.address, source };
            let sockets = bind(listen.address, threads).map_err(failed)?;
            let address = sockets[0].local_addr().map_err(failed)?;
            addresses.push(Listen { address, is_tls: listen.is_tls });
            for (ports, listener) in ports.iter_mut().zip(sockets) {
                ports.push(Port { listener, tls: config.clone(), https_port });
            }
        }
        let clients = Arc::new(Clients::new(settings.clients.clone(), metrics));
        let turned_away = Arc::new(TurnedAway::new(metrics));
        let (stop, stopped) = watch::channel(false);
        let start = |(n, ports)| Start {
            name: format!("core-{n}"),
            ports,
            site: site.clone(),
            clients: clients.clone(),
            // Each port holds a place ready for whom it accepts next.
            connections_max: (settings.connections_max / threads).max(settings.listen.len()),
            patience: settings.patience,
            turned_away: turned_away.clone(),
            connections: metrics.connections(),
            grace: settings.grace,
            stop: stopped.clone(),
        };
        let cores = ports.into_iter().enumerate().map(start).map(Core::start).collect::<Result<_, _>>();
        let certificates = tls.map(|tls| tls.certificates);
        Ok(Server { cores: cores.map_err(StartError::Thread)?, stop, addresses, certificates })
    }

    /// Where it listens, with the ports that were really taken.
    pub fn addresses(&self) -> &[Listen] {
        &self.addresses
    }

    /// What is shown over TLS.
    pub fn certificates(&self) -> Option<&Arc<Certificates>> {
        self.certificates.as_ref()
    }

    /// One count a core, which grows once a second while the core lives.
    pub fn heartbeats(&self) -> Vec<u64> {
        self.cores.iter().map(|c| c.heartbeat.load(Ordering::Relaxed)).collect()
    }

    /// False once a core has died by a fault of ours: its connections are gone, and its ports not listened to.
    pub fn is_alive(&self) -> bool {
        self.cores.iter().all(Core::is_alive)
    }

    /// What each core has counted: bytes sent, and the time that its thread has worked.
    pub fn meters(&self) -> Vec<Arc<Meter>> {
        self.cores.iter().map(|core| core.meter.clone()).collect()
    }

    /// Stops accepting, and returns at once.
    pub fn close(&self) {
        let _ = self.stop.send(true);
    }

    /// Stops accepting, lets what is under way finish within the grace, and returns when all cores are done.
    pub fn stop(self) {
        self.close();
        for core in self.cores {
            // A core that panicked has nothing left to finish.
            let _ = core.thread.join();
        }
    }
}
