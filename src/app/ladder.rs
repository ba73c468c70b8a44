//! Reads the meters once a second and says what is offered: to the counter, to the public, to the journal and the log.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::{info, warn};

use crate::base::clock::Monotonic;
use crate::base::quota;
use crate::base::units::show_rate;
use crate::http::Meter;
use crate::http::ladder::{Bounds, Class, Climb, Ladder, Second, Turn, Why};
use crate::ingest::Gate;
use crate::portal::Offer;
use crate::record::incidents::note;
use crate::record::{Journal, Metrics};

const EVERY: Duration = Duration::from_secs(1);

/// Whoever has to hear of it.
pub struct Told {
    pub ladder: Arc<Ladder>,
    pub gate: Arc<Gate>,
    pub journal: Arc<Journal>,
    pub metrics: Arc<Metrics>,
}

/// A running thread; it ends when it is stopped.
pub struct Watch {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Watch {
    pub fn start(bounds: Bounds, meters: Vec<Arc<Meter>>, told: Told) -> io::Result<Watch> {
        let (stop, stopped) = mpsc::channel();
        let run = move || run(bounds, &meters, &told, &stopped);
        let thread = std::thread::Builder::new().name("ladder".into()).spawn(run)?;
        Ok(Watch { stop, thread })
    }

    pub fn stop(self) {
        drop(self.stop);
        let _ = self.thread.join();
    }
}

fn run(bounds: Bounds, meters: &[Arc<Meter>], told: &Told, stopped: &Receiver<()>) {
    let (mut climb, mut before) = (Climb::new(bounds), Reading::of(meters, &told.ladder));
    // Where less is allotted than there are threads, they are at their end before each of them works all the time.
    let threads = meters.len().max(1) as f64;
    let most = quota::processors().map_or(threads, |allotted| allotted.min(threads));
    while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
        let now = Reading::of(meters, &told.ladder);
        let second = now.since(&before, most);
        before = now;
        if let Some(turn) = climb.second(second) {
            tell(&turn, &bounds, told);
        }
    }
}

/// What the meters say at one moment.
struct Reading {
    at: Monotonic,
    sent: u64,
    worked: Duration,
    left_out: [u64; Class::COUNT],
    refused: u64,
}

impl Reading {
    fn of(meters: &[Arc<Meter>], ladder: &Ladder) -> Reading {
        let (sent, worked) = meters
            .iter()
            .map(|meter| meter.read())
            .fold((0, Duration::ZERO), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        Reading { at: Monotonic::now(), sent, worked, left_out: ladder.left_out(), refused: ladder.refused() }
    }

    /// By the second, whatever time has passed really; `most`: seconds that all threads together can work in one.
    fn since(&self, before: &Reading, most: f64) -> Second {
        let seconds = self.at.since(before.at).as_secs_f64().max(f64::EPSILON);
        let a_second = |now: u64, before: u64| (now.saturating_sub(before) as f64 / seconds) as u64;
        let worked = self.worked.saturating_sub(before.worked).as_secs_f64();
        Second {
            sent: a_second(self.sent, before.sent),
            refused: a_second(self.refused, before.refused),
            left_out: std::array::from_fn(|class| a_second(self.left_out[class], before.left_out[class])),
            // The cores note it by their own seconds: two of them may fall into one of ours.
            busy: (worked / seconds / most).min(1.0),
        }
    }
}

fn tell(turn: &Turn, bounds: &Bounds, told: &Told) {
    let Turn { from, to, why, sent, busy } = turn;
    told.ladder.set(*to);
    told.gate.offer(*to);
    told.metrics.ladder(*to as usize);
    let link = bounds.link.map_or("of an unknown link".to_owned(), |link| format!("of {}", show_rate(link)));
    let load = format!("{} {link}, serving threads {:.0} % busy", show_rate(*sent), busy * 100.0);
    let (from, to) = (from.token(), to.token());
    match why {
        Why::Calm => {
            info!(from, to, load, "it is calm enough to offer more again");
            let code = if turn.to == Offer::Everything { "L003" } else { "L002" };
            told.journal.note(&note(code, &format!("{from} to {to}: {load}")));
        }
        Why::LinkFull | Why::ProcessorsBusy => {
            let cause = if *why == Why::LinkFull { "the link is full" } else { "the processors are busy" };
            warn!(from, to, load, "{cause}: what matters least is left out for now");
            told.journal.note(&note("L001", &format!("{from} to {to}: {cause}: {load}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_by_the_second() {
        let at = Monotonic::now();
        let before = Reading { at, sent: 1_000, worked: Duration::from_secs(3), left_out: [0, 10, 0, 0], refused: 0 };
        let after = Reading {
            at: at.plus(Duration::from_secs(2)),
            sent: 5_000,
            worked: Duration::from_secs(6),
            left_out: [0, 30, 0, 8],
            refused: 100,
        };
        let second = after.since(&before, 2.0);
        assert_eq!(second, Second { sent: 2_000, refused: 50, left_out: [0, 10, 0, 4], busy: 0.75 });
        assert_eq!(after.since(&before, 1.5).busy, 1.0, "all that is allotted");
    }
}
