//! Work that somebody waits for and that still stands back for who is being served, until it is late. Whoever computes at the same
//! niceness as those who serve keeps the processor for a tick of the kernel's clock, 4 ms; at the highest niceness he is put off the
//! moment that one of them wakes. But at full load that niceness gets a seventieth of the time: so who is late comes forward.

use std::cell::RefCell;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use std::{io, thread};

use rustix::process::{Pid, getpriority_process};
use rustix::thread::gettid;

use super::turns::{self, Turn};

/// The highest niceness that there is.
const NICENESS: i32 = 19;

/// Threads that stand back together.
pub struct Crew {
    /// Of who began it.
    niceness: i32,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Those of `Place`s: they are alive.
    threads: Vec<Pid>,
    is_late: bool,
}

thread_local! {
    static MINE: RefCell<Option<Arc<Crew>>> = const { RefCell::new(None) };
}

/// Does `work`; this thread, and those that `join` it, stand back meanwhile, but no longer than `patience`. Where the kernel lets no
/// thread come forward again, nobody stands back.
pub fn stand<T>(patience: Duration, work: impl FnOnce() -> T) -> T {
    if crew().is_some() || !may_return() {
        return work();
    }
    let Ok(niceness) = getpriority_process(None) else { return work() };
    let crew = Arc::new(Crew { niceness, inner: Mutex::default() });
    thread::scope(|scope| {
        let (done, waiting) = mpsc::channel::<()>();
        let late = crew.clone();
        // Begun before anybody stands back, it does not.
        let hurrying = thread::Builder::new().name("hurry".into()).spawn_scoped(scope, move || {
            if waiting.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                late.hurry();
            }
        });
        let place = hurrying.is_ok().then(|| crew.join());
        let result = work();
        drop(place);
        // It ends, whatever becomes of the work.
        drop(done);
        result
    })
}

/// The crew that this thread stands back with, for the threads that it starts.
pub fn crew() -> Option<Arc<Crew>> {
    MINE.with_borrow(Clone::clone)
}

/// Does `work` without standing back, for what others wait for.
pub fn forward<T>(work: impl FnOnce() -> T) -> T {
    let Some(crew) = crew() else { return work() };
    crew.come(gettid());
    let result = work();
    crew.go_back();
    result
}

impl Crew {
    /// This thread stands back with the others until its place is dropped.
    pub fn join(self: &Arc<Crew>) -> Place {
        let mut inner = self.lock();
        inner.threads.push(gettid());
        if inner.is_late {
            self.come(gettid());
        } else {
            let _ = turns::set(None, NICENESS, Turn::Usual);
        }
        MINE.set(Some(self.clone()));
        Place(self.clone())
    }

    /// Nobody stands back any more.
    fn hurry(&self) {
        let mut inner = self.lock();
        inner.is_late = true;
        inner.threads.iter().for_each(|thread| self.come(*thread));
    }

    fn come(&self, thread: Pid) {
        let _ = turns::set(Some(thread), self.niceness, Turn::Short);
    }

    fn go_back(&self) {
        let inner = self.lock();
        if !inner.is_late {
            let _ = turns::set(None, NICENESS, Turn::Usual);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread stands back while it has this.
pub struct Place(Arc<Crew>);

impl Drop for Place {
    fn drop(&mut self) {
        MINE.set(None);
        let mut inner = self.0.lock();
        inner.threads.retain(|thread| *thread != gettid());
        self.0.come(gettid());
    }
}

/// Whether this process may lower a thread's niceness again (RLIMIT_NICE, CAP_SYS_NICE): a thread of no use tries.
fn may_return() -> bool {
    static MAY: OnceLock<bool> = OnceLock::new();
    let tried = || -> io::Result<()> {
        let before = getpriority_process(None)?;
        turns::set(None, NICENESS, Turn::Usual)?;
        turns::set(None, before, Turn::Usual)
    };
    *MAY.get_or_init(|| thread::spawn(tried).join().is_ok_and(|tried| tried.is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than any test.
    const EVER: Duration = Duration::from_secs(3600);

    fn niceness() -> i32 {
        getpriority_process(None).unwrap()
    }

    /// On a thread of its own, for what it changes is the thread's.
    fn apart(test: impl FnOnce(i32) + Send + 'static) {
        thread::spawn(move || test(niceness())).join().unwrap();
    }

    /// Where nobody may come forward again, nobody stands back.
    fn back(before: i32) -> i32 {
        if may_return() { NICENESS } else { before }
    }

    #[test]
    fn who_stands_back_comes_forward_again_with_all_that_he_has_taken_along() {
        apart(|before| {
            stand(EVER, || {
                assert_eq!(niceness(), back(before));
                let crew = crew();
                let other = thread::spawn(move || {
                    let place = crew.as_ref().map(Crew::join);
                    let there = niceness();
                    drop(place);
                    (there, niceness())
                });
                assert_eq!(other.join().unwrap(), (back(before), before));
                forward(|| assert_eq!(niceness(), before));
                assert_eq!(niceness(), back(before));
                stand(EVER, || assert_eq!(niceness(), back(before)));
                assert_eq!(niceness(), back(before));
            });
            assert!(crew().is_none());
            assert_eq!(niceness(), before);
        });
    }

    #[test]
    fn who_is_late_comes_forward() {
        apart(|before| {
            stand(Duration::ZERO, || {
                while niceness() != before {
                    thread::yield_now();
                }
                forward(|| assert_eq!(niceness(), before));
                // Nor does anybody stand back who comes later.
                let crew = crew();
                let place = crew.as_ref().map(Crew::join);
                assert_eq!(niceness(), before);
                drop(place);
            });
        });
    }

    #[test]
    fn a_panic_leaves_nobody_behind() {
        apart(|before| {
            let work = || stand(EVER, || panic!("of the test"));
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err());
            assert!(crew().is_none());
            assert_eq!(niceness(), before);
        });
    }
}
