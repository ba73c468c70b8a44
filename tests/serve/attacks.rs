//! Hostile clients against the real binary. While they do their worst, a client of ours asks on and on: each of its requests is
//! answered in time, memory stays within bounds, and afterwards everything is given back.

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::Duration;

use difusor::base::clock::Monotonic;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

use crate::common::metrics::{are_turned_away, metric, turned_away};
use crate::common::server::{LOOK_EVERY, Setup, Site, until};
use crate::common::wire::Talk;
use crate::common::{Tree, corte, tool};

const ID: &str = "20240602_2010";
/// What a request of the control client may take, however busy the machine is: a phone waits longer. The time it really
/// takes is printed; on a quiet machine of two cores 99 of 100 are answered within 50 ms.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// What the attack may add to the memory of the process, for each of its connections and, for slow bodies, the one that it
/// has to an origin: of a build that nobody has optimised, whose futures are several times as large.
const GROWTH_MAX_BYTES: u64 = 96 << 10;
/// What may be left of it: an allocator does not give all back at once.
const LEFT_MAX_BYTES: u64 = 96 << 20;

/// Where it names a core, the server has that one alone: `make bench-attacks`.
const SERVER_CORE: &str = "DIFUSOR_SERVER_CORE";

/// Descriptors for this test's own connections.
pub fn many_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// A client that asks on and on, each time by a new connection and by one it keeps, and notes how long each took.
pub struct Control {
    stop: Arc<AtomicBool>,
    asking: JoinHandle<Vec<Duration>>,
}

impl Control {
    pub fn start(to: SocketAddr) -> Control {
        let stop = Arc::new(AtomicBool::new(false));
        let until_then = stop.clone();
        let asking = std::thread::spawn(move || {
            let (mut took, mut kept) = (Vec::new(), Talk::with(to));
            while !until_then.load(SeqCst) {
                let started = Monotonic::now();
                assert_eq!(Talk::with(to).get("/index.html", "Connection: close\r\n").status, 200);
                took.push(started.elapsed());
                let started = Monotonic::now();
                assert_eq!(kept.get("/index.html", "").status, 200);
                took.push(started.elapsed());
                std::thread::sleep(LOOK_EVERY);
            }
            took
        });
        Control { stop, asking }
    }

    /// Ends it; every request has had its answer in time.
    pub fn judge(self, attack: &str) {
        self.stop.store(true, SeqCst);
        let mut took = self.asking.join().expect("each request of the control client is answered");
        took.sort_unstable();
        let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize];
        eprintln!("{attack}: {} requests, p50 {:?}, p99 {:?}, max {:?}", took.len(), at(0.5), at(0.99), at(1.0));
        assert!(took.len() > 1, "{attack}: nobody was answered while it lasted");
        assert!(at(1.0) < ANSWER_MAX, "{attack}: {:?}", at(1.0));
    }
}

/// What a process has and uses.
pub struct Used {
    pid: Pid,
}

impl Used {
    fn status(&self, name: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid.as_raw_nonzero())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    pub fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid.as_raw_nonzero())).unwrap().count()
    }

    /// Time of processors, in hundredths of a second.
    fn ticks(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.pid.as_raw_nonzero())).unwrap();
        let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }
}

/// A site, and what it has before anything happens.
pub struct Stage {
    pub site: Site,
    pub used: Used,
    memory: u64,
    descriptors: usize,
}

impl Stage {
    pub fn new(limits: &str) -> Stage {
        Stage::with(limits, |setup| setup)
    }

    fn with(limits: &str, more: impl FnOnce(Setup) -> Setup) -> Stage {
        many_descriptors();
        let limits = format!("client_exempt = [\"127.0.0.0/8\"]\n{limits}");
        let setup = Setup::both(&["prep.example"]).with("limits", &limits);
        let setup = match std::env::var(SERVER_CORE) {
            Ok(core) => setup.through(["taskset", "-c", &core].map(str::to_owned).into()),
            Err(_) => setup,
        };
        let site = more(setup).start();
        // Large enough that slow readers hold something, and no coding makes it small.
        let large: Vec<u8> = (0..400_000_u32).flat_map(|n| n.wrapping_mul(0x9e37_79b1).to_le_bytes()).collect();
        let large = [b"PK\x03\x04".to_vec(), large].concat();
        site.deliver("uno", &Tree::of(&corte(ID), &[("index.html", b"<p>uno"), ("grande.zip", &large)]));
        site.live(ID);
        // Compressing takes memory that is no attack's.
        site.log_line(&["compressed best"]);
        let idle = until(|| (metric(&site, "difusor_connections") == 0).then_some(()));
        assert!(idle.is_some());
        let used = Used { pid: site.pid() };
        // It was given back where nothing has changed for a while.
        let mut last = used.memory();
        let is_at_rest = until(|| {
            std::thread::sleep(Duration::from_millis(300));
            let before = std::mem::replace(&mut last, used.memory());
            (before.abs_diff(last) < 1 << 20).then_some(())
        });
        assert!(is_at_rest.is_some());
        let (memory, descriptors) = (last, used.descriptors());
        Stage { site, used, memory, descriptors }
    }

    /// How much more memory there is in use than before.
    pub fn grown(&self) -> u64 {
        self.used.memory().saturating_sub(self.memory)
    }

    /// Whether memory is within `bound` now; the most there was.
    pub fn is_bounded(&self, most: u64, bound: u64) -> u64 {
        let grown = self.grown();
        assert!(grown < bound, "{} MB more than before", grown >> 20);
        grown.max(most)
    }

    /// Waits until nothing is left of it.
    pub fn gives_all_back(&self, attack: &str) {
        let is_back = || {
            let is_free = metric(&self.site, "difusor_connections") == 0 && self.used.descriptors() <= self.descriptors;
            (is_free && self.grown() < LEFT_MAX_BYTES).then_some(())
        };
        let is_back = until(is_back);
        let (open, descriptors) = (metric(&self.site, "difusor_connections"), self.used.descriptors());
        let left = self.grown() >> 20;
        eprintln!(
            "{attack}: afterwards {open} connections, {descriptors} descriptors ({} before), {left} MB more",
            self.descriptors
        );
        assert!(is_back.is_some(), "{attack}: not all is given back");
        assert_eq!(self.site.get("/index.html").status, 200);
    }
}

/// slowhttptest from Debian; it ends with this.
struct Slow(Child);

impl Drop for Slow {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// 2,000 of its connections, as these arguments have them, until the server has dealt with so many.
fn slowly(name: &str, stage: &Stage, (path, args): (&str, &[&str]), (reason, dealt_with): (&str, u64)) {
    let Some(tool) = tool("slowhttptest") else { return };
    let control = Control::start(stage.site.http());
    let mut command = Command::new(tool);
    command.args(["-c", "2000", "-r", "1000", "-l", "20", "-p", "5"]).args(args);
    command.args(["-u", &format!("http://{}{path}", stage.site.http())]);
    let slow = Slow(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let (mut most, mut open) = (0, 0);
    let done = until(|| {
        most = stage.is_bounded(most, 2_000 * GROWTH_MAX_BYTES);
        open = open.max(metric(&stage.site, "difusor_connections"));
        (turned_away(&stage.site, reason) >= dealt_with).then_some(())
    });
    let ended = turned_away(&stage.site, reason);
    eprintln!("{name}: {open} connections at most, {} MB more, {ended} for {reason}", most >> 20);
    assert!(done.is_some(), "{name}: {ended} for {reason}");
    control.judge(name);
    drop(slow);
    stage.gives_all_back(name);
}

#[test]
fn slowloris_gets_no_hold() {
    let stage = Stage::new("head = \"3s\"");
    slowly("slowloris", &stage, ("/grande.zip", &["-H", "-i", "1"]), ("head-timeout", 1500));
}

/// Nothing in the package takes a body, so they go to an origin, which waits for the rest as long as it has to.
#[test]
fn slow_bodies_get_no_hold() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let held = std::thread::spawn(move || listener.incoming().map_while(Result::ok).take(8_000).collect::<Vec<_>>());
    let stage = Stage::with("rate_window = \"3s\"", |setup| {
        setup.origin(address, "connections = 2000\nwaiting = 2000", "path = \"/o\"\ncache = false")
    });
    let args = ["-B", "-i", "1", "-s", "8192", "-x", "10"];
    slowly("slow bodies", &stage, ("/o", &args), ("receive-rate", 1500));
    drop(held);
}

#[test]
fn slow_readers_get_no_hold() {
    let stage = Stage::new("rate_window = \"3s\"\nidle = \"10s\"");
    let args = ["-X", "-w", "1", "-y", "2", "-n", "1", "-z", "1", "-k", "1"];
    slowly("slow readers", &stage, ("/grande.zip", &args), ("send-rate", 1000));
}

#[test]
fn half_open_handshakes_get_no_hold() {
    let stage = Stage::new("handshake = \"4s\"");
    let control = Control::start(stage.site.http());
    let to = stage.site.https();
    // A ClientHello's beginning, and then nothing.
    let started = [&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03][..], &[7; 100]].concat();
    let (mut open, mut most, mut opened) = (Vec::new(), 0, 0);
    while opened < 10_000 {
        for n in 0..500 {
            let mut stream = TcpStream::connect(to).unwrap();
            // Some say nothing at all.
            if n % 4 > 0 {
                let _ = stream.write_all(&started);
            }
            open.push(stream);
            opened += 1;
        }
        most = stage.is_bounded(most, 10_000 * GROWTH_MAX_BYTES);
    }
    let held = metric(&stage.site, "difusor_connections");
    are_turned_away(&stage.site, "handshake-timeout", 9_000);
    eprintln!("half-open handshakes: {held} at once, {} MB more at most", most >> 20);
    control.judge("half-open handshakes");
    drop(open);
    stage.gives_all_back("half-open handshakes");
}

/// More connections than there are descriptors for, by a limit that is set while it runs.
#[test]
fn a_burst_that_takes_all_descriptors_is_waited_out() {
    let stage = Stage::new("");
    let now = u64::try_from(stage.used.descriptors()).unwrap();
    // It has the same limits as this test, and may have them again.
    let maximum = getrlimit(Resource::Nofile).maximum;
    let few = Rlimit { current: Some(now + 50), maximum };
    let whole = prlimit(Some(stage.used.pid), Resource::Nofile, few).unwrap();
    let to = stage.site.http();
    let burst: Vec<TcpStream> = (0..150).map(|_| TcpStream::connect(to).unwrap()).collect();
    stage.site.log_line(&["no connection could be accepted"]);
    // It waits: of two seconds, far from one is spent.
    let (before, started) = (stage.used.ticks(), Monotonic::now());
    while started.elapsed() < Duration::from_secs(2) {
        std::thread::sleep(Duration::from_millis(100));
    }
    let spent = stage.used.ticks() - before;
    eprintln!("no descriptors: {spent} hundredths of a second of processors in {:?}", started.elapsed());
    assert!(spent < 100, "it spins: {spent}");
    assert!(stage.site.logged(&["no connection could be accepted"]).len() <= 50);
    // Those who wait get their turn as the silent ones go, though there are no more descriptors than before.
    let mut talk = Talk::with(to);
    assert_eq!(talk.get("/index.html", "").status, 200);
    drop((burst, talk));
    prlimit(Some(stage.used.pid), Resource::Nofile, whole).unwrap();
    are_turned_away(&stage.site, "descriptors", 5);
    stage.gives_all_back("no descriptors");
}
