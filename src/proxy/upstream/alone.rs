//! A response that was asked for on behalf of all, and is one client's: from then on its connection is of what single clients may have.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::Arriving;
use super::seats::Share;
use crate::proxy::failure::Failure;

/// Its body, for as long as that is under way.
pub struct Alone {
    body: Arriving,
    _share: Share,
}

impl Alone {
    pub fn new(body: Arriving, share: Share) -> Alone {
        Alone { body, _share: share }
    }
}

impl Body for Alone {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
