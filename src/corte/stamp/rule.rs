//! Stamp rules as they are written in the settings, checked.

use std::fmt;

use jiff::tz::TimeZone;
use regex::Regex;

use super::format::Format;
use super::inside::Inside;
use super::{Place, StampRule, text};
use crate::base::shown::Shown;

/// Lines in which a header may stand.
const LINES: usize = 1000;

/// Everything that is wrong with a stamp rule: which part of it, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFault(Vec<(&'static str, String)>);

impl RuleFault {
    /// The parts are `file`, `pointers`, `regex`, `line`, `format` and `zone`.
    pub fn parts(&self) -> &[(&'static str, String)] {
        &self.0
    }
}

impl fmt::Display for RuleFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (part, what)) in self.0.iter().enumerate() {
            write!(f, "{}{part} {what}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for RuleFault {}

/// Gathers what is wrong, so that all of it is told at once.
#[derive(Default)]
struct Faults(Vec<(&'static str, String)>);

impl Faults {
    fn note<T>(&mut self, part: &'static str, read: Result<T, String>) -> Option<T> {
        read.map_err(|what| self.0.push((part, what))).ok()
    }

    fn file(&mut self, file: &str) -> Option<Inside> {
        self.note("file", Inside::parse(file))
    }

    fn regex(&mut self, regex: &str) -> Option<Regex> {
        self.note("regex", text::regex(regex))
    }

    /// The rule, if nothing was wrong with its place and nothing is with its dates.
    fn rule(mut self, place: Option<Place>, format: &str, zone: Option<&str>) -> Result<StampRule, RuleFault> {
        let format = self.note("format", Format::parse(format));
        let known = |name: &str| TimeZone::get(name).map_err(|_| unknown_zone(name));
        let zone = self.note("zone", zone.map(known).transpose());
        if let (Some(format), Some(None)) = (&format, &zone)
            && !format.has_offset()
        {
            let what = "is needed, for the format has no %z; expected an IANA name such as America/Mexico_City";
            self.0.push(("zone", what.into()));
        }
        match (place, format, zone) {
            (Some(place), Some(format), Some(zone)) if self.0.is_empty() => Ok(StampRule { place, format, zone }),
            _ => Err(RuleFault(self.0)),
        }
    }
}

fn unknown_zone(name: &str) -> String {
    format!("`{}` is unknown; expected an IANA name such as America/Mexico_City", Shown::text(name))
}

/// In each, `file` is a pattern of `*` and `?` for a whole path in the tree, with a `!` before each further pattern for a
/// file inside a ZIP archive (`*_DIP.zip!DIP_LOC_*.csv`); `format` is as strptime(3), in Spanish; `zone` is the IANA name
/// of the authority's zone, for dates without an offset.
impl StampRule {
    /// The texts and numbers at these JSON pointers (RFC 6901), joined by a blank.
    pub fn json(file: &str, pointers: &[&str], format: &str, zone: Option<&str>) -> Result<StampRule, RuleFault> {
        let mut faults = Faults::default();
        let (file, pointers) = (faults.file(file), faults.note("pointers", text::pointers(pointers)));
        let place = file.zip(pointers).map(|(file, pointers)| Place::Json { file, pointers });
        faults.rule(place, format, zone)
    }

    /// What a regular expression finds first in the first MiB: its groups, joined by a blank, or else the whole match.
    pub fn text(file: &str, regex: &str, format: &str, zone: Option<&str>) -> Result<StampRule, RuleFault> {
        let mut faults = Faults::default();
        let (file, regex) = (faults.file(file), faults.regex(regex));
        faults.rule(file.zip(regex).map(|(file, regex)| Place::Text { file, regex }), format, zone)
    }

    /// The same in one line, counted from 1: the header of a CSV.
    pub fn line(
        file: &str,
        number: usize,
        regex: &str,
        format: &str,
        zone: Option<&str>,
    ) -> Result<StampRule, RuleFault> {
        let mut faults = Faults::default();
        let (file, regex) = (faults.file(file), faults.regex(regex));
        let lines = (1..=LINES).contains(&number).then_some(number).ok_or(format!("is not between 1 and {LINES}"));
        let place = file.zip(regex).zip(faults.note("line", lines));
        let place = place.map(|((file, regex), number)| Place::Line { file, number, regex });
        faults.rule(place, format, zone)
    }

    /// The same in the names of files, without their folders: the latest stamp of all names that match.
    pub fn names(regex: &str, format: &str, zone: Option<&str>) -> Result<StampRule, RuleFault> {
        let mut faults = Faults::default();
        let place = faults.regex(regex).map(|regex| Place::Names { regex });
        faults.rule(place, format, zone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: Option<&str> = Some("America/Mexico_City");

    fn parts(rule: Result<StampRule, RuleFault>) -> Vec<&'static str> {
        rule.map_or_else(|fault| fault.parts().iter().map(|(part, _)| *part).collect(), |_| vec![])
    }

    #[test]
    fn every_fault_of_a_rule_is_told_at_once() {
        assert_eq!(parts(StampRule::json("", &[], "%F", ZONE)), ["file", "pointers", "format"]);
        assert_eq!(parts(StampRule::line("a", 0, "(", "%F", Some("Coahuila"))), ["regex", "line", "format", "zone"]);
        assert_eq!(parts(StampRule::text("a!b!c!d!e", "x", "%F %R", ZONE)), ["file"]);
        assert_eq!(parts(StampRule::text("/a", "x", "%F %R", None)), ["file", "zone"]);
        assert_eq!(parts(StampRule::names("x", "%F %R", None)), ["zone"], "the format has no offset");
        assert_eq!(parts(StampRule::names("x", "%F %R %z", None)), [""; 0]);
        let fault = StampRule::names("x", "%F %R", None).unwrap_err().to_string();
        assert!(fault.starts_with("zone is needed") && fault.contains("America/Mexico_City"), "{fault}");
    }
}
