//! What is stored, renewed by what the origin says of it without its body: 304 (RFC 9111, 4.3.4) and the answer to HEAD
//! (4.3.5).

use http::header::{HeaderMap, LAST_MODIFIED, VIA};
use http::{Method, StatusCode, Version};

use super::freshness::{self, Kept};
use super::store::Stored;
use super::vary::{self, Vary};
use super::{hops, storable, update, validate};

/// How the origin came to say it.
#[derive(Clone, Copy)]
pub struct Said<'r> {
    /// The fields of the request that it answers.
    pub asked: &'r HeaderMap,
    /// And its own.
    pub fields: &'r HeaderMap,
    pub version: Version,
    /// When it was asked, and when it answered: seconds since 1970.
    pub begun: u64,
    pub now: u64,
    /// What the operator gives such a status where the origin says nothing.
    pub negative: Option<u32>,
    /// Ours in `Via`.
    pub name: &'r str,
}

impl Said<'_> {
    /// Renewed by a 304; `None` where that is about something else (4.3.4).
    pub fn by_304(&self, stored: &Stored) -> Option<Stored> {
        // Without any validator too: nothing else was asked about.
        let is_about_it = update::selected(&[&stored.fields()], self.fields) == [0]
            || (validate::etag(self.fields).is_none() && !self.fields.contains_key(LAST_MODIFIED));
        is_about_it.then(|| self.renewed(stored)).flatten()
    }

    /// Renewed, or out of date, by the 200 that a HEAD was answered with.
    pub fn by_head(&self, stored: &Stored) -> Stored {
        let renewed = match update::head(&stored.fields(), self.fields) {
            // What a write or a purge has outdated since it was asked, only the body itself can make good.
            update::Head::Renews if stored.status == StatusCode::OK && !stored.outdated => {
                self.renewed(stored).filter(|renewed| self.may_be_stored(renewed))
            }
            _ => None,
        };
        renewed.unwrap_or_else(|| stored.old())
    }

    fn renewed(&self, stored: &Stored) -> Option<Stored> {
        let mut fields = stored.fields();
        update::renew(&mut fields, self.fields).ok()?;
        freshness::date(&mut fields, self.now);
        vary::complete(&mut fields);
        if self.fields.contains_key(VIA) {
            hops::add_via(&mut fields, self.version, self.name);
        }
        let kept = Kept::of(stored.status, &fields, self.begun, self.now, self.negative);
        let vary = Vary::read(&fields);
        let selects = vary.key(self.asked)?;
        Some(stored.renewed(fields, kept, vary, selects))
    }

    /// True where nothing that was said forbids to keep it.
    pub fn may_be_stored(&self, renewed: &Stored) -> bool {
        storable::judge(&Method::GET, self.asked, renewed.status, &renewed.fields(), false).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use http::header::DATE;

    use super::*;

    fn head(lines: &str) -> HeaderMap {
        let parts = lines.split('|').filter_map(|line| line.split_once(": "));
        parts.map(|(n, v)| (n.parse::<http::HeaderName>().unwrap(), v.parse().unwrap())).collect()
    }

    /// Stored at 1000 s, when it was 40 s old.
    fn stored() -> Stored {
        let fields = head(
            "etag: \"a\"|content-length: 2|cache-control: max-age=60|age: 40|date: Thu, 01 Jan 1970 00:16:00 GMT|\
             via: 1.1 x, 1.1 difusor",
        );
        let kept = Kept::of(StatusCode::OK, &fields, 1000, 1000, None);
        let vary = Vary::read(&fields);
        Stored::new(StatusCode::OK, fields, "ab".into(), kept, vary, Vec::new())
    }

    fn said<T>(fields: &str, then: impl FnOnce(Said) -> T) -> T {
        let (asked, fields, version) = (HeaderMap::new(), head(fields), Version::HTTP_2);
        let negative = None;
        then(Said { asked: &asked, fields: &fields, version, begun: 2000, now: 2001, negative, name: "difusor" })
    }

    #[test]
    fn what_is_renewed_is_as_old_as_what_renewed_it() {
        // RFC 9111, 4.2.3: (fields of the 304, age at once, lifetime, Via)
        for (fields, age, lifetime, via) in [
            ("etag: \"a\"", 1, 60, "1.1 x, 1.1 difusor"),
            ("etag: \"a\"|age: 5", 6, 60, "1.1 x, 1.1 difusor"),
            ("etag: \"a\"|date: Thu, 01 Jan 1970 00:33:11 GMT", 10, 60, "1.1 x, 1.1 difusor"),
            ("etag: \"a\"|cache-control: max-age=9|via: 1.1 y", 1, 9, "1.1 y, 2 difusor"),
        ] {
            let renewed = said(fields, |said| said.by_304(&stored())).unwrap();
            assert_eq!((renewed.age(2001), renewed.kept().lifetime), (age, lifetime), "{fields}");
            let fields = renewed.fields();
            let lines: Vec<_> = fields.get_all(VIA).iter().map(|line| line.to_str().unwrap()).collect();
            assert_eq!(lines.join(", "), via);
            assert_eq!(fields.get_all(DATE).iter().count(), 1, "RFC 9110, 6.6.1");
        }
        assert!(said("etag: \"b\"", |said| said.by_304(&stored())).is_none());
    }

    #[test]
    fn a_head_renews_or_outdates() {
        // RFC 9111, 4.3.5: (fields, out of date, fresh at once)
        for (fields, outdated, left) in [
            ("etag: \"a\"|content-length: 2", false, 59),
            ("etag: \"a\"|cache-control: max-age=9", false, 8),
            ("etag: \"b\"|content-length: 2", true, 0),
            ("content-length: 3", true, 0),
            ("etag: \"a\"|cache-control: no-store", true, 0),
        ] {
            let after = said(fields, |said| said.by_head(&stored()));
            assert_eq!(after.outdated, outdated, "{fields}");
            assert!(outdated || after.left(2001) == left, "{fields}");
            assert_eq!(after.body, "ab");
        }
        let old = said("etag: \"a\"|content-length: 2", |said| said.by_head(&stored().old()));
        assert!(old.outdated, "a write or a purge may have come between");
        let mut missing = stored();
        missing.status = StatusCode::NOT_FOUND;
        assert!(said("etag: \"a\"", |said| said.by_head(&missing)).outdated, "it is there by now");
    }
}
