//! Preconditions in the order of RFC 9110, 13.2.2.

use std::borrow::Cow;
use std::time::SystemTime;

use http::header::HeaderValue;
use jiff::Timestamp;

use super::dictionary::Offered;
use super::fields::{Fields, Lines};
use crate::snapshot::negotiate::Accepted;
use crate::snapshot::{CODINGS, Coding, Content, DICTIONARY_CODINGS, Difference, Lineage, TAG_CONTENT_LEN};

/// What the preconditions of a GET or HEAD come to.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<'t> {
    Proceed,
    /// 304, with the validator of what the client holds (13.1.2): a cache updates the response that it has stored.
    NotModified(Cow<'t, HeaderValue>),
    /// 412
    Failed,
}

/// Evaluates the conditional fields against what is offered; `selected` is the tag of the representation that would be sent.
/// What has no date is compared by its tag alone.
pub fn evaluate<'t>(
    fields: &Fields,
    accepted: &Accepted,
    offered: &Offered,
    selected: &'t HeaderValue,
    last_modified: Option<Timestamp>,
) -> Outcome<'t> {
    if !fields.if_match.is_none() {
        if !tags(&fields.if_match).any(|tag| tag.is_any() || is_one_of(offered, tag)) {
            return Outcome::Failed;
        }
    } else if let Some(since) = date(&fields.if_unmodified_since)
        && last_modified.is_some_and(|at| at.as_second() > since)
    {
        return Outcome::Failed;
    }
    if !fields.if_none_match.is_none() {
        return none_match(&fields.if_none_match, accepted, offered, selected);
    }
    match date(&fields.if_modified_since) {
        Some(since) if last_modified.is_some_and(|at| at.as_second() <= since) => {
            Outcome::NotModified(Cow::Borrowed(selected))
        }
        _ => Outcome::Proceed,
    }
}

/// The tag that would be sent is the best to answer with; else one that names the content in a coding that this client
/// takes, for a shared cache asks with all that it holds; else any that names the content.
///
/// A difference that such a cache holds is of no use to a client with another dictionary. So its tag counts only where
/// the client has the very content already, as a browser does that has read the difference (RFC 9842, section 2.2); and
/// names it alone, as browsers do: what asks with several tags is a cache, and may hold it for others.
fn none_match<'t>(lines: &Lines, accepted: &Accepted, offered: &Offered, selected: &'t HeaderValue) -> Outcome<'t> {
    let is_selected = |tag: Tag| tag.is_any() || tag.quoted == selected.as_bytes();
    if tags(lines).any(is_selected) {
        return Outcome::NotModified(Cow::Borrowed(selected));
    }
    let is_one = tags(lines).nth(1).is_none();
    let has_it = is_one && offered.dictionary == Some(offered.content.digest);
    let held = || tags(lines).filter(|tag| tag.names(offered.content) && (has_it || !tag.coding().has_dictionary()));
    let best = held().find(|tag| accepted.takes(tag.coding())).or_else(|| held().next());
    match best.and_then(Tag::to_strong) {
        Some(held) => Outcome::NotModified(Cow::Owned(held)),
        None => Outcome::Proceed,
    }
}

/// An entity tag of a request: the opaque part with its quotes, or `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag<'h> {
    weak: bool,
    quoted: &'h [u8],
}

impl Tag<'_> {
    fn is_any(self) -> bool {
        self.quoted == b"*"
    }

    /// True for a tag of any coding of this content, in any run of the encoder: the reader holds these bytes.
    fn names(self, content: &Content) -> bool {
        let opaque = self.quoted.get(1..self.quoted.len() - 1).unwrap_or_default();
        match opaque.split_at_checked(TAG_CONTENT_LEN) {
            Some((name, rest)) => name == content.tag() && (rest.is_empty() || rest[0] == b'.'),
            None => false,
        }
    }

    /// The coding that a tag of ours is of.
    fn coding(self) -> Coding {
        let letter = self.quoted.get(TAG_CONTENT_LEN + 2);
        CODINGS
            .into_iter()
            .chain(DICTIONARY_CODINGS)
            .find(|coding| coding.letter().map(|l| l as u8).as_ref() == letter)
            .unwrap_or(Coding::Identity)
    }

    fn to_strong(self) -> Option<HeaderValue> {
        HeaderValue::from_bytes(self.quoted).ok()
    }
}

/// Strong comparison with the tags of what we hold now (8.8.3.2).
fn is_one_of(offered: &Offered, tag: Tag) -> bool {
    let differences = offered.lineage.into_iter().flat_map(Lineage::differences);
    let mut all = offered.content.representations().chain(differences.map(Difference::representation));
    !tag.weak && all.any(|r| r.etag.as_bytes() == tag.quoted)
}

fn tags<'h>(lines: &Lines<'h>) -> impl Iterator<Item = Tag<'h>> {
    lines.iter().flat_map(Tags)
}

/// Reads a list of entity tags; ends at the first thing that is none.
pub struct Tags<'h>(pub &'h [u8]);

impl<'h> Iterator for Tags<'h> {
    type Item = Tag<'h>;

    fn next(&mut self) -> Option<Tag<'h>> {
        let is_gap = |b: &u8| matches!(b, b',' | b' ' | b'\t');
        let gap = self.0.iter().take_while(|b| is_gap(b)).count();
        let rest = &self.0[gap..];
        if let Some(after) = rest.strip_prefix(b"*") {
            self.0 = after;
            return Some(Tag { weak: false, quoted: b"*" });
        }
        let (weak, rest) = match rest.strip_prefix(b"W/") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let inner = rest.strip_prefix(b"\"")?;
        let len = inner.iter().position(|b| *b == b'"')?;
        let (quoted, after) = rest.split_at(len + 2);
        self.0 = after;
        Some(Tag { weak, quoted })
    }
}

/// Seconds since 1970 of an HTTP date in any of its three formats; a date that is none is passed over, as is a field
/// that comes twice.
fn date(lines: &Lines) -> Option<i64> {
    let at = httpdate::parse_http_date(std::str::from_utf8(lines.single()?).ok()?).ok()?;
    at.duration_since(SystemTime::UNIX_EPOCH).ok().and_then(|d| i64::try_from(d.as_secs()).ok())
}

/// RFC 9110, 13.1.5: `If-Range` holds only for the very bytes that would be sent. A date never does here, for the same
/// corte may be sent in a better compression within the same second.
pub fn if_range_holds(fields: &Fields, selected: &HeaderValue) -> bool {
    fields.if_range.iter().all(|line| line == selected.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::digest::Digest;
    use crate::snapshot::{Level, media};
    use bytes::Bytes;
    use http::header::{ACCEPT_ENCODING, HeaderMap, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
    use proptest::prelude::*;

    const MODIFIED: &str = "2026-06-08T02:10:00Z";

    fn content() -> Content {
        let bytes = Bytes::from("casilla,votos\n".repeat(200));
        Content::new(bytes.clone(), Digest::of(&bytes), media::of("a.csv"), Level::Fast)
    }

    fn not_modified(held: HeaderValue) -> Outcome<'static> {
        Outcome::NotModified(Cow::Owned(held))
    }

    fn outcome(fields: &[(http::HeaderName, &str)]) -> Outcome<'static> {
        let content = content();
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, value.parse().unwrap());
        }
        let selected = content.get(Coding::Gzip).unwrap().etag.clone();
        let fields = Fields::of(&headers);
        let outcome = evaluate(
            &fields,
            &Accepted::read(fields.accept_encoding.iter()),
            &Offered { content: &content, lineage: None, dictionary: None },
            &selected,
            Some(MODIFIED.parse().unwrap()),
        );
        match outcome {
            Outcome::NotModified(tag) => not_modified(tag.into_owned()),
            Outcome::Proceed => Outcome::Proceed,
            Outcome::Failed => Outcome::Failed,
        }
    }

    fn tag(coding: Coding) -> String {
        content().get(coding).unwrap().etag.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_tag_of_any_coding_of_the_content_counts() {
        for coding in [Coding::Identity, Coding::Gzip, Coding::Br] {
            let held = tag(coding);
            assert_eq!(outcome(&[(IF_NONE_MATCH, &held)]), not_modified(held.parse().unwrap()));
            let weak = format!("W/{held}");
            assert_eq!(outcome(&[(IF_NONE_MATCH, &weak)]), not_modified(held.parse().unwrap()));
            let listed = format!("\"x,y\", W/\"\", {held}");
            assert_eq!(outcome(&[(IF_NONE_MATCH, &listed)]), not_modified(held.parse().unwrap()));
            assert_eq!(
                outcome(&[(IF_NONE_MATCH, "\"a\""), (IF_NONE_MATCH, &held)]),
                not_modified(held.parse().unwrap())
            );
        }
        assert_eq!(outcome(&[(IF_NONE_MATCH, "*")]), not_modified(tag(Coding::Gzip).parse().unwrap()));
    }

    #[test]
    fn a_cache_that_holds_several_codings_learns_which_one_its_client_can_take() {
        let (gzip, br, identity) = (tag(Coding::Gzip), tag(Coding::Br), tag(Coding::Identity));
        let ask =
            |accept: &str| outcome(&[(ACCEPT_ENCODING, accept), (IF_NONE_MATCH, &format!("{br}, {identity}, {gzip}"))]);
        // The helper above says that gzip would be sent.
        assert_eq!(ask("gzip"), not_modified(gzip.parse().unwrap()));
        let ask = |accept: &str| outcome(&[(ACCEPT_ENCODING, accept), (IF_NONE_MATCH, &format!("{br}, {identity}"))]);
        assert_eq!(ask("gzip"), not_modified(identity.parse().unwrap()), "br it cannot read");
        assert_eq!(ask("gzip, identity;q=0"), not_modified(br.parse().unwrap()), "the content is the same");
    }

    #[test]
    fn others_do_not() {
        let own = tag(Coding::Identity);
        let longer = own.replace("\"", "").to_string();
        for other in
            ["\"\"", "\"abc\"", "abc", "", &format!("\"{longer}x\""), &longer, &format!("\"{}\"", "A".repeat(22)), "\""]
        {
            assert_eq!(outcome(&[(IF_NONE_MATCH, other)]), Outcome::Proceed, "{other}");
        }
    }

    #[test]
    fn dates_count_only_where_no_tag_is_given() {
        let (before, same) = ("Mon, 08 Jun 2026 02:09:59 GMT", "Mon, 08 Jun 2026 02:10:00 GMT");
        assert_eq!(outcome(&[(IF_MODIFIED_SINCE, same)]), not_modified(tag(Coding::Gzip).parse().unwrap()));
        assert_eq!(
            outcome(&[(IF_MODIFIED_SINCE, "Monday, 08-Jun-26 02:10:00 GMT")]),
            not_modified(tag(Coding::Gzip).parse().unwrap())
        );
        assert_eq!(outcome(&[(IF_MODIFIED_SINCE, before)]), Outcome::Proceed);
        assert_eq!(outcome(&[(IF_MODIFIED_SINCE, "yesterday")]), Outcome::Proceed);
        assert_eq!(outcome(&[(IF_MODIFIED_SINCE, same), (IF_NONE_MATCH, "\"x\"")]), Outcome::Proceed);
        assert_eq!(outcome(&[(IF_UNMODIFIED_SINCE, before)]), Outcome::Failed);
        assert_eq!(outcome(&[(IF_UNMODIFIED_SINCE, same)]), Outcome::Proceed);
    }

    #[test]
    fn if_match_compares_strongly() {
        let held = tag(Coding::Br);
        assert_eq!(outcome(&[(IF_MATCH, &held)]), Outcome::Proceed);
        assert_eq!(outcome(&[(IF_MATCH, "*")]), Outcome::Proceed);
        assert_eq!(outcome(&[(IF_MATCH, &format!("W/{held}"))]), Outcome::Failed);
        assert_eq!(outcome(&[(IF_MATCH, "\"x\"")]), Outcome::Failed);
    }

    proptest! {
        #[test]
        fn lists_are_read_back(tags in proptest::collection::vec(("[!#-~]{0,12}", any::<bool>()), 0..6)) {
            let line = tags.iter().map(|(t, w)| format!("{}\"{t}\"", if *w { "W/" } else { "" })).collect::<Vec<_>>().join(" ,, ");
            let read: Vec<_> = Tags(line.as_bytes()).map(|t| (String::from_utf8_lossy(&t.quoted[1..t.quoted.len() - 1]).into_owned(), t.weak)).collect();
            prop_assert_eq!(read, tags);
        }

        #[test]
        fn never_panics(line in proptest::collection::vec(any::<u8>(), 0..60)) {
            let content = content();
            for tag in Tags(&line).take(100) {
                let offered = Offered { content: &content, lineage: None, dictionary: None };
                let _ = (tag.is_any() || tag.names(&content), is_one_of(&offered, tag));
            }
        }
    }
}
