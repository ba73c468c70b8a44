//! `[difusor]`: who publishes, and how its own pages look.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use http::HeaderValue;

use super::typed::Section;
use crate::portal::{Brand, CONTRAST_MIN, contrast};
use crate::snapshot::{Looks, media};

/// An image for the top of a page; it is sent to every reader.
const LOGO_MAX_BYTES: usize = 64 << 10;
const WORDS_MAX: usize = 120;
const LOGOS: [&str; 4] = ["image/svg+xml", "image/png", "image/webp", "image/jpeg"];

/// `None` only where a fault has been noted.
pub fn looks(section: &Section, folder: &Path) -> Option<Looks> {
    let name = section.text("name", words);
    let support = section.text("support", words);
    let (colour, on_colour) = (section.text("colour", colour), section.text("on_colour", colour));
    let logo = section.text("logo", |text| read_logo(&folder.join(text)));
    let ancestors = section.list("frame_ancestors", origin)?;
    let (has_logo, has_colour) = (section.has("logo"), section.has("colour"));
    if has_logo && logo.is_none() || has_colour && colour.is_none() {
        return None;
    }
    let pair = (colour.as_ref(), on_colour.as_ref());
    if let (Some(colour), Some(on)) = pair {
        match contrast(&colour.value, &on.value) {
            Ok(ratio) if ratio >= CONTRAST_MIN => {}
            Ok(ratio) => {
                let why = format!(
                    "on `{}` has a contrast of {ratio:.1}, and {CONTRAST_MIN} is the least that people can read (WCAG 2.2, 1.4.3)",
                    colour.value
                );
                section.note(on.span.clone(), format!("`difusor.on_colour`: {why}"));
            }
            Err(fault) => section.note(on.span.clone(), format!("`difusor.on_colour`: {fault}")),
        }
    } else if on_colour.is_some() {
        section.fault_of("on_colour", "needs a `colour` beside it");
    }
    let brand = Brand {
        name: name.map(|given| given.value),
        support: support.map(|given| given.value),
        colour: colour.map(|given| given.value),
        on_colour: on_colour.map(|given| given.value),
        logo: logo.map(|given| given.value),
    };
    let list: Vec<String> = ancestors.into_iter().map(|given| given.value).collect();
    let policy = (!list.is_empty()).then(|| format!("frame-ancestors 'self' {}", list.join(" ")));
    Some(Looks { brand, frame_ancestors: policy.and_then(|policy| HeaderValue::try_from(policy).ok()) })
}

fn words(text: &str) -> Result<String, String> {
    let fits = !text.trim().is_empty() && text.chars().count() <= WORDS_MAX && !text.chars().any(char::is_control);
    fits.then(|| text.trim().to_owned()).ok_or_else(String::new)
}

fn colour(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix('#').unwrap_or_default();
    let is_colour = digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    is_colour.then(|| text.to_ascii_lowercase()).ok_or_else(String::new)
}

fn read_logo(path: &Path) -> Result<(&'static str, Bytes), String> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let essence = media::of(name).essence;
    if !LOGOS.contains(&essence) {
        return Err(format!("{}: expected .svg, .png, .webp or .jpg", path.display()));
    }
    if let Some(why) = media::contradiction(name, &bytes) {
        return Err(format!("{}: {why}", path.display()));
    }
    if bytes.len() > LOGO_MAX_BYTES {
        return Err(format!("{}: has {} bytes; at most {LOGO_MAX_BYTES}", path.display(), bytes.len()));
    }
    Ok((essence, Bytes::from(bytes)))
}

/// A source expression of CSP that names an origin: `https://www.example.mx`, `https://*.example.mx`.
fn origin(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let (host, port) = rest.split_once(':').unwrap_or((rest, "1"));
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-.*".contains(&b);
    let is_origin = !host.is_empty() && host.bytes().all(fits) && port.parse::<u16>().is_ok_and(|port| port > 0);
    is_origin.then(|| text.to_owned()).ok_or_else(String::new)
}
