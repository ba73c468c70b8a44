//! An HTTP/2 connection to an origin, shared by all whose requests go there: the h2 crate's client. A task drives it and asks
//! the origin whether it lives; each request's own asks for its head, with the interim ones before it.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, Connection, ResponseFuture, SendRequest};
use h2::{Ping, RecvStream};
use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};

use super::body::Outgoing;
use super::fault::{self, Lost};
use super::upload::Upload;
use super::wire::{Carrier, Heard, Wire};
use crate::proxy::failure::Failure;
use crate::proxy::interim::Hearing;

/// What an origin may send of one response before it is read: enough for 20 MB/s over 13 ms.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
/// The most that RFC 9113, 6.9.1 lets a window be.
const WINDOW_MOST_BYTES: u32 = (1 << 31) - 1;
/// Streams until the origin has said how many it takes: the least that RFC 9113, 6.5.2 recommends.
const FIRST_STREAMS: usize = 100;
/// After such a silence a connection with something under way is asked whether it lives, and has as long to answer.
const PING: Duration = Duration::from_secs(10);

/// See above.
#[derive(Clone)]
pub struct Many {
    sender: SendRequest<Bytes>,
    /// By which it is told from others to the same place.
    pub number: u64,
    under_way: Arc<AtomicUsize>,
}

/// What all responses together may send before they are read, where there are so many of them at once: readers who are slow hold up
/// nobody else's.
pub fn window(streams: usize) -> u32 {
    let streams = u32::try_from(streams).unwrap_or(u32::MAX).max(1);
    STREAM_WINDOW_BYTES.saturating_mul(streams).min(WINDOW_MOST_BYTES)
}

/// Begins a connection, with such a window and heads of at most so many bytes.
pub async fn begin(carrier: Carrier, window: u32, head_bytes: u32, number: u64) -> Result<Many, Failure> {
    let heard = Heard::default();
    let wire = Wire::new(carrier, heard.clone(), ());
    let mut builder = Builder::new();
    builder
        .initial_max_send_streams(FIRST_STREAMS)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(window)
        .max_header_list_size(head_bytes)
        // Nobody is to open any towards us.
        .enable_push(false)
        .max_concurrent_streams(0)
        .max_send_buffer_size(STREAM_WINDOW_BYTES as usize);
    let (sender, connection) = builder.handshake(wire).await.map_err(|error| fault::of(&error))?;
    let under_way = Arc::default();
    // How it ends, each of its streams is told.
    tokio::spawn(drive(connection, heard, Arc::clone(&under_way), PING));
    Ok(Many { sender, number, under_way })
}

/// Until it ends: by itself, once nobody has it any more, or because the origin does not answer.
async fn drive<T>(mut connection: Connection<T, Bytes>, heard: Heard, under_way: Arc<AtomicUsize>, silence: Duration)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let Some(mut pings) = connection.ping_pong() else { return };
    loop {
        heard.forget();
        tokio::select! {
            _ = &mut connection => return,
            () = sleep(silence) => {}
        }
        if heard.anything() || under_way.load(Ordering::Relaxed) == 0 {
            continue;
        }
        tokio::select! {
            _ = &mut connection => return,
            answer = timeout(silence, pings.ping(Ping::opaque())) => {
                if !matches!(answer, Ok(Ok(_))) {
                    return;
                }
            }
        }
    }
}

impl Many {
    /// It takes no more requests.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.sender.poll_ready(&mut Context::from_waker(Waker::noop())), Poll::Ready(Err(_)))
    }

    /// Sends a request whose head is one of HTTP/2, and waits for the head of its answer; `hearing` is told of those before it. Whoever does not
    /// wait any longer resets the stream. Of a body, the origin has to take something every `idle`.
    pub async fn ask(
        &mut self,
        request: Request<Outgoing>,
        hearing: Option<&Hearing>,
        idle: Duration,
    ) -> Result<Response<Arrival>, Lost> {
        let under_way = UnderWay::new(&self.under_way);
        if let Err(error) = poll_fn(|cx| self.sender.poll_ready(cx)).await {
            return Err(Lost { unsent: Some(Box::new(request)), ..Lost::of(&error) });
        }
        let (head, body) = request.into_parts();
        let mut head = Request::from_parts(head, ());
        tell_length(&mut head, &body);
        let is_whole = body.is_end_stream();
        let (mut answer, to) = self.sender.send_request(head, is_whole).map_err(|error| Lost::of(&error))?;
        let upload = (!is_whole).then(|| Upload::start(body, to, idle));
        let response = poll_fn(|cx| poll_head(&mut answer, hearing, cx)).await?;
        let length = response.headers().get(CONTENT_LENGTH);
        let left = length.and_then(|length| length.to_str().ok()?.parse().ok());
        Ok(response.map(|stream| Arrival { stream, left, is_read: false, upload, _under_way: under_way }))
    }
}

/// As HTTP/1.1 has it, where the length is known and means something (RFC 9110, 8.6).
fn tell_length(head: &mut Request<()>, body: &Outgoing) {
    let has_meaning = matches!(*head.method(), Method::POST | Method::PUT | Method::PATCH);
    if let Some(length) = body.size_hint().exact().filter(|length| *length > 0 || has_meaning)
        && !head.headers().contains_key(CONTENT_LENGTH)
    {
        head.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}

/// Whatever comes first is looked at first: h2 passes over interim responses that nobody has fetched before the last one.
fn poll_head(
    answer: &mut ResponseFuture,
    hearing: Option<&Hearing>,
    cx: &mut Context<'_>,
) -> Poll<Result<Response<RecvStream>, Lost>> {
    while let Some(told) = ready!(answer.poll_informational(cx)) {
        let told = told.map_err(|error| Lost::of(&error))?;
        // HTTP/2 has none (RFC 9113, 8.6).
        if told.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Poll::Ready(Err(Failure::Malformed.into()));
        }
        if let Some(hearing) = hearing {
            hearing.tell(told.status(), told.version(), told.headers());
        }
    }
    Pin::new(answer).poll(cx).map_err(|error| Lost::of(&error))
}

/// One of those under way.
struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    fn new(count: &Arc<AtomicUsize>) -> UnderWay {
        count.fetch_add(1, Ordering::Relaxed);
        UnderWay(count.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A response's body. Dropped before its end, it resets its stream.
pub struct Arrival {
    stream: RecvStream,
    /// Bytes that are still to come, where that was told.
    left: Option<u64>,
    /// But for trailers.
    is_read: bool,
    /// The request's body, if it had one.
    upload: Option<Upload>,
    _under_way: UnderWay,
}

impl Arrival {
    /// A reset with NO_ERROR is what comes behind a whole response where the rest of the request is not wanted (RFC 9113, 8.1); h2 does not
    /// say whether the response was whole. All else is no end, whatever its reason.
    fn is_end(&self, error: &h2::Error) -> bool {
        let is_content = error.is_reset() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR);
        is_content && self.upload.is_some() && self.left.is_none_or(|left| left == 0)
    }

    fn failed(&self, error: &h2::Error) -> Option<Result<Frame<Bytes>, Failure>> {
        if self.is_end(error) { None } else { Some(Err(fault::of(error))) }
    }
}

impl Body for Arrival {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let this = &mut *self;
        if !this.is_read {
            match ready!(this.stream.poll_data(cx)) {
                Some(Ok(piece)) => {
                    // Whoever reads it asks for the next one when he has room.
                    let _ = this.stream.flow_control().release_capacity(piece.len());
                    this.left = this.left.map(|left| left.saturating_sub(piece.len() as u64));
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                Some(Err(error)) => return Poll::Ready(this.failed(&error)),
                None => this.is_read = true,
            }
        }
        match ready!(this.stream.poll_trailers(cx)) {
            Ok(trailers) => Poll::Ready(trailers.map(|fields| Ok(Frame::trailers(fields)))),
            Err(error) => Poll::Ready(this.failed(&error)),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.left {
            _ if self.is_end_stream() => SizeHint::with_exact(0),
            Some(left) => SizeHint::with_exact(left),
            None => SizeHint::default(),
        }
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        // Who has answered may want the rest of the request all the same.
        if self.is_end_stream()
            && let Some(upload) = self.upload.take()
        {
            upload.leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, duplex};

    use super::*;

    #[tokio::test]
    async fn who_answers_nothing_is_given_up() {
        let (ours, mut theirs) = duplex(1 << 16);
        let origin = tokio::spawn(async move {
            let mut read = Vec::new();
            theirs.read_to_end(&mut read).await.unwrap();
            read
        });
        let (_sender, connection) = h2::client::handshake(ours).await.unwrap();
        drive(connection, Heard::default(), Arc::new(AtomicUsize::new(1)), Duration::from_millis(20)).await;
        // RFC 9113, 6.7
        let read = origin.await.unwrap();
        assert!(read.windows(9).any(|frame| frame == [0, 0, 8, 6, 0, 0, 0, 0, 0]), "{read:?}");
    }
}
