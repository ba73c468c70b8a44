//! The socket on this machine: `STATE/admin.sock`. Its group may open it too, but only to notify (`Door::Neighbour`).

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// In the state folder.
const NAME: &str = "admin.sock";
/// Under this name until it is closed to others. No longer than the other: the same limit holds.
const DRAFT: &str = ".admin.new";
/// Bytes of a socket's path (unix(7): 108 with the closing zero).
const PATH_MAX_BYTES: usize = 107;

/// The path cannot be a socket's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: a socket's path may have {PATH_MAX_BYTES} bytes, this one has {}; choose a shorter `state`", .0.display(), .0.as_os_str().len())]
pub struct PathFault(PathBuf);

/// Where the socket of a state folder is.
pub fn socket_path(state: &Path) -> Result<PathBuf, PathFault> {
    let path = state.join(NAME);
    if path.as_os_str().len() > PATH_MAX_BYTES { Err(PathFault(path)) } else { Ok(path) }
}

/// A bound socket; its name goes away with it.
pub struct Bound {
    pub listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

/// Binds the socket. One that nobody listens on any more is replaced; one that somebody does is an error.
pub fn bind(path: &Path) -> io::Result<Bound> {
    match UnixStream::connect(path) {
        Ok(_) => return Err(io::Error::new(io::ErrorKind::AddrInUse, "another difusor listens there")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
        Err(error) => return Err(error),
    }
    let draft = path.with_file_name(DRAFT);
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&draft)?;
    fs::set_permissions(&draft, Permissions::from_mode(0o660))?;
    listener.set_nonblocking(true)?;
    let inode = fs::symlink_metadata(&draft)?.ino();
    // In one step, and in the place of what a crash has left.
    fs::rename(&draft, path)?;
    Ok(Bound { listener, path: path.to_owned(), inode })
}

impl Drop for Bound {
    fn drop(&mut self) {
        // Whoever came after us may have put his own there.
        if fs::symlink_metadata(&self.path).is_ok_and(|meta| meta.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn it_is_closed_to_others_and_replaces_what_nobody_listens_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = socket_path(dir.path()).unwrap();
        let bound = bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        let mut client = UnixStream::connect(&path).unwrap();
        bound.listener.set_nonblocking(false).unwrap();
        bound.listener.accept().unwrap().0.write_all(b"hola").unwrap();
        let mut heard = String::new();
        client.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "hola");
        assert_eq!(bind(&path).err().map(|error| error.kind()), Some(io::ErrorKind::AddrInUse));
        // As after a kill: the name stays, and nobody listens.
        let (listener, inode) = (bound.listener.try_clone().unwrap(), bound.inode);
        std::mem::forget(bound);
        drop(listener);
        assert!(path.exists());
        // The forgotten listener still listens; a name without any is made by hand.
        fs::remove_file(&path).unwrap();
        drop(UnixListener::bind(&path).unwrap());
        let second = bind(&path).unwrap();
        assert_ne!(second.inode, inode);
        drop(second);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn whoever_came_after_us_keeps_his() {
        let dir = tempfile::tempdir().unwrap();
        let path = socket_path(dir.path()).unwrap();
        let first = bind(&path).unwrap();
        fs::rename(&path, dir.path().join("away")).unwrap();
        let second = bind(&path).unwrap();
        drop(first);
        assert!(UnixStream::connect(&path).is_ok());
        drop(second);
    }

    #[test]
    fn a_path_that_is_too_long_is_told() {
        let long = PathBuf::from(format!("/{}", "a".repeat(PATH_MAX_BYTES - NAME.len() - 1)));
        let fault = socket_path(&long).unwrap_err().to_string();
        assert!(fault.contains("108") && fault.contains("`state`"), "{fault}");
        assert!(socket_path(Path::new(&long.to_str().unwrap()[1..])).is_ok());
        assert!(DRAFT.len() <= NAME.len());
    }
}
