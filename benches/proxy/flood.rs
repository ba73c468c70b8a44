//! A crowd that asks for what nobody has asked for before, at a steady pace.

use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

use difusor::base::clock::Monotonic;

use crate::cores::{Guard, lowly};
use crate::origin::BODY_BYTES;
use crate::wire::Talk;

const CONNECTIONS: usize = 16;
/// Each key is asked for so often, so that it counts for more than the ones that it has to drive out.
const ASKS: usize = 2;

/// New keys below `prefix`, `rate` a second, for so many seconds; says how many seconds it took.
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
    println!("{}", begun.elapsed().as_secs_f64());
}

/// One in a process of its own.
pub struct Flood(Guard);

impl Flood {
    pub fn start(address: SocketAddr, prefix: &str, first: usize, rate: usize, seconds: usize) -> Flood {
        let numbers = [first, rate, seconds].map(|n| n.to_string());
        Flood(lowly(&["flood", &address.to_string(), prefix, &numbers[0], &numbers[1], &numbers[2]]))
    }

    /// Waits for its end; how many seconds it took.
    pub fn took(mut self) -> f64 {
        let mut said = String::new();
        self.0.0.stdout.take().expect("it speaks").read_to_string(&mut said).expect("it speaks");
        said.trim().parse().expect("the flood went wrong, as it says above")
    }
}
