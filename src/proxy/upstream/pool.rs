//! Connections of one upstream: which place is next, and what lies idle; how many at once is [`seats`](super::seats)'. Knows nothing of requests.
//! What it lends is a [`Lease`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout};

use super::connect::{Dialer, Link, Target, single};
use super::deadlines::Deadlines;
use super::health::Word;
use super::lease::{Hold, Lease, Visit, Want, Way};
use super::names::{Names, Place};
use super::own::wire::Own;
use super::places::{IDLE_MOST, Idle, Places};
use super::plan::Plan;
use super::seats::{Seat, Seats};
use super::tell::Teller;
use super::wire::Carrier;
use crate::proxy::failure::Failure;

/// Places tried for one request, before it is told that there is none.
const TRIES_MOST: usize = 4;

/// See above. A connection lives on the runtime that opened it, and may be used from another.
pub struct Pool {
    dialer: Dialer,
    names: Names,
    hosts: Vec<String>,
    pub seats: Seats,
    pub deadlines: Arc<Deadlines>,
    connect: Duration,
    places: Mutex<Places>,
    teller: Teller,
}

impl Pool {
    pub fn new(plan: &Plan, teller: Teller) -> Pool {
        Pool {
            dialer: Dialer::new(plan),
            names: Names::new(&plan.origins),
            hosts: plan.origins.iter().map(|origin| origin.host.clone()).collect(),
            seats: Seats::new(plan.connections, plan.waiting, plan.connect),
            deadlines: Arc::default(),
            connect: plan.connect,
            places: Mutex::new(Places::new(plan.slow_start)),
            teller,
        }
    }

    pub fn is_secure(&self) -> bool {
        self.dialer.is_secure()
    }

    /// Its connections are for HTTP/1.1 alone, and for one request after the other.
    pub fn is_plain(&self) -> bool {
        !self.dialer.may_speak_http2() && !self.dialer.is_for_one()
    }

    /// See [`Dialer::is_for_one`].
    pub fn is_for_one(&self) -> bool {
        self.dialer.is_for_one()
    }

    /// Whether there is a place beside the one that was tried.
    pub fn has_several(&self) -> bool {
        self.places().count() > 1
    }

    /// What [`Pool::lease`] would lend at once: an idle connection to the best place. Its future has room for a handshake,
    /// which would be moved about with each request.
    pub fn lend(self: &Arc<Self>, seat: Seat, want: Want) -> Result<Lease, Seat> {
        let Some(found) = self.names.ready() else { return Err(seat) };
        let now = Instant::now();
        let mut places = self.places();
        let best = places.order(found, now).first().copied();
        let found = best.and_then(|place| Some((place, places.take(place, want.own, now)?)));
        let Some((place, link)) = found else { return Err(seat) };
        places.begin(place, now);
        drop(places);
        let hold = Some(Hold { visit: Visit::begun(self, place), seat });
        Ok(Lease { link, is_reused: true, hold, pool: self.clone(), place, since: now })
    }

    /// A connection to the best place that takes one.
    pub async fn lease(self: &Arc<Self>, seat: Seat, want: Want) -> Result<Lease, Failure> {
        let deadline = Instant::now() + self.connect;
        let found = self.names.places(deadline).await?;
        let mut ordered = self.places().order(found, Instant::now());
        ordered.truncate(TRIES_MOST);
        // It keeps the order of the others.
        ordered.sort_by_key(|place| want.not == Some(*place));
        let mut seat = Some(seat);
        let mut worst = Failure::Unreachable;
        for (tried, place) in ordered.iter().enumerate() {
            let left = u32::try_from(ordered.len() - tried).unwrap_or(u32::MAX);
            let visit = Visit::new(self, *place);
            // A place that swallows everything leaves time for the others.
            let share = deadline.saturating_duration_since(Instant::now()) / left;
            match timeout(share, self.reach(*place, want)).await {
                Ok(Ok((reached, is_reused))) => {
                    let Some(seat) = seat.take() else { break };
                    let hold = Hold { visit, seat };
                    let (link, hold) = match reached {
                        Reached::Link(link) => (link, Some(hold)),
                        Reached::Carrier(carrier) => (Link::Single(single(*carrier, hold).await?), None),
                    };
                    let (pool, since) = (self.clone(), Instant::now());
                    return Ok(Lease { link, is_reused, hold, pool, place: *place, since });
                }
                Ok(Err(failure)) => worst = worse(worst, failure),
                Err(_) => worst = worse(worst, Failure::ConnectTimeout),
            }
            self.places().failed(*place, Instant::now());
        }
        Err(worst)
    }

    async fn reach(self: &Arc<Self>, place: Place, want: Want) -> Result<(Reached, bool), Failure> {
        if want.way == Way::Any
            && let Some(link) = self.take(place, want.own)
        {
            let link = match link {
                Link::Own(own) if !want.own => Link::Single(single(own.into_carrier(), ()).await?),
                link => link,
            };
            return Ok((Reached::Link(link), true));
        }
        self.make_room();
        let (to, caller) = (self.target(place), Some(want.caller));
        if want.way == Way::Upgrade {
            let carrier = self.dialer.reach_http1(to, caller).await?;
            self.places().reached(place, Instant::now());
            return Ok((Reached::Carrier(Box::new(carrier)), false));
        }
        if want.own {
            let carrier = self.dialer.reach_http1(to, caller).await?;
            self.places().reached(place, Instant::now());
            return Ok((Reached::Link(Link::Own(Own::new(carrier))), false));
        }
        if !self.dialer.may_speak_http2() {
            let link = self.dialer.dial(to, caller).await?;
            self.places().reached(place, Instant::now());
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
        let link = self.dialer.dial(to, caller).await?;
        let mut places = self.places();
        places.reached(place, Instant::now());
        places.speaks(place, matches!(link, Link::Many(_)));
        if let Link::Many(many) = &link {
            places.share(place, many.clone(), Instant::now());
            self.sweep_later(&mut places);
        }
        drop(turn);
        Ok((Reached::Link(link), false))
    }

    /// The lock is let go before anybody waits.
    fn take(&self, place: Place, own: bool) -> Option<Link> {
        self.places().take(place, own, Instant::now())
    }

    /// All places of it, for one who asks them all.
    pub async fn all(&self, deadline: Instant) -> Result<Vec<Place>, Failure> {
        self.names.places(deadline).await
    }

    /// A connection of our own, beside those that there may be at once.
    pub async fn dial(&self, place: Place) -> Result<Link, Failure> {
        self.dialer.dial(self.target(place), None).await
    }

    /// A connection that somebody else may have.
    pub fn put(self: &Arc<Self>, place: Place, idle: Idle) {
        let mut places = self.places();
        places.put(place, idle, Instant::now());
        self.sweep_later(&mut places);
    }

    /// What the answer to a request that began at `began` says of a place, and how that is called.
    pub fn heard(&self, place: Place, word: Word, began: Instant, why: &str) {
        let turn = self.places().heard(place, word, began, Instant::now());
        if let Some(turn) = turn {
            self.teller.turned(place.address, turn, why);
        }
    }

    /// What a check of a place came to, and what was seen.
    pub fn checked(&self, place: Place, is_well: bool, why: &str) {
        let turn = self.places().checked(place, is_well, Instant::now());
        if let Some(turn) = turn {
            self.teller.turned(place.address, turn, why);
        }
    }

    pub fn teller(&self) -> &Teller {
        &self.teller
    }

    fn target(&self, place: Place) -> Target<'_> {
        Target { address: place.address, host: &self.hosts[place.origin] }
    }

    /// For one more connection: idle ones count, too.
    fn make_room(&self) {
        self.places().make_room(self.seats.free());
    }

    pub fn places(&self) -> MutexGuard<'_, Places> {
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
