//! Readers who ask for what is stored, at a steady pace whatever happens, and note how long each had to wait.

use std::net::SocketAddr;
use std::time::Duration;

use difusor::base::clock::Monotonic;

use crate::wire::Talk;

/// Each asks for the next one when it is due, or at once where that is past.
const READERS: usize = 4;
/// Requests a second of all of them: few enough that the client's core is idle most of the time.
const RATE: usize = 2_000;
/// What they ask for, one after the other.
pub const KEYS: usize = 100;

/// How long readers waited.
pub struct Waits {
    /// The shortest first.
    waits: Vec<Duration>,
    /// Answers that were not in the cache.
    pub misses: usize,
}

impl Waits {
    /// Of 1,000 waits `thousandths` were no longer.
    pub fn at(&self, thousandths: usize) -> Duration {
        self.waits[(self.waits.len() * thousandths / 1000).min(self.waits.len() - 1)]
    }
}

pub fn path(n: usize) -> String {
    format!("/guardado/leido/{}", n % KEYS)
}

pub fn steady(address: SocketAddr, seconds: usize) -> Waits {
    let begun = Monotonic::now();
    let of_each = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS).map(|one| scope.spawn(move || read(address, one, seconds, begun))).collect();
        readers.into_iter().map(|reader| reader.join().expect("no reader fails")).collect::<Vec<_>>()
    });
    let misses = of_each.iter().map(|(_, misses)| misses).sum();
    let mut waits: Vec<Duration> = of_each.into_iter().flat_map(|(waits, _)| waits).collect();
    waits.sort();
    Waits { waits, misses }
}

fn read(address: SocketAddr, one: usize, seconds: usize, begun: Monotonic) -> (Vec<Duration>, usize) {
    let (mut talk, mut waits, mut misses) = (Talk::with(address), Vec::new(), 0);
    for n in (one..RATE * seconds).step_by(READERS) {
        let due = Duration::from_secs_f64(n as f64 / RATE as f64);
        let early = due.saturating_sub(begun.elapsed());
        std::thread::sleep(early);
        // Who is late because of the answer before has been waiting since he was due; who overslept has not.
        let asked = if early.is_zero() { due } else { begun.elapsed() };
        let answer = talk.get(&path(n), "");
        waits.push(begun.elapsed().saturating_sub(asked));
        assert_eq!(answer.status, 200);
        misses += usize::from(!answer.is_hit);
    }
    (waits, misses)
}
