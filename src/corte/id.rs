//! The corte ID: `YYYYMMDD_HHMM` with an optional `-N` revision. Later cortes compare greater.

use std::fmt;
use std::str::FromStr;

use jiff::civil::DateTime;

/// Which cut of the results: the minute it names, then its revision (0 when none is written).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CorteId {
    minute: DateTime,
    revision: u32,
}

/// Not a corte ID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a corte ID; expected YYYYMMDD_HHMM with an optional -N revision (N from 1 on, at most 9 digits)")]
pub struct NotAnId(String);

impl CorteId {
    /// The local minute that the ID names, in the authority's own offset.
    pub fn minute(&self) -> DateTime {
        self.minute
    }

    /// 0 where none is written.
    pub fn revision(&self) -> u32 {
        self.revision
    }

    pub fn new(minute: DateTime, revision: u32) -> CorteId {
        let minute = minute.with().second(0).subsec_nanosecond(0).build().unwrap_or(minute);
        CorteId { minute, revision }
    }
}

impl FromStr for CorteId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<CorteId, NotAnId> {
        parse(text).ok_or_else(|| NotAnId(text.chars().take(40).collect()))
    }
}

fn parse(text: &str) -> Option<CorteId> {
    let (stamp, revision) = match text.split_once('-') {
        None => (text, 0),
        Some((stamp, n)) => (stamp, number(n).filter(|_| n.len() <= 9 && !n.starts_with('0'))?),
    };
    let (date, time) = stamp.split_once('_')?;
    if date.len() != 8 || time.len() != 4 {
        return None;
    }
    let (date, time) = (number(date)?, number(time)?);
    let minute = DateTime::new(
        (date / 10_000) as i16,
        (date / 100 % 100) as i8,
        (date % 100) as i8,
        (time / 100) as i8,
        (time % 100) as i8,
        0,
        0,
    )
    .ok()?;
    Some(CorteId { minute, revision })
}

/// Decimal digits and nothing else (`str::parse` would take a sign).
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

impl fmt::Display for CorteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let m = self.minute;
        write!(f, "{:04}{:02}{:02}_{:02}{:02}", m.year(), m.month(), m.day(), m.hour(), m.minute())?;
        match self.revision {
            0 => Ok(()),
            n => write!(f, "-{n}"),
        }
    }
}

impl fmt::Debug for CorteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(text: &str) -> CorteId {
        text.parse().unwrap()
    }

    #[test]
    fn later_cortes_compare_greater() {
        let order = ["20260607_1830", "20260607_1830-2", "20260607_1830-10", "20260607_1840", "20260608_0000"];
        for pair in order.windows(2) {
            assert!(id(pair[0]) < id(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn refuses_what_is_no_id() {
        for bad in [
            "",
            "20260607",
            "20260607_183",
            "20260607_2460",
            "20260231_1000",
            "20260607_1830-",
            "20260607_1830-0",
            "20260607_1830-01",
            "+2026607_1830",
            "20260607_1830-1-1",
            "20260607_1830-9999999999",
            "２0260607_1830",
        ] {
            assert!(bad.parse::<CorteId>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn printed_and_read_back(y in 1900i16..2200, mo in 1i8..=12, d in 1i8..=28, h in 0i8..24, mi in 0i8..60, rev in 0u32..1000) {
            let id = CorteId::new(DateTime::new(y, mo, d, h, mi, 0, 0).unwrap(), rev);
            prop_assert_eq!(id.to_string().parse::<CorteId>().unwrap(), id);
        }

        #[test]
        fn never_panics(text in ".{0,40}") {
            let _ = text.parse::<CorteId>();
        }
    }
}
