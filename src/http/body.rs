//! A response body: bytes that lie ready, none, or what arrives from an origin. Never copied.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::proxy::failure::Failure;
use crate::proxy::upstream::Arriving;

/// What lies ready goes in one frame.
#[derive(Debug)]
pub struct Body(Kind);

#[derive(Debug)]
enum Kind {
    Ready(Option<Bytes>),
    Arriving(Arriving),
    /// The next that is heard of it.
    Failed(Failure),
}

impl Body {
    pub fn of(bytes: Bytes) -> Body {
        Body(Kind::Ready(Some(bytes).filter(|b| !b.is_empty())))
    }

    pub fn empty() -> Body {
        Body(Kind::Ready(None))
    }

    /// Fails where it cannot be had whole: then the client's connection or stream must not end as if it were.
    pub fn arriving(body: Arriving) -> Body {
        Body(Kind::Arriving(body))
    }

    /// What is to be sent; `None` where there is nothing, or nothing yet.
    pub fn into_bytes(self) -> Option<Bytes> {
        match self.0 {
            Kind::Ready(bytes) => bytes,
            Kind::Arriving(_) | Kind::Failed(_) => None,
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        match &mut self.0 {
            Kind::Ready(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Arriving(body) => match Pin::new(body).poll_frame(cx) {
                // hyper drops what it has not written yet: with a pause before it, the client sees how far it came.
                Poll::Ready(Some(Err(failure))) => {
                    self.0 = Kind::Failed(failure);
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                polled => polled,
            },
            Kind::Failed(failure) => Poll::Ready(Some(Err(*failure))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Ready(bytes) => bytes.is_none(),
            Kind::Arriving(body) => body.is_end_stream(),
            Kind::Failed(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Ready(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Kind::Arriving(body) => body.size_hint(),
            Kind::Failed(_) => SizeHint::default(),
        }
    }
}
