//! Processes started by the bench: pinned to a core, and ended by PID whatever happens.
//!
//! `Guard` ends its process when dropped; a signal to the bench ends all of them; and `setpriv --pdeathsig`
//! ends them when the bench itself is killed without a chance to.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Fault, measure};

static STOPPED: AtomicBool = AtomicBool::new(false);
static LIVE: Mutex<Vec<u32>> = Mutex::new(Vec::new());
static SERVER_CORE: AtomicU32 = AtomicU32::new(0);
static CLIENT_CORE: AtomicU32 = AtomicU32::new(1);
static ORIGIN_CORE: AtomicU32 = AtomicU32::new(1);

/// How long a server may take to end when asked, before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// Which core a process is pinned to.
#[derive(Clone, Copy)]
pub enum Side {
    Server,
    Client,
    /// What is behind the proxies that are measured.
    Origin,
}

/// Fails before anything is started when a tool is not here, and says which package has it.
pub fn need_tools() -> Result<(), Fault> {
    let tools = [
        ("wrk", "wrk"),
        ("h2load", "nghttp2-client"),
        ("curl", "curl"),
        ("taskset", "util-linux"),
        ("setpriv", "util-linux"),
        ("ssh-keygen", "openssh-client"),
    ];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let missing = |tool: &str| !std::env::split_paths(&path).any(|folder| folder.join(tool).is_file());
    let list: Vec<String> = tools
        .iter()
        .filter(|(t, _)| missing(t))
        .map(|(t, package)| format!("{t} (Debian package {package})"))
        .collect();
    if list.is_empty() { Ok(()) } else { Err(format!("not here: {}", list.join(", ")).into()) }
}

/// Which cores the sides have; fails where a core is not ours to use.
pub fn set_cores(server: u32, client: u32, origin: u32) -> Result<(), Fault> {
    for (core, flag) in [(server, "--server-core"), (client, "--client-core"), (origin, "--origin-core")] {
        let tried = Command::new("taskset").args(["-c", &core.to_string(), "true"]).output();
        let out = tried.map_err(|e| format!("taskset: {e}"))?;
        if !out.status.success() {
            return Err(format!("{flag} {core}: {}", String::from_utf8_lossy(&out.stderr).trim()).into());
        }
    }
    SERVER_CORE.store(server, Ordering::Relaxed);
    CLIENT_CORE.store(client, Ordering::Relaxed);
    ORIGIN_CORE.store(origin, Ordering::Relaxed);
    Ok(())
}

/// A command that will run on its side's core and end with this process.
pub fn pinned(side: Side, program: impl AsRef<OsStr>) -> Command {
    let core = match side {
        Side::Server => SERVER_CORE.load(Ordering::Relaxed),
        Side::Client => CLIENT_CORE.load(Ordering::Relaxed),
        Side::Origin => ORIGIN_CORE.load(Ordering::Relaxed),
    };
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "taskset", "-c", &core.to_string()]).arg(program);
    command.stdin(Stdio::null());
    command
}

/// A running process that ends when this is dropped.
pub struct Guard {
    child: Child,
}

impl Guard {
    /// Starts `command` with its output in the file `log`.
    pub fn start(mut command: Command, log: &Path) -> Result<Guard, Fault> {
        check()?;
        let file = std::fs::File::create(log)?;
        let child = command.stdout(file.try_clone()?).stderr(file).spawn()?;
        live().push(child.id());
        Ok(Guard { child })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// True once the process has ended by itself.
    pub fn ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let family = measure::family(self.child.id());
        signal(self.child.id(), Signal::TERM);
        let asked = Instant::now();
        while asked.elapsed() < GRACE && !self.ended() {
            sleep(Duration::from_millis(10));
        }
        if !self.ended() {
            family.into_iter().for_each(|pid| signal(pid, Signal::KILL));
            let _ = self.child.wait();
        }
        forget(self.child.id());
    }
}

/// Runs a tool to its end and hands back what it printed; a tool that fails is a fault that quotes it.
pub fn output(command: &mut Command) -> Result<String, Fault> {
    check()?;
    let name = command.get_program().to_string_lossy().into_owned();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.map_err(|e| format!("{name}: {e}"))?;
    let pid = child.id();
    live().push(pid);
    let done = child.wait_with_output();
    forget(pid);
    check()?;
    let Output { status, stdout, stderr } = done?;
    if !status.success() {
        return Err(format!("{name}: {status}: {}", String::from_utf8_lossy(&stderr).trim()).into());
    }
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

pub fn stopped() -> bool {
    STOPPED.load(Ordering::SeqCst)
}

/// A fault once a signal has asked the bench to stop.
pub fn check() -> Result<(), Fault> {
    if stopped() { Err("interrupted".into()) } else { Ok(()) }
}

/// From now on SIGINT and SIGTERM end every live child; the main thread then unwinds by itself.
pub fn end_all_on_signals() {
    use tokio::signal::unix::{SignalKind, signal as stream};
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime for signals");
        runtime.block_on(async {
            let mut interrupt = stream(SignalKind::interrupt()).expect("a handler for SIGINT");
            let mut terminate = stream(SignalKind::terminate()).expect("a handler for SIGTERM");
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        });
        STOPPED.store(true, Ordering::SeqCst);
        live().iter().for_each(|pid| signal(*pid, Signal::TERM));
    });
}

fn live() -> std::sync::MutexGuard<'static, Vec<u32>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn forget(pid: u32) {
    live().retain(|p| *p != pid);
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}
