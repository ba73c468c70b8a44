//! The files that we add to a corte, and what we know of it that the authority does not say.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::json;

use crate::corte::{Corte, Verified};

/// Under which circumstances a corte is shown.
#[derive(Clone, Debug)]
pub struct Occasion {
    pub last_modified: Timestamp,
    /// What operators have decided about what is shown, for everybody to see; `[]` as a rule.
    pub decisions: Vec<Decision>,
    /// The accepted cortes up to this one, in the order of the chain, and those that operators have withdrawn.
    pub chain: Vec<Accepted>,
}

/// An accepted corte, as `/.prep/cortes` tells it. Scripts read the members in this order (docs/format.md).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Accepted {
    pub corte: String,
    pub fecha_hora: String,
    /// Of its SHA256SUMS.
    pub sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmante: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub huella: Option<String>,
    /// When we first had all of it.
    pub recibido: Timestamp,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub retirado: bool,
    /// The link before, and its own: 64 hexadecimal digits each.
    pub anterior: String,
    pub eslabon: String,
}

/// A decision of the operators, as `/.prep/corte.json` tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// `reversion`: an earlier corte was taken back. `retencion`: what is shown does not change. `final`: it is the last
    /// one. `reanudacion`: it is shown for longer although no other has come.
    pub accion: &'static str,
    pub desde: Timestamp,
    pub motivo: String,
    /// The latest corte that was withdrawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retirado: Option<String>,
}

impl Occasion {
    /// A corte that goes live as usual at `now`, after what said `before` as its `Last-Modified`: never later than now
    /// (RFC 9110, 8.8.2.1), always later than before, as a revision may have the stamp of what it corrects.
    pub fn usual(corte: &Corte, now: Timestamp, before: Option<Timestamp>) -> Occasion {
        Occasion {
            last_modified: Occasion::after(corte.instant, now, before),
            decisions: Vec::new(),
            chain: Vec::new(),
        }
    }

    /// The `Last-Modified` of what has this stamp and is shown from `now` on.
    pub fn after(stamp: Timestamp, now: Timestamp, before: Option<Timestamp>) -> Timestamp {
        let next = before.and_then(|before| before.checked_add(SignedDuration::from_secs(1)).ok());
        stamp.min(now).max(next.unwrap_or(Timestamp::MIN))
    }
}

/// The files that we add, for people and programs that want to know or to check.
pub(super) fn own_files(verified: &Verified, occasion: &Occasion) -> Vec<(&'static str, Bytes)> {
    let corte = verified.corte();
    let mut about = json!({
        "eleccion": corte.eleccion,
        "corte": corte.id.to_string(),
        "fecha_hora": corte.fecha_hora,
        "tipo": corte.tipo,
        "final": corte.is_final,
        "actas": corte.actas,
        "confianza": verified.trust().trust(),
        "firmante": verified.trust().signer(),
        "archivos": verified.files().len(),
    });
    if !occasion.decisions.is_empty() {
        about["decisiones"] = json!(occasion.decisions);
    }
    let mut files = vec![
        ("corte.json", Bytes::from(format!("{about}\n"))),
        ("cortes", Bytes::from(chain(corte, &occasion.chain))),
        // The one signed file that lies outside sitio/: with it, everything in the list can be checked.
        ("corte.original.json", verified.corte_json().clone()),
        ("SHA256SUMS", verified.sums().clone()),
    ];
    files.extend(verified.trust().signature().map(|signature| ("SHA256SUMS.sig", signature.clone())));
    files
}

/// The chain as JSON, each link on a line of its own, so that sed(1) can read it.
fn chain(corte: &Corte, chain: &[Accepted]) -> String {
    let rows: Vec<String> = chain.iter().map(|accepted| json!(accepted).to_string()).collect();
    let (eleccion, rows) = (json!(corte.eleccion), rows.join(",\n"));
    format!("{{\"eleccion\":{eleccion},\"tipo\":\"{}\",\"cortes\":[\n{rows}\n]}}\n", corte.tipo)
}
