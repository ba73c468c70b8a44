//! Bytes in memory that are a file too, so that the kernel can send them from where they lie (sendfile(2)): a memfd, sealed
//! before anybody reads it, and mapped once. There is no second copy.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// Below this, copying costs no more than what sending a file does beside (benches/README.md).
pub const FILED_MIN_BYTES: usize = 32 << 10;
/// At once, each with a descriptor: what is beyond stays what it is.
pub const FILED_MAX: usize = 128;

/// See above. It never changes, and neither does its length.
#[derive(Debug)]
pub struct Filed {
    file: OwnedFd,
    at: NonNull<u8>,
    len: usize,
}

// SAFETY: `at` is a mapping of its own, which nobody writes to and which stays until `Filed` is dropped.
unsafe impl Send for Filed {}
// SAFETY: as above; all that can be done with a reference is to read.
unsafe impl Sync for Filed {}

/// Whatever is mapped, by where it lies.
static ALL: Mutex<BTreeMap<usize, Weak<Filed>>> = Mutex::new(BTreeMap::new());

fn all() -> MutexGuard<'static, BTreeMap<usize, Weak<Filed>>> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The file of these bytes, if they are large enough and there is room for one. What is a file already is that file.
pub fn of(bytes: &Bytes) -> Option<Arc<Filed>> {
    if bytes.len() < FILED_MIN_BYTES {
        return None;
    }
    let known = all().get(&bytes.as_ptr().addr()).and_then(Weak::upgrade);
    if let Some(known) = known.filter(|known| known.len == bytes.len()) {
        return Some(known);
    }
    if all().len() >= FILED_MAX {
        return None;
    }
    // Out of descriptors or memory, or not allowed: it is served without.
    let filed = Arc::new(Filed::new(bytes).ok()?);
    all().insert(filed.at.as_ptr().addr(), Arc::downgrade(&filed));
    Some(filed)
}

impl Filed {
    fn new(bytes: &[u8]) -> std::io::Result<Filed> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Where vm.memfd_noexec asks for it; kernels before 6.3 do not know it.
        let file = match memfd_create("difusor", flags | MemfdFlags::NOEXEC_SEAL) {
            Err(rustix::io::Errno::INVAL) => memfd_create("difusor", flags)?,
            created => created?,
        };
        let mut file = std::fs::File::from(file);
        file.write_all(bytes)?;
        let file = OwnedFd::from(file);
        fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        // SAFETY: the kernel chooses where, so nothing of ours is mapped over. `bytes` is not empty, and so is the mapping.
        // Private: shared, kernels before 6.7 refuse what is sealed; as nobody writes, the pages are the file's own all the same.
        let at = unsafe { mmap(std::ptr::null_mut(), bytes.len(), ProtFlags::READ, MapFlags::PRIVATE, &file, 0)? };
        let at = NonNull::new(at.cast()).ok_or(std::io::ErrorKind::OutOfMemory)?;
        Ok(Filed { file, at, len: bytes.len() })
    }

    /// The same as bytes, which keep it.
    pub fn bytes(self: &Arc<Self>) -> Bytes {
        Bytes::from_owner(Kept(self.clone()))
    }

    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    fn slice(&self) -> &[u8] {
        // SAFETY: `len` bytes are mapped at `at` for as long as `self` lives. The seals were set before: the file has that
        // length for ever, so no page of it is missing (SIGBUS), and nobody can write to it, so what is borrowed never changes.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr(), self.len) }
    }
}

impl Drop for Filed {
    fn drop(&mut self) {
        all().remove(&self.at.as_ptr().addr());
        // SAFETY: the mapping is ours alone, as it was made, and whoever borrowed from it is gone. Its place is forgotten, so
        // that the next one there is not taken for this.
        let _ = unsafe { munmap(self.at.as_ptr().cast(), self.len) };
    }
}

struct Kept(Arc<Filed>);

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        self.0.slice()
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    #[test]
    fn what_is_large_is_a_file_and_the_same_bytes() {
        let bytes = Bytes::from((0..FILED_MIN_BYTES + 1).map(|n| n as u8).collect::<Vec<_>>());
        let filed = of(&bytes).unwrap();
        let same = filed.bytes();
        assert_eq!(same, bytes);
        assert!(Arc::ptr_eq(&of(&same).unwrap(), &filed), "not a second file");
        assert!(!of(&bytes).is_some_and(|other| Arc::ptr_eq(&other, &filed)), "other memory is another file");
        let mut read = vec![0; bytes.len() + 1];
        assert_eq!(rustix::io::pread(filed.file(), &mut read, 0).unwrap(), bytes.len());
        assert_eq!(read[..bytes.len()], bytes);
        drop(filed);
        assert_eq!(same.slice(9..99), bytes.slice(9..99), "bytes keep it");
        assert!(of(&bytes.slice(..FILED_MIN_BYTES - 1)).is_none());
    }

    #[test]
    fn nobody_changes_it() {
        let filed = of(&Bytes::from(vec![7; FILED_MIN_BYTES])).unwrap();
        let file = std::fs::File::from(filed.file().try_clone_to_owned().unwrap());
        assert_eq!((&file).write(b"a").unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert_eq!(file.set_len(0).unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert_eq!(file.set_len(1 << 20).unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert!(filed.bytes().iter().all(|byte| *byte == 7));
    }
}
