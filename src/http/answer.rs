//! The pure core under every protocol: a request and what is shown in, what to answer out. No I/O, no clock.

use std::borrow::Cow;
use std::ops::Range;

use http::header::HeaderValue;
use http::{Method, StatusCode};
use jiff::Timestamp;

use super::conditional::{self, Outcome};
use super::dictionary::{Offered, dictionary};
use super::fields::Fields;
use super::freshness::{Freshness, Spread};
use super::preferred::wants_json;
use super::target::{self, TARGET_MAX_BYTES};
use crate::base::range::{self, Wanted};
use crate::portal::Notice;
use crate::snapshot::negotiate::Accepted;
use crate::snapshot::{Content, CorteFields, Entry, Lineage, OWN, Representation, Resource, Showing, Snapshot};

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
    /// Of its connection.
    pub spread: Spread,
    /// Nobody between us and the client sees or changes what is said (RFC 9842, section 8): TLS, or this machine by name.
    pub is_secure: bool,
}

/// What to answer, borrowed from what is shown; `respond` gives it a protocol's form.
#[derive(Debug)]
pub struct Answer<'e> {
    pub showing: &'e Showing,
    /// The corte that the response carries: the one that is shown, or the one that the URL names.
    pub corte: Option<&'e CorteFields>,
    pub freshness: Freshness,
    /// Of the path, where dictionaries matter for it.
    pub lineage: Option<&'e Lineage>,
    /// Somebody who cannot have what he asked for is told in JSON.
    pub wants_json: bool,
    pub what: What<'e>,
}

#[derive(Debug)]
pub enum What<'e> {
    /// 200
    Whole(&'e Content, &'e Representation),
    /// 206
    Part(&'e Content, &'e Representation, Range<usize>),
    /// 304, with the validator of what the client holds
    NotModified(&'e Content, Cow<'e, HeaderValue>),
    /// 301, to a target that is encoded already
    Moved(String),
    /// 307, for now only
    Elsewhere(String),
    /// 204 to OPTIONS
    Options,
    /// 416, with the whole length
    Unsatisfiable(usize),
    /// Any other status, with a page of ours
    Notice(StatusCode, Notice),
}

impl<'e> Answer<'e> {
    /// One that has nothing of a file.
    pub fn other(showing: &'e Showing, what: What<'e>) -> Answer<'e> {
        let freshness = Freshness::None;
        Answer { showing, corte: showing.corte(), freshness, lineage: None, wants_json: false, what }
    }
}

/// The answer where everybody is sent to `location`; what would be refused there is refused here.
pub fn elsewhere<'e>(request: &Request, showing: &'e Showing, location: String) -> Answer<'e> {
    let what = match screen(request) {
        Err((status, reason)) => What::Notice(status, reason),
        Ok(()) if request.method == Method::OPTIONS => What::Options,
        Ok(()) => What::Moved(location),
    };
    Answer::other(showing, what)
}

/// The answer to `request` from what is shown.
pub fn answer<'e>(request: &Request, showing: &'e Showing) -> Answer<'e> {
    let mut answer = decide(request, showing);
    if let What::Notice(..) = answer.what {
        answer.wants_json = wants_json(&request.fields.accept, request.path);
    }
    answer
}

fn decide<'e>(request: &Request, showing: &'e Showing) -> Answer<'e> {
    let notice = |status, notice| Answer::other(showing, What::Notice(status, notice));
    if let Err((status, reason)) = screen(request) {
        return notice(status, reason);
    }
    if request.method == Method::OPTIONS {
        return Answer::other(showing, What::Options);
    }
    let Ok(path) = target::decode(request.path) else {
        return notice(StatusCode::BAD_REQUEST, Notice::BadRequest);
    };
    let own = path.strip_prefix(OWN);
    if let Some(content) = own.and_then(|name| showing.own(name)) {
        let what = from_content(request, content, None, None);
        let freshness = if is_kept(&what) { Freshness::Own } else { Freshness::None };
        return Answer { freshness, ..Answer::other(showing, what) };
    }
    let results = match showing.results() {
        Some(_) if showing.is_under_a_notice() && wants_page(request) && own.is_none() => {
            return Answer::other(showing, What::Elsewhere(under_the_bar(request.path)));
        }
        results => results,
    };
    let Some(results) = results else {
        let (status, why) = no_results(showing);
        return notice(status, why);
    };
    match own.and_then(|own| own.strip_prefix(PINNED)) {
        None => {
            // What a frame was given must not come out of a cache for who goes to the page.
            let is_asked_again = showing.is_under_a_notice();
            let freshness =
                if is_asked_again { Freshness::None } else { Freshness::Current(showing.timing(), request.spread) };
            from_snapshot(request, showing, results.live(), &path, freshness)
        }
        Some(rest) => {
            let (id, path) = rest.split_once('/').unwrap_or((rest, ""));
            match results.pinned(id) {
                Some(snapshot) if !rest.contains('/') => {
                    let what = moved(request);
                    let (corte, freshness) = (Some(snapshot.fields()), Freshness::Pinned);
                    Answer { corte, freshness, ..Answer::other(showing, what) }
                }
                Some(snapshot) => from_snapshot(request, showing, snapshot, path, Freshness::Pinned),
                None => notice(StatusCode::NOT_FOUND, Notice::CorteGone),
            }
        }
    }
}

/// What is answered while results are not shown.
pub(super) fn no_results(showing: &Showing) -> (StatusCode, Notice) {
    let why = showing.why_not();
    (if why == Notice::Closed { StatusCode::GONE } else { StatusCode::SERVICE_UNAVAILABLE }, why)
}

/// A browser that goes to a page, not one that fills a frame or fetches data.
fn wants_page(request: &Request) -> bool {
    request.fields.sec_fetch_dest.single() == Some(b"document")
}

/// The same page within our frame, whose bar says that transmission is interrupted. The frame decodes the path once, as
/// the value of a query.
fn under_the_bar(path: &str) -> String {
    format!("/{OWN}embed?ruta={}", path.replace('%', "%25").replace('&', "%26").replace('+', "%2B"))
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
    screen_target(request)
}

/// The same whatever the method.
pub(super) fn screen_target(request: &Request) -> Result<(), (StatusCode, Notice)> {
    if !request.host_is_known {
        return Err((StatusCode::BAD_REQUEST, Notice::BadRequest));
    }
    if request.path.len() + request.query.map_or(0, |q| q.len() + 1) > TARGET_MAX_BYTES {
        return Err((StatusCode::URI_TOO_LONG, Notice::TargetTooLong));
    }
    Ok(())
}

fn from_snapshot<'e>(
    request: &Request,
    showing: &'e Showing,
    snapshot: &'e Snapshot,
    path: &str,
    freshness: Freshness,
) -> Answer<'e> {
    let (what, lineage) = match snapshot.get(path) {
        Some(Entry::File(Resource { content, lineage })) => {
            // Under a URL that names its corte nothing ever changes.
            let lineage = lineage.as_deref().filter(|_| request.is_secure && freshness != Freshness::Pinned);
            (from_content(request, content, lineage, Some(snapshot.fields().last_modified_at)), lineage)
        }
        Some(Entry::FolderWithoutSlash) => (moved(request), None),
        None => (What::Notice(StatusCode::NOT_FOUND, Notice::NotFound), None),
    };
    let freshness = match freshness {
        _ if !is_kept(&what) => Freshness::None,
        Freshness::Current(timing, spread) if lineage.is_some() => Freshness::Descended(timing, spread),
        other => other,
    };
    Answer { corte: Some(snapshot.fields()), freshness, lineage, ..Answer::other(showing, what) }
}

/// Whether caches may keep it.
fn is_kept(what: &What) -> bool {
    !matches!(what, What::Notice(..) | What::Unsatisfiable(_) | What::Options)
}

fn from_content<'e>(
    request: &Request,
    content: &'e Content,
    lineage: Option<&'e Lineage>,
    last_modified: Option<Timestamp>,
) -> What<'e> {
    let fields = &request.fields;
    let accepted = Accepted::read(fields.accept_encoding.iter());
    let offered = Offered { content, lineage, dictionary: lineage.and_then(|_| dictionary(fields, &accepted)) };
    let Some(chosen) = accepted.best(content, offered.differences(fields)) else {
        return What::Notice(StatusCode::NOT_ACCEPTABLE, Notice::NotAcceptable);
    };
    match conditional::evaluate(fields, &accepted, &offered, &chosen.etag, last_modified) {
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
fn moved<'e>(request: &Request) -> What<'e> {
    let query = request.query.map(|q| format!("?{q}")).unwrap_or_default();
    What::Moved(format!("{}/{query}", request.path))
}
