//! Heads that lie ready as HTTP/1.1 writes them, in the form that HTTP/2 has: coded when they are first sent, and kept for a while,
//! each core for itself. A file's and a stored response's alike.

use std::cell::RefCell;

use bytes::Bytes;

use super::hpack::{ENTRY_BYTES, Encoder, encoder};

/// Places, of which each head has one; another head's that has the same comes in its stead. A power of two.
const PLACES: usize = 2048;
/// A head that is larger is coded each time: with those above it bounds what is kept, at 8 MiB a core.
const KEPT_MAX_BYTES: usize = 2 << 10;

struct Kept {
    /// Kept too, so that their memory stays theirs.
    lines: Bytes,
    is_brief: bool,
    block: Box<[u8]>,
    /// A name of it that is said otherwise where the connection's table has it.
    named: Option<Named>,
}

/// Where in a block a field begins whose name is one of [`encoder::NAMES`], and where its value; and its size in a table.
#[derive(Clone, Copy)]
struct Named {
    place: usize,
    begin: usize,
    value: usize,
    size: usize,
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
    coded(lines, brief, |block, _| out.extend_from_slice(block));
}

/// Appends `lines`, of which one field at the most is of [`encoder::NAMES`]: its name as the connection's table has it.
pub fn write_own(lines: &Bytes, table: &mut Encoder, out: &mut Vec<u8>) {
    coded(lines, None, |block, named| {
        let Some(named) = named else { return out.extend_from_slice(block) };
        out.extend_from_slice(&block[..named.begin]);
        table.name(named.place, named.size, out);
        out.extend_from_slice(&block[named.value..]);
    });
}

/// Hands the block out.
fn coded<R>(lines: &Bytes, brief: Option<fn(&[u8]) -> bool>, take: impl FnOnce(&[u8], Option<Named>) -> R) -> R {
    let is_brief = brief.is_some();
    let at = (lines.as_ptr() as usize >> 4) % PLACES;
    PLACES_OF_THE_CORE.with_borrow_mut(|places| {
        if places.is_empty() {
            places.resize_with(PLACES, || None);
        }
        let place = &mut places[at];
        let is_it = |kept: &Kept| {
            kept.lines.as_ptr() == lines.as_ptr() && kept.lines.len() == lines.len() && kept.is_brief == is_brief
        };
        if let Some(kept) = place.as_ref().filter(|kept| is_it(kept)) {
            return take(&kept.block, kept.named);
        }
        let (mut block, mut named) = (Vec::new(), None);
        for (name, value, _) in fields(lines).filter(|(name, ..)| brief.is_none_or(|is_said| is_said(name))) {
            let begin = block.len();
            encoder::field(name, value, &mut block);
            if let Some(place) = encoder::NAMES.iter().position(|known| *known == name) {
                let mut coded = Vec::new();
                encoder::string(value, &mut coded);
                let size = name.len() + value.len() + ENTRY_BYTES;
                named = Some(Named { place, begin, value: block.len() - coded.len(), size });
            }
        }
        if lines.len() > KEPT_MAX_BYTES {
            return take(&block, named);
        }
        let kept = place.insert(Kept { lines: lines.clone(), is_brief, block: block.into(), named });
        take(&kept.block, named)
    })
}
