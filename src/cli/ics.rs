//! The calendar in the form that people's calendars read (RFC 5545).

use jiff::{SignedDuration, Timestamp};

use crate::corte::Tipo;
use crate::schedule::Calendar;

/// Octets of a line without its end (RFC 5545, 3.1).
const LINE_MAX: usize = 75;
/// How long before the opening a calendar reminds of it.
const REMINDER: &str = "-PT1H";

/// An event for the opening of each window with its cortes, and one for its close.
pub fn print(calendar: &Calendar, election: &str, now: Timestamp) -> String {
    let mut lines = vec!["BEGIN:VCALENDAR".into(), "VERSION:2.0".into(), "PRODID:-//difusor//difusor//ES".into()];
    for window in calendar.windows() {
        let what = match window.kind {
            Tipo::Oficial => "PREP: difusión de resultados",
            Tipo::Simulacro => "PREP: simulacro",
        };
        let ends = window.ends.min(window.closes);
        let events = [
            ("abre", what.to_owned(), window.opens, ends),
            (
                "cierra",
                format!("{what}, fin de la publicación"),
                window.closes,
                window.closes.saturating_add(HOUR).unwrap_or(window.closes),
            ),
        ];
        for (end, summary, from, to) in events {
            let place = window.name.as_ref().map(|name| format!("URL:https://{name}/"));
            lines.extend([
                "BEGIN:VEVENT".to_owned(),
                format!("UID:{}-{}-{end}@difusor", election, window.opens.as_second()),
                format!("DTSTAMP:{}", utc(now)),
                format!("DTSTART:{}", utc(from)),
                format!("DTEND:{}", utc(to)),
                format!("SUMMARY:{}", escaped(&format!("{summary} ({election})"))),
            ]);
            lines.extend(place);
            lines.extend(["BEGIN:VALARM", "ACTION:DISPLAY"].map(str::to_owned));
            lines.push(format!("TRIGGER:{REMINDER}"));
            lines.push(format!("DESCRIPTION:{}", escaped(&summary)));
            lines.extend(["END:VALARM", "END:VEVENT"].map(str::to_owned));
        }
    }
    lines.push("END:VCALENDAR".into());
    lines.iter().map(|line| folded(line)).collect()
}

const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// TEXT (RFC 5545, 3.3.11).
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,")
}

/// Lines longer than the limit go on in the next, which begins with a blank.
fn folded(line: &str) -> String {
    let (mut out, mut len) = (String::new(), 0);
    for c in line.chars() {
        if len + c.len_utf8() > LINE_MAX {
            out += "\r\n ";
            len = 1;
        }
        out.push(c);
        len += c.len_utf8();
    }
    out + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_folded_between_characters() {
        let line = format!("SUMMARY:{}", "ñ".repeat(100));
        let out = folded(&line);
        assert!(out.split("\r\n").all(|line| line.len() <= LINE_MAX));
        assert_eq!(out.replace("\r\n ", "").trim_end(), line);
        assert_eq!(escaped("a, b; c\\"), "a\\, b\\; c\\\\");
    }
}
