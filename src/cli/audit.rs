//! `difusor audit`: does a difusor show what the authority sent? From outside, by anybody.

use std::fs;
use std::future::Future;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::{FAILED, WRONG_USE, watch};
use crate::base::clock::Clock;
use crate::base::units::{self, show_size};
use crate::corte::Signers;
use crate::inspect::{Asked, Progress, Report, Target, Trusted, Verdict, audit};

/// It can be reached, and shows no results now, as it should.
const NO_RESULTS: u8 = 3;
/// How often progress is shown.
const SHOW_EVERY: Duration = Duration::from_millis(250);
/// Files that each round of a watch looks at, where nobody says.
const WATCH_SAMPLE: usize = 10;

/// Check from outside that a difusor shows what the authority sent
///
/// Fetches the signed list and verifies its signature; then every file in every coding, over HTTP/1.1 and HTTP/2, and
/// compares it with the list. Checks digests, entity tags, the corte in every response, its age, the URL that names the
/// corte, the chain of accepted cortes, TLS and certificate; and, where no results should be shown, that none are. Nothing
/// is sent but requests of the kind that any browser sends. Exit codes: 0 it shows what the authority sent; 1 something
/// differs, or it cannot be reached; 2 wrong use; 3 it shows no results now, and should not (before the opening,
/// interrupted, closed). Of several difusores the worst counts: 1, then 3.
#[derive(clap::Args)]
pub struct Args {
    /// Difusores, such as https://prep2026.example.mx
    #[arg(value_name = "URL", required = true)]
    urls: Vec<Target>,
    /// Who may sign: an allowed signers file as ssh-keygen(1) describes
    #[arg(long, value_name = "FILE")]
    signers: PathBuf,
    /// The principal that must have signed; without it, anyone in the signers file
    #[arg(long, value_name = "NAME")]
    identity: Option<String>,
    /// Certificate authorities besides those that this machine trusts, in PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Look at so many files only, chosen at random
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    sample: Option<u32>,
    /// How old a corte may be while more are expected, such as 15m; without it, what the state that the difusor tells lets it be
    #[arg(long, value_name = "AGE", value_parser = units::duration)]
    max_age: Option<Duration>,
    /// Look again and again, as a table; 10 files at random each time, unless --sample says otherwise [default: 30s]
    #[arg(long, value_name = "EVERY", num_args = 0..=1, require_equals = true, default_missing_value = "30s", value_parser = units::duration)]
    watch: Option<Duration>,
    /// Print one JSON object for each difusor, on a line of its own
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> ExitCode {
    let asked = match asked(args) {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("difusor audit: {why}");
            return ExitCode::from(WRONG_USE);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("difusor audit: {error}");
            return ExitCode::from(FAILED);
        }
    };
    if let Some(every) = args.watch {
        runtime.block_on(watch::run(args.urls.clone(), asked, every, args.json));
        // Nobody is left who reads it.
        return ExitCode::SUCCESS;
    }
    let (clock, mut worst) = (Clock::machine(), Verdict::AsSent);
    for (n, target) in args.urls.iter().enumerate() {
        let progress = Arc::new(Progress::default());
        let looking = audit(target, &asked, &clock, progress.clone());
        let report = runtime.block_on(showing(looking, &progress));
        worst = match (worst, report.verdict()) {
            (Verdict::Differs, _) | (_, Verdict::Differs) => Verdict::Differs,
            (Verdict::NoResults, _) | (_, Verdict::NoResults) => Verdict::NoResults,
            _ => Verdict::AsSent,
        };
        let between = if n > 0 && !args.json { "\n" } else { "" };
        let text = if args.json { format!("{}\n", report.to_json()) } else { as_text(&report) };
        // A reader that went away is no failure of the check.
        let _ = stdout().write_all(format!("{between}{text}").as_bytes());
    }
    match worst {
        Verdict::AsSent => ExitCode::SUCCESS,
        Verdict::Differs => ExitCode::from(FAILED),
        Verdict::NoResults => ExitCode::from(NO_RESULTS),
    }
}

fn asked(args: &Args) -> Result<Asked, String> {
    let path = args.signers.display();
    let text = fs::read_to_string(&args.signers).map_err(|error| format!("{path}: {error}"))?;
    let signers = Signers::parse(&text).map_err(|fault| format!("{path}:\n{fault}"))?;
    let trusted = Trusted::new(args.ca.as_deref()).map_err(|fault| fault.to_string())?;
    let sample = args.sample.and_then(|n| usize::try_from(n).ok());
    Ok(Asked {
        signers,
        identity: args.identity.clone(),
        trusted,
        sample: sample.or(args.watch.map(|_| WATCH_SAMPLE)),
        max_age_s: args.max_age.and_then(|age| i64::try_from(age.as_secs()).ok()),
    })
}

/// Waits, and shows on a terminal how far it is.
async fn showing(looking: impl Future<Output = Report>, progress: &Progress) -> Report {
    let is_shown = stderr().is_terminal();
    let mut looking = std::pin::pin!(looking);
    let mut ticks = tokio::time::interval(SHOW_EVERY);
    loop {
        tokio::select! {
            report = &mut looking => {
                if is_shown {
                    eprint!("\r\x1b[K");
                }
                return report;
            }
            _ = ticks.tick() => {
                let (done, total) = progress.read();
                if is_shown && total > 0 {
                    eprint!("\r{done} of {total} responses\x1b[K\r");
                }
            }
        }
    }
}

/// `4 min`, for tables.
pub(super) fn age(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

fn as_text(report: &Report) -> String {
    let mut text = format!("{}: {}\n", report.url, report.verdict().words());
    let dash = || "-".to_owned();
    let corte = match (&report.corte, &report.fecha_hora) {
        (Some(corte), Some(fecha_hora)) => format!("{corte}, {fecha_hora}"),
        (corte, _) => corte.clone().unwrap_or_else(dash),
    };
    let old = report.age_s.map(|seconds| format!(", {} old", age(seconds))).unwrap_or_default();
    let drill = if report.is_drill { " (a drill: no results of the election)" } else { "" };
    let (state, bytes) = (report.state.clone().unwrap_or_else(dash), show_size(report.bytes));
    let (files, all) = report.files;
    let rows = [
        ("state", format!("{state}{drill}")),
        ("corte", format!("{corte}{old}")),
        (
            "looked at",
            format!(
                "{files} of {all} files, {} responses, {bytes} in {:.1} s",
                report.responses,
                report.took.as_secs_f64()
            ),
        ),
    ];
    for (name, value) in rows {
        text += &format!("  {name:<11} {value}\n");
    }
    text.push('\n');
    for check in report.findings.checks() {
        text += &format!("  {:<5}  {:<11}  {}\n", check.mark.word(), check.name, check.what);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        for (seconds, shown) in [(-3, "-3 s"), (59, "59 s"), (240, "4 min"), (7_200, "2 h")] {
            assert_eq!(age(seconds), shown);
        }
    }
}
