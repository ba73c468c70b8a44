//! Connections that are there and ask for nothing: what one costs the server in memory, and what a request costs while there
//! are many.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;

use crate::cells::{Cell, Wire};
use crate::child::{self, Side};
use crate::contenders::{self, Contender};
use crate::inputs::Inputs;
use crate::peers::{Kind, Peer};
use crate::{Fault, handshakes, load, measure};

#[derive(clap::Args)]
pub struct Args {
    /// Idle connections, of which the first tenth is not counted: it pays for what is had once
    #[arg(long, default_value_t = 15_000)]
    idle: u32,
    /// Connections that all ask, one row each
    #[arg(long, value_delimiter = ',', default_values = ["10", "100", "1000", "10000", "15000"])]
    asking: Vec<u32>,
    /// Seconds of load for each of these rows
    #[arg(long, default_value_t = 4)]
    load_seconds: u32,
}

#[derive(clap::Args)]
pub struct Holding {
    #[arg(long)]
    address: SocketAddr,
    #[arg(long)]
    path: String,
    /// The server's certificate, where it speaks TLS
    #[arg(long)]
    chain: Option<PathBuf>,
    #[arg(long)]
    connections: u32,
}

/// So many connections from one address: servers limit what one client may have.
const PER_ADDRESS: u32 = 100;
/// Opened at a time.
const AT_ONCE: u32 = 50;
/// Until a server has given back what it will.
const SETTLE: Duration = Duration::from_secs(2);
/// So many times its memory has to stay what it was, and so often that is looked at.
const STEADY: (u32, u32) = (4, 60);

/// Prints both tables.
pub fn run(args: &crate::Args, wanted: &Args) -> Result<(), Fault> {
    child::need_tools()?;
    child::end_all_on_signals();
    child::set_cores(args.server_core, args.client_core, args.client_core)?;
    let wires = [Wire::Clear, Wire::Tls];
    println!("| server | wire | idle connections | bytes of memory a connection |\n| --- | --- | ---: | ---: |");
    for kind in &args.peers {
        for wire in wires {
            // A new one each time: what it has had before, it may keep.
            let outcome = alone(*kind, wire, |cell, to| growth(cell, to, wanted.idle));
            child::check()?;
            let told = outcome.map_or_else(|fault| format!("failed: {fault}"), |bytes| format!("{bytes:.0}"));
            println!("| {} | {wire:?} | {} | {told} |", kind.name(), wanted.idle);
        }
    }
    println!("\n| server | connections that ask | thousands of requests per CPU-second |\n| --- | ---: | ---: |");
    for kind in &args.peers {
        alone(*kind, Wire::Clear, |cell, to| {
            let expect = measure::prove(cell, to)?;
            for connections in &wanted.asking {
                let before = measure::cpu_seconds(to.peer.pid());
                let load = load::many(*connections, &load::url(cell, to), expect.response, wanted.load_seconds);
                child::check()?;
                let spent = measure::cpu_seconds(to.peer.pid()) - before;
                let told = load.map_or_else(
                    |fault| format!("failed: {fault}"),
                    |load| format!("{:.1}", load.requests as f64 / spent / 1000.0),
                );
                println!("| {} | {connections} | {told} |", kind.name());
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// What `measured` finds at a server that was just started.
fn alone<R>(kind: Kind, wire: Wire, measured: impl FnOnce(&Cell, &Contender) -> Result<R, Fault>) -> Result<R, Fault> {
    let inputs = Inputs::make()?;
    let cell = Cell::kept(wire, &inputs.bodies[0]);
    let peer = Peer::start(kind, &inputs, crate::DISCARD)?;
    steady(peer.pid())?;
    let to = contenders::of(&cell, std::slice::from_ref(&peer)).remove(0);
    measured(&cell, &to)
}

/// Bytes that the server's processes have grown by for each connection beyond the first tenth.
fn growth(cell: &Cell, to: &Contender, connections: u32) -> Result<f64, Fault> {
    measure::prove(cell, to)?;
    let few = connections / 10;
    let with = |connections: u32| -> Result<u64, Fault> {
        let mut command = child::pinned(Side::Client, std::env::current_exe()?);
        let port = if cell.wire == Wire::Tls { to.peer.https } else { to.peer.http };
        command.arg("holding").args(["--address", &format!("127.0.0.1:{port}"), "--path", &to.path]);
        command.args(["--connections", &connections.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        if cell.wire == Wire::Tls {
            command.arg("--chain").arg(&to.peer.chain);
        }
        let mut holding = command.spawn()?;
        let mut said = String::new();
        BufReader::new(holding.stdout.take().ok_or("no output")?).read_line(&mut said)?;
        std::thread::sleep(SETTLE);
        let memory = memory(to.peer.pid());
        // It ends with its input.
        drop(holding.stdin.take());
        holding.wait()?;
        if said.trim() != "all" { Err(said.into()) } else { Ok(memory) }
    };
    let before = with(few)?;
    // The server has to see that they are gone.
    steady(to.peer.pid())?;
    let after = with(connections)?;
    Ok((after as f64 - before as f64) / f64::from(connections - few))
}

/// Waits until a server does what it does once no more: ours compresses what it has just read.
pub fn steady(pid: u32) -> Result<(), Fault> {
    let (mut last, mut times) = (0, 0);
    for _ in 0..STEADY.1 {
        std::thread::sleep(SETTLE);
        child::check()?;
        let now = memory(pid);
        times = if now.abs_diff(last) < now / 200 { times + 1 } else { 0 };
        if times == STEADY.0 {
            return Ok(());
        }
        last = now;
    }
    Err("its memory is never the same".into())
}

/// Of a process and its descendants, in bytes.
pub fn memory(pid: u32) -> u64 {
    measure::family(pid).into_iter().filter_map(resident).sum()
}

/// `VmRSS` of proc(5), in bytes.
fn resident(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? << 10)
}

/// Opens the connections, asks once on each, says `all`, and keeps them until its input ends.
pub fn hold(args: Holding) -> Result<(), Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime
        .block_on(async {
            let connector = match &args.chain {
                Some(chain) => Some(TlsConnector::from(Arc::new(handshakes::config(chain, false)?))),
                None => None,
            };
            let mut kept = Vec::new();
            for begin in (0..args.connections).step_by(AT_ONCE as usize) {
                let mut some = tokio::task::JoinSet::new();
                for n in begin..(begin + AT_ONCE).min(args.connections) {
                    some.spawn(one(n, args.address, args.path.clone(), connector.clone()));
                }
                while let Some(one) = some.join_next().await {
                    kept.push(one??);
                }
            }
            println!("all");
            Ok::<_, Fault>(kept)
        })
        .inspect_err(|fault| println!("{fault}"))
        .map(|_kept| {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
        })
}

trait Kept: Send {}
impl<T: Send> Kept for T {}

async fn one(n: u32, to: SocketAddr, path: String, connector: Option<TlsConnector>) -> Result<Box<dyn Kept>, Fault> {
    let socket = TcpSocket::new_v4()?;
    let from = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 1)) + n / PER_ADDRESS);
    socket.bind(SocketAddrV4::new(from, 0).into())?;
    let mut stream = socket.connect(to).await?;
    let request = format!("GET /{path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n");
    let mut answer = vec![0; 16 << 10];
    let Some(connector) = connector else {
        stream.write_all(request.as_bytes()).await?;
        let len = stream.read(&mut answer).await?;
        good(&answer[..len])?;
        return Ok(Box::new(stream));
    };
    let mut stream = connector.connect(ServerName::try_from("localhost")?, stream).await?;
    stream.write_all(request.as_bytes()).await?;
    let len = stream.read(&mut answer).await?;
    good(&answer[..len])?;
    Ok(Box::new(stream))
}

fn good(answer: &[u8]) -> Result<(), Fault> {
    let is_good = answer.starts_with(b"HTTP/1.1 200 ");
    if is_good { Ok(()) } else { Err(format!("no 200, but {:?}", String::from_utf8_lossy(answer)).into()) }
}
