//! What an operator may want, and the state that he may see.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot::error::RecvError;

use super::answer::json;
use super::problem::Problem;
use super::route::What;
use super::service::Shared;
use super::who::Who;
use crate::base::shown::Shown;
use crate::corte::CorteId;
use crate::http::Body;
use crate::ingest::{Wish, WishFault};
use crate::record::Incident;
use crate::record::incidents::note;
use crate::snapshot::Snapshot;

/// A wish is a few words.
pub const BODY_MAX: usize = 16 << 10;
/// Characters of a reason: a sentence or two, which the public sees.
const REASON_MAX: usize = 500;
/// How long the operator may take: he may be in the middle of a large package, and then has one to restore.
const ANSWER_MAX: Duration = Duration::from_secs(600);
/// Incidents that the state shows.
const INCIDENTS: usize = 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    reason: String,
    corte: Option<String>,
    live: Option<String>,
}

/// Reads a wish: `{"reason": "...", "corte": "20260607_2010", "live": "20260607_2030"}`, the latter two for a rollback alone:
/// where to, and, if it is given, from which corte.
pub fn wish(what: &What, body: &[u8]) -> Result<Wish, Problem> {
    let malformed = |why: String| Problem::Malformed(why);
    let typed: Typed = serde_json::from_slice(body).map_err(|error| malformed(format!("the body: {error}")))?;
    let reason = typed.reason.trim().to_owned();
    let fits = (1..=REASON_MAX).contains(&reason.chars().count()) && !reason.chars().any(char::is_control);
    if !fits {
        return Err(malformed(format!("the reason: expected 1 to {REASON_MAX} characters on one line")));
    }
    let id = |text: String| text.parse::<CorteId>().map_err(|fault| malformed(fault.to_string()));
    match (what, typed.corte) {
        (What::Rollback, Some(corte)) => {
            Ok(Wish::Rollback { corte: id(corte)?, seen: typed.live.map(id).transpose()?, reason })
        }
        (What::Rollback, None) => Err(malformed("the body: `corte` is missing".into())),
        (_, Some(_)) => Err(malformed("the body: `corte` is for a rollback".into())),
        _ if typed.live.is_some() => Err(malformed("the body: `live` is for a rollback".into())),
        (What::Hold, None) => Ok(Wish::Hold { reason }),
        (What::Final, None) => Ok(Wish::Final { reason }),
        (What::Resume, None) => Ok(Wish::Resume { reason }),
        (_, None) => Ok(Wish::Release { reason }),
    }
}

/// Asks the operator, and writes down who wanted what and what came of it.
pub async fn act(shared: &Arc<Shared>, wish: Wish, who: &Who) -> Result<Response<Body>, Problem> {
    let (asked, desk, source) = (wish.clone(), shared.desk.clone(), who.to_string());
    let answer = shared.blocking(move || desk.wish(asked)).await?;
    let answer = tokio::time::timeout(ANSWER_MAX, answer).await.map_err(|_| Problem::NoVerdict)?;
    let told = answered(answer);
    let (journal, done) = (shared.journal.clone(), told.clone());
    let write = move || {
        let (verb, code, corte, reason) = match &wish {
            Wish::Rollback { corte, reason, .. } => ("rollback", "A001", Some(*corte), reason),
            Wish::Hold { reason } => ("hold", "A002", None, reason),
            Wish::Release { reason } => ("release", "A003", None, reason),
            Wish::Final { reason } => ("final", "A005", None, reason),
            Wish::Resume { reason } => ("resume", "A006", None, reason),
        };
        let (code, detail) = match &done {
            Ok(_) => (code, format!("reason: {reason}")),
            Err(problem) => ("A004", format!("{verb}: {}; reason given: {reason}", problem.detail())),
        };
        let told = note(code, &detail).source(&source);
        journal.note(&match corte {
            Some(id) => told.corte(id),
            None => told,
        });
    };
    shared.blocking(write).await?;
    told.map(|sentence| json(StatusCode::OK, &json!({"sentence": sentence})))
}

fn answered(answer: Result<Result<String, WishFault>, RecvError>) -> Result<String, Problem> {
    match answer {
        Ok(Ok(sentence)) => Ok(sentence),
        Ok(Err(WishFault::Refused(why))) => Err(Problem::Conflict(why)),
        Ok(Err(WishFault::Stopping)) | Err(_) => Err(Problem::Stopping),
    }
}

/// What is live and what went wrong lately, for a person or a script on this machine.
pub fn state(shared: &Shared) -> serde_json::Value {
    let guard = shared.live.load();
    let id = |snapshot: &Snapshot| snapshot.corte().id.to_string();
    let live = guard.as_deref().map(|edition| {
        let corte = edition.live().corte();
        json!({"corte": corte.id.to_string(), "fecha_hora": corte.fecha_hora, "tipo": corte.tipo, "final": corte.is_final})
    });
    let earlier: Vec<String> =
        guard.as_deref().map(|edition| edition.all().skip(1).map(|s| id(s)).collect()).unwrap_or_default();
    let incidents: Vec<Incident> = shared.journal.latest(INCIDENTS);
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "started": shared.started.to_string(),
        "now": shared.clock.now().to_string(),
        "live": live,
        "earlier": earlier,
        "uploads": super::upload::UPLOADS_MAX - shared.uploads.available_permits(),
        "incidents": incidents,
    })
}

/// A whole body of at most `BODY_MAX` bytes.
pub async fn small<B>(body: &mut B) -> Result<Vec<u8>, Problem>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let mut all = Vec::new();
    let reading = async {
        while let Some(frame) = std::future::poll_fn(|cx| std::pin::Pin::new(&mut *body).poll_frame(cx)).await {
            let Ok(bytes) = frame.map_err(|_| Problem::Gone)?.into_data() else { continue };
            all.extend_from_slice(&bytes);
            if all.len() > BODY_MAX {
                let first = Shown::bytes(&all[..16]);
                return Err(Problem::Malformed(format!("the body has more than {BODY_MAX} bytes: {first}...")));
            }
        }
        Ok(())
    };
    tokio::time::timeout(super::server::HEAD_MAX, reading).await.map_err(|_| Problem::TooSlow)??;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_read_strictly() {
        let id = "20260607_2010".parse().unwrap();
        let rollback = wish(&What::Rollback, br#"{"corte": "20260607_2010", "reason": " mal \u00e1rbol "}"#);
        assert_eq!(rollback, Ok(Wish::Rollback { corte: id, seen: None, reason: "mal árbol".into() }));
        let from = wish(&What::Rollback, br#"{"corte": "20260607_2010", "live": "20260607_2020", "reason": "x"}"#);
        let seen = Some("20260607_2020".parse().unwrap());
        assert_eq!(from, Ok(Wish::Rollback { corte: id, seen, reason: "x".into() }));
        assert_eq!(wish(&What::Hold, br#"{"reason":"x"}"#), Ok(Wish::Hold { reason: "x".into() }));
        assert_eq!(wish(&What::Release, br#"{"reason":"x"}"#), Ok(Wish::Release { reason: "x".into() }));
        assert_eq!(wish(&What::Final, br#"{"reason":"x"}"#), Ok(Wish::Final { reason: "x".into() }));
        assert_eq!(wish(&What::Resume, br#"{"reason":"x"}"#), Ok(Wish::Resume { reason: "x".into() }));
        let long = format!("{{\"reason\":\"{}\"}}", "á".repeat(REASON_MAX + 1));
        for (what, bad) in [
            (What::Hold, ""),
            (What::Hold, "{}"),
            (What::Hold, r#"{"reason":""}"#),
            (What::Hold, r#"{"reason":"a\nb"}"#),
            (What::Hold, r#"{"reason":"a","corte":"20260607_2010"}"#),
            (What::Hold, r#"{"reason":"a","live":"20260607_2010"}"#),
            (What::Rollback, r#"{"reason":"a","corte":"20260607_2010","live":"ayer"}"#),
            (What::Hold, r#"{"reason":"a","x":1}"#),
            (What::Hold, &long),
            (What::Rollback, r#"{"reason":"a"}"#),
            (What::Rollback, r#"{"reason":"a","corte":"ayer"}"#),
        ] {
            assert!(matches!(wish(&what, bad.as_bytes()), Err(Problem::Malformed(_))), "{bad}");
        }
    }
}
