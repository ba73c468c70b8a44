//! Requests on their way to an origin that others wait for: one a key (RFC 9111, 4, allows to collapse them).

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use tokio::sync::watch;

use super::failure::Failure;
use super::growing::Growing;
use super::store::Stored;
use super::vary::Vary;

/// Who may wait for others' answers at once, all keys together: more connections than one machine has, with HTTP/2's
/// streams on some of them.
const WAITING_MAX: usize = 200_000;

/// What a flight has come to. Everybody reads it; it only goes forward.
#[derive(Clone)]
pub enum Landed {
    /// An answer for all whom its `vary` selects, whose body is still growing.
    Shared(Arc<Shared>),
    /// One that is stored already: validated, or still good enough.
    Stored(Arc<Stored>, How),
    /// Nobody else may have it, for this reason: each has to ask for his own.
    Alone(&'static str),
    Failed(Failure),
}

/// How it comes that a stored answer is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// 304
    Validated,
    /// It had come just before.
    Found,
    /// The origin failed so, and stale is better than nothing (RFC 5861, 4).
    DespiteFailure(Option<Failure>, Option<StatusCode>),
}

/// An answer on its way.
pub struct Shared {
    pub status: StatusCode,
    pub fields: HeaderMap,
    pub vary: Vary,
    pub selects: Vec<u8>,
    /// Age when it came, seconds.
    pub age: u32,
    /// Seconds of freshness that it came with.
    pub left: i64,
    pub body: Growing,
}

/// A flight, as its waiters have it.
pub type Flight = watch::Receiver<Option<Landed>>;

/// All that are under way.
#[derive(Default)]
pub struct Flights {
    flying: Mutex<HashMap<Vec<u8>, Flight>>,
    waiting: AtomicUsize,
}

/// What became of a wish to fly.
pub enum Boarded {
    /// Another has asked already.
    Joined(Flight),
    /// This one has to ask; the others wait until it has told, or dropped, this.
    Leads(Lead, Flight),
}

/// The duty to tell those who wait.
pub struct Lead {
    flights: Arc<Flights>,
    key: Vec<u8>,
    tell: watch::Sender<Option<Landed>>,
}

impl Flights {
    pub fn board(self: &Arc<Self>, key: Vec<u8>) -> Boarded {
        let mut flying = self.flying.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flying.get(&key) {
            return Boarded::Joined(flight.clone());
        }
        let (tell, flight) = watch::channel(None);
        flying.insert(key.clone(), flight.clone());
        Boarded::Leads(Lead { flights: self.clone(), key, tell }, flight)
    }

    /// Waits for what a flight comes to.
    pub async fn wait(&self, mut flight: Flight, most: Duration) -> Result<Landed, Failure> {
        let _place = Place::take(&self.waiting).ok_or(Failure::Crowd)?;
        let landed = tokio::time::timeout(most, flight.wait_for(Option::is_some)).await;
        match landed {
            Err(_) => Err(Failure::Crowd),
            // The one who asked is gone without a word: its runtime has ended.
            Ok(Err(_)) => Err(Failure::Reset),
            Ok(Ok(landed)) => landed.clone().ok_or(Failure::Reset),
        }
    }
}

/// One who waits.
struct Place<'f>(&'f AtomicUsize);

impl<'f> Place<'f> {
    fn take(waiting: &'f AtomicUsize) -> Option<Place<'f>> {
        // Before it is looked at, so that it is given back in any case.
        let place = Place(waiting);
        (waiting.fetch_add(1, Relaxed) < WAITING_MAX).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Lead {
    /// Tells everybody. Who comes while a shared body grows joins it still.
    pub fn tell(&self, landed: Landed) {
        self.tell.send_replace(Some(landed));
    }
}

impl Lead {
    /// Nobody joins any more: what was told is for those who had asked before.
    pub fn close(&self) {
        let mut flying = self.flights.flying.lock().unwrap_or_else(PoisonError::into_inner);
        if flying.get(&self.key).is_some_and(|flight| flight.same_channel(&self.tell.subscribe())) {
            flying.remove(&self.key);
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_leads_and_all_are_told() {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let flights = Arc::new(Flights::default());
            let Boarded::Leads(lead, first) = flights.board(b"k".to_vec()) else { panic!("nobody was before") };
            let mut all = vec![first];
            for _ in 0..1000 {
                let Boarded::Joined(flight) = flights.board(b"k".to_vec()) else { panic!("a second one leads") };
                all.push(flight);
            }
            lead.tell(Landed::Failed(Failure::Reset));
            for flight in all {
                let landed = flights.wait(flight, Duration::from_secs(60)).await.unwrap();
                assert!(matches!(landed, Landed::Failed(Failure::Reset)));
            }
            drop(lead);
            assert!(matches!(flights.board(b"k".to_vec()), Boarded::Leads(..)));
            assert_eq!(flights.waiting.load(Relaxed), 0);
        });
    }

    #[test]
    fn nobody_waits_for_one_who_is_gone_or_silent() {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let flights = Arc::new(Flights::default());
            let Boarded::Leads(lead, flight) = flights.board(b"k".to_vec()) else { panic!() };
            let waited = flights.wait(flight.clone(), Duration::ZERO).await;
            assert_eq!(waited.err(), Some(Failure::Crowd));
            drop(lead);
            assert_eq!(flights.wait(flight, Duration::from_secs(10)).await.err(), Some(Failure::Reset));
        });
    }
}
