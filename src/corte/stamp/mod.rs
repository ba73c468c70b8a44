//! The stamp of a bare tree: which corte it is, read by a configured rule from what the authority publishes anyway.
//!
//! Pure: paths and bytes go in, a stamp comes out. Where several files or names match, the latest stamp counts; one that
//! cannot be read is a refusal, never passed over, lest an older one take its place.

mod field;
pub mod format;
mod inside;
mod rule;
mod text;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use regex::Regex;

use super::read::Most;
use super::{CorteId, Refusal};
use crate::base::shown::Shown;
use format::Format;
use inside::Inside;
pub use rule::RuleFault;

/// Bytes of a JSON file that is looked into. Real ones have some MB; parsed they take several times that.
const JSON_BYTES: u64 = 16 << 20;
/// Bytes at the front of any other file that are looked into: a page with all its inline scripts.
const HEAD_BYTES: usize = 1 << 20;

/// The moment that a corte is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The authority's local time, to the second if it says so.
    pub local: DateTime,
    pub offset: Offset,
    pub instant: Timestamp,
}

impl Stamp {
    /// `YYYYMMDD_HHMM` of the local minute, with `-N` for a revision from 1 on.
    pub fn id(&self, revision: u32) -> CorteId {
        CorteId::new(self.local, revision)
    }

    /// RFC 3339 with the offset, as `corte.json` has it.
    pub fn fecha_hora(&self) -> String {
        self.instant.display_with_offset(self.offset).to_string()
    }
}

/// How the stamp of a bare tree is found.
#[derive(Clone, Debug)]
pub struct StampRule {
    place: Place,
    format: Format,
    zone: Option<TimeZone>,
}

#[derive(Clone, Debug)]
enum Place {
    Json { file: Inside, pointers: Vec<String> },
    Text { file: Inside, regex: Regex },
    Line { file: Inside, number: usize, regex: Regex },
    Names { regex: Regex },
}

impl StampRule {
    /// Finds the stamp in a tree of paths and bytes.
    ///
    /// # Errors
    /// No file that matches, too many, no stamp in one, a stamp that is no date in the format, an archive that is broken
    /// or unpacks to too much.
    pub fn find(&self, files: &[(&str, &[u8])]) -> Result<Stamp, Refusal> {
        let mut latest: Option<Stamp> = None;
        self.texts(files, &mut |path, found| {
            let stamp = self.stamp(path, found)?;
            latest = latest.filter(|latest| latest.instant >= stamp.instant).or(Some(stamp));
            Ok(())
        })?;
        latest.ok_or_else(|| Refusal::StampFileMissing { pattern: self.pattern() })
    }

    /// Every text that is a stamp, with the path where it was found.
    fn texts(
        &self,
        files: &[(&str, &[u8])],
        each: &mut dyn FnMut(&str, &str) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let head = Most::First(HEAD_BYTES);
        let no_match = |regex: &Regex| format!("{} does not match", Shown::text(regex.as_str()));
        match &self.place {
            Place::Json { file, pointers } => file.each(files, Most::Whole(JSON_BYTES), &mut |path, bytes| {
                each(path, &found(path, text::pointed(bytes, pointers))?)
            }),
            Place::Text { file, regex } => file.each(files, head, &mut |path, bytes| {
                let captured = text::captured(&text::decoded(bytes), regex);
                each(path, &found(path, captured.ok_or_else(|| no_match(regex)))?)
            }),
            Place::Line { file, number, regex } => file.each(files, head, &mut |path, bytes| {
                let text = text::decoded(bytes);
                let line = found(path, text::line(&text, *number).ok_or(format!("it has no line {number}")))?;
                let captured = text::captured(line, regex);
                let why = || format!("{} in line {number}: `{}`", no_match(regex), Shown::text(line));
                each(path, &found(path, captured.ok_or_else(why))?)
            }),
            Place::Names { regex } => files.iter().try_for_each(|(path, _)| {
                let name = path.rsplit_once('/').map_or(*path, |(_, name)| name);
                text::captured(name, regex).map_or(Ok(()), |text| each(path, &text))
            }),
        }
    }

    fn stamp(&self, path: &str, text: &str) -> Result<Stamp, Refusal> {
        let malformed = |why: String| Refusal::StampMalformed {
            path: Shown::text(path),
            text: Shown::text(text),
            format: Shown::text(self.format.as_str()),
            why,
        };
        let (local, written) = self.format.read(text).map_err(malformed)?;
        let offset = match (written, &self.zone) {
            (Some(offset), _) => offset,
            (None, Some(zone)) => at(zone, local).map_err(malformed)?,
            (None, None) => return Err(malformed("it has no offset, and no zone is configured".into())),
        };
        let instant = offset.to_timestamp(local).map_err(|_| malformed("there is no such date and time".into()))?;
        Ok(Stamp { local, offset, instant })
    }

    /// What is looked for, in the words of the settings.
    fn pattern(&self) -> Shown {
        match &self.place {
            Place::Json { file, .. } | Place::Text { file, .. } | Place::Line { file, .. } => {
                Shown::text(file.as_str())
            }
            Place::Names { regex } => Shown::text(regex.as_str()),
        }
    }
}

/// Makes a rule of every kind of the same texts and looks into one file with each; for fuzzing.
pub fn anything(file: &str, looked_for: &str, format: &str, bytes: &[u8]) {
    let zone = Some("America/Mexico_City");
    let rules = [
        StampRule::json(file, &[looked_for], format, zone),
        StampRule::text(file, looked_for, format, zone),
        StampRule::line(file, 3, looked_for, format, zone),
        StampRule::names(looked_for, format, zone),
        StampRule::text("*!*", looked_for, format, zone),
    ];
    for rule in rules.iter().flatten() {
        let _ = rule.find(&[(file, bytes)]);
    }
}

fn found<T>(path: &str, text: Result<T, String>) -> Result<T, Refusal> {
    text.map_err(|why| Refusal::StampNotFound { path: Shown::text(path), why })
}

/// The zone's offset at a local time. An hour that clocks show twice is taken as the first; one that they skip is none.
fn at(zone: &TimeZone, local: DateTime) -> Result<Offset, String> {
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => Ok(offset),
        AmbiguousOffset::Fold { before, .. } => Ok(before),
        AmbiguousOffset::Gap { .. } => Err("clocks are put forward over this hour in the configured zone".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ZONE: Option<&str> = Some("America/Mexico_City");

    fn code(found: Result<Stamp, Refusal>) -> &'static str {
        found.map_or_else(
            |refusal| {
                assert!(!refusal.to_string().chars().any(char::is_control), "{refusal}");
                refusal.code()
            },
            |_| "",
        )
    }

    #[test]
    fn one_rule_of_each_kind() {
        let json = br#"{"fecha": "01 de julio de 2018", "hora": "20:57"}"#;
        let files: [(&str, &[u8]); 3] = [
            ("datos/total.json", json),
            ("index.html", b"<p>Corte: 1 de julio de 2018, 20:57 hrs \xed</p>"),
            ("datos/20180701_2057_PREP.csv", b"sep=|\r\nDIPUTACIONES\r\n2018/07/01 20:57 (UTC-5)\r\n"),
        ];
        let words = "%d de %B de %Y %H:%M";
        for rule in [
            StampRule::json("*/total.json", &["/fecha", "/hora"], words, ZONE),
            StampRule::text("index.html", "Corte: ([^<]*?), ([0-9:]+) hrs", words, ZONE),
            StampRule::names(r"^(\d{8}_\d{4})_PREP\.csv$", "%Y%m%d_%H%M", ZONE),
            StampRule::line("datos/*.csv", 3, ".+", "%Y/%m/%d %H:%M (UTC%z)", None),
        ] {
            let stamp = rule.unwrap().find(&files).unwrap();
            assert_eq!(stamp.id(0).to_string(), "20180701_2057");
            assert_eq!(stamp.id(2).to_string(), "20180701_2057-2");
            assert_eq!(stamp.fecha_hora(), "2018-07-01T20:57:00-05:00");
            assert_eq!(stamp.instant, "2018-07-02T01:57:00Z".parse().unwrap());
        }
    }

    #[test]
    fn the_latest_of_all_that_match_counts() {
        let rule = StampRule::names(r"\d{8}_\d{4}", "%Y%m%d_%H%M", ZONE).unwrap();
        let find = |names: &[&str]| rule.find(&names.iter().map(|name| (*name, &b""[..])).collect::<Vec<_>>());
        let latest = find(&["z/20180701_2057.zip", "20180702_0002.zip", "20180701_2357.zip", "LEEME"]).unwrap();
        assert_eq!(latest.id(0).to_string(), "20180702_0002");
        assert_eq!(code(find(&["20180701_2057/a.zip"])), "P101", "folders are no names");
        assert_eq!(code(find(&["20180701_2057.zip", "20180702_9999.zip"])), "P104", "never passed over");
        assert_eq!(code(find(&[])), "P101");
    }

    #[test]
    fn each_way_to_fail_has_its_refusal() {
        let json = StampRule::json("*.json", &["/t"], "%F %R", ZONE).unwrap();
        let line = StampRule::line("*.csv", 2, r"[\d: -]+", "%F %R", ZONE).unwrap();
        let find = |rule: &StampRule, path: &str, bytes: &[u8]| code(rule.find(&[(path, bytes)]));
        assert_eq!(find(&json, "a.json", br#"{"t":"2018-07-01 20:57"}"#), "");
        assert_eq!(find(&json, "a.html", br#"{"t":"2018-07-01 20:57"}"#), "P101");
        assert_eq!(find(&json, "a.json", b"<html>403 Forbidden</html>"), "P103");
        assert_eq!(find(&json, "a.json", b"{}"), "P103");
        assert_eq!(find(&json, "a.json", br#"{"t":"ayer"}"#), "P104");
        assert_eq!(find(&json, "a.json", &vec![b' '; JSON_BYTES as usize + 1]), "P013");
        assert_eq!(find(&line, "a.csv", b"x\n2018-07-01 20:57"), "");
        assert_eq!(find(&line, "a.csv", b"2018-07-01 20:57"), "P103", "it has no line 2");
        assert_eq!(find(&line, "a.csv", b"\n\n2018-07-01 20:57"), "P103");
        assert_eq!(find(&line, "a.csv", &[vec![b'x'; HEAD_BYTES], b"\n2018-07-01 20:57".to_vec()].concat()), "P103");
        let many: Vec<(&str, &[u8])> = vec![("a.csv", b"\n2018-07-01 20:57"); 513];
        assert_eq!((code(line.find(&many[1..])), code(line.find(&many))), ("", "P102"));
    }

    #[test]
    fn hours_that_clocks_skip_or_show_twice() {
        let rule = StampRule::names(r"\d{8}_\d{4}", "%Y%m%d_%H%M", ZONE).unwrap();
        let find = |name: &str| rule.find(&[(name, b"")]);
        assert_eq!(code(find("20180401_0230")), "P104");
        assert_eq!(find("20181028_0130").unwrap().fecha_hora(), "2018-10-28T01:30:00-05:00");
        assert_eq!(
            find("20260607_2010").unwrap().fecha_hora(),
            "2026-06-07T20:10:00-06:00",
            "no summer time since 2022"
        );
    }

    proptest! {
        #[test]
        fn never_panics(
            file in "[a*?!/]{0,6}",
            looked_for in "(/[a-z~0-9]{0,3}|[\\d.()*+a-z]{0,8})",
            format in "(%Y%m%d%H%M|%F %R).{0,3}",
            bytes in any::<Vec<u8>>(),
        ) {
            anything(&file, &looked_for, &format, &bytes);
        }
    }
}
