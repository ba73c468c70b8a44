//! What verification takes beside the hashing that nobody can spare: both of the same bytes, one right after the other.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use bytes::Bytes;
use difusor::base::clock::{Clock, Monotonic};
use difusor::base::digest::Digest;
use difusor::base::disk::Disk;
use difusor::base::pool;
use difusor::corte::{self, Expectations, InMemory, Limits, Signers, Trust};

use crate::night::{signers_line, site, write};

pub const HEADER: &str = "\
| package | files | MB | hashed | verified | of the raw SHA-256 rate | by CPU time |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |";

/// Rounds of one measurement. A round hashes and verifies, so that what disturbs the machine disturbs both.
const ROUNDS: usize = 21;
/// Ticks a second in /proc (USER_HZ).
const TICKS: f64 = 100.0;

/// Verifies corte 1, of which 5 % differ from corte 0, which is in memory.
pub fn one(form: &str, files: usize, bytes: usize) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(if form == "tar" { "1.tar" } else { "1" });
    let known: HashMap<Digest, Bytes> =
        site(0, files, bytes, 5).into_iter().map(|(_, b)| (Digest::of(&b), b)).collect();
    let night = site(1, files, bytes, 5);
    write(1, &night, &path);
    let signers = Signers::parse(&signers_line()).unwrap();
    let (clock, disk, limits) = (Clock::machine(), Disk::machine(), Limits::default());
    let (mut raw, mut ours) = (Spent::default(), Spent::default());
    for _ in 0..ROUNDS {
        raw.round(|| {
            let hashed: Result<Vec<Digest>, ()> = pool::each(night.len(), || (), |(), n| Ok(Digest::of(&night[n].1)));
            assert!(hashed.is_ok());
        });
        ours.round(|| {
            let expected = Expectations {
                trust: Trust::Signed,
                eleccion: None,
                tipo: None,
                signers: &signers,
                identity: None,
                now: clock.now(),
            };
            let proven = corte::preamble(&disk, &path, &limits).unwrap().unwrap().prove(&expected).unwrap();
            let known = |digest: &Digest| known.get(digest).cloned();
            let package = corte::read(&disk, &path, &limits, &InMemory { known: &known }).unwrap();
            package.verify_with(Some(proven), &expected).unwrap();
        });
    }
    let mut ratios: Vec<f64> = raw.wall.iter().zip(&ours.wall).map(|(a, b)| 100.0 * a.div_duration_f64(*b)).collect();
    ratios.sort_by(f64::total_cmp);
    println!(
        "| {form} | {files} | {:.0} | {:.0} ms | {:.0} ms | {:.0} % ({:.0} to {:.0}) | {:.0} % |",
        (files * bytes) as f64 / 1e6,
        crate::admit::median(raw.wall.clone()).as_secs_f64() * 1e3,
        crate::admit::median(ours.wall.clone()).as_secs_f64() * 1e3,
        ratios[ROUNDS / 2],
        ratios[ROUNDS / 4],
        ratios[ROUNDS - 1 - ROUNDS / 4],
        100.0 * raw.cpu / ours.cpu,
    );
}

/// Time by the clock of each round, and seconds of all cores of all rounds.
#[derive(Default)]
struct Spent {
    wall: Vec<Duration>,
    cpu: f64,
}

impl Spent {
    fn round(&mut self, work: impl FnOnce()) {
        let (started, before) = (Monotonic::now(), cpu("self"));
        work();
        self.wall.push(started.elapsed());
        self.cpu += cpu("self") - before;
    }
}

/// Seconds that a process has used, in the kernel too (proc_pid_stat(5), fields 14 and 15).
pub fn cpu(process: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields = stat.rsplit_once(") ").unwrap().1.split(' ');
    fields.skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / TICKS
}
