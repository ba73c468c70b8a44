//! A machine in memory: a disk that can fail, a clock that stands until it is moved, and an operator's desk that does
//! one thing at a time. Going without threads, it does the same in every run.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use difusor::base::clock::{Clock, Hands};
use difusor::base::digest::Digest;
use difusor::base::disk::{Disk, Twin};
use difusor::corte::CorteId;
use difusor::ingest::{Arrival, Desk, Event, Happening, Intake, Outcome, Wish};
use difusor::snapshot::{Entry, Live};
use difusor::store::{Ledger, Link, Policy, Vault};
use jiff::Timestamp;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::sync::oneshot;

use super::night::{Night, Package, SPOILT, Step};
use super::seen::Seen;
use crate::common::ELECTION;
use crate::common::room::intake;
use crate::common::server::DEADLINE;

/// Cortes that the vault keeps at most.
pub const CORTES: usize = 3;
/// Longer than a package has to be quiet before it is tried.
const QUIET: Duration = Duration::from_millis(200);
/// Longer than whatever is tried again or given up has to wait.
pub const PATIENCE: Duration = Duration::from_secs(11);
/// What may be due at once: every package, every corte of the vault.
const TURNS: usize = 24;

/// The clock of a machine, and what moves it.
#[derive(Clone)]
pub struct Time {
    pub clock: Clock,
    pub hands: Arc<Hands>,
}

pub struct Machine {
    pub twin: Twin,
    pub time: Time,
    pub live: Arc<Live>,
    pub desk: Desk,
    told: Receiver<String>,
    /// Everything that was told since the start.
    pub log: Vec<String>,
}

fn root() -> PathBuf {
    Vault::root(Path::new("/state"), ELECTION, difusor::corte::Tipo::Oficial)
}

fn told(disk: &Disk) -> Intake {
    let policy = Policy { bytes: 1 << 30, cortes: Some(CORTES), at_least: 1 };
    Intake { policy, ..intake(disk, Path::new("/")) }
}

/// One processor for this thread and those it starts: what is spread over all of them is then done in the same order in
/// every run, and a change of the disk has the same number in each.
pub fn one_processor() {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    static ALLOWED: OnceLock<CpuSet> = OnceLock::new();
    let allowed = ALLOWED.get_or_init(|| sched_getaffinity(None).unwrap());
    let mut all = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).cycle();
    let mut one = CpuSet::new();
    one.set(all.nth(NEXT.fetch_add(1, Relaxed)).unwrap());
    sched_setaffinity(None, &one).unwrap();
}

impl Time {
    pub fn at(at: Timestamp) -> Time {
        let (clock, hands) = Clock::scripted(at);
        Time { clock, hands: Arc::new(hands) }
    }

    /// So much later.
    pub fn after(&self, by: Duration) -> Time {
        Time::at(self.clock.now() + by)
    }
}

impl Machine {
    /// Starts the service; nothing where the disk does not let it. Better compressed contents go to `events`.
    pub fn start(twin: &Twin, time: &Time, events: Option<SyncSender<Event>>) -> Result<Machine, String> {
        let (tell, told_now) = channel();
        let report = move |happening: &Happening| drop(tell.send(format!("{happening:?}")));
        let live = Arc::new(Live::default());
        let desk = Desk::open(told(&twin.disk()), live.clone(), time.clock.clone(), Arc::new(report), events);
        let desk = desk.map_err(|fault| fault.to_string())?;
        let mut machine =
            Machine { twin: twin.clone(), time: time.clone(), live, desk, told: told_now, log: Vec::new() };
        machine.desk.begin();
        machine.note();
        Ok(machine)
    }

    /// A new disk with an empty incoming folder.
    pub fn empty_disk() -> Twin {
        let (_, twin) = Disk::twin();
        twin.put(Path::new("/incoming/.keep"), b"").unwrap();
        twin
    }

    fn note(&mut self) {
        self.log.extend(self.told.try_iter());
        for line in &self.log {
            assert!(
                !line.contains("P086") && !line.contains("fault of ours") && !line.contains("OurFault"),
                "a panic: {line}"
            );
        }
    }

    /// Lines of what was told that speak of damage.
    pub fn alarms(&self) -> Vec<&String> {
        let is_one = |line: &&String| {
            ["Unusable", "Unreadable", "StoreFailed", "Mended", "Blind"].iter().any(|kind| line.starts_with(kind))
        };
        self.log.iter().filter(is_one).collect()
    }

    /// Waits until there are two copies of whatever is live, compressed as well as pays.
    pub fn improve(&mut self, events: &Receiver<Event>) {
        while !self.is_improved() {
            self.desk.hear(events.recv_timeout(DEADLINE).unwrap());
        }
    }

    /// What is made for the corte that is live, to the last of it, before anybody hears of it.
    pub fn made(&self, events: &Receiver<Event>) -> Vec<Event> {
        let snapshot = self.live.load().as_deref().unwrap().live().clone();
        let mut made = Vec::new();
        loop {
            let Event::Better(better) = events.recv_timeout(DEADLINE).unwrap() else { continue };
            // Of one before it there may be some left.
            let is_its = better.snapshot.sums() == snapshot.sums();
            let is_last = is_its && better.finished.is_some();
            made.extend(is_its.then_some(Event::Better(better)));
            if is_last {
                return made;
            }
        }
    }

    fn is_improved(&self) -> bool {
        let edition = self.live.load();
        let Some(snapshot) = edition.as_deref().map(|edition| edition.live()) else { return true };
        let coded = self.twin.files(&root().join("coded"));
        let is_kept = |digest: Digest| coded.iter().any(|path| path.ends_with(digest.to_string()));
        snapshot.unfinished().is_empty() && snapshot.contents().all(|content| is_kept(content.digest))
    }

    /// Everything that is due is done.
    pub fn work(&mut self) {
        self.desk.look();
        self.time.hands.advance(QUIET);
        (0..TURNS).for_each(|_| self.desk.work());
        self.note();
    }

    /// The sender puts the packages that have come so far into the incoming folder.
    pub fn fill(&self, night: &Night, before: usize) {
        for step in &night.steps[..before] {
            match step {
                Step::Folder(n) => self.put(&night.packages[*n], false),
                Step::Archive(n) => self.put(&night.packages[*n], true),
                Step::Pushed(_) | Step::Wish(_) => {}
            }
        }
    }

    pub fn empty(&self) {
        self.twin.take_away(Path::new("/incoming")).unwrap();
        self.twin.put(Path::new("/incoming/.keep"), b"").unwrap();
    }

    /// Puts a package into the incoming folder, as a tar or as it is.
    pub fn put(&self, package: &Package, is_archive: bool) {
        let path = Path::new("/incoming").join(package.id.to_string());
        if is_archive {
            return self.twin.put(&path.with_extension("tar"), &package.tree.tar()).unwrap();
        }
        for (file, bytes) in &package.tree.0 {
            self.twin.put(&path.join(str::from_utf8(file).unwrap()), bytes).unwrap();
        }
    }

    /// Does a step as far as the disk lets it. An operator is told whether what he wanted was done.
    pub fn step(&mut self, night: &Night, n: usize) -> bool {
        let is_done = match &night.steps[n] {
            Step::Folder(package) => {
                self.put(&night.packages[*package], false);
                true
            }
            Step::Archive(package) => {
                self.put(&night.packages[*package], true);
                true
            }
            Step::Pushed(package) => self.push(&night.packages[*package]),
            Step::Wish(wish) => self.wish(wish.clone()),
        };
        self.work();
        if matches!(night.steps[n], Step::Archive(SPOILT)) {
            self.time.hands.advance(PATIENCE);
            self.work();
        }
        is_done
    }

    /// Whether an operator is told that what he wanted is done.
    pub fn wish(&mut self, wish: Wish) -> bool {
        let (reply, mut answer) = oneshot::channel();
        self.desk.hear(Event::Wished(wish, reply));
        self.note();
        answer.try_recv().unwrap().is_ok()
    }

    fn push(&mut self, package: &Package) -> bool {
        let (reply, mut answer) = oneshot::channel();
        let name = format!("{}.tar", package.id);
        let path = Path::new("/state/staging").join(&name);
        self.twin.put(&path, &package.tree.tar()).unwrap();
        self.desk.hear(Event::Arrived(Arrival { name, path, source: "push prueba".into() }, reply));
        self.desk.work();
        matches!(answer.try_recv().unwrap(), Outcome::Live { .. } | Outcome::Held { .. } | Outcome::Same { .. })
    }

    /// What everybody sees now, each byte of it held against the packages.
    pub fn seen(&self, night: &Night) -> Seen {
        self.live.load().as_deref().map_or_else(Seen::default, |edition| Seen::of(edition, night))
    }

    /// Whether the package of this step, if it brings a good one, was taken in.
    pub fn has_taken(&self, night: &Night, step: usize) -> bool {
        let n = match night.steps[step] {
            Step::Folder(n) | Step::Archive(n) | Step::Pushed(n) if n != SPOILT => n,
            _ => return true,
        };
        let corte = format!("corte: {}", night.packages[n].id);
        let is_taken = |line: &String| ["Live", "Held", "Same"].iter().any(|what| line.starts_with(what));
        self.log.iter().any(|line| is_taken(line) && line.contains(&corte))
    }

    /// The cortes in the vault, as its ledger has them.
    pub fn kept(&self) -> Vec<CorteId> {
        // A look from outside, which is none of this disk's operations.
        let (disk, _) = self.twin.copy();
        let ledger = Ledger::read(&disk, &root()).unwrap();
        assert!(ledger.unreadable.is_empty(), "{:?}", ledger.unreadable);
        ledger.entries().iter().map(|entry| entry.corte).collect()
    }

    /// The links of the chain that can be read, in their order.
    pub fn chain(&self) -> Vec<(CorteId, Link)> {
        let (disk, _) = self.twin.copy();
        let ledger = Ledger::read(&disk, &root()).unwrap();
        let links = ledger.entries().iter().filter_map(|entry| Some((entry.corte, entry.chain?)));
        let mut links: Vec<_> = links.collect();
        links.sort_by_key(|(_, link)| link.number);
        links
    }

    /// The chain as everybody is told of it now.
    pub fn told(&self) -> Vec<serde_json::Value> {
        let edition = self.live.load();
        let Some(Entry::File(file)) = edition.as_deref().unwrap().live().get(".prep/cortes") else { panic!() };
        let told: serde_json::Value = serde_json::from_slice(&file.content.identity().body).unwrap();
        told["cortes"].as_array().unwrap().clone()
    }

    /// The corte that the vault has as announced.
    pub fn announced(&self) -> Option<CorteId> {
        Ledger::read(&self.twin.disk(), &root()).unwrap().head().map(|head| head.corte)
    }

    /// The codes of what was refused, of which a copy is kept. What a power cut has torn is nobody's loss.
    pub fn refused(&self) -> Vec<String> {
        let notes = self.twin.files(Path::new("/state/refused"));
        let notes = notes.iter().filter(|path| path.ends_with("refused.json"));
        let whole = notes.filter_map(|path| serde_json::from_slice(&self.twin.disk().read(path, 1 << 20).ok()?).ok());
        whole.map(|note: serde_json::Value| note["codigo"].as_str().unwrap().to_owned()).collect()
    }

    /// Everybody who has sent a package so far sends it again.
    pub fn send_again(&self, night: &Night, before: usize) {
        for step in &night.steps[..before] {
            if let Step::Folder(n) | Step::Archive(n) | Step::Pushed(n) = step {
                self.put(&night.packages[*n], true);
            }
        }
    }

    /// Where the vault has these bytes.
    pub fn blob(&self, bytes: &[u8]) -> PathBuf {
        let name = Digest::of(bytes).to_string();
        root().join("blobs").join(&name[..2]).join(name)
    }

    /// What lies in the vault.
    pub fn vault(&self) -> Vec<PathBuf> {
        self.twin.files(&root())
    }
}
