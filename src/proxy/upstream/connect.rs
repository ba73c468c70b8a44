//! One connection to one place: TCP, for whom it speaks, TLS with the origin's own name, and the protocol that they settle on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::body::Outgoing;
use super::fault;
use super::many::{self, Many};
use super::own::wire::Own;
use super::plan::Plan;
use super::preface::{Caller, Preface};
use super::wire::{Carrier, Heard, Wire};
use crate::proxy::failure::Failure;

/// A response's head. Honest ones have 1 to 8 KiB; hyper reads bodies in pieces of this size, too.
pub const HEAD_MAX_BYTES: u32 = 32 << 10;

/// One HTTP/1.1 connection.
pub struct Single {
    pub sender: http1::SendRequest<Outgoing>,
    pub heard: Heard,
}

/// What came of it.
pub enum Link {
    /// HTTP/1.1 without hyper; only for who asks for it.
    Own(Own),
    Single(Single),
    Many(Many),
}

/// How to connect; the same for all places.
pub struct Dialer {
    /// With ALPN for all that we may speak.
    tls: Option<Arc<ClientConfig>>,
    /// With ALPN for HTTP/1.1 alone: upgrades are its own.
    tls_http1: Option<Arc<ClientConfig>>,
    http2: bool,
    window: u32,
    preface: Preface,
    /// HTTP/2 connections so far.
    numbers: AtomicU64,
}

/// A place, under its origin's name.
#[derive(Clone, Copy)]
pub struct Target<'t> {
    pub address: SocketAddr,
    pub host: &'t str,
}

impl Dialer {
    pub fn new(plan: &Plan) -> Dialer {
        let with = |protocols: &[&[u8]]| {
            plan.tls.as_ref().map(|config| {
                let mut config = ClientConfig::clone(config);
                config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
                Arc::new(config)
            })
        };
        let tls_http1 = with(&[b"http/1.1"]);
        let tls = if plan.http2 { with(&[b"h2", b"http/1.1"]) } else { tls_http1.clone() };
        let window = many::window(plan.connections);
        Dialer { tls, tls_http1, http2: plan.http2, window, preface: plan.preface, numbers: AtomicU64::new(0) }
    }

    pub fn may_speak_http2(&self) -> bool {
        self.http2
    }

    pub fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether a connection is for one request: it has said whose it is, and the next one is another's.
    pub fn is_for_one(&self) -> bool {
        self.preface != Preface::Off
    }

    /// A connection for whatever comes, on behalf of a client or, without one, our own.
    pub async fn dial(&self, to: Target<'_>, caller: Option<Caller>) -> Result<Link, Failure> {
        let carrier = self.carrier(to, caller, self.tls.as_ref()).await?;
        let http2 = if self.is_secure() { carrier.chose_http2() } else { self.http2 };
        if !http2 {
            return single(carrier, ()).await.map(Link::Single);
        }
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        many::begin(carrier, self.window, HEAD_MAX_BYTES, number).await.map(Link::Many)
    }

    /// A connection for HTTP/1.1 alone, see [`single`].
    pub async fn reach_http1(&self, to: Target<'_>, caller: Option<Caller>) -> Result<Carrier, Failure> {
        self.carrier(to, caller, self.tls_http1.as_ref()).await
    }

    async fn carrier(
        &self,
        to: Target<'_>,
        caller: Option<Caller>,
        tls: Option<&Arc<ClientConfig>>,
    ) -> Result<Carrier, Failure> {
        let mut stream = TcpStream::connect(to.address).await.map_err(|_| Failure::Unreachable)?;
        let _ = stream.set_nodelay(true);
        if self.is_for_one() {
            stream.write_all(&self.preface.bytes(caller)).await.map_err(|_| Failure::Unreachable)?;
        }
        let Some(config) = tls else { return Ok(Carrier::Clear(stream)) };
        let name = ServerName::try_from(to.host.to_owned()).map_err(|_| Failure::Certificate)?;
        let secured = TlsConnector::from(config.clone()).connect(name, stream).await;
        Ok(Carrier::Secure(Box::new(secured.map_err(|error| fault::of_handshake(&error))?)))
    }
}

/// HTTP/1.1 on a connection. `held` is let go when all has ended that it is used for, upgrades too.
pub async fn single<Held: Send + Unpin + 'static>(carrier: Carrier, held: Held) -> Result<Single, Failure> {
    let heard = Heard::default();
    let io = TokioIo::new(Wire::new(carrier, heard.clone(), held));
    let mut builder = http1::Builder::new();
    // 100 fields at most is hyper's own limit; to set it costs an allocation a response.
    builder.max_buf_size(HEAD_MAX_BYTES as usize);
    let (sender, connection) = builder.handshake(io).await.map_err(|error| fault::of(&error))?;
    // How it ends, the request is told.
    tokio::spawn(async move {
        let _ = connection.with_upgrades().await;
    });
    Ok(Single { sender, heard })
}
