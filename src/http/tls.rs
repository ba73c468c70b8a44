//! TLS 1.2 and 1.3 by rustls: certificates by name, session tickets, ALPN.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;

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
    #[error("{}: not a certificate that rustls can use: {source:?}", path.display())]
    Certificate { path: PathBuf, source: webpki::Error },
    #[error("TLS could not be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// The configuration that all connections share.
pub fn config(files: &[CertificateFiles]) -> Result<Arc<ServerConfig>, CertificateFault> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let names = ByName::load(files, &provider)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(names));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Tickets resume without any memory here; their keys rotate every six hours.
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
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
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(&files.chain)?)
        .collect::<Result<_, _>>()
        .map_err(|source| CertificateFault::Pem { path: files.chain.clone(), source })?;
    if chain.is_empty() {
        return Err(CertificateFault::Empty(files.chain.clone()));
    }
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?)
        .map_err(|source| CertificateFault::Pem { path: files.key.clone(), source })?;
    CertifiedKey::from_der(chain, key, provider).map_err(|source| CertificateFault::Pair {
        chain: files.chain.clone(),
        key: files.key.clone(),
        source,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateFault> {
    fs::read(path).map_err(|source| CertificateFault::Read { path: path.to_owned(), source })
}
