//! Sizes and durations as people write them, with their unit: `64 MiB`, `30s`.

use std::time::Duration;

use jiff::SignedDuration;

/// Bytes in the binary units that settings use.
pub const KIB: u64 = 1 << 10;
pub const MIB: u64 = 1 << 20;
pub const GIB: u64 = 1 << 30;

const UNITS: [(&str, u64); 8] = [
    ("B", 1),
    ("kB", 1_000),
    ("KiB", KIB),
    ("MB", 1_000_000),
    ("MiB", MIB),
    ("GB", 1_000_000_000),
    ("GiB", GIB),
    ("TiB", 1 << 40),
];

/// Reads a size such as `64 MiB`; a bare number is refused, for nobody remembers what it counts.
pub fn size(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor = UNITS.iter().find(|(name, _)| *name == unit.trim()).map(|(_, factor)| *factor);
    match (number.parse::<u64>(), factor) {
        (Ok(n), Some(factor)) => n.checked_mul(factor).ok_or_else(|| format!("`{text}` is too large")),
        _ => Err(format!("`{text}` is not a size; expected a whole number and its unit, such as \"64 MiB\"")),
    }
}

const RATES: [(&str, u64); 3] = [("kbit/s", 1_000), ("Mbit/s", 1_000_000), ("Gbit/s", 1_000_000_000)];

/// Reads what a link carries, such as `100 Mbit/s`, in bytes a second; never nothing.
pub fn rate(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor = RATES.iter().find(|(name, _)| *name == unit.trim()).map(|(_, factor)| *factor);
    let bits = number.parse::<u64>().ok().zip(factor).and_then(|(n, factor)| n.checked_mul(factor));
    bits.map(|bits| bits / 8)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| format!("`{text}` is not a rate; expected a whole number and its unit, such as \"100 Mbit/s\""))
}

/// Longest duration that a setting takes: whatever is longer is a slip of the pen.
const DURATION_MAX: Duration = Duration::from_secs(7 * 86_400);

/// Reads a duration such as `30s` or `10m`, longer than nothing, a week at most.
pub fn duration(text: &str) -> Result<Duration, String> {
    let parsed: Option<SignedDuration> = text.parse().ok();
    parsed.and_then(|d| Duration::try_from(d).ok()).filter(|d| !d.is_zero() && *d <= DURATION_MAX).ok_or_else(|| {
        format!(
            "`{text}` is not a duration; expected a number and its unit, such as \"30s\" or \"10m\", a week at most"
        )
    })
}

/// The same, or `0s`: nothing.
pub fn duration_or_zero(text: &str) -> Result<Duration, String> {
    if text == "0s" { Ok(Duration::ZERO) } else { duration(text) }
}

/// Bytes a second as a rate for people, in the bits that links are sold by: `94.1 Mbit/s`.
pub fn show_rate(bytes: u64) -> String {
    format!("{:.1} Mbit/s", bytes as f64 * 8.0 / 1e6)
}

/// A size for people: `3.3 MB`.
pub fn show_size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        assert_eq!(size("64 MiB"), Ok(64 * MIB));
        assert_eq!(size("2GiB"), Ok(2 * GIB));
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        for bad in ["", "64", "MiB", "-1 MiB", "1.5 GiB", "99999999999 TiB", "64 mib"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        assert_eq!((rate("100 Mbit/s"), rate("1Gbit/s")), (Ok(12_500_000), Ok(125_000_000)));
        assert_eq!(show_rate(12_500_000), "100.0 Mbit/s");
        for bad in ["", "100", "Mbit/s", "0 Mbit/s", "1.5 Gbit/s", "100 MB/s", "99999999999999999999 kbit/s"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
        for bad in ["", "30", "0s", "-5s", "soon", "1mo", "100000000h"] {
            assert!(duration(bad).is_err(), "{bad}");
            assert_eq!(duration_or_zero(bad).is_ok(), bad == "0s", "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,24}") {
            let _ = (size(&text), duration(&text), rate(&text));
        }
    }
}
