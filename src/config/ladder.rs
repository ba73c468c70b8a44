//! `[ladder]`: what is left out first while more is asked for than can be sent.

use super::typed::Section;
use crate::base::{link, units};
use crate::http::ladder::{Bounds, Classes, Rules};
use crate::portal::Offer;

/// Characters of a pattern: no path is longer.
const PATTERN_CHARS: usize = 1024;

pub(super) fn read(section: &Section) -> Option<Rules> {
    let link = section.text("link", rate);
    let steps = section.number("steps", 0..Offer::ALL.len() as u64);
    let calm = section.text("calm", units::duration);
    let [essential, downloads, images] = ["essential", "downloads", "images"].map(|key| {
        let all = section.list(key, pattern)?;
        Some(all.into_iter().map(|given| given.value).collect())
    });
    let (large, small) = (section.text("large", units::size), section.text("small", units::size));
    let (large_bytes, small_bytes) = (large?.value, small?.value);
    let bounds = Bounds {
        link: link?.value,
        calm_s: u32::try_from(calm?.value.as_secs().max(1)).ok()?,
        least: *Offer::ALL.get(usize::try_from(steps?).ok()?)?,
    };
    let classes = Classes { essential: essential?, downloads: downloads?, images: images?, large_bytes, small_bytes };
    Some(Rules { classes, bounds })
}

fn rate(text: &str) -> Result<Option<u64>, String> {
    match text {
        "auto" => Ok(link::speed()),
        "none" => Ok(None),
        _ => units::rate(text).map(Some),
    }
}

fn pattern(text: &str) -> Result<String, String> {
    let fits = text.starts_with(['/', '*']) && text.len() <= PATTERN_CHARS;
    fits.then(|| text.to_owned()).ok_or_else(|| format!("`{text}` is no path: it begins with `/` or `*`"))
}
