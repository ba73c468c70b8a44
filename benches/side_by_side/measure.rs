//! The rounds: proves first that each server answers a cell rightly, then loads and reads the servers' CPU time.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Instant;

use serde::Serialize;

use crate::Fault;
use crate::cells::{Ask, Cell, Table, Wire};
use crate::child;
use crate::contenders::{self, Contender};
use crate::load::{self, Expect};
use crate::origin::Origin;
use crate::peers::Peer;

/// How often and how long.
#[derive(Serialize)]
pub struct Plan {
    pub seconds: u32,
    pub rounds: u32,
}

/// One run of one cell against one server.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    pub round: u32,
    pub requests: u64,
    pub per_second: f64,
    /// Of the server's own processes, user and system.
    pub cpu_seconds: f64,
    pub per_cpu_second: f64,
    /// Share of its core that the server used: below 0.9 the client was the limit, not the server.
    pub busy: f64,
}

/// A cell's outcome at one server.
#[derive(Default, Serialize)]
pub struct Series {
    /// Bytes of one response as HTTP/1.1 sends it, head and body; 0 for handshakes.
    pub response_bytes: u64,
    pub cipher: Option<String>,
    pub samples: Vec<Sample>,
    /// What went wrong, if anything: the cell then has no figure.
    pub fault: Option<String>,
}

/// A row of a table: a cell, and its outcome for each contender by name.
pub struct Row {
    pub table: Table,
    pub name: String,
    pub series: BTreeMap<&'static str, Series>,
}

/// `USER_HZ`: the kernel tells CPU times to user space in hundredths of a second on every architecture we build for.
const TICKS: f64 = 100.0;
/// Before the first round of a cell, for connections, caches and branch predictors.
const WARM_UP_SECONDS: u32 = 1;
/// A server that compresses by itself may miss the size of the cell by this share, and has this long to get there.
const SIZE_TOLERANCE: f64 = 0.03;
const SETTLE_TRIES: u32 = 100;

/// Without an `origin` there must be no cell that needs it.
pub fn run(plan: &Plan, cells: &[Cell], peers: &[Peer], origin: Option<&Origin>) -> Result<Vec<Row>, Fault> {
    let mut rows = Vec::new();
    let mut expected = Vec::new();
    for cell in cells {
        let (mut series, mut expects) = (BTreeMap::new(), Vec::new());
        for to in contenders::of(cell, peers) {
            let expect = prove(cell, &to);
            child::check()?;
            let mut one = Series::default();
            match &expect {
                Ok(e) => one.response_bytes = e.response,
                Err(fault) => fail(&mut one, cell, &to, fault),
            }
            series.insert(to.name, one);
            expects.push((to, expect.unwrap_or(Expect { tag: None, response: 0 })));
        }
        rows.push(Row { table: cell.table(), name: cell.name.clone(), series });
        expected.push(expects);
    }
    for round in 0..plan.rounds {
        for ((cell, row), contenders) in cells.iter().zip(&mut rows).zip(&expected) {
            // Whoever goes first in one round goes last in the next: what disturbs the machine disturbs all alike.
            for turn in 0..contenders.len() {
                let (to, expect) = &contenders[(turn + round as usize) % contenders.len()];
                let series = row.series.get_mut(to.name).expect("a series a contender");
                if series.fault.is_some() {
                    continue;
                }
                let outcome = sample(plan, round, cell, to, expect, origin, series);
                child::check()?;
                if let Err(fault) = outcome {
                    fail(series, cell, to, &fault);
                }
            }
        }
    }
    Ok(rows)
}

fn fail(series: &mut Series, cell: &Cell, to: &Contender, fault: &Fault) {
    eprintln!("{:20} {:8} FAILED: {fault}", cell.name, to.name);
    series.fault = Some(fault.to_string());
    series.samples.clear();
}

fn sample(
    plan: &Plan,
    round: u32,
    cell: &Cell,
    to: &Contender,
    expect: &Expect,
    origin: Option<&Origin>,
    series: &mut Series,
) -> Result<(), Fault> {
    if round == 0 {
        load::run(cell, to, expect, WARM_UP_SECONDS)?;
    }
    let seen = origin.map(Origin::settled).transpose()?;
    let (cpu, started) = (cpu_seconds(to.peer.pid()), Instant::now());
    let load = load::run(cell, to, expect, plan.seconds)?;
    let (cpu_seconds, elapsed) = (cpu_seconds(to.peer.pid()) - cpu, started.elapsed().as_secs_f64());
    if let Some((origin, seen)) = origin.zip(seen) {
        origin.holds(cell.ask, seen, load.requests)?;
    }
    let per_cpu_second = load.requests as f64 / cpu_seconds.max(1.0 / TICKS);
    let one = Sample {
        round: round + 1,
        requests: load.requests,
        per_second: load.per_second,
        cpu_seconds,
        per_cpu_second,
        busy: cpu_seconds / elapsed,
    };
    eprintln!(
        "{:20} {:8} round {}/{}  {:>9.0} /s  {:>9.0} /CPU-s  core {:>3.0} %",
        cell.name,
        to.name,
        one.round,
        plan.rounds,
        one.per_second,
        one.per_cpu_second,
        one.busy * 100.0
    );
    series.cipher = load.cipher;
    series.samples.push(one);
    Ok(())
}

/// Asks once with curl, and holds the answer against what the cell says it must be.
pub fn prove(cell: &Cell, to: &Contender) -> Result<Expect, Fault> {
    if cell.is_handshake() {
        return Ok(Expect { tag: None, response: 0 });
    }
    let mut answer = ask(cell, to, None)?;
    for _ in 0..SETTLE_TRIES {
        if answer.body == cell.size as u64 {
            break;
        }
        // The best compression may come a moment after the first.
        std::thread::sleep(std::time::Duration::from_millis(100));
        child::check()?;
        answer = ask(cell, to, None)?;
    }
    let version = if cell.wire == Wire::H2 { "2" } else { "1.1" };
    let off = (answer.body as f64 / cell.size as f64 - 1.0).abs();
    if answer.code != 200 || answer.coding != "gzip" || answer.version != version || off > SIZE_TOLERANCE {
        return Err(format!("not 200, gzip, {} bytes, HTTP/{version}, but {answer:?}", cell.size).into());
    }
    if matches!(cell.ask, Ask::Body | Ask::Once | Ask::Hit | Ask::Miss) {
        return Ok(Expect { tag: None, response: answer.head + answer.body });
    }
    let tag = answer.tag.clone();
    let again = ask(cell, to, Some(&tag))?;
    if tag.is_empty() || again.code != 304 || again.body != 0 {
        return Err(format!("not a 304 without a body to its own tag {tag}, but {again:?}").into());
    }
    Ok(Expect { tag: Some(tag), response: again.head })
}

#[derive(Debug)]
struct Answer {
    code: u16,
    version: String,
    head: u64,
    body: u64,
    coding: String,
    tag: String,
}

fn ask(cell: &Cell, to: &Contender, tag: Option<&str>) -> Result<Answer, Fault> {
    let mut curl = Command::new("curl");
    curl.args(["-s", "-k", "--max-time", "5", "-o", "/dev/null", "-D", "-", "-H", "Accept-Encoding: gzip"]);
    curl.arg(if cell.wire == Wire::H2 { "--http2" } else { "--http1.1" });
    curl.args(["-w", "\n=%{http_code} %{http_version} %{size_header} %{size_download}"]);
    if let Some(tag) = tag {
        curl.arg("-H").arg(format!("If-None-Match: {tag}"));
    }
    let said = child::output(curl.arg(load::url(cell, to)))?;
    let (head, facts) = said.rsplit_once('=').ok_or("curl: no facts")?;
    let facts: Vec<&str> = facts.split_whitespace().collect();
    let [code, version, header, size] = facts[..] else { return Err(format!("curl: {facts:?}").into()) };
    let field = |name: &str| {
        let lines = head.lines().filter_map(|l| l.split_once(':'));
        let mut values = lines.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim().to_owned());
        values.next().unwrap_or_default()
    };
    Ok(Answer {
        code: code.parse()?,
        version: version.to_owned(),
        head: header.parse()?,
        body: size.parse()?,
        coding: field("content-encoding"),
        tag: field("etag"),
    })
}

/// User and system time of a process and all its descendants that live: nginx's master and its worker.
pub fn cpu_seconds(pid: u32) -> f64 {
    let ticks: u64 = family(pid).into_iter().filter_map(stat).map(|(_, ticks)| ticks).sum();
    ticks as f64 / TICKS
}

/// A process and its descendants.
pub fn family(root: u32) -> Vec<u32> {
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = numbers.filter_map(|e| e.file_name().to_str()?.parse().ok());
    let parents: Vec<(u32, u32)> = pids.filter_map(|pid| Some((pid, stat(pid)?.0))).collect();
    let mut family = vec![root];
    let mut at = 0;
    while let Some(parent) = family.get(at).copied() {
        family.extend(parents.iter().filter(|(_, p)| *p == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    family
}

/// Parent, and user plus system time in ticks: fields 4, 14 and 15 of proc(5).
fn stat(pid: u32) -> Option<(u32, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in brackets, may hold anything, brackets too.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some((fields.get(1)?.parse().ok()?, ticks))
}
