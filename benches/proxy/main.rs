//! The corridor to an origin, and its cache: what a stored answer really takes, and how long others wait while one after
//! the other is thrown out.
//!
//! Each measurement has processes of its own. This program is also, as a child of itself, the origin and the flood.

mod cores;
mod corridor;
mod eviction;
mod flood;
mod hits;
mod memory;
mod origin;
mod server;
mod wire;

use std::process::{Command, ExitCode};

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Keys that are held for the measurement of memory.
const KEYS: &str = "1000000";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["memory", keys] => memory::one(number(keys)),
        ["eviction", rounds, seconds] => return eviction::run(number(rounds), number(seconds)),
        ["origin"] => origin::run(),
        ["flood", address, prefix, first, rate, seconds] => {
            let address = address.parse().expect("an address");
            flood::run(address, prefix, number(first), number(rate), number(seconds));
        }
        // `cargo test --all-targets` runs benches too, without `--bench`.
        [] if !std::env::args().any(|arg| arg == "--bench") => {
            println!("proxy: nothing done; run it by `make bench-proxy`")
        }
        [] => return everything(),
        other => {
            eprintln!("unknown: {other:?}; expected nothing, `memory KEYS` or `eviction ROUNDS SECONDS`");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

fn everything() -> ExitCode {
    println!("{}", memory::HEADER);
    let mut is_whole = child(&["memory", KEYS]);
    println!();
    is_whole &= child(&["eviction", "5", "5"]);
    if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn child(args: &[&str]) -> bool {
    let me = std::env::current_exe().expect("this program has a path");
    Command::new(me).args(args).status().is_ok_and(|status| status.success())
}
