//! HTTP/2 on the h2 crate, without hyper: a response lies ready when its request has come, so no task, no future and no
//! body stream is made for it; but for what has to be asked of an origin. h2 keeps flow control, priorities and its limits
//! against floods.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::Reason;
use h2::server::{Builder, SendResponse};
use http::header::DATE;
use http::{Request, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

use super::batch::Batch;
use super::connection::HEAD_MAX_BYTES;
use super::onward::Onward;
use super::service::{Decided, Service};
use super::streams;
use crate::portal::Notice;
use crate::proxy::interim::Early;

/// Streams that a client may have open at once (RFC 9113, 6.5.2, advises at least 100).
const STREAMS_MAX: u32 = 128;
/// Requests have no bodies here: what a client may send unasked stays at the smallest default (RFC 9113, 6.9.2).
const WINDOW_BYTES: u32 = 65_535;

type Connection<S> = h2::server::Connection<Batch<S>, Bytes>;
/// A request, and where its response goes.
type Asked = (Request<h2::RecvStream>, SendResponse<Bytes>);

/// Serves `stream` until it ends.
pub async fn serve<S>(stream: S, service: Service) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut builder = Builder::new();
    builder.max_concurrent_streams(STREAMS_MAX).max_header_list_size(HEAD_MAX_BYTES as u32);
    builder.initial_window_size(WINDOW_BYTES).initial_connection_window_size(WINDOW_BYTES);
    let batch = Batch::new(stream);
    let out = batch.other_handle();
    let mut handshake = pin!(builder.handshake::<_, Bytes>(batch));
    let connection = poll_fn(|cx| match (handshake.as_mut().poll(cx), out.poll_send(cx)) {
        // Our SETTINGS must not wait for the client's.
        (Poll::Pending, Poll::Ready(Err(error))) => Poll::Ready(Err(error)),
        (handshake, _) => handshake.map_err(io::Error::other),
    });
    let seat = service.seat.clone();
    let mut driver = Driver { connection: connection.await?, out, service, streams: JoinSet::new() };
    tokio::select! {
        biased;
        end = poll_fn(|cx| driver.poll(cx)) => return end,
        () = seat.drained() => {}
    }
    // GOAWAY, then whatever was asked before it arrived.
    driver.connection.graceful_shutdown();
    poll_fn(|cx| driver.poll(cx)).await
}

/// One connection under way.
struct Driver<S> {
    connection: Connection<S>,
    out: Batch<S>,
    service: Service,
    /// Those that wait for an origin; they end with the connection.
    streams: JoinSet<()>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Answers until the connection ends. What h2 writes is sent once all requests that have come are answered.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Poll::Ready(accepted) = self.connection.poll_accept(cx) {
            let Some(request) = accepted else { return Poll::Ready(Ok(())) };
            request.and_then(|request| respond(&self.service, request, &mut self.streams)).map_err(io::Error::other)?;
        }
        while let Poll::Ready(Some(_)) = self.streams.poll_join_next(cx) {}
        ready!(self.out.poll_send(cx))?;
        Poll::Pending
    }
}

fn respond(service: &Service, (request, mut reply): Asked, streams: &mut JoinSet<()>) -> Result<(), h2::Error> {
    let (mut head, body) = match service.decide(&request) {
        Decided::Answered(response) => response.into_parts(),
        Decided::Onward(onward) => return pass(service, onward, request, reply, streams),
    };
    head.headers.insert(DATE, service.site.rhythm.date());
    send(&mut reply, head, body.into_bytes())
}

fn send(reply: &mut SendResponse<Bytes>, head: http::response::Parts, body: Option<Bytes>) -> Result<(), h2::Error> {
    let sent = reply.send_response(Response::from_parts(head, ()), body.is_none());
    let sent = sent.and_then(|mut stream| body.map_or(Ok(()), |body| stream.send_data(body, true)));
    match sent {
        // The client has reset this stream meanwhile; the others go on.
        Err(error) if error.is_io() || error.is_go_away() => Err(error),
        _ => Ok(()),
    }
}

/// What lies ready is sent like all else; for the rest the stream gets a task.
fn pass(
    service: &Service,
    onward: Onward,
    request: Request<h2::RecvStream>,
    mut reply: SendResponse<Bytes>,
    streams: &mut JoinSet<()>,
) -> Result<(), h2::Error> {
    let (mut head, body) = request.into_parts();
    if !onward.address(&mut head.uri, &mut head.headers) {
        let (head, body) = onward.page(StatusCode::BAD_REQUEST, Notice::BadRequest).into_parts();
        return send(&mut reply, head, body.into_bytes());
    }
    let request = Request::from_parts(head, ());
    if let Some(ready) = onward.ready(&request) {
        let (head, body) = ready.into_parts();
        return send(&mut reply, head, Some(body).filter(|body| !body.is_empty()));
    }
    // Streams that their client has reset count until their tasks have seen it.
    if streams.len() >= STREAMS_MAX as usize {
        reply.send_reset(Reason::REFUSED_STREAM);
        return Ok(());
    }
    let (early, coming) = Early::new();
    let answer = onward.answer(request.map(|()| streams::Coming(body)), service.seat.hold(), None, Some(early));
    streams.spawn(streams::answer(answer, reply, coming, service.seat.clone()));
    Ok(())
}
