//! What the counter asks for everything that is not in the package. One for all threads.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::HeaderValue;
use http::{Request, Response};

use super::failure::Failure;
use super::route::{Route, ordered};
use super::upstream::{Arriving, Plan, Sent, Upstream};
use crate::base::clock::Clock;

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
    pub client: IpAddr,
    /// The ID of the corte that is shown.
    pub corte: Option<Arc<str>>,
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
    name: String,
    routes: Vec<Route>,
    upstreams: Vec<Upstream>,
    clock: Clock,
}

impl Corridor {
    pub fn new(settings: Settings, clock: Clock) -> Corridor {
        Corridor {
            name: settings.name,
            routes: ordered(settings.routes),
            upstreams: settings.upstreams.into_iter().map(Upstream::new).collect(),
            clock,
        }
    }

    /// The route of a request, or `None` where nobody but the package knows it. `host` as it was sent, `path` as it came.
    pub fn route(&self, host: Option<&str>, path: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.takes(host, path))
    }

    /// An answer that lies ready and may be sent as it is, without a word to anybody; `None` where [`Corridor::answer`] has
    /// to be asked. For GET and HEAD; HEAD has the head of GET and no body.
    pub fn ready(&self, route: &Route, request: &Request<()>, corte: Option<&str>) -> Option<Response<Bytes>> {
        let _ = (route, request, corte);
        None
    }

    /// The answer of `route` for any request.
    pub async fn answer(self: Arc<Self>, route: Route, asked: Asked) -> Result<Response<Passing>, Failed> {
        let _ = (&self.name, &self.clock, &asked.client, &asked.corte);
        let upstream = &self.upstreams[route.upstream];
        match upstream.send(asked.request).await {
            Ok(response) => Ok(response.map(Passing::Arriving)),
            Err(failure) => Err(Failed { failure, status: HeaderValue::from_static("difusor") }),
        }
    }
}
