//! `[transport]`: what has to be known of an authority that only mirrors its site.

use std::time::Duration;

use super::typed::Section;
use crate::base::units;
use crate::corte::{RuleFault, StampRule};
use crate::ingest::{Complete, Corrections, Transport};

/// Lines in which a header may stand; the rule itself says so too.
const LINES: u64 = 1000;

/// How the stamp is found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Text,
    Line,
    Names,
}

/// `None` only where a fault has been noted.
pub fn transport(section: &Section) -> Option<Transport> {
    let is_mirror = section.truth("mirror");
    let complete = section.text("complete", complete);
    let corrections = section.text("corrections", corrections);
    let rule = rule(section);
    Some(Transport { rule: rule?, is_mirror: is_mirror?, complete: complete?.value, corrections: corrections?.value })
}

fn rule(section: &Section) -> Option<StampRule> {
    let verbatim = |text: &str| Ok(text.to_owned());
    let kind = section.text("stamp", kind);
    let (file, regex) = (section.text("file", verbatim), section.text("regex", verbatim));
    let pointers = section.list("pointers", verbatim);
    let line = section.number("line", 1..LINES + 1);
    let (format, zone) = (section.text("format", verbatim), section.text("zone", verbatim));
    let (kind, format) = (kind?.value, format?.value);
    let needs = |key: &str| section.missing(&format!("`transport.{key}` is missing: this kind of stamp needs it"));
    let is_missing = |needed: bool, given: bool, key: &str| {
        if needed && !given {
            needs(key);
        }
        needed && !given
    };
    let lacks_file = is_missing(kind != Kind::Names, file.is_some(), "file");
    let lacks_regex = is_missing(kind != Kind::Json, regex.is_some(), "regex");
    let pointers = pointers.unwrap_or_default();
    let lacks_pointers = is_missing(kind == Kind::Json, !pointers.is_empty(), "pointers");
    if lacks_file || lacks_regex || lacks_pointers {
        return None;
    }
    let text =
        |given: &Option<super::typed::Given<String>>| given.as_ref().map(|g| g.value.clone()).unwrap_or_default();
    let (file, regex, zone) = (text(&file), text(&regex), zone.map(|given| given.value));
    let pointers: Vec<&str> = pointers.iter().map(|given| given.value.as_str()).collect();
    let zone = zone.as_deref();
    let rule = match kind {
        Kind::Json => StampRule::json(&file, &pointers, &format, zone),
        Kind::Text => StampRule::text(&file, &regex, &format, zone),
        Kind::Line => StampRule::line(&file, usize::try_from(line?).ok()?, &regex, &format, zone),
        Kind::Names => StampRule::names(&regex, &format, zone),
    };
    rule.map_err(|fault: RuleFault| {
        for (part, what) in fault.parts() {
            section.fault_of(part, what);
        }
    })
    .ok()
}

fn kind(text: &str) -> Result<Kind, String> {
    match text {
        "json" => Ok(Kind::Json),
        "text" => Ok(Kind::Text),
        "line" => Ok(Kind::Line),
        "names" => Ok(Kind::Names),
        _ => Err(String::new()),
    }
}

fn complete(text: &str) -> Result<Complete, String> {
    match text {
        "notify" => Ok(Complete::Notified),
        time => units::duration(time).map(|time: Duration| Complete::Quiet(time)).map_err(|_| String::new()),
    }
}

fn corrections(text: &str) -> Result<Corrections, String> {
    match text {
        "refuse" => Ok(Corrections::Refuse),
        "revise" => Ok(Corrections::Revise),
        _ => Err(String::new()),
    }
}
