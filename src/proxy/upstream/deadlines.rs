//! When exchanges whose bodies are under way have to be over: what such a body holds is taken back then, though nobody polls it, as where
//! its client has no window for it. One look a second for all of an upstream.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

/// Nobody holds anything for longer than that beyond his time.
const EVERY: Duration = Duration::from_secs(1);

/// What can be taken back.
pub trait Holds: Send + Sync {
    fn take_back(&self);
}

/// See above.
#[derive(Default)]
pub struct Deadlines(Mutex<UnderWay>);

#[derive(Default)]
struct UnderWay {
    known: HashMap<u64, (Instant, Weak<dyn Holds>)>,
    numbers: u64,
    /// Somebody comes back to look.
    is_watched: bool,
}

/// One of them; forgotten with this.
pub struct Deadline {
    of: Arc<Deadlines>,
    number: u64,
}

impl Deadlines {
    /// There are no more of them than there are seats.
    pub fn add(self: &Arc<Self>, at: Instant, holds: Weak<dyn Holds>) -> Deadline {
        let mut under_way = self.lock();
        under_way.numbers += 1;
        let number = under_way.numbers;
        under_way.known.insert(number, (at, holds));
        if !under_way.is_watched
            && let Ok(runtime) = Handle::try_current()
        {
            under_way.is_watched = true;
            runtime.spawn(watch(Watch(Arc::downgrade(self))));
        }
        drop(under_way);
        Deadline { of: self.clone(), number }
    }

    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False once there is nothing to look at.
    fn look(&self, now: Instant) -> bool {
        let mut over = Vec::new();
        let mut under_way = self.lock();
        under_way.known.retain(|_, (at, holds)| {
            let is_over = *at <= now;
            if is_over {
                over.push(holds.clone());
            }
            !is_over
        });
        under_way.is_watched = !under_way.known.is_empty();
        let goes_on = under_way.is_watched;
        // What ends may end a lot, and ask for this lock.
        drop(under_way);
        over.iter().filter_map(Weak::upgrade).for_each(|holds| holds.take_back());
        goes_on
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.of.lock().known.remove(&self.number);
    }
}

/// Ends with its runtime; then the next one who is added starts another.
struct Watch(Weak<Deadlines>);

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(deadlines) = self.0.upgrade() {
            deadlines.lock().is_watched = false;
        }
    }
}

async fn watch(watch: Watch) {
    loop {
        sleep(EVERY).await;
        if !watch.0.upgrade().is_some_and(|deadlines| deadlines.look(Instant::now())) {
            return;
        }
    }
}
