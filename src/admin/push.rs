//! The other end of the door: sends a package by PUT and hears what became of it. PUT means the same however often it is
//! sent, so whatever may be over soon is tried again.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use ureq::http::Response;
use ureq::tls::{Certificate, ClientCert, PrivateKey};
use ureq::{Agent, Body, SendBody};

use super::parcel::Parcel;
use crate::base::digests;
use crate::base::shown::Shown;
use crate::http::tls::{self, CertificateFault, CertificateFiles};
use crate::ingest::source::{secure, settings};

/// Times that a package is sent at most: the waits between them add up to half a minute.
const TRIES: u32 = 6;
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Longest wait that a server may ask for.
const WAIT_MAX: Duration = Duration::from_secs(60);
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// One write may take so long: the server's disk may be slow, but then it stops for good.
const WRITE_MAX: Duration = Duration::from_secs(60);
/// A little longer than the server lets its operator take.
const VERDICT_MAX: Duration = Duration::from_secs(620);
/// A verdict is a line or two.
const ANSWER_MAX_BYTES: u64 = 64 << 10;

/// Where to, and as whom.
#[derive(Debug, Default)]
pub struct Destination {
    /// `https://prep.example.mx:8443`
    pub url: String,
    pub token: Option<String>,
    pub certificate: Option<CertificateFiles>,
    /// PEM; without it, the system's authorities.
    pub authorities: Option<std::path::PathBuf>,
}

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    /// `live`, `held`, `same`
    pub outcome: String,
    pub corte: String,
}

#[derive(Debug, thiserror::Error)]
pub enum PushFault {
    #[error("--to: expected https://HOST:PORT, the address of admin.listen; found {0}")]
    Url(Shown),
    #[error(transparent)]
    Certificate(#[from] CertificateFault),
    #[error("{path}: {why}; expected a private key in PEM")]
    Key { path: String, why: String },
    #[error("the system has no authorities to trust; name one with --ca")]
    NoAuthorities,
    #[error("{0}")]
    Package(io::Error),
    #[error("{}: {detail}", code.as_ref().map_or_else(|| status.to_string(), ToString::to_string))]
    Refused { status: u16, code: Option<Shown>, detail: Shown },
    #[error(
        "not delivered after {tries} tries: {why}; does the service run, is that its admin.listen, does a firewall stand between?"
    )]
    Unreachable { tries: u32, why: String },
    #[error(
        "not delivered: TLS: {0}; check the name in --to, --ca, --cert, the clock, and that the certificate of admin.chain \
         is the server's own and no authority's"
    )]
    Tls(String),
    #[error("not delivered: {0}")]
    Broken(String),
}

/// What one try came to.
enum Tried {
    Done(Verdict),
    Never(PushFault),
    /// It may be over soon, perhaps after so long.
    Later(String, Option<Duration>),
}

/// A connection to a difusor, to be used for one package.
pub struct Push {
    agent: Agent,
    url: String,
    authorization: Option<String>,
}

impl Push {
    /// Reads certificates; connects to nobody yet.
    pub fn to(destination: &Destination) -> Result<Push, PushFault> {
        let url = destination.url.trim_end_matches('/');
        if !url.starts_with("https://") || url.contains(['?', '#', '@']) || url.len() == "https://".len() {
            return Err(PushFault::Url(Shown::text(&destination.url)));
        }
        let tls = secure::tls(&roots(destination.authorities.as_deref())?);
        let agent = Agent::config_builder()
            .tls_config(tls.client_cert(destination.certificate.as_ref().map(client).transpose()?).build())
            .https_only(true)
            .http_status_as_error(false)
            // A package and its token go to nobody but whom they were meant for.
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_MAX))
            .timeout_per_write(Some(WRITE_MAX))
            .timeout_recv_response(Some(VERDICT_MAX))
            .user_agent(secure::USER_AGENT)
            .build()
            .new_agent();
        let authorization = destination.token.as_ref().map(|token| format!("Bearer {token}"));
        Ok(Push { agent, url: url.to_owned(), authorization })
    }

    /// Sends the package until there is a verdict. `progress` is told the bytes that have left; `wait` what went wrong and
    /// how long to wait before the next try.
    pub fn send(
        &self,
        parcel: &mut Parcel,
        progress: &mut dyn FnMut(u64),
        wait: &mut dyn FnMut(&str, Duration),
    ) -> Result<Verdict, PushFault> {
        let (mut pause, mut tries) = (FIRST_WAIT, 0);
        loop {
            tries += 1;
            match self.try_once(parcel, progress) {
                Tried::Done(verdict) => return Ok(verdict),
                Tried::Never(fault) => return Err(fault),
                Tried::Later(why, _) if tries == TRIES => return Err(PushFault::Unreachable { tries, why }),
                Tried::Later(why, asked) => {
                    let length = pause.max(asked.unwrap_or_default()).min(WAIT_MAX);
                    wait(&why, length);
                    pause *= 2;
                }
            }
        }
    }

    fn try_once(&self, parcel: &mut Parcel, progress: &mut dyn FnMut(u64)) -> Tried {
        if let Err(error) = parcel.file.seek(SeekFrom::Start(0)) {
            return Tried::Never(PushFault::Package(error));
        }
        progress(0);
        let mut request = self
            .agent
            .put(format!("{}/packages/{}", self.url, parcel.name))
            .header("Content-Type", "application/octet-stream")
            .header("Content-Length", parcel.len)
            .header("Content-Digest", digests::value(&parcel.digest))
            // Who is not let in, or comes with too much, hears it before he has sent it all.
            .header("Expect", "100-continue");
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let mut body = Counted { inner: (&mut parcel.file).take(parcel.len), sent: 0, progress };
        match request.send(SendBody::from_reader(&mut body)) {
            Ok(response) => told(response),
            Err(error) => failed(error, &self.url),
        }
    }
}

/// A body that tells how much of it has been read.
struct Counted<'c, R> {
    inner: R,
    sent: u64,
    progress: &'c mut dyn FnMut(u64),
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.sent += n as u64;
        (self.progress)(self.sent);
        Ok(n)
    }
}

fn told(mut response: Response<Body>) -> Tried {
    let status = response.status().as_u16();
    let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    let body = response.body_mut().with_config().limit(ANSWER_MAX_BYTES).read_to_vec().unwrap_or_default();
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |member: &str| json.get(member).and_then(serde_json::Value::as_str).map(Shown::text);
    if let (200..=299, Some(outcome)) = (status, text("outcome")) {
        let corte = text("corte").map(|text| text.to_string()).unwrap_or_default();
        return Tried::Done(Verdict { outcome: outcome.to_string(), corte });
    }
    let detail =
        text("detail").unwrap_or_else(|| Shown::text("no answer of difusor; is the address that of admin.listen?"));
    match status {
        408 | 429 | 500 | 502 | 503 | 504 => {
            Tried::Later(format!("{status}: {detail}"), after.map(Duration::from_secs))
        }
        _ => Tried::Never(PushFault::Refused { status, code: text("code"), detail }),
    }
}

fn failed(error: ureq::Error, url: &str) -> Tried {
    let why = Shown::text(&error.to_string()).to_string();
    if let Some(why) = secure::objection(&error) {
        return Tried::Never(PushFault::Tls(Shown::text(&why).to_string()));
    }
    let why = format!("{}: {}", Shown::text(url), why.strip_prefix("io: ").unwrap_or(&why));
    match error {
        ureq::Error::Io(_) | ureq::Error::Timeout(_) | ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => {
            Tried::Later(why, None)
        }
        _ => Tried::Never(PushFault::Broken(why)),
    }
}

fn roots(path: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, PushFault> {
    let found = match path {
        Some(path) => tls::certificates(path)?,
        None => settings::system_roots(),
    };
    if found.is_empty() { Err(PushFault::NoAuthorities) } else { Ok(found) }
}

fn client(files: &CertificateFiles) -> Result<ClientCert, PushFault> {
    let chain: Vec<_> =
        tls::certificates(&files.chain)?.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    let key = std::fs::read(&files.key).map_err(|error| error.to_string());
    let key = key.and_then(|pem| PrivateKey::from_pem(&pem).map_err(|error| error.to_string()));
    let key = key.map_err(|why| PushFault::Key { path: files.key.display().to_string(), why })?;
    Ok(ClientCert::new_with_certs(&chain, key))
}
