//! How soon a corte is live, and how soon all of it is as small as it gets, while readers are served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use difusor::readers::keep::Mode;
use difusor::readers::plan::Plan;
use difusor::readers::{Door, Run};
use difusor::rehearse::Night;

use crate::night::{TAKEN, WITH_DICTIONARIES};
use crate::served::{Served, number};

/// Cortes before the one that is measured: differences are made from so many.
const BEFORE: usize = 6;
/// Longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(140);
/// Who reads meanwhile.
const READERS: u32 = 2_000;

pub fn print() {
    let night = Night::synthetic(2026);
    let first = night.cortes() / 2;
    let of = |n| night.corte(n).files.into_iter().map(|(path, bytes)| (path, bytes.into())).collect();
    let cortes: Vec<Vec<(String, Bytes)>> = (first..=first + BEFORE).map(of).collect();
    let bytes: usize = cortes[BEFORE].iter().map(|(_, bytes)| bytes.len()).sum();
    println!("\n## From verified to live, and to the smallest\n");
    println!(
        "Corte {} of the demo's invented night, {} files, {:.1} MB, after {BEFORE} others that differences are made from; {} cores, on which {READERS} readers of",
        first + BEFORE + 1,
        cortes[BEFORE].len(),
        bytes as f64 / 1e6,
        difusor::base::pool::cores()
    );
    println!("ours ask too.\n");
    let served = Served::start("127.0.0.1:0".parse().unwrap(), &[]);
    let deliver = |n: usize| {
        served.deliver(n, &cortes[n]);
        served.line(" live ", PATIENCE)
    };
    (0..BEFORE).for_each(|n| drop(deliver(n)));
    let is_over = Arc::new(AtomicBool::new(false));
    let crowd = {
        let (url, is_over) = (format!("http://{}/", served.address), is_over.clone());
        std::thread::spawn(move || read(&url, &is_over))
    };
    let live = deliver(BEFORE);
    let (verify, build, store) = (number(&live, "verify_ms"), number(&live, "build_ms"), number(&live, "store_ms"));
    let best = served.line("compressed best", PATIENCE);
    let differences = served.line("differences from earlier cortes are ready", PATIENCE);
    is_over.store(true, Ordering::Relaxed);
    let (rate, errors) = crowd.join().unwrap();
    println!("| what | seconds | aim |\n| --- | ---: | ---: |");
    println!("| the package read and proven | {:.2} | |", verify / 1e3);
    println!(
        "| from verified to live, with first codings and quick differences | {:.2} | 0.3 |",
        build.max(store) / 1e3
    );
    println!("| of it, until it lies durably in the vault, at the same time | {:.2} | |", store / 1e3);
    println!("| from then until all codings are the best | {:.1} | 60 |", number(&best, "took_ms") / 1e3);
    println!(
        "| and until all {:.0} differences from {BEFORE} cortes are there ({:.1} s of the processor) | {:.1} | 60 |",
        number(&differences, "count"),
        number(&differences, "processor_ms") / 1e3,
        number(&differences, "took_ms") / 1e3
    );
    println!("\nServed meanwhile: {rate:.0} answers a second, {errors} errors.");
}

/// Answers a second, and errors.
fn read(url: &str, is_over: &AtomicBool) -> (f64, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let door = Door::open(url.parse().unwrap(), None, None).await.unwrap();
        let plan = Plan {
            readers: READERS,
            comers: 0.0,
            rush: Duration::from_secs(5),
            stay: Duration::from_secs(60),
            returning: 1.0,
            dictionaries: WITH_DICTIONARIES,
            http2: 0.7,
            poll: Duration::from_secs(1),
            think: Duration::ZERO,
            mode: Mode::NoCache,
            page: "/".into(),
            poll_file: "/.prep/corte.json".into(),
            paths: TAKEN[1..].iter().map(|path| format!("/{path}")).collect(),
            rate_max: None,
            seed: 2026,
        };
        let run = Run::start(plan, door, 64).expect("paths");
        while !is_over.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let report = run.end();
        (report.answers as f64 / report.took.as_secs_f64(), report.errors())
    })
}
