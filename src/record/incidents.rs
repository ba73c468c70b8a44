//! The journal of incidents: one JSON line for each, for people and for the report afterwards.
//!
//! Writing never fails its caller. What cannot be written, and what one kind would have too much of, is counted and told.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::kinds::{self, Kind, Severity, TABLE};
use super::metrics::Metrics;
use super::rate::Rate;
use crate::base::clock::Clock;
use crate::base::disk::{Disk, ReadAt};
use crate::base::shown::Shown;
use crate::corte::CorteId;

/// The journal's name in the state folder, and that of the one before it.
const FILE: &str = "incidents.jsonl";
const BEFORE: &str = "incidents.1.jsonl";
/// A journal of this size becomes the one before: both together hold some 40,000 incidents.
const FILE_MAX_BYTES: u64 = 16 << 20;
/// Characters of a detail that are kept. Refusals are one line; a path in them is 160 characters at most.
const DETAIL_CHARS: usize = 1_000;

/// One thing that went wrong, or that somebody did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// RFC 3339, UTC.
    pub at: Timestamp,
    /// Stable: `P063`.
    pub code: String,
    pub severity: Severity,
    /// In Spanish, for operators: what kind of thing it is.
    pub sentence: String,
    /// In English: what, which, expected, found, what to do.
    pub detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corte: Option<String>,
    /// Where it came from: `push redaccion`, a URL, `incoming`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Others of this kind that were not written since the last one was.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub suppressed: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// An incident that is being told: `note("P063", why).package("a.tar")`.
pub struct Note<'n> {
    code: &'n str,
    detail: &'n str,
    corte: Option<CorteId>,
    source: Option<&'n str>,
    package: Option<&'n str>,
}

pub fn note<'n>(code: &'n str, detail: &'n str) -> Note<'n> {
    Note { code, detail, corte: None, source: None, package: None }
}

impl<'n> Note<'n> {
    #[must_use]
    pub fn corte(mut self, id: CorteId) -> Note<'n> {
        self.corte = Some(id);
        self
    }

    #[must_use]
    pub fn source(mut self, source: &'n str) -> Note<'n> {
        self.source = Some(source);
        self
    }

    #[must_use]
    pub fn package(mut self, name: &'n str) -> Note<'n> {
        self.package = Some(name);
        self
    }
}

/// Where incidents are written. One for all threads.
pub struct Journal {
    disk: Disk,
    folder: PathBuf,
    clock: Clock,
    metrics: Arc<Metrics>,
    bound: u64,
    state: Mutex<State>,
}

struct State {
    /// By row of the table: what floods in under one code leaves room for the others.
    rates: Vec<Rate>,
    /// Whether the file surely ends with a line's end: a crash or a full disk may have cut the last one.
    is_whole: bool,
    /// Whether the file's name is durable.
    is_named: bool,
    /// Incidents that could not be written since the last one that was; `None` while all is well.
    lost: Option<u64>,
}

impl Journal {
    /// A journal in a folder that is there, or will be.
    pub fn new(disk: Disk, folder: &Path, clock: Clock, metrics: Arc<Metrics>) -> Journal {
        let state = State { rates: vec![Rate::default(); TABLE.len()], is_whole: false, is_named: false, lost: None };
        Journal { disk, folder: folder.to_owned(), clock, metrics, bound: FILE_MAX_BYTES, state: Mutex::new(state) }
    }

    /// Writes an incident down, unless its kind has had too many. Waits for the disk where it is critical.
    pub fn note(&self, note: &Note) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (place, now) = (kinds::place(note.code), self.clock.elapsed());
        let kind = &TABLE[place];
        self.metrics.incident(kind.severity);
        match state.rates[place].take(now) {
            Some(suppressed) => self.write(&mut state, &self.incident(kind, note, suppressed)),
            None => {
                self.metrics.suppressed();
                if state.rates[place].has_just_begun() {
                    warn!(code = note.code, "too many of these incidents; the journal counts the rest");
                }
            }
        }
        for (other, kind) in TABLE.iter().enumerate() {
            if let Some(count) = state.rates[other].owed(now) {
                self.write(&mut state, &self.sum(kind, count));
            }
        }
    }

    /// Writes down what was kept back: nothing more will come.
    pub fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for (other, kind) in TABLE.iter().enumerate() {
            if let Some(count) = state.rates[other].rest() {
                self.write(&mut state, &self.sum(kind, count));
            }
        }
    }

    /// The last incidents, the newest first; what cannot be read is passed over.
    pub fn latest(&self, most: usize) -> Vec<Incident> {
        let mut found = Vec::new();
        for name in [FILE, BEFORE] {
            // The last line may go a little beyond the bound.
            let bytes = self.disk.read(&self.folder.join(name), 2 * self.bound).unwrap_or_default();
            found.extend(parse(&bytes).rev().take(most - found.len()));
        }
        found
    }

    fn incident(&self, kind: &Kind, note: &Note, suppressed: u64) -> Incident {
        let shown = |text: &str| Shown::text(text).as_str().to_owned();
        Incident {
            at: self.clock.now(),
            code: shown(note.code),
            severity: kind.severity,
            sentence: kind.sentence.to_owned(),
            detail: note.detail.chars().take(DETAIL_CHARS).filter(|c| !c.is_control()).collect(),
            corte: note.corte.map(|id| id.to_string()),
            source: note.source.map(shown),
            package: note.package.map(shown),
            suppressed,
        }
    }

    fn sum(&self, kind: &Kind, suppressed: u64) -> Incident {
        let detail = "more of the same came at once than are written one by one";
        self.incident(kind, &note(kind.code, detail), suppressed)
    }

    fn write(&self, state: &mut State, incident: &Incident) {
        match self.append(state, incident) {
            Ok(()) => {
                if let Some(lost) = state.lost.take() {
                    warn!(lost, "the journal of incidents can be written again");
                }
            }
            Err(error) => {
                state.is_whole = false;
                self.metrics.lost();
                let lost = state.lost.get_or_insert(0);
                *lost += 1;
                if *lost == 1 {
                    let path = self.folder.join(FILE);
                    warn!(%error, path = %path.display(), "the journal of incidents cannot be written; is the disk full?");
                }
            }
        }
    }

    fn append(&self, state: &mut State, incident: &Incident) -> io::Result<()> {
        let path = self.folder.join(FILE);
        let mut line = serde_json::to_vec(incident)?;
        line.push(b'\n');
        let mut file = self.disk.append(&path)?;
        if file.size()? >= self.bound {
            self.disk.rename(&path, &self.folder.join(BEFORE))?;
            file = self.disk.append(&path)?;
            state.is_named = false;
        } else if !state.is_whole && ends_within_a_line(&self.disk, &path) {
            line.insert(0, b'\n');
        }
        file.write_all(&line)?;
        state.is_whole = true;
        if incident.severity == Severity::Critico {
            file.sync()?;
            if !state.is_named {
                self.disk.sync_folder(&self.folder)?;
                state.is_named = true;
            }
        }
        Ok(())
    }
}

fn ends_within_a_line(disk: &Disk, path: &Path) -> bool {
    let Ok(file) = disk.open(path) else { return false };
    let mut last = [0];
    let mut reader = ReadAt::of(file);
    reader.seek(SeekFrom::End(-1)).and_then(|_| reader.read_exact(&mut last)).is_ok() && last != *b"\n"
}

/// The incidents in a journal's bytes, the oldest first; lines that are none are passed over.
pub fn parse(bytes: &[u8]) -> impl DoubleEndedIterator<Item = Incident> {
    bytes.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Hands;
    use crate::base::disk::{At, Twin};
    use crate::record::rate::{BURST, ONE_IN};

    struct Room {
        journal: Journal,
        disk: Disk,
        twin: Twin,
        hands: Hands,
        metrics: Arc<Metrics>,
    }

    fn room() -> Room {
        let (disk, twin) = Disk::twin();
        let (clock, hands) = Clock::scripted("2026-06-08T02:12:00Z".parse().unwrap());
        let metrics = Arc::new(Metrics::new());
        disk.make_folder(Path::new("/s")).unwrap();
        Room {
            journal: Journal::new(disk.clone(), Path::new("/s"), clock, metrics.clone()),
            disk,
            twin,
            hands,
            metrics,
        }
    }

    fn lines(disk: &Disk) -> Vec<Incident> {
        parse(&disk.read(Path::new("/s/incidents.jsonl"), u64::MAX).unwrap_or_default()).collect()
    }

    #[test]
    fn an_incident_is_one_line_that_says_what_which_and_how_bad() {
        let room = room();
        let why = "sitio/a\u{1b}[2J.json: its SHA-256 is 00";
        room.journal
            .note(&note("P063", why).corte("20260607_2010".parse().unwrap()).source("push x").package("a\n.tar"));
        let text = String::from_utf8(room.disk.read(Path::new("/s/incidents.jsonl"), 9999).unwrap()).unwrap();
        assert_eq!(
            text,
            "{\"at\":\"2026-06-08T02:12:00Z\",\"code\":\"P063\",\"severity\":\"advertencia\",\"sentence\":\"Un archivo \
             del paquete llegó distinto o cortado\",\"detail\":\"sitio/a[2J.json: its SHA-256 is 00\",\"corte\":\
             \"20260607_2010\",\"source\":\"push x\",\"package\":\"a\\\\n.tar\"}\n"
        );
        assert_eq!(room.journal.latest(5), lines(&room.disk));
        room.journal.note(&note("P001", ""));
        assert_eq!(room.journal.latest(1)[0].code, "P001");
    }

    #[test]
    fn a_flood_of_one_kind_is_counted_and_leaves_room_for_the_others() {
        let room = room();
        for _ in 0..500 {
            room.journal.note(&note("A011", "no token"));
        }
        room.journal.note(&note("P063", "differs"));
        let written = lines(&room.disk);
        assert_eq!((written.len(), written.last().unwrap().code.as_str()), (BURST as usize + 1, "P063"));
        assert!(room.metrics.text().contains("difusor_incidents_suppressed_total 480\n"));
        room.hands.advance(ONE_IN);
        // Whoever comes next tells of it, though it is of another kind.
        room.journal.note(&note("P063", "differs"));
        let last = lines(&room.disk).pop().unwrap();
        assert_eq!((last.code.as_str(), last.suppressed), ("A011", 480));
        room.journal.note(&note("A011", "no token"));
        room.journal.close();
        let last = lines(&room.disk).pop().unwrap();
        assert_eq!((last.code.as_str(), last.suppressed), ("A011", 1));
    }

    #[test]
    fn a_full_disk_fails_nobody_and_the_line_that_it_cut_spoils_no_other() {
        let room = room();
        room.journal.note(&note("P001", "before"));
        room.twin.has_room_for(40);
        room.journal.note(&note("P001", "cut"));
        room.journal.note(&note("P001", "lost"));
        room.twin.has_room_for(1 << 20);
        room.journal.note(&note("P001", "after"));
        let details: Vec<_> = lines(&room.disk).into_iter().map(|incident| incident.detail).collect();
        assert_eq!(details, ["before", "after"]);
        assert!(room.metrics.text().contains("difusor_incidents_lost_total 2\n"));
    }

    #[test]
    fn what_is_critical_outlives_a_power_cut() {
        for seed in 0..50 {
            let room = room();
            room.disk.sync_folder(Path::new("/")).unwrap();
            room.journal.note(&note("P001", "not synced"));
            room.journal.note(&note("P056", "synced"));
            let (disk, _) = room.twin.after_power_cut(seed);
            let left = lines(&disk);
            assert!(left.iter().any(|incident| incident.code == "P056"), "{seed}: {left:?}");
        }
    }

    #[test]
    fn a_journal_that_was_cut_by_a_crash_goes_on_with_a_new_line() {
        let room = room();
        room.disk.append(Path::new("/s/incidents.jsonl")).unwrap().write_all(b"{\"at\":\"2026").unwrap();
        room.journal.note(&note("P001", "after"));
        assert_eq!(lines(&room.disk).len(), 1);
    }

    #[test]
    fn it_is_turned_over_at_its_bound_and_one_old_one_is_kept() {
        let mut room = room();
        room.journal.bound = 4000;
        let full = |byte: u8| {
            let mut file = room.disk.append(Path::new("/s/incidents.jsonl")).unwrap();
            file.write_all(&vec![byte; 4000]).unwrap();
        };
        room.journal.note(&note("P001", "first"));
        full(b'\n');
        room.journal.note(&note("P002", "second"));
        assert_eq!(lines(&room.disk).len(), 1);
        assert_eq!(room.journal.latest(5).iter().map(|i| i.detail.as_str()).collect::<Vec<_>>(), ["second", "first"]);
        // Where it cannot be turned over it grows no further.
        full(b'\n');
        room.twin.at(room.twin.operations() + 1, At::Fail(io::ErrorKind::PermissionDenied));
        room.journal.note(&note("P003", "third"));
        room.journal.note(&note("P004", "fourth"));
        assert_eq!(room.journal.latest(9).iter().map(|i| i.detail.as_str()).collect::<Vec<_>>(), ["fourth", "second"]);
    }
}
