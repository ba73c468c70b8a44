//! A crowd that asks for what nobody has asked for before, at a steady pace.

use std::net::SocketAddr;
use std::time::Duration;

use difusor::base::clock::Monotonic;

use crate::cores::{Guard, lowly};
use crate::origin::BODY_BYTES;
use crate::wire::Talk;

const CONNECTIONS: usize = 16;
/// Each key is asked for so often, so that it counts for more than the ones that it has to drive out.
const ASKS: usize = 2;

/// New keys below `prefix`, `rate` a second, for so many seconds; fails where they cannot be had so fast.
pub fn run(address: SocketAddr, prefix: &str, first: usize, rate: usize, seconds: usize) {
    let begun = Monotonic::now();
    std::thread::scope(|scope| {
        for one in 0..CONNECTIONS {
            scope.spawn(move || {
                let mut talk = Talk::with(address);
                for n in (one..rate * seconds).step_by(CONNECTIONS) {
                    let due = Duration::from_secs_f64(n as f64 / rate as f64);
                    std::thread::sleep(due.saturating_sub(begun.elapsed()));
                    for _ in 0..ASKS {
                        let answer = talk.get(&format!("{prefix}/{}", first + n), "");
                        assert_eq!((answer.status, answer.body_bytes), (200, BODY_BYTES));
                    }
                }
            });
        }
    });
    let (wanted, took) = (Duration::from_secs(seconds as u64), begun.elapsed());
    assert!(
        took < wanted.mul_f64(1.1),
        "the flood took {took:?} instead of {wanted:?}: the machine is too slow for it"
    );
}

/// One in a process of its own.
pub fn start(address: SocketAddr, prefix: &str, first: usize, rate: usize, seconds: usize) -> Guard {
    let numbers = [first, rate, seconds].map(|n| n.to_string());
    lowly(&["flood", &address.to_string(), prefix, &numbers[0], &numbers[1], &numbers[2]])
}
