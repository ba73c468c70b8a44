//! OpenSSH signatures (PROTOCOL.sshsig) over `SHA256SUMS`, in the namespace `prep-corte`.

use bytes::Bytes;
use jiff::Timestamp;
use rsa::pkcs1v15;
use rsa::sha2::Sha512;
use rsa::signature::{SignatureEncoding, Signer as _};
use ssh_key::private::{KeypairData, RsaKeypair};
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, Signature, SshSig};

use super::signers::{Signer, Signers};
use super::{Expectations, Proof, Refusal};
use crate::base::shown::Shown;

/// What a signature must have been made for: `ssh-keygen -Y sign -n prep-corte`.
pub const NAMESPACE: &str = "prep-corte";

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "\n-----END SSH SIGNATURE-----";
/// Columns of the armor that ssh-key insists on; ssh-keygen takes any.
const COLUMNS: usize = 70;

/// Checks that `armor` is a signature of `sums` by one of the signers: by the expected identity, if one is asked for.
pub(super) fn check(sums: &[u8], armor: Option<Bytes>, expected: &Expectations<'_>) -> Result<Proof, Refusal> {
    let armor = armor.ok_or(Refusal::SignatureMissing)?;
    let (identity, now) = (expected.identity.as_deref(), expected.now);
    let signature = parse(&armor)?;
    if signature.namespace() != NAMESPACE {
        return Err(Refusal::NamespaceOther { found: Shown::text(signature.namespace()) });
    }
    let fingerprint = signature.public_key().fingerprint(HashAlg::Sha256).to_string();
    let signer = allowed(signature.public_key(), expected.signers, identity, now, &fingerprint)?;
    match PublicKey::from(signer.key.clone()).verify(NAMESPACE, sums, &signature) {
        Ok(()) => {
            let signer = identity.unwrap_or(signer.principals.as_str()).into();
            Ok(Proof::Signed { signer, fingerprint, signature: armor })
        }
        Err(_) => Err(Refusal::SignatureWrong { fingerprint }),
    }
}

/// The line that lets this key sign now. A key may have several; if none will do, the refusal is that
/// of the line that came furthest.
fn allowed<'a>(
    key: &KeyData,
    signers: &'a Signers,
    identity: Option<&str>,
    now: Timestamp,
    fingerprint: &str,
) -> Result<&'a Signer, Refusal> {
    let fingerprint = || fingerprint.to_string();
    let mut furthest = (0, Refusal::KeyUnknown { fingerprint: fingerprint() });
    for signer in signers.list.iter().filter(|signer| signer.key == *key) {
        let line = signer.line;
        let refusal = if let Some(expected) = identity.filter(|identity| !signer.principals.matches(identity)) {
            let (expected, found) = (Shown::text(expected), Shown::text(signer.principals.as_str()));
            (1, Refusal::IdentityOther { expected, found, fingerprint: fingerprint() })
        } else if signer.namespaces.as_ref().is_some_and(|list| !list.matches(NAMESPACE)) {
            (2, Refusal::KeyNotForNamespace { fingerprint: fingerprint(), line })
        } else if signer.valid_after.is_some_and(|t| now < t) || signer.valid_before.is_some_and(|t| now > t) {
            (3, Refusal::KeyOutsideDates { fingerprint: fingerprint(), dates: signer.dates(), line, now })
        } else {
            return Ok(signer);
        };
        if refusal.0 > furthest.0 {
            furthest = refusal;
        }
    }
    Err(furthest.1)
}

/// Reads the armor. As ssh-keygen: it begins at the first byte, and its lines may have any length.
pub fn parse(armor: &[u8]) -> Result<SshSig, Refusal> {
    let malformed = |why: &str| Refusal::SignatureMalformed { why: Shown::text(why) };
    let text = str::from_utf8(armor).map_err(|_| malformed("it is no text"))?;
    let body = text.strip_prefix(BEGIN).ok_or_else(|| malformed("it does not begin with BEGIN SSH SIGNATURE"))?;
    let (body, after) = body.split_once(END).ok_or_else(|| malformed("END SSH SIGNATURE is missing"))?;
    if !after.trim().is_empty() {
        return Err(malformed("something follows END SSH SIGNATURE"));
    }
    let base64: Vec<u8> = body.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let mut pem = BEGIN.as_bytes().to_vec();
    pem.extend(base64.chunks(COLUMNS).collect::<Vec<_>>().join(&b'\n'));
    pem.extend(END.as_bytes());
    pem.push(b'\n');
    let signature = SshSig::from_pem(&pem)
        .map_err(|error| malformed(&format!("{error}; expected Ed25519, ECDSA P-256 or RSA with SHA-2")))?;
    // ssh-key passes over lengths that do not agree; ssh-keygen, by which auditors check what we publish, does not.
    let again = signature.to_pem(LineEnding::LF).map_err(|error| malformed(&error.to_string()))?;
    let again = again.strip_prefix(BEGIN).and_then(|again| again.split_once(END)).map_or("", |(body, _)| body);
    if !again.bytes().filter(|b| !b.is_ascii_whitespace()).eq(base64) {
        return Err(malformed("its parts do not add up"));
    }
    // ssh-key takes version 0, which never was.
    match signature.version() {
        SshSig::VERSION => Ok(signature),
        _ => Err(malformed("its version is not 1")),
    }
}

/// Signs as `ssh-keygen -Y sign -n prep-corte` does.
pub(super) fn sign(sums: &[u8], key: &PrivateKey) -> Result<String, ssh_key::Error> {
    let signature = match key.key_data() {
        KeypairData::Rsa(pair) => {
            let data = SshSig::signed_data(NAMESPACE, HashAlg::Sha512, sums)?;
            let signed = pkcs1v15::SigningKey::<Sha512>::new(rsa_key(pair)?).try_sign(&data)?;
            let signed = Signature::new(Algorithm::Rsa { hash: Some(HashAlg::Sha512) }, signed.to_vec())?;
            SshSig::new(key.public_key().key_data().clone(), NAMESPACE, HashAlg::Sha512, signed)?
        }
        _ => key.sign(NAMESPACE, HashAlg::Sha512, sums)?,
    };
    signature.to_pem(LineEnding::LF)
}

/// ssh-key 0.6.7 makes this key of p and p, not p and q, so none of its RSA keys can sign.
fn rsa_key(pair: &RsaKeypair) -> Result<rsa::RsaPrivateKey, ssh_key::Error> {
    let number = |n| rsa::BigUint::try_from(n);
    Ok(rsa::RsaPrivateKey::from_components(
        number(&pair.public.n)?,
        number(&pair.public.e)?,
        number(&pair.private.d)?,
        vec![number(&pair.private.p)?, number(&pair.private.q)?],
    )?)
}
