//! Who may have a connection now, and who waits for one. What is for one client alone leaves some for what is for all, and some of
//! its own part for other clients: nobody takes every connection by not reading.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::preface::Caller;
use crate::base::network::{Client, client};
use crate::proxy::failure::Failure;

/// Of all that there are, so many quarters may be had for single clients; and of these, so many for what lasts.
const PART_QUARTERS: usize = 3;
/// One client has this part of what is for single clients: thousands may share an address behind their carrier's NAT, and two of them
/// fill it all the same.
const CLIENT_PART: usize = 2;
/// Clients that are remembered though none of them has or awaits anything: it is cheaper than to forget each.
const REMEMBERED_MOST: usize = 1 << 10;

/// For whom a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// For all who ask alike.
    Shared,
    /// For one client.
    Single(Caller),
    /// The same, for as long as both sides like.
    Lasting(Caller),
}

/// All seats of an upstream.
pub struct Seats {
    all: Arc<Semaphore>,
    single: Part,
    lasting: Part,
    /// Places to wait in.
    waiting: Arc<Semaphore>,
    waiting_single: Part,
    /// How long.
    patience: Duration,
}

/// One of the connections that there may be at once; or a place to wait for it.
pub struct Seat {
    _one: OwnedSemaphorePermit,
    _single: Option<Share>,
    _lasting: Option<Box<Share>>,
}

/// What single clients may have.
struct Part {
    all: Arc<Semaphore>,
    /// One of them.
    each: usize,
    clients: Mutex<Clients>,
}

#[derive(Default)]
struct Clients {
    known: HashMap<Client, Arc<Semaphore>>,
    /// With so many, who has and awaits nothing is forgotten.
    most: usize,
}

/// What single clients have of them.
pub struct Share {
    _one: OwnedSemaphorePermit,
    /// `None`: of a crowd, which is not one client.
    _of_client: Option<OwnedSemaphorePermit>,
}

/// Of none nothing, of one that one.
fn part(of: usize) -> usize {
    (of / 4 * PART_QUARTERS + of % 4 * PART_QUARTERS / 4).max(of.min(1))
}

impl Seats {
    /// So many, and so many may wait, for so long.
    pub fn new(count: usize, waiting: usize, patience: Duration) -> Seats {
        let (count, waiting) = (count.min(Semaphore::MAX_PERMITS), waiting.min(Semaphore::MAX_PERMITS));
        Seats {
            all: Arc::new(Semaphore::new(count)),
            single: Part::new(part(count)),
            lasting: Part::new(part(part(count))),
            waiting: Arc::new(Semaphore::new(waiting)),
            waiting_single: Part::new(part(waiting)),
            patience,
        }
    }

    /// Those that nobody has.
    pub fn free(&self) -> usize {
        self.all.available_permits()
    }

    /// A seat, if one is free.
    pub fn try_take(&self, whose: Whose) -> Option<Seat> {
        let lasting = match whose {
            Whose::Lasting(caller) => Some(Box::new(self.lasting.try_take(caller)?)),
            _ => None,
        };
        let single = match whose {
            Whose::Single(caller) | Whose::Lasting(caller) => Some(self.single.try_take(caller)?),
            Whose::Shared => None,
        };
        let one = self.all.clone().try_acquire_owned().ok()?;
        Some(Seat { _one: one, _single: single, _lasting: lasting })
    }

    /// For what was for all until it was known that it is for one client alone: `None` where he has no more.
    pub fn try_share(&self, caller: Caller) -> Option<Share> {
        self.single.try_take(caller)
    }

    /// Waits for a seat, if not too many do.
    pub async fn take(&self, whose: Whose) -> Result<Seat, Failure> {
        if let Some(seat) = self.try_take(whose) {
            return Ok(seat);
        }
        let _place = self.try_wait(whose).ok_or(Failure::Full)?;
        timeout(self.patience, self.taken(whose)).await.ok().flatten().ok_or(Failure::Full)
    }

    /// In the order of [`Seats::try_take`], so that nobody waits for who waits for him.
    async fn taken(&self, whose: Whose) -> Option<Seat> {
        let lasting = match whose {
            Whose::Lasting(caller) => Some(Box::new(self.lasting.take(caller).await?)),
            _ => None,
        };
        let single = match whose {
            Whose::Single(caller) | Whose::Lasting(caller) => Some(self.single.take(caller).await?),
            Whose::Shared => None,
        };
        let one = self.all.clone().acquire_owned().await.ok()?;
        Some(Seat { _one: one, _single: single, _lasting: lasting })
    }

    fn try_wait(&self, whose: Whose) -> Option<Seat> {
        let single = match whose {
            Whose::Single(caller) | Whose::Lasting(caller) => Some(self.waiting_single.try_take(caller)?),
            Whose::Shared => None,
        };
        let one = self.waiting.clone().try_acquire_owned().ok()?;
        Some(Seat { _one: one, _single: single, _lasting: None })
    }
}

impl Part {
    fn new(count: usize) -> Part {
        let clients = Mutex::new(Clients { known: HashMap::new(), most: REMEMBERED_MOST });
        Part { all: Arc::new(Semaphore::new(count)), each: count.div_ceil(CLIENT_PART), clients }
    }

    fn try_take(&self, caller: Caller) -> Option<Share> {
        let of_client = match self.client(caller) {
            Some(seats) => Some(seats.try_acquire_owned().ok()?),
            None => None,
        };
        Some(Share { _one: self.all.clone().try_acquire_owned().ok()?, _of_client: of_client })
    }

    async fn take(&self, caller: Caller) -> Option<Share> {
        let of_client = match self.client(caller) {
            Some(seats) => Some(seats.acquire_owned().await.ok()?),
            None => None,
        };
        Some(Share { _one: self.all.clone().acquire_owned().await.ok()?, _of_client: of_client })
    }

    fn client(&self, caller: Caller) -> Option<Arc<Semaphore>> {
        if caller.is_crowd {
            return None;
        }
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let network = client(caller.from.ip());
        if let Some(seats) = clients.known.get(&network) {
            return Some(seats.clone());
        }
        if clients.known.len() >= clients.most {
            // Whoever has or awaits one holds on to it.
            clients.known.retain(|_, seats| Arc::strong_count(seats) > 1);
            clients.most = REMEMBERED_MOST.max(2 * clients.known.len());
        }
        let seats = Arc::new(Semaphore::new(self.each));
        clients.known.insert(network, seats.clone());
        Some(seats)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::net::IpAddr;
    use std::pin::Pin;
    use std::task::Poll;

    use super::*;

    async fn is_ready(future: Pin<&mut impl Future>) -> bool {
        let mut future = Some(future);
        poll_fn(|cx| Poll::Ready(future.take().is_some_and(|future| future.poll(cx).is_ready()))).await
    }

    fn from(last: u8) -> Caller {
        Caller::of([192, 0, 2, last].into())
    }

    /// As many as there are.
    fn all(seats: &Seats, whose: Whose) -> Vec<Seat> {
        std::iter::from_fn(|| seats.try_take(whose)).collect()
    }

    #[test]
    fn who_may_have_how_many() {
        for (count, single, client, lasting) in
            [(0, 0, 0, 0), (1, 1, 1, 1), (2, 1, 1, 1), (3, 2, 1, 1), (4, 3, 2, 2), (8, 6, 3, 4), (64, 48, 24, 36)]
        {
            let seats = Seats::new(count, 0, Duration::ZERO);
            assert_eq!(all(&seats, Whose::Shared).len(), count);
            assert_eq!(all(&seats, Whose::Single(from(1))).len(), client, "of {count}");
            let crowd = Caller { is_crowd: true, ..from(1) };
            assert_eq!(all(&seats, Whose::Lasting(crowd)).len(), lasting, "of {count}");
            let held = all(&seats, Whose::Single(crowd));
            assert_eq!((held.len(), all(&seats, Whose::Shared).len()), (single, count - single), "of {count}");
        }
    }

    #[test]
    fn one_client_leaves_some_to_others_and_what_lasts_leaves_some_to_what_does_not() {
        let seats = Seats::new(64, 0, Duration::ZERO);
        let lasting = all(&seats, Whose::Lasting(from(1)));
        assert_eq!((lasting.len(), all(&seats, Whose::Single(from(1))).len()), (18, 6));
        let other = all(&seats, Whose::Single(from(2)));
        assert_eq!((other.len(), all(&seats, Whose::Single(from(3))).len()), (24, 6));
        drop(lasting);
        assert_eq!(all(&seats, Whose::Single(from(1))).len(), 24);
    }

    #[tokio::test]
    async fn one_client_does_not_take_all_places_to_wait_in() {
        let seats = Seats::new(4, 8, Duration::from_secs(60));
        let _held = [all(&seats, Whose::Single(from(1))), all(&seats, Whose::Shared)];
        let mut waiting: Vec<_> = (0..4).map(|_| Box::pin(seats.take(Whose::Single(from(1))))).collect();
        for (n, one) in waiting.iter_mut().enumerate() {
            assert_eq!(is_ready(one.as_mut()).await, n == 3, "number {n}");
        }
        let mut other = Box::pin(seats.take(Whose::Shared));
        assert!(!is_ready(other.as_mut()).await);
    }

    #[test]
    fn who_has_nothing_is_forgotten() {
        let seats = Seats::new(4, 0, Duration::ZERO);
        let _held = seats.try_take(Whose::Single(from(1)));
        for n in 0..3 * REMEMBERED_MOST as u32 {
            seats.try_take(Whose::Single(Caller::of(IpAddr::from(n.to_be_bytes()))));
        }
        let known = &seats.single.clients.lock().unwrap().known;
        assert!(known.len() <= REMEMBERED_MOST && known.contains_key(&client([192, 0, 2, 1].into())));
    }
}
