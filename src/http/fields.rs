//! The fields of a request that an answer depends on, whichever parser has read them.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, ORIGIN, RANGE,
};

/// What a browser wants a response for (Fetch Metadata, 2.1), in which mode it asks, and from where (2.2, 2.3).
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The SHA-256 of a dictionary that the client has (RFC 9842, section 2.2).
const AVAILABLE_DICTIONARY: HeaderName = HeaderName::from_static("available-dictionary");

/// The lines of one field, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Lines<'r> {
    #[default]
    None,
    One(&'r [u8]),
    /// Two and more, which hardly anybody sends.
    Many(Vec<&'r [u8]>),
}

impl<'r> Lines<'r> {
    pub fn is_none(&self) -> bool {
        matches!(self, Lines::None)
    }

    pub fn iter(&self) -> impl Iterator<Item = &'r [u8]> {
        let lines = match self {
            Lines::None => &[],
            Lines::One(line) => std::slice::from_ref(line),
            Lines::Many(lines) => lines,
        };
        lines.iter().copied()
    }

    /// The only line; `None` where there is none, or more than one.
    pub fn single(&self) -> Option<&'r [u8]> {
        match self {
            Lines::One(line) => Some(line),
            _ => None,
        }
    }

    /// One more line behind those that are there.
    pub fn add(&mut self, line: &'r [u8]) {
        *self = match std::mem::take(self) {
            Lines::None => Lines::One(line),
            Lines::One(first) => Lines::Many(vec![first, line]),
            Lines::Many(mut lines) => {
                lines.push(line);
                Lines::Many(lines)
            }
        };
    }

    fn of(headers: &'r HeaderMap, name: HeaderName) -> Lines<'r> {
        let mut values = headers.get_all(name).iter().map(HeaderValue::as_bytes);
        match (values.next(), values.next()) {
            (None, _) => Lines::None,
            (Some(one), None) => Lines::One(one),
            (Some(first), Some(second)) => Lines::Many([first, second].into_iter().chain(values).collect()),
        }
    }
}

/// See the names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields<'r> {
    pub accept: Lines<'r>,
    pub accept_encoding: Lines<'r>,
    pub available_dictionary: Lines<'r>,
    pub if_match: Lines<'r>,
    pub if_modified_since: Lines<'r>,
    pub if_none_match: Lines<'r>,
    pub if_range: Lines<'r>,
    pub if_unmodified_since: Lines<'r>,
    pub origin: Lines<'r>,
    pub range: Lines<'r>,
    pub sec_fetch_dest: Lines<'r>,
    pub sec_fetch_mode: Lines<'r>,
    pub sec_fetch_site: Lines<'r>,
}

impl<'r> Fields<'r> {
    pub fn of(headers: &'r HeaderMap) -> Fields<'r> {
        Fields {
            accept: Lines::of(headers, ACCEPT),
            accept_encoding: Lines::of(headers, ACCEPT_ENCODING),
            available_dictionary: Lines::of(headers, AVAILABLE_DICTIONARY),
            if_match: Lines::of(headers, IF_MATCH),
            if_modified_since: Lines::of(headers, IF_MODIFIED_SINCE),
            if_none_match: Lines::of(headers, IF_NONE_MATCH),
            if_range: Lines::of(headers, IF_RANGE),
            if_unmodified_since: Lines::of(headers, IF_UNMODIFIED_SINCE),
            origin: Lines::of(headers, ORIGIN),
            range: Lines::of(headers, RANGE),
            sec_fetch_dest: Lines::of(headers, SEC_FETCH_DEST),
            sec_fetch_mode: Lines::of(headers, SEC_FETCH_MODE),
            sec_fetch_site: Lines::of(headers, SEC_FETCH_SITE),
        }
    }
}
