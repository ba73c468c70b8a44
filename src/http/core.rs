//! One thread a core: its own runtime, its own listeners, its own connections. Cores share the edition and nothing else.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tracing::{error, warn};

use super::budget::{Budget, Place};
use super::clients::Clients;
use super::freshness::Spread;
use super::listen::{Came, Door};
use super::patience::Patience;
use super::service::{Service, Site};
use super::tls::Public;
use super::turned_away::TurnedAway;
use super::watch::{Meter, Seats};
use super::{connection, early, introduced};

use crate::proxy::upstream::Caller;

/// How often the sweep runs; its limits are counted in it.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// While connections are being ended, look more often, so that the end comes soon after the last of them.
const DRAIN_EVERY: Duration = Duration::from_millis(20);

/// Accepted one after the other before the first of them is looked at: meanwhile his request comes.
const ARRIVED_MAX: usize = 16;
/// And so many are answered before all others of this core have their turn: some 2 ms of work.
const SERVED_MAX: usize = 64;

/// A bound socket and what is spoken on it.
pub struct Port {
    pub listener: TcpListener,
    pub tls: Option<Arc<Public>>,
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
    /// False once it has died by a fault of ours, or has a port that cannot be listened to: it is asked before it is told to stop.
    pub fn is_alive(&self) -> bool {
        !self.thread.is_finished()
    }

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
    let mut accepting = JoinSet::new();
    for port in ports {
        accepting.spawn(accept_until(port, shared.clone(), stop.clone()));
    }
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
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            _ = accepting.join_next() => {}
        }
        if !*stop.borrow() {
            // Nobody is let in any more: whoever looks after the threads finds this one gone.
            return error!("a port is not listened to any more");
        }
        shared.seats.drain();
        let _ = tokio::time::timeout(grace, async {
            while accepting.join_next().await.is_some() {}
            while !shared.budget.is_empty() {
                tokio::time::sleep(DRAIN_EVERY).await;
            }
        })
        .await;
    };
    tokio::select! {
        () = sweeping => {}
        () = shared.seats.end() => {}
        () = stopping => {}
    }
}

/// Accepts until told to stop, then takes those who are in the queue already, as far as there is room.
async fn accept_until(port: Port, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let door = match Door::new(port.listener) {
        Ok(door) => door,
        Err(error) => return warn!(%error, "a listening socket could not be used"),
    };
    let desk = Desk { address: door.address(), tls: port.tls, https_port: port.https_port, shared: &shared };
    let accepting = async {
        let (mut arrived, mut served) = (Vec::with_capacity(ARRIVED_MAX), 0);
        loop {
            // Room first: who is accepted is served.
            let place = shared.budget.place(&shared.seats).await;
            match door.accept().await {
                Ok(came) => arrived.push((came, place)),
                Err(error) if is_the_clients(&error) => continue,
                Err(error) => {
                    desk.failed(&error).await;
                    continue;
                }
            }
            while arrived.len() < ARRIVED_MAX
                && let Some(place) = shared.budget.place_now()
                && let Some(came) = door.accept_now()
            {
                arrived.push((came, place));
            }
            served += arrived.len();
            let seated = arrived.drain(..).map(|(came, place)| desk.seat(came, place)).fold(Ok(()), io::Result::and);
            if let Err(error) = seated {
                desk.failed(&error).await;
            }
            if served >= SERVED_MAX {
                // Those who are here already have their turn.
                served = 0;
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    while let Some(place) = shared.budget.place_now()
        && let Some(came) = door.accept_last()
    {
        // Nobody waits for those for whom nothing is left.
        let _ = desk.seat(came, place);
    }
}

/// The client went away between its handshake and our accept.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

/// Whoever gives connections their seats.
struct Desk<'s> {
    /// Where they have come, if all have come to the same.
    address: Option<SocketAddr>,
    tls: Option<Arc<Public>>,
    https_port: Option<u16>,
    shared: &'s Shared,
}

impl Desk<'_> {
    /// Who was accepted is served, at once or by a task. His room is given back when it ends, however it ends.
    fn seat(&self, (socket, from): Came, place: Place) -> io::Result<()> {
        let shared = self.shared;
        let Some(guest) = shared.clients.admit(from.ip()) else { return Ok(()) };
        let seat = shared.seats.take(Some(place));
        let service = Service {
            site: shared.site.clone(),
            seat: seat.clone(),
            guest: Arc::new(guest.by(self.caller(&socket, from))),
            https_port: self.https_port,
            is_tls: self.tls.is_some(),
            spread: Spread::of(from),
        };
        // Each of its own size.
        let task = match (self.tls.clone(), shared.clients.is_introduced(from.ip())) {
            (Some(tls), false) => tokio::spawn(connection::tls(stream(socket)?, tls, service)),
            (None, false) => match early::greet(socket.as_fd(), &service) {
                Some(begun) => tokio::spawn(connection::begun(stream(socket)?, begun, service)),
                None => return Ok(()),
            },
            (tls, true) => {
                let (stream, clients) = (stream(socket)?, shared.clients.clone());
                tokio::spawn(async move {
                    let Some((stream, first, service)) = introduced::hear(stream, service, &clients).await else {
                        return;
                    };
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
        Ok(())
    }

    /// Where it has come is for origins alone: without them, nobody asks the kernel.
    fn caller(&self, socket: &OwnedFd, from: SocketAddr) -> Caller {
        let to = || self.address.or_else(|| SockRef::from(socket).local_addr().ok()?.as_socket());
        let to = self.shared.site.corridor.as_ref().and_then(|_| to());
        to.map_or_else(|| Caller::of(from.ip()), |to| Caller::new(from, to))
    }

    /// Nobody could be accepted, or not be served.
    async fn failed(&self, error: &io::Error) {
        let Shared { budget, seats, site, .. } = self.shared;
        budget.failed(seats, error, site.rhythm.clock.elapsed()).await;
    }
}

/// From here on the reactor knows it.
fn stream(socket: OwnedFd) -> io::Result<TcpStream> {
    TcpStream::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::base::clock::Monotonic;
    use crate::http::clients::Rules;
    use crate::http::passing::site_before;
    use crate::record::Metrics;

    fn start(listener: TcpListener, stop: &watch::Sender<bool>) -> Core {
        let metrics = Metrics::new();
        listener.set_nonblocking(true).unwrap();
        Core::start(Start {
            name: "core-0".to_owned(),
            ports: vec![Port { listener, tls: None, https_port: None }],
            site: site_before(9, vec![]),
            clients: Arc::new(Clients::new(Rules::default(), &metrics)),
            connections_max: 8,
            patience: Patience::default(),
            turned_away: Arc::new(TurnedAway::new(&metrics)),
            connections: metrics.connections(),
            grace: Duration::from_secs(1),
            stop: stop.subscribe(),
        })
        .unwrap()
    }

    /// It cannot be waited for: epoll_ctl(2), EPERM.
    #[test]
    fn a_core_that_cannot_let_anybody_in_is_seen_to_be_gone() {
        let (stop, _) = watch::channel(false);
        let file = File::open(std::env::current_exe().unwrap()).unwrap();
        let gone = start(TcpListener::from(OwnedFd::from(file)), &stop);
        let listening = start(TcpListener::bind("127.0.0.1:0").unwrap(), &stop);
        let began = Monotonic::now();
        while gone.is_alive() && began.elapsed() < Duration::from_secs(30) {
            std::thread::yield_now();
        }
        assert!(!gone.is_alive() && listening.is_alive());
        stop.send(true).unwrap();
        listening.thread.join().unwrap();
    }
}
