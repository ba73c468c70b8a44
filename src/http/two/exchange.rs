//! One stream that waits for an origin: its body in, its response and body out, as fast as both sides take them.

use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body as _, Frame, SizeHint};

use super::streams::{Exchange, Step};
use crate::http::body::Body;
use crate::http::framing::NEVER_TRAILERS;
use crate::proxy::interim;

/// Beside [`NEVER_TRAILERS`].
const NEVER_BEHIND_A_RESPONSE: [&str; 3] = ["cache-control", "max-forwards", "set-cookie"];

type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// The client has taken its request back, or is gone.
#[derive(Debug)]
pub struct Cut;

/// What has come of a request's body and not gone on: no more than the stream's window.
#[derive(Debug, Default)]
struct Coming {
    data: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
    is_whole: bool,
    is_cut: bool,
    /// Bytes that have gone on since the connection last asked.
    freed: usize,
    reader: Option<Waker>,
    connection: Option<Waker>,
}

/// Both ends may be in different tasks: whoever sends a body on is not who answers.
type Shared = Arc<Mutex<Coming>>;

fn lock(shared: &Shared) -> MutexGuard<'_, Coming> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request's body. What is taken from it makes room for more.
pub struct Upload(Shared);

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let mut coming = lock(&self.0);
        if let Some(data) = coming.data.pop_front() {
            coming.freed += data.len();
            let waker = coming.connection.clone();
            drop(coming);
            if let Some(waker) = waker {
                waker.wake();
            }
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if coming.is_cut {
            return Poll::Ready(Some(Err(Cut)));
        }
        if coming.is_whole {
            return Poll::Ready(coming.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
        }
        coming.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        let coming = lock(&self.0);
        coming.is_whole && coming.data.is_empty() && coming.trailers.is_none()
    }

    /// No less than what lies here.
    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        hint.set_lower(lock(&self.0).data.iter().map(|data| data.len() as u64).sum());
        hint
    }
}

/// See above.
pub struct Bridge {
    stage: Stage,
    early: interim::Coming,
    coming: Shared,
}

enum Stage {
    Answering(Answer),
    /// What came before it is said first.
    Answered(Response<Body>),
    Sending(Body),
    Over,
}

impl Bridge {
    /// `answer` makes the response, from the body that it is given.
    pub fn new<F>(early: interim::Coming, answer: impl FnOnce(Upload) -> F) -> Bridge
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let coming = Shared::default();
        let answer = answer(Upload(coming.clone()));
        Bridge { stage: Stage::Answering(Box::pin(answer)), early, coming }
    }
}

impl Exchange for Bridge {
    fn data(&mut self, data: Bytes) {
        let mut coming = lock(&self.coming);
        coming.data.push_back(data);
        let reader = coming.reader.take();
        drop(coming);
        reader.inspect(Waker::wake_by_ref);
    }

    fn end(&mut self, trailers: Option<HeaderMap>) {
        let mut coming = lock(&self.coming);
        (coming.is_whole, coming.trailers) = (true, trailers);
        let reader = coming.reader.take();
        drop(coming);
        reader.inspect(Waker::wake_by_ref);
    }

    fn freed(&mut self) -> usize {
        mem::take(&mut lock(&self.coming).freed)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        lock(&self.coming).connection = Some(cx.waker().clone());
        if let Stage::Answering(answer) = &mut self.stage {
            if let Poll::Ready(interim) = self.early.poll_recv(cx) {
                return Poll::Ready(Step::Interim(interim));
            }
            self.stage = Stage::Answered(ready!(answer.as_mut().poll(cx)));
        }
        match mem::replace(&mut self.stage, Stage::Over) {
            Stage::Answered(response) => match self.early.try_recv() {
                Some(interim) => {
                    self.stage = Stage::Answered(response);
                    Poll::Ready(Step::Interim(interim))
                }
                None => {
                    let (head, body) = response.into_parts();
                    let is_end = body.is_end_stream();
                    self.stage = Stage::Sending(body);
                    Poll::Ready(Step::Head(Response::from_parts(head, ()), is_end))
                }
            },
            Stage::Sending(mut body) => {
                let polled = step(&mut body, cx);
                self.stage = Stage::Sending(body);
                polled
            }
            // Asked again after its end.
            Stage::Answering(_) | Stage::Over => Poll::Pending,
        }
    }
}

fn step(body: &mut Body, cx: &mut Context<'_>) -> Poll<Step> {
    let frame = match ready!(Pin::new(&mut *body).poll_frame(cx)) {
        None => return Poll::Ready(Step::Data(Bytes::new(), true)),
        Some(Err(_)) => return Poll::Ready(Step::Cut),
        Some(Ok(frame)) => frame,
    };
    Poll::Ready(match frame.into_data() {
        Ok(data) => Step::Data(data, body.is_end_stream()),
        Err(frame) => match frame.into_trailers() {
            Ok(trailers) => Step::Trailers(of_the_body(trailers)),
            Err(_) => Step::Data(Bytes::new(), false),
        },
    })
}

/// Trailers without what is of the connection, or would have had to be said before (RFC 9110, 6.5.1); hyper sees to that over
/// HTTP/1.1.
fn of_the_body(mut trailers: HeaderMap) -> HeaderMap {
    for name in NEVER_TRAILERS.iter().chain(&NEVER_BEHIND_A_RESPONSE) {
        trailers.remove(*name);
    }
    trailers
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let mut coming = lock(&self.coming);
        coming.connection = None;
        // A body that has not gone on whole must not end as if it had.
        coming.is_cut = !coming.is_whole || !coming.data.is_empty();
        coming.data.clear();
        let reader = coming.reader.take();
        drop(coming);
        reader.inspect(Waker::wake_by_ref);
    }
}
