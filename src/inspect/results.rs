//! A difusor that shows results: the signed list, everything in it, and what is said beside it.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderName;
use jiff::{SignedDuration, Timestamp};

use super::audit::{Asked, Progress};
use super::exchange::{Line, Wanted};
use super::files::{self, Files, LeftOut};
use super::judge::{self, Answer, Expected};
use super::report::{Findings, Report};
use super::target::encoded;
use super::told::{CHAIN_BYTES, Chain, Estado, Holds};
use crate::base::digest::Digest;
use crate::corte::limits::{CORTE_JSON_BYTES, SIGNATURE_BYTES, SUMS_BYTES};
use crate::corte::{Corte, Expectations, Preamble, Refusal, Sums, Tipo, Trust};
use crate::schedule::State;
use crate::snapshot::{CODINGS, Coding};

const CORTE_TIPO: HeaderName = HeaderName::from_static("corte-tipo");

/// What goes along.
pub struct Round<'r> {
    pub asked: &'r Asked,
    pub estado: &'r Estado,
    /// The election's time.
    pub now: Timestamp,
    pub progress: Arc<Progress>,
}

/// The files that prove the rest, as they came; the last two are there only where the list is signed.
struct Proof {
    sums: Option<Bytes>,
    signature: Option<Bytes>,
    original: Option<Bytes>,
    /// The corte that the list came with.
    expected: Expected,
    answers: Vec<Answer>,
}

/// Looks at all of it. `roots` are the front pages that have come already.
pub async fn results(round: &Round<'_>, lines: &mut [Line], roots: &[Answer], report: &mut Report) {
    let mut found = Findings::default();
    let Some(first) = lines.first_mut() else { return };
    let proof = proof(first, &mut found).await;
    report.responses += proof.answers.len() as u64;
    let (corte, list) = (prove(round, &proof, &mut found), list(&proof, &mut found));
    // What is signed counts more than what is said.
    let expected = corte.as_ref().map_or_else(
        || proof.expected.clone(),
        |corte| Expected { corte: corte.id.to_string(), fecha_hora: corte.fecha_hora.clone() },
    );
    report.corte = Some(expected.corte.clone());
    report.fecha_hora = Some(expected.fecha_hora.clone());
    for answer in proof.answers.iter().chain(roots) {
        judge::manners(answer, &mut found);
        judge::state(answer, round.estado.state, &mut found);
        expected.check(answer, &mut found);
        judge::digests_of(answer, &mut found);
    }
    if let Some(corte) = &corte {
        report.age_s = Some(round.now.duration_since(corte.instant).as_secs());
        age(round, corte, &mut found);
        let says_drill = roots.iter().all(|root| root.field(&CORTE_TIPO) == Some("simulacro"));
        if corte.tipo == Tipo::Simulacro && !says_drill {
            found.fault("corte", "the corte is of a drill, but not every response says corte-tipo: simulacro");
        }
    }
    if let Some(list) = list {
        let all = list.files.len();
        let front = list.files.iter().find(|(path, _)| path == "index.html").map(|(_, digest)| *digest);
        for (root, digest) in roots.iter().filter_map(|root| Some((root, front?))) {
            judge::file(root, &digest, Coding::Identity, &mut found);
        }
        let chosen = sample(list.files, round.asked.sample);
        let (state, progress) = (round.estado.state, round.progress.clone());
        let left_out = LeftOut::of(round.estado);
        let files = Files { list: chosen.clone(), expected: expected.clone(), state, left_out, progress };
        let came = files::files(files, lines).await;
        let left_out = came.left_out.len();
        report.files = (chosen.len() - left_out, all);
        (report.left_out, report.bytes) = (left_out, report.bytes + came.bytes);
        report.responses += came.codings.iter().sum::<u64>();
        found.merge(came.found);
        if !found.has_fault("files") {
            let told = told(report.files, left_out, &came.codings);
            match left_out {
                0 => found.reword("files", told),
                n => found.warn("files", format!("{told}; {n} left out for now, as estado.json says: ask again later")),
            }
        }
        let one = chosen.into_iter().enumerate().find(|(at, _)| !came.left_out.contains(at)).map(|(_, one)| one);
        report.responses += pinned(lines, &expected, &proof, one, &mut found).await;
    }
    report.responses += 1;
    if let (Some(line), Some(sums)) = (lines.first_mut(), &proof.sums) {
        chain(line, &expected, &Digest::of(sums), round.estado.state, &mut found).await;
    }
    report.findings.merge(found);
}

async fn proof(line: &mut Line, found: &mut Findings) -> Proof {
    let paths = [
        ("/.prep/SHA256SUMS", SUMS_BYTES, "list"),
        ("/.prep/SHA256SUMS.sig", SIGNATURE_BYTES, "signature"),
        ("/.prep/corte.original.json", CORTE_JSON_BYTES, "original"),
    ];
    let mut answers = Vec::new();
    let mut came = [None, None, None];
    for (n, (path, most, check)) in paths.into_iter().enumerate() {
        match line.ask(&Wanted::small(path, most)).await {
            Ok(answer) if answer.status == 200 => {
                match &answer.body.plain {
                    Ok(_) => came[n] = Some(answer.body.bytes.clone()),
                    Err(why) => found.fault(check, format!("{}: {why}", answer.asked)),
                }
                answers.push(answer);
            }
            Ok(answer) => found.fault(check, format!("{}: {}, expected 200", answer.asked, answer.status)),
            Err(why) => found.fault(check, why),
        }
    }
    let said = |name| answers.first().and_then(|answer| answer.field(name)).unwrap_or_default().to_owned();
    let expected = Expected { corte: said(&judge::CORTE), fecha_hora: said(&judge::CORTE_FECHA_HORA) };
    let [sums, signature, original] = came;
    Proof { sums, signature, original, expected, answers }
}

/// The signed `corte.json`, if it holds.
fn prove(round: &Round, proof: &Proof, found: &mut Findings) -> Option<Corte> {
    let expected = Expectations {
        trust: Trust::Signed,
        eleccion: None,
        tipo: None,
        signers: &round.asked.signers,
        identity: round.asked.identity.clone(),
        now: round.now,
    };
    let preamble = Preamble::of(proof.original.clone(), proof.sums.clone(), proof.signature.clone());
    if let Ok(Some((signer, fingerprint))) = preamble.proof(&expected).map(|proof| proof.signer_and_key()) {
        found.ok("signature", format!("the list is signed by {signer}, {fingerprint}"));
    }
    match preamble.check(&expected) {
        Ok(announced) => {
            found.ok("original", "corte.json is the one of the signed list");
            Some(announced.corte)
        }
        Err(refusal) => {
            let check = check_of(&refusal);
            found.fault(check, format!("{}: {refusal}", refusal.code()));
            None
        }
    }
}

/// Under which check a refusal is told.
fn check_of(refusal: &Refusal) -> &'static str {
    use Refusal::*;
    match refusal {
        SignatureMissing | SignatureMalformed { .. } | SignatureWrong { .. } | KeyUnknown { .. } => "signature",
        NamespaceOther { .. } | KeyNotForNamespace { .. } | KeyOutsideDates { .. } | IdentityOther { .. } => {
            "signature"
        }
        CorteMissing | CorteMalformed { .. } | FileDiffers { .. } | FileExtra { .. } | MinuteOther { .. } => "original",
        ElectionOther { .. } | TipoOther { .. } => "original",
        Future { .. } => "age",
        _ => "list",
    }
}

fn list(proof: &Proof, found: &mut Findings) -> Option<Sums> {
    match Sums::parse(proof.sums.as_ref()?) {
        Ok(list) => {
            found.ok("list", format!("{} files", list.files.len()));
            Some(list)
        }
        Err(refusal) => {
            found.fault("list", format!("{}: {refusal}", refusal.code()));
            None
        }
    }
}

/// So many of them at random, in random order; all where there is no number.
fn sample(mut files: Vec<(String, Digest)>, many: Option<usize>) -> Vec<(String, Digest)> {
    let Some(many) = many.filter(|many| *many < files.len()) else { return files };
    for at in 0..many {
        // Without the system's dice the first ones will do.
        let dice = usize::try_from(getrandom::u64().unwrap_or(0) >> 1).unwrap_or(0);
        let other = at + dice % (files.len() - at);
        files.swap(at, other);
    }
    files.truncate(many);
    files
}

fn told((files, all): (usize, usize), left_out: usize, codings: &[u64; 4]) -> String {
    let which = match files + left_out == all {
        true if left_out == 0 => format!("all {all} files"),
        true => format!("{files} of {all} files"),
        false => format!("{files} of {all} files, at random,"),
    };
    let mut by =
        CODINGS.iter().zip(codings).filter(|(_, n)| **n > 0).map(|(coding, n)| format!("{n} {}", coding.name()));
    let by: Vec<String> = by.by_ref().collect();
    format!("{which} are as listed: {} responses", by.join(", "))
}

/// That the corte is not older than the state lets it be.
fn age(round: &Round, corte: &Corte, found: &mut Findings) {
    let (estado, now) = (round.estado, round.now);
    // What came before the opening counts from then on.
    let base = corte.instant.max(estado.opens.filter(|opens| *opens <= now).unwrap_or(corte.instant));
    let age = now.duration_since(base);
    let state = estado.state.token();
    let limit = judge::oldest_s(estado.state, estado.interval_of_call_s());
    let blur = estado.blur_s();
    let limit = limit.map(|limit| round.asked.max_age_s.unwrap_or(limit).saturating_add(blur));
    let shown = |age: SignedDuration| format!("{} min {} s", age.as_mins(), age.as_secs() % 60);
    match limit {
        _ if age.as_secs() < -judge::CLOCKS_S - blur => {
            found.fault("age", format!("{} is in the future", corte.fecha_hora))
        }
        Some(limit) if age.as_secs() > limit => {
            let limit = shown(SignedDuration::from_secs(limit));
            found.fault("age", format!("{} old, but it says {state}, which is at most {limit}", shown(age)));
        }
        Some(_) => found.ok("age", format!("{} old, as {state} may be", shown(age))),
        None if estado.state == State::Interrupted => {}
        None => found.ok("age", format!("{} ({state}: no more are expected)", corte.fecha_hora)),
    }
}

/// The same bytes under the URL that names the corte; the number of responses.
async fn pinned(
    lines: &mut [Line],
    expected: &Expected,
    proof: &Proof,
    one: Option<(String, Digest)>,
    found: &mut Findings,
) -> u64 {
    let base = format!("/.prep/c/{}", encoded(&expected.corte).trim_start_matches('/'));
    let sums = proof.sums.as_ref().map(|sums| ("/.prep/SHA256SUMS".to_owned(), Digest::of(sums)));
    let files: Vec<_> = sums.into_iter().chain(one.map(|(path, digest)| (encoded(&path), digest))).collect();
    let mut count = 0;
    for line in lines {
        for (path, digest) in &files {
            count += 1;
            let answer = match line.ask(&Wanted::file(format!("{base}{path}"), Coding::Identity)).await {
                Ok(answer) => answer,
                Err(why) => {
                    found.fault("pinned", why);
                    continue;
                }
            };
            judge::manners(&answer, found);
            expected.check(&answer, found);
            let asked = &answer.asked;
            match &answer.body.plain {
                _ if answer.status != 200 => {
                    found.fault("pinned", format!("{asked}: {}, expected 200", answer.status));
                }
                Ok(plain) if plain == digest => found.ok("pinned", format!("the same bytes under {base}/")),
                _ => found.fault("pinned", format!("{asked}: not the bytes of the list")),
            }
        }
    }
    count
}

async fn chain(line: &mut Line, expected: &Expected, sums: &Digest, state: State, found: &mut Findings) {
    let answer = match line.ask(&Wanted::small("/.prep/cortes", CHAIN_BYTES)).await {
        Ok(answer) if answer.status == 200 => answer,
        Ok(answer) => return found.fault("chain", format!("{}: {}, expected 200", answer.asked, answer.status)),
        Err(why) => return found.fault("chain", why),
    };
    judge::manners(&answer, found);
    judge::state(&answer, state, found);
    expected.check(&answer, found);
    judge::digests_of(&answer, found);
    let chain = answer.body.plain.as_ref().map_err(ToString::to_string);
    let checked = chain.and_then(|_| Chain::parse(&answer.body.bytes)).and_then(|chain| {
        let holds = chain.check(&expected.corte, sums)?;
        Ok((chain.0.len(), chain.0.last().map(|last| last.link.to_string()).unwrap_or_default(), holds))
    });
    match checked {
        Err(why) => found.fault("chain", format!("/.prep/cortes: {why}")),
        Ok((links, last, Holds::FromTheFirst)) => {
            found.ok("chain", format!("{}, from the first to {}...", hold(links), &last[..12.min(last.len())]));
        }
        Ok((links, _, Holds::WithGaps(gaps))) => {
            found.ok("chain", format!("{}; {gaps} times some are no longer listed", hold(links)));
        }
    }
}

fn hold(links: usize) -> String {
    if links == 1 { "1 link holds".into() } else { format!("{links} links hold") }
}
