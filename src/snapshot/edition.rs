//! What operators want shown, whether the public may see it yet or not, and the pointer that says so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwapOption, Guard};

use super::build::Snapshot;
use crate::base::back;
use crate::schedule::Said;

/// The live snapshot and those just before it, newest first. A page that loaded under one corte can finish under it.
#[derive(Clone, Debug)]
pub struct Edition {
    live: Arc<Snapshot>,
    earlier: Vec<Arc<Snapshot>>,
    /// What operators have said of the live corte.
    said: Option<Said>,
}

impl Edition {
    pub fn first(live: Arc<Snapshot>) -> Edition {
        Edition { live, earlier: Vec::new(), said: None }
    }

    /// Another corte goes live; of those before it, `keep` stay reachable. None after it does. Whoever asks for one of them by its
    /// name is sent no difference: what was live lets go of its own.
    pub fn next(&self, live: Arc<Snapshot>, keep: usize) -> Edition {
        let is_before = |s: &&Arc<Snapshot>| s.corte().id < live.corte().id;
        let alone = |s: &Arc<Snapshot>| match s.sums() == self.live.sums() {
            true => Arc::new(s.without_lineage()),
            false => s.clone(),
        };
        let earlier = self.all().filter(is_before).take(keep).map(alone).collect();
        Edition { live, earlier, said: None }
    }

    /// The same, of whose live corte operators have said this.
    pub fn saying(self, said: Option<Said>) -> Edition {
        Edition { said, ..self }
    }

    /// The same, with one more of the cortes before it.
    pub fn with_earlier(&self, earlier: Arc<Snapshot>) -> Edition {
        let mut all = self.earlier.clone();
        all.retain(|s| s.corte().id != earlier.corte().id);
        let place = all.partition_point(|s| s.corte().id > earlier.corte().id);
        all.insert(place, earlier);
        Edition { live: self.live.clone(), earlier: all, said: self.said }
    }

    /// The snapshot here of the very package that `snapshot` is of.
    pub fn same_as(&self, snapshot: &Snapshot) -> Option<&Arc<Snapshot>> {
        self.all().find(|s| s.sums() == snapshot.sums())
    }

    /// The same cortes; the one that `better` is of is replaced by it, wherever it stands.
    pub fn improved(&self, better: &Arc<Snapshot>) -> Edition {
        let swap = |s: &Arc<Snapshot>| if s.sums() == better.sums() { better.clone() } else { s.clone() };
        Edition { live: swap(&self.live), earlier: self.earlier.iter().map(swap).collect(), said: self.said }
    }

    pub fn said(&self) -> Option<Said> {
        self.said
    }

    pub fn live(&self) -> &Arc<Snapshot> {
        &self.live
    }

    /// Live first, then from the newest to the oldest.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Snapshot>> {
        std::iter::once(&self.live).chain(&self.earlier)
    }

    /// The snapshot of the corte with this ID, as it is written in a URL.
    pub fn pinned(&self, id: &str) -> Option<&Arc<Snapshot>> {
        self.all().find(|s| s.fields().id.as_bytes() == id.as_bytes())
    }
}

/// The pointer. `ingest` alone stores; `Public` is what readers see of it.
#[derive(Default)]
pub struct Live {
    edition: ArcSwapOption<Edition>,
    /// Somebody has said what there is, if only that there is nothing.
    is_known: AtomicBool,
    heard: OnceLock<Hear>,
}

/// Called after every change.
type Hear = Box<dyn Fn() + Send + Sync>;

impl Live {
    /// The edition of this moment; `None` before the first corte. Not to be held across an await.
    pub fn load(&self) -> Guard<Option<Arc<Edition>>> {
        self.edition.load()
    }

    pub fn publish(&self, edition: Edition) {
        self.set(Some(edition));
    }

    /// There is no corte: nothing was kept, or another window of the calendar has begun.
    pub fn clear(&self) {
        self.set(None);
    }

    fn set(&self, edition: Option<Edition>) {
        let before = self.edition.swap(edition.map(Arc::new));
        self.is_known.store(true, Ordering::Release);
        // Others wait for what this holds while it prints.
        back::forward(|| self.heard.get().map(|hear| hear()));
        drop(before);
    }

    /// False after a start until it is known whether there is a corte to be shown again.
    pub fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Acquire)
    }

    /// `hear` is called after every change, by whoever made it. Only the first who asks is told.
    pub fn listen(&self, hear: impl Fn() + Send + Sync + 'static) {
        let _ = self.heard.set(Box::new(hear));
    }
}
