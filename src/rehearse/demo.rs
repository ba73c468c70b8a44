//! The demo: plays a night as the authority would, a signed package a corte, into the incoming folder of a real
//! difusor in this process. The only file of this folder that touches disk, clock and network.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use ssh_key::{Algorithm, PrivateKey};

use super::Night;
use crate::app::{Running, StartFault};
use crate::base::clock::{Clock, Monotonic, Pace};
use crate::base::disk::Disk;
use crate::base::pool;
use crate::config::{Rsync, Settings};
use crate::corte::pack::{self, PackFault};
use crate::corte::{CorteId, Limits, Signers, Tipo, Trust};
use crate::http::clients::{self, Rules};
use crate::http::{self, Listen};
use crate::ingest::{ContentCheck, Differing, Intake, Reporter};
use crate::schedule::{Calendar, Closed, OnInterrupted, Window};
use crate::snapshot::Looks;
use crate::store::Policy;

/// What a corte stands for in election time (the call, IV).
const INTERVAL: Duration = Duration::from_secs(600);
/// Cortes that stay reachable, and packages that stay in the folder.
const KEEP: usize = 6;
/// Bytes that the demo's own vault may have.
const VAULT_BYTES: u64 = 1 << 30;
/// A night that runs so fast takes much of an interval to take a corte in: none of them is late for that.
const LENIENCE: SignedDuration = SignedDuration::from_mins(20);
/// The demo's window, in election time: longer than anybody watches.
const WEEK: SignedDuration = SignedDuration::from_hours(168);
/// How long open downloads may take after Ctrl-C.
const GRACE: Duration = Duration::from_secs(2);
/// Who signs.
const AUTHORITY: &str = "demo";

/// Why the demo cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum DemoFault {
    #[error("{}: {source}; the demo needs a folder of its own for a while", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("signals cannot be waited for: {0}")]
    Signals(io::Error),
    #[error("no key could be made: {0}")]
    Key(ssh_key::Error),
    #[error("the signers could not be read: {0}")]
    Signers(crate::corte::SignersFault),
    #[error(transparent)]
    Start(#[from] StartFault),
    #[error(transparent)]
    Pack(#[from] PackFault),
}

/// A demo under way; dropping it leaves nothing behind.
pub struct Demo {
    night: Night,
    key: PrivateKey,
    running: Option<Running>,
    next: usize,
    // Last: the folder goes when nobody uses it any more.
    folder: Folder,
}

/// A package that was just handed over.
pub struct Sent {
    pub number: usize,
    pub of: usize,
    pub corte: CorteId,
    pub actas: Option<(u64, u64)>,
    pub bytes: u64,
    pub took: Duration,
}

impl Demo {
    /// Starts the difusor; the first corte is due at once, the others `every` so often.
    pub fn start(night: Night, every: Duration, listen: SocketAddr, report: Reporter) -> Result<Demo, DemoFault> {
        let folder = Folder::new()?;
        let key = PrivateKey::random(&mut ssh_key::rand_core::OsRng, Algorithm::Ed25519).map_err(DemoFault::Key)?;
        let public = key.public_key().to_openssh().map_err(DemoFault::Key)?;
        let line = format!("{AUTHORITY} namespaces=\"prep-corte\" {public}\n");
        let fault = |source| DemoFault::Folder { path: folder.signers(), source };
        fs::write(folder.signers(), &line).map_err(fault)?;
        let settings = Settings {
            intake: Intake {
                disk: Disk::machine(),
                state: folder.0.join("state"),
                incoming: Some(folder.incoming()),
                election: night.eleccion().to_owned(),
                calendar: Arc::new(calendar(&night)),
                trust: Trust::Signed,
                transport: None,
                signers: Signers::parse(&line).map_err(DemoFault::Signers)?,
                identity: Some(AUTHORITY.to_owned()),
                limits: Limits::default(),
                content_check: ContentCheck::Refuse,
                keep: KEEP,
                differing: Differing::default(),
                settle: every,
                policy: Policy { bytes: VAULT_BYTES, cortes: Some(KEEP + 1), at_least: 1 },
                reserve: 0,
                refused_bytes: 0,
            },
            sources: Vec::new(),
            proxy: None,
            looks: Looks::default(),
            admin: None,
            rsync: Rsync::default(),
            http: http::Settings {
                listen: vec![Listen { address: listen, is_tls: false }],
                certificates: Vec::new(),
                redirect: false,
                threads: pool::cores(),
                connections_max: usize::MAX,
                grace: GRACE,
                clients: Rules {
                    exempt: vec![],
                    limits: clients::Limits { connections: u32::MAX, requests: 0, burst: 0 },
                },
            },
        };
        let first = night.corte(0).stamp.timestamp();
        let clock = Clock::shifted(first, Pace { election: INTERVAL, machine: every });
        let running = Running::start(settings, clock, report)?;
        Ok(Demo { night, key, running: Some(running), next: 0, folder })
    }

    /// The address that it really listens on.
    pub fn address(&self) -> Option<SocketAddr> {
        Some(self.running.as_ref()?.addresses().first()?.address)
    }

    pub fn incoming(&self) -> PathBuf {
        self.folder.incoming()
    }

    /// The public key as a file, for whoever checks what is shown.
    pub fn signers(&self) -> PathBuf {
        self.folder.signers()
    }

    /// Makes, signs and hands over the next corte; `None` after the last one.
    pub fn send_next(&mut self) -> Result<Option<Sent>, DemoFault> {
        if self.next >= self.night.cortes() {
            return Ok(None);
        }
        let started = Monotonic::now();
        let corte = self.night.corte(self.next);
        let id = CorteId::new(corte.stamp.datetime(), 0);
        let about = json!({
            "formato": 1,
            "eleccion": self.night.eleccion(),
            "corte": id.to_string(),
            "fecha_hora": corte.stamp.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            "tipo": "simulacro",
            "final": corte.is_final,
            "actas": corte.actas,
        });
        let files: Vec<(String, Bytes)> = corte.files.into_iter().map(|(path, b)| (path, b.into())).collect();
        let package = pack::sign(about.to_string().as_bytes(), &files, &self.key)?;
        let path = self.package(id);
        package.write(&path, &Limits::default())?;
        if let Some(old) = self.next.checked_sub(KEEP) {
            // It is live no more, and its bytes are in memory as long as they are needed.
            let old = CorteId::new(self.night.corte(old).stamp.datetime(), 0);
            let _ = fs::remove_file(self.package(old));
        }
        self.next += 1;
        Ok(Some(Sent {
            number: self.next,
            of: self.night.cortes(),
            corte: id,
            actas: corte.actas.capturadas.zip(corte.actas.esperadas),
            bytes: fs::metadata(&path).map_or(0, |meta| meta.len()),
            took: started.elapsed(),
        }))
    }

    fn package(&self, id: CorteId) -> PathBuf {
        self.folder.incoming().join(format!("{id}.tar.zst"))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
        }
    }
}

/// The night as a drill, open from its first corte on.
fn calendar(night: &Night) -> Calendar {
    let first = night.corte(0).stamp;
    let opens = first.timestamp();
    let window = Window {
        kind: Tipo::Simulacro,
        opens,
        closes: opens.saturating_add(WEEK).unwrap_or(Timestamp::MAX),
        interval: SignedDuration::try_from(INTERVAL).unwrap_or(SignedDuration::MAX),
        grace: LENIENCE,
        periods: 3,
        ends: opens.saturating_add(WEEK).unwrap_or(Timestamp::MAX),
        on_interrupted: OnInterrupted::Notice,
        closed: Closed::Keep,
        name: None,
    };
    Calendar::new(vec![window], first.time_zone().clone(), SignedDuration::ZERO).expect("one sound window")
}

/// A folder that nobody else can read, gone when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Folder, DemoFault> {
        let path = std::env::temp_dir().join(format!("difusor-demo-{}", std::process::id()));
        let fault = |source| DemoFault::Folder { path: path.clone(), source };
        // Made, not taken over: somebody else's folder of this name would be an error.
        fs::DirBuilder::new().mode(0o700).create(&path).map_err(fault)?;
        let folder = Folder(path.clone());
        fs::create_dir(folder.incoming()).map_err(fault)?;
        Ok(folder)
    }

    fn incoming(&self) -> PathBuf {
        Path::new(&self.0).join("incoming")
    }

    fn signers(&self) -> PathBuf {
        Path::new(&self.0).join("allowed_signers")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
