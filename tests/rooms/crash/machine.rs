//! A machine in memory: a disk that can fail, a clock that stands until it is moved, and an operator's desk that does
//! one thing at a time. Going without threads, it does the same in every run.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use difusor::base::clock::{Clock, Hands};
use difusor::base::disk::{Disk, Twin};
use difusor::corte::CorteId;
use difusor::ingest::{Arrival, Desk, Event, Happening, Intake, Outcome};
use difusor::snapshot::{Live, Snapshot};
use difusor::store::{Ledger, Policy, Vault};
use jiff::Timestamp;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::sync::oneshot;

use super::night::{Night, Package, Step};
use crate::common::room::intake;
use crate::common::wire::decode;
use crate::common::{ELECTION, now};

/// Longer than a package has to be quiet before it is tried.
const QUIET: Duration = Duration::from_millis(200);
/// Longer than whatever is tried again or given up has to wait.
const PATIENCE: Duration = Duration::from_secs(11);
/// What may be due at once: every package, every corte of the vault.
const TURNS: usize = 24;
/// So often is tried what a fault has hindered.
const TRIES: usize = 4;

/// What everybody can see.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Seen {
    pub shown: Option<CorteId>,
    /// The latest corte that was withdrawn, while an earlier one is shown in its place.
    pub withdrawn: Option<String>,
    pub is_held: bool,
}

pub struct Machine {
    pub disk: Disk,
    pub twin: Twin,
    pub hands: Hands,
    pub clock: Clock,
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
    let policy = Policy { bytes: 1 << 30, cortes: Some(3), at_least: 1 };
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

impl Machine {
    /// Starts the service; nothing where the disk does not let it.
    pub fn start(disk: Disk, twin: Twin, at: Timestamp, events: Option<SyncSender<Event>>) -> Result<Machine, String> {
        let (clock, hands) = Clock::scripted(at);
        let (tell, told_now) = channel();
        let report = move |happening: &Happening| drop(tell.send(format!("{happening:?}")));
        let live = Arc::new(Live::default());
        let desk = Desk::open(told(&disk), live.clone(), clock.clone(), Arc::new(report), events);
        let desk = desk.map_err(|fault| fault.to_string())?;
        let mut machine = Machine { disk, twin, hands, clock, live, desk, told: told_now, log: Vec::new() };
        machine.desk.begin();
        machine.note();
        Ok(machine)
    }

    /// A new machine with an empty incoming folder.
    pub fn new() -> (Disk, Twin) {
        let (disk, twin) = Disk::twin();
        twin.put(Path::new("/incoming/.keep"), b"").unwrap();
        (disk, twin)
    }

    pub fn first() -> Machine {
        let (disk, twin) = Machine::new();
        Machine::start(disk, twin, now(), None).unwrap()
    }

    fn note(&mut self) {
        self.log.extend(self.told.try_iter());
        for line in &self.log {
            assert!(!line.contains("P086") && !line.contains("fault of ours"), "a panic: {line}");
        }
    }

    /// Lines of what was told that speak of damage.
    pub fn alarms(&self) -> Vec<&String> {
        let is_one = |line: &&String| {
            ["Unusable", "Unreadable", "StoreFailed", "Mended", "Blind"].iter().any(|kind| line.starts_with(kind))
        };
        self.log.iter().filter(is_one).collect()
    }

    /// Everything that is due is done.
    pub fn work(&mut self) {
        self.desk.look();
        self.hands.advance(QUIET);
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

    fn put(&self, package: &Package, is_archive: bool) {
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
            Step::Wish(wish) => {
                let (reply, mut answer) = oneshot::channel();
                self.desk.hear(Event::Wished(wish.clone(), reply));
                answer.try_recv().unwrap().is_ok()
            }
        };
        self.work();
        if matches!(night.steps[n], Step::Archive(super::night::SPOILT)) {
            self.hands.advance(PATIENCE);
            self.work();
        }
        is_done
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

    /// Does a step, and again while a fault hinders it, until what is seen is what must be.
    pub fn step_until(&mut self, night: &Night, n: usize, before: &Seen, after: &Seen) {
        for _ in 0..TRIES {
            self.step(night, n);
            let seen = self.seen(night);
            assert!(seen == *after || seen == *before, "step {n}: {seen:?}, {before:?} {after:?}\n{:#?}", self.log);
            if seen == *after {
                return;
            }
            self.hands.advance(PATIENCE);
        }
        panic!("step {n} never came to {after:?}\n{:#?}", self.log);
    }

    /// What everybody sees now, each byte of it held against the packages.
    pub fn seen(&self, night: &Night) -> Seen {
        let edition = self.live.load();
        let Some(edition) = edition.as_deref() else { return Seen::default() };
        edition.all().for_each(|snapshot| holds(night, snapshot));
        let about: serde_json::Value = serde_json::from_slice(&own(edition.live(), ".prep/corte.json")).unwrap();
        let decisions = about["decisiones"].as_array().cloned().unwrap_or_default();
        let of = |what: &str| decisions.iter().find(|decision| decision["accion"] == what);
        Seen {
            shown: Some(edition.live().corte().id),
            withdrawn: of("reversion").map(|decision| decision["retirado"].as_str().unwrap().to_owned()),
            is_held: of("retencion").is_some(),
        }
    }

    /// The cortes in the vault, as its ledger has them.
    pub fn kept(&self) -> Vec<CorteId> {
        let ledger = Ledger::read(&self.disk, &root()).unwrap();
        assert!(ledger.unreadable.is_empty(), "{:?}", ledger.unreadable);
        ledger.entries().iter().map(|entry| entry.corte).collect()
    }

    /// The codes of what was refused, of which a copy is kept. What a power cut has torn is nobody's loss.
    pub fn refused(&self) -> Vec<String> {
        let notes = self.twin.files(Path::new("/state/refused"));
        let notes = notes.iter().filter(|path| path.ends_with("refused.json"));
        let whole = notes.filter_map(|path| serde_json::from_slice(&self.disk.read(path, 1 << 20).ok()?).ok());
        whole.map(|note: serde_json::Value| note["codigo"].as_str().unwrap().to_owned()).collect()
    }

    /// What lies in the vault.
    pub fn vault(&self) -> Vec<PathBuf> {
        self.twin.files(&root())
    }
}

fn own(snapshot: &Snapshot, path: &str) -> Vec<u8> {
    snapshot.files().find(|(other, _)| *other == path).unwrap().1.identity().body.to_vec()
}

/// Every file of a corte is there, and no other; every byte of every coding is its package's.
fn holds(night: &Night, snapshot: &Snapshot) {
    let package = night.package(snapshot.corte().id);
    let mut found = 0;
    for (path, content) in snapshot.files() {
        let expected = match path {
            "" => continue,
            ".prep/SHA256SUMS" => package.tree.bytes("SHA256SUMS"),
            ".prep/SHA256SUMS.sig" => package.tree.bytes("SHA256SUMS.sig"),
            ".prep/corte.original.json" => package.tree.bytes("corte.json"),
            _ if path.starts_with(".prep/") => continue,
            _ => {
                found += 1;
                package.files.get(path).unwrap_or_else(|| panic!("{path} is not in {}", package.id))
            }
        };
        for rep in content.representations() {
            assert!(decode(rep.coding.name(), &rep.body) == *expected, "{} {path} {:?}", package.id, rep.coding);
        }
    }
    assert_eq!(found, package.files.len(), "{}", package.id);
}
