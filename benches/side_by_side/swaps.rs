//! A corte every second, by the way that cortes come: what readers wait then, beside what they wait without. The packages are made
//! before; each is renamed into the incoming folder of the real program, which verifies, builds, keeps and shows it as ever.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::child::{self, Side};
use crate::inputs::Inputs;
use crate::open_loop::Seen;
use crate::peers::{self, Kind, Peer};
use crate::{Fault, idle, measure};

#[derive(clap::Args)]
pub struct Args {
    /// Files that change with each corte, some 8 KB each as they are sent; readers ask for all of them in turn
    #[arg(long, default_value_t = 36)]
    files: u32,
    /// Requests a second, one row each: near the last a core has nothing left
    #[arg(long, value_delimiter = ',', default_values = ["10000", "30000"])]
    per_second: Vec<u32>,
}

const EVERY: Duration = Duration::from_secs(1);
/// Hexadecimal digits that make such a file.
const DIGITS: usize = 14_500;

/// Prints the table.
pub fn run(args: &crate::Args, wanted: &Args) -> Result<(), Fault> {
    child::need_tools()?;
    child::end_all_on_signals();
    child::set_cores(args.server_core, args.client_core, args.client_core)?;
    let inputs = Inputs::make()?;
    let peer = Peer::start(Kind::Difusor, &inputs, crate::DISCARD)?;
    let folder = inputs.folder(Kind::Difusor.name())?;
    let all = 1 + wanted.per_second.len() as u32 * args.rounds * args.seconds;
    let mut parcels = parcels(&folder, wanted.files, all)?.into_iter();
    let incoming = folder.join("incoming");
    let mut publish = || -> Result<(), Fault> {
        let parcel = parcels.next().ok_or("no package is left")?;
        let name = parcel.file_name().ok_or("no name")?;
        Ok(fs::rename(&parcel, incoming.join(name))?)
    };
    publish()?;
    idle::steady(peer.pid())?;
    println!("| requests a second | round | cortes | core used | p50 | p99 | p99.9 | most (ms) | p99 with / without |");
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for per_second in &wanted.per_second {
        for round in 1..=args.rounds {
            let mut without = None;
            for swaps in [false, true] {
                let (cpu, began) = (measure::cpu_seconds(peer.pid()), Instant::now());
                let seen = ask(&peer, wanted.files, *per_second, args.seconds, swaps.then_some(&mut publish))?;
                let used = (measure::cpu_seconds(peer.pid()) - cpu) / began.elapsed().as_secs_f64() * 100.0;
                let ratio = without.map_or("-".to_owned(), |p99| format!("{:.2}", seen.p99_us as f64 / p99));
                let [p50, p99, p999, most] = [seen.p50_us, seen.p99_us, seen.p999_us, seen.max_us]
                    .map(|us| format!("{:.2}", us as f64 / 1000.0));
                let cortes = seen.cortes;
                println!(
                    "| {per_second} | {round} | {cortes} | {used:.0} % | {p50} | {p99} | {p999} | {most} | {ratio} |"
                );
                without = Some(seen.p99_us as f64);
            }
        }
    }
    Ok(())
}

/// One run of the client, with a corte every second or without.
fn ask(
    peer: &Peer,
    files: u32,
    per_second: u32,
    seconds: u32,
    publish: Option<&mut impl FnMut() -> Result<(), Fault>>,
) -> Result<Seen, Fault> {
    let paths: Vec<String> = (0..files).map(file).collect();
    let mut command = child::pinned(Side::Client, std::env::current_exe()?);
    command.arg("open-loop").args(["--address", &format!("127.0.0.1:{}", peer.http), "--paths", &paths.join(",")]);
    command.args(["--per-second", &per_second.to_string(), "--seconds", &seconds.to_string()]);
    let is_over = AtomicBool::new(false);
    let said = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let said = child::output(&mut command);
            is_over.store(true, Relaxed);
            said
        });
        let mut published = Ok(());
        if let Some(publish) = publish {
            let began = Instant::now();
            for n in 0..seconds {
                std::thread::sleep((EVERY * n + EVERY / 2).saturating_sub(began.elapsed()));
                if is_over.load(Relaxed) || published.is_err() {
                    break;
                }
                published = publish();
            }
        }
        let said = asking.join().map_err(|_| "the client panicked")?;
        published.and(said)
    })?;
    Ok(serde_json::from_str(&said)?)
}

fn file(n: u32) -> String {
    format!("datos/{n}.json")
}

/// So many packages, in which every file is another one each time.
fn parcels(folder: &std::path::Path, files: u32, count: u32) -> Result<Vec<PathBuf>, Fault> {
    let (package, key, ready) = (folder.join("paquete"), folder.join("banco_ed25519"), folder.join("listos"));
    fs::create_dir_all(package.join("sitio/datos"))?;
    fs::create_dir_all(&ready)?;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut digit = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b"0123456789abcdef"[(state >> 32) as usize & 15])
    };
    let mut made = Vec::new();
    for n in 1..=count {
        for at in 0..files {
            let digits: String = (0..DIGITS).map(|_| digit()).collect();
            fs::write(package.join("sitio").join(file(at)), format!("{{\"corte\":{n},\"relleno\":\"{digits}\"}}\n"))?;
        }
        made.push(peers::pack(&package, &key, n, &ready)?);
    }
    Ok(made)
}
