//! After 101 (RFC 9110, 7.8): two connections become one, until either ends. Runs in the client's own task, so that its
//! place, the sweep and the stop hold for it too.

use std::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};
use std::sync::{Arc, Mutex, PoisonError};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

/// Where both ends are left until the client's connection is free.
#[derive(Clone, Default)]
pub struct Ends {
    both: Arc<Mutex<Option<(OnUpgrade, OnUpgrade)>>>,
    left: Arc<AtomicBool>,
}

impl Ends {
    pub fn leave(&self, client: OnUpgrade, origin: OnUpgrade) {
        *self.both.lock().unwrap_or_else(PoisonError::into_inner) = Some((client, origin));
        self.left.store(true, Release);
    }

    /// Whether the connection has become something else, or is about to.
    pub fn are_left(&self) -> bool {
        self.left.load(Acquire)
    }

    /// Carries bytes both ways, where anything was left. The idle limit is the sweep's.
    pub async fn carry(self) {
        let left = self.both.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((client, origin)) = left else { return };
        let (Ok(client), Ok(origin)) = (client.await, origin.await) else { return };
        // How it ended is the affair of the two.
        let _ = copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(origin)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use http::header::{CONNECTION, HeaderValue, UPGRADE};
    use http::{Request, Response, StatusCode};
    use http_body_util::Empty;
    use hyper::client::conn::http1::handshake;
    use hyper::server::conn::http1::Builder;
    use hyper::service::service_fn;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const ASKED: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: eco\r\n\r\n";

    fn switched() -> Response<Empty<Bytes>> {
        let mut response = Response::new(Empty::new());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
        response.headers_mut().insert(UPGRADE, HeaderValue::from_static("eco"));
        response
    }

    /// An origin that says the same, once it has been asked.
    async fn echo(stream: DuplexStream) {
        let answer = service_fn(|mut request| async move {
            let client = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let (mut read, mut write) = tokio::io::split(TokioIo::new(client.await.unwrap()));
                tokio::io::copy(&mut read, &mut write).await
            });
            Ok::<_, Infallible>(switched())
        });
        Builder::new().serve_connection(TokioIo::new(stream), answer).with_upgrades().await.unwrap();
    }

    #[tokio::test]
    async fn bytes_go_both_ways_until_one_end_is_done() {
        let (to_origin, origin) = duplex(1 << 10);
        tokio::spawn(echo(origin));
        let (mut send, connection) = handshake(TokioIo::new(to_origin)).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        let asked = Request::get("/").header(CONNECTION, "upgrade").header(UPGRADE, "eco");
        let mut answer = send.send_request(asked.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
        let origin = Mutex::new(Some(hyper::upgrade::on(&mut answer)));

        let ends = Ends::default();
        let (mut client, server) = duplex(1 << 10);
        let left = ends.clone();
        let serve = async move {
            let answer = service_fn(|mut request| {
                left.leave(hyper::upgrade::on(&mut request), origin.lock().unwrap().take().unwrap());
                async { Ok::<_, Infallible>(switched()) }
            });
            Builder::new().serve_connection(TokioIo::new(server), answer).with_upgrades().await.unwrap();
            ends.carry().await;
        };
        let talk = async move {
            // What comes before the answer belongs to the tunnel.
            client.write_all(format!("{ASKED}uno").as_bytes()).await.unwrap();
            let mut heard = Vec::new();
            while !heard.ends_with(b"\r\n\r\nuno") {
                assert_ne!(client.read_buf(&mut heard).await.unwrap(), 0, "{heard:?}");
            }
            client.write_all(b"dos").await.unwrap();
            let mut more = [0; 3];
            client.read_exact(&mut more).await.unwrap();
            assert_eq!(&more, b"dos");
        };
        tokio::join!(serve, talk);
    }
}
