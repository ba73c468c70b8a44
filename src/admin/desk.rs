//! Whom the operators' side asks.

use tokio::sync::oneshot;

use crate::ingest::{Arrival, Handle, Outcome, Wish, WishFault};

/// The operator, or a test in its place. `deliver` and `wish` may block; a receiver whose sender is dropped says that
/// nobody is there any more.
pub trait Desk: Send + Sync + 'static {
    fn notify(&self);
    fn deliver(&self, arrival: Arrival) -> oneshot::Receiver<Outcome>;
    fn wish(&self, wish: Wish) -> oneshot::Receiver<Result<String, WishFault>>;
}

impl Desk for Handle {
    fn notify(&self) {
        Handle::notify(self);
    }

    fn deliver(&self, arrival: Arrival) -> oneshot::Receiver<Outcome> {
        Handle::deliver(self, arrival)
    }

    fn wish(&self, wish: Wish) -> oneshot::Receiver<Result<String, WishFault>> {
        Handle::wish(self, wish)
    }
}
