//! The machine's side: the service under systemd, and a manual that keeps up with the code.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use difusor::config::rsyncd::{self, Places};
use difusor::config::{Rsync, table};

const UNIT: &str = include_str!("../systemd/difusor.service");
const RSYNCD: &str = include_str!("../systemd/difusor-rsyncd@.service");
const MANUAL: &str = include_str!("../docs/es/manual.md");
const DIFUSOR: &str = env!("CARGO_BIN_EXE_difusor");
/// Where the unit expects the binary.
const INSTALLED: &str = "/usr/local/bin/difusor";
/// Ten times the exposure that `systemd-analyze security` may find. What is left is what a public server is: the network,
/// ports 80 and 443, the machine's own root and users, local sockets for systemd, one priority of its own; and the call that
/// tells whether anybody keeps the clock right, which without a capability sets nothing.
const EXPOSURE_MAX: &str = "19";
/// The same of the unit of rsyncd, which writes what others send, and may give folders to its group.
const RSYNCD_EXPOSURE_MAX: &str = "18";

/// The tool's path. A test without it passes, and says so; with DIFUSOR_TESTS_ALL=1 it fails.
fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
    if found.is_none() {
        assert!(std::env::var_os("DIFUSOR_TESTS_ALL").is_none_or(|all| all != "1"), "{name} is not installed");
        eprintln!("passed over: {name} is not installed");
    }
    found
}

/// Output of a command that has to succeed, both streams.
fn output(command: &mut Command) -> String {
    let out = command.stdin(Stdio::null()).output().unwrap();
    let text = [out.stdout, out.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(out.status.success(), "{command:?}: {}\n{text}", out.status);
    text
}

/// The unit in a folder of its own, with the binary that was just built.
fn unit(dir: &Path) -> PathBuf {
    let file = dir.join("difusor.service");
    assert!(UNIT.contains(INSTALLED));
    fs::write(&file, UNIT.replace(INSTALLED, DIFUSOR)).unwrap();
    file
}

/// The values of a key of a unit, in their order.
fn values<'u>(unit: &'u str, key: &str) -> Vec<&'u str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

#[test]
fn systemd_finds_no_fault_in_the_unit() {
    let Some(analyze) = tool("systemd-analyze") else { return };
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(output(Command::new(analyze).arg("verify").arg(unit(dir.path()))), "");
}

#[test]
fn the_service_is_no_more_exposed_than_it_has_to_be() {
    let Some(analyze) = tool("systemd-analyze") else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(analyze);
    command.args(["security", "--no-pager", "--offline=true", "--threshold", EXPOSURE_MAX]).arg(unit(dir.path()));
    let report = output(&mut command);
    eprintln!("{}", report.lines().filter(|line| !line.starts_with('✓')).collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_unit_leaves_room_for_what_the_settings_allow() {
    let default = |key| table::row(key).unwrap().default.unwrap().trim_matches('"');
    let seconds = |text: &str| text.strip_suffix('s').unwrap().parse::<u64>().unwrap();
    let [stop] = values(UNIT, "TimeoutStopSec")[..] else { panic!("{UNIT}") };
    assert!(seconds(stop) >= seconds(default("stop.grace")) + 5);
    let [files] = values(UNIT, "LimitNOFILE")[..] else { panic!("{UNIT}") };
    assert!(files.parse::<u64>().unwrap() > default("limits.connections").parse::<u64>().unwrap() + 256);
}

/// What `difusor config rsyncd --unit` prints for the manual's example.
fn rsyncd_unit() -> String {
    let places = Places {
        settings: "/etc/difusor/difusor.toml".into(),
        conf: "/etc/difusor/rsyncd.conf".into(),
        program: INSTALLED.into(),
        incoming: "/var/lib/difusor/incoming".into(),
        hidden: vec!["/etc/difusor/privkey.pem".into()],
    };
    rsyncd::unit(&Rsync::default(), &places).unwrap()
}

#[test]
fn the_unit_of_rsyncd_is_the_one_that_is_printed() {
    assert_eq!(RSYNCD, rsyncd_unit());
}

#[test]
fn systemd_finds_no_fault_in_the_unit_of_rsyncd() {
    let (Some(analyze), Some(_)) = (tool("systemd-analyze"), tool("rsync")) else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("difusor-rsyncd@873.service");
    fs::write(&file, RSYNCD).unwrap();
    assert_eq!(output(Command::new(&analyze).arg("verify").arg(&file)), "");
    let mut command = Command::new(analyze);
    command.args(["security", "--no-pager", "--offline=true", "--threshold", RSYNCD_EXPOSURE_MAX]).arg(&file);
    let report = output(&mut command);
    eprintln!("{}", report.lines().filter(|line| !line.starts_with('✓')).collect::<Vec<_>>().join("\n"));
}

/// The users and folders that both units need.
#[test]
fn rsyncd_writes_where_the_service_reads() {
    let (users, folders) = (include_str!("../systemd/difusor.sysusers"), include_str!("../systemd/difusor.tmpfiles"));
    let is_set = |key: &str, value: &str| RSYNCD.lines().any(|line| line == format!("{key}={value}"));
    assert!(is_set("User", "difusor-rsync") && is_set("Group", "difusor"));
    assert!(users.lines().any(|line| line.starts_with("u difusor-rsync ")), "{users}");
    assert!(users.lines().any(|line| line == "m difusor-rsync difusor"), "{users}");
    assert!(folders.lines().any(|line| line == "d /var/lib/difusor/incoming 2770 difusor-rsync difusor"), "{folders}");
}

/// A folder with all that settings name, by the names of the manual; and the signer's `key`.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let key = ssh_key::PrivateKey::from(ssh_key::private::Ed25519Keypair::from_seed(&[7; 32]));
    fs::write(at("key"), &*key.to_openssh(ssh_key::LineEnding::LF).unwrap()).unwrap();
    fs::write(at("allowed_signers"), format!("iec {}\n", key.public_key().to_openssh().unwrap())).unwrap();
    fs::create_dir(at("incoming")).unwrap();
    let certificate = rcgen::generate_simple_self_signed(vec!["localhost".to_string()]).unwrap();
    fs::write(at("fullchain.pem"), certificate.cert.pem()).unwrap();
    fs::write(at("privkey.pem"), certificate.signing_key.serialize_pem()).unwrap();
    dir
}

/// A running difusor, on ports of the kernel's choice.
struct Night {
    dir: tempfile::TempDir,
    child: Child,
    log: BufReader<std::process::ChildStderr>,
}

impl Night {
    /// Started by the command that `prepare` gives, which is followed by the program's arguments.
    fn start(prepare: impl FnOnce(&Path) -> Command) -> Night {
        let dir = folder();
        let settings = "election = \"prueba\"\nsigners = \"allowed_signers\"\n\
                        incoming = \"incoming\"\nthreads = 2\n[listen]\nhttp = [\"127.0.0.1:0\"]\n\
                        https = [\"127.0.0.1:0\"]\nredirect = false\n\
                        [[certificate]]\nchain = \"fullchain.pem\"\nkey = \"privkey.pem\"\n\
                        [[window]]\nkind = \"simulacro\"\nopens = \"2000-01-01T00:00\"\n\
                        closes = \"2100-01-01T00:00\"\ncortes_end = \"10m\"\n";
        fs::write(dir.path().join("difusor.toml"), settings).unwrap();
        let mut command = prepare(dir.path());
        let args = ["serve", "--config", "difusor.toml"];
        command.args(args).current_dir(dir.path()).env_remove("RUST_LOG").stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Night { dir, child, log }
    }

    /// The next line of the log that has `what` in it.
    fn logged(&mut self, what: &str) -> String {
        let mut line = String::new();
        while self.log.read_line(&mut line).unwrap() > 0 {
            eprint!("{line}");
            if line.contains(what) {
                return line;
            }
            line.clear();
        }
        panic!("the log ended without `{what}`: {:?}", self.child.wait());
    }

    /// Signs a package and puts it into the incoming folder.
    fn deliver(&self) {
        let at = |name: &str| self.dir.path().join(name);
        fs::create_dir_all(at("p/sitio")).unwrap();
        let corte = r#"{"formato": 1, "eleccion": "prueba", "corte": "20240607_2010",
            "fecha_hora": "2024-06-07T20:10:00-06:00", "tipo": "simulacro"}"#;
        fs::write(at("p/corte.json"), corte).unwrap();
        fs::write(at("p/sitio/index.html"), "<p>resultados</p>".repeat(10_000)).unwrap();
        let args = ["pack", "p", "--key", "key", "--out", "incoming/20240607_2010.tar.gz"];
        output(Command::new(DIFUSOR).args(args).current_dir(self.dir.path()));
    }

    fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }
}

impl Drop for Night {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn systemd_is_told_ready_alive_and_stopping() {
    let mut socket = None;
    let mut night = Night::start(|dir| {
        let path = dir.join("notify");
        socket = Some(UnixDatagram::bind(&path).unwrap());
        let mut command = Command::new(DIFUSOR);
        // Told every 2 s: each core has moved by then.
        command.env("NOTIFY_SOCKET", path).env("WATCHDOG_USEC", "4000000").env_remove("WATCHDOG_PID");
        command
    });
    let socket = socket.unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let told = || {
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).expect("nothing was told for 30 s");
        String::from_utf8_lossy(&buffer[..length]).trim_end().to_owned()
    };
    let ready = told();
    let lines: Vec<_> = ready.lines().collect();
    assert!(lines.contains(&"READY=1"), "{ready}");
    assert!(lines.iter().any(|line| line.starts_with("STATUS=listening on http")), "{ready}");
    for _ in 0..3 {
        assert_eq!(told(), "WATCHDOG=1");
    }
    night.terminate();
    let last = loop {
        let last = told();
        if last != "WATCHDOG=1" {
            break last;
        }
    };
    assert_eq!(last, "STOPPING=1");
    assert!(night.child.wait().unwrap().success());
}

/// The system calls that a unit's `SystemCallFilter=` allows on this machine.
fn allowed(analyze: &Path, unit: &str) -> HashSet<String> {
    fn expanded(analyze: &Path, name: &str, into: &mut HashSet<String>) {
        if !name.starts_with('@') {
            into.insert(name.to_owned());
            return;
        }
        let listing = output(Command::new(analyze).args(["syscall-filter", name]));
        let members = listing.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        members.for_each(|member| expanded(analyze, member, into));
    }
    let mut all = HashSet::new();
    expanded(analyze, "@default", &mut all);
    for value in values(unit, "SystemCallFilter") {
        let mut set = HashSet::new();
        value.trim_start_matches('~').split(' ').for_each(|name| expanded(analyze, name, &mut set));
        if value.starts_with('~') {
            all.retain(|call| !set.contains(call));
        } else {
            all.extend(set);
        }
    }
    all
}

/// Every call in a trace of `strace -f -o`: `PID call(...`.
fn called(trace: &str) -> BTreeSet<String> {
    let call = |line: &str| {
        let (name, _) = line.split_once(' ')?.1.trim_start().split_once('(')?;
        let is_name = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        is_name.then(|| name.to_owned())
    };
    trace.lines().filter_map(call).collect()
}

/// A package, both protocols, the best compression, the end: the filter allows each call that this takes.
#[test]
fn the_unit_allows_every_system_call_that_is_made() {
    let (Some(analyze), Some(strace), Some(curl)) = (tool("systemd-analyze"), tool("strace"), tool("curl")) else {
        return;
    };
    let mut night = Night::start(|dir| {
        let mut command = Command::new(strace);
        // -D: the program stays our child, and the tracer is nobody's.
        command.args(["-D", "-f", "-qq", "-o"]).arg(dir.join("trace")).arg(DIFUSOR);
        command
    });
    let ready = night.logged("ready");
    let port = |scheme: &str| {
        let rest = ready.split(&format!("{scheme}://127.0.0.1:")).nth(1).unwrap_or_else(|| panic!("{ready}"));
        rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().to_owned()
    };
    let (clear, secure) = (port("http"), port("https"));
    night.deliver();
    night.logged("live");
    for url in [format!("http://127.0.0.1:{clear}/"), format!("https://127.0.0.1:{secure}/")] {
        output(Command::new(&curl).args(["--insecure", "--silent", "--fail", "--output", "/dev/null", &url]));
    }
    night.logged("compressed best");
    night.terminate();
    assert!(night.child.wait().unwrap().success());
    night.logged("stopped");
    let called = called(&fs::read_to_string(night.dir.path().join("trace")).unwrap());
    assert!(called.contains("epoll_wait") && called.contains("inotify_add_watch"), "{called:?}");
    let allowed = allowed(&analyze, UNIT);
    let refused: Vec<_> = called.iter().filter(|call| !allowed.contains(*call)).collect();
    assert!(refused.is_empty(), "not allowed by SystemCallFilter=: {refused:?}\nof {called:?}");
}

/// As under the unit: by a user who is not root. A push of a tree with all that -a keeps, and its notice.
#[test]
fn the_unit_of_rsyncd_allows_every_system_call_that_is_made() {
    let (Some(analyze), Some(_), Some(_)) = (tool("systemd-analyze"), tool("strace"), tool("rsync")) else { return };
    let Some(_) = tool("setpriv") else { return };
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir_all(at("out/sitio")).unwrap();
    fs::create_dir(at("in")).unwrap();
    fs::write(at("out/sitio/index.html"), "<p>").unwrap();
    std::os::unix::fs::symlink("index.html", at("out/sitio/liga")).unwrap();
    fs::write(at("d.toml"), "").unwrap();
    let places = Places {
        settings: at("d.toml"),
        conf: at("rsyncd.conf"),
        program: DIFUSOR.into(),
        incoming: at("in"),
        hidden: vec![],
    };
    let trusted = vec!["127.0.0.1".parse().unwrap()];
    fs::write(at("rsyncd.conf"), rsyncd::conf(&Rsync { trusted, ..Rsync::default() }, &places).unwrap()).unwrap();
    let mut daemon = Command::new("setpriv");
    if rustix::process::geteuid().is_root() {
        output(Command::new("chown").args(["-R", "65534:65534"]).arg(dir.path()));
        daemon.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    // An address that no other test listens at: a port that is free now may be taken by one when the daemon comes to it.
    let [_, a, b, c] = std::process::id().to_be_bytes();
    let own = std::net::Ipv4Addr::new(127, 64 | a, b, c.max(1));
    let free = std::net::TcpListener::bind((own, 0)).unwrap().local_addr().unwrap().port();
    let option = |name: &str, value: &Path| format!("--{name}={}", value.display());
    daemon.args(["strace", "-D", "-f", "-qq", "-o"]).arg(at("trace")).args(["rsync", "--daemon", "--no-detach"]);
    daemon.args([format!("--address={own}"), format!("--port={free}")]).arg(option("config", &at("rsyncd.conf")));
    daemon.args([option("dparam=lockfile", &at("lock")), option("log-file", &at("log"))]);
    let mut daemon = daemon.stdin(Stdio::null()).spawn().unwrap();
    let to = format!("rsync://{own}:{free}/cortes/");
    // It listens at some moment or other; each try is a connection of its own.
    let pushed = (0..500).any(|_| {
        let done = Command::new("rsync").arg("-a").arg(at("out")).arg(&to).output().unwrap();
        done.status.success() || {
            std::thread::sleep(Duration::from_millis(20));
            false
        }
    });
    let pid = daemon.id();
    let under_way = || !fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap().trim().is_empty();
    while under_way() {
        std::thread::sleep(Duration::from_millis(5));
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&daemon), rustix::process::Signal::TERM).unwrap();
    daemon.wait().unwrap();
    assert!(pushed, "{}", fs::read_to_string(at("log")).unwrap_or_default());
    let called = called(&fs::read_to_string(at("trace")).unwrap());
    assert!(called.contains("accept") || called.contains("accept4"), "{called:?}");
    assert!(called.contains("execve") && called.iter().any(|call| call.starts_with("rename")), "{called:?}");
    let allowed = allowed(&analyze, RSYNCD);
    let refused: Vec<_> = called.iter().filter(|call| !allowed.contains(*call)).collect();
    assert!(refused.is_empty(), "not allowed by SystemCallFilter=: {refused:?}\nof {called:?}");
}

#[test]
fn the_manual_has_every_setting() {
    let printed = output(Command::new(DIFUSOR).arg("config"));
    assert!(printed.contains("[[certificate]]"), "{printed}");
    for row in table::rows() {
        let key = row.key.rsplit('.').next().unwrap();
        assert!(printed.contains(&format!("{key} = ")), "{key}");
        let line = MANUAL.lines().find(|line| line.starts_with(&format!("| `{}` |", row.key)));
        let line = line.unwrap_or_else(|| panic!("the manual has no row for {}", row.key));
        // What may be left out has no default to speak of.
        let default = row.default.filter(|default| !["", "[]"].contains(default));
        assert!(default.is_none_or(|default| line.contains(&format!("`{default}`"))), "{line}\n{default:?}");
    }
}

#[test]
fn the_manuals_example_has_no_fault() {
    let dir = folder();
    let example = MANUAL.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(example.contains("/var/lib/difusor/incoming"), "{example}");
    let example = example.replace("/var/lib/difusor/", "");
    fs::write(dir.path().join("difusor.toml"), example).unwrap();
    output(Command::new(DIFUSOR).args(["serve", "--check"]).current_dir(dir.path()));
}

/// Every code that the sources give to a reason has its row, and no row is of a code that is no more.
#[test]
fn the_manual_has_every_refusal() {
    let source = concat!(include_str!("../src/corte/refusal.rs"), include_str!("../src/ingest/admission.rs"));
    let is_code = |text: &str| text.len() == 4 && text[1..].bytes().all(|b| b.is_ascii_digit());
    let given: BTreeSet<_> =
        source.lines().filter_map(|l| l.split_once("=> \"P")).map(|(_, rest)| format!("P{}", &rest[..3])).collect();
    let told: BTreeSet<_> = MANUAL
        .lines()
        .filter_map(|line| line.strip_prefix("| `P")?.get(..3).map(|digits| format!("P{digits}")))
        .filter(|code| is_code(code))
        .collect();
    assert!(given.len() > 40);
    assert_eq!(given, told);
}

#[test]
fn the_manual_has_every_code_of_a_source() {
    let family = |code: &&str| code.len() == 4 && code.starts_with('S');
    let given: BTreeSet<_> = difusor::record::TABLE.iter().map(|row| row.code).filter(family).collect();
    let rows = MANUAL.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let told: BTreeSet<_> = rows.filter(family).collect();
    assert!(given.contains("S014"));
    assert_eq!(given, told);
}
