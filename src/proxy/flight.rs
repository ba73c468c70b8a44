//! Requests on their way to an origin that others wait for: one a key (RFC 9111, 4, allows to collapse them).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use tokio::sync::watch;

use super::failure::Failure;
use super::freshness::Kept;
use super::growing::Growing;
use super::store::Stored;
use super::vary::Vary;
use super::voice::Voice;

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
    /// It is so for the leader, and for who asks just as he does: all others ask again, together.
    Only(Voice, Arc<Landed>),
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
    /// What the origin has said, which may have been about the rest of what was here.
    pub answered: StatusCode,
    pub fields: HeaderMap,
    /// Fields that only the one who asked may have (RFC 9111, 5.2.2.7).
    pub private: HeaderMap,
    pub vary: Vary,
    pub selects: Vec<u8>,
    /// What tells how old it is by now.
    pub kept: Kept,
    pub body: Growing,
}

/// A flight, as its waiters have it.
pub type Flight = watch::Receiver<Option<Landed>>;

/// And whether its answer may be of the time before a write.
type Flying = (Flight, Arc<AtomicBool>);

/// All that are under way.
#[derive(Default)]
pub struct Flights {
    flying: Mutex<HashMap<Vec<u8>, Flying>>,
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
    is_old: Arc<AtomicBool>,
}

impl Flights {
    pub fn board(self: &Arc<Self>, key: Vec<u8>) -> Boarded {
        let mut flying = self.flying.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((flight, _)) = flying.get(&key) {
            return Boarded::Joined(flight.clone());
        }
        let (tell, flight) = watch::channel(None);
        let is_old = Arc::<AtomicBool>::default();
        flying.insert(key.clone(), (flight.clone(), is_old.clone()));
        Boarded::Leads(Lead { flights: self.clone(), key, tell, is_old }, flight)
    }

    /// An address was written to: what is under way to it may be of the time before. Nobody joins it any more.
    pub fn outdate(&self, address: &str) {
        let mut flying = self.flying.lock().unwrap_or_else(PoisonError::into_inner);
        flying.retain(|key, (_, is_old)| {
            let is_it = key.strip_prefix(address.as_bytes()).is_some_and(|rest| rest.starts_with(b"\n"));
            is_old.fetch_or(is_it, SeqCst);
            !is_it
        });
    }

    /// There was a purge: what is under way may be of the time before. Nobody joins it any more.
    pub fn part(&self) {
        self.flying.lock().unwrap_or_else(PoisonError::into_inner).clear();
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
    /// See [`Flights::outdate`].
    pub fn is_old(&self) -> bool {
        self.is_old.load(SeqCst)
    }

    /// Nobody joins any more: what was told is for those who had asked before.
    pub fn close(&self) {
        let mut flying = self.flights.flying.lock().unwrap_or_else(PoisonError::into_inner);
        if flying.get(&self.key).is_some_and(|(flight, _)| flight.same_channel(&self.tell.subscribe())) {
            flying.remove(&self.key);
        }
    }
}

impl Lead {
    /// Resolves once everybody who was told has taken it, or is gone, where it is closed: nobody is to come any more.
    pub async fn is_heard(&self) {
        self.tell.closed().await;
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
    fn a_closed_flight_is_heard_once_all_who_had_boarded_have_let_go_of_it() {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let flights = Arc::new(Flights::default());
            let Boarded::Leads(lead, first) = flights.board(b"k".to_vec()) else { panic!() };
            let Boarded::Joined(other) = flights.board(b"k".to_vec()) else { panic!() };
            lead.tell(Landed::Failed(Failure::Reset));
            lead.close();
            let heard = tokio::spawn(async move { lead.is_heard().await });
            for flight in [first, other] {
                tokio::task::yield_now().await;
                assert!(!heard.is_finished());
                assert!(flights.wait(flight, Duration::from_secs(60)).await.is_ok());
            }
            heard.await.unwrap();
        });
    }

    #[test]
    fn what_is_written_to_is_asked_for_anew() {
        let flights = Arc::new(Flights::default());
        let lead = |name: &str| match flights.board(name.into()) {
            Boarded::Leads(lead, _) => lead,
            Boarded::Joined(_) => panic!("{name} is under way"),
        };
        let (it, by_corte, other) = (lead("http://a/b\n\n"), lead("http://a/b\ncorte c\n\n"), lead("http://a/bc\n\n"));
        flights.outdate("http://a/b");
        assert!(it.is_old() && by_corte.is_old() && !other.is_old());
        let anew = lead("http://a/b\n\n");
        drop(it);
        assert!(!anew.is_old());
        assert!(
            matches!(flights.board(b"http://a/b\n\n".to_vec()), Boarded::Joined(_)),
            "another's end is not its own"
        );
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
