//! One connection: which protocol it speaks, and who serves it.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use super::multiplexed;
use super::plain::{self, End};
use super::rewound::Rewound;
use super::service::Service;
use super::watch::Watched;

/// A request head above this is answered 431. Browsers send 1 to 2 KB, and a target of 8 KiB has to fit.
pub const HEAD_MAX_BYTES: usize = 16 << 10;
/// What begins an HTTP/2 connection in clear (RFC 9113, 3.4); no method of HTTP/1.1 begins so.
const PREFACE_START: &[u8; 3] = b"PRI";
/// How long to wait for the rest of a preface that came in pieces.
const PREFACE_PAUSE: Duration = Duration::from_millis(5);

/// Serves a connection in clear until it ends.
pub async fn clear(stream: TcpStream, service: Service, drain: Arc<Notify>) {
    let Ok(is_http2) = begins_with_preface(&stream).await else { return };
    let stream = Watched::new(stream, service.seat.clone());
    if is_http2 { http2(stream, service, drain).await } else { http1(stream, service, drain).await }
}

/// Shakes hands, then serves what ALPN has settled on.
pub async fn tls(stream: TcpStream, acceptor: TlsAcceptor, service: Service, drain: Arc<Notify>) {
    let stream = Watched::new(stream, service.seat.clone());
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    if is_http2 { http2(stream, service, drain).await } else { http1(stream, service, drain).await }
}

async fn begins_with_preface(stream: &TcpStream) -> io::Result<bool> {
    let mut start = [0; PREFACE_START.len()];
    loop {
        let n = stream.peek(&mut start).await?;
        if n == 0 || start[..n] != PREFACE_START[..n] {
            return Ok(false);
        }
        if n == start.len() {
            return Ok(true);
        }
        tokio::time::sleep(PREFACE_PAUSE).await;
    }
}

/// The plain path as long as it lasts, then hyper.
pub async fn http1<S: AsyncRead + AsyncWrite + Unpin>(stream: S, service: Service, drain: Arc<Notify>) {
    // How a connection ended is its client's affair; nothing of ours depends on it.
    if let Ok(End::HandedOver(stream, first)) = plain::serve(stream, &service, &drain).await {
        by_hyper(stream, first, service, drain).await;
    }
}

/// HTTP/1.1 by hyper, on a stream of which `first` has been read already.
pub async fn by_hyper<S>(stream: S, first: Bytes, service: Service, drain: Arc<Notify>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut builder = http1::Builder::new();
    // The sweep (see `watch`) keeps the limits of time; hyper's would arm a timer for each request. Its own limit of 100
    // fields is left in place: setting any makes it fill an array for each request. `pipeline_flush` would copy bodies.
    // A client that has closed its sending half still waits for its answer, as on the plain path.
    builder.header_read_timeout(None).max_buf_size(HEAD_MAX_BYTES).half_close(true);
    let stream = TokioIo::new(Rewound::new(first, stream));
    let mut connection = pin!(builder.serve_connection(stream, service));
    tokio::select! {
        biased;
        _ = &mut connection => return,
        () = drain.notified() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn http2<S: AsyncRead + AsyncWrite + Unpin>(stream: S, service: Service, drain: Arc<Notify>) {
    service.seat.is_multiplexed();
    let _ = multiplexed::serve(stream, service, drain).await;
}
