//! The real binary with signed packages, one corte after the other; what it does is read from its log.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use bytes::Bytes;
use difusor::base::clock::Monotonic;
use difusor::corte::{Limits, pack};
use serde_json::json;
use ssh_key::PrivateKey;
use ssh_key::private::Ed25519Keypair;

use crate::always::ALWAYS;

const ELECTION: &str = "quintana-roo-2019";

/// A server; it ends with this.
pub struct Served {
    pub address: SocketAddr,
    child: Child,
    lines: Receiver<String>,
    dir: tempfile::TempDir,
    key: PrivateKey,
}

impl Served {
    /// Listening at `listen`, in clear; run by `through`, a command with its arguments, where it has some.
    pub fn start(listen: SocketAddr, through: &[String]) -> Served {
        let (dir, key) = (tempfile::tempdir().unwrap(), PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32])));
        fs::create_dir(dir.path().join("incoming")).unwrap();
        let signers = format!("banco {}\n", key.public_key().to_openssh().unwrap());
        fs::write(dir.path().join("signers"), signers).unwrap();
        // One machine is all readers here.
        let settings = format!(
            "election = \"{ELECTION}\"\nsigners = \"signers\"\nincoming = \"incoming\"\n\
             [listen]\nhttp = [\"{listen}\"]\n[limits]\nclient_requests = 0\n[vault]\nreserve = \"1 MiB\"\n{ALWAYS}"
        );
        fs::write(dir.path().join("difusor.toml"), settings).unwrap();
        let binary = std::env::var("DIFUSOR_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_difusor").into());
        let all: Vec<String> = through.iter().cloned().chain([binary, "serve".into(), "--config".into()]).collect();
        let mut command = Command::new(&all[0]);
        command.args(&all[1..]).arg(dir.path().join("difusor.toml")).env_remove("RUST_LOG");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (tell, lines) = channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).for_each(|line| drop(tell.send(line))));
        let mut served = Served { address: listen, child, lines, dir, key };
        let ready = served.line(" ready ", Duration::from_secs(20));
        served.address =
            ready.split("http://").nth(1).and_then(|rest| rest.split(['"', ' ']).next()).unwrap().parse().unwrap();
        served
    }

    /// Hands corte number `n` over, whole; its name.
    pub fn deliver(&self, n: usize, files: &[(String, Bytes)]) -> String {
        let id = format!("20190602_{:02}{:02}", 10 + n / 6, n % 6 * 10);
        let stamp = format!("2019-06-02T{}:{}:00-05:00", &id[9..11], &id[11..]);
        let about = json!({"formato": 1, "eleccion": ELECTION, "corte": id, "fecha_hora": stamp, "tipo": "oficial"});
        let package = pack::sign(about.to_string().as_bytes(), files, &self.key).unwrap();
        package.write(&self.dir.path().join(format!("incoming/{id}.tar")), &Limits::default()).unwrap();
        id
    }

    /// The next line of the log with this in it.
    pub fn line(&self, part: &str, patience: Duration) -> String {
        let started = Monotonic::now();
        loop {
            let left = patience.saturating_sub(started.elapsed());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("no line with {part:?} in the log"));
            if line.contains(part) {
                return line;
            }
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A number of a line, by its name.
pub fn number(line: &str, name: &str) -> f64 {
    let value = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {line}"))
}
