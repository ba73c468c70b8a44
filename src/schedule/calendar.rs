//! When what is shown: windows, one after the other, each of one kind.

use std::fmt;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::corte::Tipo;

/// A time in which results are public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Packages of the other kind are never shown in it.
    pub kind: Tipo,
    /// Not one byte of results before.
    pub opens: Timestamp,
    pub closes: Timestamp,
    /// From one corte to the next; longer than nothing.
    pub interval: SignedDuration,
    /// What a corte may be late before anybody is told.
    pub grace: SignedDuration,
    /// Cortes that must be missed before transmission counts as interrupted; at least one.
    pub periods: u32,
    /// When no more cortes are expected.
    pub ends: Timestamp,
    pub on_interrupted: OnInterrupted,
    pub closed: Closed,
    /// The host name under which it is published.
    pub name: Option<String>,
}

/// What is shown while transmission is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnInterrupted {
    /// A notice instead of results (the call, III).
    Notice,
    /// Results, under a notice that cannot be overlooked.
    Banner,
}

/// What is shown after a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The last results.
    Keep,
    /// A page that says that it is over.
    Page,
}

impl Window {
    /// Once nothing has come for this long, after the stamp of the last corte or the opening, it is interrupted.
    pub fn patience(&self) -> SignedDuration {
        self.interval.saturating_mul(i32::try_from(self.periods).unwrap_or(i32::MAX)).saturating_add(self.grace)
    }
}

/// All windows of an election: never empty, in order of time, and no two at once.
#[derive(Clone, Debug)]
pub struct Calendar {
    windows: Vec<Window>,
    zone: TimeZone,
    /// How long before its opening a window takes the place of the one before.
    countdown: SignedDuration,
    /// The first window takes cortes of any time before it.
    is_open_ended: bool,
}

/// What is wrong with a list of windows, and with which of them, counted from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarFault {
    pub window: usize,
    pub what: Fault,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    NoWindow,
    EndsBeforeItOpens,
    NoInterval,
    NoPeriods,
    /// It begins before the one with this number has closed.
    Overlaps(usize),
    /// No cortes are expected from a time before it opens.
    OverBeforeItOpens,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NoWindow => f.write_str("there is no window"),
            Fault::EndsBeforeItOpens => f.write_str("closes before it opens; give `closes` a later time"),
            Fault::NoInterval => f.write_str("needs an `interval` that is longer than nothing, such as \"10m\""),
            Fault::NoPeriods => f.write_str("`periods` must be at least 1; the call says 3"),
            Fault::Overlaps(other) => write!(f, "begins before window {} has closed; only one can be open", other + 1),
            Fault::OverBeforeItOpens => f.write_str("`cortes_end` must be longer than nothing"),
        }
    }
}

impl Calendar {
    /// All faults at once. The order of `windows` does not matter; faults name them as they were given.
    pub fn new(
        windows: Vec<Window>,
        zone: TimeZone,
        countdown: SignedDuration,
    ) -> Result<Calendar, Vec<CalendarFault>> {
        let mut faults = Vec::new();
        if windows.is_empty() {
            faults.push(CalendarFault { window: 0, what: Fault::NoWindow });
        }
        for (window, given) in windows.iter().enumerate() {
            let mut check = |is_wrong: bool, what| {
                if is_wrong {
                    faults.push(CalendarFault { window, what });
                }
            };
            check(given.closes <= given.opens, Fault::EndsBeforeItOpens);
            check(given.interval <= SignedDuration::ZERO, Fault::NoInterval);
            check(given.periods == 0, Fault::NoPeriods);
            check(given.ends <= given.opens, Fault::OverBeforeItOpens);
        }
        let mut order: Vec<usize> = (0..windows.len()).collect();
        order.sort_by_key(|n| windows[*n].opens);
        // A long one may reach over several.
        let mut last: Option<usize> = None;
        for window in order {
            if let Some(before) = last.filter(|before| windows[window].opens < windows[*before].closes) {
                faults.push(CalendarFault { window, what: Fault::Overlaps(before) });
            }
            last = last.into_iter().chain([window]).max_by_key(|n| windows[*n].closes);
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut windows = windows;
        windows.sort_by_key(|window| window.opens);
        Ok(Calendar { windows, zone, countdown, is_open_ended: false })
    }

    /// The same, with a first window that takes cortes of any time before it: for windows that nobody has given.
    pub fn open_ended(self) -> Calendar {
        Calendar { is_open_ended: true, ..self }
    }

    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// The zone in which people here read times.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// When the window with this number takes over from the one before: its countdown begins, and its packages are
    /// taken in. `None` for the first, which has always begun, and where there is no such window.
    pub fn begins(&self, window: usize) -> Option<Timestamp> {
        let before = self.windows.get(window.checked_sub(1)?)?;
        let earliest = self.windows.get(window)?.opens.saturating_sub(self.countdown).unwrap_or(Timestamp::MIN);
        Some(earliest.max(before.closes))
    }

    /// The number of the window that governs at `now`: the last one that has begun.
    pub fn governing(&self, now: Timestamp) -> usize {
        (1..self.windows.len()).rev().find(|n| self.begins(*n).is_some_and(|begins| begins <= now)).unwrap_or(0)
    }

    /// Whether a corte of this kind and stamp is for the window with this number: the one that governed, or will, at its
    /// stamp. So last Sunday's drill never shows in the next, nor in the first that somebody has given: it governs from the
    /// start, and its cortes begin with its countdown as those of the others do.
    pub fn is_for(&self, window: usize, kind: Tipo, stamp: Timestamp) -> bool {
        let earliest = self.windows[0].opens.saturating_sub(self.countdown).unwrap_or(Timestamp::MIN);
        let is_old = stamp < earliest && !self.is_open_ended;
        self.governing(stamp) == window && self.windows[window].kind == kind && !is_old
    }
}
