//! Who may be sent a difference, and from what (RFC 9842).

use super::fields::Fields;
use crate::base::digest::Digest;
use crate::proxy::structured;
use crate::snapshot::negotiate::Accepted;
use crate::snapshot::{Content, Difference, Lineage};

/// What a request may be answered with: a content, and what is known of its path.
pub struct Offered<'e> {
    pub content: &'e Content,
    pub lineage: Option<&'e Lineage>,
    /// The bytes that the client says it has.
    pub dictionary: Option<Digest>,
}

impl<'e> Offered<'e> {
    /// Differences that this client can read. None where a part is asked for: of what is different from something else
    /// nobody could put a part to use.
    pub fn differences(&self, fields: &Fields) -> impl Iterator<Item = &'e Difference> + use<'e> {
        let dictionary = self.dictionary.filter(|_| fields.range.is_none());
        let found = self.lineage.zip(dictionary);
        found.into_iter().flat_map(|(lineage, digest)| lineage.with(digest))
    }
}

/// The dictionary that a client has and that may be used for it. A malformed field says nothing, nor does a second one.
pub fn dictionary(fields: &Fields, accepted: &Accepted) -> Option<Digest> {
    let said = fields.available_dictionary.single()?;
    if !accepted.takes_differences() || !is_readable(fields) {
        return None;
    }
    let bytes = structured::byte_sequence(said, size_of::<Digest>())?;
    Some(Digest::from_bytes(bytes.try_into().ok()?))
}

/// Whether whoever asks may read what comes (section 9.3.2). A page of another origin that may not, could learn from the
/// length how near two contents are; ours are public, but then it is a browser that would refuse the response. Every
/// response of ours says `Access-Control-Allow-Origin: *`.
fn is_readable(fields: &Fields) -> bool {
    let is_own = fields.sec_fetch_site.single() == Some(b"same-origin");
    match fields.sec_fetch_mode.single() {
        _ if is_own => true,
        Some(b"navigate" | b"same-origin") => true,
        Some(b"cors") => !fields.origin.is_none(),
        Some(_) => false,
        None => fields.sec_fetch_mode.is_none(),
    }
}

/// Whether a host is this machine, by which name a browser trusts it without TLS (Secure Contexts, 3.1).
pub fn is_local(host: &[u8]) -> bool {
    let port = |rest: &[u8]| rest.is_empty() || (rest[0] == b':' && rest[1..].iter().all(u8::is_ascii_digit));
    let names: [&[u8]; 3] = [b"localhost", b"127.0.0.1", b"[::1]"];
    names.iter().any(|name| {
        host.split_at_checked(name.len()).is_some_and(|(is, rest)| is.eq_ignore_ascii_case(name) && port(rest))
    })
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64, Encoding};
    use http::Method;
    use http::header::{HeaderMap, HeaderName};
    use proptest::prelude::*;

    use super::super::freshness::Spread;
    use super::*;
    use crate::http::answer::{Request, What, answer};
    use crate::snapshot::specimen::{edition, showing_of, total, total_before};
    use crate::snapshot::{Coding, Representation, Showing, TAG_CONTENT_LEN, decode};

    const PATH: &str = "/datos/total.json";

    thread_local!(static SHOWING: Showing = showing_of(edition()));

    fn said(bytes: &[u8]) -> String {
        format!(":{}:", Base64::encode_string(Digest::of(bytes).as_bytes()))
    }

    /// What comes for these lines: the coding, and what it decodes to for a client that has the dictionary.
    fn get(path: &str, lines: &[(&str, &str)], is_secure: bool) -> Got {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let fields = Fields::of(&headers);
        let request = Request {
            method: &Method::GET,
            path,
            query: None,
            fields,
            host_is_known: true,
            is_secure,
            spread: Spread::default(),
        };
        SHOWING.with(|showing| {
            let answer = answer(&request, showing);
            let marked = answer.lineage.map(|lineage| lineage.use_as_dictionary.to_str().unwrap().to_owned());
            let what = match &answer.what {
                What::Whole(_, chosen) => Ok((chosen.coding, plain(chosen))),
                What::Part(_, chosen, _) => Ok((chosen.coding, Vec::new())),
                What::NotModified(_, etag) => Err(etag.to_str().unwrap().to_owned()),
                other => Err(format!("{other:?}")),
            };
            Got { what, marked }
        })
    }

    struct Got {
        what: Result<(Coding, Vec<u8>), String>,
        marked: Option<String>,
    }

    fn plain(chosen: &Representation) -> Vec<u8> {
        match chosen.coding {
            Coding::Dcb | Coding::Dcz => {
                decode(&chosen.body, chosen.coding, total_before().as_bytes(), total(12345).len()).unwrap()
            }
            _ => chosen.body.to_vec(),
        }
    }

    const ALL: (&str, &str) = ("accept-encoding", "gzip, deflate, br, zstd, dcb, dcz");

    #[test]
    fn who_has_the_corte_before_gets_the_difference() {
        let before = said(total_before().as_bytes());
        let got = get(PATH, &[ALL, ("available-dictionary", &before)], true);
        let (coding, body) = got.what.unwrap();
        assert!(coding.has_dictionary() && body == total(12345).as_bytes());
        assert_eq!(got.marked.as_deref(), Some("match=\"total.json\""));
        for (accept, expected) in [
            ("dcb", Coding::Dcb),
            ("dcz", Coding::Dcz),
            ("DCZ;q=0.3, dcb;q=0.2, br;q=0.1", Coding::Dcz),
            ("dcb;q=0, br", Coding::Br),
            ("dcb;q=0.1, br;q=0.2", Coding::Br),
            ("dcb;q=x, gzip", Coding::Gzip),
            ("br", Coding::Br),
            ("identity", Coding::Identity),
            ("", Coding::Identity),
        ] {
            let got = get(PATH, &[("accept-encoding", accept), ("available-dictionary", &before)], true);
            assert_eq!(got.what.unwrap().0, expected, "{accept}");
        }
        let star = get(PATH, &[("accept-encoding", "*"), ("available-dictionary", &before)], true);
        assert!(!star.what.unwrap().0.has_dictionary(), "any coding, but for those that need more");
    }

    #[test]
    fn what_a_client_may_not_read_or_does_not_have_is_sent_plain() {
        let before = said(total_before().as_bytes());
        let (other, unknown) = (said("sub".repeat(100).as_bytes()), said(b"unknown"));
        let twice = format!("{before}, {before}");
        for dictionary in [&*other, &unknown, &twice, "", ":", ":abc:", "abc", &before[1..], "?1", &"x".repeat(1 << 20)]
        {
            let got = get(PATH, &[ALL, ("available-dictionary", dictionary)], true);
            assert!(!got.what.unwrap().0.has_dictionary(), "{}", &dictionary[..dictionary.len().min(80)]);
        }
        let doubled = get(PATH, &[ALL, ("available-dictionary", &before), ("available-dictionary", &before)], true);
        assert!(!doubled.what.unwrap().0.has_dictionary());
        let ask = |path: &str, more: &[(&str, &str)], is_secure| {
            let lines = [&[ALL, ("available-dictionary", &*before)], more].concat();
            let got = get(path, &lines, is_secure);
            (got.what.unwrap().0.has_dictionary(), got.marked.is_some())
        };
        assert_eq!(ask(PATH, &[], false), (false, false), "in clear");
        assert_eq!(ask("/.prep/c/20260607_2010/datos/total.json", &[], true), (false, false), "never changes");
        assert_eq!(ask("/sub/", &[], true), (false, true), "another resource");
        assert_eq!(ask("/foto.jpg", &[], true), (false, false));
        assert_eq!(ask(PATH, &[("range", "bytes=0-9")], true), (false, true), "a part");
        let site = |value| ("sec-fetch-site", value);
        let mode = |value| ("sec-fetch-mode", value);
        let origin = ("origin", "https://diario.example");
        for (more, may) in [
            (vec![site("same-origin"), mode("no-cors")], true),
            (vec![site("same-origin")], true),
            (vec![site("cross-site"), mode("navigate")], true),
            (vec![site("none"), mode("navigate")], true),
            (vec![site("cross-site"), mode("cors"), origin], true),
            (vec![site("cross-site")], true),
            (vec![site("cross-site"), mode("cors")], false),
            (vec![site("cross-site"), mode("no-cors"), origin], false),
            (vec![site("same-site"), mode("no-cors")], false),
            (vec![mode("websocket")], false),
            (vec![mode("navigate"), mode("no-cors")], false),
        ] {
            assert_eq!(ask(PATH, &more, true).0, may, "{more:?}");
        }
    }

    #[test]
    fn a_tag_of_a_difference_counts_for_who_has_read_it() {
        let (before, now) = (said(total_before().as_bytes()), said(total(12345).as_bytes()));
        let tag = SHOWING.with(|showing| {
            let differences = showing.results().unwrap().live().differences();
            let live = showing.results().unwrap().live();
            let of = live.files().find(|(path, _)| *path == &PATH[1..]).unwrap().1;
            let from = Digest::of(total_before().as_bytes());
            let tags: Vec<String> =
                differences.get(of, &from).map(|one| one.representation().etag.to_str().unwrap().to_owned()).collect();
            assert_eq!(tags.len(), 2);
            tags
        });
        for tag in &tag {
            let ask =
                |dictionary| get(PATH, &[ALL, ("available-dictionary", dictionary), ("if-none-match", tag)], true).what;
            assert_eq!(ask(&now), Err(tag.clone()), "a browser holds what it has decoded");
            let several = format!("\"another\", {tag}");
            let by_a_cache = [ALL, ("available-dictionary", &now), ("if-none-match", &several)];
            assert!(
                get(PATH, &by_a_cache, true).what.is_ok(),
                "of a cache that holds several, and one of them for others"
            );
            assert!(ask(":AAAA:").is_ok(), "of a shared cache, for somebody who cannot read it");
            let matched = get(PATH, &[ALL, ("if-match", tag)], true).what;
            assert!(matched.is_ok_and(|(coding, _)| !coding.has_dictionary()));
        }
        let (chosen, _) = get(PATH, &[ALL, ("available-dictionary", &before)], true).what.unwrap();
        let of_chosen = tag.iter().find(|tag| {
            tag.contains(chosen.letter().unwrap())
                && tag.as_bytes()[TAG_CONTENT_LEN + 2] == chosen.letter().unwrap() as u8
        });
        let again = get(PATH, &[ALL, ("available-dictionary", &before), ("if-none-match", of_chosen.unwrap())], true);
        assert_eq!(again.what, Err(of_chosen.unwrap().clone()), "the very response");
    }

    #[test]
    fn this_machine_by_name() {
        for (host, is) in [
            ("localhost", true),
            ("LocalHost:8080", true),
            ("127.0.0.1", true),
            ("127.0.0.1:80", true),
            ("[::1]:8080", true),
            ("localhost.example.mx", false),
            ("127.0.0.1.example.mx", false),
            ("prep.example.mx", false),
            ("localhost:80@a", false),
            ("", false),
        ] {
            assert_eq!(is_local(host.as_bytes()), is, "{host}");
        }
    }

    proptest! {
        /// Whatever a client says, what it gets decodes to the authority's bytes with what it says that it has.
        #[test]
        fn never_a_wrong_body(accept in prop::sample::select(vec!["dcb", "dcz", "gzip, br, zstd, dcb, dcz", "*", "identity"]), dictionary in prop_oneof![".{0,60}", Just(said(total_before().as_bytes())), Just(said(total(12345).as_bytes())), ":[A-Za-z0-9+/]{43}=:"], mode in prop::option::of(prop::sample::select(vec!["cors", "no-cors", "navigate"]))) {
            let value = http::HeaderValue::from_bytes(dictionary.as_bytes());
            prop_assume!(value.is_ok());
            let mut headers = HeaderMap::new();
            headers.insert("accept-encoding", accept.parse().unwrap());
            headers.insert("available-dictionary", value.unwrap());
            mode.into_iter().for_each(|mode| drop(headers.insert("sec-fetch-mode", mode.parse().unwrap())));
            let fields = Fields::of(&headers);
            let request = Request { method: &Method::GET, path: PATH, query: None, fields, host_is_known: true, is_secure: true, spread: Spread::default() };
            SHOWING.with(|showing| {
                let answer = answer(&request, showing);
                let What::Whole(_, chosen) = answer.what else { panic!("{:?}", answer.what) };
                if chosen.coding.has_dictionary() {
                    assert_eq!(dictionary, said(total_before().as_bytes()));
                    assert_eq!(plain(chosen), total(12345).as_bytes());
                }
            });
        }
    }
}
