//! `difusor verify`: checks a package and says what it is.

use std::fs;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::WRONG_USE;
use crate::base::clock::{Clock, Monotonic};
use crate::base::digest::Digest;
use crate::base::disk::Disk;
use crate::config;
use crate::corte::{
    About, Corte, Expectations, InMemory, Keep, Limits, Proof, Refusal, Signers, StampRule, Tipo, Trust, Verified,
    read, read_bare,
};
use crate::schedule::Calendar;

/// Bytes after which a package counts as large, and progress is shown.
const LARGE: u64 = 64 << 20;
/// How often progress is shown.
const EVERY: Duration = Duration::from_millis(250);

/// Check a package, or a bare tree, as the service would: paths, limits, sums, signature, stamp
///
/// Prints what the package is and who signed it, or why it is refused.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A directory, .tar, .tar.gz, .tar.zst or .zip
    #[arg(value_name = "PKG")]
    package: PathBuf,
    /// The settings of the service: what it would take, with its trust, signers, limits and, where a bare tree is its own
    /// proof, its rule for the stamp
    #[arg(long, value_name = "FILE", conflicts_with_all = ["signers", "identity", "election", "kind"])]
    config: Option<PathBuf>,
    /// Who may sign: an allowed signers file as ssh-keygen(1) describes; times without Z are of America/Monterrey
    #[arg(long, value_name = "FILE", required_unless_present = "config")]
    signers: Option<PathBuf>,
    /// The principal that must have signed; without it, anyone in the signers file
    #[arg(long, value_name = "NAME")]
    identity: Option<String>,
    /// The election that the package must be of
    #[arg(long, value_name = "ID")]
    election: Option<String>,
    /// The type that the package must have
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Kind {
    Oficial,
    Simulacro,
}

/// What a package is held to.
struct Asked {
    trust: Trust,
    signers: Signers,
    identity: Option<String>,
    election: Option<String>,
    kind: Option<Tipo>,
    limits: Limits,
    /// With `Trust::Transport`, and only then.
    transport: Option<(StampRule, About)>,
    /// With settings: in which window it would be shown.
    calendar: Option<Arc<Calendar>>,
}

/// What a package turned out to be.
struct Found {
    corte: Corte,
    files: usize,
    bytes: u64,
    sums: Digest,
    proof: Proof,
}

pub fn run(args: &Args) -> ExitCode {
    let asked = match &args.config {
        Some(file) => configured(file),
        None => typed(args),
    };
    let asked = match asked {
        Ok(asked) => asked,
        Err(fault) => {
            eprintln!("{fault}");
            return ExitCode::from(WRONG_USE);
        }
    };
    let (code, report) = match verify(&super::behind(&args.package), &asked) {
        Ok(found) if args.json => (ExitCode::SUCCESS, format!("{}\n", as_json(&found))),
        Ok(found) => (ExitCode::SUCCESS, as_text(&found, asked.calendar.as_deref())),
        Err(refusal) => {
            eprintln!("difusor verify: refused, {}: {refusal}", refusal.code());
            let json = json!({ "verified": false, "code": refusal.code(), "reason": refusal.to_string() });
            (ExitCode::FAILURE, if args.json { format!("{json}\n") } else { String::new() })
        }
    };
    // A reader that went away is no failure of the check.
    let _ = stdout().write_all(report.as_bytes());
    code
}

fn typed(args: &Args) -> Result<Asked, String> {
    let file = args.signers.as_deref().unwrap_or(Path::new(""));
    let path = file.display();
    let text = fs::read_to_string(file).map_err(|error| format!("difusor verify: {path}: {error}"))?;
    Ok(Asked {
        trust: Trust::Signed,
        signers: Signers::parse(&text).map_err(|fault| format!("difusor verify: {path}:\n{fault}"))?,
        identity: args.identity.clone(),
        election: args.election.clone(),
        kind: args.kind.map(|kind| match kind {
            Kind::Oficial => Tipo::Oficial,
            Kind::Simulacro => Tipo::Simulacro,
        }),
        limits: Limits::default(),
        transport: None,
        calendar: None,
    })
}

fn configured(file: &Path) -> Result<Asked, String> {
    let settings = config::load(file).map_err(|faults| faults.to_string())?;
    let kind = super::cortes::kind(&settings, Clock::machine().now());
    let intake = settings.intake;
    let election = intake.election;
    let about = About { eleccion: election.clone(), tipo: kind, revision: 0, now: Clock::machine().now() };
    Ok(Asked {
        trust: intake.trust,
        signers: intake.signers,
        identity: intake.identity,
        election: Some(election),
        // Drills are checked before the election's window, and the election's packages in the drills'.
        kind: None,
        limits: intake.limits,
        transport: intake.transport.map(|transport| (transport.rule, about)),
        calendar: Some(intake.calendar),
    })
}

fn verify(package: &Path, asked: &Asked) -> Result<Found, Refusal> {
    let disk = Disk::machine();
    if let Some((rule, about)) = &asked.transport {
        let bare = read_bare(&disk, package, &asked.limits, &InMemory { known: &|_| None })?;
        return Ok(Found::of(&bare.stamp(rule, about)?, |bytes| bytes.len() as u64));
    }
    let progress = Progress { state: Mutex::new((0, Monotonic::now())), shown: stderr().is_terminal() };
    let package = read(&disk, package, &asked.limits, &progress)?;
    let verified = package.verify(&Expectations {
        trust: asked.trust,
        eleccion: asked.election.clone(),
        tipo: asked.kind,
        signers: &asked.signers,
        identity: asked.identity.clone(),
        now: Clock::machine().now(),
    })?;
    Ok(Found::of(&verified, |bytes| *bytes))
}

impl Found {
    fn of<B>(verified: &Verified<B>, size: impl Fn(&B) -> u64) -> Found {
        Found {
            corte: verified.corte().clone(),
            files: verified.files().len(),
            bytes: verified.files().iter().map(|file| size(&file.bytes)).sum(),
            sums: Digest::of(verified.sums()),
            proof: verified.trust().clone(),
        }
    }
}

/// Keeps nothing, and shows how far reading is.
struct Progress {
    state: Mutex<(u64, Monotonic)>,
    shown: bool,
}

impl Keep for Progress {
    type Kept = u64;
    const BYTES: bool = false;

    fn keep(&self, _: &Digest, len: u64, _: Vec<u8>) -> u64 {
        if self.shown
            && let Ok(mut state) = self.state.lock()
        {
            state.0 += len;
            if state.0 > LARGE && state.1.elapsed() > EVERY {
                state.1 = Monotonic::now();
                eprint!("\rread {} MB\x1b[K\r", state.0 / 1_000_000);
            }
        }
        len
    }
}

fn as_text(found: &Found, calendar: Option<&Calendar>) -> String {
    let corte = &found.corte;
    let count = |n: Option<u64>| n.map_or("-".into(), |n| n.to_string());
    let actas = corte.actas.map_or("not given".into(), |actas| {
        let (all, captured, counted) = (count(actas.esperadas), count(actas.capturadas), count(actas.contabilizadas));
        format!("{captured} captured, {counted} counted, of {all} expected")
    });
    let rows = [
        ("corte", format!("{}{}", corte.id, if corte.is_final { " (the last one)" } else { "" })),
        ("date, hour", corte.fecha_hora.clone()),
        ("election", corte.eleccion.clone()),
        ("type", corte.tipo.to_string()),
        ("actas", actas),
        ("files", format!("{}, {} bytes", found.files, found.bytes)),
        ("signed by", signed_by(&found.proof)),
    ];
    let window = calendar.map(|calendar| ("window", window(corte, calendar)));
    let rows = rows.into_iter().chain(window).map(|(name, value)| format!("  {name:<11} {value}\n"));
    std::iter::once("verified\n".to_string()).chain(rows).collect()
}

/// When the service would show it, if ever: packages are checked days before, so that is no reason to refuse one here.
fn window(corte: &Corte, calendar: &Calendar) -> String {
    let number = calendar.governing(corte.instant);
    let window = &calendar.windows()[number];
    if window.kind != corte.tipo {
        return format!("NONE: at its hour only `{}` is taken; see `difusor schedule`", window.kind);
    }
    if !calendar.is_for(number, corte.tipo, corte.instant) {
        return "NONE: it is older than the countdown of the first window; see `difusor schedule`".to_owned();
    }
    let opens = window.opens.to_zoned_datetime(calendar.zone().clone());
    format!("{}, opens {}", window.kind, opens.strftime("%Y-%m-%dT%H:%M:%S%:z"))
}

fn signed_by(proof: &Proof) -> String {
    match proof {
        Proof::Signed { signer, fingerprint, .. } => format!("{signer}, {fingerprint}"),
        Proof::Checksums | Proof::Transport => format!("nobody (trust: {})", proof.trust()),
    }
}

fn as_json(found: &Found) -> Value {
    let corte = &found.corte;
    json!({
        "verified": true,
        "corte": corte.id.to_string(),
        "fecha_hora": corte.fecha_hora,
        "eleccion": corte.eleccion,
        "tipo": corte.tipo.to_string(),
        "final": corte.is_final,
        "actas": corte.actas,
        "files": found.files,
        "bytes": found.bytes,
        "sums_sha256": found.sums.to_string(),
        "trust": found.proof.trust(),
        "signer": found.proof.signer(),
        "fingerprint": found.proof.fingerprint(),
    })
}
