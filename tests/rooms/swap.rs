//! A million requests through a thousand swaps: every response belongs to one corte altogether, none is an error, no
//! connection breaks, and nobody sees a corte that is older than one that was published before they asked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use difusor::base::clock::{Clock, Monotonic};
use difusor::http::clients::{Limits, Rules};
use difusor::http::ladder::{Classes, Ladder};
use difusor::http::patience::Patience;
use difusor::http::tickets::Tickets;
use difusor::http::{Counted, Listen, Rhythm, Server, Settings, Site};
use difusor::record::Metrics;
use difusor::snapshot::{Edition, Live, Snapshot};

use crate::clients::{BATCH, Multiplexed, PER_CONNECTION, Pipelined};
use crate::common::now;
use crate::night::{Asked, Night, Seen, TARGETS, TOTAL, gate, improved, snapshot};

const SWAPS: usize = 1_000;
const REQUESTS: usize = 1_000_000;
/// Of each protocol so many readers, who share its requests.
const READERS: usize = 2;
const BY_HTTP1: usize = 600_000;
const KEEP: usize = 6;
/// Every so many cortes one is replaced by its better compressed self, too.
const IMPROVED_EVERY: usize = 20;

/// What all threads share.
struct Stage {
    night: Night,
    address: SocketAddr,
    /// The latest corte that is certainly live, and the latest that may be.
    published: AtomicUsize,
    announced: AtomicUsize,
    answered: AtomicUsize,
    pinned: AtomicUsize,
    failed: AtomicBool,
}

/// Tells the others when its thread panics, so that nobody waits for it.
struct Alarm<'s>(&'s AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        self.0.fetch_or(std::thread::panicking(), SeqCst);
    }
}

/// One reader's connection: what it holds, and the corte that it saw last.
struct Reader<'s> {
    stage: &'s Stage,
    held: Vec<u8>,
    last: usize,
    floor: usize,
}

impl<'s> Reader<'s> {
    fn new(stage: &'s Stage) -> Reader<'s> {
        Reader { stage, held: Vec::new(), last: 0, floor: 0 }
    }

    /// The next requests: all targets and codings by turns, one in ten conditional, one in ten of a corte by its ID.
    fn batch(&mut self) -> Vec<Asked> {
        self.floor = self.stage.published.load(SeqCst);
        let pinned = self.last.max(self.floor);
        let one = |i: usize| {
            let (target, coding) = (i % TARGETS.len(), ["identity", "gzip", "br", "zstd"][i / TARGETS.len() % 4]);
            match i % 10 {
                6 => Asked { target: TOTAL, coding, held: Some(self.held.clone()), pinned: None },
                9 => Asked { target: TOTAL, coding, held: None, pinned: Some(pinned) },
                _ => Asked { target, coding, held: None, pinned: None },
            }
        };
        (0..BATCH).map(one).collect()
    }

    fn check(&mut self, batch: &[Asked], all: &[Seen]) {
        let stage = self.stage;
        for (asked, seen) in batch.iter().zip(all) {
            let newest = stage.announced.load(SeqCst);
            // A corte may leave the shelf while a reader on a busy machine is held up; then, and only then, it is gone.
            if seen.status == 404 && asked.pinned.is_some_and(|n| n + KEEP < newest) {
                continue;
            }
            let n = stage.night.check(asked, seen);
            if asked.pinned.is_some() {
                stage.pinned.fetch_add(1, SeqCst);
                continue;
            }
            assert!(n >= self.floor, "corte {n}, though {} was published before the request", self.floor);
            assert!(n >= self.last && n <= newest, "corte {n} after {}, newest {newest}", self.last);
            self.last = n;
            if asked.target == TOTAL {
                self.held.clone_from(&seen.etag);
            }
        }
        stage.answered.fetch_add(all.len(), SeqCst);
    }
}

fn by_http1(stage: &Stage, requests: usize) {
    let _alarm = Alarm(&stage.failed);
    for _ in 0..requests / PER_CONNECTION {
        let (mut reader, mut connection) = (Reader::new(stage), Pipelined::connect(stage.address));
        for _ in 0..PER_CONNECTION / BATCH {
            let batch = reader.batch();
            let seen = connection.ask(&batch, &stage.night);
            reader.check(&batch, &seen);
        }
    }
}

fn by_http2(stage: &Stage, requests: usize) {
    let _alarm = Alarm(&stage.failed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for _ in 0..requests / PER_CONNECTION {
            let (mut reader, mut connection) = (Reader::new(stage), Multiplexed::connect(stage.address).await);
            for _ in 0..PER_CONNECTION / BATCH {
                let batch = reader.batch();
                let seen = connection.ask(&batch, &stage.night).await;
                reader.check(&batch, &seen);
            }
        }
    });
}

/// Publishes one corte after the other, evenly over all requests.
fn swap(stage: &Stage, live: &Live, snapshots: &[Arc<Snapshot>]) {
    for (n, snapshot) in snapshots.iter().enumerate().skip(1) {
        while stage.answered.load(SeqCst) < n * (REQUESTS / SWAPS) - REQUESTS / SWAPS / 2 {
            if stage.failed.load(SeqCst) {
                return;
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        stage.announced.store(n, SeqCst);
        let next = live.load().as_deref().unwrap().next(snapshot.clone(), KEEP);
        live.publish(next);
        stage.published.store(n, SeqCst);
        if n % IMPROVED_EVERY == 0 {
            let better = live.load().as_deref().unwrap().improved(&improved(snapshot));
            live.publish(better);
        }
    }
}

#[test]
fn a_million_requests_through_a_thousand_swaps() {
    let started = Monotonic::now();
    let mut night = Night::default();
    let snapshots: Vec<_> = (0..=SWAPS).map(snapshot).collect();
    for (n, snapshot) in snapshots.iter().enumerate() {
        night.learn(n, snapshot);
        if n % IMPROVED_EVERY == 0 {
            night.learn(n, &improved(snapshot));
        }
    }
    eprintln!("{} packages made, verified and built in {:?}", snapshots.len(), started.elapsed());
    let live = Arc::new(Live::default());
    let gate = gate(&live);
    live.publish(Edition::first(snapshots[0].clone()));
    let rhythm = Rhythm { clock: Clock::scripted(now()).0 };
    let settings = Settings {
        listen: vec![Listen { address: ([127, 0, 0, 1], 0).into(), is_tls: false }],
        certificates: Vec::new(),
        redirect: false,
        threads: 2,
        connections_max: 100,
        grace: Duration::from_secs(10),
        clients: Rules { limits: Limits { connections: 100, requests: 0, burst: 0 }, ..Rules::default() },
        patience: Patience::default(),
    };
    let ladder = Arc::new(Ladder::new(Classes::default(), &Metrics::new()));
    let site = Site { public: gate.public(), rhythm, corridor: None, ladder, counted: Counted::default() };
    let server = Server::start(&settings, Arc::new(site), Arc::new(Tickets::of(b"", 0)), &Metrics::new()).unwrap();
    let stage = Stage {
        night,
        address: server.addresses()[0].address,
        published: AtomicUsize::new(0),
        announced: AtomicUsize::new(0),
        answered: AtomicUsize::new(0),
        pinned: AtomicUsize::new(0),
        failed: AtomicBool::new(false),
    };
    let started = Monotonic::now();
    std::thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| by_http1(&stage, BY_HTTP1 / READERS));
            scope.spawn(|| by_http2(&stage, (REQUESTS - BY_HTTP1) / READERS));
        }
        swap(&stage, &live, &snapshots);
    });
    let (answered, pinned) = (stage.answered.load(SeqCst), stage.pinned.load(SeqCst));
    eprintln!("{answered} responses, {pinned} of them by corte, {SWAPS} swaps in {:?}", started.elapsed());
    assert!(answered >= REQUESTS && stage.published.load(SeqCst) == SWAPS);
    assert!(pinned * 100 >= answered * 9, "of those asked for by their ID nearly all were there");
    shelf(&stage);
    server.stop();
}

/// At rest: the live corte and the six before it answer by their IDs, older ones are gone.
fn shelf(stage: &Stage) {
    let mut connection = Pipelined::connect(stage.address);
    for n in SWAPS - KEEP - 2..=SWAPS {
        let asked = Asked { target: TOTAL, coding: "br", held: None, pinned: Some(n) };
        let seen = connection.ask(std::slice::from_ref(&asked), &stage.night).remove(0);
        if n >= SWAPS - KEEP {
            assert_eq!(stage.night.check(&asked, &seen), n);
        } else {
            assert_eq!((seen.status, seen.corte), (404, stage.night.cortes[SWAPS].id.clone().into_bytes()));
        }
    }
}
