//! Packages of ten files and of a hundred thousand: what a request for any of them costs, and what each file takes of memory.

use std::fs;
use std::process::Command;

use crate::inputs::{ASSETS_PER_FOLDER, Inputs, asset};
use crate::peers::Peer;
use crate::{Fault, child, idle, load, measure};

#[derive(clap::Args)]
pub struct Args {
    /// Small files beside the usual ones, one row each; a package has room for 100,000 files and folders
    #[arg(long, value_delimiter = ',', default_values = ["10", "1000", "99000"])]
    assets: Vec<u32>,
}

/// Prints the table.
pub fn run(args: &crate::Args, wanted: &Args) -> Result<(), Fault> {
    child::need_tools()?;
    child::end_all_on_signals();
    child::set_cores(args.server_core, args.client_core, args.client_core)?;
    println!("| small files | server | thousands of requests per CPU-second, by rounds | MB resident | bytes a file |");
    println!("| ---: | --- | --- | ---: | ---: |");
    let mut first: Vec<Option<(u32, u64)>> = vec![None; args.peers.len()];
    for assets in &wanted.assets {
        let mut inputs = Inputs::make()?;
        inputs.assets = *assets;
        let script = inputs.folder("wrk")?.join("random.lua");
        fs::write(&script, paths(*assets))?;
        let mut peers = Vec::new();
        for kind in &args.peers {
            let peer = Peer::start(*kind, &inputs, crate::DISCARD)?;
            idle::steady(peer.pid())?;
            peers.push((peer, Vec::new()));
        }
        for _ in 0..args.rounds {
            for (peer, seen) in &mut peers {
                let url = format!("http://127.0.0.1:{}/{}", peer.http, asset(0));
                let response = response(&url)?;
                let before = measure::cpu_seconds(peer.pid());
                let load = load::random(&script, &url, response, args.seconds)?;
                seen.push(load.requests as f64 / (measure::cpu_seconds(peer.pid()) - before) / 1000.0);
            }
        }
        for ((peer, seen), first) in peers.iter().zip(&mut first) {
            let resident = idle::memory(peer.pid());
            let (few, least) = *first.get_or_insert((*assets, resident));
            let each = match assets - few {
                0 => "-".to_owned(),
                more => format!("{:.0}", (resident as f64 - least as f64) / f64::from(more)),
            };
            let seen: Vec<String> = seen.iter().map(|thousands| format!("{thousands:.1}")).collect();
            let megabytes = resident >> 20;
            println!("| {assets} | {} | {} | {megabytes} | {each} |", peer.kind.name(), seen.join(", "));
        }
    }
    Ok(())
}

/// For wrk: any of them, as likely as any other.
fn paths(assets: u32) -> String {
    format!(
        "\
         request = function()\n  \
           local n = math.random(0, {assets} - 1)\n  \
           return wrk.format(\"GET\", \"/actas/\" .. math.floor(n / {ASSETS_PER_FOLDER}) .. \"/\" .. n .. \".jpg\")\n\
         end\n"
    )
}

/// Bytes of one response, head and body.
fn response(url: &str) -> Result<u64, Fault> {
    let mut curl = Command::new("curl");
    curl.args(["-s", "--max-time", "5", "-o", "/dev/null", "-w", "%{http_code} %{size_header} %{size_download}", url]);
    let said = child::output(&mut curl)?;
    let numbers: Vec<u64> = said.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    match numbers[..] {
        [200, head, body] if body > 0 => Ok(head + body),
        _ => Err(format!("{url}: not 200 with a body, but {said}").into()),
    }
}
