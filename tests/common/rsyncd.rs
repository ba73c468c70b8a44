//! Debian's rsync as the daemon in front of a site, by the configuration that `difusor config rsyncd` prints.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use super::server::{Setup, Site, until};
use super::sh;

/// A site that takes packages by rsync from 127.0.0.1; patient with what arrives slowly.
pub fn setup() -> Setup {
    Setup::settling("20s").with("rsync", "trusted = [\"127.0.0.1\"]")
}

/// A running rsyncd; it ends with this.
pub struct Daemon {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Daemon {
    /// In front of a site, as this user.
    pub fn before(site: &Site) -> Daemon {
        Daemon::with(site, &[])
    }

    /// With further arguments of `rsync --daemon`.
    pub fn with(site: &Site, args: &[&str]) -> Daemon {
        let at = |name: &str| site.path(name);
        let printed = sh(site.dir.path(), &format!("{} config rsyncd", env!("CARGO_BIN_EXE_difusor")));
        fs::write(at("rsyncd.conf"), printed).unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let log = at("rsyncd.log");
        let mut command = Command::new("rsync");
        command.args(["--daemon", "--no-detach", "--address=127.0.0.1", &format!("--port={port}")]);
        let file = |option: &str, name: &str| format!("--{option}={}", at(name).display());
        command.args([file("config", "rsyncd.conf"), file("log-file", "rsyncd.log"), file("dparam=lockfile", "lock")]);
        // Where the unit would not have it started as root, it would step down to nobody.
        if rustix::process::geteuid().is_root() && args.is_empty() {
            command.args(["--dparam=uid=0", "--dparam=gid=0"]);
        }
        let mut child = command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let listens = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok().then_some(true);
        let found = until(|| listens().or_else(|| child.try_wait().unwrap().map(|_| false)));
        assert_eq!(found, Some(true), "{}", fs::read_to_string(&log).unwrap_or_default());
        Daemon { child, port, log }
    }

    /// rsync with these arguments, from the folder of the site; `TO` in one stands for the module, `ROOT` for all.
    pub fn client(&self, site: &Site, args: &str) -> Command {
        self.client_as("", site, args)
    }

    /// The same, by this name.
    pub fn client_as(&self, user: &str, site: &Site, args: &str) -> Command {
        let mut command = Command::new("rsync");
        let at = if user.is_empty() { "" } else { "@" };
        let root = format!("rsync://{user}{at}127.0.0.1:{}/", self.port);
        let to = format!("{root}cortes");
        command.args(args.split(' ').map(|arg| arg.replace("TO", &to).replace("ROOT", &root)));
        command.current_dir(site.dir.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env_remove("RSYNC_PASSWORD");
        command
    }

    /// The same, and its end.
    pub fn run(&self, site: &Site, args: &str) -> Output {
        self.client(site, args).output().unwrap()
    }

    /// The same, which has to succeed.
    pub fn push(&self, site: &Site, args: &str) {
        let out = self.run(site, args);
        assert!(out.status.success(), "rsync {args}: {}", String::from_utf8_lossy(&out.stderr));
    }

    /// Waits until no transfer is under way, and what is called after one has returned.
    pub fn rests(&self) {
        let pid = self.child.id();
        let children = || fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        until(|| children().trim().is_empty().then_some(())).expect("every transfer ends");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // By SIGTERM, on which it ends its transfers too.
        let _ =
            rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), rustix::process::Signal::TERM);
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("rsyncd's log:\n{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}
