//! The clients: how wrk, h2load and our own handshakes are run, and what is read from what they print.

use std::path::Path;
use std::process::Command;

use crate::Fault;
use crate::cells::{Ask, Cell, Wire};
use crate::child::{self, Side};
use crate::contenders::Contender;
use crate::handshakes::Tally;

const CONNECTIONS: u32 = 64;
/// HTTP/2 streams under way on each connection.
const STREAMS: u32 = 10;
/// Handshakes under way at any time.
const HANDSHAKES: u32 = 32;

/// What a request must carry, and what its answer must be: taken from the server itself before the load (`measure`).
pub struct Expect {
    /// The tag to send back, for a 304.
    pub tag: Option<String>,
    /// Bytes of one response, head and body, as HTTP/1.1 sends it.
    pub response: u64,
}

/// What a client saw in one run in which every answer was as it should be.
#[derive(Clone, Debug)]
pub struct Load {
    pub requests: u64,
    pub per_second: f64,
    /// The cipher suite, where the client tells it.
    pub cipher: Option<String>,
}

pub fn run(cell: &Cell, to: &Contender, expect: &Expect, seconds: u32) -> Result<Load, Fault> {
    match (cell.ask, cell.wire) {
        (Ask::FullHandshakes | Ask::Resumptions, _) => handshakes(cell, to, seconds),
        (_, Wire::H2) => h2load(cell, to, expect, seconds),
        (_, Wire::Clear | Wire::Tls) => wrk(cell, to, expect, seconds),
    }
}

pub fn url(cell: &Cell, to: &Contender) -> String {
    match cell.wire {
        Wire::Clear => format!("http://127.0.0.1:{}/{}", to.peer.http, to.path),
        Wire::Tls | Wire::H2 => format!("https://127.0.0.1:{}/{}", to.peer.https, to.path),
    }
}

fn with_headers(mut command: Command, expect: &Expect) -> Command {
    command.args(["-H", "Accept-Encoding: gzip"]);
    if let Some(tag) = &expect.tag {
        command.arg("-H").arg(format!("If-None-Match: {tag}"));
    }
    command
}

fn wrk(cell: &Cell, to: &Contender, expect: &Expect, seconds: u32) -> Result<Load, Fault> {
    let mut command = with_headers(child::pinned(Side::Client, "wrk"), expect);
    if cell.ask == Ask::Once {
        command.args(["-H", "Connection: close"]);
    }
    wrk_on(command, CONNECTIONS, &url(cell, to), expect.response, seconds)
}

/// So many connections that are kept ask for `url`, whose response has so many bytes.
pub fn many(connections: u32, url: &str, response: u64, seconds: u32) -> Result<Load, Fault> {
    let expect = Expect { tag: None, response };
    let command = with_headers(child::pinned(Side::Client, "wrk"), &expect);
    wrk_on(command, connections, url, response, seconds)
}

/// Paths at random, as this script for wrk makes them.
pub fn random(script: &Path, url: &str, response: u64, seconds: u32) -> Result<Load, Fault> {
    let mut command = child::pinned(Side::Client, "wrk");
    command.arg("-s").arg(script);
    wrk_on(command, CONNECTIONS, url, response, seconds)
}

fn wrk_on(mut command: Command, connections: u32, url: &str, response: u64, seconds: u32) -> Result<Load, Fault> {
    command
        .args(["-t", "1", "-c", &connections.to_string(), "-d", &format!("{seconds}s"), "--timeout", "30s"])
        .arg(url);
    read_wrk(&child::output(&mut command)?, response)
}

fn read_wrk(said: &str, response: u64) -> Result<Load, Fault> {
    if let Some(line) = said.lines().find(|l| l.contains("Socket errors") || l.contains("Non-2xx")) {
        return Err(format!("wrk: {}", line.trim()).into());
    }
    let per_second = said.lines().find_map(|l| l.strip_prefix("Requests/sec:"));
    let totals = said.lines().find_map(|l| l.trim().split_once(" requests in "));
    let (Some(per_second), Some((requests, rest))) = (per_second, totals) else {
        return Err(format!("wrk: no totals in {said:?}").into());
    };
    let requests: u64 = requests.trim().parse()?;
    let read = rest.split_once(", ").and_then(|(_, r)| r.strip_suffix(" read")).ok_or("wrk: no bytes read")?;
    // wrk takes any 2xx or 3xx for good: the bytes tell whether each was the whole body, or a 304.
    let mean = bytes(read)? / requests.max(1) as f64;
    if (mean / response as f64 - 1.0).abs() > 0.05 {
        return Err(format!("wrk: {mean:.0} bytes a response instead of {response}").into());
    }
    Ok(Load { requests, per_second: per_second.trim().parse()?, cipher: None })
}

/// "1.25GB" in wrk's units, which are binary.
fn bytes(text: &str) -> Result<f64, Fault> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let scale = match &text[digits.len()..] {
        "B" => 0,
        "KB" => 1,
        "MB" => 2,
        "GB" => 3,
        "TB" => 4,
        unit => return Err(format!("wrk: unknown unit {unit}").into()),
    };
    Ok(digits.parse::<f64>()? * 1024_f64.powi(scale))
}

fn h2load(cell: &Cell, to: &Contender, expect: &Expect, seconds: u32) -> Result<Load, Fault> {
    let mut command = with_headers(child::pinned(Side::Client, "h2load"), expect);
    command.args(["-c", &CONNECTIONS.to_string(), "-m", &STREAMS.to_string(), "-t", "1", "-D", &seconds.to_string()]);
    read_h2load(&child::output(command.arg(url(cell, to)))?, cell.ask)
}

fn read_h2load(said: &str, ask: Ask) -> Result<Load, Fault> {
    let line = |start: &str| said.lines().find_map(|l| l.strip_prefix(start)).ok_or(format!("h2load: no {start:?}"));
    if line("Application protocol: ")? != "h2" {
        return Err("h2load: the server did not choose h2".into());
    }
    let requests = line("requests: ")?;
    let codes = line("status codes: ")?;
    let (done, bad) = (count(requests, "done")?, count(requests, "failed")? + count(requests, "errored")?);
    let (ok, redirected) = (count(codes, "2xx")?, count(codes, "3xx")?);
    let (right, wrong) = if ask == Ask::Again { (redirected, ok) } else { (ok, redirected) };
    let wrong = wrong + count(codes, "4xx")? + count(codes, "5xx")?;
    // At the end some answers have shown their status and not yet their whole body: more codes than done.
    if bad + wrong > 0 || right < done || done == 0 {
        return Err(format!("h2load: {requests}; {codes}").into());
    }
    let rate = line("finished in ")?.split(", ").find_map(|part| part.strip_suffix(" req/s"));
    let per_second = rate.ok_or("h2load: no req/s")?.parse()?;
    Ok(Load { requests: done, per_second, cipher: line("Cipher: ").ok().map(str::to_owned) })
}

/// The number before `word` in "12 total, 12 started, ...".
fn count(list: &str, word: &str) -> Result<u64, Fault> {
    let found = list.split(", ").find_map(|part| part.trim().strip_suffix(word));
    Ok(found.ok_or_else(|| format!("h2load: no {word:?} in {list:?}"))?.trim().parse()?)
}

fn handshakes(cell: &Cell, to: &Contender, seconds: u32) -> Result<Load, Fault> {
    let mut command = child::pinned(Side::Client, std::env::current_exe()?);
    command.arg("handshakes").arg("--address").arg(format!("127.0.0.1:{}", to.peer.https));
    command.arg("--chain").arg::<&Path>(&to.peer.chain).args(["--seconds", &seconds.to_string()]);
    command.args(["--connections", &HANDSHAKES.to_string()]);
    if cell.ask == Ask::Resumptions {
        command.arg("--resumed");
    }
    let tally: Tally = serde_json::from_str(&child::output(&mut command)?)?;
    if tally.failed + tally.other > 0 || tally.done == 0 {
        let Tally { done, other, failed, fault, .. } = tally;
        let why = fault.unwrap_or_default();
        return Err(format!("handshakes: {done} as wanted, {other} of the other kind, {failed} failed {why}").into());
    }
    let per_second = tally.done as f64 / tally.seconds;
    Ok(Load { requests: tally.done, per_second, cipher: None })
}
