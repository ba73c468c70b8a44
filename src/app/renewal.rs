//! New certificates are put into use while everything goes on: by a thread that looks at the files, and by SIGHUP at once.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::{info, warn};

use crate::http::certificates::{Certificates, Looked};
use crate::record::Journal;
use crate::record::incidents::note;

/// How often the files are looked at. They are small and few.
const EVERY: Duration = Duration::from_secs(5);
/// What cannot be used may still be written: looked at again after this.
const SETTLES_IN: Duration = Duration::from_secs(1);

/// A running thread; it ends when it is stopped.
pub struct Renewal {
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
}

/// Certificates, and whose they are.
pub type Counter = (&'static str, Arc<Certificates>);

impl Renewal {
    pub fn start(counters: Vec<Counter>, journal: Arc<Journal>) -> io::Result<Renewal> {
        // One wish is as good as many.
        let (wake, woken) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name("certificates".into()).spawn(move || {
            run(&counters, &journal, &woken);
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

fn run(counters: &[Counter], journal: &Journal, woken: &Receiver<()>) {
    let mut wait = EVERY;
    while woken.recv_timeout(wait) != Err(RecvTimeoutError::Disconnected) {
        wait = EVERY;
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
