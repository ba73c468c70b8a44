//! The whole corridor before an origin whose answers a test gives by hand, in whatever order it likes.

mod refused;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::corridor::{Asked, Corridor, Failed, Passing, Settings};
use super::instant::Glance;
use super::purge::{Purge, Which};
use super::route::{Route, specimen};
use super::upstream::{Caller, HostOut, Origin, Plan, Preface};
use crate::base::clock::Clock;

/// A limit that nothing here comes near.
const FAR: Duration = Duration::from_secs(60);

struct Scene {
    listener: TcpListener,
    corridor: Arc<Corridor>,
    route: Arc<Route>,
}

/// A request that has come to the origin.
struct Heard {
    head: String,
    stream: BufReader<TcpStream>,
}

/// What one who asked was sent.
#[derive(Debug)]
struct Got {
    head: http::response::Parts,
    body: Bytes,
}

impl Scene {
    async fn open(route: Route) -> Scene {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let corridor = corridor(vec![plan(&listener, HostOut::Client)], vec![route.clone()]);
        Scene { listener, corridor, route: route.into() }
    }

    /// Somebody asks, and waits for the answer before this is over.
    async fn ask(&self, fields: &[(&'static str, &'static str)]) -> JoinHandle<Result<Got, Failed>> {
        let mut request = Request::get("http://a/x");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let body = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
        let (request, client) = (request.body(body).unwrap(), Caller::of([127, 0, 0, 1].into()));
        let asked = Asked { request, client, corte: None, early: None };
        let answer = self.corridor.clone().answer(self.route.clone(), asked);
        let asking = tokio::spawn(async move { got(answer.await?).await });
        // Its turn: nothing but what another has to do can hold it up after that.
        tokio::task::yield_now().await;
        asking
    }

    async fn heard(&self) -> Heard {
        let (stream, _) = self.listener.accept().await.unwrap();
        let (mut stream, mut head) = (BufReader::new(stream), String::new());
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(stream.read_line(&mut head).await.unwrap(), 0, "{head}");
        }
        Heard { head, stream }
    }
}

fn plan(listener: &TcpListener, host: HostOut) -> Plan {
    Plan {
        name: "prueba".into(),
        origins: vec![Origin { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() }],
        tls: None,
        http2: false,
        host,
        forwarded: false,
        x_forwarded: false,
        preface: Preface::Off,
        health: None,
        slow_start: Duration::ZERO,
        connect: FAR,
        first_byte: FAR,
        idle: FAR,
        total: FAR,
        connections: 8,
        waiting: 8,
    }
}

fn corridor(upstreams: Vec<Plan>, routes: Vec<Route>) -> Arc<Corridor> {
    let name = "difusor".to_owned();
    let settings = Settings { name, upstreams, routes, memory_bytes: 1 << 20, object_bytes: 1 << 16 };
    let (clock, _) = Clock::scripted("2026-06-07T20:10:00-06:00".parse().unwrap());
    Arc::new(Corridor::new(settings, clock, &Arc::default()))
}

async fn got(response: Response<Passing>) -> Result<Got, Failed> {
    let (head, body) = response.into_parts();
    let body = match body {
        Passing::Whole(body) => body,
        Passing::Arriving(body) => body.collect().await.unwrap().to_bytes(),
    };
    Ok(Got { head, body })
}

impl Heard {
    /// `fields`: lines with their ends.
    async fn answer(mut self, status: &str, fields: &str, body: &str) {
        let length =
            if status.starts_with("304") { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let whole = format!("HTTP/1.1 {status}\r\nConnection: close\r\n{length}{fields}\r\n{body}");
        self.stream.write_all(whole.as_bytes()).await.unwrap();
    }
}

/// What became of it.
async fn of(asking: JoinHandle<Result<Got, Failed>>) -> Got {
    asking.await.unwrap().unwrap_or_else(|failed| panic!("{failed:?}"))
}

const FRESH: &str = "Cache-Control: max-age=600\r\n";
const STALE: &str = "Cache-Control: max-age=0\r\n";

#[tokio::test]
async fn who_joins_gets_nothing_that_is_for_others() {
    let scene = Scene::open(specimen("/")).await;
    // The origin changes its mind about what it varies by.
    for (asked, fields, body) in [
        ([("a", "1"), ("b", "1")], format!("{STALE}Vary: b\r\nETag: \"1\"\r\n"), "b=1"),
        ([("a", "2"), ("b", "2")], format!("{FRESH}Vary: a\r\nETag: \"2\"\r\n"), "a=2"),
    ] {
        let asking = scene.ask(&asked).await;
        scene.heard().await.answer("200 OK", &fields, body).await;
        assert_eq!(of(asking).await.body, body);
    }
    let leads = scene.ask(&[("a", "1"), ("b", "1")]).await;
    let heard = scene.heard().await;
    assert!(heard.head.contains("if-none-match: \"1\""), "{}", heard.head);
    let mut joins = scene.ask(&[("a", "1"), ("b", "2")]).await;
    heard.answer("304 Not Modified", &format!("{STALE}ETag: \"1\"\r\n"), "").await;
    assert_eq!(of(leads).await.body, "b=1");
    tokio::select! {
        heard = scene.heard() => heard.answer("200 OK", &format!("{FRESH}Vary: b\r\n"), "b=2").await,
        joined = &mut joins => panic!("{:?}", joined.unwrap().unwrap().body),
    }
    assert_eq!(of(joins).await.body, "b=2");
}

#[tokio::test]
async fn what_a_304_brings_to_one_reader_is_not_for_those_who_join_him() {
    let scene = Scene::open(specimen("/")).await;
    let first = scene.ask(&[]).await;
    scene.heard().await.answer("200 OK", &format!("{STALE}ETag: \"1\"\r\n"), "todos").await;
    assert_eq!(of(first).await.body, "todos");
    let leads = scene.ask(&[("cookie", "uno")]).await;
    let heard = scene.heard().await;
    let joins = scene.ask(&[("cookie", "dos")]).await;
    // From now on the origin has a session for each.
    let answers = async {
        heard.answer("304 Not Modified", "ETag: \"1\"\r\nSet-Cookie: uno\r\n", "").await;
        loop {
            let heard = scene.heard().await;
            let whose = if heard.head.contains("cookie: uno") { "uno" } else { "dos" };
            heard.answer("200 OK", &format!("{STALE}ETag: \"1\"\r\nSet-Cookie: {whose}\r\n"), whose).await;
        }
    };
    let both = async { (of(leads).await, of(joins).await) };
    let (leads, joins) = tokio::select! {
        never = answers => never,
        both = both => both,
    };
    assert_eq!(leads.head.headers["set-cookie"], "uno");
    assert_eq!(joins.head.headers.get("set-cookie").map(|cookie| cookie.to_str().unwrap()), Some("dos"));
}

#[tokio::test]
async fn who_asks_after_a_purge_does_not_join_who_asked_before() {
    let scene = Scene::open(specimen("/")).await;
    let before = scene.ask(&[]).await;
    let heard = scene.heard().await;
    scene.corridor.purge(&Purge { which: Which::Path("/x".into()), soft: false });
    let after = scene.ask(&[]).await;
    heard.answer("200 OK", FRESH, "viejo").await;
    assert_eq!(of(before).await.body, "viejo");
    let answers = async {
        loop {
            scene.heard().await.answer("200 OK", FRESH, "nuevo").await;
        }
    };
    let after = tokio::select! {
        never = answers => never,
        after = of(after) => after,
    };
    assert_eq!(after.body, "nuevo");
}

#[tokio::test]
async fn origins_of_one_name_are_kept_apart() {
    let mut origins = Vec::new();
    for _ in 0..2 {
        origins.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
    }
    let named = || HostOut::Named("www.eldiario.example".into());
    let plans = origins.iter().map(|listener| plan(listener, named())).collect();
    let route = |upstream, host: &str| Route { upstream, host: Some(host.into()), ..specimen("/") };
    let corridor = corridor(plans, vec![route(0, "a"), route(1, "b")]);
    let scene = |(listener, host): (TcpListener, &'static str)| {
        let route = corridor.route(Some(host), "/x").unwrap().clone();
        (host, Scene { listener, corridor: corridor.clone(), route })
    };
    let scenes: Vec<_> = origins.into_iter().zip(["a", "b"]).map(scene).collect();
    let (mut room, mut out) = (String::new(), Vec::new());
    let mut glance = |scene: &Scene, host: &str| {
        let (path, query, accept_encoding, if_none_match, corte) = ("/x", None, None, None, None);
        let is_secure = false;
        let glance = Glance { host, path, query, accept_encoding, if_none_match, is_secure, corte };
        corridor.glance(&scene.route, &glance, &mut room, &mut out)
    };
    for (host, scene) in &scenes {
        let mut asking = scene.ask(&[]).await;
        tokio::select! {
            heard = scene.heard() => heard.answer("200 OK", FRESH, host).await,
            answer = &mut asking => panic!("{:?} is another's", answer.unwrap().unwrap().body),
        }
        assert_eq!(of(asking).await.body, host);
    }
    for (host, scene) in &scenes {
        assert_eq!(of(scene.ask(&[]).await).await.body, host);
        let request = Request::get("http://c/x").body(()).unwrap();
        assert_eq!(corridor.ready(&scene.route, &request, [127, 0, 0, 1].into(), None).unwrap().body(), host);
        assert_eq!(glance(scene, host).unwrap(), host);
    }
    // A write to the one finds it.
    let (_, scene) = &scenes[1];
    let body = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
    let (request, client) = (Request::post("http://b/x").body(body).unwrap(), Caller::of([127, 0, 0, 1].into()));
    let asked = Asked { request, client, corte: None, early: None };
    let writes = tokio::spawn(corridor.clone().answer(scene.route.clone(), asked));
    scene.heard().await.answer("200 OK", "", "").await;
    writes.await.unwrap().unwrap();
    assert!(glance(scene, "b").is_none());
}

#[tokio::test]
async fn what_is_coded_is_for_who_takes_the_coding_though_the_origin_forgets_to_say_so() {
    let scene = Scene::open(specimen("/")).await;
    let gzip = scene.ask(&[("accept-encoding", "gzip")]).await;
    let heard = scene.heard().await;
    let mut plain = scene.ask(&[]).await;
    heard.answer("200 OK", &format!("{FRESH}ETag: \"g\"\r\nContent-Encoding: gzip\r\n"), "gzip").await;
    let gzip = of(gzip).await;
    assert_eq!(gzip.body, "gzip");
    assert_eq!(gzip.head.headers["vary"], "accept-encoding");
    tokio::select! {
        heard = scene.heard() => heard.answer("200 OK", FRESH, "plain").await,
        answer = &mut plain => panic!("{:?} is not what he takes", answer.unwrap().unwrap().body),
    }
    assert_eq!(of(plain).await.body, "plain");
}

#[tokio::test]
async fn what_was_purged_does_not_come_back_by_a_304() {
    let scene = Scene::open(specimen("/")).await;
    let first = scene.ask(&[]).await;
    scene.heard().await.answer("200 OK", &format!("{STALE}ETag: \"1\"\r\n"), "malo").await;
    assert_eq!(of(first).await.body, "malo");
    let mut second = scene.ask(&[]).await;
    let heard = scene.heard().await;
    assert!(heard.head.contains("if-none-match"), "{}", heard.head);
    scene.corridor.purge(&Purge { which: Which::Everything, soft: false });
    heard.answer("304 Not Modified", &format!("{FRESH}ETag: \"1\"\r\n"), "").await;
    tokio::select! {
        heard = scene.heard() => {
            assert!(!heard.head.contains("if-none-match"), "{}", heard.head);
            heard.answer("200 OK", FRESH, "bueno").await;
        }
        answer = &mut second => panic!("{:?} was purged", answer.unwrap().unwrap().body),
    }
    assert_eq!(of(second).await.body, "bueno");
}

#[tokio::test]
async fn what_lies_ready_is_selected_by_what_the_origin_hears() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plan = Plan { x_forwarded: true, ..plan(&listener, HostOut::Named("o".into())) };
    let corridor = corridor(vec![plan], vec![specimen("/")]);
    let route = corridor.route(Some("a"), "/x").unwrap().clone();
    let scene = Scene { listener, corridor: corridor.clone(), route: route.clone() };
    let ready = |fields: &[(&'static str, &'static str)]| {
        let mut request = Request::get("http://a/x").body(()).unwrap();
        for (name, value) in fields {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let ready = corridor.ready(&route, &request, [127, 0, 0, 1].into(), None);
        ready.map(|ready| String::from_utf8(ready.into_body().to_vec()).unwrap())
    };
    let first = scene.ask(&[("accept-encoding", "br")]).await;
    scene.heard().await.answer("200 OK", &format!("{FRESH}Vary: Accept-Encoding\r\n"), "uno").await;
    assert_eq!(of(first).await.body, "uno");
    // As behind a server that says for whom it speaks.
    assert_eq!(ready(&[("accept-encoding", "br"), ("x-forwarded-for", "192.0.2.1")]).as_deref(), Some("uno"));
    let second = scene.ask(&[("cache-control", "no-cache"), ("accept-encoding", "br")]).await;
    scene.heard().await.answer("200 OK", &format!("{FRESH}Vary: X-Forwarded-Proto\r\n"), "dos").await;
    assert_eq!(of(second).await.body, "dos");
    assert_eq!(ready(&[("accept-encoding", "br")]).as_deref(), Some("dos"), "the newest that is selected");
    assert_eq!(ready(&[("accept-encoding", "br"), ("x-forwarded-proto", "https")]).as_deref(), Some("dos"));
}
