//! The side-by-side run of `make bench`: difusor, nginx and bare hyper, one core for the server, another for the client,
//! and behind the two that are proxies an origin.
//!
//! This file owns the order of the run and the flags. `benches/README.md` says what is measured and how to read it.
//! The same program is also, as a child of itself, the bare hyper server and the client that makes handshakes.

// A bench measures real time; the clock that the product is held to is for what tests must be able to script.
#![allow(clippy::disallowed_methods)]

mod bare_hyper;
mod cells;
mod child;
mod contenders;
mod growth;
mod handshakes;
mod idle;
mod inputs;
mod load;
mod machine;
mod measure;
mod origin;
mod peers;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use cells::{Cell, Table};
use inputs::Inputs;
use measure::Plan;
use origin::Origin;
use peers::{Kind, Peer};

// The same allocator as difusor's, so that bare hyper is a reference for the serving path alone.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What failed, in words for the terminal.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

/// A port of no service (RFC 863).
const DISCARD: u16 = 9;

#[derive(Parser)]
#[command(name = "side_by_side", about = "difusor beside nginx and bare hyper, one core each for server and client")]
struct Args {
    /// Who is measured; one that cannot be started is named and left out
    #[arg(long, value_delimiter = ',', default_values = ["nginx", "h2o", "haproxy", "hyper", "difusor"])]
    peers: Vec<Kind>,
    /// Seconds of load for each peer, cell and round
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// Interleaved rounds; the table shows their medians
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Only cells whose name holds one of these: clear, tls, h2, 304, "60 KB", handshakes, hit, miss
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The core that the servers share
    #[arg(long, default_value_t = 0)]
    server_core: u32,
    /// The core of wrk, h2load and the handshakes client
    #[arg(long, default_value_t = 1)]
    client_core: u32,
    /// The core of the origin behind the proxies [default: that of the client]
    #[arg(long)]
    origin_core: Option<u32>,
    /// Where the figures are written [default: bench/side_by_side.json in the target folder]
    #[arg(long)]
    json: Option<PathBuf>,
    /// Passed by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    child: Option<Child>,
}

#[derive(Subcommand)]
enum Child {
    /// The hyper server with static bodies, the upper reference
    #[command(hide = true)]
    BareHyper(bare_hyper::Args),
    /// What an idle connection costs, and how the cost of a request grows with the connections there are
    Connections(idle::Args),
    /// How the cost of a request and memory grow with the files of a package
    Growth(growth::Args),
    /// The client that opens connections, asks once on each, and keeps them
    #[command(hide = true)]
    Holding(idle::Holding),
    /// The client that makes TLS handshakes and nothing else
    #[command(hide = true)]
    Handshakes(handshakes::Args),
}

fn main() -> ExitCode {
    if std::env::args_os().len() == 1 {
        // `cargo test --all-targets` runs benches too, without `--bench`.
        println!("side_by_side: nothing done; run it by `make bench` or with flags (--help)");
        return ExitCode::SUCCESS;
    }
    let args = Args::parse();
    let outcome = match args.child {
        Some(Child::BareHyper(args)) => bare_hyper::run(args),
        Some(Child::Handshakes(args)) => handshakes::run(args),
        Some(Child::Holding(args)) => idle::hold(args),
        Some(Child::Connections(ref wanted)) => idle::run(&args, wanted),
        Some(Child::Growth(ref wanted)) => growth::run(&args, wanted),
        None => run(args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if child::stopped() => {
            eprintln!("interrupted: everything that was started has been ended, nothing was written");
            ExitCode::from(130)
        }
        Err(fault) => {
            eprintln!("error: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<(), Fault> {
    child::need_tools()?;
    child::end_all_on_signals();
    let origin_core = args.origin_core.unwrap_or(args.client_core);
    child::set_cores(args.server_core, args.client_core, origin_core)?;
    let facts = machine::facts(args.server_core, args.client_core, origin_core);
    machine::warn_if_busy(args.server_core == args.client_core);
    let inputs = Inputs::make()?;
    let mut cells = Cell::all(&inputs, &args.only);
    if cells.is_empty() {
        return Err(format!("no cell is named like {:?}", args.only).into());
    }

    let mut absent = Vec::new();
    let mut peers = Vec::new();
    let origin = Origin::start(&inputs);
    child::check()?;
    if let Err(fault) = &origin {
        eprintln!("origin   LEFT OUT, and all that is of it: {fault}");
        absent.push(("origin", fault.to_string()));
        cells.retain(|cell| cell.table() != Table::Proxied);
        if cells.is_empty() {
            return Err("nothing else was asked for".into());
        }
    }
    let origin = origin.ok();
    // Else nobody listens there, and nothing asks.
    let port = origin.as_ref().map_or(DISCARD, |origin| origin.port);
    for kind in args.peers {
        child::check()?;
        match Peer::start(kind, &inputs, port) {
            Ok(peer) => {
                eprintln!("{:8} {}", kind.name(), peer.about);
                peers.push(peer);
            }
            Err(fault) => {
                eprintln!("{:8} LEFT OUT: {fault}", kind.name());
                absent.push((kind.name(), fault.to_string()));
            }
        }
    }
    if peers.is_empty() {
        return Err("none of the servers could be started".into());
    }

    let plan = Plan { seconds: args.seconds, rounds: args.rounds };
    let results = measure::run(&plan, &cells, &peers, origin.as_ref())?;
    let report = table::Report { facts, plan, peers: &peers, absent, results };
    println!("{}", report.markdown());
    let json = args.json.unwrap_or_else(default_json);
    report.write_json(&json)?;
    eprintln!("written: {}", json.display());
    match report.failures() {
        0 => Ok(()),
        n => Err(format!("{n} cells failed; the table marks them").into()),
    }
}

fn default_json() -> PathBuf {
    // cargo runs a bench in the package's folder.
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    PathBuf::from(target).join("bench/side_by_side.json")
}
