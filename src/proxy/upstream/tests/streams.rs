//! Streams of an HTTP/2 connection: bodies both ways at once, what is given up, and a connection that nobody needs.

use super::*;

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::HeaderMap;
use http_body::Frame;
use tokio::sync::mpsc;

/// More than any window: both sides have to give room.
const PIECES: usize = 40;
const PIECE_BYTES: usize = 32 << 10;

/// What an origin does with a request that has a path.
type Deed =
    fn(Request<RecvStream>, SendResponse<Bytes>, mpsc::Sender<String>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// An origin by the h2 crate, and what it tells.
async fn start(deed: Deed) -> (Upstream, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::channel(8);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let tell = tell.clone();
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, reply))) = connection.accept().await {
                    tokio::spawn(deed(request, reply, tell.clone()));
                }
                let _ = tell.send("over".to_owned()).await;
            });
        }
    });
    (of(Plan { http2: true, ..plan(&[address]) }), told)
}

async fn send(to: &mut SendStream<Bytes>, piece: Bytes) {
    to.reserve_capacity(piece.len());
    while to.capacity() < piece.len() {
        if poll_fn(|cx| to.poll_capacity(cx)).await.is_none() {
            return;
        }
    }
    to.send_data(piece, false).unwrap();
}

fn trailers() -> HeaderMap {
    HeaderMap::from_iter([("x-sum".parse().unwrap(), "1".parse().unwrap())])
}

/// Sends back what comes, while it comes.
fn echo(
    request: Request<RecvStream>,
    mut reply: SendResponse<Bytes>,
    tell: mpsc::Sender<String>,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let length = format!("{:?}", request.headers().get("content-length"));
        let mut to = reply.send_response(Response::new(()), false).unwrap();
        let mut body = request.into_body();
        while let Some(Ok(piece)) = body.data().await {
            body.flow_control().release_capacity(piece.len()).unwrap();
            send(&mut to, piece).await;
        }
        let seen = body.trailers().await.unwrap();
        tell.send(format!("{length} {seen:?}")).await.unwrap();
        to.send_trailers(trailers()).unwrap();
    })
}

/// Begins an answer, and waits for its end.
fn hold(
    _: Request<RecvStream>,
    mut reply: SendResponse<Bytes>,
    tell: mpsc::Sender<String>,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let mut to = reply.send_response(Response::new(()), false).unwrap();
        send(&mut to, Bytes::from_static(b"bi")).await;
        let reason = poll_fn(|cx| to.poll_reset(cx)).await.unwrap();
        tell.send(format!("{reason:?}")).await.unwrap();
    })
}

/// Tells how it is given up before it answers.
fn silent(
    _: Request<RecvStream>,
    mut reply: SendResponse<Bytes>,
    tell: mpsc::Sender<String>,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        tell.send("asked".to_owned()).await.unwrap();
        let reason = poll_fn(|cx| reply.poll_reset(cx)).await.unwrap();
        tell.send(format!("{reason:?}")).await.unwrap();
    })
}

/// What has come of a body so far, as a client's HTTP/2 gives it on; it is whole with the third piece.
#[derive(Clone, Default)]
struct Queue(Arc<Mutex<Queued>>);

#[derive(Default)]
struct Queued {
    came: usize,
    taken: usize,
    reader: Option<Waker>,
}

impl Queue {
    fn come(&self, pieces: usize) {
        let mut queued = self.0.lock().unwrap();
        queued.came += pieces;
        queued.reader.take().inspect(Waker::wake_by_ref);
    }

    fn taken(&self) -> usize {
        self.0.lock().unwrap().taken
    }
}

impl http_body::Body for Queue {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let mut queued = self.0.lock().unwrap();
        if queued.taken < queued.came {
            queued.taken += 1;
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[7; PIECE_BYTES])))));
        }
        queued.reader = Some(cx.waker().clone());
        if queued.taken == 3 { Poll::Ready(None) } else { Poll::Pending }
    }

    fn is_end_stream(&self) -> bool {
        self.taken() == 3
    }

    fn size_hint(&self) -> http_body::SizeHint {
        let queued = self.0.lock().unwrap();
        let mut hint = http_body::SizeHint::new();
        hint.set_lower(((queued.came - queued.taken) * PIECE_BYTES) as u64);
        hint
    }
}

#[tokio::test]
async fn the_last_piece_is_taken_once_those_before_have_gone() {
    // The first window of RFC 9113, 6.9.2, by one byte less than two pieces.
    const WINDOW_BYTES: usize = (64 << 10) - 1;
    for at_first in [3, 2] {
        let (upstream, mut told) = start(|request, mut reply, tell| {
            Box::pin(async move {
                let (mut body, mut came) = (request.into_body(), 0);
                while came < WINDOW_BYTES {
                    came += body.data().await.unwrap().unwrap().len();
                }
                tell.send("full".to_owned()).await.unwrap();
                tell.closed().await;
                body.flow_control().release_capacity(came).unwrap();
                while let Some(Ok(piece)) = body.data().await {
                    body.flow_control().release_capacity(piece.len()).unwrap();
                }
                reply.send_response(Response::new(()), true).unwrap();
            })
        })
        .await;
        let queue = Queue::default();
        queue.come(at_first);
        let mut asked = Box::pin(upstream.send(asking(Method::POST, queue.clone().boxed_unsync()), caller()));
        tokio::select! {
            _ = &mut asked => unreachable!("it has not got all of it"),
            told = told.recv() => assert_eq!(told.unwrap(), "full"),
        }
        // Or the last one comes only now: who waits for it sees it within a turn.
        queue.come(3 - at_first);
        tokio::task::yield_now().await;
        assert_eq!(queue.taken(), 2);
        drop(told);
        assert_eq!(asked.await.unwrap().status(), 200);
        assert_eq!(queue.taken(), 3);
    }
}

/// Has trailers that are of a connection.
struct OfTheConnection;

impl http_body::Body for OfTheConnection {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let field = ("keep-alive".parse().unwrap(), "x".parse().unwrap());
        Poll::Ready(Some(Ok(Frame::trailers(HeaderMap::from_iter([field])))))
    }
}

#[tokio::test]
async fn trailers_that_cannot_go_on_are_the_requests_fault() {
    let (upstream, mut told) = start(silent).await;
    let response = upstream.send(asking(Method::POST, OfTheConnection.boxed_unsync()), caller()).await;
    assert_eq!(response.map(drop), Err(Failure::RequestMalformed));
    assert_eq!(told.recv().await.unwrap(), "asked");
    assert_eq!(told.recv().await.unwrap(), format!("{:?}", Reason::CANCEL));
}

/// Of many pieces, with trailers, of no told length; it may fail before the last.
struct Long {
    left: usize,
    fails: bool,
}

impl http_body::Body for Long {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let frame = match self.left {
            0 => return Poll::Ready(None),
            1 if self.fails => Err(Failure::RequestTooLarge),
            1 => Ok(Frame::trailers(trailers())),
            _ => Ok(Frame::data(Bytes::from_static(&[7; PIECE_BYTES]))),
        };
        self.left -= 1;
        Poll::Ready(Some(frame))
    }
}

fn long(fails: bool) -> Sent {
    Long { left: PIECES + 1, fails }.boxed_unsync()
}

#[tokio::test]
async fn bodies_and_trailers_go_both_ways_at_once() {
    let (upstream, mut told) = start(echo).await;
    let response = upstream.send(asking(Method::POST, long(false)), caller()).await.unwrap();
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers(), Some(&trailers()));
    assert!(body.to_bytes() == [7; PIECE_BYTES].repeat(PIECES));
    assert_eq!(told.recv().await.unwrap(), format!("None {:?}", Some(trailers())));
    let response = upstream.send(asking(Method::PUT, full("acta")), caller()).await.unwrap();
    assert_eq!(read(response).await.unwrap(), "acta");
    assert_eq!(told.recv().await.unwrap(), "Some(\"4\") None");
}

#[tokio::test]
async fn what_nobody_waits_for_is_reset() {
    let cancel = format!("{:?}", Reason::CANCEL);
    let (upstream, mut told) = start(hold).await;
    drop(get(&upstream).await.unwrap());
    assert_eq!(told.recv().await.unwrap(), cancel);
    // With a request that has not ended either.
    let response = upstream.send(asking(Method::POST, Never.boxed_unsync()), caller()).await.unwrap();
    drop(response);
    assert_eq!(told.recv().await.unwrap(), cancel);
    let (upstream, mut told) = start(silent).await;
    for body in [empty(), Never.boxed_unsync()] {
        let mut asked = Box::pin(upstream.send(asking(Method::POST, body), caller()));
        tokio::select! {
            _ = &mut asked => unreachable!("it does not answer"),
            told = told.recv() => assert_eq!(told.unwrap(), "asked"),
        }
        drop(asked);
        assert_eq!(told.recv().await.unwrap(), cancel);
    }
}

/// Comes to no end.
struct Never;

impl http_body::Body for Never {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn why_a_request_failed_is_what_its_body_says() {
    for _ in 0..20 {
        let (upstream, _told) = start(|mut request, reply, _| {
            Box::pin(async move {
                let _held = reply;
                while let Some(Ok(piece)) = request.body_mut().data().await {
                    request.body_mut().flow_control().release_capacity(piece.len()).unwrap();
                }
            })
        })
        .await;
        let response = upstream.send(asking(Method::POST, long(true)), caller()).await;
        assert_eq!(response.map(drop), Err(Failure::RequestTooLarge));
    }
}

#[tokio::test]
async fn a_connection_that_nobody_needs_is_closed() {
    let (upstream, mut told) = start(echo).await;
    assert_eq!(fetch(&upstream).await.unwrap(), "");
    told.recv().await.unwrap();
    drop(upstream);
    assert_eq!(told.recv().await.unwrap(), "over");
}
