//! `difusor readers`: a crowd of simulated readers, for load tests and drills.

use std::fs;
use std::future::Future;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::{FAILED, WRONG_USE, signals};
use crate::base::units;
use crate::readers::keep::Mode;
use crate::readers::plan::{PATHS_MAX, Plan, Site};
use crate::readers::{Door, Report, Run};

/// How often progress is shown.
const SHOW_EVERY: Duration = Duration::from_millis(250);
/// Characters of the bar.
const BAR: usize = 24;

/// Simulate readers, for load tests and drills
///
/// Each reader opens the page, looks at the files, and asks for the poll file again and again; when that names another corte, he
/// asks for the files anew. Each has a cache as browsers have: validators, max-age, stale-while-revalidate, and compression dictionaries
/// (RFC 9842). Every body is decoded and compared with its digests (RFC 9530) and its entity tag. Requests are due at
/// their times whether answers come or not, and waiting counts since then. Many readers share few connections. Ctrl-C ends it and reports. Exit
/// codes: 0 all was right; 1 something was wrong, or nothing came; 2 wrong use.
#[derive(clap::Args)]
pub struct Args {
    /// The page, such as http://127.0.0.1:8080/
    #[arg(value_name = "URL")]
    url: Site,
    /// How many readers
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    readers: u32,
    /// How long
    #[arg(long = "for", value_name = "DURATION", default_value = "60s", value_parser = units::duration)]
    duration: Duration,
    /// Requests a second, at most; without it, as many as are due
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate_max: Option<u32>,
    /// Connections that all readers share
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=20_000))]
    connections: u16,
    /// From one look at the poll file to the next
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = units::duration)]
    poll: Duration,
    /// The poll file
    #[arg(long, value_name = "PATH", default_value = "/.prep/corte.json")]
    poll_file: String,
    /// A file that readers look at, at first and after each corte; may be given again
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<String>,
    /// Pause before each file, from half of it to one and a half
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = units::duration_or_zero)]
    think: Duration,
    /// Let the browser's cache answer polls and files while they are fresh, as pages do that know nothing of cortes
    #[arg(long)]
    from_cache: bool,
    /// Part of them who come for each corte and go again
    #[arg(long, value_name = "PERCENT", default_value = "30%", value_parser = percent)]
    comers: f64,
    /// How long after a corte they come, most of them at once
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = units::duration)]
    rush: Duration,
    /// How long each of them stays
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = units::duration)]
    stay: Duration,
    /// Part of those who come again whose caches still have what they had
    #[arg(long, value_name = "PERCENT", default_value = "70%", value_parser = percent)]
    returning: f64,
    /// Part of them whose browsers know compression dictionaries
    #[arg(long, value_name = "PERCENT", default_value = "70%", value_parser = percent)]
    dictionaries: f64,
    /// Part of them who come over HTTP/2 [default: 100% for https, 0% for http]
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    http2: Option<f64>,
    /// The same number gives the same readers
    #[arg(long, value_name = "NUMBER", default_value_t = 2026)]
    seed: u64,
    /// Certificate authorities besides those that this machine trusts, in PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The host's name once more, where it is not this machine: load may only be sent where it is meant
    #[arg(long, value_name = "HOST")]
    i_mean: Option<String>,
    /// The report as JSON, into a file, or - for standard output in place of the text
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
}

pub fn run(args: &Args) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return told(FAILED, &error.to_string()),
    };
    let run = runtime.block_on(async {
        let door = Door::open(args.url.clone(), args.i_mean.as_deref(), args.ca.as_deref()).await;
        let door = door.map_err(|fault| fault.to_string())?;
        let stop = signals::stop().map_err(|error| error.to_string())?;
        let plan = plan(args)?;
        let run = Run::start(plan, door, usize::from(args.connections));
        let run = run.ok_or("expected paths that begin with a slash and are encoded as in a URL")?;
        Ok::<_, String>(watched(run, args.duration, stop).await)
    });
    let report = match run {
        Ok(report) => report,
        Err(why) => return told(WRONG_USE, &why),
    };
    if let Err(why) = tell(&report, args.json.as_deref()) {
        return told(FAILED, &why);
    }
    if report.errors() > 0 || report.answers == 0 { ExitCode::from(FAILED) } else { ExitCode::SUCCESS }
}

fn told(code: u8, why: &str) -> ExitCode {
    eprintln!("difusor readers: {why}");
    ExitCode::from(code)
}

fn plan(args: &Args) -> Result<Plan, String> {
    if args.paths.len() > PATHS_MAX {
        return Err(format!("{} paths; {PATHS_MAX} are enough", args.paths.len()));
    }
    Ok(Plan {
        readers: args.readers,
        comers: args.comers,
        rush: args.rush,
        stay: args.stay,
        returning: args.returning,
        dictionaries: args.dictionaries,
        http2: args.http2.unwrap_or(if args.url.origin.is_secure { 1.0 } else { 0.0 }),
        poll: args.poll,
        think: args.think,
        mode: if args.from_cache { Mode::Default } else { Mode::NoCache },
        page: args.url.page.clone(),
        poll_file: args.poll_file.clone(),
        paths: args.paths.clone(),
        rate_max: args.rate_max,
        seed: args.seed,
    })
}

/// Waits for the end of the time, or a signal; shows on a terminal how far it is.
async fn watched(run: Run, duration: Duration, stop: impl Future<Output = &'static str>) -> Report {
    let is_shown = stderr().is_terminal();
    let (mut stop, mut over) = (std::pin::pin!(stop), std::pin::pin!(tokio::time::sleep(duration)));
    let mut ticks = tokio::time::interval(SHOW_EVERY);
    loop {
        tokio::select! {
            _ = &mut stop => break,
            () = &mut over => break,
            _ = ticks.tick(), if is_shown => show(&run, duration),
        }
    }
    if is_shown {
        eprint!("\r\x1b[K");
    }
    run.end()
}

fn show(run: &Run, duration: Duration) {
    let now = run.progress();
    let part = (now.took.as_secs_f64() / duration.as_secs_f64()).clamp(0.0, 1.0);
    let done = (part * BAR as f64) as usize;
    let bar = format!("{}{}", "#".repeat(done), ".".repeat(BAR - done));
    let rate = now.answers as f64 / now.took.as_secs_f64().max(1e-3);
    let (took, whole) = (now.took.as_secs(), duration.as_secs());
    eprint!(
        "\r[{bar}] {took} of {whole} s  {} answers, {rate:.0}/s, p99 {:.1} ms, {} errors\x1b[K",
        now.answers, now.p99_ms, now.errors
    );
}

fn tell(report: &Report, json: Option<&Path>) -> Result<(), String> {
    let as_json = || format!("{:#}\n", report.to_json());
    let text = match json {
        Some(path) if path == Path::new("-") => as_json(),
        Some(path) => {
            fs::write(path, as_json()).map_err(|error| format!("{}: {error}", path.display()))?;
            report.to_text()
        }
        None => report.to_text(),
    };
    // A reader that went away is no failure of the run.
    let _ = stdout().write_all(text.as_bytes());
    Ok(())
}

/// Reads `70%` as 0.7.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.parse::<f64>().ok());
    number
        .filter(|number| (0.0..=100.0).contains(number))
        .map(|number| number / 100.0)
        .ok_or_else(|| format!("`{text}` is no part of readers; expected such as 70%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_percentages() {
        assert_eq!((percent("70%"), percent("0%"), percent("12.5%")), (Ok(0.7), Ok(0.0), Ok(0.125)));
        for bad in ["70", "101%", "-1%", "NaN%", "%", ""] {
            assert!(percent(bad).is_err(), "{bad}");
        }
    }
}
