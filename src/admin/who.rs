//! Who asks: on the socket whoever may open it, over HTTPS whoever shows a certificate or a token.

use std::fmt;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use rustls::pki_types::CertificateDer;

use super::problem::Problem;
use super::service::Shared;
use crate::base::digest::Digest;
use crate::base::shown::Shown;
use crate::record::incidents::note;

/// Somebody who has been let in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// The user of this machine, by number.
    User(Option<u32>),
    /// By the name in the certificate, or its digest.
    Certificate(String),
    /// By the name of the token.
    Token(String),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::User(Some(uid)) => write!(f, "uid {uid}"),
            Who::User(None) => f.write_str("this machine"),
            Who::Certificate(name) | Who::Token(name) => f.write_str(name),
        }
    }
}

/// What a connection shows of its client.
#[derive(Clone, Debug)]
pub enum Shows {
    User(Option<u32>),
    /// The name of the certificate that TLS has verified.
    Certificate(String),
    Nothing,
}

/// The name of a verified certificate: its first DNS name, else the beginning of its digest.
pub fn name_of(certificate: &CertificateDer<'_>) -> String {
    let end_entity = webpki::EndEntityCert::try_from(certificate).ok();
    let name = end_entity.and_then(|cert| cert.valid_dns_names().next().map(|name| Shown::text(name).to_string()));
    name.unwrap_or_else(|| format!("certificate {}", &Digest::of(certificate).to_string()[..16]))
}

/// Lets somebody in, or not. Reads the file of tokens: not for a thread that must not wait.
pub fn enter(shared: &Shared, shows: &Shows, fields: &HeaderMap) -> Result<Who, Problem> {
    match shows {
        Shows::User(uid) => return Ok(Who::User(*uid)),
        Shows::Certificate(name) => return Ok(Who::Certificate(name.clone())),
        Shows::Nothing => {}
    }
    let given = fields.get(AUTHORIZATION).map(|value| value.as_bytes());
    let (Some(tokens), Some(token)) = (&shared.tokens, given.and_then(bearer)) else {
        return Err(Problem::Unauthorised { was_given: given.is_some() });
    };
    let (name, file) = tokens.find(token);
    if let Err(why) = file {
        shared.journal.note(&note("A014", &why));
    }
    name.map(Who::Token).ok_or(Problem::Unauthorised { was_given: true })
}

/// The token of `Bearer TOKEN`; the scheme's case does not matter (RFC 9110, 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}
