//! `difusor verify`: checks a package and says what it is.

use std::fs;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use crate::base::clock::{Clock, Monotonic};
use crate::base::digest::Digest;
use crate::base::disk::Disk;
use crate::corte::{Expectations, Keep, Limits, Proof, Refusal, Signers, Tipo, Trust, Verified, read};

/// Bytes after which a package counts as large, and progress is shown.
const LARGE: u64 = 64 << 20;
/// How often progress is shown.
const EVERY: Duration = Duration::from_millis(250);

/// Check a package: paths, limits, sums, signature, stamp
///
/// Prints what the package is and who signed it, or why it is refused.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A directory, .tar, .tar.gz, .tar.zst or .zip
    #[arg(value_name = "PKG")]
    package: PathBuf,
    /// Who may sign: an allowed signers file as ssh-keygen(1) describes; times without Z are of America/Monterrey
    #[arg(long, value_name = "FILE")]
    signers: PathBuf,
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

pub fn run(args: &Args) -> ExitCode {
    let signers = match signers(args) {
        Ok(signers) => signers,
        Err(fault) => {
            eprintln!("difusor verify: {fault}");
            return ExitCode::FAILURE;
        }
    };
    let (code, report) = match verify(args, &signers) {
        Ok(verified) if args.json => (ExitCode::SUCCESS, format!("{}\n", as_json(&verified))),
        Ok(verified) => (ExitCode::SUCCESS, as_text(&verified)),
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

fn signers(args: &Args) -> Result<Signers, String> {
    let path = args.signers.display();
    let text = fs::read_to_string(&args.signers).map_err(|error| format!("{path}: {error}"))?;
    Signers::parse(&text).map_err(|fault| format!("{path}:\n{fault}"))
}

fn verify(args: &Args, signers: &Signers) -> Result<Verified<u64>, Refusal> {
    let tipo = args.kind.map(|kind| match kind {
        Kind::Oficial => Tipo::Oficial,
        Kind::Simulacro => Tipo::Simulacro,
    });
    let (eleccion, identity) = (args.election.clone(), args.identity.clone());
    let progress = Progress { state: Mutex::new((0, Monotonic::now())), shown: stderr().is_terminal() };
    let package = read(&Disk::machine(), &args.package, &Limits::default(), &progress)?;
    package.verify(&Expectations {
        trust: Trust::Signed,
        eleccion,
        tipo,
        signers,
        identity,
        now: Clock::machine().now(),
    })
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

fn bytes(verified: &Verified<u64>) -> u64 {
    verified.files().iter().map(|file| file.bytes).sum()
}

fn as_text(verified: &Verified<u64>) -> String {
    let corte = verified.corte();
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
        ("files", format!("{}, {} bytes", verified.files().len(), bytes(verified))),
        ("signed by", signed_by(verified.trust())),
    ];
    let rows = rows.iter().map(|(name, value)| format!("  {name:<11} {value}\n"));
    std::iter::once("verified\n".to_string()).chain(rows).collect()
}

fn signed_by(proof: &Proof) -> String {
    match proof {
        Proof::Signed { signer, fingerprint, .. } => format!("{signer}, {fingerprint}"),
        Proof::Checksums | Proof::Transport => format!("nobody (trust: {})", proof.trust()),
    }
}

fn as_json(verified: &Verified<u64>) -> Value {
    let corte = verified.corte();
    json!({
        "verified": true,
        "corte": corte.id.to_string(),
        "fecha_hora": corte.fecha_hora,
        "eleccion": corte.eleccion,
        "tipo": corte.tipo.to_string(),
        "final": corte.is_final,
        "actas": corte.actas,
        "files": verified.files().len(),
        "bytes": bytes(verified),
        "sums_sha256": Digest::of(verified.sums()).to_string(),
        "trust": verified.trust().trust(),
        "signer": verified.trust().signer(),
        "fingerprint": verified.trust().fingerprint(),
    })
}
