//! How soon the real binary serves after it was killed, with no source reachable.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use difusor::base::clock::Monotonic;

use crate::admit::{median, status};
use crate::always::ALWAYS;
use crate::binary;
use crate::night::{ELECTION, Room, signers_line, site, write};
use crate::verify::cpu;

pub const HEADER: &str = "\
| vault | files | start to first response of the corte, median of 5 | CPU time of it | memory then, and at most |
| --- | ---: | ---: | ---: | ---: |";

const FILE_BYTES: usize = 20_000;
const ROUNDS: usize = 5;

pub fn one(megabytes: usize) {
    let dir = tempfile::tempdir().unwrap();
    let files = megabytes * 1_000_000 / FILE_BYTES;
    {
        let mut room = Room::open(dir.path());
        write(0, &site(0, files, FILE_BYTES, 5), &dir.path().join("incoming/0.tar"));
        room.take();
        // Codings are kept in the background; a restart that finds them compresses nothing.
        let coded = dir.path().join("state/vault").join(ELECTION).join("oficial/coded");
        while count(&coded) < files {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    fs::remove_file(dir.path().join("incoming/0.tar")).unwrap();
    let address = free_address();
    settings(dir.path(), address);
    let (mut seconds, mut memory) = (0.0, (0, 0));
    let times = (0..ROUNDS).map(|_| {
        let started = Monotonic::now();
        let mut child = serve(dir.path());
        until_served(address, "20240602_1000");
        let took = started.elapsed();
        let process = child.id().to_string();
        seconds += cpu(&process);
        memory = (status(&process, "VmRSS"), status(&process, "VmHWM"));
        child.kill().unwrap();
        child.wait().unwrap();
        took
    });
    let took = median(times.collect()).as_secs_f64();
    let (seconds, (now, peak)) = (seconds / ROUNDS as f64, memory);
    println!("| {megabytes} MB | {files} | {took:.2} s | {seconds:.2} s | {now} MB, {peak} MB |");
}

fn count(folder: &Path) -> usize {
    let Ok(shards) = fs::read_dir(folder) else { return 0 };
    shards.map(|shard| fs::read_dir(shard.unwrap().path()).map_or(0, Iterator::count)).sum()
}

pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Settings and signers for a server in `dir`.
pub fn settings(dir: &Path, address: SocketAddr) {
    fs::write(dir.join("signers"), signers_line()).unwrap();
    let text = format!(
        "election = \"{ELECTION}\"\nsigners = \"signers\"\nincoming = \"incoming\"\n[listen]\nhttp = [\"{address}\"]\n\
         [vault]\nreserve = \"1 MiB\"\n{ALWAYS}"
    );
    fs::write(dir.join("difusor.toml"), text).unwrap();
}

pub fn serve(dir: &Path) -> Child {
    let mut command = Command::new(binary());
    command.arg("serve").arg("--config").arg(dir.join("difusor.toml")).env("RUST_LOG", "error");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap()
}

/// Asks until the front page is of this corte.
pub fn until_served(address: SocketAddr, corte: &str) {
    let wanted = format!("corte: {corte}\r\n");
    loop {
        if let Some(answer) = ask(address)
            && answer.contains(&wanted)
        {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn ask(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(b"HEAD / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}
