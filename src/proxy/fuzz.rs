//! One call over everything here that reads foreign fields: for the fuzz target `cache_fields` and the property tests.

use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Version};

use super::freshness::Kept;
use super::partial::Partial;
use super::reply::For;
use super::reuse::Contract;
use super::store::Stored;
use super::vary::{self, Vary};
use super::{cut, hops, invalidate, request, reuse, storable, structured, update, validate};

/// The fields of a head: lines of `name: value`; what is none is left out.
pub fn head(bytes: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some(at) = line.iter().position(|byte| *byte == b':') else { continue };
        let value = HeaderValue::from_bytes(super::list::trim(&line[at + 1..]));
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(&line[..at]), value) {
            headers.append(name, value);
        }
    }
    headers
}

/// Reads one head as a request's and as a response's, and holds what must hold of any.
///
/// # Panics
/// Where it does not hold.
pub fn read(bytes: &[u8]) {
    let _ = structured::dictionary(bytes);
    assert!(structured::byte_sequence(bytes, 32).is_none_or(|read| read.len() <= 32));
    let fields = head(bytes);
    let kept = Kept::of(StatusCode::OK, &fields, 100, 102, None);
    let said = request::Directives::read(&fields);
    for now in [0, 102, 200, u64::MAX] {
        assert!(kept.age(now) >= kept.initial_age && kept.left(now) <= i64::from(kept.lifetime));
        let decided = reuse::decide(&kept, &said, Contract::default(), now);
        assert!(decided != reuse::Reuse::Fresh || kept.left(now) > 0);
        let _ = reuse::on_error(&kept, &said, Contract::default(), now);
    }
    let verdict = storable::judge(&Method::GET, &HeaderMap::new(), StatusCode::OK, &fields, true);
    let says = &kept.directives;
    assert!(!says.no_store || says.must_understand || verdict.is_err());
    assert!(vary::Vary::read(&fields).key(&fields).is_some() || verdict.is_err());
    let _ = validate::is_not_modified(&fields, &fields, 102);
    let _ = validate::range_holds(&fields, &fields);
    validate::ask(&mut fields.clone(), &fields);
    let _ = (cut::Told::read(&fields), hops::upgrade(Version::HTTP_11, &fields), update::private(&fields));
    let stored =
        Stored::new(StatusCode::OK, fields.clone(), "ab".into(), kept.clone(), Vary::read(&fields), Vec::new());
    if let Some(part) = Partial::of(stored, Some(9)) {
        let whole = part.completed(&fields);
        assert!(whole.is_none_or(|whole| whole[CONTENT_LENGTH] == "9"));
        let within = part.within(For { method: &Method::GET, fields: &fields });
        assert!(within.is_none_or(|part| part.start < part.end && part.end <= 2));
    }
    let _ = (hops::is_loop(&fields, "difusor"), hops::max_forwards(&Method::TRACE, &fields));
    if let Ok(mut stored) = update::stored(&fields) {
        assert!(!stored.contains_key("connection"));
        let _ = update::renew(&mut stored, &fields);
        let _ = (update::unvalidated(&stored), update::head(&stored, &fields), update::selected(&[&stored], &fields));
    }
    let _ = invalidate::after(&Method::POST, "https://a.mx/b", StatusCode::OK, &fields);
}
