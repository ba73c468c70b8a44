//! `difusor cortes`: what is in the vault, whether the service runs or not.

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use jiff::Timestamp;
use jiff::fmt::temporal::Pieces;
use jiff::tz::{Offset, TimeZone};
use serde_json::{Value, json};

use super::serve::REHEARSAL;
use super::{FAILED, WRONG_USE};
use crate::base::clock::Clock;
use crate::base::disk::Disk;
use crate::base::units;
use crate::config::{self, Settings};
use crate::corte::{CorteId, Tipo};
use crate::store::{Entry, Ledger, Moment, Shown, Vault};

/// List the cortes in the vault, the latest first
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    vault: Which,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Whose vault.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// The settings, which name the vault and the signers
    #[arg(long, value_name = "FILE", default_value = "difusor.toml")]
    config: PathBuf,
    /// The vault of the rehearsal that began at this moment (`serve --clock`)
    #[arg(long, value_name = "TIME", value_parser = super::moment)]
    clock: Option<Timestamp>,
}

pub fn run(args: &Args) -> ExitCode {
    let Opened { ledger, .. } = match open(&args.vault, "cortes") {
        Ok(opened) => opened,
        Err(code) => return code,
    };
    let history = ledger.history();
    let rows = ledger.entries().iter().rev().map(|entry| (entry, state(&ledger, entry.corte)));
    let text = if args.json {
        rows.map(|(entry, state)| format!("{}\n", as_json(entry, state, &history))).collect()
    } else {
        as_table(rows, &history)
    };
    // A reader that went away is no failure of the list.
    let _ = stdout().write_all(text.as_bytes());
    if ledger.unreadable.is_empty() {
        return ExitCode::SUCCESS;
    }
    for (name, why) in &ledger.unreadable {
        eprintln!("difusor cortes: {name} cannot be read: {why}");
    }
    ExitCode::from(FAILED)
}

/// What the settings name.
pub(super) struct Opened {
    pub ledger: Ledger,
    pub settings: Settings,
    /// Of the cortes in it.
    pub kind: Tipo,
}

/// The ledger that the settings name, for reading.
pub(super) fn open(which: &Which, verb: &str) -> Result<Opened, ExitCode> {
    let settings = config::load(&which.config).map_err(|faults| {
        eprintln!("{faults}");
        ExitCode::from(WRONG_USE)
    })?;
    let intake = &settings.intake;
    let state = if which.clock.is_some() { intake.state.join(REHEARSAL) } else { intake.state.clone() };
    let kind = kind(&settings, which.clock.unwrap_or_else(|| Clock::machine().now()));
    let root = Vault::root(&state, &intake.election, kind);
    match Ledger::read(&Disk::machine(), &root) {
        Ok(ledger) => Ok(Opened { ledger, settings, kind }),
        Err(error) => {
            eprintln!("difusor {verb}: {}: {error}; is it this user's to read?", root.display());
            Err(ExitCode::from(FAILED))
        }
    }
}

/// The kind of cortes that are taken in at that moment.
pub(super) fn kind(settings: &Settings, at: Timestamp) -> Tipo {
    let calendar = &settings.intake.calendar;
    calendar.windows()[calendar.governing(at)].kind
}

/// Where a corte stands.
pub(super) fn state(ledger: &Ledger, corte: CorteId) -> &'static str {
    match ledger.head() {
        Some(head) if head.corte == corte && head.hold.is_some() => "live, held",
        Some(head) if head.corte == corte => "live",
        Some(head) if head.has_withdrawn(corte) => "withdrawn",
        Some(head) if head.corte < corte && head.hold.is_some() => "held back",
        Some(head) if head.corte < corte => "not shown",
        Some(_) => "earlier",
        None => "never shown",
    }
}

/// Since when it was shown, the last time.
pub(super) fn live_since(history: &[Moment], corte: CorteId) -> Option<Timestamp> {
    let shows = |moment: &&Moment| moment.corte == corte && matches!(moment.what, Shown::Live | Shown::Rollback);
    let released = |moment: &&Moment| moment.corte == corte && moment.what == Shown::Release;
    history.iter().rfind(shows).or_else(|| history.iter().find(released)).map(|moment| moment.at)
}

fn as_json(entry: &Entry, state: &str, history: &[Moment]) -> Value {
    let mut value = json!(entry);
    value["state"] = state.into();
    value["live_since"] = json!(live_since(history, entry.corte));
    value
}

/// A moment in the offset of the authority's own stamp, without its seconds' fraction.
pub(super) fn local(at: Timestamp, entry: &Entry) -> String {
    let written = Pieces::parse(&entry.facts.fecha_hora).ok().and_then(|pieces| pieces.to_numeric_offset());
    let zone = TimeZone::fixed(written.unwrap_or(Offset::UTC));
    at.to_zoned_datetime(zone).strftime("%m-%d %H:%M:%S").to_string()
}

const HEADINGS: [&str; 10] =
    ["CORTE", "STATE", "RECEIVED", "VERIFIED", "LIVE SINCE", "FILES", "CHANGED", "SIZE", "SIGNER", "SOURCE"];
/// Columns of numbers stand at the right.
const NUMBERS: std::ops::Range<usize> = 5..8;

fn as_table<'e>(rows: impl Iterator<Item = (&'e Entry, &'static str)>, history: &[Moment]) -> String {
    let mut lines = vec![HEADINGS.map(str::to_owned)];
    lines.extend(rows.map(|(entry, state)| {
        let facts = &entry.facts;
        [
            entry.corte.to_string(),
            state.to_owned(),
            local(facts.received, entry),
            local(facts.verified, entry),
            live_since(history, entry.corte).map_or_else(|| "-".into(), |at| local(at, entry)),
            facts.files.to_string(),
            facts.changed.to_string(),
            units::show_size(facts.bytes),
            facts.signer.clone().unwrap_or_else(|| format!("({})", facts.trust)),
            facts.source.clone(),
        ]
    }));
    let width = |n: usize| lines.iter().map(|line| line[n].chars().count()).max().unwrap_or(0);
    let widths: [usize; 10] = std::array::from_fn(width);
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().enumerate().map(|(n, cell)| match NUMBERS.contains(&n) {
            true => format!("{cell:>width$}", width = widths[n]),
            false => format!("{cell:<width$}", width = widths[n]),
        });
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    if lines.len() == 1 {
        text = "the vault is empty\n".into();
    }
    text
}
