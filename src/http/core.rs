//! One thread a core: its own runtime, its own listeners, its own connections. Cores share the edition and nothing else.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::BytesMut;
use prometheus_client::metrics::gauge::Gauge;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tracing::warn;

use super::budget::{Budget, Place};
use super::clients::Clients;
use super::freshness::Spread;
use super::patience::Patience;
use super::service::{Service, Site};
use super::turned_away::TurnedAway;
use super::watch::{Meter, Seats};
use super::{connection, introduced};

use crate::proxy::upstream::Caller;

/// How often the sweep runs; its limits are counted in it.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// While connections are being ended, look more often, so that the end comes soon after the last of them.
const DRAIN_EVERY: Duration = Duration::from_millis(20);

/// A bound socket and what is spoken on it.
pub struct Port {
    pub listener: StdListener,
    pub tls: Option<Arc<ServerConfig>>,
    /// Clear ports that send everybody to this HTTPS port.
    pub https_port: Option<u16>,
}

/// What a core is started with.
pub struct Start {
    pub name: String,
    pub ports: Vec<Port>,
    pub site: Arc<Site>,
    pub clients: Arc<Clients>,
    pub connections_max: usize,
    pub patience: Patience,
    pub turned_away: Arc<TurnedAway>,
    pub connections: Gauge,
    pub grace: Duration,
    /// Turns true when it is time to stop.
    pub stop: watch::Receiver<bool>,
}

/// A running core.
pub struct Core {
    pub thread: JoinHandle<()>,
    /// Counts sweeps: a core that stands still is dead.
    pub heartbeat: Arc<AtomicU64>,
    pub meter: Arc<Meter>,
}

/// What all connections of a core share.
struct Shared {
    site: Arc<Site>,
    clients: Arc<Clients>,
    seats: Seats,
    budget: Budget,
}

impl Core {
    pub fn start(start: Start) -> io::Result<Core> {
        let heartbeat = Arc::new(AtomicU64::new(0));
        let beat = heartbeat.clone();
        let seats = Seats::new(start.patience, start.turned_away.clone(), start.connections.clone());
        let meter = seats.meter();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name(start.name.clone()).spawn(move || {
            runtime.block_on(run(start, seats, beat));
        })?;
        Ok(Core { thread, heartbeat, meter })
    }
}

async fn run(start: Start, seats: Seats, heartbeat: Arc<AtomicU64>) {
    let Start { ports, site, clients, connections_max, grace, mut stop, .. } = start;
    let shared = Arc::new(Shared { site, clients, seats, budget: Budget::new(connections_max) });
    let accepting: Vec<_> =
        ports.into_iter().map(|port| tokio::spawn(accept_until(port, shared.clone(), stop.clone()))).collect();
    let sweeping = async {
        let mut every = tokio::time::interval(SWEEP_EVERY);
        // A pause of the whole machine is nobody's idleness.
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            shared.seats.sweep();
            let seconds = shared.site.rhythm.clock.elapsed().as_secs();
            shared.clients.sweep(u32::try_from(seconds).unwrap_or(u32::MAX));
            heartbeat.fetch_add(1, Ordering::Relaxed);
        }
    };
    let stopping = async {
        let _ = stop.wait_for(|stop| *stop).await;
        shared.seats.drain();
        let _ = tokio::time::timeout(grace, async {
            for accept in accepting {
                let _ = accept.await;
            }
            while !shared.budget.is_empty() {
                tokio::time::sleep(DRAIN_EVERY).await;
            }
        })
        .await;
    };
    tokio::select! {
        () = sweeping => {}
        () = stopping => {}
    }
}

/// Accepts until told to stop, then takes those who are in the queue already, as far as there is room.
async fn accept_until(port: Port, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let listener = match TcpListener::from_std(port.listener) {
        Ok(listener) => listener,
        Err(error) => return warn!(%error, "a listening socket could not be used"),
    };
    let accepting = async {
        loop {
            // Room first: who is accepted is served.
            let place = shared.budget.place(&shared.seats).await;
            match listener.accept().await {
                Ok(came) => seat(came, place, port.tls.as_ref(), port.https_port, &shared),
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    shared.budget.failed(&shared.seats, &error, shared.site.rhythm.clock.elapsed()).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    while let Some(place) = shared.budget.place_now()
        && let Ok(Ok(came)) = tokio::time::timeout(Duration::ZERO, listener.accept()).await
    {
        seat(came, place, port.tls.as_ref(), port.https_port, &shared);
    }
}

/// The client went away between its handshake and our accept.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

/// Where it has come is for origins alone: without them, nobody asks the kernel.
fn caller(stream: &TcpStream, from: SocketAddr, site: &Site) -> Caller {
    let to = site.corridor.as_ref().and_then(|_| stream.local_addr().ok());
    to.map_or_else(|| Caller::of(from.ip()), |to| Caller::new(from, to))
}

/// Starts a connection's task. Its room is given back when it ends, however it ends.
fn seat(
    (stream, from): (TcpStream, SocketAddr),
    place: Place,
    tls: Option<&Arc<ServerConfig>>,
    https_port: Option<u16>,
    shared: &Shared,
) {
    let Some(guest) = shared.clients.admit(from.ip()) else { return };
    let seat = shared.seats.take();
    let service = Service {
        site: shared.site.clone(),
        seat: seat.clone(),
        guest: Arc::new(guest),
        https_port,
        client: caller(&stream, from, &shared.site),
        trusting: shared.clients.trusting(from.ip()),
        is_tls: tls.is_some(),
        spread: Spread::of(from),
        place: Some(Arc::new(place)),
        ends: None,
        words: None,
    };
    // Each of its own size.
    let task = match (tls.cloned(), shared.clients.is_introduced(from.ip())) {
        (Some(tls), false) => tokio::spawn(connection::tls(stream, tls, service)),
        (None, false) => tokio::spawn(connection::clear(stream, BytesMut::new(), service)),
        (tls, true) => {
            let clients = shared.clients.clone();
            tokio::spawn(async move {
                let Some((stream, first, service)) = introduced::hear(stream, service, &clients).await else { return };
                match tls {
                    // No handshake begins with what was taken.
                    Some(_) if !first.is_empty() => {}
                    Some(tls) => connection::tls(stream, tls, service).await,
                    None => {
                        service.seat.has_shaken_hands();
                        connection::clear(stream, first, service).await;
                    }
                }
            })
        }
    };
    shared.seats.watch(&seat, task.abort_handle());
}
