//! The way of one package: what it says of itself, whether it is wanted, whether it holds, whether there is room.

use std::path::Path;

use super::admission::{self, ContentCheck, NotAdmitted, Verdict};
use super::desk::Desk;
use super::handle::Outcome;
use super::report::{Happening, Took};
use super::stage::{Taken, facts};
use crate::base::clock::Monotonic;
use crate::base::digest::Digest;
use crate::corte::{self, Corte, CorteId, Expectations, InMemory, Proven, Refusal, Verified};
use crate::snapshot::Known;
use crate::store::StoreFault;

/// Something that may be a package.
pub struct Candidate<'a> {
    pub name: &'a str,
    pub path: &'a Path,
    /// For people and the ledger.
    pub source: &'a str,
    /// What was seen of it, where it may still be written to.
    pub mark: Option<u64>,
}

/// What was found in a package that holds.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum Found {
    New(Verified),
    /// It was accepted before.
    Same(CorteId),
}

/// Why a package does not go live now.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It does not hold; it may still be arriving.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It is whole and genuine, and still not wanted.
    #[error(transparent)]
    NotAdmitted(#[from] NotAdmitted),
}

impl Fault {
    pub fn code(&self) -> &'static str {
        match self {
            Fault::Refused(refusal) => refusal.code(),
            Fault::NotAdmitted(why) => why.code(),
        }
    }

    /// True for what another window of the calendar would take.
    pub fn is_for_another_window(&self) -> bool {
        matches!(self, Fault::NotAdmitted(NotAdmitted::OtherWindow { .. }) | Fault::Refused(Refusal::TipoOther { .. }))
    }

    /// True where the same bytes may hold later.
    pub fn may_heal(&self) -> bool {
        match self {
            Fault::Refused(refusal) => refusal.may_heal(),
            Fault::NotAdmitted(why) => why.may_heal(),
        }
    }
}

impl Desk {
    /// Verifies a package and, if it is admitted, keeps it and makes it live.
    pub(super) fn take(&mut self, candidate: &Candidate) -> Result<Outcome, Fault> {
        let received = self.clock.now();
        let known = self.stage.known();
        let started = Monotonic::now();
        let verified = match &self.intake.transport {
            Some(transport) => self.stamped(transport, candidate, &known)?,
            None => self.proven(candidate, &known)?,
        };
        let verified = match verified {
            Found::New(verified) => verified,
            Found::Same(corte) => return Ok(Outcome::Same { corte }),
        };
        let verify = started.elapsed();
        let corte = verified.corte().id;
        admission::site(verified.files())?;
        self.check_contents(candidate, &verified)?;
        self.check_room(&verified, &known)?;
        let facts = facts(&verified, &known, candidate.source, received, self.clock.now());
        let (files, changed, bytes) = (verified.files().len(), facts.changed as usize, facts.bytes as usize);
        let taken = self.stage.take(&self.intake, &verified, facts).map_err(not_kept)?;
        Ok(match taken {
            Taken::Live { snapshot, build, store } => {
                let (took, dates) = (Took { verify, build, store }, self.stage.dates());
                (self.report)(&Happening::Live { corte, files, changed, bytes, took, dates });
                // What takes time and nobody waits for: room for the next one, and better compression.
                self.make_room_for_the_next();
                self.stage.improve_from(&self.intake, snapshot);
                Outcome::Live { corte }
            }
            Taken::Held => {
                (self.report)(&Happening::Held { corte });
                self.make_room_for_the_next();
                Outcome::Held { corte }
            }
            Taken::Mended => {
                (self.report)(&Happening::Mended { corte, files, failed: None });
                Outcome::Same { corte }
            }
        })
    }

    fn expected(&self) -> Expectations<'_> {
        Expectations {
            trust: self.intake.trust,
            eleccion: Some(self.intake.election.clone()),
            tipo: Some(self.kind()),
            signers: &self.intake.signers,
            identity: self.intake.identity.clone(),
            now: self.clock.now(),
        }
    }

    /// Reads a package and has it proven.
    fn proven(&self, candidate: &Candidate, known: &Known) -> Result<Found, Fault> {
        let (disk, limits) = (&self.intake.disk, &self.intake.limits);
        // Signature and stamp first: what is not wanted costs three small files, not the whole package.
        let expected = self.expected();
        let preamble = corte::preamble(disk, candidate.path, limits)?;
        let proven = preamble.map(|preamble| preamble.prove(&expected)).transpose()?;
        if let Some(announced) = proven.as_ref().map(Proven::announced)
            && self.judge(candidate, &announced.corte, announced.sums)?
        {
            return Ok(Found::Same(announced.corte.id));
        }
        let known = |digest: &Digest| known.bytes(digest);
        let package = corte::read(disk, candidate.path, limits, &InMemory { known: &known })?;
        let verified = package.verify_with(proven, &expected)?;
        let is_same = self.judge(candidate, verified.corte(), Digest::of(verified.sums()))?;
        Ok(if is_same { Found::Same(verified.corte().id) } else { Found::New(verified) })
    }

    /// Whether it was accepted before, so that nothing happens.
    pub(super) fn judge(&self, candidate: &Candidate, corte: &Corte, sums: Digest) -> Result<bool, NotAdmitted> {
        let (calendar, window) = (&self.intake.calendar, self.stage.window);
        if !calendar.is_for(window, corte.tipo, corte.instant) {
            let opens = calendar.windows()[window].opens.to_zoned_datetime(calendar.zone().clone());
            let (id, opens) = (corte.id, opens.strftime("%Y-%m-%d %H:%M").to_string());
            return Err(NotAdmitted::OtherWindow { id, opens });
        }
        match admission::admit(corte.id, sums, &self.stage.standing(&self.intake, corte.id)) {
            Verdict::Admit => Ok(false),
            Verdict::Refuse(why) => Err(why),
            Verdict::Same => {
                let (name, source) = (candidate.name.to_owned(), candidate.source.to_owned());
                (self.report)(&Happening::Same { name, source, corte: corte.id });
                Ok(true)
            }
        }
    }

    fn check_contents(&self, candidate: &Candidate, verified: &Verified) -> Result<(), NotAdmitted> {
        if self.intake.content_check == ContentCheck::Off {
            return Ok(());
        }
        let Some(why) = admission::contradiction(verified.files()) else { return Ok(()) };
        if self.intake.content_check == ContentCheck::Refuse {
            return Err(why);
        }
        let (name, source, code) = (candidate.name.to_owned(), candidate.source.to_owned(), why.code());
        (self.report)(&Happening::Odd { name, source, code, why: why.to_string() });
        Ok(())
    }
}

pub(super) fn not_kept(fault: StoreFault) -> NotAdmitted {
    NotAdmitted::NotKept { why: fault.to_string() }
}
