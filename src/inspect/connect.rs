//! Connections: TCP, and TLS with what it tells of the certificate.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{CertificateError, ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::judge::Way;
use super::target::Target;
use crate::base::shown::Shown;

/// How long a name may take to be resolved, a connection to be made, a handshake to end.
const STEP_MAX: Duration = Duration::from_secs(10);
/// Addresses of a name that are tried, at most.
const ADDRESSES_MAX: usize = 8;
/// The last second that a certificate can name (RFC 5280, 4.1.2.5): after it, every one has expired.
const END_OF_TIME_S: u64 = 253_402_300_799;

/// Whose certificates count.
#[derive(Clone)]
pub struct Trusted {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
    /// `None` where nobody is trusted.
    verifier: Option<Arc<WebPkiServerVerifier>>,
}

/// A file that holds no certificates.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct TrustedFault {
    path: PathBuf,
    why: String,
}

/// What the certificate and the handshake tell.
#[derive(Clone, Debug)]
pub struct Secured {
    pub version: &'static str,
    pub chain: Vec<CertificateDer<'static>>,
    pub speaks_http2: bool,
}

/// A connection, in clear or not.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Trusted {
    /// The authorities of this machine, and those of a PEM file.
    pub fn new(more: Option<&Path>) -> Result<Trusted, TrustedFault> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = more {
            let fault = |why: String| TrustedFault { path: path.to_owned(), why };
            let pem = fs::read(path).map_err(|error| fault(error.to_string()))?;
            let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
            let certificates = read.map_err(|error| fault(error.to_string()))?;
            if certificates.is_empty() {
                return Err(fault("expected certificates in PEM".into()));
            }
            for certificate in certificates {
                roots.add(certificate).map_err(|error| fault(error.to_string()))?;
            }
        }
        let (roots, provider) = (Arc::new(roots), Arc::new(aws_lc_rs::default_provider()));
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone());
        Ok(Trusted { roots, provider, verifier: verifier.build().ok() })
    }

    fn config(&self, versions: &[&'static SupportedProtocolVersion], way: Way) -> Option<ClientConfig> {
        let builder =
            ClientConfig::builder_with_provider(self.provider.clone()).with_protocol_versions(versions).ok()?;
        let mut config = builder.with_root_certificates(self.roots.clone()).with_no_client_auth();
        config.alpn_protocols = match way {
            Way::Http11 => vec![b"http/1.1".to_vec()],
            Way::Http2 => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        };
        Some(config)
    }

    /// Whether the chain that was shown holds at this moment.
    pub fn holds_at(&self, chain: &[CertificateDer<'_>], host: &str, at: Timestamp) -> Result<(), String> {
        let seconds = u64::try_from(at.as_second()).unwrap_or(0);
        self.verify(chain, host, seconds).map_err(|error| error.to_string())
    }

    /// When the chain ends.
    pub fn ends(&self, chain: &[CertificateDer<'_>], host: &str) -> Option<Timestamp> {
        match self.verify(chain, host, END_OF_TIME_S) {
            Err(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
                Timestamp::from_second(i64::try_from(not_after.as_secs()).ok()?).ok()
            }
            _ => None,
        }
    }

    fn verify(&self, chain: &[CertificateDer<'_>], host: &str, seconds: u64) -> Result<(), rustls::Error> {
        let name = ServerName::try_from(host).map_err(|error| rustls::Error::General(error.to_string()))?;
        let (own, others) = chain.split_first().ok_or(rustls::Error::NoCertificatesPresented)?;
        let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let verifier = self.verifier.as_ref().ok_or(CertificateError::UnknownIssuer)?;
        verifier.verify_server_cert(own, others, &name, &[], at).map(|_| ())
    }
}

/// Why there is no connection, and the check under which that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotConnected {
    pub check: &'static str,
    pub why: String,
}

impl<S: Into<String>> From<S> for NotConnected {
    fn from(why: S) -> NotConnected {
        NotConnected { check: "reach", why: why.into() }
    }
}

impl NotConnected {
    /// What a handshake has come to.
    fn of_tls(error: &std::io::Error) -> NotConnected {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let why = Shown::text(&error.to_string()).to_string();
        match inner {
            Some(rustls::Error::InvalidCertificate(what)) => {
                NotConnected { check: "certificate", why: why + remedy(what) }
            }
            _ => NotConnected { check: "tls", why },
        }
    }
}

/// What whoever asks may do about a certificate that does not hold.
fn remedy(what: &CertificateError) -> &'static str {
    match what {
        CertificateError::UnknownIssuer => {
            "; no authority that this machine trusts has made it: --ca FILE names others"
        }
        // webpki's CaUsedAsEndEntity comes so: `openssl req -x509` makes such ones.
        CertificateError::Other(_) => "; a server's own certificate is asked for, and no authority's (CA:FALSE)",
        _ => "",
    }
}

/// Versions of TLS that may be asked for.
#[derive(Clone, Copy, Debug)]
pub enum Versions {
    Any,
    Only13,
    Only12,
}

/// A connection to the target that speaks this protocol, as far as the server wants to.
pub async fn connect(
    target: &Target,
    trusted: &Trusted,
    versions: Versions,
    way: Way,
) -> Result<(Box<dyn Stream>, Option<Secured>), NotConnected> {
    let stream = reach(target).await?;
    if !target.origin.is_secure {
        return Ok((Box::new(stream), None));
    }
    let versions: &[_] = match versions {
        Versions::Any => &[&TLS13, &TLS12],
        Versions::Only13 => &[&TLS13],
        Versions::Only12 => &[&TLS12],
    };
    let config = trusted.config(versions, way).ok_or("TLS cannot be set up")?;
    let name = ServerName::try_from(target.origin.host.clone()).map_err(|error| error.to_string())?;
    let shaking = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let stream = timeout(STEP_MAX, shaking).await.map_err(|_| "the TLS handshake takes too long")?;
    let stream = stream.map_err(|error| NotConnected::of_tls(&error))?;
    let session = stream.get_ref().1;
    let secured = Secured {
        version: match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS of an unknown version",
        },
        chain: session.peer_certificates().unwrap_or_default().iter().map(|c| c.clone().into_owned()).collect(),
        speaks_http2: session.alpn_protocol() == Some(b"h2"),
    };
    Ok((Box::new(stream), Some(secured)))
}

async fn reach(target: &Target) -> Result<TcpStream, String> {
    let name = (target.origin.host.as_str(), target.origin.port);
    let looked_up = timeout(STEP_MAX, tokio::net::lookup_host(name)).await.map_err(|_| "the DNS takes too long")?;
    let addresses: Vec<SocketAddr> = looked_up.map_err(|error| error.to_string())?.take(ADDRESSES_MAX).collect();
    let mut why = "the name has no address".to_owned();
    for address in addresses {
        match timeout(STEP_MAX, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => why = format!("{address}: {error}"),
            Err(_) => why = format!("{address}: no connection within {} s", STEP_MAX.as_secs()),
        }
    }
    Err(why)
}
