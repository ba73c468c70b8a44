//! The way to an origin: names, connections, TLS, limits of time. Knows nothing of caches.
//!
//! [`own`] sends GET and HEAD over HTTP/1.1, as most requests are; [`exchange`] sends a request over a connection that [`pool`] lends: one that lay idle, or a new one of [`connect`] to
//! the place that [`places`] thinks best among those that [`names`] knows. [`body`] reads the response's body and gives the
//! connection back; [`fault`] says whose fault it was. What each answer says of its place, and what [`checks`] find out, is
//! judged by [`health`] and told by [`tell`].

mod alone;
mod body;
mod checks;
mod connect;
mod deadlines;
mod exchange;
mod fault;
mod head;
mod health;
mod lease;
mod many;
mod names;
pub mod own;
mod places;
mod plan;
mod pool;
mod preface;
mod resolve;
mod seats;
mod tell;
#[cfg(test)]
mod tests;
mod upload;
mod wire;

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::time::timeout_at;

use super::failure::Failure;
use super::interim::Hearing;
use crate::record::Metrics;
use alone::Alone;
pub use checks::Checks;
pub use connect::HEAD_MAX_BYTES;
pub use own::FIELDS_MOST;
use own::exchange::Terms;
pub use own::straight::Straight;
pub use plan::{Check, HostOut, Origin, Plan, Times};
pub use preface::{Caller, Preface};
use seats::Whose;
use tell::Teller;

/// A request's body on its way to an origin.
pub type Sent = UnsyncBoxBody<Bytes, Failure>;
/// A response's body on its way from an origin: ends with a [`Failure`] where it is not whole.
pub type Arriving = UnsyncBoxBody<Bytes, Failure>;

/// An origin at one or more addresses.
pub struct Upstream {
    plan: Plan,
    pool: Arc<pool::Pool>,
}

impl Upstream {
    /// Connects to nobody yet.
    pub fn new(plan: Plan, metrics: &Arc<Metrics>) -> Upstream {
        let teller = Teller::new(&plan.name, metrics);
        Upstream { pool: Arc::new(pool::Pool::new(&plan, teller)), plan }
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Sends one request and returns the response's head; the body arrives as it is read. The target is in absolute
    /// form; its host is what `Host` and `:authority` say, not where it goes. Of several who want the same, `caller` is one; `hearing` is
    /// told of what comes before the response.
    ///
    /// A request with `Upgrade` and `Connection: upgrade` gets a connection of its own: after a 101, `hyper::upgrade::on`
    /// the response is what it has become, and counts as one of the connections until that is dropped.
    pub async fn send_within(
        &self,
        request: Request<Sent>,
        caller: Caller,
        times: Times,
        hearing: Option<Hearing>,
    ) -> Result<Response<Arriving>, Failure> {
        self.sent(request, Terms::from_now(times, caller, Whose::Shared), hearing).await
    }

    /// The same of what `caller` alone wants: such requests leave some connections for what is for all, and one client leaves some for others.
    pub async fn send_for_one(
        &self,
        request: Request<Sent>,
        caller: Caller,
        times: Times,
        hearing: Option<Hearing>,
    ) -> Result<Response<Arriving>, Failure> {
        self.sent(request, Terms::from_now(times, caller, Whose::Single(caller)), hearing).await
    }

    /// A response to what was sent for all, which is `caller`'s alone: what of it is under way counts as his. `None` where he has too
    /// much already.
    pub fn for_one(&self, response: Response<Arriving>, caller: Caller) -> Option<Response<Arriving>> {
        if response.body().is_end_stream() {
            return Some(response);
        }
        let share = self.pool.seats.try_share(caller)?;
        Some(response.map(|body| Alone::new(body, share).boxed_unsync()))
    }

    async fn sent(
        &self,
        request: Request<Sent>,
        terms: Terms,
        hearing: Option<Hearing>,
    ) -> Result<Response<Arriving>, Failure> {
        if self.pool.is_plain() && own::takes(&request) {
            return own::exchange::exchange(&self.pool, request, terms, hearing).await;
        }
        // Its room is not part of every request.
        let exchanged = Box::pin(exchange::exchange(&self.pool, request, terms, hearing));
        timeout_at(terms.total, exchanged).await.unwrap_or(Err(Failure::TotalTimeout))
    }

    /// Whether [`Upstream::straight`] may be asked: its requests are its clients' own, by HTTP/1.1.
    pub fn is_plain(&self) -> bool {
        self.pool.is_plain()
    }

    /// Sends a GET or HEAD without a body, whose head is written already.
    pub fn straight(&self, head: Vec<u8>, to_head: bool, caller: Caller, times: Times) -> Straight {
        Straight::new(&self.pool, head, to_head, Terms::from_now(times, caller, Whose::Single(caller)))
    }

    /// What could not be answered straight.
    pub async fn go_on(&self, straight: Straight, hearing: Option<Hearing>) -> Result<Response<Arriving>, Failure> {
        straight.go_on(&self.pool, hearing).await
    }

    #[cfg(test)]
    async fn send(&self, request: Request<Sent>, caller: Caller) -> Result<Response<Arriving>, Failure> {
        self.send_within(request, caller, self.plan.times(), None).await
    }
}
