//! The facts without which a figure says nothing: the machine, the tools, the build.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// Facts by name, in the order of their names.
pub type Facts = BTreeMap<&'static str, String>;

pub fn facts(server_core: u32, client_core: u32, origin_core: u32) -> Facts {
    let cores = std::thread::available_parallelism().map_or(0, |n| n.get());
    let facts = [
        ("date", jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string()),
        ("cpu", field("/proc/cpuinfo", "model name", ':')),
        ("cores", format!("{cores} (server on {server_core}, client on {client_core}, origin on {origin_core})")),
        ("kernel", first_line(&fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default())),
        ("system", field("/etc/os-release", "PRETTY_NAME", '=')),
        ("load before", first_line(&fs::read_to_string("/proc/loadavg").unwrap_or_default())),
        ("wrk", said("wrk", &["-v"]).split(" [").next().unwrap_or_default().to_owned()),
        ("h2load", said("h2load", &["--version"])),
        ("rustc", said("rustc", &["--version"])),
        ("commit", said("git", &["describe", "--always", "--dirty", "--abbrev=10"])),
    ];
    facts.into_iter().collect()
}

/// Says so when the machine is not quiet: figures taken then are not worth keeping.
pub fn warn_if_busy(one_core: bool) {
    if one_core {
        eprintln!("note: server and client share a core; only requests per CPU-second mean something");
    }
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: f64 = load.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0.0);
    if load > 0.5 {
        eprintln!("note: the machine is not quiet (load {load}); the figures will be noisy");
    }
}

fn field(file: &str, name: &str, separator: char) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let value = text.lines().find_map(|l| l.strip_prefix(name)?.trim_start().strip_prefix(separator));
    value.unwrap_or("unknown").trim().trim_matches('"').to_owned()
}

/// The first line that a tool prints, wherever it prints it; wrk ends with a failure after its version.
fn said(program: &str, args: &[&str]) -> String {
    match Command::new(program).args(args).output() {
        Ok(out) if out.stdout.is_empty() => first_line(&String::from_utf8_lossy(&out.stderr)),
        Ok(out) => first_line(&String::from_utf8_lossy(&out.stdout)),
        Err(_) => "not here".to_owned(),
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}
