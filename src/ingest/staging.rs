//! The folder where packages arrive, whichever way they come, and the room that they must leave on its disk.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::disk::Disk;
use crate::base::units::show_size;

/// Below the `state` folder.
const FOLDER: &str = "staging";
/// After so many bytes whoever writes here asks again whether there is room: others write to the disk, too.
pub const ASK_EVERY_BYTES: u64 = 8 << 20;

/// Where packages arrive.
#[derive(Clone, Debug)]
pub struct Staging {
    pub disk: Disk,
    pub folder: PathBuf,
    /// Bytes that stay free: the vault would take nothing in beyond them.
    reserve: u64,
}

impl Staging {
    pub fn of(disk: &Disk, state: &Path, reserve: u64) -> Staging {
        Staging { disk: disk.clone(), folder: state.join(FOLDER), reserve }
    }

    /// Fails as a full disk does where so many bytes more would take what has to stay free.
    pub fn has_room(&self, bytes: u64) -> io::Result<()> {
        let (free, reserve) = (self.disk.space(&self.folder)?.free, self.reserve);
        if free >= bytes.saturating_add(reserve) {
            return Ok(());
        }
        let (bytes, free, reserve) = (show_size(bytes), show_size(free), show_size(reserve));
        let why = format!("{bytes} are to come, {free} are free, {reserve} of them stay so (vault.reserve)");
        Err(io::Error::new(io::ErrorKind::StorageFull, why))
    }
}
