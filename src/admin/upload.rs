//! `PUT /packages/NAME`: a package that is pushed, from its fields to the operator's verdict.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_RANGE, HeaderMap};
use http::{Response, StatusCode};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::json;
use super::crowd::Guest;
use super::problem::Problem;
use super::receive::{failed, receive};
use super::route::Name;
use super::service::Shared;
use super::who::Who;
use crate::base::digest::Digest;
use crate::base::digests;
use crate::http::Body;
use crate::ingest::{Arrival, Outcome};
use crate::record::incidents::note;

/// Packages at once, from their first byte to their verdict: as much as the staging folder holds of them.
pub const UPLOADS_MAX: usize = 4;
/// Of which each sender has so many: one that is slow, or never ends, must not keep the others out.
pub const UPLOADS_EACH: usize = 2;
/// How long the operator may take: a gigabyte on a slow disk takes two minutes, and others may be before it.
const VERDICT_MAX: Duration = Duration::from_secs(600);

/// Takes a package in, and answers with what became of it.
pub async fn upload<B>(
    shared: &Arc<Shared>,
    name: Name,
    who: &Who,
    fields: &HeaderMap,
    body: &mut B,
) -> Result<Response<Body>, Problem>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let source = format!("push {who}");
    let taken = take(shared, &name, (who, &source), fields, body).await;
    if let Err(problem) = &taken {
        tell(shared, problem, &name, &source).await;
    }
    let status = taken.as_ref().map_or_else(Problem::status, Response::status);
    shared.metrics.uploaded(status.as_u16());
    taken
}

async fn take<B>(
    shared: &Arc<Shared>,
    name: &Name,
    (who, source): (&Who, &str),
    fields: &HeaderMap,
    body: &mut B,
) -> Result<Response<Body>, Problem>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let expected = check(fields)?;
    // Exact where the body's length is told, else nothing: then the limit holds while it arrives.
    let len = body.size_hint().lower();
    if len > shared.package_bytes {
        return Err(Problem::TooLarge(shared.package_bytes));
    }
    let sender = shared.senders.enter(who.clone()).ok_or(Problem::TooMany)?;
    let permit = shared.uploads.clone().try_acquire_owned().map_err(|_| Problem::TooMany)?;
    let permit = Place::of(shared, permit, sender);
    let asked = shared.clone();
    shared.blocking(move || asked.staging.has_room(len)).await?.map_err(failed)?;
    let path = receive(shared, name, source, body, shared.package_bytes, expected).await?;
    let arrival = Arrival { name: name.as_str().to_owned(), path, source: source.to_owned() };
    // The place is given back with the verdict, whether anybody still waits for it or not.
    let (asked, desk) = (shared.clone(), shared.desk.clone());
    let verdict = tokio::spawn(async move {
        let _permit = permit;
        let answer = asked.blocking(move || desk.deliver(arrival)).await?;
        answer.await.map_err(|_| Problem::Stopping)
    });
    let verdict = tokio::time::timeout(VERDICT_MAX, verdict).await.map_err(|_| Problem::NoVerdict)?;
    told(verdict.map_err(|error| Problem::OurFault(error.to_string()))??)
}

/// What the fields ask for: digests that the body must have.
fn check(fields: &HeaderMap) -> Result<Vec<Digest>, Problem> {
    if fields.contains_key(CONTENT_RANGE) {
        return Err(Problem::Malformed("Content-Range: a package is sent whole (RFC 9110, 14.5)".into()));
    }
    if fields.get_all(CONTENT_ENCODING).iter().any(|coding| coding != "identity") {
        return Err(Problem::Form("Content-Encoding: send the package as it is".into()));
    }
    let mut expected = Vec::new();
    // Without codings and ranges, content and representation are the same bytes.
    for name in ["content-digest", "repr-digest"] {
        let values = fields.get_all(name).iter().map(http::HeaderValue::as_bytes);
        let digest = digests::sha256(values).map_err(|why| Problem::Malformed(format!("{name}: {why}")))?;
        expected.extend(digest);
    }
    Ok(expected)
}

fn told(outcome: Outcome) -> Result<Response<Body>, Problem> {
    let (status, outcome, corte, sentence) = match outcome {
        Outcome::Live { corte } => (StatusCode::CREATED, "live", corte, "está publicado"),
        Outcome::Held { corte } => (StatusCode::ACCEPTED, "held", corte, "está guardado; la publicación está detenida"),
        Outcome::Same { corte } => (StatusCode::OK, "same", corte, "ya se había recibido"),
        Outcome::Refused { code, why, heals } => return Err(Problem::Refused { code, why, heals }),
    };
    let sentence = format!("El corte {corte} {sentence}");
    Ok(json(status, &json!({"outcome": outcome, "corte": corte.to_string(), "sentence": sentence})))
}

/// Into the journal. What the operator refuses he tells of himself, and what was cut its writer has told of.
async fn tell(shared: &Arc<Shared>, problem: &Problem, name: &Name, source: &str) {
    let code = match problem {
        Problem::Refused { .. } | Problem::Gone | Problem::Stopping => return,
        Problem::NoRoom(_) => "A013",
        _ => "A012",
    };
    let (asked, why, name, source) = (shared.clone(), problem.detail(), name.clone(), source.to_owned());
    let write = move || asked.journal.note(&note(code, &why).source(&source).package(name.as_str()));
    let _ = shared.blocking(write).await;
}

/// One of the places for uploads, counted.
struct Place {
    shared: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
    _sender: Guest<Who>,
}

impl Place {
    fn of(shared: &Arc<Shared>, permit: OwnedSemaphorePermit, sender: Guest<Who>) -> Place {
        shared.metrics.upload_begins();
        Place { shared: shared.clone(), _permit: permit, _sender: sender }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.metrics.upload_ends();
    }
}
