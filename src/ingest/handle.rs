//! How everybody else speaks to the operator: sources deliver, people act, transfers say that they are over.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;

use tokio::sync::oneshot;

use super::operator::Event;
use crate::corte::CorteId;

/// Any number of them; the operator takes one thing after the other.
#[derive(Clone)]
pub struct Handle {
    events: SyncSender<Event>,
    notice: Notice,
}

/// That somebody has said that he is done. Any number of notices is one, and none is lost in a full queue: a bare tree
/// may wait for nothing else.
#[derive(Clone, Default)]
pub(super) struct Notice(Arc<AtomicBool>);

impl Notice {
    /// True once after it was given.
    pub(super) fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}

/// A package that lies whole in the staging folder. The operator owns the path from now on, and removes it.
#[derive(Debug)]
pub struct Arrival {
    /// As it was sent: `20260607_2010.tar.zst`. Its end tells the form.
    pub name: String,
    pub path: PathBuf,
    /// For people and the ledger: `https://prep.example/corte.zip`, `push redaccion`.
    pub source: String,
}

/// What became of an arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Live {
        corte: CorteId,
    },
    /// Verified and stored, but not shown: somebody holds the edition.
    Held {
        corte: CorteId,
    },
    /// The very package that is live, or was.
    Same {
        corte: CorteId,
    },
    /// Nothing has changed. `heals`: the same bytes may hold later.
    Refused {
        code: &'static str,
        why: String,
        heals: bool,
    },
}

/// What an operator may want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Shows this corte from the vault again, and withdraws those after it. `seen` is the one that was shown when it was
    /// decided: where it is another by now, nothing is done.
    Rollback { corte: CorteId, seen: Option<CorteId>, reason: String },
    /// Takes packages in, but changes nothing that is shown.
    Hold { reason: String },
    /// Ends a hold: the latest corte that was taken in goes live.
    Release { reason: String },
    /// The corte that is shown is the last one: it will not count as late.
    Final { reason: String },
    /// The corte that is shown stays up for as long again as if it had come just now.
    Resume { reason: String },
}

/// Who answers is gone, or would not.
#[derive(Debug, thiserror::Error)]
pub enum WishFault {
    #[error("{0}")]
    Refused(String),
    #[error("the service is stopping; ask it again once it runs")]
    Stopping,
}

/// Where an answer goes.
pub type Reply<T> = oneshot::Sender<T>;

impl Handle {
    pub(super) fn new(events: SyncSender<Event>, notice: Notice) -> Handle {
        Handle { events, notice }
    }

    /// A transfer into the incoming folder is over: look now.
    pub fn notify(&self) {
        self.notice.0.store(true, Ordering::Release);
        // Only to wake him: whatever fills the queue does so too.
        let _ = self.events.try_send(Event::StillThere);
    }

    /// Hands a package over; the answer comes when it is live or refused. Blocks while the operator is busy.
    pub fn deliver(&self, arrival: Arrival) -> oneshot::Receiver<Outcome> {
        let (reply, answer) = oneshot::channel();
        // Where the operator is gone the answer's sender is dropped, which tells.
        let _ = self.events.send(Event::Arrived(arrival, reply));
        answer
    }

    /// Asks for something that changes what is shown. Returns a sentence for people.
    pub fn wish(&self, wish: Wish) -> oneshot::Receiver<Result<String, WishFault>> {
        let (reply, answer) = oneshot::channel();
        let _ = self.events.send(Event::Wished(wish, reply));
        answer
    }
}
