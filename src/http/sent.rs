//! A client's body on its way to an origin: no longer than a route allows, and never cut short without a word.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::framing::NEVER_TRAILERS;
use super::watch::Hold;
use crate::proxy::failure::Failure;

/// See above.
pub struct Bounded<B> {
    body: Pin<Box<B>>,
    left: u64,
    /// While it comes, its bytes are no request's head.
    hold: Arc<Hold>,
    /// More of it is waited for.
    is_awaited: bool,
}

impl<B: Body> Bounded<B> {
    pub fn new(body: B, limit: u64, hold: Arc<Hold>) -> Bounded<B> {
        Bounded { body: Box::pin(body), left: limit, hold, is_awaited: false }
    }
}

impl<B> Bounded<B> {
    fn awaits(&mut self, is_awaited: bool) {
        if self.is_awaited != is_awaited {
            self.is_awaited = is_awaited;
            self.hold.expects(is_awaited);
        }
    }
}

impl<B> Drop for Bounded<B> {
    fn drop(&mut self) {
        self.awaits(false);
    }
}

impl<B: Body<Data = Bytes>> Body for Bounded<B> {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let polled = self.body.as_mut().poll_frame(cx);
        self.awaits(polled.is_pending());
        let Some(frame) = ready!(polled) else { return Poll::Ready(None) };
        let Ok(frame) = frame else { return Poll::Ready(Some(Err(Failure::RequestAborted))) };
        // Over HTTP/1.1 they do not come this far.
        let is_bad = |trailers: &HeaderMap| NEVER_TRAILERS.iter().any(|name| trailers.contains_key(*name));
        if frame.trailers_ref().is_some_and(is_bad) {
            return Poll::Ready(Some(Err(Failure::RequestMalformed)));
        }
        let len = frame.data_ref().map_or(0, |data| data.len() as u64);
        Poll::Ready(Some(match self.left.checked_sub(len) {
            Some(left) => {
                self.left = left;
                Ok(frame)
            }
            None => {
                self.left = 0;
                Err(Failure::RequestTooLarge)
            }
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::passing::Pieces;
    use crate::http::watch::Seats;
    use http_body_util::BodyExt;

    async fn read(pieces: &[Result<usize, Failure>], limit: u64) -> Result<usize, Failure> {
        let pieces = pieces.iter().map(|piece| piece.map(|len| Bytes::from(vec![0; len])));
        let hold = Arc::new(Seats::for_test().take(None).hold());
        let read = Bounded::new(Pieces(pieces.collect()), limit, hold).collect().await;
        read.map(|read| read.to_bytes().len())
    }

    #[tokio::test]
    async fn a_body_is_as_long_as_the_route_allows() {
        assert_eq!(read(&[], 0).await, Ok(0));
        assert_eq!(read(&[Ok(6), Ok(4)], 10).await, Ok(10));
        assert_eq!(read(&[Ok(6), Ok(5)], 10).await, Err(Failure::RequestTooLarge));
        assert_eq!(read(&[Ok(6), Err(Failure::Reset)], 10).await, Err(Failure::RequestAborted));
    }
}
