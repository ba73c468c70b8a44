//! Colours as settings give them, and whether text can be read on them.

use std::fmt;

/// What text needs on its background (WCAG 2.2, 1.4.3).
pub const CONTRAST_MIN: f64 = 4.5;

/// A text that is no `#rrggbb`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoColour(pub String);

impl fmt::Display for NoColour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no colour; write it as \"#7a1f00\"", self.0)
    }
}

impl std::error::Error for NoColour {}

/// The ratio of two colours `#rrggbb`, from 1 to 21 (WCAG 2.2, "contrast ratio").
pub fn contrast(background: &str, text: &str) -> Result<f64, NoColour> {
    let (a, b) = (luminance(background)?, luminance(text)?);
    Ok((a.max(b) + 0.05) / (a.min(b) + 0.05))
}

/// WCAG 2.2, "relative luminance".
fn luminance(colour: &str) -> Result<f64, NoColour> {
    let wrong = || NoColour(colour.to_owned());
    let digits = colour.strip_prefix('#').filter(|d| d.len() == 6 && d.bytes().all(|b| b.is_ascii_hexdigit()));
    let all = u32::from_str_radix(digits.ok_or_else(wrong)?, 16).map_err(|_| wrong())?;
    let linear = |shift: u32| {
        let part = f64::from(all >> shift & 0xff) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    Ok(0.2126 * linear(16) + 0.7152 * linear(8) + 0.0722 * linear(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_published_ratios() {
        let ratio = |a, b| (contrast(a, b).unwrap() * 100.0).round() / 100.0;
        assert_eq!(ratio("#000000", "#ffffff"), 21.0);
        assert_eq!(ratio("#FFFFFF", "#ffffff"), 1.0);
        // The lightest grey that passes on white, and the first that does not.
        assert_eq!(ratio("#ffffff", "#767676"), 4.54);
        assert_eq!(ratio("#777777", "#ffffff"), 4.48);
    }

    #[test]
    fn what_is_no_colour_is_told() {
        for bad in ["", "#", "red", "#fff", "7a1f00", "#7a1f0", "#7a1f00ff", "#+a1f00", "#ñññ", "#7a1f0g"] {
            assert_eq!(contrast(bad, "#ffffff"), Err(NoColour(bad.into())), "{bad}");
            assert_eq!(contrast("#ffffff", bad), Err(NoColour(bad.into())), "{bad}");
        }
    }
}
