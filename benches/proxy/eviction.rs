//! How long readers of what is stored wait while everything else in the cache is thrown out, beside a quiet server, and
//! beside one that passes on as many answers and stores none of them.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use crate::cores::leave_to_the_server;
use crate::flood::Flood;
use crate::hits::{self, Waits};
use crate::origin;
use crate::server::{MEMORY, Server};
use crate::wire::Talk;

/// New keys a second, each asked for twice.
const FLOOD: usize = 2_000;
/// Which of the keys that lie stored when a flood begins are looked for after it.
const RESIDENTS: usize = 2_000;
/// A flood that takes so many times as long as it should is none of the rate that the table names.
const LATE: f64 = 1.1;
/// Of 1,000 waits.
const SHOWN: [(usize, &str); 3] = [(500, "p50"), (990, "p99"), (999, "p99.9")];

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Quiet,
    Passing,
    Evicting,
}

impl Phase {
    const ALL: [(Phase, &'static str); 3] = [
        (Phase::Quiet, "hits alone"),
        (Phase::Passing, "and as many new keys, none of them stored"),
        (Phase::Evicting, "and new keys that drive out all others"),
    ];
}

/// Prints a table; fails where a hit was none.
pub fn run(rounds: usize, seconds: usize) -> ExitCode {
    leave_to_the_server();
    let (_origin, behind) = origin::start();
    let server = Server::start(behind);
    let mut talk = Talk::with(server.address);
    ask(&mut talk, hits::KEYS, hits::path);
    let (mut first, mut of_phases, mut stayed) = (0, Phase::ALL.map(|_| Vec::new()), Vec::new());
    for _ in 0..rounds {
        for ((phase, _), of_phase) in Phase::ALL.into_iter().zip(&mut of_phases) {
            if phase == Phase::Evicting {
                ask(&mut talk, RESIDENTS, |n| resident(first, n));
                assert!(count(&mut talk, first) > RESIDENTS * 9 / 10, "they are stored before the flood");
            }
            of_phase.push(measure(server.address, phase, first, seconds));
            if phase == Phase::Evicting {
                stayed.push(count(&mut talk, first));
            }
            first += FLOOD * seconds;
        }
    }
    print(&of_phases, rounds, seconds);
    stayed.sort_unstable();
    println!(
        "\nOf {RESIDENTS} other answers that were stored, {} were left after a flood (median of {rounds}).",
        stayed[stayed.len() / 2]
    );
    let misses: usize = of_phases.iter().flatten().map(|waits| waits.misses).sum();
    if misses == 0 {
        return ExitCode::SUCCESS;
    }
    println!("{misses} answers were no hits: what is asked for often has been driven out too.");
    ExitCode::FAILURE
}

fn measure(address: SocketAddr, phase: Phase, first: usize, seconds: usize) -> Waits {
    let prefix = match phase {
        Phase::Quiet => return hits::steady(address, seconds),
        Phase::Passing => "/directo",
        Phase::Evicting => "/guardado/nuevo",
    };
    let flood = Flood::start(address, prefix, first, FLOOD, seconds);
    let waits = hits::steady(address, seconds);
    let took = flood.took();
    if took > seconds as f64 * LATE {
        eprintln!("note: a flood of {seconds} s took {took:.1} s; the machine is not quiet, and the figures are noisy");
    }
    waits
}

/// Has them stored.
fn ask(talk: &mut Talk, keys: usize, path: impl Fn(usize) -> String) {
    for n in 0..keys {
        assert_eq!(talk.get(&path(n), "").status, 200);
    }
}

fn resident(first: usize, n: usize) -> String {
    format!("/guardado/otro/{}", first + n)
}

/// How many of them are stored still; the origin is not asked (RFC 9111, 5.2.1.7).
fn count(talk: &mut Talk, first: usize) -> usize {
    let is_stored = |n| talk.get(&resident(first, n), "Cache-Control: only-if-cached\r\n").is_hit;
    (0..RESIDENTS).map(is_stored).filter(|is| *is).count()
}

fn print(of_phases: &[Vec<Waits>], rounds: usize, seconds: usize) {
    println!(
        "Hits while {FLOOD} new keys a second come, {MEMORY} of memory; {rounds} rounds of {seconds} s, medians:\n"
    );
    println!("| what is asked for | {} | p99 beside the quiet one |", SHOWN.map(|(_, name)| name).join(" | "));
    println!("| --- |{}", " ---: |".repeat(SHOWN.len() + 1));
    for ((_, name), rounds) in Phase::ALL.iter().zip(of_phases) {
        let columns =
            SHOWN.map(|(part, _)| format!("{} µs", median(rounds.iter().map(|w| micros(w.at(part))).collect())));
        // Round by round: what disturbs the machine for a while disturbs both.
        let pairs = rounds.iter().zip(&of_phases[0]);
        let ratio = median(pairs.map(|(busy, quiet)| micros(busy.at(990)) / micros(quiet.at(990))).collect());
        println!("| {name} | {} | {ratio:.2} |", columns.join(" | "));
    }
}

fn micros(wait: Duration) -> f64 {
    wait.as_micros() as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
