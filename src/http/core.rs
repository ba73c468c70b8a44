//! One thread a core: its own runtime, its own listeners, its own connections. Cores share the edition and nothing else.

use std::io;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tracing::warn;

use super::connection;
use super::service::{Service, Site};
use super::watch::Seats;

/// How often the sweep runs; its limits are counted in it.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// While connections are being ended, look more often, so that the end comes soon after the last of them.
const DRAIN_EVERY: Duration = Duration::from_millis(20);
/// Out of descriptors or memory: accepting again at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

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
    pub connections_max: usize,
    pub grace: Duration,
    /// Turns true when it is time to stop.
    pub stop: watch::Receiver<bool>,
}

/// A running core.
pub struct Core {
    pub thread: JoinHandle<()>,
    /// Counts sweeps: a core that stands still is dead.
    pub heartbeat: Arc<AtomicU64>,
}

/// What all connections of a core share.
struct Shared {
    site: Arc<Site>,
    seats: Seats,
    room: Semaphore,
    connections_max: usize,
    drain: Arc<Notify>,
}

impl Core {
    pub fn start(start: Start) -> io::Result<Core> {
        let heartbeat = Arc::new(AtomicU64::new(0));
        let beat = heartbeat.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name(start.name.clone()).spawn(move || {
            runtime.block_on(run(start, beat));
        })?;
        Ok(Core { thread, heartbeat })
    }
}

async fn run(start: Start, heartbeat: Arc<AtomicU64>) {
    let Start { ports, site, connections_max, grace, mut stop, .. } = start;
    let shared = Arc::new(Shared {
        site,
        seats: Seats::new(),
        room: Semaphore::new(connections_max),
        connections_max,
        drain: Arc::new(Notify::new()),
    });
    let accepting: Vec<_> =
        ports.into_iter().map(|port| tokio::spawn(accept_until(port, shared.clone(), stop.clone()))).collect();
    let sweeping = async {
        let mut every = tokio::time::interval(SWEEP_EVERY);
        loop {
            every.tick().await;
            shared.seats.sweep();
            heartbeat.fetch_add(1, Ordering::Relaxed);
        }
    };
    tokio::select! {
        _ = sweeping => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    for accept in accepting {
        let _ = accept.await;
    }
    // Every connection is accepted now, so none can miss the call.
    shared.seats.drain();
    shared.drain.notify_waiters();
    let _ = tokio::time::timeout(grace, async {
        while shared.room.available_permits() < shared.connections_max {
            shared.seats.sweep();
            heartbeat.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(DRAIN_EVERY).await;
        }
    })
    .await;
}

/// Accepts until told to stop, then takes those who are in the queue already: they were promised an answer.
async fn accept_until(port: Port, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let acceptor = port.tls.clone().map(TlsAcceptor::from);
    let listener = match TcpListener::from_std(port.listener) {
        Ok(listener) => listener,
        Err(error) => return warn!(%error, "a listening socket could not be used"),
    };
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => seat(stream, acceptor.as_ref(), port.https_port, &shared).await,
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    warn!(%error, "no connection could be accepted; is the limit of open files reached?");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    while let Ok(Ok((stream, _))) = tokio::time::timeout(Duration::ZERO, listener.accept()).await {
        seat(stream, acceptor.as_ref(), port.https_port, &shared).await;
    }
}

/// The client went away between its handshake and our accept.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

/// Starts a connection's task, once there is room for it.
async fn seat(stream: TcpStream, acceptor: Option<&TlsAcceptor>, https_port: Option<u16>, shared: &Arc<Shared>) {
    // The semaphore is never closed.
    let Ok(permit) = shared.room.acquire().await else { return };
    permit.forget();
    // Small responses must not wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let seat = shared.seats.take();
    let service = Service { site: shared.site.clone(), seat: seat.clone(), https_port };
    let place = Place(shared.clone());
    let (acceptor, drain) = (acceptor.cloned(), shared.drain.clone());
    let task = tokio::spawn(async move {
        let _place = place;
        match acceptor {
            Some(acceptor) => connection::tls(stream, acceptor, service, drain).await,
            None => connection::clear(stream, service, drain).await,
        }
    });
    shared.seats.watch(&seat, task.abort_handle());
}

/// Gives its room back when the connection ends, however it ends.
struct Place(Arc<Shared>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.room.add_permits(1);
    }
}
