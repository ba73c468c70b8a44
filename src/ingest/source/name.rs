//! Under which name a package is handed over: its end tells the form.

use std::io::{self, Read};
use std::path::Path;

use crate::base::disk::{Disk, ReadAt};
use crate::ingest::incoming::ARCHIVES;

/// The first bytes of each form. A tar has its mark at 257, after the first entry's name, times and rights.
const STARTS: [(&[u8], usize, &str); 5] = [
    (b"PK\x03\x04", 0, ".zip"),
    (b"PK\x05\x06", 0, ".zip"),
    (b"\x1f\x8b", 0, ".tar.gz"),
    (b"\x28\xb5\x2f\xfd", 0, ".tar.zst"),
    (b"ustar", 257, ".tar"),
];
const STARTS_BYTES: u64 = 262;

pub fn tells_form(name: &str) -> bool {
    ARCHIVES.iter().any(|end| name.ends_with(end))
}

/// The name from the address, if its end tells a form; else with the end that the first bytes tell.
pub fn of(name: String, disk: &Disk, path: &Path) -> io::Result<String> {
    if tells_form(&name) {
        return Ok(name);
    }
    let mut start = Vec::new();
    ReadAt::of(disk.open(path)?).take(STARTS_BYTES).read_to_end(&mut start)?;
    let is_there = |(mark, at, _): &&(&[u8], usize, &str)| start.get(*at..).is_some_and(|s| s.starts_with(mark));
    Ok(STARTS.iter().find(is_there).map_or(name.clone(), |(_, _, end)| format!("{name}{end}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_end_is_told_by_the_address_or_by_the_bytes() {
        let (disk, _twin) = Disk::twin();
        let named = |name: &str, bytes: &[u8]| {
            let path = Path::new("/x");
            let _ = disk.remove(path);
            disk.create(path).unwrap().write_all(bytes).unwrap();
            of(name.into(), &disk, path).unwrap()
        };
        assert_eq!(named("a.zip", b"anything"), "a.zip");
        assert_eq!(named("ultimo", b"PK\x03\x04rest"), "ultimo.zip");
        assert_eq!(named("a.php", b"\x1f\x8b\x08"), "a.php.tar.gz");
        assert_eq!(named("a", b"\x28\xb5\x2f\xfd."), "a.tar.zst");
        assert_eq!(named("a", &[&[0; 257][..], b"ustar\x0000"].concat()), "a.tar");
        assert_eq!(named("a", b""), "a", "the operator says what is wrong with it");
    }
}
