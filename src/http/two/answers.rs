//! Answers to requests of HTTP/2: by the same `answer` as every protocol's, the head from what lies ready.

use std::cell::RefCell;

use bytes::Bytes;
use http::header::DATE;
use http::{Method, Response, StatusCode};

use super::book;
use super::connection::{Answered, Answers, Reply};
use super::exchange::Bridge;
use super::frame::{Fault, Reason};
use super::head::Head;
use super::hpack::encoder;
use super::packed;
use crate::http::answer::{Answer, What, answer};
use crate::http::body::Body;
use crate::http::fields::Lines;
use crate::http::freshness::Freshness;
use crate::http::onward::Onward;
use crate::http::passage;
use crate::http::respond::respond;
use crate::http::service::{Decided, Judged, Service, Way, is_usable, usable};
use crate::http::turned_away;
use crate::http::watch::Owed;
use crate::portal::Notice;
use crate::proxy::instant::{Glance, is_brief};
use crate::proxy::interim::Early;
use crate::snapshot::{Content, Showing};

/// Where the coding was chosen.
static VARY: Bytes = Bytes::from_static(b"vary: accept-encoding\r\n");
/// And where it may be a difference (RFC 9842, section 6.2).
static VARY_BOTH: Bytes = Bytes::from_static(b"vary: accept-encoding, available-dictionary\r\n");
/// Names as HPACK has them, each behind the mark of a literal that is in no table (RFC 7541, 6.2.2).
const ETAG: &[u8] = &[0x0f, 34 - 15];
const AGE: &[u8] = &[0x0f, 21 - 15];
const VARY_NAME: &[u8] = &[0x0f, 59 - 15];
const CACHE_STATUS: &[u8] = b"\x00\x0ccache-status";

/// Answers for one connection.
pub struct Counter<'s> {
    service: &'s Service,
    /// While a body waits for its client to take more.
    owed: Option<Owed>,
}

impl<'s> Counter<'s> {
    pub fn new(service: &'s Service) -> Counter<'s> {
        Counter { service, owed: None }
    }
}

thread_local! {
    /// Room for the key of what is looked for in the corridor.
    static KEY: RefCell<String> = const { RefCell::new(String::new()) };
}

impl Answers for Counter<'_> {
    type Exchange = Bridge;

    fn answer(&mut self, head: &Head, reply: &mut Reply) -> Answered<Bridge> {
        match self.service.on_behalf(|name| head.lines(name)) {
            Some(own) => answer_for(&own, head, reply),
            None => answer_for(self.service, head, reply),
        }
    }

    fn refuses(&mut self, fault: Fault) {
        self.service.seat.turned_away(reason(fault));
    }

    fn waits(&mut self, for_room: bool) {
        if self.owed.is_some() != for_room {
            self.owed = for_room.then(|| self.service.seat.owe());
        }
    }

    fn begins(&mut self, has_begun: bool) {
        match has_begun {
            true => self.service.seat.asks(),
            false => self.service.seat.asks_nothing(),
        }
    }

    fn too_large(&mut self, reply: &mut Reply) -> Bytes {
        self.service.seat.asked();
        let showing = self.service.site.public.load();
        // For whom it is was not read either.
        let (status, notice) = match self.service.guest.may_ask() {
            true => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, Notice::HeadTooLarge),
            false => (StatusCode::TOO_MANY_REQUESTS, Notice::TooMany),
        };
        say(Answer::other(&showing, What::Notice(status, notice)), &Method::GET, self.service, reply)
    }
}

fn reason(fault: Fault) -> turned_away::Reason {
    match fault {
        Fault::Connection(Reason::EnhanceYourCalm) => turned_away::Reason::Flood,
        Fault::Stream(_, Reason::RefusedStream) => turned_away::Reason::RefusedStream,
        // A request or a body that is none (RFC 9113, 8.1.1).
        Fault::Stream(_, Reason::Protocol) => turned_away::Reason::Malformed,
        _ => turned_away::Reason::Protocol,
    }
}

fn answer_for(service: &Service, head: &Head, reply: &mut Reply) -> Answered<Bridge> {
    if service.https_port.is_some() {
        return sent_on(service, head, reply);
    }
    service.seat.asked();
    let asked = head.asked(service);
    let showing = service.site.public.load();
    match service.judge(&asked, head.host(), answer(&asked, &showing)) {
        Judged::Answered(answer) => Answered::Now(say(answer, &head.method, service, reply)),
        Judged::Onward(way) => onward(service, head, way, &showing, reply),
    }
}

/// Where everybody is sent on.
fn sent_on(service: &Service, head: &Head, reply: &mut Reply) -> Answered<Bridge> {
    let Some(request) = head.to_request() else { return Answered::Malformed };
    match service.decide(&request) {
        Decided::Answered(response) => Answered::Now(write(response, service, reply)),
        Decided::Onward(onward) => pass(onward, request, service, reply),
    }
}

fn onward(service: &Service, head: &Head, way: Way, showing: &Showing, reply: &mut Reply) -> Answered<Bridge> {
    let asked = head.asked(service);
    let host = head.authority().filter(|host| is_usable(host));
    let Some(host) = host else {
        let answer = passage::refused(&asked, showing, StatusCode::BAD_REQUEST, Notice::BadRequest);
        return Answered::Now(say(answer, &head.method, service, reply));
    };
    if !way.is_scarce
        && let Some(body) = glance(head, host, &way, service.is_tls, showing, reply)
    {
        return Answered::Now(if *head.method == Method::HEAD { Bytes::new() } else { body });
    }
    let (Some(authority), Some(request)) = (usable(host), head.to_request()) else { return Answered::Malformed };
    pass(service.onward(&asked, showing, way, authority), request, service, reply)
}

/// What lies ready in the corridor, if that can be told at a glance.
fn glance(head: &Head, host: &str, way: &Way, is_secure: bool, showing: &Showing, reply: &mut Reply) -> Option<Bytes> {
    let fields = &head.fields;
    let is_plain =
        [&fields.if_match, &fields.if_modified_since, &fields.if_range, &fields.if_unmodified_since, &fields.range]
            .iter()
            .all(|lines| lines.is_none());
    let is_single = |lines: &Lines| !matches!(lines, Lines::Many(_));
    let is_read = matches!(*head.method, Method::GET | Method::HEAD) && head.content_length.is_none();
    if !head.is_bare
        || !is_plain
        || !is_read
        || !is_single(&fields.accept_encoding)
        || !is_single(&fields.if_none_match)
    {
        return None;
    }
    let corte = showing.corte();
    let glance = Glance {
        host,
        path: head.path,
        query: head.query,
        accept_encoding: fields.accept_encoding.single(),
        if_none_match: fields.if_none_match.single(),
        is_secure,
        corte: corte.and_then(|corte| corte.id.to_str().ok()),
    };
    let found = KEY.with_borrow_mut(|key| way.corridor.glanced(way.route, &glance, key))?;
    let (encoder, out) = (&mut *reply.encoder, &mut *reply.out);
    encoder.begin(found.status().as_u16(), out);
    if let Some(corte) = corte.filter(|_| way.route.results) {
        book::phrase(&[Some(&corte.head), None, None], None, |phrase| encoder.phrase(phrase, out));
    }
    packed::write(found.lines.bytes(), found.is_known.then_some(is_brief), out);
    if found.is_negotiated {
        out.extend_from_slice(VARY_NAME);
        encoder::string(b"accept-encoding", out);
    }
    out.extend_from_slice(AGE);
    said(found.age, b"", out);
    out.extend_from_slice(CACHE_STATUS);
    said(found.ttl, way.corridor.hit(), out);
    Some(found.body)
}

/// A string of `text` and a number behind it, as it is: together shorter than 127 bytes, unless somebody has a name that is not.
fn said(number: u32, text: &[u8], out: &mut Vec<u8>) {
    let at = out.len();
    out.push(0);
    out.extend_from_slice(text);
    crate::proxy::instant::number(number, out);
    let len = out.len() - at - 1;
    match u8::try_from(len) {
        Ok(len @ 0..=126) => out[at] = len,
        _ => {
            let value = out.split_off(at + 1);
            out.truncate(at);
            encoder::string(&value, out);
        }
    }
}

/// Writes the head, and returns the body.
fn say(answer: Answer, method: &Method, service: &Service, reply: &mut Reply) -> Bytes {
    let rhythm = &service.site.rhythm;
    let signs = answer.showing.signs(answer.freshness == Freshness::Pinned);
    let corte = answer.corte;
    let (encoder, out) = (&mut *reply.encoder, &mut *reply.out);
    service.site.counted.count(&answer, *method != Method::HEAD);
    match &answer.what {
        What::Whole(content, chosen) => {
            encoder.begin(200, out);
            let dated = corte.filter(|_| answer.freshness != Freshness::Own).map(|corte| &corte.last_modified_head);
            let parts = [dated, corte.map(|corte| &corte.head), Some(&signs.head)];
            book::phrase(&parts, Some((rhythm, answer.freshness)), |phrase| encoder.phrase(phrase, out));
            // By itself: all files have the other phrase alike.
            let kind = [Some(&chosen.kind), vary(&answer, content), None];
            book::phrase(&kind, None, |phrase| encoder.phrase(phrase, out));
            packed::write_own(&chosen.own, encoder, out);
            if let Some(lineage) = answer.lineage {
                packed::write_own(&lineage.own, encoder, out);
            }
            if *method == Method::HEAD { Bytes::new() } else { chosen.body.clone() }
        }
        What::NotModified(content, etag) => {
            encoder.begin(304, out);
            let parts = [vary(&answer, content), corte.map(|corte| &corte.head), Some(&signs.brief)];
            book::phrase(&parts, Some((rhythm, answer.freshness)), |phrase| encoder.phrase(phrase, out));
            out.extend_from_slice(ETAG);
            encoder::string(etag.as_bytes(), out);
            Bytes::new()
        }
        _ => write(respond(answer, method, rhythm), service, reply),
    }
}

/// What the choice depended on.
fn vary(answer: &Answer, content: &Content) -> Option<&'static Bytes> {
    match answer.lineage {
        Some(_) => Some(&VARY_BOTH),
        None => Some(&VARY).filter(|_| content.is_negotiated()),
    }
}

/// A response whose fields are in a map.
fn write(mut response: Response<Body>, service: &Service, reply: &mut Reply) -> Bytes {
    service.seat.answered(response.status());
    response.headers_mut().insert(DATE, service.site.rhythm.date());
    reply.fields(response.status().as_u16(), response.headers());
    response.into_body().into_bytes().unwrap_or_default()
}

/// What lies ready is sent like all else; the rest is waited for.
fn pass(onward: Onward, request: http::Request<()>, service: &Service, reply: &mut Reply) -> Answered<Bridge> {
    let (mut head, ()) = request.into_parts();
    if !onward.address(&mut head.uri, &mut head.headers) {
        let page = onward.page(StatusCode::BAD_REQUEST, Notice::BadRequest);
        return Answered::Now(write(page, service, reply));
    }
    let request = http::Request::from_parts(head, ());
    if let Some(ready) = onward.ready(&request) {
        reply.fields(ready.status().as_u16(), ready.headers());
        return Answered::Now(ready.into_body());
    }
    let (early, coming) = Early::new();
    let hold = service.seat.hold();
    Answered::Later(Bridge::new(coming, |body| onward.answer(request.map(|()| body), hold, None, Some(early))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_counted_by_what_it_is() {
        use turned_away::Reason::{Flood, Malformed, Protocol, RefusedStream};
        for (fault, expected) in [
            (Fault::Connection(Reason::EnhanceYourCalm), Flood),
            (Fault::Connection(Reason::Protocol), Protocol),
            (Fault::Connection(Reason::Compression), Protocol),
            (Fault::Stream(1, Reason::RefusedStream), RefusedStream),
            (Fault::Stream(1, Reason::Protocol), Malformed),
            (Fault::Stream(1, Reason::FlowControl), Protocol),
        ] {
            assert_eq!(reason(fault), expected, "{fault:?}");
        }
    }
}
