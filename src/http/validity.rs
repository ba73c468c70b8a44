//! From when to when a certificate of ours is valid: browsers look at that, a server need not.

use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::UnixTime;
use webpki::{EndEntityCert, Error, KeyUsage};

use super::tls::{self, CertificateFault, CertificateFiles};

/// The last second that a certificate can name (RFC 5280, 4.1.2.5): after it, every one has expired.
const END_OF_TIME_S: u64 = 253_402_300_799;

/// What the server's own certificate, the first of its chain, says of itself (RFC 5280, 4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    pub begins: Timestamp,
    pub ends: Timestamp,
}

impl Validity {
    /// `None` where the certificate says nothing of the kind that could be understood.
    pub fn of(files: &CertificateFiles) -> Result<Option<Validity>, CertificateFault> {
        let chain = tls::certificates(&files.chain)?;
        let Some(own) = chain.first() else { return Err(CertificateFault::Empty(files.chain.clone())) };
        let own = EndEntityCert::try_from(own)
            .map_err(|source| CertificateFault::Certificate { path: files.chain.clone(), source })?;
        Ok(begins(&own).zip(ends(&own)).map(|(begins, ends)| Validity { begins, ends }))
    }
}

/// Nothing is valid at the beginning of time: webpki says from when on it is.
fn begins(own: &EndEntityCert<'_>) -> Option<Timestamp> {
    match held_at(own, 0) {
        Err(Error::CertNotValidYet { not_before, .. }) => timestamp(not_before),
        _ => None,
    }
}

fn ends(own: &EndEntityCert<'_>) -> Option<Timestamp> {
    match held_at(own, END_OF_TIME_S) {
        Err(Error::CertExpired { not_after, .. }) => timestamp(not_after),
        _ => None,
    }
}

/// Trusts nobody; times are looked at before it matters who made the certificate.
fn held_at(own: &EndEntityCert<'_>, seconds: u64) -> Result<(), Error> {
    let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    own.verify_for_usage(&[], &[], &[], at, KeyUsage::server_auth(), None, None).map(|_| ())
}

fn timestamp(at: UnixTime) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(at.as_secs()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn a_certificate_says_from_when_to_when_it_is_valid() {
        let dir = tempfile::tempdir().unwrap();
        let files = CertificateFiles { chain: dir.path().join("c.pem"), key: dir.path().join("k.pem") };
        // What `openssl req -x509` makes is an authority's too: browsers complain of that, but it has its dates.
        for is_ca in [IsCa::NoCa, IsCa::ExplicitNoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(vec!["prep.example".to_owned()]).unwrap();
            (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 2), date_time_ymd(2026, 6, 14));
            params.is_ca = is_ca;
            fs::write(&files.chain, params.self_signed(&key).unwrap().pem()).unwrap();
            let (begins, ends) = ("2026-01-02T00:00:00Z".parse().unwrap(), "2026-06-14T00:00:00Z".parse().unwrap());
            assert_eq!(Validity::of(&files).unwrap(), Some(Validity { begins, ends }));
        }
        fs::write(&files.chain, "").unwrap();
        assert!(matches!(Validity::of(&files), Err(CertificateFault::Empty(_))));
    }
}
