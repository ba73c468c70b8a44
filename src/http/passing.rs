//! Tests of what goes through the corridor, by all three ways: an origin that nobody reaches, and bodies that break off.

use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::body::Body;
use super::service::{Decided, Service, Site, is_usable};
use super::two::connection::{Answered, Answers, Reply};
use super::two::exchange::{Bridge, Upload};
use super::two::head::Head;
use super::{Counted, Rhythm, connection, two};
use crate::base::clock::Clock;
use crate::proxy::corridor::{Corridor, Settings};
use crate::proxy::failure::Failure;
use crate::proxy::interim::Early;
use crate::proxy::route::{self, Route};
use crate::proxy::upstream::{HostOut, Origin, Plan, Preface};
use crate::snapshot::Public;
use crate::snapshot::specimen::{STAMP, showing, snapshot};

/// A body in these pieces, each at once.
pub struct Pieces(pub VecDeque<Result<Bytes, Failure>>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        Poll::Ready(self.0.pop_front().map(|piece| piece.map(Frame::data)))
    }
}

fn arriving(pieces: &[Result<&'static str, Failure>]) -> Body {
    let pieces = pieces.iter().map(|piece| piece.map(|text| Bytes::from_static(text.as_bytes())));
    Body::arriving(Pieces(pieces.collect()).boxed_unsync())
}

fn site(routes: Vec<Route>) -> Arc<Site> {
    // Nobody listens there any more.
    site_before(std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port(), routes)
}

/// A site whose routes go to this port.
pub(super) fn site_before(port: u16, routes: Vec<Route>) -> Arc<Site> {
    let brief = Duration::from_secs(2);
    let plan = Plan {
        name: "nadie".into(),
        origins: vec![Origin { host: "127.0.0.1".into(), port }],
        tls: None,
        http2: false,
        host: HostOut::Client,
        forwarded: true,
        x_forwarded: true,
        preface: Preface::Off,
        health: None,
        slow_start: Duration::ZERO,
        connect: brief,
        first_byte: brief,
        idle: brief,
        total: brief,
        connections: 1,
        waiting: 1,
    };
    let settings =
        Settings { name: "prueba".into(), upstreams: vec![plan], routes, memory_bytes: 1 << 20, object_bytes: 1 << 16 };
    let (clock, _) = Clock::scripted(STAMP.parse().unwrap());
    let corridor = Some(Arc::new(Corridor::new(settings, clock.clone(), &Arc::default())));
    let public = Arc::new(Public::new(showing(snapshot())));
    Arc::new(Site {
        public,
        rhythm: Rhythm { clock },
        corridor,
        ladder: super::ladder::idle(),
        counted: Counted::default(),
    })
}

/// All that comes back over HTTP/1.1.
async fn http1(site: &Arc<Site>, request: &str) -> String {
    let (mut client, server) = duplex(1 << 20);
    client.write_all(request.as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    connection::http1(server, BytesMut::new(), Service::for_test(site)).await;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn http2(site: &Arc<Site>, requests: Vec<Request<()>>) -> Vec<Response<h2::RecvStream>> {
    let (client, server) = duplex(1 << 20);
    let service = Service::for_test(site);
    tokio::spawn(async move { two::serve(server, service).await });
    let (mut send, connection) = h2::client::handshake(client).await.unwrap();
    tokio::spawn(connection);
    let mut answers = Vec::new();
    for request in requests {
        let (answer, _) = send.send_request(request, true).unwrap();
        answers.push(answer.await.unwrap());
    }
    answers
}

#[tokio::test]
async fn an_origin_that_nobody_reaches_is_told_by_a_page_of_ours() {
    let site = site(vec![route::specimen("/")]);
    let answer = http1(&site, "GET /nada HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{answer}");
    for expected in ["cache-status: ", "cache-control: no-store\r\n", "corte: 20260607_2010\r\n", "origen-fallido"] {
        assert!(answer.contains(expected), "{expected}: {answer}");
    }
    // What is in the package has not heard of it, and neither has the connection.
    let both = "GET /nada HTTP/1.1\r\nHost: a\r\n\r\nGET /datos/total.json HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = http1(&site, both).await;
    assert!(answer.contains("HTTP/1.1 502 ") && answer.contains("HTTP/1.1 200 OK\r\n"), "{answer}");
    let head = http1(&site, "HEAD /nada HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 502 ") && head.ends_with("\r\n\r\n"), "{head}");

    let get = |path: &str| Request::get(format!("https://a{path}")).body(()).unwrap();
    let answers = http2(&site, vec![get("/nada"), get("/datos/total.json"), get("/.prep/nada")]).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    assert_eq!(statuses, [502, 200, 404]);
    assert_eq!(answers[0].headers()["cache-control"], "no-store");
    assert!(answers[0].headers().contains_key("date"));
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_before_it_comes() {
    let site = site(vec![Route { body_bytes: 4, ..route::specimen("/") }]);
    let post = |len: usize| format!("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: {len}\r\n\r\n{}", "x".repeat(len));
    let answer = http1(&site, &post(5)).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("request-too-large"), "{answer}");
    assert!(http1(&site, &post(4)).await.starts_with("HTTP/1.1 502 "));
}

#[tokio::test]
async fn two_hosts_and_none_go_nowhere() {
    let site = site(vec![Route { before_package: true, ..route::specimen("/") }]);
    for fields in ["", "Host: a\r\nHost: b\r\n", "Host: b@a\r\n", "Host: \r\n"] {
        let answer = http1(&site, &format!("GET / HTTP/1.1\r\n{fields}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{fields}: {answer}");
    }
    let other = Request::get("https://a/").header("host", "b").body(()).unwrap();
    assert_eq!(http2(&site, vec![other]).await[0].status(), 400);
}

#[test]
fn what_may_name_a_host_to_an_origin() {
    for host in ["a", "a.b-c_d", "192.0.2.1:8080", "a:0", "a:65535", "a:00080", "[::1]", "[2001:db8::1]:443"] {
        assert!(is_usable(host), "{host}");
    }
    let bad =
        ["", ":80", "a:", "a:65536", "a:99999999999", "a:+8", "a:8:8", "a,b", "b@a", "a b", "a/b", "é", "[]", "[a]"];
    for host in bad.iter().chain(&["[::1", "::1", "[::1]x", "[::1]:", "[::1]:x", "[::1]]", "a[::1]"]) {
        assert!(!is_usable(host), "{host}");
    }
}

#[tokio::test]
async fn a_port_that_sends_everybody_on_asks_no_origin() {
    let site = site(vec![Route { before_package: true, ..route::specimen("/") }]);
    let service = Service { https_port: Some(443), ..Service::for_test(&site) };
    let request = Request::get("/nada").header("host", "a").body(()).unwrap();
    let Decided::Answered(response) = service.decide(&request) else { panic!("sent to the corridor") };
    assert_eq!(response.status(), StatusCode::MOVED_PERMANENTLY);
}

#[tokio::test]
async fn what_goes_upstream_is_as_it_came_but_for_one_host() {
    let site = site(vec![Route { before_package: true, ..route::specimen("/") }]);
    let service = Service { is_tls: true, ..Service::for_test(&site) };
    for (target, host, expected) in [
        ("/a%2Fb%20c?x=%41&y", "a:8443", "https://a:8443/a%2Fb%20c?x=%41&y"),
        ("http://otro.example/x", "a", "https://otro.example/x"),
    ] {
        let mut request = Request::get(target).header("host", host).body(()).unwrap();
        let Decided::Onward(onward) = service.decide(&request) else { panic!("{target}") };
        let mut target = request.uri().clone();
        assert!(onward.address(&mut target, request.headers_mut()));
        assert_eq!(target.to_string(), expected);
        assert_eq!(request.headers()["host"], target.authority().unwrap().as_str());
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_does_not_end_like_a_whole_one() {
    for (pieces, is_whole) in [
        (&[Ok("uno"), Ok("dos")][..], true),
        (&[Ok("uno"), Err(Failure::Reset)][..], false),
        (&[][..], true),
        (&[Ok("uno"), Ok("")][..], true),
    ] {
        // HTTP/1.1: without the last chunk.
        let (mut client, server) = duplex(1 << 20);
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        let answer = service_fn(|_| async { Ok::<_, Failure>(Response::new(arriving(pieces))) });
        let end = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(server), answer).await;
        assert_eq!(end.is_ok(), is_whole, "{pieces:?}");
        let mut read = String::new();
        client.read_to_string(&mut read).await.unwrap();
        assert_eq!(read.ends_with("0\r\n\r\n"), is_whole, "{read}");

        // HTTP/2: the stream is reset.
        let (client, server) = duplex(1 << 20);
        let serve = by(server, |_| {
            let body = arriving(pieces);
            async { Response::new(body) }
        });
        let ask = async move {
            let (mut send, connection) = h2::client::handshake(client).await.unwrap();
            let asked = async {
                let (answer, _) = send.send_request(Request::get("https://a/").body(()).unwrap(), true).unwrap();
                // A reset overtakes what still waits to be sent, even the head.
                let mut body = answer.await.map_err(|error| error.reason())?.into_body();
                while let Some(data) = body.data().await {
                    data.map_err(|error| error.reason())?;
                }
                Ok(())
            };
            let mut connection = pin!(connection);
            tokio::select! {
                read = asked => read,
                _ = &mut connection => panic!("the connection ended"),
            }
        };
        let expected = if is_whole { Ok(()) } else { Err(Some(h2::Reason::INTERNAL_ERROR)) };
        tokio::select! {
            read = ask => assert_eq!(read, expected, "{pieces:?}"),
            () = serve => panic!("the connection ended"),
        }
    }
}

/// Answers whatever is asked by what this makes of a body.
struct By<F>(F);

impl<F, R> Answers for By<F>
where
    F: Fn(Upload) -> R,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    type Exchange = Bridge;

    fn answer(&mut self, _: &Head, _: &mut Reply) -> Answered<Bridge> {
        Answered::Later(Bridge::new(Early::new().1, &self.0))
    }

    fn too_large(&mut self, _: &mut Reply) -> Bytes {
        panic!("nothing is too large here")
    }
}

async fn by<R>(server: DuplexStream, answer: impl Fn(Upload) -> R)
where
    R: Future<Output = Response<Body>> + Send + 'static,
{
    two::drive(server, By(answer), || 0, std::future::pending::<()>()).await.unwrap();
}

/// A body of trailers alone.
struct Behind(Option<HeaderMap>);

impl http_body::Body for Behind {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        Poll::Ready(self.0.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }
}

#[tokio::test]
async fn what_an_origin_says_behind_a_body_is_of_the_body_alone() {
    let (client, server) = duplex(1 << 14);
    tokio::spawn(by(server, |_| {
        let fields = ["x-suma", "connection", "keep-alive", "transfer-encoding", "content-length", "set-cookie"];
        let trailers = fields.into_iter().map(|name| (name.parse().unwrap(), "1".parse().unwrap())).collect();
        async { Response::new(Body::arriving(Behind(Some(trailers)).boxed_unsync())) }
    }));
    let (mut send, connection) = h2::client::handshake(client).await.unwrap();
    tokio::spawn(connection);
    let (answer, _) = send.send_request(Request::get("https://a/").body(()).unwrap(), true).unwrap();
    let mut body = answer.await.unwrap().into_body();
    while body.data().await.is_some() {}
    let trailers = body.trailers().await.unwrap();
    let names: Vec<_> = trailers.unwrap().keys().map(|name| name.as_str().to_owned()).collect();
    assert_eq!(names, ["x-suma"], "RFC 9110, 6.5.1; RFC 9113, 8.2.2");
}

#[tokio::test]
async fn bodies_longer_than_a_window_come_and_go_over_http2() {
    const LEN: usize = 200_000;
    let (client, server) = duplex(1 << 14);
    tokio::spawn(by(server, |body| async {
        let Ok(read) = body.collect().await else { panic!("the body was cut") };
        Response::new(Body::arriving(Pieces([Ok(read.to_bytes())].into()).boxed_unsync()))
    }));
    let (mut send, connection) = h2::client::handshake(client).await.unwrap();
    tokio::spawn(connection);
    let (answer, mut body) = send.send_request(Request::post("https://a/").body(()).unwrap(), false).unwrap();
    body.send_data(Bytes::from(vec![1; LEN]), true).unwrap();
    let (mut echoed, mut len) = (answer.await.unwrap().into_body(), 0);
    while let Some(data) = echoed.data().await {
        let data = data.unwrap();
        len += data.len();
        echoed.flow_control().release_capacity(data.len()).unwrap();
    }
    assert_eq!(len, LEN);
}
