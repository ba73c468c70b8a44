//! How old a stored response is and how long it is fresh (RFC 9111, 4.2).

use http::StatusCode;
use http::header::{AGE, DATE, EXPIRES, HeaderMap, LAST_MODIFIED};

use super::directives::Directives;
use super::{SECONDS_MOST, list};

/// A heuristic lifetime is this part of the time since the last change (4.2.2 names 10 %).
const HEURISTIC_PART: u64 = 10;
/// Seconds. No heuristic lifetime is longer: on election night what is ten minutes old misleads.
pub const HEURISTIC_MOST: u32 = 600;

/// Status codes that may be kept without a word of the origin (RFC 9110, 15.1).
pub fn is_heuristic(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// What tells a stored response's age and lifetime; made once, when it comes or is updated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// corrected_initial_age (4.2.3), seconds.
    pub initial_age: u32,
    /// response_time (4.2.3), since 1970.
    pub received: u64,
    /// freshness_lifetime (4.2.1), seconds.
    pub lifetime: u32,
    pub directives: Directives,
}

impl Kept {
    /// `asked` and `received`: request_time and response_time of 4.2.3. `negative`: seconds that the operator gives this
    /// status where the origin says nothing.
    pub fn of(status: StatusCode, headers: &HeaderMap, asked: u64, received: u64, negative: Option<u32>) -> Self {
        let directives = Directives::read(headers);
        let lifetime = lifetime(status, headers, &directives, received, negative);
        Kept { initial_age: initial_age(headers, asked, received), received, lifetime, directives }
    }

    /// current_age (4.2.3). A clock that was set back makes nothing younger than it came.
    pub fn age(&self, now: u64) -> u32 {
        age(self.initial_age, self.received, now)
    }

    /// Seconds that it stays fresh; negative where it is stale: what `ttl` of RFC 9211 tells.
    pub fn left(&self, now: u64) -> i64 {
        i64::from(self.lifetime) - i64::from(self.age(now))
    }
}

/// See [`Kept::age`].
pub fn age(initial: u32, received: u64, now: u64) -> u32 {
    bounded(u64::from(initial).saturating_add(now.saturating_sub(received)))
}

fn bounded(seconds: u64) -> u32 {
    u32::try_from(seconds).unwrap_or(SECONDS_MOST).min(SECONDS_MOST)
}

/// 4.2.3. A `Date` of the future, or none, gives no apparent age; of several values of `Age` the first counts, and one that
/// is none is ignored (5.1).
fn initial_age(headers: &HeaderMap, asked: u64, received: u64) -> u32 {
    let date = list::date_of(headers, DATE).flatten().unwrap_or(received);
    let apparent = received.saturating_sub(date);
    let told = list::of(headers, AGE).members.first().and_then(|age| list::seconds(age)).unwrap_or(0);
    bounded(apparent.max(u64::from(told).saturating_add(received.saturating_sub(asked))))
}

/// True where the response itself tells its lifetime (4.2.1).
pub fn is_explicit(headers: &HeaderMap, directives: &Directives) -> bool {
    directives.s_maxage.is_some()
        || directives.max_age.is_some()
        || (!directives.targeted && headers.contains_key(EXPIRES))
}

/// 4.2.1, in the order that a shared cache follows. `Expires` counts from `Date`, so a wrong clock there does no harm.
fn lifetime(
    status: StatusCode,
    headers: &HeaderMap,
    directives: &Directives,
    received: u64,
    negative: Option<u32>,
) -> u32 {
    let date = list::date_of(headers, DATE).flatten().unwrap_or(received);
    if let Some(told) = directives.s_maxage.or(directives.max_age) {
        return told;
    }
    if is_explicit(headers, directives) {
        // Several: the earliest; one that is no date, such as 0, has passed (5.3).
        let lines = headers.get_all(EXPIRES).iter().map(|line| list::date(line.as_bytes()).unwrap_or(0));
        return bounded(lines.min().unwrap_or(0).saturating_sub(date));
    }
    if let Some(seconds) = negative {
        return seconds;
    }
    if !is_heuristic(status) && !directives.public {
        return 0;
    }
    match list::date_of(headers, LAST_MODIFIED).flatten() {
        Some(changed) => bounded(date.saturating_sub(changed) / HEURISTIC_PART).min(HEURISTIC_MOST),
        None => 0,
    }
}
#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT
    const NOW: u64 = 784_111_777;

    #[test]
    fn ages_and_lifetimes() {
        let date = "date: Sun, 06 Nov 1994 08:49:37 GMT";
        // (section of RFC 9111, status, lines, age on arrival after 2 s on the way, lifetime)
        for (section, status, lines, age, lifetime) in [
            ("4.2.1", 200, vec!["cache-control: max-age=9, s-maxage=5"], 2, 5),
            ("4.2.1", 200, vec!["cache-control: max-age=9", date, "expires: Sun, 06 Nov 1994 09:49:37 GMT"], 2, 9),
            ("4.2.1", 200, vec![date, "expires: Sun, 06 Nov 1994 08:50:37 GMT"], 2, 60),
            ("4.2.1", 200, vec!["expires: Sun, 06 Nov 1994 08:50:37 GMT"], 2, 60),
            ("5.3", 200, vec!["expires: 0"], 2, 0),
            ("5.3", 200, vec!["expires: 0", "last-modified: Sat, 06 Nov 1993 08:49:37 GMT"], 2, 0),
            (
                "4.2.1",
                200,
                vec!["expires: Sun, 06 Nov 1994 08:50:37 GMT", "expires: Sun, 06 Nov 1994 08:49:47 GMT"],
                2,
                10,
            ),
            ("4.2.3", 200, vec!["date: Sun, 06 Nov 1994 08:49:07 GMT"], 30, 0),
            ("4.2.3", 200, vec!["date: Sun, 06 Nov 1994 09:49:07 GMT"], 2, 0),
            ("4.2.3", 200, vec!["age: 40", date], 42, 0),
            ("5.1", 200, vec!["age: 7, 40"], 9, 0),
            ("5.1", 200, vec!["age: -7"], 2, 0),
            ("1.2.2", 200, vec!["age: 99999999999999"], SECONDS_MOST, 0),
            ("4.2.2", 200, vec![date, "last-modified: Sun, 06 Nov 1994 08:47:57 GMT"], 2, 10),
            ("4.2.2", 200, vec![date, "last-modified: Sat, 06 Nov 1993 08:47:57 GMT"], 2, HEURISTIC_MOST),
            ("4.2.2", 302, vec![date, "last-modified: Sun, 06 Nov 1994 08:47:57 GMT"], 2, 0),
            ("4.2.2", 302, vec!["cache-control: public", date, "last-modified: Sun, 06 Nov 1994 08:47:57 GMT"], 2, 10),
        ] {
            let mut headers = HeaderMap::new();
            for line in &lines {
                let (name, value) = line.split_once(": ").unwrap();
                headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
            }
            let kept = Kept::of(StatusCode::from_u16(status).unwrap(), &headers, NOW - 2, NOW, None);
            assert_eq!((kept.initial_age, kept.lifetime), (age, lifetime), "{section} {lines:?}");
            assert_eq!(kept.age(NOW + 5), (age + 5).min(SECONDS_MOST));
            assert_eq!(kept.age(NOW - 5), age, "a clock set back");
        }
    }
}
