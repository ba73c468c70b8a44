//! `difusor show`: one corte of the vault, verified again, or one of its files.

use std::io::{Write, stdout};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::cortes::{Opened, Which, live_since, local, open, state};
use super::{FAILED, WRONG_USE};
use crate::base::units;
use crate::corte::{self, CorteId, Expectations, Verified};
use crate::store::{Entry, Ledger};

/// Show a corte of the vault, or one of its files; every byte is verified again
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which one, such as 20260607_2010
    #[arg(value_name = "CORTE")]
    corte: CorteId,
    /// A file, as in SHA256SUMS: sitio/index.html, corte.json; its bytes go to standard output
    #[arg(value_name = "PATH")]
    path: Option<String>,
    #[command(flatten)]
    vault: Which,
    /// Print one JSON object
    #[arg(long, conflicts_with = "path")]
    json: bool,
}

pub fn run(args: &Args) -> ExitCode {
    let Opened { ledger, settings, kind } = match open(&args.vault, "show") {
        Ok(opened) => opened,
        Err(code) => return code,
    };
    let Some(entry) = ledger.entry(args.corte) else {
        eprintln!("difusor show: corte {} is not in the vault; `difusor cortes` lists what is", args.corte);
        return ExitCode::from(FAILED);
    };
    let intake = &settings.intake;
    let expected = Expectations {
        trust: entry.facts.trust,
        eleccion: Some(intake.election.clone()),
        tipo: Some(kind),
        signers: &intake.signers,
        identity: intake.identity.clone(),
        now: entry.facts.verified,
    };
    let restored = ledger.restore(entry, &intake.limits, &|_| None).map_err(|why| why.to_string());
    let verified = restored.and_then(|restored| {
        let (json, sums, signature) = (restored.corte_json, restored.sums, restored.signature);
        corte::restore(json, sums, signature, restored.files, entry.facts.trust, &expected)
            .map_err(|refusal| format!("{}: {refusal}", refusal.code()))
    });
    let verified = match verified {
        Ok(verified) => verified,
        Err(why) => {
            eprintln!("difusor show: {why}; it will not be served");
            return ExitCode::from(FAILED);
        }
    };
    let out = match &args.path {
        Some(path) => match file(&verified, path) {
            Some(bytes) => bytes.to_vec(),
            None => {
                eprintln!("difusor show: {path}: no such file in corte {}", args.corte);
                return ExitCode::from(WRONG_USE);
            }
        },
        None if args.json => format!("{}\n", as_json(&ledger, entry, &verified)).into_bytes(),
        None => as_text(&ledger, entry, &verified).into_bytes(),
    };
    // A reader that went away is no failure.
    let _ = stdout().write_all(&out);
    ExitCode::SUCCESS
}

fn file<'v>(verified: &'v Verified, path: &str) -> Option<&'v [u8]> {
    match path {
        "corte.json" => Some(verified.corte_json()),
        "SHA256SUMS" => Some(verified.sums()),
        "SHA256SUMS.sig" => verified.trust().signature().map(|signature| &signature[..]),
        _ => {
            let path = path.strip_prefix("sitio/").unwrap_or(path);
            verified.files().iter().find(|file| file.path == path).map(|file| &file.bytes[..])
        }
    }
}

fn as_json(ledger: &Ledger, entry: &Entry, verified: &Verified) -> Value {
    let mut value = json!(entry);
    value["state"] = state(ledger, entry.corte).into();
    value["live_since"] = json!(live_since(&ledger.history(), entry.corte));
    let file =
        |file: &corte::File| json!({ "path": file.path, "sha256": file.digest.to_string(), "bytes": file.bytes.len() });
    value["contents"] = verified.files().iter().map(file).collect();
    value
}

fn as_text(ledger: &Ledger, entry: &Entry, verified: &Verified) -> String {
    let (facts, history) = (&entry.facts, ledger.history());
    let signed = match (&facts.signer, &facts.fingerprint) {
        (Some(signer), Some(fingerprint)) => format!("{signer}, {fingerprint}"),
        _ => format!("nobody; trust = \"{}\"", facts.trust),
    };
    let mut text = format!(
        "corte      {}\nstate      {}\nstamp      {}\nreceived   {}\nverified   {}\n",
        entry.corte,
        state(ledger, entry.corte),
        facts.fecha_hora,
        local(facts.received, entry),
        local(facts.verified, entry),
    );
    for moment in history.iter().filter(|moment| moment.corte == entry.corte) {
        let reason = moment.reason.as_ref().map(|reason| format!("  {reason}")).unwrap_or_default();
        text += &format!("{:<10} {}{reason}\n", format!("{:?}", moment.what).to_lowercase(), local(moment.at, entry));
    }
    let (size, files, changed) = (units::show_size(facts.bytes), facts.files, facts.changed);
    text += &format!("source     {}\nsigner     {signed}\nsums       {}\n", facts.source, entry.sums);
    text += &format!("files      {files}, {changed} changed, {size}; all verified again just now\n\n");
    for file in verified.files() {
        text += &format!("{}  {:>12}  sitio/{}\n", file.digest, file.bytes.len(), file.path);
    }
    text
}
