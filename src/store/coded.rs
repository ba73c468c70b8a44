//! What was compressed of a content, as one file: made again where it is lost or does not hold. Where nothing was, a copy
//! of the content: whatever sector goes bad, there is another from which every byte can be made.

use std::io;

use bytes::Bytes;

use super::shelf::Shelf;
use crate::base::digest::Digest;
use crate::corte::limits;

/// The codings of a content, in the order gzip, br, zstd; `None` where one does not pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codings {
    /// How hard it was worked on; larger is harder.
    pub level: u8,
    pub bodies: [Option<Coded>; 3],
    /// The content itself, where there is no body that it could be made from.
    pub copy: Option<Bytes>,
}

/// A body and its SHA-256, which is known once it was checked: validators are made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coded {
    pub body: Bytes,
    pub digest: Digest,
}

impl Coded {
    pub fn of(body: Bytes) -> Coded {
        Coded { digest: Digest::of(&body), body }
    }
}

/// Changes when the form does, or an encoder's settings: what was kept before is then made again.
const FORM: u8 = 4;
/// The SHA-256 of the rest of the head, form, level, length and SHA-256 of each of four parts.
const HEAD: usize = 32 + 2 + 4 * PART;
/// Length, SHA-256.
const PART: usize = 8 + 32;
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
        let parts = self.parts();
        let head = self.head(&parts);
        let bytes: Vec<&[u8]> =
            std::iter::once(&head[..]).chain(parts.iter().flatten().map(|part| &part.body[..])).collect();
        shelf.put(digest, &bytes)?;
        Ok(bytes.iter().map(|part| part.len() as u64).sum())
    }

    /// Bodies and copy as they are written.
    fn parts(&self) -> [Option<Coded>; 4] {
        let [gzip, br, zstd] = self.bodies.clone();
        [gzip, br, zstd, self.copy.clone().map(Coded::of)]
    }

    /// What comes before the parts; first of all the digest of the rest of it.
    fn head(&self, parts: &[Option<Coded>; 4]) -> Vec<u8> {
        let mut head = vec![0; 32];
        head.extend([FORM, self.level]);
        for part in parts {
            let (len, digest) =
                part.as_ref().map_or((ABSENT, [0; 32]), |p| (p.body.len() as u64, *p.digest.as_bytes()));
            head.extend(len.to_le_bytes());
            head.extend(digest);
        }
        let digest = Digest::of(&head[32..]);
        head[..32].copy_from_slice(digest.as_bytes());
        head
    }

    /// Reads the file; `None` where it does not hold.
    fn read(file: Bytes) -> Option<Codings> {
        let head = file.get(..HEAD)?;
        if head[32] != FORM || Digest::of(&head[32..]).as_bytes()[..] != head[..32] {
            return None;
        }
        let mut at = HEAD;
        let mut parts = [None, None, None, None];
        for (part, about) in parts.iter_mut().zip(head[34..].chunks_exact(PART)) {
            let (len, digest) = about.split_first_chunk()?;
            let len = u64::from_le_bytes(*len);
            if len != ABSENT {
                let end = at.checked_add(usize::try_from(len).ok()?).filter(|end| *end <= file.len())?;
                // A copy of its own: one coding that stays must not hold the others in memory.
                let found = Coded::of(Bytes::copy_from_slice(&file[at..end]));
                *part = Some(found).filter(|found| found.digest.as_bytes()[..] == *digest);
                part.as_ref()?;
                at = end;
            }
        }
        let [gzip, br, zstd, copy] = parts;
        let copy = copy.map(|copy| copy.body);
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
            let codings = Codings { level, bodies: [gzip, br, zstd].map(|body| body.map(Coded::of)), copy };
            let parts = codings.parts();
            let mut file = codings.head(&parts);
            parts.iter().flatten().for_each(|part| file.extend_from_slice(&part.body));
            prop_assert_eq!(Codings::read(file.clone().into()), Some(codings));
            let bit = bit % (file.len() * 8);
            file[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Codings::read(file.into()), None, "a changed bit is seen");
        }

        #[test]
        fn never_panics(mut file in proptest::collection::vec(any::<u8>(), HEAD..2 * HEAD)) {
            file[32] = FORM;
            let digest = Digest::of(&file[32..HEAD]);
            file[..32].copy_from_slice(digest.as_bytes());
            let _ = Codings::read(file.into());
        }
    }
}
