//! The way to an origin: names, connections, TLS, limits of time. Knows nothing of caches.

mod plan;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;

use super::failure::Failure;
pub use plan::{HostOut, Origin, Plan};

/// A request's body on its way to an origin.
pub type Sent = UnsyncBoxBody<Bytes, Failure>;
/// A response's body on its way from an origin: ends with a [`Failure`] where it is not whole.
pub type Arriving = UnsyncBoxBody<Bytes, Failure>;

/// An origin at one or more addresses.
pub struct Upstream {
    plan: Plan,
}

impl Upstream {
    /// Connects to nobody yet.
    pub fn new(plan: Plan) -> Upstream {
        Upstream { plan }
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Sends one request and returns the response's head; the body arrives as it is read. The target is in absolute form;
    /// its host is what `Host` and `:authority` say, not where it goes.
    pub async fn send(&self, request: Request<Sent>) -> Result<Response<Arriving>, Failure> {
        let _ = request;
        Err(Failure::Unreachable)
    }
}
