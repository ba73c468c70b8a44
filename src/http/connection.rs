//! One connection: which protocol it speaks, and who serves it.

use std::future::{Future, poll_fn};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::gate::{self, Gate, Held};
use super::interjected::{Interjected, Words};
use super::last::Last;
use super::plain::{self, End};
use super::rewound::Rewound;
use super::secure;
use super::service::{ByHyper, Service};
use super::socket::Socket;
use super::tls::Public;
use super::tunnel::Ends;
use super::turned_away;
use super::two;
use super::watch::Watched;

/// A request head above this is answered 431. Browsers send 1 to 2 KB, and a target of 8 KiB has to fit.
pub const HEAD_MAX_BYTES: usize = 16 << 10;

/// Serves a connection in clear until it ends. `first` has been read already.
pub fn clear(stream: TcpStream, first: BytesMut, service: Service) -> impl Future<Output = ()> + Send {
    let stream = Watched::new(Socket::new(stream), service.seat.clone());
    http1(stream, first, service)
}

/// The same where some has been done already.
pub fn begun(stream: TcpStream, begun: plain::Connection<()>, service: Service) -> impl Future<Output = ()> + Send {
    let stream = Watched::new(Socket::new(stream), service.seat.clone());
    plain(begun.on(stream), service)
}

/// Shakes hands, then serves what ALPN has settled on.
pub fn tls(stream: TcpStream, config: Arc<Public>, service: Service) -> impl Future<Output = ()> + Send {
    let stream = Watched::new(Socket::new(stream), service.seat.clone());
    async move {
        service.seat.shakes_hands();
        let Ok((stream, protocol)) = Box::pin(secure::accept(stream, config)).await else { return };
        service.seat.has_shaken_hands();
        if protocol.is_some_and(|protocol| protocol == b"h2") {
            Box::pin(http2(stream, service)).await;
        } else {
            http1(stream, BytesMut::new(), service).await;
        }
    }
}

/// The plain path as long as it lasts, then whoever has to take over. `first` has been read already.
pub fn http1<S>(stream: S, first: BytesMut, service: Service) -> impl Future<Output = ()> + Send
where
    S: AsyncRead + Last + Unpin + Send + 'static,
{
    plain(plain::Connection::new(stream, first), service)
}

#[expect(clippy::manual_async_fn, reason = "what a block uses is kept once, the arguments of a function twice")]
fn plain<S>(mut plain: plain::Connection<S>, service: Service) -> impl Future<Output = ()> + Send
where
    S: AsyncRead + Last + Unpin + Send + 'static,
{
    async move {
        // How a connection ended is its client's affair; nothing of ours depends on it.
        loop {
            // What is matched on lives no longer than its statement: its room is not part of every connection.
            let Ok(next) = poll_fn(|cx| plain.poll_next(&service, cx)).await else { return };
            let first = match plain.after(next, &service).await {
                Ok(None) => continue,
                Ok(Some(End::HandedOver(first))) => first,
                Ok(Some(End::Closed)) | Err(_) => return,
            };
            return Box::pin(handed_over(plain.into_stream(), first, service)).await;
        }
    }
}

async fn handed_over<S>(stream: S, first: Bytes, service: Service)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if plain::is_http2(&first, &service) {
        Box::pin(http2(Rewound::new(first, stream), service)).await;
    } else {
        by_hyper(stream, first, service).await;
    }
}

/// HTTP/1.1 by hyper, on a stream of which `first` has been read already.
pub async fn by_hyper<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, first: Bytes, service: Service) {
    let mut builder = http1::Builder::new();
    // The sweep (see `watch`) keeps the limits of time; hyper's would arm a timer for each request. Its own limit of 100
    // fields is left in place: setting any makes it fill an array for each request. `pipeline_flush` would copy bodies.
    // A client that has closed its sending half still waits for its answer, as on the plain path.
    builder.header_read_timeout(None).max_buf_size(HEAD_MAX_BYTES).half_close(true);
    let (words, ends) = (Words::default(), Ends::default());
    let (gate, place) = Gate::new(first, stream, ends.clone());
    let stream = TokioIo::new(Interjected::new(gate, words.clone()));
    let (own, seat) = (service.clone(), service.seat.clone());
    let answers = ByHyper { service, ends: ends.clone(), words };
    let mut connection = Box::pin(builder.serve_connection(stream, answers).with_upgrades());
    tokio::select! {
        biased;
        _ = &mut connection => {}
        () = seat.drained() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.as_mut().await;
        }
    }
    // The gate goes with it.
    drop(connection);
    if let Some(held) = gate::taken(&place) {
        return told(held, &own).await;
    }
    let _hold = seat.hold();
    // What came on the heels of the 101 is no head either.
    seat.asked();
    tokio::select! {
        biased;
        () = ends.carry() => {}
        // Neither side knows that it is time to stop, and there is no word for it that both have.
        () = seat.drained() => {}
    }
}

/// The last word to a client whose bytes have not come through the gate.
async fn told<S: AsyncRead + AsyncWrite + Unpin>(held: Held<S>, service: &Service) {
    let Held { mut stream, refused, is_within } = held;
    let _ = if is_within || service.seat.has_said_close() {
        plain::linger(&mut stream).await
    } else {
        let (status, notice) = turned_away::told(refused);
        plain::refuse(&mut stream, service, status, notice).await
    };
}

async fn http2<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, service: Service) {
    service.seat.is_multiplexed();
    let _ = two::serve(stream, service).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::passing::site_before;

    /// What a crowd of idle connections costs begins with this.
    #[tokio::test]
    async fn a_connection_in_clear_is_small() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let service = Service::for_test(&site_before(9, vec![]));
        let task = clear(stream, BytesMut::new(), service);
        // What tokio adds are 104 bytes; both together are an allocation of 256.
        assert!(size_of_val(&task) <= 152, "{}", size_of_val(&task));
    }
}
