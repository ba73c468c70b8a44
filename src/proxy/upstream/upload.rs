//! A request's body on its way to an HTTP/2 origin, beside the wait for its answer: no faster than the origin takes it.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body::{Body, Frame};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::body::Outgoing;
use crate::proxy::failure::Failure;

/// Who waits for the answer has the limit of `idle` himself, and gives his own reason: he comes first.
const AFTER: Duration = Duration::from_secs(1);

/// Dropped, it is given up.
pub struct Upload {
    task: AbortHandle,
    is_left: bool,
}

impl Upload {
    pub fn start(body: Outgoing, to: SendStream<Bytes>, idle: Duration) -> Upload {
        Upload { task: tokio::spawn(send(body, to, idle + AFTER)).abort_handle(), is_left: false }
    }

    /// Goes on by itself, for as long as the origin takes something.
    pub fn leave(mut self) {
        self.is_left = true;
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.is_left {
            self.task.abort();
        }
    }
}

/// What the body or the origin does next.
enum Next {
    Frame(Frame<Bytes>),
    /// The origin has to take what was sent before there is more.
    Full,
    End,
    /// The client has failed: by [`Stage`](super::body::Stage) it is known why.
    Failed,
    /// The origin wants no more of it.
    Unwanted,
}

async fn send(mut body: Outgoing, mut to: SendStream<Bytes>, idle: Duration) {
    loop {
        match next(&mut body, &mut to).await {
            Next::Frame(frame) => match frame.into_data() {
                Ok(piece) if piece.is_empty() && !body.is_end_stream() => {}
                Ok(piece) => {
                    let is_last = body.is_end_stream();
                    if !piece.is_empty() && !has_room(&mut to, idle).await {
                        return to.send_reset(Reason::CANCEL);
                    }
                    // One piece at most lies with h2.
                    if to.send_data(piece, is_last).is_err() || is_last {
                        return;
                    }
                }
                Err(frame) => {
                    if let Ok(trailers) = frame.into_trailers()
                        && to.send_trailers(trailers).is_err()
                    {
                        // h2 takes none that HTTP/2 forbids (RFC 9113, 8.2.2): without an end, the origin would wait for one.
                        body.fail(Failure::RequestMalformed);
                        to.send_reset(Reason::CANCEL);
                    }
                    return;
                }
            },
            Next::Full => {
                body.is_held_up();
                if !has_room(&mut to, idle).await {
                    return to.send_reset(Reason::CANCEL);
                }
            }
            Next::End => {
                let _ = to.send_data(Bytes::new(), true);
                return;
            }
            Next::Failed => return to.send_reset(Reason::CANCEL),
            Next::Unwanted => return,
        }
    }
}

fn next<'a>(body: &'a mut Outgoing, to: &'a mut SendStream<Bytes>) -> impl Future<Output = Next> + 'a {
    poll_fn(move |cx| {
        if to.poll_reset(cx).is_ready() {
            return Poll::Ready(Next::Unwanted);
        }
        // What is sure to come is taken only once what came before has gone: with the last piece the wait for the answer begins.
        // What may be an end needs no room.
        if body.size_hint().lower() > 0 && to.capacity() == 0 {
            return Poll::Ready(Next::Full);
        }
        Pin::new(&mut *body).poll_frame(cx).map(|frame: Option<Result<_, Failure>>| match frame {
            Some(Ok(frame)) => Next::Frame(frame),
            Some(Err(_)) => Next::Failed,
            None => Next::End,
        })
    })
}

/// False where the origin takes nothing more, or nothing for too long.
async fn has_room(to: &mut SendStream<Bytes>, idle: Duration) -> bool {
    matches!(timeout(idle, room(to)).await, Ok(true))
}

/// Waits until the origin takes something; false where it takes nothing more. What is asked for is no more than a byte: h2 asks for the
/// rest once it has it, and what is set aside for one stream is nobody else's.
async fn room(to: &mut SendStream<Bytes>) -> bool {
    to.reserve_capacity(1);
    while to.capacity() == 0 {
        let more = poll_fn(|cx| match to.poll_reset(cx) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => to.poll_capacity(cx),
        });
        if !matches!(more.await, Some(Ok(_))) {
            return false;
        }
    }
    true
}
