//! Makes packages: sums and signs as the lines of shell in FORMAT.md do, writes every form, and lets
//! nothing out that `verify` would not take.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use bytes::Bytes;
use ssh_key::PrivateKey;
use ssh_key::public::KeyData;

use super::signers::{self, Signers};
use super::sums::Sums;
use super::{Corte, Expectations, File, InMemory, Limits, Nothing, Refusal, Trust, path, read, signature};
use crate::base::digest::Digest;
use crate::base::disk::{Disk, Draft, sync_tree};
use crate::base::shown::Shown;

/// What is published may be read by everyone.
const FILE_MODE: u32 = 0o644;
/// zstd's level: the last one before it slows down much.
const ZSTD_LEVEL: i32 = 9;

/// A signed package in memory.
#[derive(Debug)]
pub struct Package {
    corte: Corte,
    key: KeyData,
    /// Every file with its path in the package, in the order of writing.
    files: Vec<(String, Bytes)>,
}

/// Why a package was not made.
#[derive(Debug, thiserror::Error)]
pub enum PackFault {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the key cannot sign: {0}")]
    Key(String),
    #[error("{path}: already exists, and packages are never written over; remove it, or give another name")]
    Taken { path: Shown },
    #[error("{path}: no package ends in `{end}`; expected .tar, .tar.gz, .tar.zst or .zip, or the name of a folder")]
    Form { path: Shown, end: &'static str },
    #[error("{path}: {error}")]
    Write { path: Shown, error: io::Error },
}

/// Reads a private key in OpenSSH's format, without passphrase.
pub fn key(text: &str) -> Result<PrivateKey, PackFault> {
    if ssh_key::PublicKey::from_openssh(text).is_ok() {
        return Err(PackFault::Key("it is the public one; the private one is in the file without `.pub`".into()));
    }
    let key = PrivateKey::from_openssh(text).map_err(|error| {
        PackFault::Key(format!("{error}; expected a private key in OpenSSH format (ssh-keygen -p)"))
    })?;
    if key.is_encrypted() {
        let what = "it has a passphrase; use a key without, or sign SHA256SUMS with `ssh-keygen -Y sign -n prep-corte`";
        return Err(PackFault::Key(what.into()));
    }
    signers::accepted(key.public_key().key_data()).map_err(PackFault::Key)?;
    Ok(key)
}

/// Sums and signs. `files` are paths below `sitio/` with their bytes, in any order.
pub fn sign(corte_json: &[u8], files: &[(String, Bytes)], key: &PrivateKey) -> Result<Package, PackFault> {
    let corte = Corte::parse(corte_json)?;
    let mut site: Vec<(String, Bytes)> = files.iter().map(|(path, b)| (format!("sitio/{path}"), b.clone())).collect();
    site.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    site.iter().try_for_each(|(path, _)| path::check(path.as_bytes()).map(|_| ()))?;
    path::distinct(site.iter().map(|(path, _)| path.as_str()))?;
    let mut listed: Vec<_> = files.iter().map(|(path, bytes)| (path.clone(), Digest::of(bytes))).collect();
    listed.sort_unstable();
    let sums = Sums { corte_json: Some(Digest::of(corte_json)), files: listed };
    finish(corte, corte_json, sums, site, key)
}

/// Packs a directory that holds `corte.json` and `sitio/`; sums and signature in it are made anew.
pub fn folder(from: &Path, limits: &Limits, key: &PrivateKey) -> Result<Package, PackFault> {
    let read = read(&Disk::machine(), from, limits, &InMemory { known: &|_| None })?;
    if let Some(path) = read.extra.first() {
        return Err(Refusal::FileExtra { path: Shown::text(path), count: read.extra.len() }.into());
    }
    let corte_json = read.preamble.corte_json.ok_or(Refusal::CorteMissing)?;
    let files = |File { path, digest, .. }: &File| (path.clone(), *digest);
    let sums = Sums { corte_json: Some(Digest::of(&corte_json)), files: read.files.iter().map(files).collect() };
    let site = read.files.into_iter().map(|file| (format!("sitio/{}", file.path), file.bytes)).collect();
    finish(Corte::parse(&corte_json)?, &corte_json, sums, site, key)
}

fn finish(
    corte: Corte,
    corte_json: &[u8],
    sums: Sums,
    site: Vec<(String, Bytes)>,
    key: &PrivateKey,
) -> Result<Package, PackFault> {
    let sums = sums.text();
    let signature = signature::sign(sums.as_bytes(), key).map_err(|error| PackFault::Key(error.to_string()))?;
    let mut files = vec![
        ("corte.json".to_string(), Bytes::copy_from_slice(corte_json)),
        ("SHA256SUMS".to_string(), sums.into()),
        ("SHA256SUMS.sig".to_string(), signature.into()),
    ];
    files.extend(site);
    Ok(Package { corte, key: key.public_key().key_data().clone(), files })
}

impl Package {
    pub fn corte(&self) -> &Corte {
        &self.corte
    }

    /// Every file with its path in the package: `corte.json`, `SHA256SUMS`, `SHA256SUMS.sig`, `sitio/...`.
    pub fn files(&self) -> &[(String, Bytes)] {
        &self.files
    }

    /// Writes the package as a directory or, by the end of the name, an archive; equal packages give
    /// equal bytes. It is written under a name with a dot in front, read back, verified, and only then
    /// given its name, which must be free.
    pub fn write(&self, out: &Path, limits: &Limits) -> Result<(), PackFault> {
        let path = || Shown::text(&out.to_string_lossy());
        let fault = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => PackFault::Taken { path: path() },
            _ => PackFault::Write { path: path(), error },
        };
        // What would become a folder, where an archive was meant.
        if let Some(end) = read::other_archive(&out.to_string_lossy()) {
            return Err(PackFault::Form { path: path(), end });
        }
        let draft = Draft::of(out).map_err(fault)?;
        self.fill(draft.path()).map_err(fault)?;
        // Later than the stamp: whether the corte lies in the future is for those to judge who publish it.
        let now = self.corte.instant;
        let signers = Signers::of(self.key.clone());
        let expected =
            Expectations { trust: Trust::Signed, eleccion: None, tipo: None, signers: &signers, identity: None, now };
        read(&Disk::machine(), draft.path(), limits, &Nothing)?.verify(&expected)?;
        draft.commit().map_err(fault)
    }

    fn fill(&self, out: &Path) -> io::Result<()> {
        let name = out.to_string_lossy();
        let file = || fs::File::create_new(out).map(BufWriter::new);
        let file = if name.ends_with(".tar") {
            self.tar(file()?)?
        } else if name.ends_with(".tar.gz") {
            self.tar(flate2::GzBuilder::new().write(file()?, flate2::Compression::default()))?.finish()?
        } else if name.ends_with(".tar.zst") {
            self.tar(zstd::Encoder::new(file()?, ZSTD_LEVEL)?)?.finish()?
        } else if name.ends_with(".zip") {
            self.zip(file()?)?
        } else {
            return self.tree(out);
        };
        file.into_inner()?.sync_all()
    }

    fn tree(&self, out: &Path) -> io::Result<()> {
        fs::create_dir(out)?;
        for (path, bytes) in &self.files {
            let path = out.join(path);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(path, bytes)?;
        }
        sync_tree(out)
    }

    fn tar<W: Write>(&self, out: W) -> io::Result<W> {
        let mut tar = tar::Builder::new(out);
        for (path, bytes) in &self.files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(FILE_MODE);
            header.set_mtime(self.corte.instant.as_second().try_into().unwrap_or(0));
            tar.append_data(&mut header, path, &bytes[..])?;
        }
        tar.into_inner()
    }

    fn zip(&self, out: BufWriter<fs::File>) -> io::Result<BufWriter<fs::File>> {
        let mut zip = zip::ZipWriter::new(out);
        let t = self.corte.id.minute();
        let (y, mo, d) = (t.year().try_into().unwrap_or(0), t.month() as u8, t.day() as u8);
        let time = zip::DateTime::from_date_and_time(y, mo, d, t.hour() as u8, t.minute() as u8, 0);
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Deflated)
            // Zip knows no years before 1980.
            .last_modified_time(time.unwrap_or_default())
            .unix_permissions(FILE_MODE);
        for (path, bytes) in &self.files {
            zip.start_file(path.as_str(), options)?;
            zip.write_all(bytes)?;
        }
        Ok(zip.finish()?)
    }
}
