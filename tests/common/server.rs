//! The real binary, serving from a folder of its own. What it does is read from its log and over HTTP, with a deadline.

use std::fmt::Write;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use difusor::base::clock::Monotonic;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::always::ALWAYS;
use super::wire::{Response, get};
use super::{ELECTION, Tree, key};

/// How long to wait for what must happen: far longer than it takes, so that only a fault gets there.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// From one look to the next, where nothing tells us that something has happened.
pub const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A server that is being set up: its folder, and its settings by section.
pub struct Setup {
    pub dir: TempDir,
    sections: Vec<(&'static str, String)>,
    /// What may come several times, as it is written.
    several: String,
    /// When what is shown; without one, everything always.
    windows: String,
    /// For `serve`, after its settings.
    args: Vec<String>,
    env: Vec<(&'static str, String)>,
    /// A command that runs it, with its arguments.
    through: Vec<String>,
}

/// What the environment may say of proxies; tests speak to this machine only.
const PROXIES: [&str; 4] = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"];

impl Setup {
    /// Signers, an empty incoming folder, short times, and nowhere to listen.
    pub fn new() -> Setup {
        // Shorter than a throttled transfer rests: what is spoilt is refused soon.
        Setup::with_settling("700ms")
    }

    fn with_settling(settle: &str) -> Setup {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("incoming")).unwrap();
        let signers = format!("iec {}\n", key().public_key().to_openssh().unwrap());
        fs::write(dir.path().join("signers"), signers).unwrap();
        let setup = Setup {
            dir,
            sections: Vec::new(),
            several: String::new(),
            windows: String::new(),
            args: Vec::new(),
            env: Vec::new(),
            through: Vec::new(),
        };
        setup
            .with(
                "",
                &format!("election = \"{ELECTION}\"\nsigners = \"signers\"\nincoming = \"incoming\"\nthreads = 2"),
            )
            .with("cortes", &format!("settle = \"{settle}\""))
    }

    /// In clear, and patient with what arrives slowly.
    pub fn settling(settle: &str) -> Setup {
        Setup::with_settling(settle).with("listen", "http = [\"127.0.0.1:0\"]")
    }

    /// In clear, on any free port.
    pub fn clear() -> Setup {
        Setup::new().with("listen", "http = [\"127.0.0.1:0\"]")
    }

    /// In clear and over TLS, for these names each with a certificate of its own.
    pub fn both(names: &[&str]) -> Setup {
        let setup =
            Setup::new().with("listen", "http = [\"127.0.0.1:0\"]\nhttps = [\"127.0.0.1:0\"]\nredirect = false");
        names.iter().fold(setup, |setup, name| setup.certificate(name))
    }

    /// Lines of a section; `""` is the top one.
    pub fn with(mut self, section: &'static str, lines: &str) -> Setup {
        match self.sections.iter_mut().find(|(name, _)| *name == section) {
            Some((_, text)) => *text += &format!("{lines}\n"),
            None => self.sections.push((section, format!("{lines}\n"))),
        }
        self
    }

    /// A certificate for `name`, which is its own authority: `NAME.pem`, `NAME.key`.
    pub fn certificate(mut self, name: &str) -> Setup {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        fs::write(self.dir.path().join(format!("{name}.pem")), made.cert.pem()).unwrap();
        fs::write(self.dir.path().join(format!("{name}.key")), made.signing_key.serialize_pem()).unwrap();
        let _ = write!(self.several, "[[certificate]]\nchain = \"{name}.pem\"\nkey = \"{name}.key\"\n");
        self
    }

    /// One more certificate, from these files.
    pub fn certificate_of(mut self, chain: &str, key: &str) -> Setup {
        let _ = write!(self.several, "[[certificate]]\nchain = \"{chain}\"\nkey = \"{key}\"\n");
        self
    }

    /// A time in which results are public.
    pub fn window(mut self, lines: &str) -> Setup {
        let _ = write!(self.windows, "[[window]]\n{lines}\n");
        self
    }

    /// Somewhere to fetch packages from.
    pub fn source(mut self, lines: &str) -> Setup {
        let _ = write!(self.several, "[[source]]\n{lines}\n");
        self
    }

    /// An origin behind it, with one route to it.
    pub fn origin(self, to: SocketAddr, upstream: &str, route: &str) -> Setup {
        self.origin_at(&format!("http://{to}"), upstream, route)
    }

    /// The same by its URL.
    pub fn origin_at(self, to: &str, upstream: &str, route: &str) -> Setup {
        self.origins(&[to.to_owned()], upstream, route)
    }

    /// The same at several addresses.
    pub fn origins(mut self, urls: &[String], upstream: &str, route: &str) -> Setup {
        let _ = write!(
            self.several,
            "[[upstream]]\nname = \"origen\"\naddresses = {urls:?}\n{upstream}\n\
             [[route]]\nupstream = \"origen\"\n{route}\n"
        );
        self
    }

    /// At another time than now, and going so many times as fast.
    pub fn clock(mut self, from: &str, rate: u32) -> Setup {
        self.args.extend(["--clock".into(), from.into(), "--clock-rate".into(), rate.to_string()]);
        self
    }

    /// A variable of the environment that it starts in.
    pub fn env(mut self, name: &'static str, value: String) -> Setup {
        self.env.push((name, value));
        self
    }

    /// A command that runs it in the end: `nsenter` and its like.
    pub fn through(mut self, command: Vec<String>) -> Setup {
        self.through = command;
        self
    }

    /// Writes the settings file.
    pub fn write(&self) -> PathBuf {
        let mut text = String::new();
        for (name, lines) in &self.sections {
            let header = if name.is_empty() { String::new() } else { format!("[{name}]\n") };
            text += &format!("{header}{lines}");
        }
        let path = self.dir.path().join("difusor.toml");
        let windows = if self.windows.is_empty() { ALWAYS } else { &self.windows };
        fs::write(&path, text + &self.several + windows).unwrap();
        path
    }

    /// Starts it, and waits until it listens.
    pub fn start(self) -> Site {
        let settings = self.write();
        let (args, env, through) = (self.args, self.env, self.through);
        let (child, log) = launch(&settings, &args, &env, &through);
        let mut site = Site { dir: self.dir, args, env, through, child, log, http: None, https: None, admin: None };
        site.listens();
        site
    }
}

/// Starts the real binary, whose log is read from then on.
fn launch(settings: &Path, args: &[String], env: &[(&'static str, String)], through: &[String]) -> (Child, Arc<Log>) {
    let mut all = through.iter().map(String::as_str).chain([env!("CARGO_BIN_EXE_difusor"), "serve", "--config"]);
    let mut command = Command::new(all.next().unwrap());
    command.args(all).arg(settings).args(args).env_remove("RUST_LOG").env_remove("NOTIFY_SOCKET");
    for name in PROXIES {
        command.env_remove(name).env_remove(name.to_ascii_uppercase());
    }
    command.envs(env.iter().map(|(name, value)| (name, value)));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let log = Arc::new(Log::default());
    let (stderr, told) = (child.stderr.take().unwrap(), log.clone());
    std::thread::spawn(move || told.read(stderr));
    (child, log)
}

/// What the server has said so far, and whether that was all.
#[derive(Default)]
struct Log {
    lines: Mutex<(Vec<String>, bool)>,
    more: Condvar,
}

impl Log {
    fn read(&self, stderr: ChildStderr) {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            self.lines.lock().unwrap().0.push(line);
            self.more.notify_all();
        }
        self.lines.lock().unwrap().1 = true;
        self.more.notify_all();
    }

    /// The first line with all parts of one of these, unless the log ends or the time is over before it comes.
    fn wait(&self, deadline: Duration, any: &[&[&str]]) -> Option<String> {
        let started = Monotonic::now();
        let mut lines = self.lines.lock().unwrap();
        loop {
            let is_one = |line: &&String| any.iter().any(|parts| parts.iter().all(|part| line.contains(part)));
            let found = lines.0.iter().find(is_one);
            let left = deadline.saturating_sub(started.elapsed());
            if found.is_some() || lines.1 || left.is_zero() {
                return found.cloned();
            }
            lines = self.more.wait_timeout(lines, left).unwrap().0;
        }
    }
}

/// A running server; it ends with this.
pub struct Site {
    pub dir: TempDir,
    args: Vec<String>,
    env: Vec<(&'static str, String)>,
    through: Vec<String>,
    child: Child,
    log: Arc<Log>,
    http: Option<SocketAddr>,
    https: Option<SocketAddr>,
    admin: Option<SocketAddr>,
}

impl Site {
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn incoming(&self) -> PathBuf {
        self.path("incoming")
    }

    pub fn http(&self) -> SocketAddr {
        self.http.unwrap()
    }

    pub fn https(&self) -> SocketAddr {
        self.https.unwrap()
    }

    /// Where packages are pushed.
    pub fn admin(&self) -> SocketAddr {
        self.admin.unwrap()
    }

    /// Waits for a line of the log with all of these parts.
    pub fn log_line(&self, parts: &[&str]) -> String {
        self.log_line_within(DEADLINE, parts)
    }

    pub fn log_line_within(&self, deadline: Duration, parts: &[&str]) -> String {
        let found = self.log.wait(deadline, &[parts]);
        found.unwrap_or_else(|| panic!("no line with {parts:?} in the log"))
    }

    /// Waits for the first line with all parts of one of these.
    pub fn log_line_of_any(&self, any: &[&[&str]]) -> String {
        let found = self.log.wait(DEADLINE, any);
        found.unwrap_or_else(|| panic!("no line with any of {any:?} in the log"))
    }

    /// The lines so far with all of these parts.
    pub fn logged(&self, parts: &[&str]) -> Vec<String> {
        let lines = self.log.lines.lock().unwrap();
        lines.0.iter().filter(|line| parts.iter().all(|part| line.contains(part))).cloned().collect()
    }

    /// Writes a package beside the incoming folder, then moves it in, whole.
    pub fn deliver(&self, name: &str, package: &Tree) {
        let draft = self.path(&format!("draft-{name}"));
        match name.rsplit_once('.') {
            Some((_, "tar")) => fs::write(&draft, package.tar()).unwrap(),
            Some((_, "zip")) => fs::write(&draft, package.zip()).unwrap(),
            _ => package.write(&draft),
        }
        fs::rename(draft, self.incoming().join(name)).unwrap();
    }

    pub fn get(&self, path: &str) -> Response {
        get(self.http(), path)
    }

    /// Waits until this corte is what everybody is shown.
    pub fn live(&self, id: &str) {
        let last = |response: &Response| response.field("corte").map(str::to_owned);
        let found = until(|| Some(self.get("/")).filter(|response| last(response).as_deref() == Some(id)));
        let told = || self.log.lines.lock().unwrap().0.join("\n");
        let found = found.unwrap_or_else(|| panic!("{id} is not live but {:?}\n{}", last(&self.get("/")), told()));
        assert!(found.status < 500, "{}", found.head);
    }

    /// Waits until this is the corte that every answer names, whether its results are shown or not.
    pub fn live_or_interrupted(&self, id: &str) {
        let is_it = || (self.get("/").field("corte") == Some(id)).then_some(());
        until(is_it).unwrap_or_else(|| panic!("{id} is not the last corte"));
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap()).unwrap()
    }

    /// Waits until it says where it listens.
    fn listens(&mut self) {
        let ready = self.log_line(&[" ready "]);
        let listening = ready.split('"').find(|part| part.contains("://")).unwrap();
        let admin = ready.split_once("admin=\"https://").and_then(|(_, rest)| rest.split('"').next());
        self.admin = admin.map(|address| address.parse().unwrap());
        for url in listening.split(' ') {
            let (scheme, address) = url.split_once("://").unwrap();
            let address = Some(address.parse().unwrap());
            if scheme == "https" { self.https = address } else { self.http = address }
        }
    }

    /// SIGKILL, now, and the same settings once more. The ports may be others.
    pub fn kill_and_start(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        (self.child, self.log) = launch(&self.path("difusor.toml"), &self.args, &self.env, &self.through);
        self.listens();
    }

    /// SIGTERM, and no waiting.
    pub fn terminate(&self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
    }

    /// Waits for the end; the exit code.
    pub fn ended(&mut self) -> Option<i32> {
        let ended = until(|| self.child.try_wait().unwrap());
        ended.expect("it ends").code()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", self.log.lines.lock().unwrap().0.join("\n"));
        }
    }
}

/// Asks again until there is an answer, or the deadline has passed.
pub fn until<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Monotonic::now();
    loop {
        match ask() {
            None if started.elapsed() < DEADLINE => std::thread::sleep(LOOK_EVERY),
            answer => return answer,
        }
    }
}

/// Whether this file was changed by somebody else meanwhile: its bytes now.
pub fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
