//! `[schedule]` and each `[[window]]`: when what is shown.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::typed::{Given, Section};
use crate::base::units;
use crate::corte::Tipo;
use crate::schedule::{Calendar, Closed, Fault, OnInterrupted, Window};

/// Windows; an election has a handful.
const WINDOWS_MAX: usize = 64;
/// Periods until the notice: a day of them at the call's interval.
const PERIODS_MAX: u64 = 144;

/// The call's own days (I and II): three drills, and the election.
const THE_CALL: [(Tipo, &str, &str); 4] = [
    (Tipo::Simulacro, "2026-05-17T18:30", "2026-05-17T23:59"),
    (Tipo::Simulacro, "2026-05-24T18:30", "2026-05-24T23:59"),
    (Tipo::Simulacro, "2026-05-31T18:30", "2026-05-31T23:59"),
    (Tipo::Oficial, "2026-06-07T18:30", "2026-06-14T23:59:59"),
];

/// A date and hour as typed: by the clocks of the zone, or with an offset of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Typed {
    Local(DateTime),
    Instant(Timestamp),
}

/// `None` only where a fault has been noted.
pub fn calendar(top: &Section) -> Option<Arc<Calendar>> {
    let section = top.section("schedule");
    let (zone, countdown) = (section.text("zone", zone), section.text("countdown", units::duration));
    let given = top.sections("window");
    if given.len() > WINDOWS_MAX {
        top.missing(&format!("there are {} windows; {WINDOWS_MAX} are the most", given.len()));
    }
    // Without a zone the windows are still looked at, so that all faults are told.
    let in_zone = zone.as_ref().map_or(TimeZone::UTC, |zone| zone.value.clone());
    let all: Vec<Option<Window>> = given.iter().map(|section| window(section, &in_zone)).collect();
    let is_whole = all.iter().all(Option::is_some);
    // Those that are whole are held against each other even where others are not; faults go by their numbers.
    let numbers: Vec<usize> = (0..all.len()).filter(|n| all[*n].is_some()).collect();
    let windows: Vec<Window> = match given.is_empty() {
        true => THE_CALL.iter().filter_map(|row| the_call(top, &in_zone, row)).collect(),
        false => all.into_iter().flatten().collect(),
    };
    if windows.is_empty() {
        return None;
    }
    let countdown = countdown.map(|given| signed(given.value));
    match Calendar::new(windows, in_zone, countdown.unwrap_or_default()) {
        Ok(calendar) => {
            let calendar = if given.is_empty() { calendar.open_ended() } else { calendar };
            (is_whole && zone.is_some() && countdown.is_some()).then(|| Arc::new(calendar))
        }
        Err(faults) => {
            for fault in faults {
                let key = match fault.what {
                    Fault::NoInterval => "interval",
                    Fault::NoPeriods => "periods",
                    Fault::OverBeforeItOpens => "cortes_end",
                    Fault::EndsBeforeItOpens => "closes",
                    Fault::Overlaps(_) | Fault::NoWindow => "opens",
                };
                let what = match fault.what {
                    Fault::Overlaps(other) => Fault::Overlaps(numbers[other]),
                    what => what,
                };
                given[numbers[fault.window]].fault_of(key, &what.to_string());
            }
            None
        }
    }
}

fn window(section: &Section, zone: &TimeZone) -> Option<Window> {
    let (opens, closes) = (moment(section, "opens", zone), moment(section, "closes", zone));
    rest(section, opens, closes)
}

/// One of the call's own windows, with everything else at its default.
fn the_call(top: &Section, zone: &TimeZone, (kind, opens, closes): &(Tipo, &str, &str)) -> Option<Window> {
    let at = |text: &str| instant(typed(text).ok()?, zone).ok();
    let window = rest(&top.absent("window"), at(opens), at(closes))?;
    Some(Window { kind: *kind, closed: closed(*kind), ..window })
}

fn rest(section: &Section, opens: Option<Timestamp>, closes: Option<Timestamp>) -> Option<Window> {
    let kind = section.text("kind", kind);
    let (interval, grace) = (section.text("interval", units::duration), section.text("grace", units::duration_or_zero));
    let periods = section.number("periods", 1..PERIODS_MAX + 1);
    let end = section.text("cortes_end", units::duration);
    let on_interrupted = section.text("on_interrupted", on_interrupted);
    let after = section.text("closed", after);
    let name = section.text("name", host);
    let (kind, opens) = (kind?.value, opens?);
    Some(Window {
        kind,
        opens,
        closes: closes?,
        interval: signed(interval?.value),
        grace: signed(grace?.value),
        periods: u32::try_from(periods?).ok()?,
        ends: opens.saturating_add(signed(end?.value)).unwrap_or(Timestamp::MAX),
        on_interrupted: on_interrupted?.value,
        closed: after.map_or(closed(kind), |given| given.value),
        name: name.map(|given| given.value),
    })
}

/// The results of a drill are no use to anybody once it is over.
fn closed(kind: Tipo) -> Closed {
    match kind {
        Tipo::Oficial => Closed::Keep,
        Tipo::Simulacro => Closed::Page,
    }
}

fn moment(section: &Section, key: &str, zone: &TimeZone) -> Option<Timestamp> {
    let Given { value, span } = section.text(key, typed)?;
    let read = instant(value, zone);
    read.map_err(|why| section.note(span, format!("`window.{key}`: {why}"))).ok()
}

fn typed(text: &str) -> Result<Typed, String> {
    // jiff is kinder than a settings file should be: it reads a day alone as midnight.
    let is_whole = text.get(10..11) == Some("T") && text.len() >= 16;
    let instant = || text.parse().map(Typed::Instant);
    let local = || text.parse().map(Typed::Local);
    let has_offset = text.get(16..).is_some_and(|rest| rest.contains(['Z', '+', '-']));
    let read = if has_offset { instant() } else { local() };
    read.ok().filter(|_| is_whole && !text.contains('[')).ok_or_else(String::new)
}

fn instant(typed: Typed, zone: &TimeZone) -> Result<Timestamp, String> {
    let local = match typed {
        Typed::Instant(at) => return Ok(at),
        Typed::Local(local) => local,
    };
    let ambiguous = zone.to_ambiguous_timestamp(local);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).map_err(|error| error.to_string()),
        AmbiguousOffset::Gap { .. } => {
            Err(format!("{local} does not exist in this zone: clocks skip that hour; give another, or an offset"))
        }
        AmbiguousOffset::Fold { before, after } => Err(format!(
            "{local} occurs twice in this zone: clocks are set back; give the offset too, {before} or {after}"
        )),
    }
}

fn zone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text).map_err(|_| String::new())
}

pub fn kind(text: &str) -> Result<Tipo, String> {
    match text {
        "oficial" => Ok(Tipo::Oficial),
        "simulacro" => Ok(Tipo::Simulacro),
        _ => Err(String::new()),
    }
}

fn on_interrupted(text: &str) -> Result<OnInterrupted, String> {
    match text {
        "notice" => Ok(OnInterrupted::Notice),
        "banner" => Ok(OnInterrupted::Banner),
        _ => Err(String::new()),
    }
}

fn after(text: &str) -> Result<Closed, String> {
    match text {
        "keep" => Ok(Closed::Keep),
        "page" => Ok(Closed::Page),
        _ => Err(String::new()),
    }
}

/// In lower case, without a port.
pub(super) fn host(text: &str) -> Result<String, String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    let is_host = (1..=253).contains(&text.len()) && text.bytes().all(fits);
    is_host.then(|| text.to_ascii_lowercase()).ok_or_else(String::new)
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::parse_calendar;

    fn read(text: &str) -> Result<Arc<Calendar>, String> {
        parse_calendar(text).map_err(|faults| faults.to_string())
    }

    #[test]
    fn without_windows_the_calls_own_are_meant() {
        let calendar = read("").unwrap();
        let all: Vec<String> =
            calendar.windows().iter().map(|w| format!("{} {} {}", w.kind, w.opens, w.closes)).collect();
        assert_eq!(
            all,
            [
                "simulacro 2026-05-18T00:30:00Z 2026-05-18T05:59:00Z",
                "simulacro 2026-05-25T00:30:00Z 2026-05-25T05:59:00Z",
                "simulacro 2026-06-01T00:30:00Z 2026-06-01T05:59:00Z",
                "oficial 2026-06-08T00:30:00Z 2026-06-15T05:59:59Z",
            ]
        );
        let last = &calendar.windows()[3];
        assert_eq!((last.periods, last.interval.as_mins(), last.closed), (3, 10, Closed::Keep));
        assert_eq!(last.ends.duration_since(last.opens).as_hours(), 24);
        assert_eq!(calendar.windows()[0].closed, Closed::Page);
    }

    #[test]
    fn every_fault_is_told_at_once_with_its_place_and_a_remedy() {
        let text = "[schedule]\nzone = \"America/Nueva_York\"\n\
            [[window]]\nopens = \"2026-06-07\"\ncloses = \"2026-06-07T17:00\"\n\
            [[window]]\nopens = \"mañana\"\ncloses = \"2026-06-07T17:00\"\nkind = \"ensayo\"\nperiods = 0\nname = \"a b\"\n";
        let told = read(text).unwrap_err();
        for expected in [
            "d.toml:2:8: `schedule.zone`: expected an IANA name",
            "d.toml:4:9: `window.opens`: expected a date and hour",
            "d.toml:7:9: `window.opens`: expected",
            "d.toml:9:8: `window.kind`: expected",
            "d.toml:10:11: `window.periods`: expected 1 to 144",
            "d.toml:11:8: `window.name`: expected",
        ] {
            assert!(told.contains(expected), "{expected}\nnot in\n{told}");
        }
        let text = "[schedule]\nzone = \"America/New_York\"\n\
            [[window]]\nopens = \"2026-06-07T18:30\"\ncloses = \"2026-06-07T17:00\"\ngrace = \"0s\"\n\
            [[window]]\nopens = \"2026-06-07T16:00\"\ncloses = \"2026-06-09T17:00\"\n\
            [[window]]\nopens = \"2026-07-07T16:00\"\ncloses = \"2026-07-09T17:00\"\ninterval = \"0s\"\n";
        let told = read(text).unwrap_err();
        for expected in [
            "d.toml:5:10: `window.closes` closes before it opens",
            "d.toml:13:12: `window.interval`",
            "d.toml:4:9: `window.opens` begins before window 2 has closed",
        ] {
            assert!(told.contains(expected), "{expected}\nnot in\n{told}");
        }
        let text = "[[window]]\nopens = \"2026-06-01T00:00\"\ncloses = \"2026-06-30T00:00\"\n\
            [[window]]\nopens = \"2026-06-02T00:00\"\ncloses = \"2026-06-03T00:00\"\n\
            [[window]]\nopens = \"2026-06-10T00:00\"\ncloses = \"2026-06-11T00:00\"\n";
        let told = read(text).unwrap_err();
        for line in [5, 8] {
            let expected = format!("d.toml:{line}:9: `window.opens` begins before window 1 has closed");
            assert!(told.contains(&expected), "{expected}\nnot in\n{told}");
        }
        let text = "[schedule]\nzone = \"America/New_York\"\n\
            [[window]]\nopens = \"2026-03-08T02:30\"\ncloses = \"2026-11-01T01:30\"\n";
        let told = read(text).unwrap_err();
        assert!(told.contains("d.toml:4:9: `window.opens`: 2026-03-08T02:30:00 does not exist"), "{told}");
        assert!(told.contains("d.toml:5:10: `window.closes`: 2026-11-01T01:30:00 occurs twice"), "{told}");
        let text = text.replace("02:30\"", "02:30-05:00\"").replace("01:30\"", "01:30-04:00\"");
        assert_eq!(read(&text).unwrap().windows()[0].opens.to_string(), "2026-03-08T07:30:00Z");
    }
}
