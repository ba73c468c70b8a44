//! What the counter asks for everything that is not in the package. One for all threads.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::HeaderValue;
use http::{Request, Response};
use http_body::Body;

use super::failure::Failure;
use super::flight::Flights;
use super::growing::Room;
use super::instant::{self, Beginning};
use super::interim::Early;
use super::key::Key;
use super::press::Press;
use super::purge::Purge;
use super::reply::{self, For};
use super::request::{Use, use_of};
use super::reuse::{self, Contract, Reuse};
use super::route::{Route, ordered};
use super::status::{Forward, Outcome, Status};
use super::store::{Store, Stored};
use super::tally::Tally;
use super::upstream::{Arriving, Caller, Checks, Plan, Sent, Times, Upstream};
use super::{ask, forward, pass, request};
use crate::base::clock::Clock;
use crate::record::Metrics;

/// What a corridor is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `received-by` of `Via` (RFC 9110, 7.6.3) and our name in `Cache-Status`: a token.
    pub name: String,
    pub upstreams: Vec<Plan>,
    /// In any order.
    pub routes: Vec<Route>,
    /// Everything that is stored, with heads and keys.
    pub memory_bytes: u64,
    /// One body; a longer one is passed on and not stored.
    pub object_bytes: u64,
}

/// One request, as one parser has read it.
pub struct Asked {
    /// Its target in absolute form: the scheme of the connection, the host that was asked for.
    pub request: Request<Sent>,
    pub client: Caller,
    /// The ID of the corte that is shown.
    pub corte: Option<Arc<str>>,
    /// Where interim responses go, if anywhere.
    pub early: Option<Early>,
}

/// A body of an answer.
pub enum Passing {
    /// From the store, or empty.
    Whole(Bytes),
    Arriving(Arriving),
}

/// There is no answer but an error page of ours.
#[derive(Debug)]
pub struct Failed {
    pub failure: Failure,
    /// For the page's `Cache-Status` (RFC 9211).
    pub status: HeaderValue,
}

/// See above.
pub struct Corridor {
    name: Arc<str>,
    routes: Vec<Arc<Route>>,
    upstreams: Vec<Upstream>,
    object_bytes: usize,
    /// As much again as is stored, for what comes.
    room: Arc<Room>,
    store: Arc<Store>,
    press: Press,
    /// One an upstream.
    beginnings: Vec<Beginning>,
    signature: Box<[u8]>,
    /// One a route.
    tallies: Vec<Tally>,
    pub(super) flights: Arc<Flights>,
    clock: Clock,
}

impl Corridor {
    pub fn new(settings: Settings, clock: Clock, metrics: &Arc<Metrics>) -> Corridor {
        let routes = ordered(settings.routes);
        let store = Arc::new(Store::new(settings.memory_bytes));
        Corridor {
            signature: instant::signature(&settings.name),
            name: settings.name.into(),
            beginnings: Beginning::of_all(&settings.upstreams),
            press: Press::start(store.clone()),
            tallies: routes.iter().map(|route| Tally::new(route, metrics, &clock)).collect(),
            routes: routes.into_iter().map(Arc::new).collect(),
            upstreams: settings.upstreams.into_iter().map(|plan| Upstream::new(plan, metrics)).collect(),
            object_bytes: usize::try_from(settings.object_bytes).unwrap_or(usize::MAX),
            room: Arc::new(Room::new(usize::try_from(settings.memory_bytes).unwrap_or(usize::MAX))),
            store,
            flights: Arc::default(),
            clock,
        }
    }

    /// The route of a request, or `None` where nobody but the package knows it. `host` as it was sent, `path` as it came.
    pub fn route(&self, host: Option<&str>, path: &str) -> Option<&Arc<Route>> {
        self.routes.iter().find(|route| route.takes(host, path))
    }

    /// An answer that lies ready and may be sent as it is, without a word to anybody; `None` where [`Corridor::answer`] has
    /// to be asked. For GET and HEAD; HEAD has the head of GET and no body.
    pub fn ready(
        &self,
        route: &Route,
        request: &Request<()>,
        client: IpAddr,
        corte: Option<&str>,
    ) -> Option<Response<Bytes>> {
        let said = request::Directives::read(request.headers());
        if use_of(request.method()) != Use::Answer || pass::alone(route, request, &said).is_some() {
            return None;
        }
        let plan = self.upstream(route).plan();
        let heard = forward::for_all(request, route, plan, client, &self.name).ok()?;
        let mut room = String::new();
        if self.beginning(route).write_of(route, request, corte, &mut room).is_none() {
            let address = forward::address(route, plan.tls.is_some(), &plan.host, request.uri(), request.headers())?;
            room.push_str(&self.key(route, &address, &heard, request.uri(), corte));
        }
        let found = self.store.find(&room, &heard).0.filter(|stored| !stored.outdated)?;
        let now = self.now();
        let is_ready = said == request::Directives::default() && found.is_ready(now);
        if !is_ready && reuse::decide(&found.kept(), &said, self.contract(route), now) != Reuse::Fresh {
            return None;
        }
        let status = Status { ttl: Some(found.left(now)), ..Status::of(Outcome::Hit) };
        let asked = For { method: request.method(), fields: request.headers() };
        let response = reply::stored(&found, asked, false, &status, &self.name, now);
        self.tally(route).count(&status, request.uri().path(), response.status());
        Some(response)
    }

    /// The answer of `route` for any request.
    pub async fn answer(self: Arc<Self>, route: Arc<Route>, asked: Asked) -> Result<Response<Passing>, Failed> {
        let uses = use_of(asked.request.method());
        let said = request::Directives::read(asked.request.headers());
        // What an origin makes of a body is for nobody else.
        let has_body = !asked.request.body().is_end_stream();
        let why = pass::alone(&route, &asked.request, &said).or(has_body.then_some("request-body"));
        match (uses, why) {
            (Use::Answer, None) => ask::answer(self, route, asked).await,
            (Use::Answer, Some(why)) => pass::pass(&self, &route, asked, Forward::Bypass, Some(why), None).await,
            (Use::Pass | Use::Write, _) => pass::pass(&self, &route, asked, Forward::Method, None, None).await,
        }
    }

    /// In the order in which they are tried.
    pub(super) fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// Begins to ask those origins that are to be asked whether they are well; `None` where none is.
    pub fn check(&self) -> io::Result<Option<Checks>> {
        Checks::start(&self.upstreams)
    }

    /// See [`Store::purge`].
    pub fn purge(&self, purge: &Purge) -> usize {
        let count = self.store.purge(purge);
        // Whoever asks from now on is told what the origin says from now on.
        self.flights.part();
        count
    }

    /// See [`Store::held`].
    pub fn held(&self) -> (u64, u64) {
        self.store.held()
    }

    pub(super) fn tally(&self, route: &Route) -> &Tally {
        &self.tallies[route.number]
    }

    pub(super) fn upstream(&self, route: &Route) -> &Upstream {
        &self.upstreams[route.upstream]
    }

    /// How long an exchange for `route` may take.
    pub(super) fn times(&self, route: &Route) -> Times {
        let times = self.upstream(route).plan().times();
        Times {
            first_byte: route.first_byte.unwrap_or(times.first_byte),
            idle: route.idle.unwrap_or(times.idle),
            total: route.total.unwrap_or(times.total),
        }
    }

    /// Our name in `Via` and `Cache-Status`.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn shared_name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn beginning(&self, route: &Route) -> &Beginning {
        &self.beginnings[route.upstream]
    }

    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Has a stored body compressed soon, where its route wants that.
    pub(super) fn press(&self, route: &Route, key: &Key, stored: &Arc<Stored>) {
        if route.compress {
            self.press.take(key, stored, self.now());
        }
    }

    pub(super) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    pub(super) fn object_bytes(&self) -> usize {
        self.object_bytes
    }

    /// Seconds since 1970, by the machine's time, in which origins and caches live.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.clock.seconds().1).unwrap_or(0)
    }

    /// What the operator has settled for a route beyond the fields (RFC 9111, 4.2.4).
    pub(super) fn contract(&self, route: &Route) -> Contract {
        let stale_if_error = u32::try_from(route.stale_if_error.as_secs()).unwrap_or(u32::MAX);
        Contract { despite_s_maxage: stale_if_error > 0, stale_if_error }
    }

    /// A number below `below`, so that not everything happens in the same second; any will do where there is no chance.
    pub(super) fn jitter(&self, below: u64) -> u64 {
        getrandom::u64().unwrap_or(0) % below.max(1)
    }

    /// What a client is told where there is no answer.
    pub(super) fn failed(&self, route: &Route, failure: Failure, why: Forward, path: &str) -> Failed {
        let outcome = if failure.is_forwarded() { Outcome::Forwarded(why) } else { Outcome::Refused };
        self.told(route, failure, outcome, path)
    }

    /// And where the origin was not asked for it.
    pub fn refused(&self, route: &Route, failure: Failure, path: &str) -> Failed {
        self.told(route, failure, Outcome::Refused, path)
    }

    fn told(&self, route: &Route, failure: Failure, outcome: Outcome, path: &str) -> Failed {
        let status = Status { detail: Some(failure.name()), ..Status::of(outcome) };
        self.tally(route).count(&status, path, failure.status());
        let status = HeaderValue::try_from(status.print(&self.name));
        Failed { failure, status: status.unwrap_or(HeaderValue::from_static("difusor")) }
    }
}
