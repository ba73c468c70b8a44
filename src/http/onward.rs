//! A request on its way through the corridor, whichever protocol it came by: what the corridor is asked, and what the
//! client is sent of its answer. Knows neither sockets nor streams.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, COOKIE, DATE, HOST, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::uri::{Authority, Parts, PathAndQuery, Scheme};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;

use super::answer::{Answer, What, no_results};
use super::body::Body;
use super::ladder::{Class, Refusing};
use super::respond::{CORTE, CORTE_FECHA_HORA, respond};
use super::sent::Bounded;
use super::service::Site;
use super::tunnel::Ends;
use super::watch::Hold;
use crate::portal::Notice;
use crate::proxy::corridor::{Asked, Corridor, Failed, Passing};
use crate::proxy::failure::Failure;
use crate::proxy::interim::Early;
use crate::proxy::route::Route;
use crate::proxy::upstream::{Caller, Sent, Straight};
use crate::snapshot::CorteFields;

/// How an answer was come by (RFC 9211).
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// Seconds until who found too many others before him should come again: a crowd is served or gone by then.
const RETRY_BUSY_S: HeaderValue = HeaderValue::from_static("5");

/// Of a response to a request that cannot be understood or did not come whole: what comes behind it is nobody's.
#[derive(Clone, Copy)]
pub struct Broken;

/// Where a request goes, and what is needed once its answer comes.
pub struct Onward {
    pub site: Arc<Site>,
    pub corridor: Arc<Corridor>,
    pub route: Arc<Route>,
    pub client: Caller,
    pub scheme: Scheme,
    pub authority: Authority,
    pub method: Method,
    /// The corte that is shown.
    pub corte: Option<CorteFields>,
    /// An error page is wanted in JSON.
    pub wants_json: bool,
    /// Set while the origin is not asked, and what does not lie ready is left out: how that is said.
    pub scarce: Option<Refusing>,
}

/// A client's body on its way: whatever a protocol reads it from.
pub trait Coming: http_body::Body<Data = Bytes, Error: Send> + Send + 'static {}

impl<B: http_body::Body<Data = Bytes, Error: Send> + Send + 'static> Coming for B {}

impl Onward {
    /// Gives a request its target in absolute form, and the one `Host` that goes with it. False where it has none.
    pub fn address(&self, target: &mut Uri, fields: &mut HeaderMap) -> bool {
        let mut parts = Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        // An absolute form may have no path (RFC 9112, 3.2.2).
        parts.path_and_query = Some(target.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")));
        // HTTP/2 may send them apart; HTTP/1.1 has one line (RFC 9113, 8.2.3).
        let cookies: Vec<&[u8]> = fields.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
        if cookies.len() > 1
            && let Ok(one) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
        {
            fields.insert(COOKIE, one);
        }
        match (Uri::from_parts(parts), HeaderValue::try_from(self.authority.as_str())) {
            (Ok(absolute), Ok(host)) => {
                *target = absolute;
                fields.insert(HOST, host);
                true
            }
            _ => false,
        }
    }

    /// What lies ready for a request that has been addressed, with all its fields but those of a connection. While the origin is not
    /// asked, that is always something.
    pub fn ready(&self, request: &Request<()>) -> Option<Response<Bytes>> {
        let ready = self.stored(request);
        let Some(refusing) = self.scarce else { return ready };
        let stored = ready.as_ref().map(|ready| ready.body().len());
        if !self.site.ladder.leaves_out_of_corridor(&self.method, request.uri().path(), stored) {
            return ready;
        }
        let page = self.page(StatusCode::SERVICE_UNAVAILABLE, Notice::LeftOut);
        let page = page.map(|body| body.into_bytes().unwrap_or_default());
        self.site.ladder.refuses(refusing, self.wants_json, page.body().len());
        Some(page)
    }

    /// What is stored, for GET and HEAD.
    fn stored(&self, request: &Request<()>) -> Option<Response<Bytes>> {
        if !matches!(self.method, Method::GET | Method::HEAD) {
            return None;
        }
        let corte = self.corte.as_ref().and_then(|corte| corte.id.to_str().ok());
        let mut response = self.corridor.ready(&self.route, request, self.client.from.ip(), corte)?;
        let fields = response.headers_mut();
        // What would be read otherwise than it is written goes by somebody who finds that out.
        let is_framed = [TRANSFER_ENCODING, CONNECTION, UPGRADE].iter().any(|name| fields.contains_key(name));
        let has_body = !matches!(status(&response), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if is_framed || status(&response).is_informational() || (!has_body && !response.body().is_empty()) {
            return None;
        }
        let length = HeaderValue::from(response.body().len());
        let is_whole = self.method == Method::GET && has_body;
        let fields = response.headers_mut();
        match fields.get(CONTENT_LENGTH) {
            Some(said) if is_whole && *said != length => return None,
            None if is_whole => drop(fields.insert(CONTENT_LENGTH, length)),
            _ => {}
        }
        if self.method == Method::HEAD {
            *response.body_mut() = Bytes::new();
        }
        self.dress(response.headers_mut());
        Some(response)
    }

    /// The response to a request that has been addressed; never fails. With `ends`, what becomes of the connection after
    /// 101 is left there; with `early`, interim responses.
    pub async fn answer<B: Coming>(
        self,
        request: Request<B>,
        hold: Hold,
        ends: Option<Ends>,
        early: Option<Early>,
    ) -> Response<Body> {
        let limit = self.route.body_bytes;
        let class = self.site.ladder.class(request.uri().path());
        if content_length(request.headers()).is_some_and(|length| length > limit) {
            return self.failed(self.corridor.refused(&self.route, Failure::RequestTooLarge, request.uri().path()));
        }
        let hold = Arc::new(hold);
        let (mut head, body) = request.into_parts();
        let client = head.extensions.remove::<hyper::upgrade::OnUpgrade>();
        head.extensions.clear();
        let body = Bounded::new(body, limit, hold.clone());
        let request = Request::from_parts(head, Sent::new(body));
        let corte = self.corte.as_ref().and_then(|corte| corte.id.to_str().ok()).map(Arc::from);
        let asked = Asked { request, client: self.client, corte, early };
        match self.corridor.clone().answer(self.route.clone(), asked).await {
            Ok(response) => {
                self.weigh(class, &response);
                self.passed(response, hold, ends.zip(client))
            }
            Err(failed) => self.failed(failed),
        }
    }

    /// The same of what could not be answered straight.
    pub async fn go_on(self, straight: Straight, hold: Hold, early: Early) -> Response<Body> {
        let class = self.site.ladder.class(straight.path());
        match self.corridor.go_on(&self.route, straight, &early).await {
            Ok(response) => {
                self.weigh(class, &response);
                self.passed(response, Arc::new(hold), None)
            }
            Err(failed) => self.failed(failed),
        }
    }

    /// The same of an answer that goes straight, with a body of so many bytes.
    pub fn weighs(&self, path: &str, status: StatusCode, bytes: u64) {
        if self.method == Method::GET && status == StatusCode::OK {
            self.site.ladder.passes(self.site.ladder.class(path), bytes);
        }
    }

    /// What such an answer weighs is known from now on.
    fn weigh(&self, class: Class, response: &Response<Passing>) {
        let bytes = match response.body() {
            Passing::Whole(bytes) => Some(bytes.len() as u64),
            Passing::Arriving(_) => content_length(response.headers()),
        };
        if let Some(bytes) = bytes.filter(|_| self.method == Method::GET && response.status() == StatusCode::OK) {
            self.site.ladder.passes(class, bytes);
        }
    }

    fn passed(
        &self,
        mut response: Response<Passing>,
        hold: Arc<Hold>,
        ends: Option<(Ends, hyper::upgrade::OnUpgrade)>,
    ) -> Response<Body> {
        // It may have come to an end while the origin thought about it.
        let showing = self.site.public.load();
        if self.route.results && showing.results().is_none() {
            let (status, notice) = no_results(&showing);
            return self.page(status, notice);
        }
        drop(showing);
        if status(&response).is_informational() {
            let origin = hyper::upgrade::on(&mut response);
            match ends {
                Some((ends, client)) if status(&response) == StatusCode::SWITCHING_PROTOCOLS => {
                    ends.leave(client, origin)
                }
                // Nobody has asked for it.
                _ => {
                    let failure = Failure::Malformed;
                    return self.failed(Failed { failure, status: own_status(self.corridor.name(), failure) });
                }
            }
        }
        let (mut head, body) = response.into_parts();
        self.dress(&mut head.headers);
        let body = match body {
            _ if self.method == Method::HEAD || head.status.is_informational() => Body::empty(),
            Passing::Whole(bytes) => Body::of(bytes),
            Passing::Arriving(body) => Body::arriving(
                body.map_frame(move |frame| {
                    let _ = &hold;
                    frame
                })
                .boxed_unsync(),
            ),
        };
        head.extensions.clear();
        Response::from_parts(head, body)
    }

    /// A page of ours in place of an answer.
    pub fn failed(&self, failed: Failed) -> Response<Body> {
        let mut response = self.page(failed.failure.status(), notice(failed.failure));
        let fields = response.headers_mut();
        fields.insert(CACHE_STATUS, failed.status);
        if fields.contains_key(RETRY_AFTER) {
            fields.insert(RETRY_AFTER, RETRY_BUSY_S);
        }
        if failed.failure.status() == StatusCode::BAD_REQUEST {
            response.extensions_mut().insert(Broken);
        }
        response
    }

    /// One that nobody keeps.
    pub fn page(&self, status: StatusCode, notice: Notice) -> Response<Body> {
        let showing = self.site.public.load();
        let answer = Answer { wants_json: self.wants_json, ..Answer::other(&showing, What::Notice(status, notice)) };
        let mut response = respond(answer, &self.method, &self.site.rhythm);
        response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
        response.headers_mut().insert(DATE, self.site.rhythm.date());
        response
    }

    /// The line of an answer of an origin that has none of its own.
    pub fn write_date(&self, out: &mut Vec<u8>) {
        for part in [b"date: ", self.site.rhythm.date().as_bytes(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }

    /// What an answer of an origin has from us.
    fn dress(&self, fields: &mut HeaderMap) {
        if let Some(corte) = self.corte.as_ref().filter(|_| self.route.results) {
            fields.insert(CORTE, corte.id.clone());
            fields.insert(CORTE_FECHA_HORA, corte.fecha_hora.clone());
        }
        if !fields.contains_key(DATE) {
            fields.insert(DATE, self.site.rhythm.date());
        }
    }
}

fn status<B>(response: &Response<B>) -> StatusCode {
    response.status()
}

/// What is refused before the corridor hears of it.
fn own_status(name: &str, failure: Failure) -> HeaderValue {
    let status = HeaderValue::try_from(format!("{name}; detail={}", failure.name()));
    status.unwrap_or(HeaderValue::from_static("difusor"))
}

fn content_length(fields: &HeaderMap) -> Option<u64> {
    fields.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn notice(failure: Failure) -> Notice {
    match failure.status() {
        StatusCode::GATEWAY_TIMEOUT => Notice::GatewayTimeout,
        StatusCode::SERVICE_UNAVAILABLE => Notice::TooBusy,
        StatusCode::PAYLOAD_TOO_LARGE => Notice::PayloadTooLarge,
        StatusCode::LOOP_DETECTED => Notice::LoopDetected,
        StatusCode::BAD_REQUEST => Notice::BadRequest,
        _ => Notice::BadGateway,
    }
}
