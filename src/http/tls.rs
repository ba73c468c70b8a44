//! TLS 1.2 and 1.3 by rustls: certificates by name, session tickets, ALPN.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite as suite};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ProducesTickets, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig, SupportedCipherSuite};

use super::certificates::Certificates;
use super::flight::Choice;
use super::tickets::Tickets;

/// Files of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// PEM, the server's own certificate first.
    pub chain: PathBuf,
    /// PEM, PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFault {
    #[error("{}: {source}; it has to be readable and PEM", path.display())]
    Pem { path: PathBuf, source: rustls::pki_types::pem::Error },
    #[error("{}: {source}; {}", path.display(), unread(source))]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}: no certificate in it; expected PEM, the server's own certificate first", .0.display())]
    Empty(PathBuf),
    #[error("{} and {}: {source}; the key has to belong to the first certificate of the chain", chain.display(), key.display())]
    Pair { chain: PathBuf, key: PathBuf, source: rustls::Error },
    #[error("{}: {source}; expected the certificates of authorities", path.display())]
    Authority { path: PathBuf, source: rustls::Error },
    #[error("{}: not a certificate that rustls can use: {source:?}", path.display())]
    Certificate { path: PathBuf, source: webpki::Error },
    #[error("TLS could not be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// What to look at where a file cannot be read.
fn unread(why: &std::io::Error) -> &'static str {
    match why.kind() {
        std::io::ErrorKind::PermissionDenied => {
            "the service's user has to be able to read it, and the folders above: `chgrp difusor`, `chmod 640`"
        }
        _ => "put it there, or correct its name",
    }
}

/// Who is asked for a certificate of his own, on the operators' side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clients {
    /// PEM: whoever has a certificate by one of these is let in.
    pub authorities: PathBuf,
    /// Whether there is another way to be let in.
    pub may_do_without: bool,
}

/// What all connections of a counter share; new certificates take the place of the old ones in it.
#[derive(Clone)]
pub struct Tls<C> {
    pub config: Arc<C>,
    pub certificates: Arc<Certificates>,
}

/// For whoever has instructions for AES, and for whoever says that he has none: the same but for who chooses the cipher.
pub struct Public {
    ours: Arc<ServerConfig>,
    clients: Arc<ServerConfig>,
}

impl Public {
    /// `config` with [`SUITES`] before what the client would rather have, and without.
    pub fn new(mut config: ServerConfig) -> Public {
        // Records are ours once the handshake is done (`session`).
        config.enable_secret_extraction = true;
        let clients = config.clone();
        config.ignore_client_order = true;
        Public { ours: Arc::new(config), clients: Arc::new(clients) }
    }

    /// What a client who begins with this `choice` is served by.
    pub fn of(&self, choice: Choice) -> Arc<ServerConfig> {
        match choice {
            Choice::Ours => self.ours.clone(),
            Choice::Clients => self.clients.clone(),
        }
    }
}

/// For the public.
pub fn public(files: &[CertificateFiles], tickets: Arc<Tickets>) -> Result<Tls<Public>, CertificateFault> {
    let (config, certificates) = shared(files, None, &[b"h2", b"http/1.1"], tickets)?;
    Ok(Tls { config: Arc::new(Public::new(config)), certificates })
}

/// For the operators' side: HTTP/1.1 alone, and clients that may have certificates.
pub fn private(files: CertificateFiles, clients: Option<&Clients>) -> Result<Tls<ServerConfig>, CertificateFault> {
    // Tickets resume without any memory here; these keys are nobody else's, and gone with the process.
    let (config, certificates) = shared(&[files], clients, &[b"http/1.1"], aws_lc_rs::Ticketer::new()?)?;
    Ok(Tls { config: Arc::new(config), certificates })
}

/// All that rustls has, AES-128 first: OpenSSL and rustls name AES-256 first, and with it comes a key schedule by SHA-384, for which
/// few processors have instructions, while most have them for SHA-256. It was a sixth of a full handshake, and a quarter of a resumed
/// one. Whatever signs and agrees on keys here (P-256, X25519) is no stronger than AES-128, which browsers name first themselves.
pub const SUITES: [SupportedCipherSuite; 9] = [
    suite::TLS13_AES_128_GCM_SHA256,
    suite::TLS13_AES_256_GCM_SHA384,
    suite::TLS13_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// Ciphers and groups of both counters.
pub fn provider() -> CryptoProvider {
    CryptoProvider { cipher_suites: SUITES.to_vec(), ..aws_lc_rs::default_provider() }
}

fn shared(
    files: &[CertificateFiles],
    clients: Option<&Clients>,
    protocols: &[&[u8]],
    tickets: Arc<dyn ProducesTickets>,
) -> Result<(ServerConfig, Arc<Certificates>), CertificateFault> {
    let provider = Arc::new(provider());
    let certificates = Arc::new(Certificates::load(files, provider.clone())?);
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(verifier(clients, provider)?),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(certificates.clone());
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    config.ticketer = tickets;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok((config, certificates))
}

fn verifier(clients: &Clients, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, CertificateFault> {
    let path = &clients.authorities;
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|source| CertificateFault::Authority { path: path.clone(), source })?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if clients.may_do_without { builder.allow_unauthenticated() } else { builder };
    builder.build().map_err(|_| CertificateFault::Empty(path.clone()))
}

/// All certificates of a PEM file, at least one.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateFault> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<_, _>>()
        .map_err(|source| CertificateFault::Pem { path: path.to_owned(), source })?;
    if chain.is_empty() { Err(CertificateFault::Empty(path.to_owned())) } else { Ok(chain) }
}

/// The private key of a PEM file.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, CertificateFault> {
    PrivateKeyDer::from_pem_slice(&read(path)?)
        .map_err(|source| CertificateFault::Pem { path: path.to_owned(), source })
}

/// A chain and its key, which belong together.
pub(super) fn load(files: &CertificateFiles, provider: &CryptoProvider) -> Result<CertifiedKey, CertificateFault> {
    let (chain, key) = (certificates(&files.chain)?, private_key(&files.key)?);
    CertifiedKey::from_der(chain, key, provider).map_err(|source| CertificateFault::Pair {
        chain: files.chain.clone(),
        key: files.key.clone(),
        source,
    })
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, CertificateFault> {
    fs::read(path).map_err(|source| CertificateFault::Read { path: path.to_owned(), source })
}
