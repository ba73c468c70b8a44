//! When each corte went live, and how much later readers saw it.

use super::tally::{Times, micros_histogram};

/// No corte, or none yet.
pub const NO_CORTE: u16 = u16::MAX;
/// Cortes of one run, at most: a week of them. A server that names more makes them up.
const CORTES_MAX: usize = 1_008;
/// Bytes of a corte's name; real ones have 13 to 16.
const NAME_MAX_BYTES: usize = 64;

/// Durations of nobody yet, such as each corte has.
pub fn none() -> Times {
    micros_histogram()
}

/// One corte.
#[derive(Debug)]
pub struct Corte {
    pub name: Box<str>,
    /// When the one before was seen last by whoever looks most often: it went live after that.
    pub since_us: u64,
    /// Of readers who were there before it.
    pub late: Times,
}

/// All that were seen, in the order in which they were.
#[derive(Debug, Default)]
pub struct Seen {
    cortes: Vec<Corte>,
}

impl Seen {
    /// A corte's place, and whether it is seen for the first time; `None` for one that cannot be.
    pub fn place(&mut self, name: &[u8], since_us: u64) -> Option<(u16, bool)> {
        if let Some(at) = self.cortes.iter().rposition(|corte| corte.name.as_bytes() == name) {
            return Some((u16::try_from(at).ok()?, false));
        }
        if self.cortes.len() >= CORTES_MAX || name.len() > NAME_MAX_BYTES {
            return None;
        }
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
        let name = str::from_utf8(name).ok().filter(|name| !name.is_empty() && name.as_bytes().iter().all(is_name))?;
        self.cortes.push(Corte { name: name.into(), since_us, late: micros_histogram() });
        Some((u16::try_from(self.cortes.len() - 1).ok()?, true))
    }

    /// A reader who came at `since_us` is shown it, after `before`.
    pub fn shown(&mut self, corte: u16, before: u16, since_us: u64, now_us: u64) {
        let Some(corte) = self.cortes.get_mut(usize::from(corte)) else { return };
        if before != NO_CORTE && since_us < corte.since_us {
            corte.late.saturating_record(now_us.saturating_sub(corte.since_us));
        }
    }

    /// The place of the last one, and since when.
    pub fn last(&self) -> Option<(u16, u64)> {
        let last = self.cortes.last()?;
        Some((u16::try_from(self.cortes.len() - 1).ok()?, last.since_us))
    }

    pub fn cortes(&self) -> &[Corte] {
        &self.cortes
    }
}
