//! HTTP/1.1 without hyper, for the plain request: read, recognise, answer, one vectored write.
//!
//! Answers are 200, 304, notices, and those of the corridor; for any other the request, untouched, and the connection go to hyper.
//! Both paths answer by the same `answer`, and a test holds their bytes against each other.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{DATE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Uri};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::answer::{self, Answer, What, answer};
use super::awaited::{self, Awaited};
use super::connection::HEAD_MAX_BYTES;
use super::freshness::Freshness;
use super::onward::Onward;
use super::recognise::{FIELDS_MAX, Plain, Recognised, recognise};
use super::respond::respond;
use super::service::{Judged, Service, Way, is_usable, usable};
use crate::portal::Notice;
use crate::proxy::instant::Glance;
use crate::snapshot::CorteFields;

/// Room for what is read at once: a browser's head fits, and so do a few that are pipelined.
pub const READ_BYTES: usize = 4 << 10;
/// Pipelined requests that are answered in one write; more wait for the next.
const BATCH_MAX: usize = 16;
/// What a client that was refused may still be sending, read so that it sees our answer and not a reset.
const LINGER_MAX_BYTES: usize = 256 << 10;
/// And for how long.
const LINGER_MAX: Duration = Duration::from_secs(2);

/// How it went on.
pub enum End<S> {
    /// The client is done, or it is time to stop.
    Closed,
    /// hyper has to take over, beginning with these bytes.
    HandedOver(S, Bytes),
}

/// Serves plain requests on `stream`, of which `inbox` has been read already.
pub async fn serve<S>(mut stream: S, mut inbox: BytesMut, service: &Service) -> io::Result<End<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut drained = pin!(service.seat.drained());
    let mut outbox = Outbox::default();
    loop {
        let next = answer_all(&mut inbox, service, &mut outbox);
        outbox.send(&mut stream).await?;
        match next {
            Next::Read => {}
            Next::More => continue,
            Next::HandOver => return Ok(End::HandedOver(stream, inbox.freeze())),
            // Seldom: its room is not part of every connection.
            Next::Await(awaited) => {
                match Box::pin(awaited::answer(&mut stream, *awaited, service, &mut inbox)).await? {
                    true => continue,
                    false => return linger(stream).await,
                }
            }
            Next::Refuse(status, notice) => {
                return refuse(stream, service, status, notice).await;
            }
            Next::Close => return linger(stream).await,
        }
        inbox.reserve(READ_BYTES);
        let read = tokio::select! {
            biased;
            read = stream.read_buf(&mut inbox) => read?,
            // A head that has begun is finished under hyper, which then closes.
            () = &mut drained => match inbox.is_empty() && service.seat.has_asked() {
                true => return close(stream).await,
                false => return Ok(End::HandedOver(stream, inbox.freeze())),
            },
        };
        if read == 0 {
            return close(stream).await;
        }
    }
}

/// Tells a client what its bytes are not.
pub async fn refuse<S>(mut stream: S, service: &Service, status: StatusCode, notice: Notice) -> io::Result<End<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(&refusal(service, status, notice)).await?;
    linger(stream).await
}

/// Says goodbye; under TLS by close_notify (RFC 8446, 6.1).
async fn close<S: AsyncWrite + Unpin>(mut stream: S) -> io::Result<End<S>> {
    stream.shutdown().await?;
    Ok(End::Closed)
}

/// The same to a client that may still be sending: with bytes unread, the kernel would reset the connection, and our
/// answer would be lost on its way (RFC 9112, 9.6).
pub async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> io::Result<End<S>> {
    stream.shutdown().await?;
    let (mut rest, mut left) = (vec![0; READ_BYTES], LINGER_MAX_BYTES);
    let read = async {
        while left > 0
            && let Ok(n @ 1..) = stream.read(&mut rest).await
        {
            left = left.saturating_sub(n);
        }
    };
    let _ = tokio::time::timeout(LINGER_MAX, read).await;
    Ok(End::Closed)
}

/// A whole response to what is no request.
fn refusal(service: &Service, status: StatusCode, notice: Notice) -> Vec<u8> {
    let showing = service.site.public.load();
    let (mut out, says_close) = (Vec::new(), true);
    let body = write(Answer::other(&showing, What::Notice(status, notice)), service, says_close, &mut out);
    out.extend(body);
    out
}

/// Writes the head of an answer that is asked for seldom, and returns the body.
fn write(answer: Answer, service: &Service, says_close: bool, out: &mut Vec<u8>) -> Bytes {
    let (head, body) = respond(answer, &Method::GET, &service.site.rhythm).into_parts();
    let date = (DATE, service.site.rhythm.date());
    write_fields(head.status, head.headers.iter().chain([(&date.0, &date.1)]), says_close, out);
    body.into_bytes().unwrap_or_default()
}

pub fn write_fields<'f>(
    status: StatusCode,
    fields: impl Iterator<Item = (&'f HeaderName, &'f HeaderValue)>,
    says_close: bool,
    out: &mut Vec<u8>,
) {
    let reason = status.canonical_reason().unwrap_or("<unknown status code>");
    for part in ["HTTP/1.1 ", status.as_str(), " ", reason, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    for (name, value) in fields {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    out.extend_from_slice(if says_close { b"connection: close\r\n\r\n" } else { b"\r\n" });
}

enum Next {
    /// All whole requests are answered.
    Read,
    /// The batch is full; there may be more.
    More,
    HandOver,
    /// The answer to the next one is not here yet.
    Await(Box<Awaited>),
    /// What comes next is no request.
    Refuse(StatusCode, Notice),
    /// The last answer said so.
    Close,
}

fn answer_all(inbox: &mut BytesMut, service: &Service, outbox: &mut Outbox) -> Next {
    let mut done = 0;
    let next = loop {
        if outbox.len() == BATCH_MAX {
            break Next::More;
        }
        match recognise(&inbox[done..]) {
            Recognised::Partial if inbox.len() - done < HEAD_MAX_BYTES => break Next::Read,
            Recognised::Partial => {
                break Next::Refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, Notice::HeadTooLarge);
            }
            Recognised::Malformed => break Next::Refuse(StatusCode::BAD_REQUEST, Notice::BadRequest),
            Recognised::Plain(plain, len) => match outbox.push(service, &plain, &inbox[done..done + len]) {
                Pushed::Answered => {
                    service.seat.asked();
                    done += len;
                    if outbox.says_close {
                        break Next::Close;
                    }
                }
                Pushed::Awaited(awaited) => {
                    service.seat.asked();
                    done += len;
                    break Next::Await(awaited);
                }
                Pushed::Other => break Next::HandOver,
            },
            Recognised::Other => break Next::HandOver,
        }
    };
    let _ = inbox.split_to(done);
    next
}

/// The request for the corridor, whose bytes are read once more: this time all of its fields.
fn addressed(onward: &Onward, raw: &[u8]) -> Option<http::Request<()>> {
    let mut room = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut read = httparse::Request::new(&mut []);
    read.parse_with_uninit_headers(raw, &mut room).ok()?;
    let mut target = Uri::try_from(read.path?).ok()?;
    let mut fields = HeaderMap::with_capacity(read.headers.len());
    for field in read.headers.iter() {
        fields.append(HeaderName::try_from(field.name).ok()?, HeaderValue::from_bytes(field.value).ok()?);
    }
    if !onward.address(&mut target, &mut fields) {
        return None;
    }
    let mut request = http::Request::new(());
    (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (onward.method.clone(), target, fields);
    Some(request)
}

/// What became of a plain request.
enum Pushed {
    /// Its answer waits to be written.
    Answered,
    Awaited(Box<Awaited>),
    /// Nothing: its answer is not of the plain kind.
    Other,
}

/// Answers that wait to be written: heads one after the other, and the body that follows each.
#[derive(Default)]
struct Outbox {
    heads: Vec<u8>,
    /// Where each head ends, and its body.
    parts: Vec<(usize, Bytes)>,
    /// Room for the key of what is looked for in the corridor.
    key: String,
    /// An answer was the last one (RFC 9112, 9.6): it is time to stop.
    says_close: bool,
}

impl Outbox {
    fn len(&self) -> usize {
        self.parts.len()
    }

    /// Answers `plain`, whose bytes are `raw`, if the answer is here.
    fn push(&mut self, service: &Service, plain: &Plain, raw: &[u8]) -> Pushed {
        if service.https_port.is_some() {
            return Pushed::Other;
        }
        let asked = answer::Request {
            method: if plain.is_head { &Method::HEAD } else { &Method::GET },
            path: plain.path,
            query: plain.query,
            fields: plain.fields.clone(),
            host_is_known: true,
        };
        let showing = service.site.public.load();
        let host = std::str::from_utf8(plain.host).ok();
        let body = match service.judge(&asked, host, answer(&asked, &showing)) {
            Judged::Answered(answer) => self.head(answer, service),
            Judged::Onward(way) => {
                let Some(host) = host.filter(|host| is_usable(host)) else { return Pushed::Other };
                let from = self.heads.len();
                let glanced = self.glance(service, plain, host, &way, showing.corte());
                if glanced.is_none() {
                    self.heads.truncate(from);
                    let Some(authority) = usable(host) else { return Pushed::Other };
                    let onward = service.onward(&asked, &showing, way, authority);
                    let Some(request) = addressed(&onward, raw) else { return Pushed::Other };
                    let Some(ready) = onward.ready(&request) else {
                        return Pushed::Awaited(Box::new(Awaited { onward, request }));
                    };
                    self.says_close |= service.seat.is_draining();
                    write_fields(ready.status(), ready.headers().iter(), self.says_close, &mut self.heads);
                    Some(ready.into_body())
                } else {
                    glanced
                }
            }
        };
        let Some(body) = body else { return Pushed::Other };
        self.parts.push((self.heads.len(), if plain.is_head { Bytes::new() } else { body }));
        Pushed::Answered
    }

    /// Writes the head of what lies ready in the corridor, if that can be told at a glance, and returns the body.
    fn glance(
        &mut self,
        service: &Service,
        plain: &Plain,
        host: &str,
        way: &Way,
        corte: Option<&CorteFields>,
    ) -> Option<Bytes> {
        let fields = &plain.fields;
        if !plain.is_bare || !fields.if_modified_since.is_none() {
            return None;
        }
        let glance = Glance {
            host,
            path: plain.path,
            query: plain.query,
            accept_encoding: fields.accept_encoding.single(),
            if_none_match: fields.if_none_match.single(),
            corte: corte.and_then(|corte| corte.id.to_str().ok()),
        };
        let body = way.corridor.glance(way.route, &glance, &mut self.key, &mut self.heads)?;
        if let Some(corte) = corte.filter(|_| way.route.results) {
            self.heads.extend_from_slice(&corte.head);
        }
        self.says_close |= service.seat.is_draining();
        self.heads.extend_from_slice(if self.says_close { b"connection: close\r\n\r\n" } else { b"\r\n" });
        Some(body)
    }

    /// Writes the head, and returns the body.
    fn head(&mut self, answer: Answer, service: &Service) -> Option<Bytes> {
        self.says_close |= service.seat.is_draining();
        let out = &mut self.heads;
        let body = match &answer.what {
            What::Whole(_, chosen) => {
                out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
                out.extend_from_slice(&chosen.head);
                chosen.body.clone()
            }
            What::NotModified(content, etag) => {
                out.extend_from_slice(b"HTTP/1.1 304 Not Modified\r\netag: ");
                out.extend_from_slice(etag.as_bytes());
                out.extend_from_slice(if content.is_negotiated() { b"\r\nvary: accept-encoding\r\n" } else { b"\r\n" });
                Bytes::new()
            }
            // A crowd that waits for the opening asks for nothing else.
            What::Notice(status, _) => {
                // As hyper's path does.
                self.says_close |= *status == StatusCode::BAD_REQUEST;
                return Some(write(answer, service, self.says_close, out));
            }
            _ => return None,
        };
        let is_dated = answer.freshness != Freshness::Own;
        if let Some(corte) = answer.corte {
            if is_dated && matches!(answer.what, What::Whole(..)) {
                out.extend_from_slice(&corte.last_modified_head);
            }
            out.extend_from_slice(&corte.head);
        }
        let signs = answer.showing.signs(answer.freshness == Freshness::Pinned);
        let is_brief = matches!(answer.what, What::NotModified(..));
        out.extend_from_slice(if is_brief { &signs.brief } else { &signs.head });
        service.site.rhythm.write(answer.freshness, out);
        if self.says_close {
            out.extend_from_slice(b"connection: close\r\n");
        }
        out.extend_from_slice(b"\r\n");
        Some(body)
    }

    /// Writes everything, bodies from where they lie, and starts anew.
    async fn send<S: AsyncWrite + Unpin>(&mut self, stream: &mut S) -> io::Result<()> {
        if self.parts.is_empty() {
            return Ok(());
        }
        let mut slices = [IoSlice::new(&[]); BATCH_MAX * 2];
        let (mut begin, mut used) = (0, 0);
        for (end, body) in &self.parts {
            for bytes in [&self.heads[begin..*end], body] {
                if !bytes.is_empty() {
                    slices[used] = IoSlice::new(bytes);
                    used += 1;
                }
            }
            begin = *end;
        }
        let mut left = &mut slices[..used];
        while !left.is_empty() {
            match stream.write_vectored(left).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                n => IoSlice::advance_slices(&mut left, n),
            }
        }
        self.heads.clear();
        self.parts.clear();
        // TLS holds back what did not fit into the socket.
        stream.flush().await
    }
}
