//! What a response says to a shared cache: `Cache-Control` (RFC 9111, 5.2.2) and, before it, `CDN-Cache-Control`
//! (RFC 9213), with what RFC 5861 adds.
//!
//! A directive that stands twice counts as its most restrictive form, one whose number is none makes the response stale
//! (4.2.1), unknown ones are ignored (5.2.3).

use http::header::{CACHE_CONTROL, HeaderMap, HeaderName};

use super::list;
use super::structured::{self, Value};

pub const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");

/// More field names than any honest `no-cache="..."` has; with more it counts as one without names.
const NAMES_MOST: usize = 64;

/// How far `private` or `no-cache` reaches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Reach {
    #[default]
    Absent,
    /// Only these fields (5.2.2.4, 5.2.2.7).
    Fields(Vec<HeaderName>),
    Whole,
}

impl Reach {
    pub fn is_whole(&self) -> bool {
        *self == Reach::Whole
    }

    pub fn names(&self) -> &[HeaderName] {
        if let Reach::Fields(names) = self { names } else { &[] }
    }

    /// What both together forbid.
    fn widen(&mut self, other: Reach) {
        match (&mut *self, other) {
            (Reach::Whole, _) | (_, Reach::Absent) => {}
            (Reach::Fields(known), Reach::Fields(more)) if known.len() + more.len() <= NAMES_MOST => known.extend(more),
            (Reach::Absent, other) => *self = other,
            _ => *self = Reach::Whole,
        }
    }

    /// The argument's field names. One that is none, or none at all, is read as if there were no argument: the form that
    /// forbids more.
    fn read(argument: Option<&[u8]>) -> Reach {
        let names: Option<Vec<_>> = argument.and_then(|text| {
            list::split(text).members.into_iter().map(|name| HeaderName::from_bytes(name).ok()).collect()
        });
        match names {
            Some(names) if !names.is_empty() && names.len() <= NAMES_MOST => Reach::Fields(names),
            _ => Reach::Whole,
        }
    }
}

/// What a response says to a shared cache. Numbers are seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directives {
    pub no_store: bool,
    pub private: Reach,
    pub no_cache: Reach,
    pub public: bool,
    pub must_revalidate: bool,
    pub proxy_revalidate: bool,
    pub must_understand: bool,
    pub no_transform: bool,
    /// 0 where the number is none.
    pub max_age: Option<u32>,
    /// 0 where the number is none.
    pub s_maxage: Option<u32>,
    /// RFC 5861, 3. 0, which allows nothing, where the number is none.
    pub stale_while_revalidate: Option<u32>,
    /// RFC 5861, 4; likewise.
    pub stale_if_error: Option<u32>,
    /// True where they are those of `CDN-Cache-Control`: then neither `Cache-Control` nor `Expires` counts (RFC 9213, 2.2).
    pub targeted: bool,
}

impl Directives {
    /// Of a response. `CDN-Cache-Control` counts alone where it is a dictionary and not empty (RFC 9213, 2.2).
    pub fn read(headers: &HeaderMap) -> Self {
        Directives::targeted(headers).unwrap_or_else(|| Directives::plain(headers))
    }

    /// Of `Cache-Control` alone, whoever else it is for.
    pub fn plain(headers: &HeaderMap) -> Self {
        let mut found = Directives::default();
        let lines = list::of(headers, CACHE_CONTROL);
        for member in &lines.members {
            let (name, argument) = parts(member);
            found.add(name, argument);
        }
        if lines.unclosed {
            // What the lifetimes and permissions belong to cannot be told (4.2.1).
            found.max_age = Some(0);
            found.s_maxage = found.s_maxage.map(|_| 0);
            found.public = false;
            (found.stale_while_revalidate, found.stale_if_error) = (None, None);
        }
        found
    }

    fn targeted(headers: &HeaderMap) -> Option<Self> {
        let lines: Vec<&[u8]> = headers.get_all(CDN_CACHE_CONTROL).iter().map(|line| line.as_bytes()).collect();
        let members = structured::dictionary(&lines.join(&b", "[..])).filter(|members| !members.is_empty())?;
        let mut found = Directives { targeted: true, ..Directives::default() };
        for (name, value) in members {
            match value {
                Value::Boolean(true) => found.add(name.as_bytes(), Argument::None),
                Value::Integer(n) => found.add(name.as_bytes(), Argument::Value(n.to_string().into_bytes().into())),
                Value::Text(text) | Value::Token(text) => {
                    found.add(name.as_bytes(), Argument::Value(text.into_bytes().into()));
                }
                Value::Boolean(false) | Value::Other => found.add(name.as_bytes(), Argument::Wrong),
            }
        }
        Some(found)
    }

    fn add(&mut self, name: &[u8], argument: Argument) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        // What allows something counts in its plain form alone; what forbids counts in any.
        let plain = matches!(argument, Argument::None);
        let value = argument.value();
        let number = value.and_then(list::seconds);
        if is("no-store") {
            self.no_store = true;
        } else if is("private") {
            self.private.widen(Reach::read(value));
        } else if is("no-cache") {
            self.no_cache.widen(Reach::read(value));
        } else if is("public") {
            self.public |= plain;
        } else if is("must-revalidate") {
            self.must_revalidate = true;
        } else if is("proxy-revalidate") {
            self.proxy_revalidate = true;
        } else if is("must-understand") {
            self.must_understand |= plain;
        } else if is("no-transform") {
            self.no_transform = true;
        } else if is("max-age") {
            least(&mut self.max_age, number.unwrap_or(0));
        } else if is("s-maxage") {
            least(&mut self.s_maxage, number.unwrap_or(0));
        } else if is("stale-while-revalidate") {
            least(&mut self.stale_while_revalidate, number.unwrap_or(0));
        } else if is("stale-if-error") {
            least(&mut self.stale_if_error, number.unwrap_or(0));
        }
    }
}

/// An argument as it stands.
pub enum Argument<'h> {
    None,
    /// Unquoted.
    Value(std::borrow::Cow<'h, [u8]>),
    /// Neither a token nor a quoted string, or of a type that no directive has.
    Wrong,
}

impl Argument<'_> {
    pub fn value(&self) -> Option<&[u8]> {
        if let Argument::Value(value) = self { Some(value) } else { None }
    }
}

/// A directive's name and argument. White space around the `=` is against the grammar: the name is known all the same, and
/// its argument is wrong.
pub fn parts(member: &[u8]) -> (&[u8], Argument<'_>) {
    match member.iter().position(|byte| *byte == b'=') {
        None => (member, Argument::None),
        Some(at) => {
            let argument = list::argument(&member[at + 1..]).map_or(Argument::Wrong, Argument::Value);
            (list::trim(&member[..at]), argument)
        }
    }
}

fn least(known: &mut Option<u32>, new: u32) {
    *known = Some(known.map_or(new, |known| known.min(new)));
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(lines: &[(&'static str, &str)]) -> Directives {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        Directives::read(&headers)
    }

    fn names(names: &[&'static str]) -> Reach {
        Reach::Fields(names.iter().map(|name| HeaderName::from_static(name)).collect())
    }

    #[test]
    fn cache_control() {
        let empty = Directives::default;
        let max_age = |seconds| Directives { max_age: Some(seconds), ..empty() };
        // (section of RFC 9111, lines, what they say)
        let cases: [(&str, &[&str], Directives); 24] = [
            ("5.2", &[], empty()),
            ("5.2", &["", " , ,"], empty()),
            ("5.2", &["NO-STORE"], Directives { no_store: true, ..empty() }),
            ("5.2", &["max-age=5"], max_age(5)),
            ("5.2", &["Max-Age=\"5\""], max_age(5)),
            ("5.2", &["max-age=5", "no-store"], Directives { no_store: true, ..max_age(5) }),
            ("4.2.1", &["max-age=5, max-age=3"], max_age(3)),
            ("4.2.1", &["max-age=5", "max-age=9"], max_age(5)),
            ("4.2.1", &["max-age=x"], max_age(0)),
            ("4.2.1", &["max-age"], max_age(0)),
            ("4.2.1", &["max-age="], max_age(0)),
            ("4.2.1", &["max-age=-1"], max_age(0)),
            ("4.2.1", &["max-age=1.5"], max_age(0)),
            ("4.2.1", &["max-age = 5"], max_age(0)),
            ("1.2.2", &["max-age=99999999999"], max_age(super::super::SECONDS_MOST)),
            ("5.2.3", &["community=\"a, no-store\", x, max-age=1"], max_age(1)),
            ("4.2.1", &["x=\"a, no-store, max-age=1"], Directives { no_store: true, ..max_age(0) }),
            (
                "5.2.2.4",
                &["no-cache=\"Set-Cookie, x\""],
                Directives { no_cache: names(&["set-cookie", "x"]), ..empty() },
            ),
            ("5.2.2.4", &["no-cache=x"], Directives { no_cache: names(&["x"]), ..empty() }),
            ("5.2.2.4", &["no-cache=\"\""], Directives { no_cache: Reach::Whole, ..empty() }),
            ("5.2.2.7", &["private=\"a\", private"], Directives { private: Reach::Whole, ..empty() }),
            ("5.2.2.7", &["private=\"a b\""], Directives { private: Reach::Whole, ..empty() }),
            ("5.2.2.9", &["public=yes"], empty()),
            (
                "5.2.2.10",
                &["s-maxage=7, proxy-revalidate"],
                Directives { s_maxage: Some(7), proxy_revalidate: true, ..empty() },
            ),
        ];
        for (section, lines, expected) in cases {
            let lines: Vec<_> = lines.iter().map(|line| ("cache-control", *line)).collect();
            assert_eq!(read(&lines), expected, "{section} {lines:?}");
        }
    }

    #[test]
    fn a_field_for_these_caches_comes_first() {
        let plain = ("cache-control", "no-store");
        let aged = Directives { max_age: Some(60), targeted: true, ..Directives::default() };
        let refused = Directives { no_store: true, ..Directives::default() };
        // (section of RFC 9213, CDN-Cache-Control, what counts)
        for (section, lines, expected) in [
            ("2.2", vec!["max-age=60"], aged.clone()),
            ("2.1", vec!["max-age=60;x=1, unknown=(1 2)"], aged.clone()),
            ("2.1", vec!["max-age=5", "max-age=60"], aged.clone()),
            ("2.1 empty", vec![""], refused.clone()),
            ("2.1 no dictionary", vec!["max-age=60,"], refused.clone()),
            ("2.1 no dictionary", vec!["Max-Age=60"], refused.clone()),
            ("2.1 wrong type", vec!["max-age=6.5"], Directives { max_age: Some(0), ..aged.clone() }),
            ("2.1 wrong type", vec!["max-age=-6"], Directives { max_age: Some(0), ..aged.clone() }),
            ("2.1", vec!["no-cache=\"a\", max-age=60"], Directives { no_cache: names(&["a"]), ..aged.clone() }),
        ] {
            let mut all = vec![plain];
            all.extend(lines.iter().map(|line| ("cdn-cache-control", *line)));
            assert_eq!(read(&all), expected, "{section} {lines:?}");
        }
    }
}
