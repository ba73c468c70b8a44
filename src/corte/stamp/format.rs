//! The form in which the authority writes dates: strptime(3), with months and days of the week in Spanish.

use std::fmt::Write as _;

use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::field::{Field, Read, wanted};
use crate::base::shown::Shown;

/// Characters of a format: several times the longest that makes sense.
const FORMAT_CHARS: usize = 200;
/// Characters of a text that is read as a date: the same.
const TEXT_CHARS: usize = 200;
/// A date format, checked: it gives a year, month, day, hour and minute, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    items: Vec<Item>,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    /// This character, in upper or lower case.
    Literal(char),
    /// Any blanks, or none.
    Blank,
    Field(Field),
}

impl Format {
    /// Reads a format: `%Y` `%y` `%m` `%B` (or `%b`, the name of the month, whole or abbreviated) `%d` (or `%e`) `%A`
    /// (or `%a`, which is passed over) `%H` `%I` with `%p` `%M` `%S` `%z` `%%`, and `%F` `%R` `%T` for several of them.
    pub fn parse(text: &str) -> Result<Format, String> {
        if text.chars().count() > FORMAT_CHARS {
            return Err(format!("is longer than {FORMAT_CHARS} characters"));
        }
        let (mut items, mut chars) = (Vec::new(), text.trim().chars());
        while let Some(c) = chars.next() {
            match c {
                '%' => items.extend(directive(chars.next())?),
                c if c.is_whitespace() => items.push(Item::Blank),
                c => items.push(Item::Literal(c)),
            }
        }
        let format = Format { items, text: text.trim().to_string() };
        format.check().map(|()| format)
    }

    fn check(&self) -> Result<(), String> {
        let count = |fields: &[Field]| {
            self.items.iter().filter(|item| matches!(item, Item::Field(field) if fields.contains(field))).count()
        };
        let (half, of_half) = (count(&[Field::Half]), count(&[Field::HourOfHalf]));
        let mut faults = String::new();
        for (what, how, least, found) in [
            ("year", "%Y or %y", 1, count(&[Field::Year, Field::YearOfCentury])),
            ("month", "%m or %B", 1, count(&[Field::Month, Field::MonthName])),
            ("day", "%d", 1, count(&[Field::Day])),
            ("hour", "%H, or %I with %p", 1, count(&[Field::Hour, Field::HourOfHalf])),
            ("minute", "%M", 1, count(&[Field::Minute])),
            ("second", "%S", 0, count(&[Field::Second])),
            ("offset", "%z", 0, count(&[Field::Offset])),
            ("half of the day", "%p, exactly where there is %I", of_half, half),
        ] {
            let times = match found {
                _ if found < least => "lacks",
                _ if found > least.max(1) || (what == "half of the day" && found > least) => "has too often",
                _ => continue,
            };
            let between = if faults.is_empty() { "" } else { "; " };
            _ = write!(faults, "{between}{times} the {what} ({how})");
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// As it was typed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a date in this form says by itself which instant it is.
    pub fn has_offset(&self) -> bool {
        self.items.contains(&Item::Field(Field::Offset))
    }

    /// Reads all of `text` as a date: the local time, to the second, and the offset if the format has one. Blanks
    /// around it are nothing; upper and lower case are one.
    ///
    /// # Errors
    /// In words, what was expected and where.
    pub fn read(&self, text: &str) -> Result<(DateTime, Option<Offset>), String> {
        if text.chars().count() > TEXT_CHARS {
            return Err(format!("it is longer than {TEXT_CHARS} characters"));
        }
        let (mut read, mut rest) = (Read::default(), text.trim());
        for item in &self.items {
            rest = match item {
                Item::Blank => rest.trim_start(),
                Item::Literal(expected) => {
                    literal(rest, *expected).ok_or_else(|| wanted(&format!("`{expected}`"), rest))?
                }
                Item::Field(field) => read.field(*field, rest)?,
            };
        }
        match rest {
            "" => read.finish(),
            rest => Err(wanted("its end", rest)),
        }
    }
}

fn directive(letter: Option<char>) -> Result<Vec<Item>, String> {
    use Field::*;
    let fields = |fields: &[Field], between: char| {
        let items: Vec<[Item; 2]> = fields.iter().map(|field| [Item::Literal(between), Item::Field(*field)]).collect();
        items.concat().split_off(1)
    };
    Ok(match letter {
        Some('Y') => vec![Item::Field(Year)],
        Some('y') => vec![Item::Field(YearOfCentury)],
        Some('m') => vec![Item::Field(Month)],
        Some('B' | 'b' | 'h') => vec![Item::Field(MonthName)],
        Some('A' | 'a') => vec![Item::Field(Weekday)],
        Some('d' | 'e') => vec![Item::Field(Day)],
        Some('H' | 'k') => vec![Item::Field(Hour)],
        Some('I' | 'l') => vec![Item::Field(HourOfHalf)],
        Some('p' | 'P') => vec![Item::Field(Half)],
        Some('M') => vec![Item::Field(Minute)],
        Some('S') => vec![Item::Field(Second)],
        Some('z') => vec![Item::Field(Offset)],
        Some('F') => fields(&[Year, Month, Day], '-'),
        Some('R') => fields(&[Hour, Minute], ':'),
        Some('T') => fields(&[Hour, Minute, Second], ':'),
        Some('%') => vec![Item::Literal('%')],
        Some(other) => {
            let other = Shown::text(&other.to_string());
            return Err(format!(
                "has %{other}, which is unknown; expected %Y %y %m %B %d %A %H %I %p %M %S %z %F %R %T or %%"
            ));
        }
        None => return Err("ends in a single %".into()),
    })
}

fn literal(text: &str, expected: char) -> Option<&str> {
    let found = text.chars().next()?;
    found.to_lowercase().eq(expected.to_lowercase()).then(|| &text[found.len_utf8()..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::months::MONTHS;
    use proptest::prelude::*;

    fn read(format: &str, text: &str) -> Result<String, String> {
        let (at, offset) = Format::parse(format).unwrap().read(text)?;
        Ok(offset.map_or(at.to_string(), |offset| format!("{at}{offset}")))
    }

    #[test]
    fn reads_what_is_found_in_the_field() {
        for (format, text, expected) in [
            ("%d de %B de %Y %H:%M", "01 de julio de 2018 20:57", "2018-07-01T20:57:00"),
            ("%d de %B de %Y %H:%M", " 2 DE JULIO DE 2018  00:02 ", "2018-07-02T00:02:00"),
            ("%Y/%m/%d %H:%M (UTC%z)", "2019/06/03 05:47 (UTC-5)", "2019-06-03T05:47:00-05"),
            ("%Y%m%d_%H%M", "20190603_0547", "2019-06-03T05:47:00"),
            ("%FT%T%z", "2026-06-07T20:10:30-06:00", "2026-06-07T20:10:30-06"),
            ("%FT%T%z", "2026-06-08T02:10:30z", "2026-06-08T02:10:30+00"),
            ("%F %R%z", "2026-06-07 20:10+0530", "2026-06-07T20:10:00+05:30"),
            ("%d/%b/%y %I:%M %p", "7/JUN./26 08:10 p. m.", "2026-06-07T20:10:00"),
            ("%d-%b-%Y %I:%M %p", "07-Sept-2025 12:05 AM", "2025-09-07T00:05:00"),
            ("%d-%b-%Y %I:%M%p", "07-set-2025 12:05pm", "2025-09-07T12:05:00"),
            ("%A %e de %B de %Y, %H:%M horas", "miércoles 3 de ENERO de 2024, 7:09 Horas", "2024-01-03T07:09:00"),
            ("%a %d.%m.%Y %H.%M", "sáb. 06.06.2026 20.10", "2026-06-06T20:10:00"),
            ("%F %H %M", "2018-07-01 20 7", "2018-07-01T20:07:00"),
            ("100%% %Y %m %d %H %M", "100% 2026 06 07 20 10", "2026-06-07T20:10:00"),
        ] {
            assert_eq!(read(format, text).as_deref(), Ok(expected), "{format}: {text}");
        }
        for (n, month) in (1..).zip(MONTHS) {
            let expected = Ok(format!("2018-{n:02}-01T20:57:00"));
            assert_eq!(read("%d de %B de %Y %H:%M", &format!("1 de {month} de 2018 20:57")), expected);
            assert_eq!(read("%d de %B de %Y %H:%M", &format!("1 de {}. de 2018 20:57", &month[..3])), expected);
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (format, text, why) in [
            ("%F %R", "2018-07-01", "an hour in digits at ``"),
            ("%F %R", "2018-07-01 20:57 hrs", "its end at ` hrs`"),
            ("%F %R", "18-07-01 20:57", "a year of 4 digits"),
            ("%F %R", "2018-02-30 20:57", "no such date"),
            ("%F %R", "2018-07-01 24:00", "no such date"),
            ("%F %I:%M %p", "2018-07-01 13:00 pm", "no such date"),
            ("%d de %B de %Y %R", "01 de july de 2018 20:57", "name of a month"),
            ("%d de %B de %Y %R", "01 de ju de 2018 20:57", "name of a month"),
            ("%d de %B de %Y %R", "01 julio 2018 20:57", "`d`"),
            ("%F %R (UTC%z)", "2018-07-01 20:57 (UTC-15)", "an offset"),
            ("%F %R", "<html>403</html>", "a year"),
            ("%F %R", "\u{1b}[31m", r"\u{1b}"),
        ] {
            let fault = read(format, text).unwrap_err();
            assert!(fault.contains(why), "{format}: {text}: {fault}");
        }
        assert!(read("%F %R", &"9".repeat(300)).unwrap_err().contains("longer"));
    }

    #[test]
    fn a_format_gives_all_that_is_needed_once() {
        for (format, why) in [
            ("", "lacks the year (%Y or %y); lacks the month"),
            ("%F", "lacks the hour"),
            ("%F %R %d", "too often the day"),
            ("%F %R %y", "too often the year"),
            ("%F %H:%M %p", "too often the half"),
            ("%F %I:%M", "lacks the half"),
            ("%F %R %z%z", "too often the offset"),
            ("%F %R %Q", "%Q, which is unknown"),
            ("%F %R %", "single %"),
        ] {
            let fault = Format::parse(format).unwrap_err();
            assert!(fault.contains(why), "{format}: {fault}");
        }
        assert!(Format::parse(&"x".repeat(300)).unwrap_err().contains("longer"));
    }

    proptest! {
        #[test]
        fn never_panics(format in "([%a-zA-Z0-9 :áñ]|%[a-zA-Z%]){0,12}", text in ".{0,40}") {
            let whole = Format::parse(&format!("%Y %B %d %A %I %p %M %z {format}")).or(Format::parse(&format));
            for format in whole.into_iter().chain(Format::parse("%A %B %d %Y %I%M%S%p%z")) {
                let _ = format.read(&text);
            }
        }

        #[test]
        fn what_is_written_is_read(y in 2000i16..2100, mo in 1i8..=12, d in 1i8..=28, h in 0i8..24, mi in 0i8..60) {
            let at = DateTime::new(y, mo, d, h, mi, 0, 0).unwrap();
            let month = MONTHS[mo as usize - 1];
            let (half, hour) = (if h < 12 { "a.m." } else { "p.m." }, (h + 11) % 12 + 1);
            for (format, text) in [
                ("%d de %B de %Y %H:%M", format!("{d:02} de {month} de {y} {h:02}:{mi:02}")),
                ("%Y%m%d_%H%M", format!("{y}{mo:02}{d:02}_{h:02}{mi:02}")),
                ("%d-%b-%y %I:%M %p", format!("{d}-{}-{:02} {hour}:{mi:02} {half}", &month[..3], y - 2000)),
            ] {
                prop_assert_eq!(Format::parse(format).unwrap().read(&text), Ok((at, None)), "{}", text);
            }
        }
    }
}
