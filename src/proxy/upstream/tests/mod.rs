//! An origin that does as it is told, byte for byte, and what becomes of requests to it.

mod health;
mod limits;
mod many;
mod places;
mod preface;
mod retries;
mod single;
mod streams;
mod upgrade;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::seats::Whose;
use super::{Arriving, Caller, HostOut, Origin, Plan, Preface, Sent, Upstream};
use crate::proxy::failure::Failure;

/// A limit that nothing here comes near.
const FAR: Duration = Duration::from_secs(60);
/// A limit that is meant to be over.
const NEAR: Duration = Duration::from_millis(40);

/// One thing that an origin does on a connection. At the end of its script it closes.
#[derive(Clone, Copy)]
enum Act {
    /// Reads a request, with a body of as many bytes.
    Hear(usize),
    Say(&'static str),
    /// Says this until nobody listens.
    Flood(&'static str),
    /// Until the other side closes.
    Stall,
}
use Act::{Flood, Hear, Say, Stall};

struct Scripted {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    /// Heads as they came.
    heard: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// A script for each connection; the last one for all that come after.
    async fn start(scripts: &[&[Act]]) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let origin = Scripted { address, connections: Arc::default(), heard: Arc::default() };
        let (connections, heard) = (origin.connections.clone(), origin.heard.clone());
        let scripts: Vec<Vec<Act>> = scripts.iter().map(|script| script.to_vec()).collect();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = connections.fetch_add(1, Ordering::SeqCst);
                let script = scripts[number.min(scripts.len() - 1)].clone();
                tokio::spawn(play(stream, script, heard.clone()));
            }
        });
        origin
    }

    fn plan(&self) -> Plan {
        plan(&[self.address])
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

async fn play(mut stream: TcpStream, script: Vec<Act>, heard: Arc<Mutex<Vec<String>>>) {
    for act in script {
        match act {
            Hear(body) => {
                let mut bytes = Vec::new();
                let end = loop {
                    if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                        break end + 4;
                    }
                    if !matches!(stream.read_buf(&mut bytes).await, Ok(1..)) {
                        return;
                    }
                };
                while bytes.len() < end + body {
                    if !matches!(stream.read_buf(&mut bytes).await, Ok(1..)) {
                        return;
                    }
                }
                heard.lock().unwrap().push(String::from_utf8(bytes).unwrap());
            }
            Say(text) => {
                let _ = stream.write_all(text.as_bytes()).await;
            }
            Flood(text) => while stream.write_all(text.as_bytes()).await.is_ok() {},
            Stall => {
                let mut rest = [0; 1024];
                while matches!(stream.read(&mut rest).await, Ok(1..)) {}
            }
        }
    }
}

fn plan(addresses: &[SocketAddr]) -> Plan {
    let origin = |address: &SocketAddr| Origin { host: address.ip().to_string(), port: address.port() };
    Plan {
        name: "test".to_owned(),
        origins: addresses.iter().map(origin).collect(),
        tls: None,
        http2: false,
        host: HostOut::Client,
        forwarded: false,
        x_forwarded: false,
        preface: Preface::Off,
        health: None,
        slow_start: Duration::ZERO,
        connect: FAR,
        first_byte: FAR,
        idle: FAR,
        total: FAR,
        connections: 4,
        waiting: 4,
    }
}

fn of(plan: Plan) -> Upstream {
    Upstream::new(plan, &Arc::default())
}

/// Who asks.
fn caller() -> Caller {
    Caller::new("192.0.2.7:40000".parse().unwrap(), "198.51.100.1:443".parse().unwrap())
}

fn empty() -> Sent {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

fn full(text: &'static str) -> Sent {
    Full::new(Bytes::from_static(text.as_bytes())).map_err(|never| match never {}).boxed_unsync()
}

fn asking(method: Method, body: Sent) -> Request<Sent> {
    Request::builder().method(method).uri("http://elecciones.example/a?b=c").body(body).unwrap()
}

async fn get(upstream: &Upstream) -> Result<Response<Arriving>, Failure> {
    upstream.send(asking(Method::GET, empty()), caller()).await
}

/// GET, and the whole body.
async fn fetch(upstream: &Upstream) -> Result<String, Failure> {
    read(get(upstream).await?).await
}

async fn read(response: Response<Arriving>) -> Result<String, Failure> {
    let body = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(body.to_vec()).unwrap())
}

/// Until a connection lies idle.
async fn settled(upstream: &Upstream) {
    while upstream.pool.idle() == 0 {
        tokio::task::yield_now().await;
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbien";
