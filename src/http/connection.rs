//! One connection: which protocol it speaks, and who serves it.

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::framing::Refused;
use super::gate::{self, Gate, Held};
use super::interjected::{Interjected, Words};
use super::plain::{self, End};
use super::rewound::Rewound;
use super::service::Service;
use super::two;
use super::watch::Watched;
use crate::portal::Notice;

/// A request head above this is answered 431. Browsers send 1 to 2 KB, and a target of 8 KiB has to fit.
pub const HEAD_MAX_BYTES: usize = 16 << 10;
/// What begins an HTTP/2 connection in clear (RFC 9113, 3.4); no request of HTTP/1.1 begins so.
const PREFACE_START: &[u8; 6] = b"PRI * ";

/// Serves a connection in clear until it ends.
pub async fn clear(stream: TcpStream, service: Service) {
    let mut stream = Watched::new(stream, service.seat.clone());
    let mut first = BytesMut::with_capacity(plain::READ_BYTES);
    loop {
        let seen = first.len().min(PREFACE_START.len());
        if first[..seen] != PREFACE_START[..seen] {
            return http1(stream, first, service).await;
        }
        if seen == PREFACE_START.len() {
            return http2(Rewound::new(first.freeze(), stream), service).await;
        }
        // Nothing yet, or too little to tell.
        if !matches!(stream.read_buf(&mut first).await, Ok(1..)) {
            return;
        }
    }
}

/// Shakes hands, then serves what ALPN has settled on.
pub async fn tls(stream: TcpStream, acceptor: TlsAcceptor, service: Service) {
    let stream = Watched::new(stream, service.seat.clone());
    let Ok(stream) = acceptor.accept(stream).await else { return };
    match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => http2(stream, service).await,
        _ => http1(stream, BytesMut::new(), service).await,
    }
}

/// The plain path as long as it lasts, then hyper. `first` has been read already.
pub async fn http1<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, first: BytesMut, service: Service) {
    // How a connection ended is its client's affair; nothing of ours depends on it.
    if let Ok(End::HandedOver(stream, first)) = plain::serve(stream, first, &service).await {
        by_hyper(stream, first, service).await;
    }
}

/// HTTP/1.1 by hyper, on a stream of which `first` has been read already.
pub async fn by_hyper<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    first: Bytes,
    mut service: Service,
) {
    let mut builder = http1::Builder::new();
    // The sweep (see `watch`) keeps the limits of time; hyper's would arm a timer for each request. Its own limit of 100
    // fields is left in place: setting any makes it fill an array for each request. `pipeline_flush` would copy bodies.
    // A client that has closed its sending half still waits for its answer, as on the plain path.
    builder.header_read_timeout(None).max_buf_size(HEAD_MAX_BYTES).half_close(true);
    let words = Words::default();
    service.words = Some(words.clone());
    let (gate, place) = Gate::new(first, stream, service.ends.clone());
    let (stream, own) = (TokioIo::new(Interjected::new(gate, words)), service.clone());
    let seat = service.seat.clone();
    let ends = service.ends.clone();
    let mut connection = Box::pin(builder.serve_connection(stream, service).with_upgrades());
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
    let Held { stream, refused, is_within } = held;
    let _ = if is_within || service.seat.has_said_close() {
        plain::linger(stream).await
    } else {
        let (status, notice) = match refused {
            Refused::Malformed => (StatusCode::BAD_REQUEST, Notice::BadRequest),
            Refused::HeadTooLarge => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, Notice::HeadTooLarge),
        };
        plain::refuse(stream, service, status, notice).await
    };
}

async fn http2<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, service: Service) {
    service.seat.is_multiplexed();
    let _ = two::serve(stream, service).await;
}
