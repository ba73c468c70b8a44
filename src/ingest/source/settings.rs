//! What is told of one source.

use std::io;
use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::address::Address;
use super::document::Pointers;

/// One source of packages.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Letters, digits and `-`; no other source has it.
    pub name: String,
    /// Of the package, or of the document that names it.
    pub address: Address,
    /// Where the document names it; without it the address is the package's own.
    pub pointers: Option<Pointers>,
    pub every: Duration,
    /// For a whole exchange, body included.
    pub timeout: Duration,
    /// Other hosts that documents and redirects may lead to.
    pub hosts: Vec<String>,
    /// Sent to the address's own origin only.
    pub fields: Vec<(HeaderName, HeaderValue)>,
    pub authorization: Option<HeaderValue>,
    /// Whose certificates are believed: the system's and the configured ones.
    pub roots: Vec<CertificateDer<'static>>,
}

/// The roots of this machine: those of SSL_CERT_FILE and SSL_CERT_DIR, or where its distribution has them.
pub fn system_roots() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}

/// Roots of a PEM file, each of which can be one.
pub fn read_roots(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|why| why.to_string())?;
    if certificates.is_empty() {
        return Err("no certificate in it; expected PEM".into());
    }
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        store.add(certificate.clone()).map_err(|why| format!("not a certificate that can be a root: {why}"))?;
    }
    Ok(certificates)
}

/// The value of `Authorization`, from the one line of a file.
pub fn read_authorization(text: &str) -> Result<HeaderValue, String> {
    let line = text.trim();
    if line.is_empty() || line.lines().count() != 1 {
        return Err("expected one line, such as `Bearer TOKEN` or `Basic ...`".into());
    }
    let mut value = HeaderValue::from_str(line).map_err(|_| "it holds a control character")?;
    value.set_sensitive(true);
    Ok(value)
}

/// Fields that this program sets by itself; one that is sent twice makes servers refuse the request.
const OWN: [&str; 11] = [
    "host",
    "range",
    "if-range",
    "if-none-match",
    "if-modified-since",
    "accept-encoding",
    "content-length",
    "transfer-encoding",
    "connection",
    "authorization",
    "proxy-authorization",
];

/// `Name: value`.
pub fn read_field(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("expected \"Name: value\"")?;
    let name = HeaderName::try_from(name.trim()).map_err(|_| format!("`{}` is no name of a field", name.trim()))?;
    if OWN.contains(&name.as_str()) {
        return Err(match name.as_str() {
            "authorization" => "put it into a file, and name that with `authorization_file`".into(),
            own => format!("`{own}` is set by this program"),
        });
    }
    let value = HeaderValue::from_str(value.trim()).map_err(|_| "the value holds a control character")?;
    Ok((name, value))
}

/// Numbers that nobody can foresee, without a dependency more: what hash maps are seeded with.
pub(super) fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}

/// The reason for people, of a file that cannot be read.
pub fn unreadable(error: &io::Error) -> String {
    format!("{error}; the service's user has to be able to read it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_one_line_and_stay_out_of_the_log() {
        let value = read_authorization("Bearer abc\n").unwrap();
        assert!(value.to_str().is_ok_and(|text| text == "Bearer abc") && value.is_sensitive());
        assert!(!format!("{value:?}").contains("abc"));
        for bad in ["", "\n", "a\nb", "a\u{1}b"] {
            assert!(read_authorization(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn fields_of_our_own_are_not_set_by_others() {
        assert!(read_field("X-Api-Key: 7").is_ok_and(|(name, value)| name == "x-api-key" && value == "7"));
        for (bad, why) in [
            ("X-Api-Key", "expected"),
            ("X Y: 7", "no name"),
            ("Host: a", "set by this program"),
            ("Authorization: x", "authorization_file"),
        ] {
            assert!(read_field(bad).unwrap_err().contains(why), "{bad}");
        }
    }

    #[test]
    fn roots_are_certificates() {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        assert_eq!(read_roots(made.cert.pem().as_bytes()).unwrap().len(), 1);
        assert!(read_roots(b"").is_err() && read_roots(made.signing_key.serialize_pem().as_bytes()).is_err());
    }
}
