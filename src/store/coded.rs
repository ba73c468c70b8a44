//! What was compressed of a content, as one file: made again where it is lost or does not hold. Where nothing was, a copy
//! of the content: whatever sector goes bad, there is another from which every byte can be made.

use std::io;

use bytes::Bytes;

use super::shelf::Shelf;
use crate::base::digest::{Digest, Hasher};
use crate::corte::limits;

/// The codings of a content, in the order gzip, br, zstd; `None` where one does not pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codings {
    /// How hard it was worked on; larger is harder.
    pub level: u8,
    pub bodies: [Option<Bytes>; 3],
    /// The content itself, where there is no body that it could be made from.
    pub copy: Option<Bytes>,
}

/// Changes when the form does, or an encoder's settings: what was kept before is then made again.
const FORM: u8 = 2;
/// The SHA-256 of the rest, form, level, four lengths.
const HEAD: usize = 32 + 2 + 4 * 8;
/// Bytes of the file at most: three bodies shorter than the content, or a copy of it. What is larger is made again.
const MOST: u64 = 3 * limits::FILE_BYTES;
/// Stands for a coding that does not pay.
const ABSENT: u64 = u64::MAX;

impl Codings {
    /// What was compressed of a content, if it is on the shelf and holds.
    pub fn get(shelf: &Shelf, digest: &Digest) -> Option<Codings> {
        Codings::read(shelf.get(digest, MOST).ok()?.into())
    }

    /// Puts them on the shelf; returns how many bytes they are. Nothing is synced: what is lost is made again.
    pub fn put(&self, shelf: &Shelf, digest: &Digest) -> io::Result<u64> {
        let head = self.head();
        let parts: Vec<&[u8]> =
            std::iter::once(&head[..]).chain(self.parts().flatten().map(|part| &part[..])).collect();
        shelf.put(digest, &parts)?;
        Ok(parts.iter().map(|part| part.len() as u64).sum())
    }

    fn parts(&self) -> impl Iterator<Item = Option<&Bytes>> {
        self.bodies.iter().chain([&self.copy]).map(Option::as_ref)
    }

    /// What comes before the parts; first of all the digest of the rest.
    fn head(&self) -> Vec<u8> {
        let mut head = vec![0; 32];
        head.extend([FORM, self.level]);
        head.extend(self.parts().flat_map(|part| part.map_or(ABSENT, |part| part.len() as u64).to_le_bytes()));
        let mut hasher = Hasher::default();
        hasher.update(&head[32..]);
        self.parts().flatten().for_each(|part| hasher.update(part));
        head[..32].copy_from_slice(hasher.finish().as_bytes());
        head
    }

    /// Reads the file; `None` where it does not hold.
    fn read(file: Bytes) -> Option<Codings> {
        let head = file.get(..HEAD)?;
        if head[32] != FORM || Digest::of(&file[32..]).as_bytes()[..] != head[..32] {
            return None;
        }
        let mut at = HEAD;
        let mut parts = [None, None, None, None];
        for (part, len) in parts.iter_mut().zip(head[34..].chunks_exact(8)) {
            let len = u64::from_le_bytes(len.try_into().ok()?);
            if len != ABSENT {
                let end = at.checked_add(usize::try_from(len).ok()?).filter(|end| *end <= file.len())?;
                // A copy of its own: one coding that stays must not hold the others in memory.
                *part = Some(Bytes::copy_from_slice(&file[at..end]));
                at = end;
            }
        }
        let [gzip, br, zstd, copy] = parts;
        (at == file.len()).then_some(Codings { level: head[33], bodies: [gzip, br, zstd], copy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn written_and_read_back(level in 0u8..3, parts: [Option<Vec<u8>>; 4], bit: usize) {
            let [gzip, br, zstd, copy] = parts.map(|part| part.map(Bytes::from));
            let codings = Codings { level, bodies: [gzip, br, zstd], copy };
            let mut file = codings.head();
            codings.parts().flatten().for_each(|part| file.extend_from_slice(part));
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
