//! What was compressed of a content, as one file: made again where it is lost or does not hold.

use std::io;

use bytes::Bytes;

use super::shelf::Shelf;
use crate::base::digest::Digest;

/// The codings of a content, in the order gzip, br, zstd; `None` where one does not pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codings {
    /// How hard it was worked on; larger is harder.
    pub level: u8,
    pub bodies: [Option<Bytes>; 3],
}

/// Changes when the form does, or an encoder's settings: what was kept before is then made again.
const FORM: u8 = 1;
/// The SHA-256 of the rest, form, level, three lengths.
const HEAD: usize = 32 + 2 + 3 * 8;
/// Stands for a coding that does not pay.
const ABSENT: u64 = u64::MAX;

impl Codings {
    /// What was compressed of a content, if it is on the shelf and holds.
    pub fn get(shelf: &Shelf, digest: &Digest) -> Option<Codings> {
        Codings::read(shelf.get(digest, u64::MAX - 1).ok()?.into())
    }

    /// Puts them on the shelf; returns how many bytes they are. Nothing is synced: what is lost is made again.
    pub fn put(&self, shelf: &Shelf, digest: &Digest) -> io::Result<u64> {
        let file = self.write();
        shelf.put(digest, &[&file])?;
        Ok(file.len() as u64)
    }

    /// The file, in parts: what comes first has the digest of the rest.
    fn write(&self) -> Vec<u8> {
        let mut file = vec![0; 32];
        file.extend([FORM, self.level]);
        for body in &self.bodies {
            file.extend(body.as_ref().map_or(ABSENT, |body| body.len() as u64).to_le_bytes());
        }
        file.extend(self.bodies.iter().flatten().flat_map(|body| body.iter().copied()));
        let digest = Digest::of(&file[32..]);
        file[..32].copy_from_slice(digest.as_bytes());
        file
    }

    /// Reads the file; `None` where it does not hold.
    fn read(file: Bytes) -> Option<Codings> {
        let head = file.get(..HEAD)?;
        if head[32] != FORM || Digest::of(&file[32..]).as_bytes()[..] != head[..32] {
            return None;
        }
        let mut at = HEAD;
        let mut bodies = [None, None, None];
        for (body, len) in bodies.iter_mut().zip(head[34..].chunks_exact(8)) {
            let len = u64::from_le_bytes(len.try_into().ok()?);
            if len != ABSENT {
                let end = at.checked_add(usize::try_from(len).ok()?).filter(|end| *end <= file.len())?;
                // A copy of its own: one coding that stays must not hold the others in memory.
                *body = Some(Bytes::copy_from_slice(&file[at..end]));
                at = end;
            }
        }
        (at == file.len()).then_some(Codings { level: head[33], bodies })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn written_and_read_back(level in 0u8..3, bodies: [Option<Vec<u8>>; 3], bit: usize) {
            let codings = Codings { level, bodies: bodies.map(|b| b.map(Bytes::from)) };
            let mut file = codings.write();
            prop_assert_eq!(Codings::read(file.clone().into()), Some(codings));
            let bit = bit % (file.len() * 8);
            file[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Codings::read(file.into()), None, "a changed bit is seen");
        }

        #[test]
        fn never_panics(mut file: Vec<u8>) {
            prop_assume!(file.len() > 33);
            file[32] = FORM;
            let digest = Digest::of(&file[32..]);
            file[..32].copy_from_slice(digest.as_bytes());
            let _ = Codings::read(file.into());
        }
    }
}
