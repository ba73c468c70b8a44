//! What a connection asks for each request: load what is shown once, answer, respond.

use std::convert::Infallible;
use std::future::Future;
use std::mem::MaybeUninit;
use std::net::{Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{CONNECTION, HOST, HeaderValue};
use http::uri::{Authority, Scheme};
use http::{Method, Request, Response, StatusCode, Version};

use super::answer::{self, Answer, What, answer, elsewhere};
use super::body::Body;
use super::clients::Guest;
use super::counted::Counted;
use super::dictionary::is_local;
use super::fields::Fields;
use super::freshness::{Rhythm, Spread};
use super::host;
use super::interjected::Words;
use super::ladder::{Ladder, Refusing};
use super::onward::{Broken, Coming, Onward};
use super::passage::{self, Passage, passage};
use super::preferred::{wants_html, wants_json};
use super::recognise::FIELDS_MAX;
use super::respond::respond;
use super::tunnel::Ends;
use super::watch::Seat;
use crate::portal::Notice;
use crate::proxy::corridor::Corridor;
use crate::proxy::interim::Early;
use crate::proxy::route::Route;
use crate::proxy::upstream::Caller;
use crate::snapshot::{Public, Showing};

/// Everything that answering needs; one for all threads.
pub struct Site {
    pub public: Arc<Public>,
    pub rhythm: Rhythm,
    /// Where what is not in the package comes from; `None` where it comes from nowhere.
    pub corridor: Option<Arc<Corridor>>,
    /// What is offered while more is asked for than can be sent.
    pub ladder: Arc<Ladder>,
    pub counted: Counted,
}

/// One connection's view of the site.
#[derive(Clone)]
pub struct Service {
    pub site: Arc<Site>,
    pub seat: Arc<Seat>,
    /// Whose it is.
    pub guest: Arc<Guest>,
    /// Set on a clear port that sends everybody to this HTTPS port.
    pub https_port: Option<u16>,
    pub is_tls: bool,
    /// When it is told to ask again.
    pub spread: Spread,
}

/// The same of a connection by hyper.
pub struct ByHyper {
    pub service: Service,
    /// What it leaves when it becomes something else.
    pub ends: Ends,
    /// Where it has what comes before an answer said.
    pub words: Words,
}

/// What becomes of a request.
#[expect(clippy::large_enum_variant, reason = "it lives for one request, on the stack")]
pub enum Decided {
    Answered(Response<Body>),
    Onward(Onward),
}

fn asked<B>(request: &Request<B>, is_tls: bool, spread: Spread) -> answer::Request<'_> {
    answer::Request {
        method: request.method(),
        path: request.uri().path(),
        query: request.uri().query(),
        fields: Fields::of(request.headers()),
        host_is_known: host_is_known(request),
        spread,
        is_secure: is_tls || host(request).is_some_and(|host| is_local(host.as_bytes())),
    }
}

/// What can be answered before anything of a body has come.
fn without_body<B>(request: &Request<B>) -> Request<()> {
    let mut asked = Request::new(());
    (*asked.method_mut(), *asked.uri_mut()) = (request.method().clone(), request.uri().clone());
    *asked.headers_mut() = request.headers().clone();
    asked
}

/// RFC 9112, 3.2: exactly one `Host` in HTTP/1.1, and a valid one; HTTP/2 has `:authority` instead. Of both, nobody's name is
/// part (RFC 9110, 4.2.4).
fn host_is_known<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).into_iter();
    let (first, second) = (hosts.next(), hosts.next());
    let is_missing = first.is_none() && request.version() == Version::HTTP_11;
    let are_valid = first.is_none_or(|host| host::is_valid(host.as_bytes()))
        && request.uri().authority().is_none_or(|authority| host::is_valid(authority.as_str().as_bytes()));
    !is_missing && second.is_none() && are_valid
}

fn too_many<'e>(asked: &answer::Request, showing: &'e Showing) -> Answer<'e> {
    passage::refused(asked, showing, StatusCode::TOO_MANY_REQUESTS, Notice::TooMany)
}

fn https_location<B>(request: &Request<B>, port: u16) -> Option<String> {
    let host = request.headers().get(HOST).map(HeaderValue::as_bytes);
    let named: Authority = match host {
        Some(host) => Authority::try_from(host).ok()?,
        None => request.uri().authority()?.clone(),
    };
    if named.host().is_empty() || named.as_str().contains('@') {
        return None;
    }
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    let target = request.uri().path_and_query().filter(|target| target.path().starts_with('/'))?;
    Some(format!("https://{}{port}{target}", named.host()))
}

/// The host that is asked for, as it was sent. HTTP/1.1's absolute form comes before `Host` (RFC 9112, 3.2.2).
fn host<B>(request: &Request<B>) -> Option<&str> {
    let named = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    request.uri().authority().map(Authority::as_str).or(named)
}

/// The same for an origin; `None` where it is none, or where HTTP/2 names two (RFC 9113, 8.3.1).
fn authority<B>(request: &Request<B>) -> Option<Authority> {
    let host = host(request)?;
    // What else a target begins with is nobody's here (RFC 9110, 7.4).
    request.uri().scheme().is_none_or(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme)).then_some(())?;
    let is_one = request.version() != Version::HTTP_2
        || request.headers().get(HOST).is_none_or(|named| named.as_bytes().eq_ignore_ascii_case(host.as_bytes()));
    is_one.then(|| usable(host)).flatten()
}

/// What may stand in a target: a host, perhaps with a port, and nobody's name (RFC 9110, 4.2.4). Of all that RFC 3986 lets a
/// name be written with, only what names are written with: a comma there is read as two hosts by some.
pub fn usable(host: &str) -> Option<Authority> {
    Authority::try_from(host).ok().filter(|_| is_usable(host))
}

/// The same without making one.
pub fn is_usable(host: &str) -> bool {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
    let (is_name, rest) = match host.strip_prefix('[') {
        Some(inside) => match inside.split_once(']') {
            Some((address, rest)) => (address.parse::<Ipv6Addr>().is_ok(), rest.as_bytes()),
            None => return false,
        },
        None => {
            let length = host.bytes().take_while(is_of_name).count();
            (length > 0, &host.as_bytes()[length..])
        }
    };
    is_name && (rest.is_empty() || is_port(rest))
}

/// A colon and a number of 16 bits.
fn is_port(rest: &[u8]) -> bool {
    let Some((b':', digits @ [_, ..])) = rest.split_first() else { return false };
    let number = digits.iter().try_fold(0_u32, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u32::from(digit - b'0'))?;
        Some(number * 10 + digit).filter(|number| *number <= u32::from(u16::MAX))
    });
    number.is_some()
}

impl Service {
    /// Answers one request of this connection, or says where it goes.
    pub fn decide<B>(&self, request: &Request<B>) -> Decided {
        let lines = |name: &str| request.headers().get_all(name).into_iter().map(HeaderValue::as_bytes);
        match self.on_behalf(lines) {
            Some(own) => own.decided(request),
            None => self.decided(request),
        }
    }

    /// The same for the client for whom a request is, by the lines of a field, where somebody else asks for him who is
    /// believed.
    pub fn on_behalf<'l, L>(&self, lines: impl FnOnce(&'static str) -> L) -> Option<Service>
    where
        L: DoubleEndedIterator<Item = &'l [u8]>,
    {
        let trusting = self.guest.trusted()?;
        let (forwarders, peer) = (trusting.forwarders(), self.guest.address());
        let client = forwarders.client(peer, lines(forwarders.field.name()));
        if client == peer {
            return None;
        }
        let mut own = self.clone();
        let caller = Caller::new(SocketAddr::new(client, 0), self.guest.caller().to);
        own.guest = Arc::new(trusting.asking(client).by(caller));
        // Else all whose requests share a connection would ask again at once.
        own.spread = Spread::of(caller.from);
        Some(own)
    }

    /// Of a plain request, as it was read.
    pub fn on_behalf_of(&self, raw: &[u8]) -> Option<Service> {
        // Else it would be read twice for nothing.
        self.guest.trusted()?;
        let mut room = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let mut read = httparse::Request::new(&mut []);
        read.parse_with_uninit_headers(raw, &mut room).ok()?;
        let fields = read.headers.iter();
        self.on_behalf(|name| fields.filter(move |f| f.name.eq_ignore_ascii_case(name)).map(|f| f.value))
    }

    fn decided<B>(&self, request: &Request<B>) -> Decided {
        self.seat.asked();
        let showing = self.site.public.load();
        // Where no usable host is named, nobody can be sent on: then the ordinary answer has to do.
        let location = self.https_port.and_then(|port| https_location(request, port));
        let asked = asked(request, self.is_tls, self.spread);
        let answer = match location {
            Some(_) if !self.may_ask() => too_many(&asked, &showing),
            Some(location) => elsewhere(&asked, &showing, location),
            None => match self.judge(&asked, host(request), answer(&asked, &showing)) {
                Judged::Answered(answer) => answer,
                Judged::Onward(route) => match authority(request) {
                    Some(authority) => return Decided::Onward(self.onward(&asked, &showing, route, authority)),
                    None => passage::refused(&asked, &showing, StatusCode::BAD_REQUEST, Notice::BadRequest),
                },
            },
        };
        self.site.counted.count(&answer, request.method() != Method::HEAD);
        let response = respond(answer, request.method(), &self.site.rhythm);
        self.seat.answered(response.status());
        Decided::Answered(response)
    }

    /// Whether its client may ask one more request. What is handed over by the plain path has been asked already.
    fn may_ask(&self) -> bool {
        self.seat.takes_judged() || self.guest.may_ask()
    }

    /// Who answers, by whichever parser the request was read.
    pub fn judge<'s, 'e>(&'s self, asked: &answer::Request, host: Option<&str>, answer: Answer<'e>) -> Judged<'s, 'e> {
        if !self.may_ask() {
            return Judged::Answered(too_many(asked, answer.showing));
        }
        let corridor = self.site.corridor.as_ref().filter(|_| self.https_port.is_none());
        let Some(corridor) = corridor else { return self.offered(asked, answer) };
        let Some(route) = corridor.route(host, &passage::sought(asked.path)) else {
            return self.offered(asked, answer);
        };
        match passage(asked, &answer, route) {
            Passage::Package => self.offered(asked, answer),
            Passage::Corridor => Judged::Onward(Way { corridor, route, is_scarce: self.site.ladder.is_scarce(asked) }),
            Passage::Refused(status, notice) => {
                Judged::Answered(passage::refused(asked, answer.showing, status, notice))
            }
        }
    }

    /// The package's answer, unless it is left out for now.
    fn offered<'e>(&self, asked: &answer::Request, answer: Answer<'e>) -> Judged<'_, 'e> {
        match self.site.ladder.leaves_out(asked, &answer.what) {
            true => self.left_out(asked, &answer),
            false => Judged::Answered(answer),
        }
    }

    fn left_out<'e>(&self, asked: &answer::Request, answer: &Answer<'e>) -> Judged<'_, 'e> {
        let what = What::Notice(StatusCode::SERVICE_UNAVAILABLE, Notice::LeftOut);
        let wants_json = wants_json(&asked.fields.accept, asked.path) || !wants_html(&asked.fields);
        let page = answer.showing.page(Notice::LeftOut);
        let body = if wants_json { &page.json } else { &page.html };
        self.site.ladder.refuses(self.refusing(), wants_json, body.len());
        Judged::Answered(Answer { wants_json, ..Answer::other(answer.showing, what) })
    }

    fn refusing(&self) -> Refusing {
        if self.seat.is_by_frames() { Refusing::ByFrames } else { Refusing::AtOnce }
    }

    /// All that the way needs, for as long as it takes.
    pub fn onward(&self, asked: &answer::Request, showing: &Showing, way: Way, authority: Authority) -> Onward {
        Onward {
            site: self.site.clone(),
            corridor: way.corridor.clone(),
            route: way.route.clone(),
            client: self.guest.caller(),
            scheme: if self.is_tls { Scheme::HTTPS } else { Scheme::HTTP },
            authority,
            method: asked.method.clone(),
            // Nobody is told of it elsewhere.
            corte: showing.corte().filter(|_| way.route.results || way.route.by_corte).cloned(),
            wants_json: wants_json(&asked.fields.accept, asked.path) || way.is_scarce && !wants_html(&asked.fields),
            scarce: way.is_scarce.then(|| self.refusing()),
        }
    }
}

#[cfg(test)]
impl Service {
    /// A connection in clear from this machine.
    pub fn for_test(site: &Arc<Site>) -> Service {
        Service {
            site: site.clone(),
            seat: super::watch::Seats::for_test().take(None),
            guest: Arc::new(super::clients::one()),
            https_port: None,
            is_tls: false,
            spread: Spread::default(),
        }
    }
}

/// See [`Service::judge`].
pub enum Judged<'s, 'e> {
    Answered(Answer<'e>),
    Onward(Way<'s>),
}

/// A route and what it is a route of.
pub struct Way<'s> {
    pub corridor: &'s Arc<Corridor>,
    pub route: &'s Arc<Route>,
    /// Its origin is not asked for now: what does not lie ready is left out.
    pub is_scarce: bool,
}

/// A response that is there, or that has to be waited for.
pub enum Answering {
    Ready(Option<Response<Body>>),
    Waiting(Pin<Box<dyn Future<Output = Response<Body>> + Send>>, Arc<Seat>),
}

impl Answering {
    fn ready(mut response: Response<Body>, seat: &Seat) -> Answering {
        // Whoever sent this may mean something else by what comes behind it (RFC 9112, 11.2).
        if response.status() == StatusCode::BAD_REQUEST {
            end(&mut response, seat);
        }
        Answering::Ready(Some(last(response, seat)))
    }
}

/// Says that the connection ends, where it is time to.
pub fn last(mut response: Response<Body>, seat: &Seat) -> Response<Body> {
    let is_broken = response.extensions_mut().remove::<Broken>().is_some();
    if is_broken || seat.is_draining() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        end(&mut response, seat);
    }
    response
}

fn end(response: &mut Response<Body>, seat: &Seat) {
    seat.says_close();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
}

impl Future for Answering {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Answering::Ready(response) => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                // Asked again after its end.
                None => Poll::Pending,
            },
            Answering::Waiting(waiting, seat) => waiting.as_mut().poll(cx).map(|response| Ok(last(response, seat))),
        }
    }
}

impl<B: Coming> hyper::service::Service<Request<B>> for ByHyper {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, mut request: Request<B>) -> Self::Future {
        let Service { seat, .. } = &self.service;
        let onward = match self.service.decide(&request) {
            Decided::Answered(response) => return Answering::ready(response, seat),
            Decided::Onward(onward) => onward,
        };
        let mut target = std::mem::take(request.uri_mut());
        if !onward.address(&mut target, request.headers_mut()) {
            return Answering::ready(onward.page(StatusCode::BAD_REQUEST, Notice::BadRequest), seat);
        }
        *request.uri_mut() = target;
        if onward.scarce.is_some()
            && let Some(ready) = onward.ready(&without_body(&request))
        {
            return Answering::ready(ready.map(Body::of), seat);
        }
        // HTTP/1.0 has no interim responses (RFC 9110, 15.2).
        let words = Some(self.words.clone()).filter(|_| request.version() == Version::HTTP_11);
        let (hold, ends) = (seat.hold(), Some(self.ends.clone()));
        let answer = async {
            let Some(words) = words else { return onward.answer(request, hold, ends, None).await };
            let (early, coming) = Early::new();
            words.before(coming, onward.answer(request, hold, ends, Some(early))).await
        };
        Answering::Waiting(Box::pin(answer), seat.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::clients::{Clients, Rules};
    use crate::http::forwarded::Forwarders;
    use crate::http::passing::site_before;
    use crate::record::Metrics;

    #[tokio::test]
    async fn who_is_asked_for_has_a_turn_of_his_own() {
        let forwarders = Forwarders { from: vec!["127.0.0.1".parse().unwrap()], ..Forwarders::default() };
        let clients = Arc::new(Clients::new(Rules { forwarders, ..Rules::default() }, &Metrics::new()));
        let mut service = Service::for_test(&site_before(9, vec![]));
        service.guest = Arc::new(clients.admit(service.guest.address()).unwrap());
        let spread = |n: u8| {
            let line = format!("192.0.2.{n}");
            service.on_behalf(|_| [line.as_bytes()].into_iter()).unwrap().spread
        };
        assert_eq!(spread(7), Spread::of("192.0.2.7:0".parse().unwrap()));
        assert!((8..60).any(|n| spread(n) != spread(7)));
    }
}
