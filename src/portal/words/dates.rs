//! Dates and hours as people here say them.

use jiff::ZonedDateTime;

use crate::base::months::MONTHS;

/// `7 de junio de 2026, 20:10 horas (UTC−6)`: the date and hour of a corte as it is said, in the authority's offset.
pub fn date_and_hour(at: &ZonedDateTime) -> String {
    let month = MONTHS[usize::from(at.month().unsigned_abs()) - 1];
    let (sign, minutes) = {
        let seconds = at.offset().seconds();
        // A true minus: no line is broken after it, as after a hyphen.
        (if seconds < 0 { '−' } else { '+' }, seconds.unsigned_abs() / 60)
    };
    let offset = match minutes % 60 {
        0 => format!("UTC{sign}{}", minutes / 60),
        rest => format!("UTC{sign}{}:{rest:02}", minutes / 60),
    };
    format!("{} de {month} de {}, {:02}:{:02} horas ({offset})", at.day(), at.year(), at.hour(), at.minute())
}

/// `las 20:10 horas` on the day of `now`, else `el 7 de junio de 2026, 20:10 horas (UTC−6)`.
pub fn moment(at: &ZonedDateTime, now: &ZonedDateTime) -> String {
    match at.date() == now.date() && at.offset() == now.offset() {
        true => format!("las {:02}:{:02} horas", at.hour(), at.minute()),
        false => format!("el {}", date_and_hour(at)),
    }
}

/// The parts of a time that is left, the largest first, none of them before the first that counts: 7,950 s are
/// `[(2, "h"), (12, "min"), (30, "s")]`. Symbols, for they have no plural.
pub fn parts(seconds: i64) -> Vec<(i64, &'static str)> {
    let left = seconds.max(0);
    let all = [(left / 86_400, "d"), (left / 3_600 % 24, "h"), (left / 60 % 60, "min"), (left % 60, "s")];
    let first = all.iter().position(|(n, _)| *n > 0).unwrap_or(all.len() - 1);
    all[first..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> ZonedDateTime {
        text.parse().unwrap()
    }

    #[test]
    fn dates_are_said_as_people_say_them() {
        assert_eq!(date_and_hour(&at("2026-06-07T20:10:00-06:00[-06:00]")), "7 de junio de 2026, 20:10 horas (UTC−6)");
        assert_eq!(
            date_and_hour(&at("2026-12-31T00:00:00+05:30[+05:30]")),
            "31 de diciembre de 2026, 00:00 horas (UTC+5:30)"
        );
    }

    #[test]
    fn today_needs_no_date() {
        let now = at("2026-06-07T23:50:00-06:00[-06:00]");
        assert_eq!(moment(&at("2026-06-07T20:10:00-06:00[-06:00]"), &now), "las 20:10 horas");
        assert_eq!(
            moment(&at("2026-06-08T00:10:00-06:00[-06:00]"), &now),
            "el 8 de junio de 2026, 00:10 horas (UTC−6)"
        );
    }

    #[test]
    fn what_is_left_begins_with_what_counts() {
        assert_eq!(parts(7_950), [(2, "h"), (12, "min"), (30, "s")]);
        assert_eq!(parts(86_400), [(1, "d"), (0, "h"), (0, "min"), (0, "s")]);
        assert_eq!(parts(0), [(0, "s")]);
        assert_eq!(parts(-5), [(0, "s")]);
    }
}
