//! Answers of the plain path that wait to be written: what is asked becomes head and body here, and leaves from here.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Uri};

use super::answer::{self, Answer, What, answer};
use super::awaited::{Asking, Awaited};
use super::dictionary::is_local;
use super::freshness::Freshness;
use super::host;
use super::last::{Last, Part};
use super::onward::Onward;
use super::plain::{write, write_fields};
use super::recognise::{FIELDS_MAX, Plain};
use super::service::{Judged, Service, Way, is_usable, usable};
use super::straight;
use crate::base::filed::Filed;
use crate::snapshot::{Content, CorteFields, Lineage, Representation};

/// Pipelined requests that are answered in one write; more wait for the next.
const BATCH_MAX: usize = 16;
/// A body of so many bytes at most is copied behind its head: one piece is cheaper for the kernel than two (benches/README.md).
const COPIED_MAX_BYTES: usize = 4 << 10;

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

/// The line of what has no lineage.
fn vary(content: &Content) -> &'static [u8] {
    if content.is_negotiated() { b"vary: accept-encoding\r\n" } else { b"" }
}

/// What became of a plain request.
pub enum Pushed {
    /// Its answer waits to be written.
    Answered,
    Awaited(Box<Awaited>),
    /// Nothing: its answer is not of the plain kind.
    Other,
}

/// A body, and the file that it is too.
struct Whole {
    bytes: Bytes,
    file: Option<Arc<Filed>>,
}

/// A body on its way into the outbox. A small one is copied without being counted: that count is all cores'.
enum Body<'e> {
    Of(&'e Representation),
    Own(Bytes),
}

impl Body<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Body::Of(chosen) => &chosen.body,
            Body::Own(bytes) => bytes,
        }
    }

    fn whole(self) -> Whole {
        match self {
            Body::Of(chosen) => Whole { bytes: chosen.body.clone(), file: chosen.file.clone() },
            Body::Own(bytes) => Whole { bytes, file: None },
        }
    }
}

/// See above: heads one after the other, and the bodies between them.
#[derive(Default)]
pub struct Outbox {
    /// With the bodies that were copied.
    heads: Vec<u8>,
    /// Where in them the other bodies belong.
    parts: Vec<(usize, Whole)>,
    answers: usize,
    /// Bytes of it all that are written.
    sent: usize,
    /// Room for the key of what is looked for in the corridor.
    key: String,
    /// An answer was the last one (RFC 9112, 9.6): it is time to stop.
    says_close: bool,
}

impl Outbox {
    /// Nothing waits to be written.
    pub fn is_empty(&self) -> bool {
        let is_new = self.answers == 0 && self.sent == 0 && !self.says_close;
        is_new && self.heads.is_empty() && self.parts.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.answers == BATCH_MAX
    }

    pub fn says_close(&self) -> bool {
        self.says_close
    }

    /// Answers `plain`, whose bytes are `raw`, if the answer is here.
    pub fn push(&mut self, service: &Service, plain: &Plain, raw: &[u8]) -> Pushed {
        if service.https_port.is_some() {
            return Pushed::Other;
        }
        let before = self.says_close;
        self.says_close |= plain.closes || service.seat.is_draining();
        let pushed = self.answer(service, plain, raw);
        if !matches!(pushed, Pushed::Answered) {
            self.says_close = before;
        }
        if matches!(pushed, Pushed::Other) {
            service.seat.hands_over_judged();
        }
        pushed
    }

    fn answer(&mut self, service: &Service, plain: &Plain, raw: &[u8]) -> Pushed {
        let own = service.on_behalf_of(raw);
        let service = own.as_ref().unwrap_or(service);
        let asked = answer::Request {
            method: if plain.is_head { &Method::HEAD } else { &Method::GET },
            path: plain.path,
            query: plain.query,
            fields: plain.fields.clone(),
            host_is_known: host::is_valid(plain.host),
            is_secure: service.is_tls || is_local(plain.host),
            spread: service.spread,
        };
        let showing = service.site.public.load();
        let host = std::str::from_utf8(plain.host).ok();
        let body = match service.judge(&asked, host, answer(&asked, &showing)) {
            Judged::Answered(answer) => self.head(answer, service, plain.is_head),
            Judged::Onward(way) => {
                let Some(host) = host.filter(|host| is_usable(host)) else { return Pushed::Other };
                let from = self.heads.len();
                let glanced = match way.is_scarce {
                    // What it weighs has to be known first.
                    true => None,
                    false => self.glance(plain, host, &way, service.is_tls, showing.corte()),
                };
                if glanced.is_none() {
                    self.heads.truncate(from);
                    let Some(authority) = usable(host) else { return Pushed::Other };
                    // What is to be the last here is said by the general way.
                    let is_last = self.says_close;
                    let written = (!is_last)
                        .then(|| straight::written((plain, host, raw), &way, service, showing.corte(), &mut self.key))
                        .flatten();
                    let onward = service.onward(&asked, &showing, way, authority);
                    if let Some(head) = written {
                        return Pushed::Awaited(Box::new(Awaited { onward, asking: Asking::Written(head) }));
                    }
                    let Some(request) = addressed(&onward, raw) else { return Pushed::Other };
                    let Some(ready) = onward.ready(&request) else {
                        if plain.closes {
                            return Pushed::Other;
                        }
                        return Pushed::Awaited(Box::new(Awaited { onward, asking: Asking::Any(request) }));
                    };
                    write_fields(ready.status(), ready.headers().iter(), self.says_close, &mut self.heads);
                    Some(Body::Own(ready.into_body()))
                } else {
                    glanced.map(Body::Own)
                }
            }
        };
        let Some(body) = body else { return Pushed::Other };
        self.answers += 1;
        match body.bytes().len() {
            _ if plain.is_head => {}
            0..=COPIED_MAX_BYTES => self.heads.extend_from_slice(body.bytes()),
            _ => self.parts.push((self.heads.len(), body.whole())),
        }
        Pushed::Answered
    }

    /// Writes the head of what lies ready in the corridor, if that can be told at a glance, and returns the body.
    fn glance(
        &mut self,
        plain: &Plain,
        host: &str,
        way: &Way,
        is_secure: bool,
        corte: Option<&CorteFields>,
    ) -> Option<Bytes> {
        if !plain.is_bare || !plain.fields.if_modified_since.is_none() {
            return None;
        }
        let glance = straight::glance(plain, host, is_secure, corte);
        let body = way.corridor.glance(way.route, &glance, &mut self.key, &mut self.heads)?;
        if let Some(corte) = corte.filter(|_| way.route.results) {
            self.heads.extend_from_slice(&corte.head);
        }
        self.heads.extend_from_slice(if self.says_close { b"connection: close\r\n\r\n" } else { b"\r\n" });
        Some(body)
    }

    /// Writes the head, and returns the body.
    fn head<'e>(&mut self, answer: Answer<'e>, service: &Service, is_head: bool) -> Option<Body<'e>> {
        let out = &mut self.heads;
        let body = match &answer.what {
            What::Whole(content, chosen) => {
                out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
                out.extend_from_slice(&chosen.head);
                out.extend_from_slice(answer.lineage.map_or(vary(content), |lineage| &lineage.head));
                Body::Of(chosen)
            }
            What::NotModified(content, etag) => {
                out.extend_from_slice(b"HTTP/1.1 304 Not Modified\r\netag: ");
                out.extend_from_slice(etag.as_bytes());
                out.extend_from_slice(b"\r\n");
                out.extend_from_slice(answer.lineage.map_or(vary(content), Lineage::vary));
                Body::Own(Bytes::new())
            }
            // A crowd that waits for the opening asks for nothing else.
            What::Notice(status, _) => {
                // As hyper's path does.
                self.says_close |= *status == StatusCode::BAD_REQUEST;
                service.seat.answered(*status);
                return Some(Body::Own(write(answer, service, self.says_close, out)));
            }
            _ => return None,
        };
        service.site.counted.count(&answer, !is_head);
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

    /// Writes everything, the large bodies from where they lie, and is as new when it is done.
    pub fn poll_send<S>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: Last + Unpin,
    {
        while self.sent < self.len() {
            match ready!(self.poll_write(Pin::new(stream), cx))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.sent += n,
            }
        }
        if self.answers > 0 {
            // TLS holds back what did not fit into the socket.
            ready!(Pin::new(stream).poll_flush(cx))?;
        }
        self.says_close = false;
        self.heads.clear();
        self.parts.clear();
        (self.answers, self.sent) = (0, 0);
        Poll::Ready(Ok(()))
    }

    fn len(&self) -> usize {
        self.heads.len() + self.parts.iter().map(|(_, body)| body.bytes.len()).sum::<usize>()
    }

    fn poll_write<S: Last>(&self, stream: Pin<&mut S>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.parts.is_empty() {
            let left = &self.heads[self.sent..];
            return match self.says_close {
                true => stream.poll_last(cx, &[IoSlice::new(left)]),
                false => stream.poll_write(cx, left),
            };
        }
        let mut slices = [IoSlice::new(&[]); BATCH_MAX * 2 + 1];
        let (mut begin, mut used, mut before, mut is_last) = (0, 0, 0, self.says_close);
        for (end, body) in &self.parts {
            slices[used] = IoSlice::new(&self.heads[begin..*end]);
            (before, begin, used) = (before + end - begin, *end, used + 1);
            let after = before + body.bytes.len();
            if let Some(file) = body.file.as_ref().filter(|_| S::TAKES_FILES && self.sent < after) {
                if let Some(at) = self.sent.checked_sub(before) {
                    let part = Part { file: file.file(), at: at as u64, len: after - self.sent };
                    return stream.poll_file(cx, part);
                }
                // What goes before it leaves with its beginning.
                is_last = true;
                begin = self.heads.len();
                break;
            }
            slices[used] = IoSlice::new(&body.bytes);
            (before, used) = (after, used + 1);
        }
        slices[used] = IoSlice::new(&self.heads[begin..]);
        let mut left = &mut slices[..used + usize::from(begin < self.heads.len())];
        IoSlice::advance_slices(&mut left, self.sent);
        if is_last { stream.poll_last(cx, left) } else { stream.poll_write_vectored(cx, left) }
    }
}
