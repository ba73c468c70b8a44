//! One poll of one source: asks, follows, takes what arrives to the disk, and says what came of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::{LOCATION, TRANSFER_ENCODING};

use super::address::Address;
use super::document::{self, DOCUMENT_BYTES, Named};
use super::exchange::{Meaning, Question};
use super::fault::Fault;
use super::fields::{self, Validators};
use super::name;
use super::part::{Part, Place};
use super::settings::Settings;
use super::wire::{Answer, Wire};
use crate::base::clock::Monotonic;
use crate::base::digest::Digest;
use crate::base::shown::Shown;
use crate::ingest::handle::{Arrival, Outcome};
use crate::ingest::staging::ASK_EVERY_BYTES;

/// Redirects in a row; honest sites need one or two.
const REDIRECTS_MAX: usize = 5;
/// Bytes that are read at a time.
const READ_BYTES: usize = 64 << 10;

/// What a poll and those who wait for its end tell each other.
#[derive(Debug, Default)]
pub struct Signals {
    /// Ends a poll at the next bytes; what has come until then is kept.
    pub stop: AtomicBool,
    /// Something is arriving that has yet to be kept.
    pub is_receiving: AtomicBool,
}

/// What a poll has found.
#[derive(Debug)]
pub enum Polled {
    /// Nothing that was not known.
    Unchanged,
    /// A package that lies whole in the staging folder.
    Package(Arrival),
}

/// One source, with all that it remembers.
pub struct Poller<W> {
    settings: Settings,
    wire: W,
    place: Place,
    /// Bytes of a package at the most.
    limit: u64,
    part: Option<Part>,
    document: Option<Document>,
    /// The version that was handed over last, once it is known what became of it.
    known: Option<Known>,
    /// The version that is being handed over.
    handed: Option<Known>,
    count: u64,
}

/// The document as it was when it was read last.
struct Document {
    validators: Validators,
    named: Named,
}

/// A version of the package that need not come again.
struct Known {
    address: Address,
    validators: Validators,
    digest: Digest,
    /// The server said how long it was, so that no cut can have gone unnoticed.
    is_whole: bool,
}

/// Where a body comes from, and what it is.
struct Arriving {
    answer: Answer,
    from: u64,
    whole: Option<u64>,
    validators: Validators,
    /// Where redirects have led.
    at: Address,
}

impl<W: Wire> Poller<W> {
    /// `limit`: bytes of a package.
    pub fn new(settings: Settings, wire: W, place: Place, limit: u64) -> Poller<W> {
        Poller { settings, wire, place, limit, part: None, document: None, known: None, handed: None, count: 0 }
    }

    /// Clears away what a life before has left, but for what can be gone on with. Before the first poll.
    pub fn begin(&mut self) -> Result<(), Fault> {
        self.place.clear()?;
        self.part = Part::resume(&self.place)?;
        Ok(())
    }

    /// Asks once.
    pub fn poll(&mut self, signals: &Signals) -> Result<Polled, Fault> {
        let Some(named) = self.named()? else { return Ok(Polled::Unchanged) };
        match self.known.as_ref().filter(|known| Some(known.digest) == named.sha256) {
            Some(_) => Ok(Polled::Unchanged),
            None => self.package(&named, signals),
        }
    }

    /// What became of the package that the last poll found.
    pub fn told(&mut self, outcome: &Outcome) {
        let handed = self.handed.take();
        self.known = match outcome {
            Outcome::Refused { heals: true, .. } => None,
            // It may be one half of a good one: the next answer is to be compared, not spared.
            Outcome::Refused { .. } => handed.map(|known| match known.is_whole {
                true => known,
                false => Known { validators: Validators::default(), ..known },
            }),
            // What was proven is whole.
            _ => handed.map(|known| Known { is_whole: true, ..known }),
        };
    }

    /// Everything is fetched anew at the next poll, whether it has changed or not.
    pub fn forget(&mut self) {
        (self.known, self.document) = (None, None);
    }

    /// After a fault of ours: what is on the disk may be half of a change.
    pub fn recover(&mut self) {
        self.part = None;
        self.forget();
    }

    /// Which package there is. `None` where the document is the one that is known, and so is what it names.
    fn named(&mut self) -> Result<Option<Named>, Fault> {
        let address = self.settings.address.clone();
        let Some(pointers) = self.settings.pointers.clone() else {
            return Ok(Some(Named { address, sha256: None }));
        };
        let before = self.document.take();
        let question = Question::of(before.as_ref().map(|d| d.validators.clone()), None);
        let (at, mut answer) = self.ask(&address, &question, Monotonic::now())?;
        match question.meaning(address.as_str(), answer.status, &answer.fields)? {
            Meaning::Unchanged => self.document = before,
            Meaning::Bytes { validators, .. } => {
                let bytes = small(&mut answer)?;
                let url = || Shown::text(address.as_str());
                let named =
                    document::read(&bytes, &at, &pointers).map_err(|why| Fault::Document { url: url(), why })?;
                self.allowed(&address, &named.address)?;
                self.document = Some(Document { validators, named });
            }
            // Only a part can fail to fit.
            Meaning::StartOver => {}
        }
        let named = self.document.as_ref().map(|document| document.named.clone());
        // A package without validators can only be asked for whole: not while the document names the same one.
        let is_known = |known: &Known, named: &Named| {
            known.address == named.address && known.validators.is_none() && known.is_whole
        };
        Ok(named.filter(|named| !self.known.as_ref().is_some_and(|known| is_known(known, named))))
    }

    fn allowed(&self, from: &Address, to: &Address) -> Result<(), Fault> {
        let home = self.settings.address.origin();
        match home.may_lead_to(&to.origin(), &self.settings.hosts) {
            true => Ok(()),
            false => Err(Fault::Elsewhere { url: Shown::text(from.as_str()), to: to.origin().to_string() }),
        }
    }

    /// Fetches the package, or what is missing of it.
    fn package(&mut self, named: &Named, signals: &Signals) -> Result<Polled, Fault> {
        let started = Monotonic::now();
        let address = &named.address;
        loop {
            let known = self.known.as_ref().filter(|known| known.address == *address);
            let begun = self.part.as_ref().and_then(|part| part.begun(address.as_str()));
            let question = Question::of(known.map(|known| known.validators.clone()), begun);
            let (at, answer) = self.ask(address, &question, started)?;
            match question.meaning(address.as_str(), answer.status, &answer.fields)? {
                Meaning::Unchanged => {
                    self.discard()?;
                    return Ok(Polled::Unchanged);
                }
                // Once at the most: without a part there is nothing that might not fit.
                Meaning::StartOver => self.discard()?,
                Meaning::Bytes { from, whole, validators } => {
                    signals.is_receiving.store(true, Ordering::Release);
                    let arriving = Arriving { answer, from, whole, validators, at };
                    let received = self.receive(named, arriving, &signals.stop);
                    signals.is_receiving.store(false, Ordering::Release);
                    return received;
                }
            }
        }
    }

    /// Asks, and follows redirects. The address is where the answer came from.
    fn ask(&self, address: &Address, question: &Question, started: Monotonic) -> Result<(Address, Answer), Fault> {
        let (mut at, fields) = (address.clone(), question.fields());
        for _ in 0..=REDIRECTS_MAX {
            let answer = self.wire.get(&at, &fields, self.left(started)?)?;
            if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
                return Ok((at, answer));
            }
            let refuse = |why: String| Fault::Redirect { from: Shown::text(at.as_str()), why };
            let location = fields::one(&answer.fields, LOCATION).ok_or_else(|| refuse("nowhere".into()))?;
            let to = at.join(location);
            let to = to.map_err(|why| refuse(format!("to `{}`: {why}", Shown::text(location))))?;
            if at.origin().is_secure && !to.origin().is_secure {
                return Err(refuse("out of TLS; ask for its address in https".into()));
            }
            self.allowed(&at, &to)?;
            at = to;
        }
        let why = format!("more than {REDIRECTS_MAX} times in a row");
        Err(Fault::Redirect { from: Shown::text(address.as_str()), why })
    }

    fn left(&self, started: Monotonic) -> Result<Duration, Fault> {
        let limit = self.settings.timeout;
        let left = limit.saturating_sub(started.elapsed());
        if left.is_zero() { Err(Fault::Slow { what: "the transfer", limit }) } else { Ok(left) }
    }

    /// Takes a body to the disk.
    fn receive(&mut self, named: &Named, arriving: Arriving, stop: &AtomicBool) -> Result<Polled, Fault> {
        let Arriving { mut answer, from, whole, validators, at } = arriving;
        if whole.is_some_and(|whole| whole > self.limit) {
            self.discard()?;
            return Err(Fault::TooLarge { announced: whole, limit: self.limit });
        }
        let mut part = match self.part.take() {
            Some(part) if from > 0 => part,
            _ => Part::start(&self.place, named.address.as_str(), validators.strong(), whole)?,
        };
        if let Err(fault) = self.fill(&mut part, &mut answer, whole, stop) {
            return Err(self.keep(part, fault));
        }
        if let Some(whole) = whole.filter(|whole| *whole != part.len()) {
            let why = format!("{} bytes came of {whole}", part.len());
            return Err(self.keep(part, Fault::Broken { why }));
        }
        let is_whole = whole.is_some() || fields::one(&answer.fields, TRANSFER_ENCODING).is_some();
        self.complete(part, named, &at, validators, is_whole)
    }

    /// Reads until the end.
    fn fill(&self, part: &mut Part, answer: &mut Answer, whole: Option<u64>, stop: &AtomicBool) -> Result<(), Fault> {
        let (mut bytes, mut ask_at) = (vec![0; READ_BYTES], part.len());
        loop {
            if part.len() >= ask_at {
                self.place.staging.has_room(whole.unwrap_or_default().saturating_sub(part.len()))?;
                ask_at += ASK_EVERY_BYTES;
            }
            let n = answer.body.read(&mut bytes)?;
            // A connection that we have ended may look like a body that has.
            if stop.load(Ordering::Relaxed) {
                return Err(Fault::Broken { why: "the service is stopping".into() });
            }
            if n == 0 {
                return Ok(());
            }
            if part.len() + n as u64 > self.limit {
                return Err(Fault::TooLarge { announced: None, limit: self.limit });
            }
            part.write(&bytes[..n])?;
        }
    }

    /// A transfer did not end well: what can be gone on with is kept.
    fn keep(&mut self, mut part: Part, fault: Fault) -> Fault {
        let is_of_use = matches!(fault, Fault::Broken { .. } | Fault::Slow { .. } | Fault::Connect { .. });
        if is_of_use && part.can_go_on() && part.note().is_ok() {
            self.part = Some(part);
            return fault;
        }
        // A full disk must not stay full of what nobody can use.
        let _ = self.place.discard();
        fault
    }

    fn discard(&mut self) -> Result<(), Fault> {
        self.part = None;
        Ok(self.place.discard()?)
    }

    /// All of it is here: unless it is what came before, it can be handed over.
    fn complete(
        &mut self,
        part: Part,
        named: &Named,
        at: &Address,
        validators: Validators,
        is_whole: bool,
    ) -> Result<Polled, Fault> {
        self.count += 1;
        let own = self.place.staging.disk.clone();
        let draft = part.finish(self.count, "arrived")?;
        let digest = draft.digest;
        let known = Known { address: named.address.clone(), validators, digest, is_whole };
        if let Some(expected) = named.sha256.filter(|expected| *expected != digest) {
            own.remove(&draft.path)?;
            return Err(Fault::Digest { expected: expected.to_string(), found: digest.to_string() });
        }
        if let Some(before) = self.known.as_ref().filter(|before| before.digest == digest) {
            // A tag that has stayed while the date went on is made of the content, and can be gone by.
            let is_fresh = known.validators.is_fresh && before.validators.etag != known.validators.etag;
            let is_whole = known.is_whole || before.is_whole;
            let validators = if is_whole { Validators { is_fresh, ..known.validators } } else { Validators::default() };
            own.remove(&draft.path)?;
            self.known = Some(Known { validators, is_whole, ..known });
            return Ok(Polled::Unchanged);
        }
        let asked = named.address.file_name();
        let name = if name::tells_form(&asked) { asked } else { name::of(at.file_name(), &own, &draft.path)? };
        let path = self.place.whole(self.count, &name);
        own.rename(&draft.path, &path)?;
        self.handed = Some(known);
        Ok(Polled::Package(Arrival { name, path, source: named.address.to_string() }))
    }
}

/// A body that is small, or somebody else's.
fn small(answer: &mut Answer) -> Result<Vec<u8>, Fault> {
    let (mut all, mut bytes) = (Vec::new(), vec![0; READ_BYTES]);
    loop {
        match answer.body.read(&mut bytes)? {
            0 => return Ok(all),
            n => all.extend_from_slice(&bytes[..n]),
        }
        if all.len() as u64 > DOCUMENT_BYTES {
            return Err(Fault::TooLarge { announced: None, limit: DOCUMENT_BYTES });
        }
    }
}
