//! What `difusor push` sends: an archive as it is, or a folder as a tar that is made of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::route::Name;
use crate::base::digest::{Digest, Hasher};

/// What says what a package is comes first, so that a reader knows it early.
const FIRST: [&str; 3] = ["corte.json", "SHA256SUMS", "SHA256SUMS.sig"];
/// Bytes read at a time.
const PIECE_BYTES: usize = 256 << 10;

/// A package that lies ready to be sent, as often as it takes.
pub struct Parcel {
    pub name: String,
    pub file: File,
    pub len: u64,
    pub digest: Digest,
}

/// What cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum ParcelFault {
    #[error("{path}: {why}")]
    Name { path: String, why: String },
    #[error("{path}: {error}")]
    Read { path: String, error: io::Error },
}

impl Parcel {
    pub fn of(path: &Path) -> Result<Parcel, ParcelFault> {
        let shown = path.display().to_string();
        let fault = |error| ParcelFault::Read { path: shown.clone(), error };
        let is_folder = fs::metadata(path).map_err(fault)?.is_dir();
        // `.` and `..` have a name too.
        let whole = fs::canonicalize(path).map_err(fault)?;
        let name = whole.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = if is_folder { format!("{name}.tar") } else { name };
        let name = Name::parse(&name)
            .map_err(|problem| ParcelFault::Name { path: shown.clone(), why: problem.detail() })?
            .as_str()
            .to_owned();
        let mut file = if is_folder { packed(path) } else { File::open(path) }.map_err(fault)?;
        let (len, digest) = measured(&mut file).map_err(fault)?;
        Ok(Parcel { name, file, len, digest })
    }
}

fn measured(file: &mut File) -> io::Result<(u64, Digest)> {
    let (mut hasher, mut len, mut piece) = (Hasher::default(), 0, vec![0; PIECE_BYTES]);
    file.seek(SeekFrom::Start(0))?;
    loop {
        match file.read(&mut piece)? {
            0 => return Ok((len, hasher.finish())),
            n => {
                hasher.update(&piece[..n]);
                len += n as u64;
            }
        }
    }
}

/// The folder as a tar without a name: nothing is left of it, however this ends.
fn packed(folder: &Path) -> io::Result<File> {
    let file = nameless()?;
    let mut tar = tar::Builder::new(BufWriter::new(file));
    // What is no plain file is for the receiver to refuse, not for us to follow.
    tar.follow_symlinks(false);
    let mut names: Vec<_> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<_, _>>()?;
    names.sort_by_key(|name| (FIRST.iter().position(|first| name == first).unwrap_or(FIRST.len()), name.clone()));
    for name in names {
        let path = folder.join(&name);
        if path.symlink_metadata()?.is_dir() {
            tar.append_dir_all(&name, &path)?;
        } else {
            tar.append_path_with_name(&path, &name)?;
        }
    }
    let mut out = tar.into_inner()?;
    out.flush()?;
    out.into_inner().map_err(io::IntoInnerError::into_error)
}

fn nameless() -> io::Result<File> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let path = std::env::temp_dir().join(format!(".difusor-push-{:016x}", u64::from_ne_bytes(random)));
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_becomes_a_tar_with_what_it_is_first() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("20260607_2010");
        fs::create_dir_all(folder.join("sitio/a")).unwrap();
        for name in ["aviso.txt", "SHA256SUMS.sig", "corte.json", "SHA256SUMS", "sitio/a/b.html"] {
            fs::write(folder.join(name), name).unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", folder.join("sitio/z")).unwrap();
        let mut parcel = Parcel::of(&folder).unwrap();
        assert_eq!(parcel.name, "20260607_2010.tar");
        let mut bytes = Vec::new();
        parcel.file.seek(SeekFrom::Start(0)).unwrap();
        parcel.file.read_to_end(&mut bytes).unwrap();
        assert_eq!((parcel.len, parcel.digest), (bytes.len() as u64, Digest::of(&bytes)));
        let mut archive = tar::Archive::new(&bytes[..]);
        let found: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                (entry.path().unwrap().display().to_string(), entry.header().entry_type().is_file())
            })
            .collect();
        assert_eq!(found[..3], FIRST.map(|name| (name.to_owned(), true)));
        assert!(found.contains(&("sitio/a/b.html".into(), true)) && found.contains(&("sitio/z".into(), false)));
    }

    #[test]
    fn names_that_no_server_takes_are_told_before_anything_is_sent() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.rar", "a b.zip", "p.tar"] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        assert!(matches!(Parcel::of(&dir.path().join("a.rar")), Err(ParcelFault::Name { .. })));
        assert!(matches!(Parcel::of(&dir.path().join("a b.zip")), Err(ParcelFault::Name { .. })));
        assert!(matches!(Parcel::of(&dir.path().join("none.zip")), Err(ParcelFault::Read { .. })));
        assert_eq!(Parcel::of(&dir.path().join("p.tar")).unwrap().digest, Digest::of(b"x"));
    }
}
