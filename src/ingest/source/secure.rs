//! TLS towards others, set up once for whoever asks them: sources here, and `difusor push`.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsConfigBuilder, TlsProvider};

/// What a server's log has of us.
pub const USER_AGENT: &str = concat!("difusor/", env!("CARGO_PKG_VERSION"));

/// TLS with whoever has a certificate by one of these roots, and with nobody else.
pub fn tls(roots: &[CertificateDer<'_>]) -> TlsConfigBuilder {
    let roots = roots.iter().map(|der| Certificate::from_der(der).to_owned());
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::Specific(Arc::new(roots.collect())))
        .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
}

/// What TLS has against the connection, if that is why it failed. Waiting changes nothing about it.
pub fn objection(error: &ureq::Error) -> Option<String> {
    match error {
        ureq::Error::Rustls(why) => Some(why.to_string()),
        ureq::Error::Tls(why) => Some((*why).to_owned()),
        ureq::Error::Io(why) => {
            let inner = why.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            inner.map(ToString::to_string)
        }
        _ => None,
    }
}
