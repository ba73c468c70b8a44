//! The parts of a date as they are written: numbers, names in Spanish, halves of the day, offsets.

use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::base::months::MONTHS;
use crate::base::shown::Shown;

/// Letters that tell one month, or one day of the week, from the others.
const ABBREVIATED: usize = 3;
/// Hours that an offset from UTC may have: Kiribati's is the largest there is.
const OFFSET_HOURS: i32 = 14;

const WEEKDAYS: [&str; 7] = ["lunes", "martes", "miercoles", "jueves", "viernes", "sabado", "domingo"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Year,
    YearOfCentury,
    Month,
    MonthName,
    Weekday,
    Day,
    Hour,
    HourOfHalf,
    Half,
    Minute,
    Second,
    Offset,
}

/// A date as it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    year: i16,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: i8,
    afternoon: Option<bool>,
    offset: Option<Offset>,
}

impl Read {
    /// Takes the field from the front of `text`; what follows it.
    pub fn field<'t>(&mut self, field: Field, text: &'t str) -> Result<&'t str, String> {
        let number =
            |least: usize, most: usize, what: &str| digits(text, least, most).ok_or_else(|| wanted(what, text));
        let (value, rest) = match field {
            Field::Year => number(4, 4, "a year of 4 digits")?,
            Field::YearOfCentury => number(2, 2, "a year of 2 digits")?,
            Field::Month => number(1, 2, "a month in digits")?,
            Field::Day => number(1, 2, "a day in digits")?,
            Field::Hour | Field::HourOfHalf => number(1, 2, "an hour in digits")?,
            Field::Minute => number(1, 2, "a minute in digits")?,
            Field::Second => number(1, 2, "a second in digits")?,
            Field::MonthName => {
                named(&MONTHS, text).ok_or_else(|| wanted("the name of a month, such as julio or jul", text))?
            }
            Field::Weekday => named(&WEEKDAYS, text).ok_or_else(|| wanted("the name of a day of the week", text))?,
            Field::Half => half(text).ok_or_else(|| wanted("a.m. or p.m.", text))?,
            Field::Offset => offset(text).ok_or_else(|| wanted("an offset such as -5, -05:00, -0500 or Z", text))?,
        };
        match field {
            Field::Year => self.year = value as i16,
            Field::YearOfCentury => self.year = 2000 + value as i16,
            Field::Month | Field::MonthName => self.month = value as i8,
            // A date says it all; a day of the week that contradicts it is a slip in somebody's template.
            Field::Weekday => {}
            Field::Day => self.day = value as i8,
            Field::Hour | Field::HourOfHalf => self.hour = value as i8,
            Field::Half => self.afternoon = Some(value == 1),
            Field::Minute => self.minute = value as i8,
            Field::Second => self.second = value as i8,
            Field::Offset => self.offset = Offset::from_seconds(value).ok(),
        }
        Ok(rest)
    }

    pub fn finish(self) -> Result<(DateTime, Option<Offset>), String> {
        let none = || "there is no such date and time".to_string();
        let hour = match self.afternoon {
            None => self.hour,
            Some(afternoon) if (1..=12).contains(&self.hour) => self.hour % 12 + 12 * i8::from(afternoon),
            Some(_) => return Err(none()),
        };
        let at = DateTime::new(self.year, self.month, self.day, hour, self.minute, self.second, 0);
        Ok((at.map_err(|_| none())?, self.offset))
    }
}

pub(super) fn wanted(what: &str, rest: &str) -> String {
    format!("expected {what} at `{}`", Shown::text(rest))
}

/// The number in the first `most` digits, if there are `least` of them.
fn digits(text: &str, least: usize, most: usize) -> Option<(i32, &str)> {
    let len = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(len);
    (len >= least).then(|| number.parse().ok())?.map(|number| (number, rest))
}

/// Which of `names` (from 1 on) the text begins with: whole, or cut after three letters or more, with a point or not.
fn named<'t>(names: &[&str], text: &'t str) -> Option<(i32, &'t str)> {
    let end = text.find(|c: char| !c.is_alphabetic()).unwrap_or(text.len());
    let word: String = text[..end].chars().flat_map(char::to_lowercase).map(unaccented).collect();
    let word = if word == "set" || word == "setiembre" { "septiembre" } else { &word };
    let which = names.iter().position(|name| word.len() >= ABBREVIATED && name.starts_with(word))?;
    let rest = &text[end..];
    Some((i32::try_from(which).ok()? + 1, rest.strip_prefix('.').filter(|_| word != names[which]).unwrap_or(rest)))
}

fn unaccented(c: char) -> char {
    match c {
        'á' => 'a',
        'é' => 'e',
        other => other,
    }
}

/// `am`, `p.m.`, `A. M.`: 0 before noon, 1 after.
fn half(text: &str) -> Option<(i32, &str)> {
    let (which, rest) = match text.as_bytes().first()? {
        b'a' | b'A' => (0, &text[1..]),
        b'p' | b'P' => (1, &text[1..]),
        _ => return None,
    };
    let rest = rest.strip_prefix('.').unwrap_or(rest).trim_start();
    let rest = rest.strip_prefix(['m', 'M'])?;
    Some((which, rest.strip_prefix('.').unwrap_or(rest)))
}

/// `Z`, `-5`, `-05`, `-05:00`, `-0500`: seconds east of Greenwich.
fn offset(text: &str) -> Option<(i32, &str)> {
    if let Some(rest) = text.strip_prefix(['Z', 'z']) {
        return Some((0, rest));
    }
    let rest = text.strip_prefix(['+', '-', '\u{2212}'])?;
    let (hours, rest) = digits(rest, 1, 2)?;
    let (minutes, rest) = match rest.strip_prefix(':').and_then(|rest| digits(rest, 2, 2)).or(digits(rest, 2, 2)) {
        Some((minutes, rest)) => (minutes, rest),
        None => (0, rest),
    };
    let seconds = (hours <= OFFSET_HOURS && minutes < 60).then_some(hours * 3600 + minutes * 60)?;
    Some((if text.starts_with('+') { seconds } else { -seconds }, rest))
}
