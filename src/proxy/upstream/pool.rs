//! Connections of one upstream: how many at once, who waits, which place is next. Knows nothing of requests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use super::connect::{Dialer, Link, Single, single};
use super::names::{Names, Place};
use super::places::{IDLE_MOST, Places};
use super::plan::Plan;
use super::wire::Carrier;
use crate::proxy::failure::Failure;

/// Places tried for one request, before it is told that there is none.
const TRIES_MOST: usize = 4;
/// A response was read to its end, and the connection is not ready for the next request: it never will be, or the rest
/// of a request that was answered early is still on its way.
const READY_MOST: Duration = Duration::from_secs(1);

/// See above. A connection lives on the runtime that opened it, and may be used from another.
pub struct Pool {
    dialer: Dialer,
    names: Names,
    hosts: Vec<String>,
    seats: Arc<Semaphore>,
    waiting: AtomicUsize,
    waiting_most: usize,
    connect: Duration,
    places: Mutex<Places>,
}

/// One of the connections that there may be at once.
pub struct Seat {
    _permit: OwnedSemaphorePermit,
}

/// What a request wants of a connection.
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
}

/// What a connection in use takes up.
pub struct Hold {
    visit: Visit,
    seat: Seat,
}

/// Somebody under way to a place.
struct Visit {
    pool: Arc<Pool>,
    place: Place,
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.pool.places().end(self.place);
    }
}

impl Pool {
    pub fn new(plan: &Plan) -> Pool {
        Pool {
            dialer: Dialer::new(plan),
            names: Names::new(&plan.origins),
            hosts: plan.origins.iter().map(|origin| origin.host.clone()).collect(),
            seats: Arc::new(Semaphore::new(plan.connections.min(Semaphore::MAX_PERMITS))),
            waiting: AtomicUsize::new(0),
            waiting_most: plan.waiting,
            connect: plan.connect,
            places: Mutex::default(),
        }
    }

    pub fn is_secure(&self) -> bool {
        self.dialer.is_secure()
    }

    /// Waits for a seat, if not too many do.
    pub async fn seat(&self) -> Result<Seat, Failure> {
        if let Ok(permit) = self.seats.clone().try_acquire_owned() {
            return Ok(Seat { _permit: permit });
        }
        let waiter = Waiter(&self.waiting);
        if waiter.0.fetch_add(1, Ordering::Relaxed) >= self.waiting_most {
            return Err(Failure::Full);
        }
        match timeout(self.connect, self.seats.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Seat { _permit: permit }),
            _ => Err(Failure::Full),
        }
    }

    /// A connection to the best place that takes one.
    pub async fn lease(self: &Arc<Self>, seat: Seat, way: Way) -> Result<Lease, Failure> {
        let deadline = Instant::now() + self.connect;
        let found = self.names.places(deadline).await?;
        let mut ordered = self.places().order(found, Instant::now());
        ordered.truncate(TRIES_MOST);
        let mut seat = Some(seat);
        let mut worst = Failure::Unreachable;
        for (tried, place) in ordered.iter().enumerate() {
            let left = u32::try_from(ordered.len() - tried).unwrap_or(u32::MAX);
            let visit = self.visit(*place);
            // A place that swallows everything leaves time for the others.
            let share = deadline.saturating_duration_since(Instant::now()) / left;
            match timeout(share, self.reach(*place, way)).await {
                Ok(Ok((reached, is_reused))) => {
                    let Some(seat) = seat.take() else { break };
                    let hold = Hold { visit, seat };
                    return match reached {
                        Reached::Link(link) => Ok(Lease { link, is_reused, hold: Some(hold) }),
                        Reached::Carrier(carrier) => {
                            let link = Link::Single(single(*carrier, hold).await?);
                            Ok(Lease { link, is_reused, hold: None })
                        }
                    };
                }
                Ok(Err(failure)) => worst = worse(worst, failure),
                Err(_) => worst = worse(worst, Failure::ConnectTimeout),
            }
            self.places().failed(*place, Instant::now());
        }
        Err(worst)
    }

    async fn reach(self: &Arc<Self>, place: Place, way: Way) -> Result<(Reached, bool), Failure> {
        if way == Way::Any
            && let Some(link) = self.places().take(place, Instant::now())
        {
            return Ok((Reached::Link(link), true));
        }
        self.make_room();
        let host = self.hosts[place.origin].as_str();
        if way == Way::Upgrade {
            let carrier = self.dialer.reach_http1(place.address, host).await?;
            self.places().reached(place);
            return Ok((Reached::Carrier(Box::new(carrier)), false));
        }
        if !self.dialer.may_speak_http2() {
            let link = self.dialer.dial(place.address, host).await?;
            self.places().reached(place);
            return Ok((Reached::Link(link), false));
        }
        let dialing = self.places().dialing(place);
        let mut turn = None;
        if let Some(dialing) = dialing {
            let locked = dialing.lock_owned().await;
            let mut places = self.places();
            if let Some(many) = places.shared(place, Instant::now()) {
                return Ok((Reached::Link(Link::Many(many)), true));
            }
            // Whoever was here before has learnt that there is nothing to share.
            turn = places.dialing(place).map(|_| locked);
        }
        let link = self.dialer.dial(place.address, host).await?;
        let mut places = self.places();
        places.reached(place);
        places.speaks(place, matches!(link, Link::Many(_)));
        if let Link::Many(many) = &link {
            places.share(place, many.clone(), Instant::now());
            self.sweep_later(&mut places);
        }
        drop(turn);
        Ok((Reached::Link(link), false))
    }

    fn visit(self: &Arc<Self>, place: Place) -> Visit {
        self.places().begin(place);
        Visit { pool: self.clone(), place }
    }

    /// For one more connection: idle ones count, too.
    fn make_room(&self) {
        self.places().make_room(self.seats.available_permits());
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub fn idle(&self) -> usize {
        self.places().idle()
    }

    /// Somebody has to close what nobody asks for any more.
    fn sweep_later(self: &Arc<Self>, places: &mut Places) {
        if !places.is_swept
            && let Ok(runtime) = Handle::try_current()
        {
            places.is_swept = true;
            runtime.spawn(sweep(Sweeper(Arc::downgrade(self))));
        }
    }
}

enum Reached {
    Link(Link),
    Carrier(Box<Carrier>),
}

/// What a certificate or TLS lacks says more than that another place is away.
fn worse(one: Failure, other: Failure) -> Failure {
    if matches!(one, Failure::Certificate | Failure::Tls) { one } else { other }
}

/// One who waits; also when he goes away.
struct Waiter<'a>(&'a AtomicUsize);

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Ends with its runtime; then the next one who puts something back starts another.
struct Sweeper(Weak<Pool>);

impl Drop for Sweeper {
    fn drop(&mut self) {
        if let Some(pool) = self.0.upgrade() {
            pool.places().is_swept = false;
        }
    }
}

async fn sweep(sweeper: Sweeper) {
    loop {
        sleep(IDLE_MOST).await;
        let Some(pool) = sweeper.0.upgrade() else { return };
        let mut places = pool.places();
        if !places.sweep(Instant::now()) {
            places.is_swept = false;
            return;
        }
    }
}

impl Lease {
    /// The response has been read to its end: whoever comes next may have the connection.
    pub fn give_back(self) {
        let (Link::Single(mut single), Some(hold)) = (self.link, self.hold) else { return };
        if single.sender.is_ready() {
            return hold.put(single);
        }
        if single.sender.is_closed() {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                if let Ok(Ok(())) = timeout(READY_MOST, single.sender.ready()).await {
                    hold.put(single);
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
    fn put(self, single: Single) {
        let pool = &self.visit.pool;
        let mut places = pool.places();
        places.put(self.visit.place, single, Instant::now());
        pool.sweep_later(&mut places);
    }
}
