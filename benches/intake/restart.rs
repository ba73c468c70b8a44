//! How soon the real binary serves after it was killed, with no source reachable.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use difusor::base::clock::Monotonic;

use crate::admit::median;
use crate::always::ALWAYS;
use crate::binary;
use crate::night::{ELECTION, Room, signers_line, site, write};

pub const HEADER: &str = "\
| vault | files | start to first response of the corte, median of 5 |
| --- | ---: | ---: |";

const FILE_BYTES: usize = 20_000;

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
    let times = (0..5).map(|_| {
        let started = Monotonic::now();
        let mut child = serve(dir.path());
        until_served(address, "20240602_1000");
        let took = started.elapsed();
        child.kill().unwrap();
        child.wait().unwrap();
        took
    });
    println!("| {megabytes} MB | {files} | {:.2} s |", median(times.collect()).as_secs_f64());
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
