//! Intake measured: what a corte costs by how much of it changed, how soon a restart serves, how soon a transfer is live.
//!
//! Each measurement has a process of its own, so that its peak of memory is its own.

// The clock is the library's own here: what is measured is how long something took.
mod admit;
#[path = "../../tests/common/always.rs"]
mod always;
mod night;
mod restart;
mod transfer;
mod verify;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["admit", form, files, bytes, changed] => admit::one(form, number(files), number(bytes), number(changed)),
        ["put", path, n, files, bytes, changed] => {
            let n = number(n);
            night::write(n, &night::site(n, number(files), number(bytes), number(changed)), path.as_ref());
        }
        ["verify", form, files, bytes] => verify::one(form, number(files), number(bytes)),
        ["restart", megabytes] => restart::one(number(megabytes)),
        ["transfer", rounds] => transfer::run(number(rounds)),
        [] => return everything(),
        other => {
            eprintln!(
                "unknown: {other:?}; expected nothing, or one of admit, restart, transfer as the whole run calls them"
            );
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

/// Runs every measurement by itself, and prints what each one says.
fn everything() -> ExitCode {
    println!("{}", admit::HEADER);
    let table = [
        ("folder", 5_000, 20_000, 5),
        ("tar", 5_000, 20_000, 5),
        ("tar", 5_000, 20_000, 100),
        ("tar", 1_000, 20_000, 5),
        ("tar", 50_000, 2_000, 5),
        ("folder", 50_000, 2_000, 5),
    ];
    let mut is_whole = true;
    for (form, files, bytes, changed) in table {
        let (files, bytes, changed) = (files.to_string(), bytes.to_string(), changed.to_string());
        is_whole &= child(&["admit", form, &files, &bytes, &changed]);
    }
    println!("\n{}", verify::HEADER);
    for (form, files, bytes, _) in table.iter().filter(|(.., changed)| *changed == 5) {
        is_whole &= child(&["verify", form, &files.to_string(), &bytes.to_string()]);
    }
    println!("\n{}", restart::HEADER);
    for megabytes in ["3", "100", "1000"] {
        is_whole &= child(&["restart", megabytes]);
    }
    println!();
    is_whole &= child(&["transfer", "21"]);
    if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn child(args: &[&str]) -> bool {
    let me = std::env::current_exe().expect("this program has a path");
    Command::new(me).args(args).status().is_ok_and(|status| status.success())
}

/// The binary that is measured.
fn binary() -> PathBuf {
    std::env::var_os("DIFUSOR_BIN").map_or_else(|| env!("CARGO_BIN_EXE_difusor").into(), PathBuf::from)
}
