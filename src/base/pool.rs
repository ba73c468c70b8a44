//! Work on all cores: `each` for what can be numbered, `cores` for who makes threads of their own.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use super::back::{self, Crew};

/// Threads for one task, at most: hashing saturates memory before it fills more cores than this.
const MOST_THREADS: usize = 16;

/// How many threads to use for work that keeps a core busy.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS)
}

/// Does `work` for 0..n on all cores, standing back if the caller does; the results come in order. `state` is made once a thread. After
/// a failure no new work begins, and the failure with the lowest number is returned.
pub fn each<S, T, E>(
    n: usize,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E>
where
    T: Send,
    E: Send,
{
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(n));
    let failed: Mutex<Option<(usize, E)>> = Mutex::new(None);
    let worker = || {
        let (mut state, mut mine) = (state(), Vec::new());
        loop {
            let i = next.fetch_add(1, Relaxed);
            if i >= n {
                break;
            }
            match work(&mut state, i) {
                Ok(value) => mine.push((i, value)),
                Err(error) => {
                    next.store(n, Relaxed);
                    let mut failed = lock(&failed);
                    if failed.as_ref().is_none_or(|(first, _)| i < *first) {
                        *failed = Some((i, error));
                    }
                    break;
                }
            }
        }
        lock(&done).append(&mut mine);
    };
    let crew = back::crew();
    thread::scope(|scope| {
        for _ in 1..cores().min(n) {
            scope.spawn(|| {
                let _place = crew.as_ref().map(Crew::join);
                worker();
            });
        }
        worker();
    });
    if let Some((_, error)) = lock(&failed).take() {
        return Err(error);
    }
    let mut done: Vec<(usize, T)> = std::mem::take(&mut *lock(&done));
    // What each thread did is in order already: such runs are merged, not sorted anew.
    done.sort_by_key(|(i, _)| *i);
    Ok(done.into_iter().map(|(_, value)| value).collect())
}

/// A lock whose holder panicked guards nothing half-done here: the panic itself is passed on by the scope.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_the_first_failure_wins() {
        let squares: Result<Vec<usize>, ()> = each(1000, || (), |(), i| Ok(i * i));
        assert_eq!(squares, Ok((0..1000).map(|i| i * i).collect()));
        let failed = each(50, || (), |(), i| if i >= 1 { Err(i) } else { Ok(i) });
        assert_eq!(failed, Err(1));
        assert_eq!(each(0, || (), |(), _| Err::<(), ()>(())), Ok(vec![]));
    }
}
