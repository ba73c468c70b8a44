//! The pure core under every protocol: a request and an edition in, what to answer out. No I/O, no clock.

use std::ops::Range;

use http::header::HeaderValue;
use http::{Method, StatusCode};

use super::conditional::{self, Outcome};
use super::fields::Fields;
use super::freshness::Freshness;
use super::negotiate::Accepted;
use super::range::{self, Wanted};
use super::target::{self, TARGET_MAX_BYTES};
use crate::portal::Notice;
use crate::snapshot::{Content, Edition, Entry, OWN, Representation, Snapshot};

/// Under this prefix the cortes that are kept are reachable by their IDs: `/.prep/c/20260607_2010/index.html`.
const PINNED: &str = "c/";

/// A request, as far as an answer depends on it.
pub struct Request<'r> {
    pub method: &'r Method,
    /// As it came, percent-encoded.
    pub path: &'r str,
    pub query: Option<&'r str>,
    pub fields: Fields<'r>,
    /// False for an HTTP/1.1 request without exactly one `Host` (RFC 9112, 3.2).
    pub host_is_known: bool,
}

/// What to answer, borrowed from the edition; `respond` gives it a protocol's form.
#[derive(Debug)]
pub struct Answer<'e> {
    /// Whose corte the response carries: the live one, or the one that the URL names.
    pub snapshot: Option<&'e Snapshot>,
    pub freshness: Freshness,
    pub what: What<'e>,
}

#[derive(Debug)]
pub enum What<'e> {
    /// 200
    Whole(&'e Content, &'e Representation),
    /// 206
    Part(&'e Content, &'e Representation, Range<usize>),
    /// 304, with the validator of what the client holds
    NotModified(&'e Content, HeaderValue),
    /// 301, to a target that is encoded already
    Moved(String),
    /// 204 to OPTIONS
    Options,
    /// 416, with the whole length
    Unsatisfiable(usize),
    /// Any other status, with a page of ours
    Notice(StatusCode, Notice),
}

/// The answer where everybody is sent to `location`; what would be refused there is refused here.
pub fn elsewhere<'e>(request: &Request, edition: Option<&'e Edition>, location: String) -> Answer<'e> {
    let what = match screen(request) {
        Err((status, reason)) => What::Notice(status, reason),
        Ok(()) if request.method == Method::OPTIONS => What::Options,
        Ok(()) => What::Moved(location),
    };
    Answer { snapshot: edition.map(|e| &**e.live()), freshness: Freshness::None, what }
}

/// The answer to `request` from `edition`; `None` before the first corte.
pub fn answer<'e>(request: &Request, edition: Option<&'e Edition>) -> Answer<'e> {
    let live = edition.map(|e| &**e.live());
    let notice =
        |status, notice| Answer { snapshot: live, freshness: Freshness::None, what: What::Notice(status, notice) };
    if let Err((status, reason)) = screen(request) {
        return notice(status, reason);
    }
    if request.method == Method::OPTIONS {
        return Answer { snapshot: live, freshness: Freshness::None, what: What::Options };
    }
    let Ok(path) = target::decode(request.path) else {
        return notice(StatusCode::BAD_REQUEST, Notice::BadRequest);
    };
    let (Some(edition), Some(live)) = (edition, live) else {
        return notice(StatusCode::SERVICE_UNAVAILABLE, Notice::NoCorteYet);
    };
    let pinned = path.strip_prefix(OWN).and_then(|own| own.strip_prefix(PINNED));
    match pinned {
        None => from_snapshot(request, live, &path, current(live)),
        Some(rest) => {
            let (id, path) = rest.split_once('/').unwrap_or((rest, ""));
            match edition.pinned(id) {
                Some(_) if !rest.contains('/') => moved(request, live, Freshness::Pinned),
                Some(snapshot) => from_snapshot(request, snapshot, path, Freshness::Pinned),
                None => notice(StatusCode::NOT_FOUND, Notice::CorteGone),
            }
        }
    }
}

fn current(live: &Snapshot) -> Freshness {
    let corte = live.corte();
    Freshness::Current { stamp: corte.instant, is_final: corte.is_final }
}

/// What is refused before anybody looks at the path.
fn screen(request: &Request) -> Result<(), (StatusCode, Notice)> {
    match *request.method {
        Method::GET | Method::HEAD | Method::OPTIONS => {}
        Method::POST | Method::PUT | Method::DELETE | Method::PATCH | Method::TRACE | Method::CONNECT => {
            return Err((StatusCode::METHOD_NOT_ALLOWED, Notice::MethodNotAllowed));
        }
        _ => return Err((StatusCode::NOT_IMPLEMENTED, Notice::NotImplemented)),
    }
    if !request.host_is_known {
        return Err((StatusCode::BAD_REQUEST, Notice::BadRequest));
    }
    if request.path.len() + request.query.map_or(0, |q| q.len() + 1) > TARGET_MAX_BYTES {
        return Err((StatusCode::URI_TOO_LONG, Notice::TargetTooLong));
    }
    Ok(())
}

fn from_snapshot<'e>(request: &Request, snapshot: &'e Snapshot, path: &str, freshness: Freshness) -> Answer<'e> {
    match snapshot.get(path) {
        Some(Entry::File(content)) => {
            let what = from_content(request, snapshot, content);
            let freshness = match what {
                What::Notice(..) | What::Unsatisfiable(_) => Freshness::None,
                _ => freshness,
            };
            Answer { snapshot: Some(snapshot), freshness, what }
        }
        Some(Entry::FolderWithoutSlash) => moved(request, snapshot, freshness),
        None => Answer {
            snapshot: Some(snapshot),
            freshness: Freshness::None,
            what: What::Notice(StatusCode::NOT_FOUND, Notice::NotFound),
        },
    }
}

fn from_content<'e>(request: &Request, snapshot: &Snapshot, content: &'e Content) -> What<'e> {
    let fields = &request.fields;
    let accepted = Accepted::read(fields.accept_encoding.iter());
    let Some(chosen) = accepted.choose(content).and_then(|coding| content.get(coding)) else {
        return What::Notice(StatusCode::NOT_ACCEPTABLE, Notice::NotAcceptable);
    };
    match conditional::evaluate(fields, &accepted, content, &chosen.etag, snapshot.fields().last_modified_at) {
        Outcome::Proceed => {}
        Outcome::NotModified(etag) => return What::NotModified(content, etag),
        Outcome::Failed => return What::Notice(StatusCode::PRECONDITION_FAILED, Notice::PreconditionFailed),
    }
    if request.method == Method::GET
        && let Some(range) = fields.range.single()
        && conditional::if_range_holds(fields, &chosen.etag)
    {
        match range::read(range, chosen.body.len()) {
            Wanted::Whole => {}
            Wanted::Part(part) => return What::Part(content, chosen, part),
            Wanted::Unsatisfiable => return What::Unsatisfiable(chosen.body.len()),
        }
    }
    What::Whole(content, chosen)
}

/// To the same path with a slash at its end. The path is sent back as it came, so it needs no encoding; it names a
/// folder of the package, so it cannot begin with two slashes and lead to another host.
fn moved<'e>(request: &Request, snapshot: &'e Snapshot, freshness: Freshness) -> Answer<'e> {
    let query = request.query.map(|q| format!("?{q}")).unwrap_or_default();
    Answer { snapshot: Some(snapshot), freshness, what: What::Moved(format!("{}/{query}", request.path)) }
}
