//! What a connection asks for each request: load what is shown once, answer, respond.

mod by_hyper;
mod named;

use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::HeaderValue;
use http::uri::{Authority, Scheme};
use http::{Method, Request, Response, StatusCode};

pub use self::by_hyper::{ByHyper, last};
use self::named::{authority, host, host_is_known, https_location};
pub use self::named::{is_usable, usable};
use super::answer::{self, Answer, What, answer, elsewhere};
use super::body::Body;
use super::clients::Guest;
use super::counted::Counted;
use super::dictionary::is_local;
use super::fields::Fields;
use super::freshness::{Rhythm, Spread};
use super::ladder::{Ladder, Refusing};
use super::onward::Onward;
use super::passage::{self, Passage, passage};
use super::preferred::{wants_html, wants_json};
use super::recognise::FIELDS_MAX;
use super::respond::respond;
use super::watch::Seat;
use crate::portal::Notice;
use crate::proxy::corridor::Corridor;
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

fn too_many<'e>(asked: &answer::Request, showing: &'e Showing) -> Answer<'e> {
    passage::refused(asked, showing, StatusCode::TOO_MANY_REQUESTS, Notice::TooMany)
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
