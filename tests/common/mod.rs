//! What the tests share: the tools of the machine, and packages that can be spoilt.
#![allow(dead_code)]

pub mod always;
pub mod frames;
pub mod metrics;
pub mod nginx;
pub mod origin;
pub mod proxy;
pub mod recorder;
pub mod room;
pub mod rsyncd;
pub mod secure;
pub mod server;
pub mod tamper;
pub mod verbs;
pub mod webdriver;
pub mod wire;

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use difusor::base::digest::Digest;
use difusor::corte::{Expectations, Limits, Nothing, Refusal, Signers, Trust, Unverified, Verified, read};
use jiff::Timestamp;
use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey};

/// Where a tool of the machine is. A test without it passes, and says so; with DIFUSOR_TESTS_ALL=1 it fails.
pub fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
    if found.is_none() {
        passed_over(&format!("{name} is not installed"));
    }
    found
}

/// Real election material, which is not part of the project: DIFUSOR_DATA, or `shared/data` beside the checkout. A test
/// without it passes in any case: nobody can install it.
pub fn data(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let file = std::env::var_os("DIFUSOR_DATA").map_or_else(beside, PathBuf::from).join(name);
    if !file.exists() {
        eprintln!("passed over: {} is not there", file.display());
        return None;
    }
    Some(file)
}

pub fn passed_over(why: &str) {
    assert!(std::env::var_os("DIFUSOR_TESTS_ALL").is_none_or(|all| all != "1"), "{why}");
    eprintln!("passed over: {why}");
}

/// Runs a line of shell in `dir`; its output. Panics when it fails.
pub fn sh(dir: &Path, line: &str) -> String {
    let out = Command::new("sh").args(["-euc", line]).current_dir(dir).stdin(Stdio::null()).output().unwrap();
    assert!(out.status.success(), "{line}\n{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// The moment at which the tests' cortes are verified.
pub fn now() -> Timestamp {
    "2026-06-08T02:12:00Z".parse().unwrap()
}

pub const CORTE: &str = r#"{"formato": 1, "eleccion": "coahuila-2026-diputaciones", "corte": "20260607_2010",
    "fecha_hora": "2026-06-07T20:10:00-06:00", "tipo": "oficial", "nota": "se conserva"}"#;

pub const ELECTION: &str = "coahuila-2026-diputaciones";

/// `corte.json` for an ID. The real binary goes by the machine's clock, so its tests use cortes of the past.
pub fn corte(id: &str) -> String {
    let (day, time) = (&id[..8], &id[9..13]);
    let fecha_hora = format!("{}-{}-{}T{}:{}:00-06:00", &day[..4], &day[4..6], &day[6..], &time[..2], &time[2..]);
    format!(
        r#"{{"formato": 1, "eleccion": "{ELECTION}", "corte": "{id}", "fecha_hora": "{fecha_hora}", "tipo": "oficial"}}"#
    )
}

/// A key that is the same in every run.
pub fn key() -> PrivateKey {
    Ed25519Keypair::from_seed(&[7; 32]).into()
}

pub fn signers_of(key: &PrivateKey) -> Signers {
    Signers::parse(&format!("iec {}", key.public_key().to_openssh().unwrap())).unwrap()
}

/// A package as a list of paths and bytes, to be spoilt at will.
#[derive(Clone)]
pub struct Tree(pub Vec<(Vec<u8>, Vec<u8>)>);

impl Tree {
    /// A package in order, with these files below `sitio/`.
    pub fn new(corte: &str, files: &[&str]) -> Tree {
        let mut tree = Tree(vec![(b"corte.json".to_vec(), corte.into())]);
        tree.0.extend(files.iter().map(|path| (format!("sitio/{path}").into_bytes(), path.as_bytes().to_vec())));
        tree.sealed()
    }

    /// A package in order, with these bytes below `sitio/`.
    pub fn of(corte: &str, files: &[(&str, &[u8])]) -> Tree {
        let mut tree = Tree(vec![(b"corte.json".to_vec(), corte.into())]);
        tree.0.extend(files.iter().map(|(path, bytes)| (format!("sitio/{path}").into_bytes(), bytes.to_vec())));
        tree.sealed()
    }

    /// The same with sums and signature made anew.
    pub fn sealed(mut self) -> Tree {
        self.0.retain(|(path, _)| !path.starts_with(b"SHA256SUMS"));
        let mut sums = Vec::new();
        for (path, bytes) in &self.0 {
            sums.extend([format!("{}  ", Digest::of(bytes)).as_bytes(), path, b"\n"].concat());
        }
        self.summed(sums)
    }

    /// The same with these sums, signed.
    pub fn summed(self, sums: Vec<u8>) -> Tree {
        let signature = key().sign("prep-corte", HashAlg::Sha512, &sums).unwrap().to_pem(LineEnding::LF).unwrap();
        self.with("SHA256SUMS", sums).with("SHA256SUMS.sig", signature)
    }

    pub fn with(mut self, path: impl AsRef<[u8]>, bytes: impl Into<Vec<u8>>) -> Tree {
        self = self.without(path.as_ref());
        self.0.push((path.as_ref().to_vec(), bytes.into()));
        self
    }

    pub fn without(mut self, path: impl AsRef<[u8]>) -> Tree {
        self.0.retain(|(other, _)| other != path.as_ref());
        self
    }

    pub fn bytes(&self, path: &str) -> &[u8] {
        &self.0.iter().find(|(other, _)| other == path.as_bytes()).unwrap().1
    }

    pub fn tar(&self) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, bytes) in &self.0 {
            entry(&mut tar, tar::EntryType::Regular, path, bytes);
        }
        tar.into_inner().unwrap()
    }

    pub fn zip(&self) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (path, bytes) in &self.0 {
            let options = zip::write::SimpleFileOptions::default();
            zip.start_file(str::from_utf8(path).unwrap(), options).unwrap();
            std::io::Write::write_all(&mut zip, bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    pub fn write(&self, dir: &Path) {
        for (path, bytes) in &self.0 {
            let path = dir.join(str::from_utf8(path).unwrap());
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }

    /// Reads and verifies it as an archive; the code of the refusal, or "".
    pub fn code(&self) -> &'static str {
        code(read::tar_from(&self.tar()[..], &Limits::default(), &Nothing))
    }
}

/// Appends an entry whose name is written as it is, however bad (up to 100 bytes).
pub fn entry(tar: &mut tar::Builder<Vec<u8>>, kind: tar::EntryType, name: &[u8], bytes: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    tar.append(&header, bytes).unwrap();
}

pub fn expecting(signers: &Signers) -> Expectations<'_> {
    Expectations { trust: Trust::Signed, eleccion: None, tipo: None, signers, identity: None, now: now() }
}

/// Verifies with the tests' key; the code of the refusal, or "".
pub fn code<B>(read: Result<Unverified<B>, Refusal>) -> &'static str {
    code_of(read.and_then(|package| package.verify(&expecting(&signers_of(&key())))))
}

pub fn code_of<B>(verified: Result<Verified<B>, Refusal>) -> &'static str {
    match verified {
        Ok(_) => "",
        Err(refusal) => {
            let text = refusal.to_string();
            assert!(text.len() > 20 && !text.chars().any(char::is_control), "{text:?}");
            eprintln!("{}: {text}", refusal.code());
            refusal.code()
        }
    }
}
