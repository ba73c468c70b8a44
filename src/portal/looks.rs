//! What all our pages share: the difusor's colours, logo and name, the mark of a drill, the words for their scripts.

use serde_json::{Value, json};

use super::contrast::{CONTRAST_MIN, contrast};
use super::estado::estado;
use super::fill::{Hole, escaped, fill, lean, lean_css};
use super::told::{Brand, Told};
use super::words;

/// Where the logo is served.
pub(super) const LOGO: &str = "/.prep/logo";
/// Ours where the settings have none: dark blue and white.
const COLOUR: &str = "#1b3550";
const WHITE: &str = "#ffffff";
const BLACK: &str = "#000000";
/// The same clock and questions for every page that follows the state.
pub(super) const FOLLOW: &str = include_str!("web/follow.js");

/// Background and text of bars, always legible: settings are checked where they are read, but pages must be right anyway.
fn colours(brand: &Brand) -> (&str, &str) {
    let legible = |colour, text| contrast(colour, text).is_ok_and(|ratio| ratio >= CONTRAST_MIN);
    let colour = brand.colour.as_deref().filter(|colour| contrast(colour, WHITE).is_ok()).unwrap_or(COLOUR);
    let on_colour = brand.on_colour.as_deref().filter(|text| legible(colour, text));
    // One of both passes on any colour.
    (colour, on_colour.unwrap_or(if legible(colour, WHITE) { WHITE } else { BLACK }))
}

/// The page's one style: `own` after what is the same on all pages.
pub(super) fn style(brand: &Brand, own: &[&str]) -> String {
    let (colour, on_colour) = colours(brand);
    let holes = [("COLOUR", Hole::Text(colour)), ("ON_COLOUR", Hole::Text(on_colour))];
    let mut style = fill(&lean_css(include_str!("web/colours.css")), &holes);
    own.iter().for_each(|part| style.push_str(&lean_css(part)));
    style
}

/// The page's one script.
pub(super) fn script(parts: &[&str]) -> String {
    parts.iter().map(|part| lean(part)).collect()
}

/// What the script knows from the start: `{estado, palabras}`.
pub(super) fn data(told: &Told, brand: &Brand, words: Value) -> Value {
    json!({ "estado": estado(told, brand), "palabras": words })
}

pub(super) fn name(brand: &Brand) -> &str {
    brand.name.as_deref().unwrap_or(words::PREP)
}

/// The logo stands beside the name, and so says nothing more.
pub(super) fn logo(brand: &Brand) -> String {
    match brand.logo {
        Some(_) => format!("<img src=\"{LOGO}\" alt=\"\">"),
        None => String::new(),
    }
}

/// A page without an icon would make browsers ask for one.
pub(super) fn icon(brand: &Brand) -> &'static str {
    if brand.logo.is_some() { LOGO } else { "data:," }
}

pub(super) fn class(told: &Told) -> &'static str {
    if told.is_drill() { "is-drill" } else { "" }
}

/// SIMULACRO over the whole page, for eyes; the banner says it to all.
pub(super) fn mark(told: &Told) -> String {
    if told.is_drill() { any_mark() } else { String::new() }
}

/// The same where a script may show or hide it.
pub(super) fn any_mark() -> String {
    fill(include_str!("web/mark.html").trim_end(), &[("DRILL", Hole::Text(words::DRILL))])
}

pub(super) fn banner(told: &Told) -> String {
    if !told.is_drill() {
        return String::new();
    }
    format!(
        "<div class=\"drill\"><p class=\"wide\"><strong>{}</strong> · {}</p></div>",
        words::DRILL,
        words::DRILL_MEANS
    )
}

/// The line with the corte's date and hour, which stands on every page.
pub(super) fn corte_line(told: &Told, label: &str) -> String {
    match told.corte() {
        Some(corte) => format!(
            "<span>{label}</span> <time datetime=\"{}\">{}</time>",
            escaped(&corte.fecha_hora),
            escaped(&corte.date_and_hour)
        ),
        None => words::NO_CORTE.to_owned(),
    }
}

pub(super) fn footer(brand: &Brand) -> String {
    match &brand.support {
        Some(support) => {
            format!("<footer><p class=\"wide\">{} {}</p></footer>", words::HELP, escaped(support))
        }
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bars_are_legible_whatever_the_settings_say() {
        let with = |colour: Option<&str>, text: Option<&str>| {
            let brand = Brand { colour: colour.map(Into::into), on_colour: text.map(Into::into), ..Brand::default() };
            let (colour, text) = colours(&brand);
            (colour.to_owned(), text.to_owned())
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(with(None, None), pair(COLOUR, WHITE));
        assert_eq!(with(Some("#7a1f00"), Some("#ffeedd")), pair("#7a1f00", "#ffeedd"));
        assert_eq!(with(Some("#7a1f00"), Some("#7a1f01")), pair("#7a1f00", WHITE));
        assert_eq!(with(Some("#ffd257"), None), pair("#ffd257", BLACK));
        assert_eq!(with(Some("}</style>"), Some("red")), pair(COLOUR, WHITE));
    }

    proptest! {
        #[test]
        fn black_or_white_is_legible_on_any_colour(rgb in 0u32..1 << 24) {
            let brand = Brand { colour: Some(format!("#{rgb:06x}")), ..Brand::default() };
            let (colour, text) = colours(&brand);
            prop_assert!(contrast(colour, text).unwrap() >= CONTRAST_MIN);
        }
    }
}
