//! What a corte does to a crowd: 50,000 simulated readers in virtual time, the product's own freshness, and an instant server.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use difusor::base::clock::Clock;
use difusor::http::{Freshness, Rhythm, Spread};
use difusor::readers::bodies::Stored;
use difusor::readers::crowd::{Ask, Crowd, Next, Outcome, WAYS};
use difusor::readers::keep::{Lifetime, Mode, SECOND_US};
use difusor::readers::plan::Plan;
use difusor::snapshot::Timing;
use jiff::{SignedDuration, Timestamp};

pub const READERS: u32 = 50_000;
const CORTE_S: u64 = 600;
/// How long after its stamp a corte goes live: it has to be counted, signed and sent.
const LATE_S: u64 = 20;
/// Cortes that are looked at, after the first.
const CORTES: u64 = 3;

struct Case {
    what: &'static str,
    mode: Mode,
    poll_s: u64,
    comers: f64,
    /// Whether connections are told in groups, as the product does.
    is_spread: bool,
    /// Whether differences are made of the files, and so they may be shown for longer while they are asked for.
    is_descended: bool,
}

const OURS: Case = Case {
    what: "our own pages (`no-cache`), poll 10 s",
    mode: Mode::NoCache,
    poll_s: 10,
    comers: 0.0,
    is_spread: true,
    is_descended: true,
};
/// Pages that ask through the browser's cache, of what has no differences.
const THEIRS: Case = Case {
    what: "the authority's pages, through the browser's cache, poll 30 s, no dictionaries",
    mode: Mode::Default,
    poll_s: 30,
    is_descended: false,
    ..OURS
};
const CASES: [Case; 7] = [
    OURS,
    Case { what: "the same, 30 % come for each corte", comers: 0.3, ..OURS },
    THEIRS,
    Case { what: "the same, if connections were not told in groups", is_spread: false, ..THEIRS },
    Case { what: "the same with dictionaries", is_descended: true, ..THEIRS },
    Case { what: "the same with dictionaries, poll 5 s", is_descended: true, poll_s: 5, ..THEIRS },
    Case {
        what: "the same with dictionaries, poll 5 s, not told in groups",
        is_descended: true,
        poll_s: 5,
        is_spread: false,
        ..THEIRS
    },
];

pub fn print(readers: u32) {
    println!(
        "\n## {readers} readers across {CORTES} cortes of {} minutes, each live {LATE_S} s after its stamp\n",
        CORTE_S / 60
    );
    println!(
        "Page, poll file and two files of results; `Cache-Control` as `http::freshness` prints it, from the second that it was asked for.\n"
    );
    println!(
        "| readers | requests a second, mean | in the busiest second | peak / mean | saw the corte after: p50 | p99 | the last |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for case in &CASES {
        let found = simulate(case, readers);
        println!(
            "| {} | {:.0} | {} | {:.1} | {:.1} s | {:.1} s | {:.1} s |",
            case.what,
            found.mean,
            found.peak,
            found.peak as f64 / found.mean,
            found.late[0],
            found.late[1],
            found.late[2]
        );
    }
}

struct Found {
    mean: f64,
    peak: u64,
    late: [f64; 3],
}

fn simulate(case: &Case, readers: u32) -> Found {
    let plan = Plan {
        readers,
        comers: case.comers,
        rush: Duration::from_secs(30),
        stay: Duration::from_secs(60),
        returning: 0.7,
        dictionaries: 0.7,
        http2: 1.0,
        poll: Duration::from_secs(case.poll_s),
        think: Duration::from_secs(2),
        mode: case.mode,
        page: "/".into(),
        poll_file: "/.prep/corte.json".into(),
        paths: vec!["/datos/resultados.json".into(), "/datos/distrito_01.json".into()],
        rate_max: None,
        seed: 2026,
    };
    let mut crowd = Crowd::new(plan);
    let mut server = Server::new(case);
    // The first corte is everybody's beginning; requests are counted from a minute before the second.
    let (from, until) = (CORTE_S - 60, CORTE_S * (CORTES + 1) - 60);
    let mut by_second = vec![0u64; until as usize + 1];
    let mut now = 0;
    while now < until * SECOND_US {
        server.at(now, &mut crowd);
        let mut next = server.next_corte_us(now);
        for way in WAYS {
            loop {
                match crowd.next(way, now) {
                    Next::Ask(ask) => {
                        by_second[(now / SECOND_US) as usize] += 1;
                        let outcome = server.answer(&ask);
                        crowd.answered(&ask, outcome, now);
                    }
                    Next::At(at) => break next = next.min(at),
                    Next::Nothing => break,
                }
            }
        }
        now = next.max(now + 1);
    }
    let counted = &by_second[from as usize..until as usize];
    let mut late = difusor::readers::seen::none();
    for corte in &crowd.seen.cortes()[1..] {
        late.add(&corte.late).expect("they are of the same kind");
    }
    let seconds = |part: f64| late.value_at_quantile(part) as f64 / 1e6;
    Found {
        mean: counted.iter().sum::<u64>() as f64 / counted.len() as f64,
        peak: counted.iter().copied().max().unwrap_or(0),
        late: [seconds(0.5), seconds(0.99), seconds(1.0)],
    }
}

/// Every file changes at every corte.
struct Server {
    is_spread: bool,
    freshness: fn(Timing, Spread) -> Freshness,
    began: Timestamp,
    stored: HashMap<(u16, u64), Arc<Stored>>,
    /// The corte that is live, by number and by its place.
    live: (u64, Option<u16>),
    /// What is said in this second.
    said: (u64, HashMap<Spread, Lifetime>),
}

impl Server {
    fn new(case: &Case) -> Server {
        let began = "2026-06-08T02:00:00Z".parse().unwrap();
        Server {
            is_spread: case.is_spread,
            freshness: if case.is_descended { Freshness::Descended } else { Freshness::Current },
            began,
            stored: HashMap::new(),
            live: (u64::MAX, None),
            said: (u64::MAX, HashMap::new()),
        }
    }

    fn number(now_us: u64) -> u64 {
        (now_us / SECOND_US).saturating_sub(LATE_S) / CORTE_S
    }

    fn next_corte_us(&self, now_us: u64) -> u64 {
        ((Server::number(now_us) + 1) * CORTE_S + LATE_S) * SECOND_US
    }

    fn at(&mut self, now_us: u64, crowd: &mut Crowd) {
        let n = Server::number(now_us);
        if self.live.0 != n {
            self.live = (n, crowd.corte(format!("c{n}").as_bytes(), now_us));
        }
        let second = now_us / SECOND_US;
        if self.said.0 != second {
            self.said = (second, HashMap::new());
        }
    }

    /// What the product says at this moment.
    fn lifetime(&self, n: u64, second: u64, spread: Spread) -> Lifetime {
        let after = |seconds: u64| self.began + SignedDuration::from_secs(seconds as i64);
        let interval = SignedDuration::from_secs(CORTE_S as i64);
        let timing = Timing {
            interval,
            due: Some(after((n + 1) * CORTE_S)),
            until: Some(after((n + 4) * CORTE_S)),
            opens: None,
        };
        let (clock, _) = Clock::scripted(after(second));
        let line = Rhythm { clock }.cache_control((self.freshness)(timing, spread));
        Lifetime::read(Some(line.as_bytes()), None)
    }

    fn answer(&mut self, ask: &Ask) -> Outcome {
        let ((n, corte), second) = (self.live, self.said.0);
        // Each has a connection of his own.
        let from =
            SocketAddr::from((Ipv4Addr::from_bits(0x0a00_0000 + ask.reader / 100), 40_000 + (ask.reader % 100) as u16));
        let spread = if self.is_spread { Spread::of(from) } else { Spread::default() };
        let lifetime = match self.said.1.get(&spread) {
            Some(lifetime) => *lifetime,
            None => self.lifetime(n, second, spread),
        };
        self.said.1.insert(spread, lifetime);
        let stored = self
            .stored
            .entry((ask.resource, n))
            .or_insert_with(|| Arc::new(Stored { etag: Some(Bytes::from(format!("\"{n}\""))), ..Stored::plain(b"") }));
        match &ask.kept {
            Some(kept) if kept.etag == stored.etag => Outcome::NotModified { lifetime, corte },
            _ => Outcome::Whole { lifetime, corte, stored: stored.clone() },
        }
    }
}
