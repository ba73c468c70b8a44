//! `difusor schedule`: the calendar, where things stand now or at any moment, and what happens next.

use std::fmt::Write as _;
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use jiff::{SignedDuration, Timestamp, ZonedDateTime};
use serde_json::json;

use super::{FAILED, WRONG_USE, ics};
use crate::base::clock::Clock;
use crate::base::disk::Disk;
use crate::config::{self, Settings};
use crate::corte::CorteId;
use crate::schedule::{Calendar, Facts, Reason, Said, Shown, State, Step, step};
use crate::store::{self, Ledger, Vault};

/// Print the calendar: windows, what the public is shown now and why, and what happens next
///
/// What has been received is read from the vault. Exit codes: 0 done, 1 the vault cannot be read, 2 faulty settings.
#[derive(clap::Args)]
pub struct Args {
    /// The settings
    #[arg(long, value_name = "FILE", default_value = "difusor.toml")]
    config: PathBuf,
    /// Another moment than now, such as 2026-06-07T18:29:59-06:00
    #[arg(long, value_name = "TIME", value_parser = super::moment)]
    at: Option<Timestamp>,
    /// For people's calendars (RFC 5545)
    #[arg(long, conflicts_with_all = ["at", "json"])]
    ics: bool,
    /// For programs
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> ExitCode {
    let settings = match config::load(&args.config) {
        Ok(settings) => settings,
        Err(faults) => {
            eprintln!("{faults}");
            return ExitCode::from(WRONG_USE);
        }
    };
    let (calendar, now) = (&settings.intake.calendar, Clock::machine().now());
    let at = args.at.unwrap_or(now);
    let text = if args.ics {
        ics::print(calendar, &settings.intake.election, now)
    } else {
        let facts = match known(&settings, at) {
            Ok(facts) => facts,
            Err(why) => {
                eprintln!("difusor schedule: {why}");
                return ExitCode::from(FAILED);
            }
        };
        let stands = step(calendar, at, &facts);
        if args.json { as_json(calendar, at, &stands) } else { as_text(&settings, at, &facts, &stands) }
    };
    // A reader that went away is no failure of the list.
    let _ = stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

/// What is shown from the vault, or was at that moment.
fn known(settings: &Settings, at: Timestamp) -> Result<Facts, String> {
    let intake = &settings.intake;
    let window = intake.calendar.governing(at);
    let kind = intake.calendar.windows()[window].kind;
    let root = Vault::root(&intake.state, &intake.election, kind);
    let ledger = Ledger::read(&Disk::machine(), &root)
        .map_err(|error| format!("{}: {error}; is it this user's to read?", root.display()))?;
    let (corte, said) = match ledger.head() {
        Some(head) if head.since <= at => {
            let said = head.said().filter(|said| said.at <= at);
            (Some(head.corte), said.map(|said| as_said(said.is_final, said.at)))
        }
        _ => past(&ledger, at),
    };
    let Some(entry) = corte.and_then(|corte| ledger.entry(corte)) else { return Ok(Facts::default()) };
    let stamp = entry.facts.instant().filter(|stamp| intake.calendar.is_for(window, kind, *stamp));
    let Some(stamp) = stamp else { return Ok(Facts::default()) };
    let is_final = ledger.corte(entry.corte).is_some_and(|corte| corte.is_final);
    Ok(Facts { shown: Some(Shown { stamp, is_final }), said })
}

/// The corte that was shown before the one that is, and what operators had said of it, as the history has it.
fn past(ledger: &Ledger, at: Timestamp) -> (Option<CorteId>, Option<Said>) {
    let mut moments = ledger.history();
    moments.retain(|moment| moment.at <= at);
    let corte = moments.last().map(|moment| moment.corte);
    let its = moments.iter().rev().take_while(|moment| Some(moment.corte) == corte);
    let mut said = its.filter_map(|moment| match moment.what {
        store::Shown::Final => Some(as_said(true, moment.at)),
        store::Shown::Resume => Some(as_said(false, moment.at)),
        _ => None,
    });
    (corte, said.next())
}

fn as_said(is_final: bool, at: Timestamp) -> Said {
    if is_final { Said::Final { at } } else { Said::Resumed { at } }
}

fn local(calendar: &Calendar, at: Timestamp) -> ZonedDateTime {
    at.to_zoned_datetime(calendar.zone().clone())
}

fn shown(calendar: &Calendar, at: Timestamp) -> String {
    local(calendar, at).strftime("%a %Y-%m-%d %H:%M:%S").to_string()
}

fn as_text(settings: &Settings, at: Timestamp, facts: &Facts, stands: &Step) -> String {
    let calendar = &settings.intake.calendar;
    let zone = calendar.zone().iana_name().unwrap_or("the settings' zone");
    let mut text = format!("{}, times of {zone}\n\n", settings.intake.election);
    let _ = writeln!(text, "  {:<9}  {:<23}  {:<23}  {:<20}  LAST CORTE BY", "KIND", "OPENS", "CLOSES", "OPENS (UTC)");
    for (n, window) in calendar.windows().iter().enumerate() {
        let mark = if n == stands.window { '>' } else { ' ' };
        let [opens, closes, ends] = [window.opens, window.closes, window.ends].map(|at| shown(calendar, at));
        let utc = window.opens.strftime("%Y-%m-%d %H:%M:%S");
        let _ = writeln!(text, "{mark} {:<9}  {opens}  {closes}  {utc}  {}", window.kind.to_string(), &ends[4..]);
    }
    let _ = writeln!(text, "\nat      {} ({})", shown(calendar, at), at.strftime("%Y-%m-%d %H:%M:%S UTC"));
    let _ = writeln!(text, "state   {} ({}): {}", name(stands.state), stands.state.token(), why(stands.reason));
    if let Some(shown_corte) = facts.shown {
        let _ = writeln!(text, "corte   {}", shown(calendar, shown_corte.stamp));
    }
    if let Some(since) = stands.since {
        let _ = writeln!(text, "since   {}", shown(calendar, since));
    }
    if let Some(due) = stands.due {
        let _ = writeln!(text, "due     {}, the next corte", shown(calendar, due));
    }
    match stands.next {
        Some(next) => {
            let then = step(calendar, next, facts);
            let left = SignedDuration::from_secs(next.duration_since(at).as_secs());
            let _ = writeln!(text, "next    {}, in {left:#}: {}", shown(calendar, next), name(then.state));
        }
        None => text += "next    nothing by time alone\n",
    }
    text
}

fn as_json(calendar: &Calendar, at: Timestamp, stands: &Step) -> String {
    let time = |at: Timestamp| local(calendar, at).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    let windows: Vec<_> = calendar
        .windows()
        .iter()
        .map(|window| {
            json!({
                "kind": window.kind,
                "opens": time(window.opens),
                "closes": time(window.closes),
                "cortes_end": time(window.ends),
                "interval_s": window.interval.as_secs(),
                "grace_s": window.grace.as_secs(),
                "periods": window.periods,
                "name": window.name,
            })
        })
        .collect();
    let value = json!({
        "zone": calendar.zone().iana_name(),
        "windows": windows,
        "at": time(at),
        "window": stands.window,
        "state": stands.state.token(),
        "why": why(stands.reason),
        "since": stands.since.map(time),
        "due": stands.due.map(time),
        "next": stands.next.map(time),
    });
    format!("{value}\n")
}

fn name(state: State) -> &'static str {
    match state {
        State::Before => "before the opening",
        State::Waiting => "open, waiting for the first corte",
        State::Current => "current",
        State::Late => "late",
        State::Interrupted => "interrupted",
        State::Final => "final",
        State::Closed => "closed",
    }
}

fn why(reason: Reason) -> &'static str {
    match reason {
        Reason::NotOpenYet => "the window has not opened; not one byte of results leaves",
        Reason::NoCorteYet => "nothing has come yet",
        Reason::Fresh => "the corte is not overdue",
        Reason::Resumed => "an operator has results shown for longer",
        Reason::Overdue => "the next corte is overdue",
        Reason::NeverBegan => "nothing has come since the opening",
        Reason::TooOld => "too many cortes are missing",
        Reason::LastByPackage => "the corte says that it is the last one",
        Reason::LastByOperator => "an operator has said that it is the last one",
        Reason::EndOfCortes => "no more cortes are expected",
        Reason::WindowOver => "the window is over",
    }
}
