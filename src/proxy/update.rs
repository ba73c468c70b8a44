//! What is kept of a response's fields (RFC 9111, 3.1), and how a 304 or the answer to HEAD renews them (3.2, 4.3.4, 4.3.5).

use http::header::{
    AGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG, HeaderMap, HeaderName, LAST_MODIFIED,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TRAILER,
};

use super::directives::Directives;
use super::{hops, validate};

/// Never stored: they belong to this proxy and the next (3.1).
const NOT_STORED: [HeaderName; 4] =
    [PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, HeaderName::from_static("proxy-authentication-info"), TRAILER];
/// They tell of the bytes of the very message that they came with (RFC 9530, 2; RFC 1864): of no part of it, and of no other.
pub const OF_THE_MESSAGE: [HeaderName; 2] = [CONTENT_DIGEST, CONTENT_MD5];
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
/// Never renewed: they tell of the stored body (3.2).
const OF_THE_BODY: [HeaderName; 5] = [CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_DIGEST, CONTENT_MD5];

/// The fields of a response that are stored: not the connection's, not those that `private="..."` keeps (3.1, 5.2.2.7).
pub fn stored(answered: &HeaderMap) -> Result<HeaderMap, hops::Fault> {
    let says = Directives::read(answered);
    let mut kept = answered.clone();
    hops::strip(&mut kept)?;
    for name in NOT_STORED.iter().chain(says.private.names()) {
        kept.remove(name);
    }
    Ok(kept)
}

/// And those of them that only the one who asked gets (5.2.2.7).
pub fn private(answered: &HeaderMap) -> HeaderMap {
    let (mut all, mut kept) = (HeaderMap::new(), HeaderMap::new());
    let says = Directives::read(answered);
    if !says.private.names().is_empty() {
        all.clone_from(answered);
    }
    // What is no head at all has been found out before.
    let _ = hops::strip(&mut all);
    for name in says.private.names().iter().filter(|name| !NOT_STORED.contains(name)) {
        for value in all.get_all(name) {
            kept.append(name, value.clone());
        }
    }
    kept
}

/// The fields that are sent when the origin was not asked: without those of `no-cache="..."` (5.2.2.4).
pub fn unvalidated(stored: &HeaderMap) -> HeaderMap {
    let says = Directives::read(stored);
    let mut sent = stored.clone();
    for name in says.no_cache.names() {
        sent.remove(name);
    }
    sent
}

/// Every field of `new` replaces all lines of its name (3.2), but for those of the body. What told how old it was has had its
/// day, for from now on that is as old as `new` (4.2.3).
pub fn renew(stored_fields: &mut HeaderMap, new: &HeaderMap) -> Result<(), hops::Fault> {
    let new = stored(new)?;
    for name in [AGE, DATE] {
        stored_fields.remove(name);
    }
    for name in new.keys().filter(|name| !OF_THE_BODY.contains(name)) {
        stored_fields.remove(name);
        for value in new.get_all(name) {
            stored_fields.append(name, value.clone());
        }
    }
    Ok(())
}

/// Which of the stored responses a 304 renews (4.3.4), newest first given, by their places. With a strong tag all that have
/// it; with a weak one or a date the newest that has it; with neither, the only one, if it has no validator itself. None:
/// the origin is asked again without conditions.
pub fn selected(stored: &[&HeaderMap], new: &HeaderMap) -> Vec<usize> {
    let places = |holds: &dyn Fn(&HeaderMap) -> bool| -> Vec<usize> {
        stored.iter().enumerate().filter(|(_, one)| holds(one)).map(|(place, _)| place).collect()
    };
    match (validate::etag(new), new.get(LAST_MODIFIED)) {
        (Some((false, opaque)), _) => places(&|one| validate::etag(one) == Some((false, opaque))),
        (Some((true, opaque)), _) => {
            let mut same = places(&|one| validate::etag(one).is_some_and(|(_, held)| held == opaque));
            same.truncate(1);
            same
        }
        (None, Some(date)) => {
            let mut same = places(&|one| one.get(LAST_MODIFIED) == Some(date));
            same.truncate(1);
            same
        }
        (None, None) => match stored {
            [one] if !one.contains_key(ETAG) && !one.contains_key(LAST_MODIFIED) => vec![0],
            _ => Vec::new(),
        },
    }
}

/// What 200 to a HEAD does to the stored response to GET (4.3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    Renews,
    /// It tells of another body: what is stored counts as stale.
    Outdates,
}

pub fn head(stored: &HeaderMap, new: &HeaderMap) -> Head {
    let differs = |name: &HeaderName| new.get(name).is_some_and(|value| stored.get(name) != Some(value));
    if [ETAG, LAST_MODIFIED, CONTENT_LENGTH].iter().any(differs) { Head::Outdates } else { Head::Renews }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn fields(lines: &str) -> HeaderMap {
        let parts = lines.split('|').filter_map(|line| line.split_once(": "));
        parts.map(|(n, v)| (HeaderName::try_from(n).unwrap(), HeaderValue::try_from(v).unwrap())).collect()
    }

    #[test]
    fn what_is_kept_and_renewed() {
        let answered = "cache-control: private=\"x-me\", no-cache=\"x-new\"|x-me: 1|x-new: 1|connection: a|a: 1|\
                        proxy-authenticate: x|content-length: 5|x-old: 1";
        let mut kept = stored(&fields(answered)).unwrap();
        for gone in ["x-me", "a", "connection", "proxy-authenticate"] {
            assert!(!kept.contains_key(gone), "3.1 {gone}");
        }
        assert!(!unvalidated(&kept).contains_key("x-new"), "5.2.2.4");
        assert_eq!(private(&fields(answered)), fields("x-me: 1"), "5.2.2.7");
        assert!(private(&fields("cache-control: private=\"a\"|connection: a|a: 1")).is_empty(), "the connection's");
        renew(&mut kept, &fields("x-new: 2|x-new: 3|content-length: 0|content-encoding: br|keep-alive: 1")).unwrap();
        let lines: Vec<_> = kept.get_all("x-new").iter().collect();
        assert_eq!(lines, ["2", "3"], "3.2");
        assert_eq!((kept["content-length"].as_bytes(), kept.len()), (&b"5"[..], 5), "3.2");
    }

    #[test]
    fn what_a_304_renews() {
        let held = ["etag: \"a\"", "etag: W/\"a\"", "etag: \"a\"", "last-modified: x"].map(fields);
        let held: Vec<&HeaderMap> = held.iter().collect();
        let bare = HeaderMap::new();
        // RFC 9111, 4.3.4
        for (stored, new, places) in [
            (&held[..], "etag: \"a\"", vec![0, 2]),
            (&held[..], "etag: W/\"a\"", vec![0]),
            (&held[..], "etag: \"b\"", vec![]),
            (&held[..], "last-modified: x", vec![3]),
            (&held[..], "", vec![]),
            (&[&bare][..], "", vec![0]),
            (&[&bare, &bare][..], "", vec![]),
        ] {
            assert_eq!(selected(stored, &fields(new)), places, "{new}");
        }
    }

    #[test]
    fn what_head_tells() {
        // RFC 9111, 4.3.5
        let stored = fields("etag: \"a\"|content-length: 5");
        assert_eq!(head(&stored, &fields("etag: \"a\"|x: 1")), Head::Renews);
        assert_eq!(head(&stored, &fields("etag: \"a\"|content-length: 6")), Head::Outdates);
        assert_eq!(head(&stored, &fields("last-modified: x")), Head::Outdates);
    }
}
