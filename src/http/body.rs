//! A response body: bytes that lie ready, or none. Never copied.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// The whole body in one frame.
#[derive(Debug, Default)]
pub struct Body(Option<Bytes>);

impl Body {
    pub fn of(bytes: Bytes) -> Body {
        Body(Some(bytes).filter(|b| !b.is_empty()))
    }

    pub fn empty() -> Body {
        Body(None)
    }

    /// What is to be sent; `None` where there is nothing.
    pub fn into_bytes(self) -> Option<Bytes> {
        self.0
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |b| b.len() as u64))
    }
}
