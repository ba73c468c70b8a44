//! The same service in the form that hyper asks it: an answer that is there, or one that has to be waited for.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, StatusCode, Version};

use super::{Decided, Service};
use crate::http::body::Body;
use crate::http::interjected::Words;
use crate::http::onward::{Broken, Coming};
use crate::http::tunnel::Ends;
use crate::http::watch::Seat;
use crate::portal::Notice;
use crate::proxy::interim::Early;

/// The same of a connection by hyper.
pub struct ByHyper {
    pub service: Service,
    /// What it leaves when it becomes something else.
    pub ends: Ends,
    /// Where it has what comes before an answer said.
    pub words: Words,
}

/// A response that is there, or that has to be waited for.
pub enum Answering {
    Ready(Option<Response<Body>>),
    Waiting(Pin<Box<dyn Future<Output = Response<Body>> + Send>>, Arc<Seat>),
}

impl Answering {
    fn ready(mut response: Response<Body>, seat: &Seat) -> Answering {
        // Whoever sent this may mean something else by what comes behind it (RFC 9112, 11.2).
        if response.status() == StatusCode::BAD_REQUEST {
            end(&mut response, seat);
        }
        Answering::Ready(Some(last(response, seat)))
    }
}

/// Says that the connection ends, where it is time to.
pub fn last(mut response: Response<Body>, seat: &Seat) -> Response<Body> {
    let is_broken = response.extensions_mut().remove::<Broken>().is_some();
    if is_broken || seat.is_draining() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        end(&mut response, seat);
    }
    response
}

fn end(response: &mut Response<Body>, seat: &Seat) {
    seat.says_close();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
}

impl Future for Answering {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Answering::Ready(response) => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                // Asked again after its end.
                None => Poll::Pending,
            },
            Answering::Waiting(waiting, seat) => waiting.as_mut().poll(cx).map(|response| Ok(last(response, seat))),
        }
    }
}

impl<B: Coming> hyper::service::Service<Request<B>> for ByHyper {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, mut request: Request<B>) -> Self::Future {
        let Service { seat, .. } = &self.service;
        let onward = match self.service.decide(&request) {
            Decided::Answered(response) => return Answering::ready(response, seat),
            Decided::Onward(onward) => onward,
        };
        let mut target = std::mem::take(request.uri_mut());
        if !onward.address(&mut target, request.headers_mut()) {
            return Answering::ready(onward.page(StatusCode::BAD_REQUEST, Notice::BadRequest), seat);
        }
        *request.uri_mut() = target;
        if onward.scarce.is_some()
            && let Some(ready) = onward.ready(&without_body(&request))
        {
            return Answering::ready(ready.map(Body::of), seat);
        }
        // HTTP/1.0 has no interim responses (RFC 9110, 15.2).
        let words = Some(self.words.clone()).filter(|_| request.version() == Version::HTTP_11);
        let (hold, ends) = (seat.hold(), Some(self.ends.clone()));
        let answer = async {
            let Some(words) = words else { return onward.answer(request, hold, ends, None).await };
            let (early, coming) = Early::new();
            words.before(coming, onward.answer(request, hold, ends, Some(early))).await
        };
        Answering::Waiting(Box::pin(answer), seat.clone())
    }
}

/// What can be answered before anything of a body has come.
fn without_body<B>(request: &Request<B>) -> Request<()> {
    let mut asked = Request::new(());
    (*asked.method_mut(), *asked.uri_mut()) = (request.method().clone(), request.uri().clone());
    *asked.headers_mut() = request.headers().clone();
    asked
}
