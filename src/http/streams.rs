//! One HTTP/2 stream that waits for an origin: its body in, its response and body out, as fast as both sides take them.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Response};
use http_body::{Body as _, Frame};

use super::body::Body;
use super::framing::NEVER_TRAILERS;
use super::watch::Seat;
use crate::proxy::interim;

/// Beside [`NEVER_TRAILERS`].
const NEVER_BEHIND_A_RESPONSE: [&str; 5] =
    ["cache-control", "keep-alive", "max-forwards", "proxy-connection", "set-cookie"];

/// A request's body. What is taken from it makes room for more.
pub struct Coming(pub RecvStream);

impl http_body::Body for Coming {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if let Some(data) = ready!(self.0.poll_data(cx)) {
            let taken = data.and_then(|data| self.0.flow_control().release_capacity(data.len()).map(|()| data));
            return Poll::Ready(Some(taken.map(Frame::data)));
        }
        self.0.poll_trailers(cx).map(|trailers| trailers.transpose().map(|trailers| trailers.map(Frame::trailers)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}

/// Sends what `answer` comes to, and before it what comes before it; gives up once the client has reset the stream.
pub async fn answer(
    answer: impl Future<Output = Response<Body>>,
    mut reply: SendResponse<Bytes>,
    mut coming: interim::Coming,
    seat: Arc<Seat>,
) {
    let mut answer = pin!(answer);
    let response = loop {
        let interim = tokio::select! {
            biased;
            _ = poll_fn(|cx| reply.poll_reset(cx)) => return,
            Some(interim) = coming.recv() => interim,
            response = &mut answer => break response,
        };
        // Where it cannot be sent, neither can the response.
        let _ = reply.send_informational(interim);
    };
    while let Ok(interim) = coming.try_recv() {
        let _ = reply.send_informational(interim);
    }
    let (head, mut body) = response.into_parts();
    match reply.send_response(Response::from_parts(head, ()), body.is_end_stream()) {
        Ok(mut stream) if !body.is_end_stream() => {
            // After an error on the stream itself there is nobody to tell.
            if let Err(Cut) = send(&mut stream, &mut body, &seat).await {
                stream.send_reset(Reason::INTERNAL_ERROR);
            }
        }
        Ok(_) => {}
        // Fields that HTTP/2 does not have; or the client is gone.
        Err(_) => reply.send_reset(Reason::INTERNAL_ERROR),
    }
}

/// The body could not be sent whole.
struct Cut;

async fn send(stream: &mut SendStream<Bytes>, body: &mut Body, seat: &Arc<Seat>) -> Result<(), Cut> {
    loop {
        let frame = tokio::select! {
            biased;
            _ = poll_fn(|cx| stream.poll_reset(cx)) => return Err(Cut),
            frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)) => frame,
        };
        let Some(frame) = frame else { return stream.send_data(Bytes::new(), true).map_err(|_| Cut) };
        match frame.map_err(|_| Cut)?.into_data() {
            Ok(data) => {
                let is_last = body.is_end_stream();
                send_all(stream, data, is_last, seat).await?;
                if is_last {
                    return Ok(());
                }
            }
            Err(frame) => match frame.into_trailers() {
                Ok(trailers) => return stream.send_trailers(of_the_body(trailers)).map_err(|_| Cut),
                Err(_) => continue,
            },
        }
    }
}

/// Trailers without what is of the connection, or would have had to be said before (RFC 9110, 6.5.1); hyper sees to that over
/// HTTP/1.1.
fn of_the_body(mut trailers: HeaderMap) -> HeaderMap {
    for name in NEVER_TRAILERS.iter().chain(&NEVER_BEHIND_A_RESPONSE) {
        trailers.remove(*name);
    }
    trailers
}

/// As much at once as the client has room for.
async fn send_all(stream: &mut SendStream<Bytes>, mut data: Bytes, is_last: bool, seat: &Arc<Seat>) -> Result<(), Cut> {
    if data.is_empty() {
        return if is_last { stream.send_data(data, true).map_err(|_| Cut) } else { Ok(()) };
    }
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let room = match stream.capacity() {
            0 => {
                let _owed = seat.owe();
                poll_fn(|cx| stream.poll_capacity(cx)).await.and_then(Result::ok).ok_or(Cut)?
            }
            room => room,
        };
        let piece = data.split_to(room.min(data.len()));
        if !piece.is_empty() {
            stream.send_data(piece, is_last && data.is_empty()).map_err(|_| Cut)?;
        }
    }
    Ok(())
}
