//! Connections to one site, in clear and over TLS, whose every byte is counted where it meets the kernel.

use std::fs;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::crowd::{WAYS, Way};
use super::plan::Site;

/// How long a connection or a handshake may take.
const STEP_MAX: Duration = Duration::from_secs(10);
/// Addresses of a name that are tried, at most.
const ADDRESSES_MAX: usize = 8;

/// Bytes that went and came, under TLS and framing.
#[derive(Debug, Default)]
pub struct Counts {
    pub sent: AtomicU64,
    pub received: AtomicU64,
    pub connections: AtomicU64,
}

/// Where to connect, and how.
pub struct Door {
    site: Site,
    addresses: Vec<SocketAddr>,
    tls: Option<[TlsConnector; WAYS.len()]>,
    pub counts: Arc<Counts>,
}

/// In clear or not.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Why nothing can be asked.
#[derive(Debug, thiserror::Error)]
pub enum DoorFault {
    #[error("{host}: {why}; is the name right?")]
    Name { host: String, why: io::Error },
    #[error(
        "{host} is not this machine; readers are sent to others only where the host is named twice: --i-mean {host}"
    )]
    NotMeant { host: String },
    #[error("{0}")]
    Certificates(String),
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl Door {
    /// Looks the host up and sees whether it may be asked. `ca`: authorities besides those of this machine, in PEM.
    pub async fn open(site: Site, meant: Option<&str>, ca: Option<&Path>) -> Result<Door, DoorFault> {
        let found = tokio::net::lookup_host((site.origin.host.as_str(), site.origin.port)).await;
        let found = found.map_err(|why| DoorFault::Name { host: site.origin.host.clone(), why })?;
        let addresses: Vec<SocketAddr> = found.take(ADDRESSES_MAX).collect();
        let ips: Vec<IpAddr> = addresses.iter().map(SocketAddr::ip).collect();
        if !site.may_be_asked(&ips, meant) {
            return Err(DoorFault::NotMeant { host: site.origin.host });
        }
        let tls = site.origin.is_secure.then(|| connectors(ca)).transpose()?;
        Ok(Door { site, addresses, tls, counts: Arc::default() })
    }

    pub fn site(&self) -> &Site {
        &self.site
    }

    /// A new connection; `None` where there is none within the time, or it does not speak this protocol.
    pub async fn connect(&self, way: Way) -> Option<Box<dyn Stream>> {
        let stream = self.reach().await?;
        self.counts.connections.fetch_add(1, Ordering::Relaxed);
        let stream = Counted { stream, counts: self.counts.clone() };
        let Some(tls) = &self.tls else { return Some(Box::new(stream)) };
        let name = ServerName::try_from(self.site.origin.host.clone()).ok()?;
        let stream = timeout(STEP_MAX, tls[way as usize].connect(name, stream)).await.ok()?.ok()?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        (is_http2 == (way == Way::Http2)).then(|| Box::new(stream) as Box<dyn Stream>)
    }

    async fn reach(&self) -> Option<TcpStream> {
        for address in &self.addresses {
            if let Ok(Ok(stream)) = timeout(STEP_MAX, TcpStream::connect(address)).await {
                stream.set_nodelay(true).ok()?;
                return Some(stream);
            }
        }
        None
    }
}

fn connectors(ca: Option<&Path>) -> Result<[TlsConnector; WAYS.len()], DoorFault> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca {
        let fault = |why: String| DoorFault::Certificates(format!("{}: {why}", path.display()));
        let pem = fs::read(path).map_err(|error| fault(error.to_string()))?;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            roots
                .add(certificate.map_err(|error| fault(error.to_string()))?)
                .map_err(|error| fault(error.to_string()))?;
        }
    }
    let roots = Arc::new(roots);
    let provider = Arc::new(aws_lc_rs::default_provider());
    let connector = |protocol: &[u8]| -> Result<TlsConnector, rustls::Error> {
        let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let mut config = builder.with_root_certificates(roots.clone()).with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        Ok(TlsConnector::from(Arc::new(config)))
    };
    Ok([connector(b"http/1.1")?, connector(b"h2")?])
}

/// A stream that counts.
struct Counted {
    stream: TcpStream,
    counts: Arc<Counts>,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.counts.received.fetch_add((buf.filled().len() - before) as u64, Ordering::Relaxed);
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.count(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.count(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Counted {
    fn count(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = written {
            self.counts.sent.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        written
    }
}
