//! From the moment that rsync has ended to the first response of the new corte, for a site of real size.

use std::fs;
use std::process::Command;
use std::time::Duration;

use difusor::base::clock::Monotonic;

use crate::admit::median;
use crate::night::{id, site, write};
use crate::restart::{free_address, serve, settings, until_served};

/// Files and bytes of the site of Quintana Roo's PREP of 2019: 69 files, 3.3 MB.
const FILES: usize = 69;
const FILE_BYTES: usize = 48_000;

pub fn run(rounds: usize) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("incoming")).unwrap();
    let address = free_address();
    settings(dir.path(), address);
    let mut child = serve(dir.path());
    for (form, first) in [("folder", 0), ("tar", rounds)] {
        let mut times: Vec<Duration> = Vec::new();
        for n in first..first + rounds {
            let name = if form == "tar" { format!("{}.tar", id(n)) } else { id(n) };
            let package = dir.path().join(&name);
            write(n, &site(n, FILES, FILE_BYTES, 50), &package);
            let sent = Command::new("rsync").arg("-a").arg(&package).arg(dir.path().join("incoming/")).status();
            let ended = Monotonic::now();
            if !sent.is_ok_and(|status| status.success()) {
                println!("rsync cannot be run; install it");
                break;
            }
            until_served(address, &id(n));
            times.push(ended.elapsed());
        }
        let worst = times.iter().max().copied().unwrap_or_default();
        if !times.is_empty() {
            let middle = median(times).as_secs_f64();
            println!(
                "rsync's exit to the first response of the new corte ({form}, {FILES} files, 3.3 MB, half of it changed): \
                 {middle:.3} s at the median of {rounds}, {:.3} s at most",
                worst.as_secs_f64()
            );
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
