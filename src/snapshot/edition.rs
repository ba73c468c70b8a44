//! What is published at this moment, and the one pointer that says so.

use std::sync::Arc;

use arc_swap::{ArcSwapOption, Guard};

use super::build::Snapshot;

/// The live snapshot and those just before it, newest first. A page that loaded under one corte can finish under it.
#[derive(Debug)]
pub struct Edition {
    live: Arc<Snapshot>,
    earlier: Vec<Arc<Snapshot>>,
}

impl Edition {
    pub fn first(live: Arc<Snapshot>) -> Edition {
        Edition { live, earlier: Vec::new() }
    }

    /// Another corte goes live; of those before it, `keep` stay reachable. None after it does.
    pub fn next(&self, live: Arc<Snapshot>, keep: usize) -> Edition {
        let is_before = |s: &&Arc<Snapshot>| s.corte().id < live.corte().id;
        let earlier = self.all().filter(is_before).take(keep).cloned().collect();
        Edition { live, earlier }
    }

    /// The same, with one more of the cortes before it.
    pub fn with_earlier(&self, earlier: Arc<Snapshot>) -> Edition {
        let mut all = self.earlier.clone();
        all.retain(|s| s.corte().id != earlier.corte().id);
        let place = all.partition_point(|s| s.corte().id > earlier.corte().id);
        all.insert(place, earlier);
        Edition { live: self.live.clone(), earlier: all }
    }

    /// The snapshot here of the very package that `snapshot` is of.
    pub fn same_as(&self, snapshot: &Snapshot) -> Option<&Arc<Snapshot>> {
        self.all().find(|s| s.sums() == snapshot.sums())
    }

    /// The same cortes; the one that `better` is of is replaced by it, wherever it stands.
    pub fn improved(&self, better: &Arc<Snapshot>) -> Edition {
        let swap = |s: &Arc<Snapshot>| if s.sums() == better.sums() { better.clone() } else { s.clone() };
        Edition { live: swap(&self.live), earlier: self.earlier.iter().map(swap).collect() }
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

/// The pointer. Readers load it once a request and never wait; `ingest` alone stores.
#[derive(Default)]
pub struct Live(ArcSwapOption<Edition>);

impl Live {
    /// The edition of this moment; `None` before the first corte. Not to be held across an await.
    pub fn load(&self) -> Guard<Option<Arc<Edition>>> {
        self.0.load()
    }

    pub fn publish(&self, edition: Edition) {
        self.0.store(Some(Arc::new(edition)));
    }
}
