//! What a connection asks for each request: load what is shown once, answer, respond.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;

use http::header::{CONNECTION, HOST, HeaderValue};
use http::uri::Authority;
use http::{Request, Response, Version};

use super::answer::{self, answer, elsewhere};
use super::body::Body;
use super::fields::Fields;
use super::freshness::Rhythm;
use super::respond::respond;
use super::watch::Seat;
use crate::snapshot::Public;

/// Everything that answering needs; one for all threads.
pub struct Site {
    pub public: Arc<Public>,
    pub rhythm: Rhythm,
}

/// One connection's view of the site.
pub struct Service {
    pub site: Arc<Site>,
    pub seat: Arc<Seat>,
    /// Set on a clear port that sends everybody to this HTTPS port.
    pub https_port: Option<u16>,
}

impl Site {
    fn answer<B>(&self, request: &Request<B>, https_port: Option<u16>) -> Response<Body> {
        let showing = self.public.load();
        // Where no usable host is named, nobody can be sent on: then the ordinary answer has to do.
        let answer = match https_port.and_then(|port| https_location(request, port)) {
            Some(location) => elsewhere(&asked(request), &showing, location),
            None => answer(&asked(request), &showing),
        };
        respond(answer, request.method(), &self.rhythm)
    }
}

fn asked<B>(request: &Request<B>) -> answer::Request<'_> {
    answer::Request {
        method: request.method(),
        path: request.uri().path(),
        query: request.uri().query(),
        fields: Fields::of(request.headers()),
        host_is_known: host_is_known(request),
    }
}

/// RFC 9112, 3.2: exactly one `Host` in HTTP/1.1; HTTP/2 has `:authority` instead.
fn host_is_known<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).into_iter();
    let (first, second) = (hosts.next(), hosts.next());
    let is_missing = first.is_none() && request.version() == Version::HTTP_11;
    !is_missing && second.is_none()
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

impl Service {
    /// Answers one request of this connection.
    pub fn respond<B>(&self, request: &Request<B>) -> Response<Body> {
        self.seat.asked();
        self.site.answer(request, self.https_port)
    }
}

impl<B> hyper::service::Service<Request<B>> for Service {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let mut response = self.respond(&request);
        if self.seat.is_draining() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        ready(Ok(response))
    }
}
