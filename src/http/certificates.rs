//! The certificates in use: by the names that they carry, and renewed while connections go on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::SignatureScheme;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::tls::{self, CertificateFault, CertificateFiles};
use crate::base::digest::Digest;

/// Certificates that may be used now, and the files that they are read from.
#[derive(Debug)]
pub struct Certificates {
    files: Vec<CertificateFiles>,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<ByName>,
    seen: Mutex<Seen>,
}

/// What the files held when they were looked at.
#[derive(Debug)]
struct Seen {
    used: Digest,
    /// What could not be used, and whether that was told.
    refused: Option<(Digest, bool)>,
}

/// What became of a look at the files.
#[derive(Debug)]
pub enum Looked {
    Same,
    /// New ones are in use.
    Renewed,
    /// They cannot be used, but may be in the middle of being written: two looks have to find the same.
    Settling,
    /// Nor can they now; the old ones stay in use. Told once.
    Refused(CertificateFault),
}

impl Certificates {
    pub fn load(files: &[CertificateFiles], provider: Arc<CryptoProvider>) -> Result<Certificates, CertificateFault> {
        // Before they are used, so that what is written meanwhile is seen as new.
        let used = digest(files);
        let current = ArcSwap::from_pointee(ByName::load(files, &provider)?);
        Ok(Certificates { files: files.to_vec(), provider, current, seen: Mutex::new(Seen { used, refused: None }) })
    }

    /// Reads the files again, and uses what they hold where that is new and whole. Connections that are under way keep what
    /// they have begun with.
    pub fn look(&self) -> Looked {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let found = digest(&self.files);
        if found == seen.used {
            seen.refused = None;
            return Looked::Same;
        }
        match (ByName::load(&self.files, &self.provider), seen.refused) {
            (Ok(new), _) => {
                self.current.store(Arc::new(new));
                *seen = Seen { used: found, refused: None };
                Looked::Renewed
            }
            (Err(fault), Some((known, false))) if known == found => {
                seen.refused = Some((found, true));
                Looked::Refused(fault)
            }
            (Err(_), Some((known, true))) if known == found => Looked::Same,
            (Err(_), _) => {
                seen.refused = Some((found, false));
                Looked::Settling
            }
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.load().choose(hello.server_name(), hello.signature_schemes())
    }
}

/// Over all files, those that cannot be read among them.
fn digest(files: &[CertificateFiles]) -> Digest {
    let mut all = Vec::new();
    for path in files.iter().flat_map(|pair| [&pair.chain, &pair.key]) {
        let bytes = tls::read(path).unwrap_or_default();
        all.extend_from_slice(&bytes.len().to_be_bytes());
        all.extend_from_slice(&bytes);
    }
    Digest::of(&all)
}

/// Of one name: an ECDSA certificate and one of RSA may stand side by side.
type Keys = Vec<Arc<CertifiedKey>>;

/// Certificates by the names that they carry; the first ones for whoever names none, or another.
#[derive(Debug, Default)]
struct ByName {
    exact: HashMap<String, Keys>,
    /// `*.example.mx` under `example.mx`
    wildcard: HashMap<String, Keys>,
    first: Keys,
}

impl ByName {
    fn load(files: &[CertificateFiles], provider: &CryptoProvider) -> Result<ByName, CertificateFault> {
        let mut names = ByName::default();
        let mut of_first: Vec<String> = Vec::new();
        for pair in files {
            let certified = Arc::new(tls::load(pair, provider)?);
            let end_entity = webpki::EndEntityCert::try_from(&certified.cert[0])
                .map_err(|source| CertificateFault::Certificate { path: pair.chain.clone(), source })?;
            let own: Vec<String> = end_entity.valid_dns_names().map(str::to_ascii_lowercase).collect();
            for name in &own {
                let keys = match name.strip_prefix("*.") {
                    Some(parent) => names.wildcard.entry(parent.to_owned()).or_default(),
                    None => names.exact.entry(name.clone()).or_default(),
                };
                keys.push(certified.clone());
            }
            if names.first.is_empty() {
                of_first.clone_from(&own);
            }
            if names.first.is_empty() || own == of_first {
                names.first.push(certified);
            }
        }
        let all = names.exact.values_mut().chain(names.wildcard.values_mut()).chain([&mut names.first]);
        // ECDSA costs this machine a tenth of what RSA does, and the client fewer bytes.
        all.for_each(|keys| keys.sort_by_key(|one| one.key.choose_scheme(&ECDSA).is_none()));
        Ok(names)
    }

    /// rustls hands names out in lower case, without a final dot.
    fn choose(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let named = name.and_then(|name| {
            let parent = || name.split_once('.').map(|(_, parent)| parent);
            self.exact.get(name).or_else(|| self.wildcard.get(parent()?))
        });
        let keys = named.unwrap_or(&self.first);
        // Where the client takes none of them, rustls says so.
        keys.iter().find(|one| one.key.choose_scheme(schemes).is_some()).or(keys.first()).cloned()
    }
}

const ECDSA: [SignatureScheme; 3] = [
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP521_SHA512,
];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};

    use super::*;

    /// Writes a certificate of these names and its key.
    fn write(folder: &Path, called: &str, names: &[&str], is_rsa: bool) -> CertificateFiles {
        let algorithm = if is_rsa { &PKCS_RSA_SHA256 } else { &PKCS_ECDSA_P256_SHA256 };
        let key = KeyPair::generate_for(algorithm).unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        let files =
            CertificateFiles { chain: folder.join(format!("{called}.pem")), key: folder.join(format!("{called}.key")) };
        fs::write(&files.chain, certificate.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }

    fn load(files: &[CertificateFiles]) -> Certificates {
        Certificates::load(files, Arc::new(rustls::crypto::aws_lc_rs::default_provider())).unwrap()
    }

    fn chosen(certificates: &Certificates, name: Option<&str>, schemes: &[SignatureScheme]) -> Vec<u8> {
        certificates.current.load().choose(name, schemes).unwrap().cert[0].to_vec()
    }

    fn first_of(files: &CertificateFiles) -> Vec<u8> {
        tls::certificates(&files.chain).unwrap()[0].to_vec()
    }

    #[test]
    fn two_keys_of_one_name_stand_side_by_side() {
        let folder = tempfile::tempdir().unwrap();
        let rsa = write(folder.path(), "rsa", &["a.example", "*.b.example"], true);
        let ecdsa = write(folder.path(), "ecdsa", &["a.example", "*.b.example"], false);
        let other = write(folder.path(), "otro", &["c.example"], false);
        let certificates = load(&[rsa.clone(), ecdsa.clone(), other.clone()]);
        let (modern, old) = (
            [SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::RSA_PSS_SHA256],
            [SignatureScheme::RSA_PSS_SHA256],
        );
        for name in [Some("a.example"), Some("x.b.example"), Some("d.example"), None] {
            assert_eq!(chosen(&certificates, name, &modern), first_of(&ecdsa), "{name:?}");
            assert_eq!(chosen(&certificates, name, &old), first_of(&rsa), "{name:?}");
        }
        assert_eq!(chosen(&certificates, Some("c.example"), &modern), first_of(&other));
    }

    #[test]
    fn new_files_are_used_once_they_are_whole_and_broken_ones_never() {
        let folder = tempfile::tempdir().unwrap();
        let files = write(folder.path(), "a", &["a.example"], false);
        let certificates = load(std::slice::from_ref(&files));
        let schemes = ECDSA;
        let old = first_of(&files);
        assert!(matches!(certificates.look(), Looked::Same));
        // A chain whose key has not come yet.
        let key = fs::read(&files.key).unwrap();
        write(folder.path(), "a", &["a.example"], false);
        let new_key = fs::read(&files.key).unwrap();
        fs::write(&files.key, key).unwrap();
        assert!(matches!(certificates.look(), Looked::Settling));
        assert_eq!(chosen(&certificates, None, &schemes), old);
        fs::write(&files.key, new_key).unwrap();
        assert!(matches!(certificates.look(), Looked::Renewed));
        let new = first_of(&files);
        assert!(new != old && chosen(&certificates, None, &schemes) == new);
        // One that stays broken is told once.
        fs::remove_file(&files.key).unwrap();
        assert!(matches!(certificates.look(), Looked::Settling));
        assert!(matches!(certificates.look(), Looked::Refused(CertificateFault::Read { .. })));
        assert!(matches!(certificates.look(), Looked::Same));
        assert_eq!(chosen(&certificates, None, &schemes), new);
        fs::write(&files.key, "no es PEM").unwrap();
        assert!(matches!(certificates.look(), Looked::Settling));
        assert!(matches!(certificates.look(), Looked::Refused(CertificateFault::Pem { .. })));
    }
}
