//! A corridor to an origin, without a server around it. `inner.rs` has this too.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use difusor::base::clock::Clock;
use difusor::proxy::corridor::{Asked, Corridor, Passing, Settings};
use difusor::proxy::route::{Query, Route};
use difusor::proxy::upstream::{Caller, HostOut, Origin, Plan, Preface};
use difusor::record::Metrics;
use http::{Request, Uri};
use http_body_util::{BodyExt, Empty};

/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(30);
/// The name that readers ask for.
pub const HOST: &str = "prep.example";

/// One origin that has everything, and room for all of it.
pub fn open(origin: SocketAddr) -> Arc<Corridor> {
    let plan = Plan {
        name: "origen".into(),
        origins: vec![Origin { host: origin.ip().to_string(), port: origin.port() }],
        tls: None,
        http2: false,
        host: HostOut::Named(origin.to_string()),
        forwarded: true,
        x_forwarded: true,
        preface: Preface::Off,
        health: None,
        slow_start: Duration::ZERO,
        connect: PATIENCE,
        first_byte: PATIENCE,
        idle: PATIENCE,
        total: PATIENCE,
        connections: 64,
        waiting: 1024,
    };
    let route = Route {
        number: 0,
        name: "todo".into(),
        host: None,
        prefix: "/".into(),
        upstream: 0,
        before_package: false,
        cache: true,
        compress: false,
        query: Query::Keep,
        headers: Vec::new(),
        by_corte: false,
        results: false,
        stale_if_error: Duration::ZERO,
        negative: Duration::ZERO,
        first_byte: None,
        idle: None,
        total: None,
        wait: PATIENCE,
        body_bytes: 0,
    };
    let settings = Settings {
        name: "difusor".into(),
        upstreams: vec![plan],
        routes: vec![route],
        memory_bytes: 1 << 40,
        object_bytes: 1 << 20,
    };
    Arc::new(Corridor::new(settings, Clock::machine(), &Arc::new(Metrics::new())))
}

/// A GET as the counter hands it on.
pub fn request(path: &str) -> Request<()> {
    let mut request = Request::new(());
    *request.uri_mut() = format!("http://{HOST}{path}").parse::<Uri>().expect("a target");
    request.headers_mut().insert(http::header::HOST, http::HeaderValue::from_static(HOST));
    request
}

/// Asks for what is not stored yet, and reads it to its end: now it is. The bytes of the body.
pub async fn fetch(corridor: &Arc<Corridor>, request: &Request<()>) -> usize {
    let body = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
    let route = corridor.route(Some(HOST), request.uri().path()).expect("a route that has all").clone();
    let asked = Asked {
        request: request.clone().map(|()| body),
        client: Caller::of(Ipv4Addr::LOCALHOST.into()),
        corte: None,
        early: None,
    };
    let response = corridor.clone().answer(route, asked).await.expect("an answer");
    assert_eq!(response.status(), 200);
    match response.into_body() {
        Passing::Whole(bytes) => bytes.len(),
        Passing::Arriving(body) => body.collect().await.expect("whole").to_bytes().len(),
    }
}
