//! Room for connections, and what is done where there is none: who has been idle for longest makes room for who comes.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;

use super::watch::Seats;
use crate::record::Rate;

/// Part of all places that is cleared at once: to look for the oldest among all takes a while, and must not be done for each
/// newcomer of a crowd.
const SHED_PART: usize = 64;
/// And so many where the kernel has no room for one more: each port of each core finds that, again and again.
const SHED_FEW: usize = 4;
/// Where everybody is busy, somebody may be idle after so long.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Out of descriptors or memory: accepting again at once would only spin.
const PAUSE: Duration = Duration::from_millis(50);

/// The places of a core.
pub struct Budget {
    places: Arc<Semaphore>,
    max: usize,
    lines: Mutex<Rate>,
}

/// A connection's place; given back when it is dropped.
pub type Place = OwnedSemaphorePermit;

impl Budget {
    pub fn new(max: usize) -> Budget {
        Budget { places: Arc::new(Semaphore::new(max)), max, lines: Mutex::default() }
    }

    /// A place, once there is one.
    pub async fn place(&self, seats: &Seats) -> Place {
        loop {
            if let Some(place) = self.place_now() {
                return place;
            }
            seats.shed(self.part());
            // The semaphore is never closed.
            if let Ok(Ok(place)) = tokio::time::timeout(LOOK_EVERY, self.places.clone().acquire_owned()).await {
                return place;
            }
        }
    }

    /// A place, if there is one.
    pub fn place_now(&self) -> Option<Place> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// True once nobody has a place.
    pub fn is_empty(&self) -> bool {
        self.places.available_permits() == self.max
    }

    /// None could be accepted. Where the kernel has none left of something that a connection needs, a few make room. `since`: any
    /// beginning, the same each time.
    pub async fn failed(&self, seats: &Seats, error: &io::Error, since: Duration) {
        let is_full = has_run_out(error);
        if let Some(untold) = self.lines.lock().unwrap_or_else(PoisonError::into_inner).take(since) {
            match is_full {
                true => warn!(%error, untold, "no connection could be accepted; is the limit of open files reached?"),
                false => warn!(%error, untold, "no connection could be accepted"),
            }
        }
        if is_full {
            seats.ran_out();
            seats.shed(SHED_FEW.min(self.part()));
        }
        tokio::time::sleep(PAUSE).await;
    }

    fn part(&self) -> usize {
        self.max.div_ceil(SHED_PART)
    }
}

/// accept(2): of descriptors, of this process or of all, or of memory.
fn has_run_out(error: &io::Error) -> bool {
    let reasons = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
    error.raw_os_error().is_some_and(|code| reasons.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_few_make_room_and_only_where_there_is_none() {
        let (seats, budget) = (Seats::for_test(), Budget::new(64 * SHED_PART));
        let idle: Vec<_> = (0..10)
            .map(|_| {
                let seat = seats.take(None);
                let task = tokio::spawn(std::future::pending::<()>());
                seats.watch(&seat, task.abort_handle());
                (seat, task)
            })
            .collect();
        (0..4).for_each(|_| seats.sweep());
        for (code, gone) in [(libc::EPERM, 0), (libc::EMFILE, SHED_FEW), (libc::ENOMEM, 2 * SHED_FEW)] {
            let error = io::Error::from_raw_os_error(code);
            budget.failed(&seats, &error, Duration::ZERO).await;
            assert_eq!(idle.iter().filter(|(_, task)| task.is_finished()).count(), gone, "{error}");
        }
    }
}
