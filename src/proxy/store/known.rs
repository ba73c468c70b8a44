//! What is known of one key: its responses, the newest first, and what was found out about who may be given them.

use std::sync::Arc;

use super::super::failure::Failure;
use super::super::partial::Partial;
use super::super::stored::Stored;
use super::refusals::{Refusal, Refusals, Refused};

/// Responses of one key. More are of an origin that varies by what differs with every reader: the oldest go.
const VARIANTS_MAX: usize = 16;

/// What is known of a key.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) newest: Option<Arc<Stored>>,
    /// See [`Written::since`](super::super::written::Written::since).
    pub(super) since: u64,
    /// Few keys have any of it.
    pub(super) rest: Option<Arc<Rest>>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Rest {
    /// Newest first.
    pub(super) older: Vec<Arc<Stored>>,
    /// Until then (seconds since 1970) its answers are taken for ones that nobody can share: nobody waits for another's.
    pub(super) alone_until: u64,
    /// Until then the origin, which has failed, is not asked again where something stale may be sent.
    pub(super) spared_until: u64,
    /// And until then nobody is let through to an origin that has just failed, who has nothing stored either.
    pub(super) failed: Option<(Failure, u64)>,
    /// Of what those who asked last were refused.
    pub(super) refusals: Refusals,
    /// The newest response, where its body broke off.
    pub(super) part: Option<Arc<Partial>>,
}

impl Rest {
    fn is_empty(&self) -> bool {
        let Rest { older, alone_until, spared_until, failed, refusals, part } = self;
        let is_marked = (*alone_until, *spared_until) != (0, 0) || failed.is_some() || !refusals.is_empty();
        older.is_empty() && !is_marked && part.is_none()
    }

    /// Notes what a leader was refused; true where all are refused the same from then on. `is_all`: it is known already.
    pub(super) fn refuse(&mut self, one: Refused, is_all: bool) -> bool {
        let noted = self.refusals.note(one);
        let of_all = if is_all { Some(one.refusal) } else { noted };
        match of_all {
            Some(Refusal::Alone) => self.alone_until = one.until,
            Some(Refusal::Spared) => self.spared_until = one.until,
            Some(Refusal::Failed(failure)) => self.failed = Some((failure, one.until)),
            None => {}
        }
        of_all == Some(one.refusal)
    }
}

impl Known {
    /// Newest first.
    pub(super) fn variants(&self) -> impl Iterator<Item = &Arc<Stored>> {
        self.newest.iter().chain(self.rest.iter().flat_map(|rest| &rest.older))
    }

    pub(super) fn variants_mut(&mut self) -> impl Iterator<Item = &mut Arc<Stored>> {
        self.newest.iter_mut().chain(self.rest.iter_mut().flat_map(|rest| &mut Arc::make_mut(rest).older))
    }

    pub(super) fn rest(&mut self) -> &mut Rest {
        Arc::make_mut(self.rest.get_or_insert_default())
    }

    /// Leaves these of the variants.
    pub(super) fn keep(&mut self, is_kept: impl Fn(&Stored) -> bool) {
        let mut left = self.variants().filter(|one| is_kept(one)).cloned().collect::<Vec<_>>().into_iter();
        self.newest = left.next();
        if let Some(rest) = &mut self.rest {
            Arc::make_mut(rest).older = left.collect();
        }
    }

    /// In the place of the one that the same requests select; whatever was held against the key is over.
    pub(super) fn put(&mut self, stored: Arc<Stored>) {
        self.keep(|one| !one.is_instead_of(&stored));
        let older: Vec<Arc<Stored>> = self.variants().take(VARIANTS_MAX - 1).cloned().collect();
        self.rest = (!older.is_empty()).then(|| Arc::new(Rest { older, ..Rest::default() }));
        self.newest = Some(stored);
    }

    pub(super) fn forget_part(&mut self, is_meant: impl Fn(&Stored) -> bool) {
        if let Some(rest) = self.rest.as_mut().map(Arc::make_mut) {
            rest.part = rest.part.take().filter(|part| !is_meant(&part.stored));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.newest.is_none() && self.rest.as_ref().is_none_or(|rest| rest.is_empty())
    }

    pub(super) fn bytes(&self) -> usize {
        let part = |rest: &Rest| rest.part.as_ref().map_or(0, |part| part.stored.bytes());
        let rest = self.rest.as_ref().map_or(0, |rest| size_of::<Rest>() + rest.refusals.bytes() + part(rest));
        self.variants().map(|one| one.bytes()).sum::<usize>() + rest
    }
}
