//! `difusor notify`, `rollback`, `hold`, `release`, `final`, `resume`, `purge`: what is asked of the service that runs on this machine.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use super::serve::REHEARSAL;
use super::{FAILED, WRONG_USE};
use crate::admin::client::{Answer, AskFault, ask};
use crate::admin::socket_path;
use crate::config;
use crate::corte::CorteId;

/// A notice is heard at once, or not at all: whoever has sent a package must not wait.
const NOTICE_MAX: Duration = Duration::from_secs(5);
/// The operator may be in the middle of a large package.
const WISH_MAX: Duration = Duration::from_secs(620);

/// Tell the service that a transfer into the incoming folder is over (for rsyncd's `post-xfer exec`)
///
/// Says nothing when all is well. Where rsyncd says that the transfer has failed (RSYNC_EXIT_STATUS), nothing is told to
/// the service. Exit codes: 0 it was told, or need not be; 0 too, with a line on standard error, where the service does
/// not run: it looks by itself when it starts; 1 it runs, but did not listen; 2 faulty settings.
#[derive(clap::Args)]
pub struct Notify {
    #[command(flatten)]
    service: Service,
}

/// Show an earlier corte of the vault again, and withdraw those after it
#[derive(clap::Args)]
pub struct Rollback {
    /// Which one: YYYYMMDD_HHMM, perhaps with -N
    corte: CorteId,
    /// The corte that you see and decide about; if another is shown by then nothing is done. Without it: the one that is
    /// shown as the command begins
    #[arg(long, value_name = "CORTE")]
    live: Option<CorteId>,
    #[command(flatten)]
    why: Why,
}

/// Take packages in, but show nothing new until `release`
#[derive(clap::Args)]
pub struct Hold {
    #[command(flatten)]
    why: Why,
}

/// End a hold: the latest corte goes live
#[derive(clap::Args)]
pub struct Release {
    #[command(flatten)]
    why: Why,
}

/// Say that the corte that is shown is the last one: from now on it does not count as late
#[derive(clap::Args)]
pub struct Final {
    #[command(flatten)]
    why: Why,
}

/// Show the last corte again although transmission is interrupted, for as long as if it had come just now
#[derive(clap::Args)]
pub struct Resume {
    #[command(flatten)]
    why: Why,
}

/// Forget what is cached of the origins' answers, at once
#[derive(clap::Args)]
pub struct Purge {
    #[command(flatten)]
    which: Which,
    /// Keep it, and ask the origin before it is sent again
    #[arg(long)]
    soft: bool,
    #[command(flatten)]
    service: Service,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// One address, with its query: /actas/1.jpg?v=2
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// All addresses that begin so: /actas/
    #[arg(long, value_name = "PATH")]
    prefix: Option<String>,
    /// A host, as the origin is told it
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// What the origin has marked so by Surrogate-Key or Cache-Tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Everything
    #[arg(long)]
    all: bool,
}

#[derive(clap::Args)]
struct Why {
    /// For the journal, and for everybody: it is published with the corte
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    service: Service,
}

#[derive(clap::Args)]
struct Service {
    /// The settings of the service; of them, only `state` counts here
    #[arg(long, value_name = "FILE", default_value = "difusor.toml")]
    config: PathBuf,
}

pub fn notify(args: &Notify) -> ExitCode {
    // rsyncd.conf(5): "0" for success; without rsyncd there is none.
    let failed = std::env::var("RSYNC_EXIT_STATUS").is_ok_and(|status| status != "0");
    if failed {
        return ExitCode::SUCCESS;
    }
    let socket = match socket(&args.service.config) {
        Ok(socket) => socket,
        Err(why) => return fail("notify", WRONG_USE, &why),
    };
    match ask(&socket, "POST", "/notify", "", NOTICE_MAX) {
        Ok(Answer { status: 200..=299, .. }) => ExitCode::SUCCESS,
        Ok(answer) => fail("notify", FAILED, &told(&answer)),
        Err(fault @ AskFault::Nobody(_)) => fail("notify", 0, &fault.to_string()),
        Err(fault) => fail("notify", FAILED, &fault.to_string()),
    }
}

pub fn rollback(args: &Rollback) -> ExitCode {
    let live = match args.live.map_or_else(|| shown(&args.why.service), |live| Ok(Some(live.to_string()))) {
        Ok(live) => live,
        Err((code, why)) => return fail("rollback", code, &why),
    };
    let body = json!({"corte": args.corte.to_string(), "live": live, "reason": args.why.reason});
    wish("rollback", &args.why.service, &body)
}

/// Which corte is shown now. By the time that the operator hears of a wish it may be another.
fn shown(service: &Service) -> Result<Option<String>, (u8, String)> {
    let socket = socket(&service.config).map_err(|why| (WRONG_USE, why))?;
    match ask(&socket, "GET", "/state", "", NOTICE_MAX) {
        Ok(Answer { status: 200, body }) => {
            let state: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
            Ok(state["live"]["corte"].as_str().map(str::to_owned))
        }
        Ok(answer) => Err((FAILED, told(&answer))),
        Err(fault) => Err((FAILED, fault.to_string())),
    }
}

pub fn hold(args: &Hold) -> ExitCode {
    wish("hold", &args.why.service, &json!({"reason": args.why.reason}))
}

pub fn release(args: &Release) -> ExitCode {
    wish("release", &args.why.service, &json!({"reason": args.why.reason}))
}

pub fn last(args: &Final) -> ExitCode {
    wish("final", &args.why.service, &json!({"reason": args.why.reason}))
}

pub fn resume(args: &Resume) -> ExitCode {
    wish("resume", &args.why.service, &json!({"reason": args.why.reason}))
}

pub fn purge(args: &Purge) -> ExitCode {
    let Which { path, prefix, host, tag, all } = &args.which;
    if let Some(from) = path.iter().chain(prefix).find(|from| !from.starts_with('/')) {
        let why = format!("`{from}` is no path of this site; it begins with `/`, such as /actas/1.jpg");
        return fail("purge", WRONG_USE, &why);
    }
    let body = json!({"path": path, "prefix": prefix, "host": host, "tag": tag, "all": all, "soft": args.soft});
    wish("purge", &args.service, &body)
}

fn wish(verb: &str, service: &Service, body: &serde_json::Value) -> ExitCode {
    let socket = match socket(&service.config) {
        Ok(socket) => socket,
        Err(why) => return fail(verb, WRONG_USE, &why),
    };
    match ask(&socket, "POST", &format!("/{verb}"), &body.to_string(), WISH_MAX) {
        Ok(answer @ Answer { status: 200..=299, .. }) => {
            println!("{}", answer.text("sentence").unwrap_or_default());
            ExitCode::SUCCESS
        }
        Ok(answer) => fail(verb, FAILED, &told(&answer)),
        Err(fault) => fail(verb, FAILED, &fault.to_string()),
    }
}

fn socket(config: &Path) -> Result<PathBuf, String> {
    let state = config::state(config).map_err(|faults| faults.to_string())?;
    let [real, rehearsal] = [state.clone(), state.join(REHEARSAL)].map(|state| socket_path(&state));
    // A rehearsal is asked where the real thing does not run.
    match (real, rehearsal) {
        (Ok(real), Ok(rehearsal)) if !real.exists() && rehearsal.exists() => Ok(rehearsal),
        (real, _) => real.map_err(|fault| fault.to_string()),
    }
}

fn told(answer: &Answer) -> String {
    let text = |member| answer.text(member).unwrap_or_default();
    format!("{} ({})", text("detail"), answer.status)
}

fn fail(verb: &str, code: u8, why: &str) -> ExitCode {
    eprintln!("difusor {verb}: {why}");
    ExitCode::from(code)
}
