//! The real binary with an origin behind it and next to no room for what it keeps.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use difusor::base::clock::Monotonic;
use tempfile::TempDir;

use crate::cores::{self, Guard, tied};

/// Everything that is kept: some thousands of answers, so that a flood of seconds drives out all of them.
pub const MEMORY: &str = "8 MiB";
/// Somebody whom settings may name.
const SIGNERS: &str = "banco ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n";
/// How long it may take to listen.
const START: Duration = Duration::from_secs(20);

/// A running server.
pub struct Server {
    pub address: SocketAddr,
    _process: Guard,
    _dir: TempDir,
}

impl Server {
    pub fn start(origin: SocketAddr) -> Server {
        let dir = tempfile::tempdir().expect("a folder");
        let address = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
        let settings = include_str!("difusor.toml")
            .replace("@memory@", MEMORY)
            .replace("@http@", &address.to_string())
            .replace("@origin@", &origin.to_string());
        fs::create_dir(dir.path().join("incoming")).expect("a folder");
        fs::write(dir.path().join("difusor.toml"), settings).expect("written");
        // Nobody signs anything here.
        fs::write(dir.path().join("signers"), SIGNERS).expect("written");
        let program =
            std::env::var_os("DIFUSOR_BIN").map_or_else(|| env!("CARGO_BIN_EXE_difusor").into(), PathBuf::from);
        let mut command = tied("taskset");
        command.args(["-c", &cores::SERVER.to_string()]).arg(program).arg("serve").arg("--config");
        command.arg(dir.path().join("difusor.toml")).env("RUST_LOG", "off");
        let process =
            Guard(command.stdout(Stdio::null()).spawn().expect("setpriv and taskset (Debian package util-linux)"));
        let begun = Monotonic::now();
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < START, "it does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Server { address, _process: process, _dir: dir }
    }
}
