//! One request and its response, over HTTP/1.1 or HTTP/2, bounded in every respect.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::body::{Body, Sink};
use super::connect::{NotConnected, Secured, Trusted, Versions, connect};
use super::judge::{Answer, Way, coding};
use super::target::Target;
use crate::base::shown::Shown;
use crate::snapshot::Coding;

/// How long a server may take to answer with a head.
const HEAD_MAX: Duration = Duration::from_secs(20);
/// How long nothing may come while a body arrives.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// How long a whole body may take: the largest file of a package at 2 MB/s.
const BODY_MAX: Duration = Duration::from_secs(300);
/// Bytes of a response's head; real ones are below 2 KB.
const HEAD_BYTES: usize = 64 << 10;
/// Fields of a head, at most.
const FIELDS_MAX: usize = 100;
/// Bytes that may be on the way to us on an HTTP/2 connection, and on each stream.
const WINDOW_BYTES: u32 = 1 << 20;
const AGENT: HeaderValue = HeaderValue::from_static(concat!("difusor-audit/", env!("CARGO_PKG_VERSION")));
/// Caches in between must ask the difusor itself.
const FRESH: HeaderValue = HeaderValue::from_static("no-cache");

/// What to ask for.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub path: String,
    pub coding: Coding,
    pub method: Method,
    /// `application/json`, say.
    pub accept: &'static str,
    /// One more field.
    pub more: Option<(HeaderName, HeaderValue)>,
    /// Keep the body, of at most so many bytes.
    pub keep: Option<u64>,
}

impl Wanted {
    /// A file, of whose body nothing but digests is wanted.
    pub fn file(path: String, coding: Coding) -> Wanted {
        Wanted { path, coding, method: Method::GET, accept: "*/*", more: None, keep: None }
    }

    /// A small file that is to be read.
    pub fn small(path: &str, bytes: u64) -> Wanted {
        Wanted { keep: Some(bytes), ..Wanted::file(path.into(), Coding::Identity) }
    }

    fn shown(&self, way: Way) -> String {
        let coding = if self.coding == Coding::Identity { "" } else { self.coding.name() };
        let between = if coding.is_empty() { "" } else { ", " };
        let method = if self.method == Method::GET { String::new() } else { format!("{} ", self.method) };
        format!("{method}{} ({coding}{between}{})", Shown::text(&self.path), way.name())
    }
}

/// A connection that may be used again and again.
pub struct Line {
    pub way: Way,
    pub secured: Option<Secured>,
    target: Target,
    trusted: Trusted,
    speaker: Speaker,
}

enum Speaker {
    /// Not connected, or no longer.
    None,
    Http11(hyper::client::conn::http1::SendRequest<String>),
    Http2(h2::client::SendRequest<Bytes>),
}

enum Arriving {
    Http11(Incoming),
    Http2(h2::RecvStream),
}

impl Line {
    pub async fn open(target: &Target, trusted: &Trusted, way: Way) -> Result<Line, NotConnected> {
        let mut line =
            Line { way, secured: None, target: target.clone(), trusted: trusted.clone(), speaker: Speaker::None };
        line.connect().await?;
        Ok(line)
    }

    /// Another line to the same: over HTTP/2 on the same connection.
    pub async fn another(&self) -> Result<Line, NotConnected> {
        let mut line = Line {
            way: self.way,
            secured: self.secured.clone(),
            target: self.target.clone(),
            trusted: self.trusted.clone(),
            speaker: match &self.speaker {
                Speaker::Http2(speaker) => Speaker::Http2(speaker.clone()),
                Speaker::Http11(_) | Speaker::None => Speaker::None,
            },
        };
        if matches!(line.speaker, Speaker::None) {
            line.connect().await?;
        }
        Ok(line)
    }

    async fn connect(&mut self) -> Result<(), NotConnected> {
        let (stream, secured) = connect(&self.target, &self.trusted, Versions::Any, self.way).await?;
        self.speaker = match self.way {
            Way::Http11 => {
                let mut builder = hyper::client::conn::http1::Builder::new();
                builder.max_buf_size(HEAD_BYTES).max_headers(FIELDS_MAX);
                let (speaker, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(told)?;
                tokio::spawn(async { drop(connection.await) });
                Speaker::Http11(speaker)
            }
            Way::Http2 => {
                if secured.as_ref().is_some_and(|secured| !secured.speaks_http2) {
                    return Err("the server does not choose h2 (ALPN)".into());
                }
                let mut builder = h2::client::Builder::new();
                builder.max_header_list_size(HEAD_BYTES as u32).enable_push(false);
                builder.initial_window_size(WINDOW_BYTES).initial_connection_window_size(WINDOW_BYTES);
                let shaking = timeout(HEAD_MAX, builder.handshake(stream)).await;
                let (speaker, connection) = shaking.map_err(|_| "no HTTP/2 within the time")?.map_err(told)?;
                tokio::spawn(async { drop(connection.await) });
                Speaker::Http2(speaker)
            }
        };
        self.secured = secured;
        Ok(())
    }

    /// Asks, and again on a new connection if the old one has ended meanwhile.
    pub async fn ask(&mut self, wanted: &Wanted) -> Result<Answer, String> {
        let asked = wanted.shown(self.way);
        let was_used = !matches!(self.speaker, Speaker::None);
        let ended = || Failed { why: "not connected".into(), has_ended: true };
        let first = if was_used { self.try_once(wanted).await } else { Err(ended()) };
        let answer = match first {
            Err(Failed { has_ended: true, .. }) => match self.connect().await {
                Ok(()) => self.try_once(wanted).await,
                Err(failed) => Err(failed.why.into()),
            },
            answer => answer,
        };
        if answer.is_err() && self.way == Way::Http11 {
            // What is still on its way belongs to no later request.
            self.speaker = Speaker::None;
        }
        answer.map_err(|failed| failed.why).map_err(|why| format!("{asked}: {why}"))
    }

    async fn try_once(&mut self, wanted: &Wanted) -> Result<Answer, Failed> {
        let request = self.request(wanted)?;
        let sent = timeout(HEAD_MAX, self.speaker.send(request)).await;
        let sent = sent.map_err(|_| format!("no answer within {} s", HEAD_MAX.as_secs()))?;
        let (parts, mut arriving) = sent.map_err(|why| Failed { why, has_ended: true })?;
        let body = timeout(BODY_MAX, read(&mut arriving, &parts.headers, wanted))
            .await
            .map_err(|_| format!("not all of it came within {} s", BODY_MAX.as_secs()))??;
        let (status, fields) = (parts.status.as_u16(), parts.headers);
        Ok(Answer { asked: wanted.shown(self.way), status, fields, body })
    }

    fn request(&self, wanted: &Wanted) -> Result<Request<String>, Failed> {
        let (path, authority) = (&wanted.path, self.target.origin.authority());
        let uri = match self.way {
            Way::Http11 => path.clone(),
            Way::Http2 => format!("{}{path}", self.target),
        };
        let mut builder = Request::builder().method(wanted.method.clone()).uri(uri);
        if self.way == Way::Http11 {
            builder = builder.header(HOST, authority);
        }
        let builder = builder
            .header(ACCEPT, wanted.accept)
            .header(ACCEPT_ENCODING, wanted.coding.name())
            .header(CACHE_CONTROL, FRESH)
            .header(USER_AGENT, AGENT);
        let builder = wanted.more.iter().fold(builder, |builder, (name, value)| builder.header(name, value));
        Ok(builder.body(String::new()).map_err(told)?)
    }
}

struct Failed {
    why: String,
    /// The connection was over, as idle ones are after a while: another may do.
    has_ended: bool,
}

impl<S: Into<String>> From<S> for Failed {
    fn from(why: S) -> Failed {
        Failed { why: why.into(), has_ended: false }
    }
}

/// An error of the network, for people: it may hold what a server has written.
fn told(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut inner = error.source();
    while let Some(source) = inner {
        text += &format!(": {source}");
        inner = source.source();
    }
    Shown::text(&text).to_string()
}

impl Speaker {
    async fn send(&mut self, request: Request<String>) -> Result<(http::response::Parts, Arriving), String> {
        match self {
            Speaker::None => Err("not connected".into()),
            Speaker::Http11(speaker) => {
                speaker.ready().await.map_err(told)?;
                let response: Response<Incoming> = speaker.send_request(request).await.map_err(told)?;
                let (parts, body) = response.into_parts();
                Ok((parts, Arriving::Http11(body)))
            }
            Speaker::Http2(speaker) => {
                let mut ready = speaker.clone().ready().await.map_err(told)?;
                let (response, _) = ready.send_request(request.map(|_| ()), true).map_err(told)?;
                let (parts, body) = response.await.map_err(told)?.into_parts();
                Ok((parts, Arriving::Http2(body)))
            }
        }
    }
}

impl Arriving {
    /// The next piece; `None` at the end.
    async fn next(&mut self) -> Option<Result<Bytes, String>> {
        match self {
            Arriving::Http11(body) => loop {
                match poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await? {
                    Ok(frame) => {
                        if let Ok(piece) = frame.into_data() {
                            return Some(Ok(piece));
                        }
                    }
                    Err(error) => return Some(Err(told(error))),
                }
            },
            Arriving::Http2(body) => Some(match body.data().await? {
                Ok(piece) => {
                    let released = body.flow_control().release_capacity(piece.len());
                    released.map(|()| piece).map_err(told)
                }
                Err(error) => Err(told(error)),
            }),
        }
    }
}

async fn read(arriving: &mut Arriving, fields: &HeaderMap, wanted: &Wanted) -> Result<Body, String> {
    let mut sink = Sink::new(coding(fields), wanted.keep);
    loop {
        let next = timeout(SILENCE_MAX, arriving.next()).await;
        let next = next.map_err(|_| format!("nothing came for {} s", SILENCE_MAX.as_secs()))?;
        match next {
            Some(piece) => sink.take(&piece?).map_err(|fault| fault.to_string())?,
            None => return Ok(sink.finish()),
        }
    }
}
