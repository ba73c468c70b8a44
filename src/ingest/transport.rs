//! Bare trees, which say nothing of themselves: when one is whole, which corte it is, and what it means that the
//! authority sends another under the same stamp.

use std::time::Duration;

use super::admission::NotAdmitted;
use super::desk::Desk;
use super::incoming::mark;
use super::take::{Candidate, Fault, Found};
use crate::base::digest::Digest;
use crate::corte::{self, About, InMemory, StampRule};
use crate::snapshot::Known;

/// Revisions of one corte that a tree is compared with, the latest first: each costs a list of sums, and nobody corrects
/// one corte so often.
const COMPARED_MAX: usize = 64;

/// What has to be known of an authority that only mirrors its site (FORMAT.md, `trust = "transport"`).
#[derive(Debug)]
pub struct Transport {
    pub rule: StampRule,
    /// The incoming folder is itself the mirrored site; otherwise each folder and archive in it is one.
    pub is_mirror: bool,
    pub complete: Complete,
    pub corrections: Corrections,
}

/// When a tree counts as complete: nothing in it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complete {
    /// When the transfer says that it is over (`difusor notify`).
    Notified,
    /// When nothing about it has changed for so long.
    Quiet(Duration),
}

/// Another tree under a stamp that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corrections {
    Refuse,
    /// It becomes the next revision of that corte.
    Revise,
}

impl Desk {
    /// Reads a bare tree and makes a package of it.
    pub(super) fn stamped(&self, transport: &Transport, candidate: &Candidate, known: &Known) -> Result<Found, Fault> {
        let (disk, limits) = (&self.intake.disk, &self.intake.limits);
        let known = |digest: &Digest| known.bytes(digest);
        let bare = corte::read_bare(disk, candidate.path, limits, &InMemory { known: &known })?;
        // Without sums of the authority's, nothing but this tells that two moments of it were not mixed.
        if candidate.mark.is_some_and(|before| mark(disk, candidate.path).ok() != Some(before)) {
            return Err(NotAdmitted::Changing.into());
        }
        let (eleccion, tipo, now) = (self.intake.election.clone(), self.kind(), self.clock.now());
        let mut about = About { eleccion, tipo, revision: 0, now };
        let mut announced = bare.announce(&transport.rule, &about)?;
        if transport.corrections == Corrections::Revise {
            // What lies there still, or comes from a server that is late, is no correction of what has corrected it. Only
            // the mirror takes back what it has said: all that there is of it is what it shows now.
            let is_mirror = transport.is_mirror && candidate.mark.is_some();
            let compared = if is_mirror { 1 } else { COMPARED_MAX };
            let mut next = None;
            for accepted in self.stage.latest_of(announced.corte.id.minute()).take(compared) {
                about.revision = accepted.corte.revision();
                announced = bare.announce(&transport.rule, &about)?;
                next = next.or(Some(about.revision + 1));
                if announced.sums == accepted.sums {
                    next = None;
                    break;
                }
            }
            if let Some(revision) = next {
                about.revision = revision;
                announced = bare.announce(&transport.rule, &about)?;
            }
        }
        if self.judge(candidate, &announced.corte, announced.sums)? {
            return Ok(Found::Same(announced.corte.id));
        }
        Ok(Found::New(bare.stamp(&transport.rule, &about)?))
    }
}
