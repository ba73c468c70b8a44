//! The thread of the operators' side: two doors, a bounded number of connections at each, and an orderly end.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdTcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tracing::warn;

use super::crowd::{self, Crowd, Guest};
use super::route::Door;
use super::service::{Shared, serve};
use super::socket::{self, Bound, PathFault};
use super::staging::Staging;
use super::tokens::Tokens;
use super::upload::{UPLOADS_EACH, UPLOADS_MAX};
use super::who::{Shows, name_of};
use super::{Company, Https, Settings};
use crate::http::certificates::Certificates;
use crate::http::tls::{self, CertificateFault, Tls};
use crate::ingest;

/// Connections at once at each door: a few people, a few scripts, a few newsrooms.
pub const CONNECTIONS_MAX: usize = 32;
/// How long a handshake, a request's head, or a small body may take, and how long a connection may be idle.
pub const HEAD_MAX: Duration = Duration::from_secs(10);
/// A request's head, and a piece of a body: the larger, the fewer times it goes from thread to thread.
const BUFFER_BYTES: usize = 64 << 10;
/// Threads that wait for the disk, or for the operator: uploads take two each.
const BLOCKING_MAX: usize = 4 * UPLOADS_MAX;
/// How long answers may take to leave once the operator has stopped.
const STOP_MAX: Duration = Duration::from_secs(3);
/// Out of descriptors or memory: accepting again at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Why the operators' side cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    #[error(transparent)]
    Path(#[from] PathFault),
    #[error("{}: cannot be listened on: {source}; is another difusor running with the same `state`?", path.display())]
    Socket { path: PathBuf, source: io::Error },
    #[error("{}: cannot be used: {source}; it has to be a folder that the service may write to", path.display())]
    Staging { path: PathBuf, source: io::Error },
    #[error("cannot listen on {address} (admin.listen): {source}; is another server running there?")]
    Bind { address: SocketAddr, source: io::Error },
    #[error("admin: {0}")]
    Certificate(#[from] CertificateFault),
    #[error("admin.tokens: {0}")]
    Tokens(String),
    #[error("the thread of the operators' side could not be started: {0}")]
    Thread(io::Error),
}

/// The running operators' side.
pub struct Admin {
    thread: JoinHandle<()>,
    stop: watch::Sender<bool>,
    end: watch::Sender<bool>,
    address: Option<SocketAddr>,
    certificates: Option<Arc<Certificates>>,
}

/// What listens.
struct Doors {
    socket: Bound,
    https: Option<(StdTcpListener, Tls<ServerConfig>)>,
}

impl Admin {
    /// Binds both doors, clears the staging folder, then lets people in.
    pub fn start(settings: &Settings, company: Company) -> Result<Admin, StartFault> {
        let state = &settings.state;
        let path = socket::socket_path(state)?;
        let staging = Staging::open(ingest::Staging::of(&company.disk, state, settings.reserve))
            .map_err(|source| StartFault::Staging { path: state.clone(), source })?;
        let tokens = match settings.https.as_ref().and_then(|https| https.tokens.as_deref()) {
            Some(path) => Some(Tokens::open(company.disk.clone(), path).map_err(StartFault::Tokens)?),
            None => None,
        };
        let https = settings.https.as_ref().map(listen).transpose()?;
        let address = https.as_ref().and_then(|(listener, _)| listener.local_addr().ok());
        let certificates = https.as_ref().map(|(_, tls)| tls.certificates.clone());
        let socket = socket::bind(&path).map_err(|source| StartFault::Socket { path, source })?;
        let ((stop, stopped), (end, ended)) = (watch::channel(false), watch::channel(false));
        let Company { desk, live, journal, metrics, clock, disk, corridor } = company;
        let shared = Shared {
            desk,
            live,
            journal,
            metrics,
            started: clock.now(),
            clock,
            disk,
            corridor,
            state: state.clone(),
            staging,
            tokens,
            package_bytes: settings.package_bytes,
            uploads: Arc::new(Semaphore::new(UPLOADS_MAX)),
            senders: Arc::new(Crowd::of(UPLOADS_EACH)),
            stop: stopped,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_MAX)
            .build()
            .map_err(StartFault::Thread)?;
        let work = move || {
            runtime.block_on(run(Doors { socket, https }, Arc::new(shared), ended));
            // Whoever still waits for the disk or the operator is not waited for.
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new().name("admin".into()).spawn(work).map_err(StartFault::Thread)?;
        Ok(Admin { thread, stop, end, address, certificates })
    }

    /// Where it listens with HTTPS, with the port that was really taken.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// What is shown over HTTPS.
    pub fn certificates(&self) -> Option<&Arc<Certificates>> {
        self.certificates.as_ref()
    }

    /// Lets nobody in any more, and ends packages that are still arriving. Those that have arrived keep waiting for the
    /// operator's verdict. Returns at once.
    pub fn close(&self) {
        let _ = self.stop.send(true);
    }

    /// Waits until the last answer has left. The operator has to be stopped before, so that all answers are there.
    pub fn stop(self) {
        self.close();
        let _ = self.end.send(true);
        // A thread that panicked has nothing left to finish.
        let _ = self.thread.join();
    }
}

fn listen(https: &Https) -> Result<(StdTcpListener, Tls<ServerConfig>), StartFault> {
    let tls = tls::private(https.certificate.clone(), https.clients().as_ref())?;
    let failed = |source| StartFault::Bind { address: https.address, source };
    let listener = StdTcpListener::bind(https.address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok((listener, tls))
}

async fn run(doors: Doors, shared: Arc<Shared>, mut end: watch::Receiver<bool>) {
    let room = || Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let (at_socket, at_https) = (room(), room());
    let Doors { socket, https } = doors;
    let mut stop = shared.stop.clone();
    let accepting = async {
        let network = async {
            match https {
                Some((listener, tls)) => network(listener, tls.config, &at_https, &shared).await,
                None => std::future::pending().await,
            }
        };
        tokio::join!(local(&socket, &at_socket, &shared), network);
    };
    tokio::select! {
        () = accepting => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    drop(socket);
    let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
    let done = async { tokio::join!(at_socket.acquire_many(all), at_https.acquire_many(all)) };
    tokio::pin!(done);
    // While the operator finishes a package this goes on; his end answers everybody, one way or the other.
    tokio::select! {
        _ = &mut done => return,
        _ = end.wait_for(|end| *end) => {}
    }
    let _ = tokio::time::timeout(STOP_MAX, done).await;
}

async fn local(socket: &Bound, room: &Arc<Semaphore>, shared: &Arc<Shared>) {
    let neighbours = Arc::new(Crowd::default());
    let listener = match socket.listener.try_clone().and_then(UnixListener::from_std) {
        Ok(listener) => listener,
        Err(error) => return warn!(%error, "the admin socket cannot be used"),
    };
    while let Ok(permit) = room.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let uid = stream.peer_cred().ok().map(|peer| peer.uid());
                if is_ours(uid) {
                    tokio::spawn(by_socket(stream, uid, Door::Socket, (permit, None), shared.clone()));
                } else if let guest @ Some(_) = neighbours.enter(uid) {
                    tokio::spawn(by_socket(stream, uid, Door::Neighbour, (permit, guest), shared.clone()));
                }
            }
            Err(error) => pause(&error).await,
        }
    }
}

async fn network(listener: StdTcpListener, tls: Arc<ServerConfig>, room: &Arc<Semaphore>, shared: &Arc<Shared>) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return warn!(%error, "the admin port cannot be used"),
    };
    let (acceptor, clients) = (TlsAcceptor::from(tls), Arc::new(Crowd::default()));
    while let Ok(permit) = room.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // One too many is closed at once.
                let Some(guest) = clients.enter(crowd::client(peer.ip())) else { continue };
                let _ = stream.set_nodelay(true);
                tokio::spawn(by_network(stream, acceptor.clone(), (permit, guest), shared.clone()));
            }
            Err(error) => pause(&error).await,
        }
    }
}

async fn pause(error: &io::Error) {
    warn!(%error, "no connection to the admin side could be accepted; is the limit of open files reached?");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// The group may open the socket too: rsyncd runs `difusor notify` as a user of its own.
fn is_ours(uid: Option<u32>) -> bool {
    let own = rustix::process::geteuid();
    uid.is_some_and(|uid| uid == own.as_raw() || uid == 0)
}

async fn by_socket(
    stream: UnixStream,
    uid: Option<u32>,
    door: Door,
    _place: (OwnedSemaphorePermit, Option<Guest<Option<u32>>>),
    shared: Arc<Shared>,
) {
    talk(stream, door, Shows::User(uid), shared).await;
}

async fn by_network(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    _place: (OwnedSemaphorePermit, Guest<IpAddr>),
    shared: Arc<Shared>,
) {
    let Ok(Ok(stream)) = tokio::time::timeout(HEAD_MAX, acceptor.accept(stream)).await else { return };
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let shows = certificate.map_or(Shows::Nothing, |certificate| Shows::Certificate(name_of(certificate)));
    talk(stream, Door::Network, shows, shared).await;
}

/// HTTP/1.1 on a connection, until it ends or it is time to stop.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(stream: S, door: Door, shows: Shows, shared: Arc<Shared>) {
    let mut stop = shared.stop.clone();
    let service = service_fn(move |request| {
        let (shared, shows) = (shared.clone(), shows.clone());
        async move { Ok::<_, std::convert::Infallible>(serve(shared, door, shows, request).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_MAX).max_buf_size(BUFFER_BYTES);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    // How a connection ended is its client's affair.
    tokio::select! {
        _ = &mut connection => return,
        _ = stop.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
