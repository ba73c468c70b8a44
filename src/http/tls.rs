//! TLS 1.2 and 1.3 by rustls: certificates by name, session tickets, ALPN.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};

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
    #[error("{}: {source}", path.display())]
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

/// Who is asked for a certificate of his own, on the operators' side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clients {
    /// PEM: whoever has a certificate by one of these is let in.
    pub authorities: PathBuf,
    /// Whether there is another way to be let in.
    pub may_do_without: bool,
}

/// The configuration that all public connections share.
pub fn config(files: &[CertificateFiles]) -> Result<Arc<ServerConfig>, CertificateFault> {
    shared(files, None, &[b"h2", b"http/1.1"])
}

/// The configuration of the operators' side: HTTP/1.1 alone, and clients that may have certificates.
pub fn private(files: CertificateFiles, clients: Option<&Clients>) -> Result<Arc<ServerConfig>, CertificateFault> {
    shared(&[files], clients, &[b"http/1.1"])
}

fn shared(
    files: &[CertificateFiles],
    clients: Option<&Clients>,
    protocols: &[&[u8]],
) -> Result<Arc<ServerConfig>, CertificateFault> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let names = ByName::load(files, &provider)?;
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(verifier(clients, provider)?),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(names));
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    // Tickets resume without any memory here; their keys rotate every six hours.
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}

fn verifier(
    clients: &Clients,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, CertificateFault> {
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

/// Certificates by the names that they carry; the first one for whoever names none, or another.
#[derive(Debug)]
struct ByName {
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// `*.example.mx` under `example.mx`
    wildcard: HashMap<String, Arc<CertifiedKey>>,
    first: Option<Arc<CertifiedKey>>,
}

impl ByName {
    fn load(files: &[CertificateFiles], provider: &rustls::crypto::CryptoProvider) -> Result<ByName, CertificateFault> {
        let mut names = ByName { exact: HashMap::new(), wildcard: HashMap::new(), first: None };
        for pair in files {
            let certified = Arc::new(load(pair, provider)?);
            let end_entity = webpki::EndEntityCert::try_from(&certified.cert[0])
                .map_err(|source| CertificateFault::Certificate { path: pair.chain.clone(), source })?;
            for name in end_entity.valid_dns_names() {
                let name = name.to_ascii_lowercase();
                match name.strip_prefix("*.") {
                    Some(parent) => names.wildcard.entry(parent.to_owned()).or_insert_with(|| certified.clone()),
                    None => names.exact.entry(name).or_insert_with(|| certified.clone()),
                };
            }
            names.first.get_or_insert(certified);
        }
        Ok(names)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| {
            // rustls hands the name out in lower case, without a final dot.
            let parent = || name.split_once('.').map(|(_, parent)| parent);
            self.exact.get(name).or_else(|| self.wildcard.get(parent()?))
        });
        named.or(self.first.as_ref()).cloned()
    }
}

fn load(files: &CertificateFiles, provider: &rustls::crypto::CryptoProvider) -> Result<CertifiedKey, CertificateFault> {
    let (chain, key) = (certificates(&files.chain)?, private_key(&files.key)?);
    CertifiedKey::from_der(chain, key, provider).map_err(|source| CertificateFault::Pair {
        chain: files.chain.clone(),
        key: files.key.clone(),
        source,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateFault> {
    fs::read(path).map_err(|source| CertificateFault::Read { path: path.to_owned(), source })
}
