//! What the public is shown at this moment, whole, and the one pointer that says so. Results that may not be shown are not
//! in it: no request can bring out what is not there.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue,
};
use jiff::{SignedDuration, Timestamp};

use super::build::{CorteFields, Entry, OWN};
use super::compress::Level;
use super::content::{Coding, Content};
use super::edition::Edition;
use super::media;
use crate::base::digest::Digest;
use crate::portal::{self, Brand, Notice, Offer, Told};
use crate::schedule::State;

/// Where transmission stands, on every response: `vigente`, `atrasado`, ... (`schedule::State::token`).
const CORTE_ESTADO: HeaderName = HeaderName::from_static("corte-estado");
/// `simulacro`, where figures are no results.
const CORTE_TIPO: HeaderName = HeaderName::from_static("corte-tipo");

/// How long current results may be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// From one corte to the next.
    pub interval: SignedDuration,
    /// When the next corte is due; `None` where none is awaited.
    pub due: Option<Timestamp>,
    /// When results may no longer be shown, if nothing comes.
    pub until: Option<Timestamp>,
    /// When they may be shown, where they may not yet.
    pub opens: Option<Timestamp>,
}

/// Fields that every response has while this is shown.
#[derive(Clone, Debug, Default)]
pub struct Signs {
    pub fields: Vec<(HeaderName, HeaderValue)>,
    /// The same as HTTP/1.1 writes them, each with its line end.
    pub head: Bytes,
    /// Without those that a 304 need not say again: whoever gets it has the response that they came with.
    pub brief: Bytes,
}

impl Signs {
    /// Whether a 304 says it too.
    pub fn is_brief(name: &HeaderName) -> bool {
        *name != ACCESS_CONTROL_EXPOSE_HEADERS
    }
}

/// A page of ours in the two forms that a client may prefer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub html: Bytes,
    pub json: Bytes,
}

/// Everything that an answer is made of.
#[derive(Debug)]
pub struct Showing {
    told: Told,
    results: Option<Arc<Edition>>,
    corte: Option<CorteFields>,
    timing: Timing,
    signs: Signs,
    /// For URLs that name their corte, and whose responses are kept for long: without the state.
    pinned_signs: Signs,
    own: HashMap<&'static str, Arc<Content>>,
    pages: HashMap<Notice, Page>,
}

/// What stays the same all night.
#[derive(Clone, Debug, Default)]
pub struct Looks {
    pub brand: Brand,
    /// `frame-ancestors` of a Content-Security-Policy; `None` lets everybody frame us (the call, VI).
    pub frame_ancestors: Option<HeaderValue>,
}

impl Showing {
    /// `edition` is what would be shown; whether it is, and whether anything of it is told, `told` says. Own files that
    /// `before` has already are taken over.
    pub fn new(
        told: Told,
        edition: Option<Arc<Edition>>,
        timing: Timing,
        looks: &Looks,
        before: Option<&Showing>,
    ) -> Showing {
        let is_secret = told.state == State::Before;
        let edition = edition.filter(|_| !is_secret);
        let results = edition.clone().filter(|_| told.shows_results);
        let lesser = results.as_ref().and_then(|edition| lesser(edition, told.offer));
        let own = portal::files(&told, &looks.brand).into_iter().chain(lesser).map(|(name, bytes)| {
            let digest = Digest::of(&bytes);
            let same = before.and_then(|before| before.own.get(name)).filter(|content| content.digest == digest);
            let make = || Arc::new(Content::new(bytes, digest, media_of(name, &looks.brand), Level::Fast));
            (name, same.cloned().unwrap_or_else(make))
        });
        let page = |notice| Page {
            html: Bytes::from(portal::notice_page(notice, &told, &looks.brand)),
            json: Bytes::from(portal::notice_json(notice, &told, &looks.brand)),
        };
        Showing {
            own: own.collect(),
            pages: Notice::ALL.into_iter().map(|notice| (notice, page(notice))).collect(),
            corte: edition.as_ref().map(|edition| edition.live().fields().clone()),
            signs: signs(&told, looks, true),
            pinned_signs: signs(&told, looks, false),
            results,
            timing,
            told,
        }
    }

    /// The same under a better compressed edition of the same cortes.
    pub fn with(&self, edition: &Arc<Edition>) -> Showing {
        Showing {
            told: self.told.clone(),
            results: self.results.as_ref().map(|_| edition.clone()),
            corte: self.corte.clone(),
            timing: self.timing,
            signs: self.signs.clone(),
            pinned_signs: self.pinned_signs.clone(),
            own: self.own.clone(),
            pages: self.pages.clone(),
        }
    }

    pub fn told(&self) -> &Told {
        &self.told
    }

    /// Results, where they are shown.
    pub fn results(&self) -> Option<&Edition> {
        self.results.as_deref()
    }

    /// The corte that is shown, or was last; never before the opening.
    pub fn corte(&self) -> Option<&CorteFields> {
        self.corte.as_ref()
    }

    pub fn timing(&self) -> Timing {
        self.timing
    }

    /// What every response says, but those of URLs that name their corte.
    pub fn signs(&self, is_pinned: bool) -> &Signs {
        if is_pinned { &self.pinned_signs } else { &self.signs }
    }

    /// One of our own files that are there whatever is shown: `name` is what follows `/.prep/`.
    pub fn own(&self, name: &str) -> Option<&Content> {
        self.own.get(name).map(|content| &**content)
    }

    pub fn page(&self, notice: Notice) -> &Page {
        // The constructor makes them all.
        &self.pages[&notice]
    }

    /// Results are shown although transmission is interrupted, so whoever sees them must see that too.
    pub fn is_under_a_notice(&self) -> bool {
        self.told.state == State::Interrupted && self.results.is_some()
    }

    /// Why there are no results.
    pub fn why_not(&self) -> Notice {
        match self.told.state {
            State::Before => Notice::NotOpenYet,
            State::Interrupted => Notice::Interrupted,
            State::Closed => Notice::Closed,
            State::Waiting | State::Current | State::Late | State::Final => Notice::NoCorteYet,
        }
    }
}

/// `corte.json` while not everything is offered: it says so too, in the place of the corte's own.
fn lesser(edition: &Edition, offer: Offer) -> Option<(&'static str, Bytes)> {
    let Some(Entry::File(resource)) = edition.live().get(&format!("{OWN}corte.json")) else { return None };
    let about = resource.content.get(Coding::Identity).filter(|_| offer != Offer::Everything)?;
    let mut about: serde_json::Value = serde_json::from_slice(&about.body).ok()?;
    about.as_object_mut()?.insert("servicio".into(), offer.token().into());
    Some(("corte.json", Bytes::from(format!("{about}\n"))))
}

fn signs(told: &Told, looks: &Looks, with_state: bool) -> Signs {
    let mut fields = Vec::new();
    if with_state {
        fields.push((CORTE_ESTADO, HeaderValue::from_static(told.state.token())));
    }
    if told.is_drill() {
        fields.push((CORTE_TIPO, HeaderValue::from_static("simulacro")));
    }
    // Newspapers show the files on pages of their own (the call, VI): scripts there may read them, and our fields.
    fields.push((ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")));
    fields.push((ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*")));
    if let Some(ancestors) = &looks.frame_ancestors {
        fields.push((CONTENT_SECURITY_POLICY, ancestors.clone()));
    }
    let line = |(name, value): &(HeaderName, HeaderValue)| {
        [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat()
    };
    let head = fields.iter().flat_map(line).collect();
    let brief = fields.iter().filter(|(name, _)| Signs::is_brief(name)).flat_map(line).collect();
    Signs { fields, head, brief }
}

/// Our own files are called what people would call them, without extensions.
fn media_of(name: &str, brand: &Brand) -> &'static media::Media {
    match name {
        "embed" | "verificar" => media::of("index.html"),
        "logo" => brand.logo.as_ref().map_or(media::of(name), |(essence, _)| media::called(essence)),
        _ => media::of(name),
    }
}

/// How often it is looked whether nobody holds any more what was shown before, and how long from one look to the next: in 4 ms
/// everybody has had his turn on his core.
const LAST_WAITS_MAX: usize = 20;
const LAST_WAIT: Duration = Duration::from_micros(200);

/// The pointer. Readers load it once a request and never wait; the gate alone stores.
pub struct Public(ArcSwap<Showing>);

impl Public {
    pub fn new(first: Showing) -> Public {
        Public(ArcSwap::from_pointee(first))
    }

    /// Not to be held across an await.
    pub fn load(&self) -> Guard<Arc<Showing>> {
        self.0.load()
    }

    /// Whoever serves holds it for microseconds. If he were the last, it would be he who takes down what was shown before, with all the
    /// contents that nothing else has: so the gate waits for him, and does it.
    pub fn show(&self, showing: Showing) {
        let before = self.0.swap(Arc::new(showing));
        for _ in 0..LAST_WAITS_MAX {
            if Arc::strong_count(&before) == 1 {
                break;
            }
            thread::sleep(LAST_WAIT);
        }
    }
}
