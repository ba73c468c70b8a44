//! Heads that lie ready as HTTP/1.1 writes them, in the form that HTTP/2 has: coded when they are first sent, and kept for a while,
//! each core for itself. A file's and a stored response's alike.

use std::cell::RefCell;

use bytes::Bytes;

use super::hpack::encoder;

/// Places, of which each head has one; another head's that has the same comes in its stead. A power of two.
const PLACES: usize = 2048;
/// A head that is larger is coded each time: with those above it bounds what is kept, at 8 MiB a core.
const KEPT_MAX_BYTES: usize = 2 << 10;

struct Kept {
    /// Kept too, so that their memory stays theirs.
    lines: Bytes,
    is_brief: bool,
    block: Box<[u8]>,
}

thread_local!(static PLACES_OF_THE_CORE: RefCell<Vec<Option<Kept>>> = const { RefCell::new(Vec::new()) });

/// Name, value and the whole of each line.
pub fn fields(lines: &[u8]) -> impl Iterator<Item = (&[u8], &[u8], &[u8])> {
    lines.split_inclusive(|byte| *byte == b'\n').filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        Some((&line[..colon], line.get(colon + 2..line.len().checked_sub(2)?)?, line))
    })
}

/// Appends `lines`, coded; those alone that `brief` names, where it is given.
pub fn write(lines: &Bytes, brief: Option<fn(&[u8]) -> bool>, out: &mut Vec<u8>) {
    let is_brief = brief.is_some();
    let at = (lines.as_ptr() as usize >> 4) % PLACES;
    PLACES_OF_THE_CORE.with_borrow_mut(|places| {
        if places.is_empty() {
            places.resize_with(PLACES, || None);
        }
        let Some(place) = places.get_mut(at) else { return };
        let is_it = |kept: &&mut Kept| {
            kept.lines.as_ptr() == lines.as_ptr() && kept.lines.len() == lines.len() && kept.is_brief == is_brief
        };
        if let Some(kept) = place.as_mut().filter(is_it) {
            return out.extend_from_slice(&kept.block);
        }
        let begin = out.len();
        for (name, value, _) in fields(lines).filter(|(name, ..)| brief.is_none_or(|is_said| is_said(name))) {
            encoder::field(name, value, out);
        }
        if lines.len() <= KEPT_MAX_BYTES {
            *place = Some(Kept { lines: lines.clone(), is_brief, block: out[begin..].into() });
        }
    });
}
