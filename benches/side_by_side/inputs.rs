//! What every server is given: three bodies, a certificate and a signing key, in a folder that goes with the run.
//!
//! Each body is a JSON file whose gzip (libdeflate, level 12) has exactly the size that the cell is named for. It is
//! made of random hexadecimal digits, which every compressor brings to nearly the same size, so that a server which
//! compresses by itself sends the same number of bytes as one that is handed the `.gz`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::{Fault, child};

/// Names of the cells, paths below the root, bytes of the gzip'd body.
const SIZES: [(&str, &str, usize); 3] =
    [("400 B", "c400.json", 400), ("8 KB", "c8k.json", 8 * 1024), ("60 KB", "c60k.json", 60 * 1024)];

/// Linux's file system in memory.
const MEMORY: &str = "/dev/shm";

pub const INDEX: &str = "<!doctype html><title>banco</title><p>banco de pruebas\n";

pub struct Body {
    pub label: &'static str,
    /// Below the root, without a slash in front.
    pub name: &'static str,
    pub plain: Vec<u8>,
    pub gzip: Vec<u8>,
}

pub struct Inputs {
    root: TempDir,
    /// In memory where the machine has such a folder, for a cache that consists of files.
    memory: TempDir,
    pub bodies: Vec<Body>,
    /// How many small files there are beside them.
    pub assets: u32,
    pub chain: PathBuf,
    pub key: PathBuf,
}

impl Inputs {
    pub fn make() -> Result<Inputs, Fault> {
        // Readable by all: nginx's worker may run as another user.
        let mut folder = tempfile::Builder::new();
        folder.prefix("difusor-bench-").permissions(fs::Permissions::from_mode(0o755));
        let root = folder.tempdir()?;
        let memory = if Path::new(MEMORY).is_dir() { folder.tempdir_in(MEMORY)? } else { folder.tempdir()? };
        let bodies = SIZES.map(|(label, name, size)| body(label, name, size));
        let bodies = bodies.into_iter().collect::<Result<Vec<_>, _>>()?;
        let (chain, key) = (root.path().join("cert.pem"), root.path().join("key.pem"));
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        // rcgen's default key is ECDSA on P-256, what a difusor's certificate is today.
        let made = rcgen::generate_simple_self_signed(names)?;
        fs::write(&chain, made.cert.pem())?;
        fs::write(&key, made.signing_key.serialize_pem())?;
        Ok(Inputs { root, memory, bodies, assets: 0, chain, key })
    }

    /// A folder of a peer's own.
    pub fn folder(&self, name: &str) -> Result<PathBuf, Fault> {
        let path = self.root.path().join(name);
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// For nginx's cache.
    pub fn memory(&self) -> &Path {
        self.memory.path()
    }

    /// Writes the plain files, and beside each its `.gz` when asked.
    pub fn write_site(&self, folder: &Path, with_gzip: bool) -> Result<(), Fault> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("index.html"), INDEX)?;
        for body in &self.bodies {
            fs::write(folder.join(body.name), &body.plain)?;
            if with_gzip {
                fs::write(folder.join(format!("{}.gz", body.name)), &body.gzip)?;
            }
        }
        for n in 0..self.assets {
            let path = folder.join(asset(n));
            if n.is_multiple_of(ASSETS_PER_FOLDER) {
                fs::create_dir_all(path.parent().ok_or("no folder")?)?;
            }
            // An image: no coding makes it shorter, and no server has to try.
            let noise = (n..n + 99).flat_map(|n| n.wrapping_mul(0x9e37_79b1).to_le_bytes());
            fs::write(path, b"\xff\xd8\xff\xe0".iter().copied().chain(noise).collect::<Vec<u8>>())?;
        }
        Ok(())
    }

    /// An Ed25519 key made by ssh-keygen, and the allowed_signers file that names it.
    pub fn signer(&self, folder: &Path) -> Result<(PathBuf, PathBuf), Fault> {
        let key = folder.join("banco_ed25519");
        let mut keygen = Command::new("ssh-keygen");
        child::output(keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "banco", "-f"]).arg(&key))?;
        let public = fs::read_to_string(key.with_extension("pub"))?;
        let signers = folder.join("allowed_signers");
        fs::write(&signers, format!("banco namespaces=\"prep-corte\" {public}"))?;
        Ok((key, signers))
    }
}

/// In one folder.
pub const ASSETS_PER_FOLDER: u32 = 1_000;

/// Where a small file lies below the root: 400 bytes, each other ones.
pub fn asset(n: u32) -> String {
    format!("actas/{}/{n}.jpg", n / ASSETS_PER_FOLDER)
}

fn body(label: &'static str, name: &'static str, size: usize) -> Result<Body, Fault> {
    // The size grows with the number of digits but not strictly: close in from far below, step by step.
    let mut digits = size;
    for _ in 0..10_000 {
        let plain = json(digits);
        let gzip = gzip(&plain)?;
        match size.checked_sub(gzip.len()) {
            Some(0) => return Ok(Body { label, name, plain, gzip }),
            Some(short) => digits += short.div_ceil(2),
            None => digits -= 1,
        }
    }
    Err(format!("no content was found whose gzip has {size} bytes").into())
}

fn json(digits: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b"0123456789abcdef"[(state >> 32) as usize & 15]
    };
    let mut text = b"{\"relleno\":\"".to_vec();
    text.extend((0..digits).map(|_| next()));
    text.extend_from_slice(b"\"}\n");
    text
}

fn gzip(plain: &[u8]) -> Result<Vec<u8>, Fault> {
    let level = libdeflater::CompressionLvl::best();
    let mut compressor = libdeflater::Compressor::new(level);
    let mut out = vec![0; compressor.gzip_compress_bound(plain.len())];
    let len = compressor.gzip_compress(plain, &mut out).map_err(|e| format!("gzip: {e:?}"))?;
    out.truncate(len);
    Ok(out)
}
