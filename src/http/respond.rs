//! From an `Answer` to an HTTP response. The header values lie ready in the snapshot; here they are put together.

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_MAX_AGE, ALLOW,
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderName,
    HeaderValue, LAST_MODIFIED, LOCATION, RETRY_AFTER, VARY,
};
use http::{Method, Response, StatusCode};

use super::answer::{Answer, What};
use super::body::Body;
use super::freshness::{Freshness, Rhythm};
use crate::portal::Notice;
use crate::snapshot::{self, Coding, Content, Lineage, Representation, Signs};

/// The corte that a response belongs to, on every response: `20260607_2010`.
pub(super) const CORTE: HeaderName = HeaderName::from_static("corte");
/// Its date and hour, as the authority wrote it: `2026-06-07T20:10:00-06:00`.
pub(super) const CORTE_FECHA_HORA: HeaderName = HeaderName::from_static("corte-fecha-hora");

/// SHA-256 of the whole representation, coded as it is (RFC 9530, section 3). `Content-Digest`, of the content of this very message
/// (section 2), would say the same of a whole one; of a part it would have to be hashed on request, and anybody could keep our
/// processors busy so.
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

const BYTES: HeaderValue = HeaderValue::from_static("bytes");
/// This response may be one for the next (RFC 9842, section 2.1).
const USE_AS_DICTIONARY: HeaderName = HeaderName::from_static("use-as-dictionary");
const VARY_DICTIONARY: HeaderValue = HeaderValue::from_static(snapshot::VARY);
const VARY_ENCODING: HeaderValue = HeaderValue::from_static("accept-encoding");
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// RFC 9457
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const VARY_BOTH: HeaderValue = HeaderValue::from_static("accept, accept-encoding");
const VARY_ACCEPT: HeaderValue = HeaderValue::from_static("accept");
const ANY: HeaderValue = HeaderValue::from_static("*");
/// Seconds that a browser may remember what OPTIONS said (Fetch, CORS-preflight); they keep it no longer anyway.
const PREFLIGHT_S: HeaderValue = HeaderValue::from_static("7200");
/// Seconds until a client that has asked too much may ask some more.
const RETRY_CLIENT_S: HeaderValue = HeaderValue::from_static("2");
/// And one who wants what is left out for now: it comes back when it has been calm for some time.
const RETRY_LEFT_OUT_S: HeaderValue = HeaderValue::from_static("120");
/// Fields that a plain response has, so that the map need not grow.
const USUAL_FIELDS: usize = 16;

/// Gives an answer the form that hyper sends. `method` tells whether the body goes along.
pub fn respond(answer: Answer, method: &Method, rhythm: &Rhythm) -> Response<Body> {
    let mut fields = HeaderMap::with_capacity(USUAL_FIELDS);
    fields.insert(CACHE_CONTROL, rhythm.cache_control(answer.freshness));
    let is_dated = answer.freshness != Freshness::Own;
    if let Some(corte) = answer.corte {
        fields.insert(CORTE, corte.id.clone());
        fields.insert(CORTE_FECHA_HORA, corte.fecha_hora.clone());
        if is_dated && matches!(answer.what, What::Whole(..) | What::Part(..)) {
            fields.insert(LAST_MODIFIED, corte.last_modified.clone());
        }
    }
    let is_brief = matches!(answer.what, What::NotModified(..));
    for (name, value) in &answer.showing.signs(answer.freshness == Freshness::Pinned).fields {
        if !is_brief || Signs::is_brief(name) {
            fields.insert(name, value.clone());
        }
    }
    let (status, body) = match answer.what {
        What::Whole(content, chosen) => {
            representation(&mut fields, content, chosen, answer.lineage);
            if let Some(lineage) = answer.lineage {
                fields.insert(USE_AS_DICTIONARY, lineage.use_as_dictionary.clone());
            }
            fields.insert(CONTENT_LENGTH, chosen.length.clone());
            (StatusCode::OK, chosen.body.clone())
        }
        What::Part(content, chosen, part) => {
            representation(&mut fields, content, chosen, answer.lineage);
            let range = format!("bytes {}-{}/{}", part.start, part.end - 1, chosen.body.len());
            fields.insert(CONTENT_RANGE, printed(range));
            fields.insert(CONTENT_LENGTH, HeaderValue::from(part.len()));
            (StatusCode::PARTIAL_CONTENT, chosen.body.slice(part))
        }
        What::NotModified(content, etag) => {
            fields.insert(ETAG, etag.into_owned());
            vary(&mut fields, content, answer.lineage);
            (StatusCode::NOT_MODIFIED, Bytes::new())
        }
        What::Moved(location) => {
            fields.insert(LOCATION, printed(location));
            fields.insert(CONTENT_LENGTH, HeaderValue::from(0));
            (StatusCode::MOVED_PERMANENTLY, Bytes::new())
        }
        What::Elsewhere(location) => {
            fields.insert(LOCATION, printed(location));
            fields.insert(CONTENT_LENGTH, HeaderValue::from(0));
            (StatusCode::TEMPORARY_REDIRECT, Bytes::new())
        }
        What::Options => {
            fields.insert(ALLOW, METHODS);
            fields.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            fields.insert(ACCESS_CONTROL_ALLOW_HEADERS, ANY);
            fields.insert(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_S);
            (StatusCode::NO_CONTENT, Bytes::new())
        }
        What::Unsatisfiable(len) => {
            fields.insert(CONTENT_RANGE, printed(format!("bytes */{len}")));
            (StatusCode::RANGE_NOT_SATISFIABLE, notice_page(&mut fields, &answer, Notice::RangeNotSatisfiable))
        }
        What::Notice(status, notice) => {
            match status {
                StatusCode::METHOD_NOT_ALLOWED => drop(fields.insert(ALLOW, METHODS)),
                StatusCode::TOO_MANY_REQUESTS => drop(fields.insert(RETRY_AFTER, RETRY_CLIENT_S)),
                StatusCode::SERVICE_UNAVAILABLE if notice == Notice::LeftOut => {
                    drop(fields.insert(RETRY_AFTER, RETRY_LEFT_OUT_S));
                }
                StatusCode::SERVICE_UNAVAILABLE => {
                    let retry = rhythm.retry_after(&answer.showing.timing());
                    fields.insert(RETRY_AFTER, HeaderValue::from(retry));
                }
                _ => {}
            }
            let body = notice_page(&mut fields, &answer, notice);
            if status == StatusCode::NOT_ACCEPTABLE {
                fields.insert(VARY, VARY_BOTH);
            }
            (status, body)
        }
    };
    let body = if *method == Method::HEAD { Body::empty() } else { Body::of(body) };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = fields;
    response
}

/// Fields of 200 and 206 that come from the content and the coding chosen.
fn representation(fields: &mut HeaderMap, content: &Content, chosen: &Representation, lineage: Option<&Lineage>) {
    fields.insert(CONTENT_TYPE, content.content_type.clone());
    fields.insert(ETAG, chosen.etag.clone());
    fields.insert(REPR_DIGEST, chosen.repr_digest.clone());
    match chosen.coding {
        Coding::Identity => fields.insert(ACCEPT_RANGES, BYTES),
        coding => fields.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name())),
    };
    vary(fields, content, lineage);
}

fn vary(fields: &mut HeaderMap, content: &Content, lineage: Option<&Lineage>) {
    match lineage {
        Some(_) => drop(fields.insert(VARY, VARY_DICTIONARY)),
        None if content.is_negotiated() => drop(fields.insert(VARY, VARY_ENCODING)),
        None => {}
    }
}

fn notice_page(fields: &mut HeaderMap, answer: &Answer, notice: Notice) -> Bytes {
    let page = answer.showing.page(notice);
    let (body, media) = match (answer.wants_json, notice.is_in_place_of_results()) {
        (false, _) => (&page.html, HTML),
        (true, true) => (&page.json, JSON),
        (true, false) => (&page.json, PROBLEM),
    };
    fields.insert(CONTENT_TYPE, media);
    fields.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    fields.insert(VARY, VARY_ACCEPT);
    body.clone()
}

/// A value that was printed from numbers, or from a request target that an HTTP parser let through.
fn printed(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}
