//! A connection in use, and what comes of it: given back, gone, or somebody else's; and what it says of its place.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use super::connect::Link;
use super::fault::Untouched;
use super::health::Word;
use super::names::Place;
use super::places::Idle;
use super::pool::Pool;
use super::preface::Caller;
use super::seats::Seat;

/// A response was read to its end, and the connection is not ready for the next request: it never will be, or the rest
/// of a request that was answered early is still on its way.
const READY_MOST: Duration = Duration::from_secs(1);

/// What a request wants of a connection.
#[derive(Clone, Copy)]
pub struct Want {
    pub way: Way,
    /// Over a connection of our own HTTP/1.1 ([`Link::Own`]), or of hyper's.
    pub own: bool,
    /// On whose behalf.
    pub caller: Caller,
    /// A place that has just given no answer: only if there is no other.
    pub not: Option<Place>,
}

/// Which connection will do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Any,
    /// One that has not been used before: an idle one has just disappointed.
    Fresh,
    /// One that may become something else, and nobody's afterwards.
    Upgrade,
}

/// A connection in use. Dropped, it is gone, but for a shared one.
pub struct Lease {
    pub link: Link,
    /// It lay ready.
    pub is_reused: bool,
    /// Upgraded connections hold theirs by themselves.
    pub hold: Option<Hold>,
    pub pool: Arc<Pool>,
    pub place: Place,
    /// When it was ready for the request.
    pub since: Instant,
}

/// What a connection in use takes up.
pub struct Hold {
    pub visit: Visit,
    pub seat: Seat,
}

/// Somebody under way to a place.
pub struct Visit {
    pool: Arc<Pool>,
    place: Place,
}

impl Visit {
    pub fn new(pool: &Arc<Pool>, place: Place) -> Visit {
        pool.places().begin(place, Instant::now());
        Visit::begun(pool, place)
    }

    /// The same of what `places` know already.
    pub fn begun(pool: &Arc<Pool>, place: Place) -> Visit {
        Visit { pool: pool.clone(), place }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.pool.places().end(self.place);
    }
}

impl Lease {
    /// What the answer says of the place, and how it is called.
    pub fn tell(&self, word: Word, why: &str) {
        self.pool.heard(self.place, word, self.since, why);
    }

    /// Nobody else is to be lent a connection that has ended so; those who share it go on as long as it does.
    pub fn is_over(&self, untouched: Untouched) {
        if let (Link::Many(many), Untouched::Perhaps | Untouched::Leaving) = (&self.link, untouched) {
            self.pool.places().unshare(self.place, many.number);
        }
    }

    /// The response has been read to its end: whoever comes next may have the connection.
    pub fn give_back(self) {
        let Some(hold) = self.hold.filter(|_| !self.pool.is_for_one()) else { return };
        let mut single = match self.link {
            Link::Own(own) if own.is_clean() => return hold.put(Idle::Own(own)),
            Link::Own(_) | Link::Many(_) => return,
            Link::Single(single) => single,
        };
        if single.sender.is_ready() {
            return hold.put(Idle::Single(single));
        }
        if single.sender.is_closed() {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                if let Ok(Ok(())) = timeout(READY_MOST, single.sender.ready()).await {
                    hold.put(Idle::Single(single));
                }
            });
        }
    }

    /// The seat, for another try.
    pub fn into_seat(self) -> Option<Seat> {
        self.hold.map(|hold| hold.seat)
    }
}

impl Hold {
    fn put(self, idle: Idle) {
        self.visit.pool.put(self.visit.place, idle);
    }
}
