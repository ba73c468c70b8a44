//! What it costs to verify a corte and to make it live, by how much of it changed.

use std::fs;
use std::time::Duration;

use difusor::base::clock::Monotonic;
use difusor::base::digest::Digest;
use difusor::base::pool;

use crate::night::{Room, site, write};

pub const HEADER: &str = "\
| package | files | MB | changed | verified | of the raw SHA-256 rate | live after | of it vault and build | memory beyond the snapshot |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";

/// Rounds of one measurement; each has a corte of its own.
const ROUNDS: usize = 5;

pub fn one(form: &str, files: usize, bytes: usize, changed: usize) {
    let dir = tempfile::tempdir().unwrap();
    let mut room = Room::open(dir.path());
    let name = |n: usize| if form == "tar" { format!("{n}.tar") } else { format!("{n}") };
    let put = |n: usize| {
        let draft = dir.path().join(name(n));
        write(n, &site(n, files, bytes, changed), &draft);
        fs::rename(&draft, dir.path().join("incoming").join(name(n))).unwrap();
    };
    put(0);
    room.take();
    fs::remove_dir_all(dir.path().join("incoming").join(name(0)))
        .or_else(|_| fs::remove_file(dir.path().join("incoming").join(name(0))))
        .unwrap();
    let raw = raw_rate(files * bytes);
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
        "| {form} | {files} | {megabytes:.0} | {changed} % | {:.0} ms | {:.0} % | {:.0} ms | {:.0} ms | {peak} MB |",
        verify.as_secs_f64() * 1e3,
        100.0 * megabytes / verify.as_secs_f64() / raw,
        (verify + build).as_secs_f64() * 1e3,
        build.as_secs_f64() * 1e3,
    );
}

/// MB a second that all cores together hash, of bytes that are in memory.
fn raw_rate(bytes: usize) -> f64 {
    let block = vec![7u8; 1 << 20];
    let rates = (0..ROUNDS).map(|_| {
        let started = Monotonic::now();
        let blocks = bytes / block.len() + 1;
        let hashed: Result<Vec<Digest>, ()> = pool::each(blocks, || (), |(), _| Ok(Digest::of(&block)));
        assert!(hashed.is_ok());
        (blocks * block.len()) as f64 / 1e6 / started.elapsed().as_secs_f64()
    });
    let mut rates: Vec<f64> = rates.collect();
    rates.sort_by(f64::total_cmp);
    rates[ROUNDS / 2]
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
