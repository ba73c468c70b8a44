//! What of TLS does not last: new certificates are put into use while everything goes on, by a thread that looks at the files,
//! and by SIGHUP at once; the keys of session tickets turn, and are kept for the next start.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::{info, warn};

use crate::base::clock::Clock;
use crate::base::disk::Disk;
use crate::http::certificates::{Certificates, Looked};
use crate::http::tickets::{self, Tickets};
use crate::record::Journal;
use crate::record::incidents::note;

/// How often the files are looked at. They are small and few.
const EVERY: Duration = Duration::from_secs(5);
/// What cannot be used may still be written: looked at again after this.
const SETTLES_IN: Duration = Duration::from_secs(1);

/// In the state folder.
const KEYS: &str = "tickets";
const KEYS_DRAFT: &str = "tickets.new";

/// The keys of session tickets, and where they are kept.
pub struct Kept {
    pub tickets: Arc<Tickets>,
    disk: Disk,
    folder: PathBuf,
    clock: Clock,
}

impl Kept {
    /// With the keys of the last run, if they can be read and still count: else nobody can resume, which costs time alone.
    pub fn read(disk: &Disk, folder: &Path, clock: &Clock) -> Kept {
        let bytes = disk.read(&folder.join(KEYS), tickets::FILE_BYTES).unwrap_or_default();
        let tickets = Arc::new(Tickets::of(&bytes, now(clock)));
        Kept { tickets, disk: disk.clone(), folder: folder.to_owned(), clock: clock.clone() }
    }

    fn turn(&self) {
        let Some(bytes) = self.tickets.turn(now(&self.clock)) else { return };
        if let Err(error) = self.write(&bytes) {
            warn!(%error, "the keys of session tickets cannot be kept; after a restart nobody resumes");
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let (draft, file) = (self.folder.join(KEYS_DRAFT), self.folder.join(KEYS));
        if self.disk.exists(&draft) {
            self.disk.remove(&draft)?;
        }
        let mut out = self.disk.create_secret(&draft)?;
        out.write_all(bytes)?;
        out.sync()?;
        drop(out);
        self.disk.rename(&draft, &file)
    }
}

fn now(clock: &Clock) -> u64 {
    u64::try_from(clock.seconds().1).unwrap_or(0)
}

/// A running thread; it ends when it is stopped.
pub struct Renewal {
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
}

/// Certificates, and whose they are.
pub type Counter = (&'static str, Arc<Certificates>);

impl Renewal {
    pub fn start(counters: Vec<Counter>, kept: Kept, journal: Arc<Journal>) -> io::Result<Renewal> {
        // The first connections get tickets, too.
        kept.turn();
        // One wish is as good as many.
        let (wake, woken) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name("certificates".into()).spawn(move || {
            run(&counters, &kept, &journal, &woken);
        })?;
        Ok(Renewal { wake, thread })
    }

    /// Looks soon.
    pub fn wake(&self) {
        let _ = self.wake.try_send(());
    }

    pub fn stop(self) {
        drop(self.wake);
        let _ = self.thread.join();
    }
}

fn run(counters: &[Counter], kept: &Kept, journal: &Journal, woken: &Receiver<()>) {
    let mut wait = EVERY;
    while woken.recv_timeout(wait) != Err(RecvTimeoutError::Disconnected) {
        wait = EVERY;
        kept.turn();
        for (whose, certificates) in counters {
            match certificates.look() {
                Looked::Same => {}
                Looked::Settling => wait = SETTLES_IN,
                Looked::Renewed => {
                    info!(whose, "new certificates are in use");
                    journal.note(&note("T002", whose));
                }
                Looked::Refused(fault) => {
                    warn!(whose, "the new certificates cannot be used, the old ones stay: {fault}");
                    journal.note(&note("T001", &format!("{whose}: {fault}")));
                }
            }
        }
    }
}
