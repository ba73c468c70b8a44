//! What it costs to verify a corte and to make it live, by how much of it changed.

use std::fs;
use std::time::Duration;

use crate::child;
use crate::night::Room;

pub const HEADER: &str = "\
| package | files | MB | changed | verified | live after | of it vault and build | memory beyond the snapshot |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";

/// Rounds of one measurement; each has a corte of its own.
const ROUNDS: usize = 5;

pub fn one(form: &str, files: usize, bytes: usize, changed: usize) {
    let dir = tempfile::tempdir().unwrap();
    let mut room = Room::open(dir.path());
    let name = |n: usize| if form == "tar" { format!("{n}.tar") } else { format!("{n}") };
    let put = |n: usize| {
        let draft = dir.path().join(name(n));
        // By a process of its own: what it had in memory must not be taken for ours.
        let numbers = [n, files, bytes, changed].map(|number| number.to_string());
        let numbers = numbers.each_ref().map(String::as_str);
        assert!(child(&[&["put", draft.to_str().unwrap()], &numbers[..]].concat()));
        fs::rename(&draft, dir.path().join("incoming").join(name(n))).unwrap();
    };
    put(0);
    room.take();
    fs::remove_dir_all(dir.path().join("incoming").join(name(0)))
        .or_else(|_| fs::remove_file(dir.path().join("incoming").join(name(0))))
        .unwrap();
    let (mut verify, mut build, mut peak) = (Vec::new(), Vec::new(), 0);
    for n in 1..=ROUNDS {
        put(n);
        reset_peak();
        let told = room.take();
        verify.push(told.verify);
        build.push(told.build);
        peak = peak.max(status("self", "VmHWM").saturating_sub(status("self", "VmRSS")));
        let path = dir.path().join("incoming").join(name(n));
        fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path)).unwrap();
    }
    let (verify, build) = (median(verify), median(build));
    let megabytes = (files * bytes) as f64 / 1e6;
    println!(
        "| {form} | {files} | {megabytes:.0} | {changed} % | {:.0} ms | {:.0} ms | {:.0} ms | {peak} MB |",
        verify.as_secs_f64() * 1e3,
        (verify + build).as_secs_f64() * 1e3,
        build.as_secs_f64() * 1e3,
    );
}

pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Lets the peak of memory begin anew.
fn reset_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// A line of /proc/PROCESS/status, in MB.
pub fn status(process: &str, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}
