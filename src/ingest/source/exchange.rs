//! What to ask a server for, and what its answer means. Pure.
//!
//! ```text
//!  fetched before?  part there?      asks                              answer
//!  no               no               GET                               200 whole
//!  yes              no               If-None-Match/If-Modified-Since   304 unchanged, 200 whole
//!  any              yes              and Range, If-Range               206 the rest, 200 whole, 416 or a 206 that
//!                                                                      does not fit: thrown away, asked again
//! ```
//! A part is kept only with a strong entity tag and the rest is taken only under the same tag, so that the bytes of two
//! versions never meet.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LOCATION, RANGE};

use super::address::Address;
use super::fault::Fault;
use super::fields::{self, Validators};
use crate::base::shown::Shown;

/// What a cut transfer has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Strong.
    pub etag: String,
    /// Bytes that are there.
    pub len: u64,
    /// Of the whole, where it was said.
    pub whole: Option<u64>,
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// Of the version that is known: it need not come again.
    pub unless: Option<Validators>,
    pub rest_of: Option<Begun>,
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The version that is known is still the one.
    Unchanged,
    /// A body follows, which is the file from `from` on. `whole`: bytes of the file, where it is said.
    Bytes { from: u64, whole: Option<u64>, validators: Validators },
    /// What is there does not fit what the server has: to be thrown away, and asked for again from the start.
    StartOver,
}

impl Question {
    /// A part without a byte is none.
    pub fn of(unless: Option<Validators>, begun: Option<Begun>) -> Question {
        Question { unless: unless.filter(Validators::are_of_use), rest_of: begun.filter(|part| part.len > 0) }
    }

    pub fn fields(&self) -> Vec<(HeaderName, String)> {
        let mut fields = Vec::new();
        if let Some(Validators { etag, modified, .. }) = &self.unless {
            fields.extend(etag.clone().map(|tag| (IF_NONE_MATCH, tag)));
            fields.extend(modified.clone().map(|date| (IF_MODIFIED_SINCE, date)));
        }
        if let Some(part) = &self.rest_of {
            fields.push((RANGE, format!("bytes={}-", part.len)));
            fields.push((IF_RANGE, part.etag.clone()));
        }
        fields
    }

    /// What status and fields mean as the answer to this. Redirects are followed before.
    pub fn meaning(&self, url: &str, status: u16, fields: &HeaderMap) -> Result<Meaning, Fault> {
        match status {
            200 => {
                let (whole, validators) = (fields::content_length(fields), Validators::of(fields));
                Ok(Meaning::Bytes { from: 0, whole, validators })
            }
            206 | 416 if self.rest_of.is_some() => Ok(self.rest(status, fields).unwrap_or(Meaning::StartOver)),
            304 if self.unless.is_some() => Ok(Meaning::Unchanged),
            _ => Err(Fault::Status { url: Shown::text(url), status, retry_after: fields::retry_after(fields) }),
        }
    }

    /// The rest of the part, if that is what the answer holds: all of it, of the same version.
    fn rest(&self, status: u16, fields: &HeaderMap) -> Option<Meaning> {
        let part = self.rest_of.as_ref().filter(|_| status == 206)?;
        let range = fields::content_range(fields)?;
        let validators = Validators::of(fields);
        let is_same = validators.strong() == Some(&part.etag) && part.whole.is_none_or(|whole| whole == range.whole);
        let is_all = range.from == part.len && range.to == range.whole;
        let length_fits = fields::content_length(fields).is_none_or(|n| n == range.to - range.from);
        (is_same && is_all && length_fits).then_some(Meaning::Bytes {
            from: part.len,
            whole: Some(range.whole),
            validators,
        })
    }
}

/// For the fuzzer: lines of fields as the answer to a request for the rest of a part, and where they lead.
pub fn read_any(bytes: &[u8]) {
    let mut fields = HeaderMap::new();
    for line in bytes.split(|b| *b == b'\n') {
        let Some(at) = line.iter().position(|b| *b == b':') else { continue };
        let (name, value) = (HeaderName::from_bytes(&line[..at]), HeaderValue::from_bytes(line[at + 1..].trim_ascii()));
        if let (Ok(name), Ok(value)) = (name, value) {
            fields.append(name, value);
        }
    }
    let begun = Begun { etag: "\"6a2-3\"".into(), len: 4, whole: Some(10) };
    for status in [200, 206, 304, 416, 503] {
        let question = Question::of(Some(Validators::of(&fields)), Some(begun.clone()));
        if let Ok(Meaning::Bytes { from: 4, whole, .. }) = question.meaning("http://a/b", status, &fields) {
            assert_eq!(whole, Some(10), "the rest of another file");
        }
    }
    let base = Address::parse("https://prep.example/datos/ultimo.json");
    if let (Ok(base), Some(location)) = (base, fields::one(&fields, LOCATION))
        && let Ok(to) = base.join(location)
    {
        assert!(!base.origin().may_lead_to(&to.origin(), &[]) || to.origin().is_secure, "out of TLS");
        assert!(!to.file_name().contains('/') && !to.file_name().starts_with('.'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields(list: &[(&'static str, &str)]) -> HeaderMap {
        list.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn tag(etag: &str) -> Validators {
        Validators { etag: Some(etag.into()), ..Validators::default() }
    }

    fn begun(len: u64, whole: Option<u64>) -> Question {
        Question::of(None, Some(Begun { etag: "\"a\"".into(), len, whole }))
    }

    fn meaning(question: &Question, status: u16, list: &[(&'static str, &str)]) -> Result<Meaning, Fault> {
        question.meaning("http://a/b", status, &fields(list))
    }

    #[test]
    fn asks_for_no_more_than_it_lacks() {
        let sent = |question: &Question| {
            question.fields().iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>()
        };
        assert_eq!(sent(&Question::default()), [""; 0]);
        let known = Validators { etag: Some("W/\"x\"".into()), modified: Some("then".into()), is_fresh: false };
        assert_eq!(sent(&Question::of(Some(known), None)), ["if-none-match: W/\"x\"", "if-modified-since: then"]);
        assert_eq!(sent(&begun(7, None)), ["range: bytes=7-", "if-range: \"a\""]);
        assert_eq!(sent(&begun(0, None)), [""; 0]);
    }

    #[test]
    fn the_rest_is_taken_only_where_it_fits() {
        let fits = [("content-range", "bytes 4-9/10"), ("etag", "\"a\""), ("content-length", "6")];
        let rest = Meaning::Bytes { from: 4, whole: Some(10), validators: tag("\"a\"") };
        assert_eq!(meaning(&begun(4, Some(10)), 206, &fits), Ok(rest));
        for (n, other) in [
            (0, "bytes 0-9/10"),
            (0, "bytes 4-8/10"),
            (0, "bytes 5-9/10"),
            (0, "bytes 4-10/11"),
            (0, "bytes 4-9/*"),
            (1, "\"b\""),
            (1, "W/\"a\""),
            (1, "none"),
            (2, "5"),
        ] {
            let mut list = fits;
            list[n].1 = other;
            assert_eq!(meaning(&begun(4, Some(10)), 206, &list), Ok(Meaning::StartOver), "{other}");
        }
        assert_eq!(meaning(&begun(4, Some(10)), 416, &[]), Ok(Meaning::StartOver));
        let whole = [("content-length", "9"), ("etag", "\"b\"")];
        let expected = Meaning::Bytes { from: 0, whole: Some(9), validators: tag("\"b\"") };
        assert_eq!(meaning(&begun(4, Some(10)), 200, &whole), Ok(expected), "a server may ignore the range");
    }

    #[test]
    fn what_was_not_asked_for_is_no_answer() {
        for status in [100, 204, 206, 304, 302, 404, 416, 503, 999] {
            let fault = meaning(&Question::default(), status, &[("retry-after", "7")]).unwrap_err();
            assert_eq!((fault.code(), fault.retry_after().map(|d| d.as_secs())), ("S005", Some(7)), "{status}");
        }
        let known = Question::of(Some(tag("\"a\"")), None);
        assert_eq!(meaning(&known, 304, &[]), Ok(Meaning::Unchanged));
        let unknowable = Question::of(Some(Validators::default()), None);
        assert!(meaning(&unknowable, 304, &[]).is_err(), "nothing was known");
    }

    /// A server that is honest about its tags, and otherwise does as it likes.
    #[derive(Clone, Debug)]
    struct Reply {
        version: u8,
        honours_range: bool,
        shifts_range: i64,
        cut_after: usize,
    }

    fn replies() -> impl Strategy<Value = Vec<Reply>> {
        let one = (0u8..3, any::<bool>(), prop_oneof![4 => Just(0i64), 1 => -2i64..3], 0usize..40);
        let reply = one.prop_map(|(version, honours_range, shifts_range, cut_after)| Reply {
            version,
            honours_range,
            shifts_range,
            cut_after,
        });
        proptest::collection::vec(reply, 1..20)
    }

    fn content(version: u8) -> Vec<u8> {
        vec![b'0' + version; 20 + usize::from(version)]
    }

    /// What the server says to a question, by RFC 9110, but for a range that it gets wrong.
    fn answer(reply: &Reply, question: &Question) -> (u16, HeaderMap, Vec<u8>) {
        let (all, etag) = (content(reply.version), format!("\"{}\"", reply.version));
        if question.unless.as_ref().is_some_and(|v| v.etag.as_ref() == Some(&etag)) {
            return (304, HeaderMap::new(), Vec::new());
        }
        let asked = question.rest_of.as_ref().filter(|part| reply.honours_range && part.etag == etag);
        if let Some(part) = asked {
            let from = (part.len as i64 + reply.shifts_range).clamp(0, all.len() as i64) as usize;
            if from >= all.len() {
                return (416, HeaderMap::new(), Vec::new());
            }
            let range = format!("bytes {from}-{}/{}", all.len() - 1, all.len());
            return (206, fields(&[("content-range", &range), ("etag", &etag)]), all[from..].to_vec());
        }
        let length = all.len().to_string();
        (200, fields(&[("content-length", &length), ("etag", &etag)]), all)
    }

    proptest! {
        #[test]
        fn the_bytes_of_two_versions_never_meet(replies in replies()) {
            let (mut kept, mut part): (Vec<u8>, Option<Begun>) = (Vec::new(), None);
            let mut known = None;
            for reply in replies {
                let question = Question::of(known.clone(), part.clone());
                let (status, head, body) = answer(&reply, &question);
                match question.meaning("http://a/b", status, &head) {
                    Ok(Meaning::Bytes { from, whole, validators }) => {
                        kept.truncate(from as usize);
                        prop_assert_eq!(kept.len() as u64, from);
                        kept.extend(&body[..body.len().min(reply.cut_after)]);
                        if Some(kept.len() as u64) == whole {
                            prop_assert!((0..3).any(|v| content(v) == kept), "{:?}", kept);
                            (known, part) = (Some(validators), None);
                        } else {
                            let etag = validators.strong().unwrap().to_owned();
                            part = Some(Begun { etag, len: kept.len() as u64, whole });
                        }
                    }
                    Ok(Meaning::Unchanged) => prop_assert!(known.is_some()),
                    Ok(Meaning::StartOver) => {
                        prop_assert!(part.is_some(), "nothing is thrown away twice");
                        part = None;
                    }
                    Err(fault) => prop_assert!(false, "{}", fault),
                }
            }
        }
    }
}
