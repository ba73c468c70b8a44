//! The pure answer, on any request at all: it never panics, always carries the corte, and gives nothing away.

use std::sync::{Arc, LazyLock};

use difusor::http::answer::{Request, What, answer};
use difusor::http::fields::Fields;
use difusor::snapshot::{Edition, Public};
use http::header::{ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE};
use http::{Method, StatusCode};
use proptest::prelude::*;

use crate::night::{public, snapshot};

static EDITION: LazyLock<Edition> = LazyLock::new(|| Edition::first(snapshot(0)).next(snapshot(1), 6));
static SHOWING: LazyLock<Arc<Public>> = LazyLock::new(|| public(Some(EDITION.clone())));
static NOTHING: LazyLock<Arc<Public>> = LazyLock::new(|| public(None));

pub fn method() -> impl Strategy<Value = Method> {
    prop::sample::select(vec!["GET", "GET", "GET", "HEAD", "OPTIONS", "POST", "TRACE", "BREW"])
        .prop_map(|m| m.parse().unwrap())
}

pub fn path() -> impl Strategy<Value = String> {
    let real = prop::sample::select(vec![
        "/",
        "/index.html",
        "/datos/total.json",
        "/datos",
        "/.prep/corte.json",
        "/.prep/c/20240602_1800/",
        "/.prep/c/20240602_1801",
        "/.prep/c/20240602_1801/fijo.js",
        "/.prep/c//",
        "*",
        "",
    ]);
    prop_oneof![real.prop_map(str::to_owned), "/[ -~]{0,30}", "(/|%2e|%2F|\\.|c|\\.prep|%[0-9a-f]{2}){0,12}", ".{0,20}"]
}

pub fn fields() -> impl Strategy<Value = HeaderMap> {
    let name = prop::sample::select(vec![ACCEPT_ENCODING, IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE]);
    let value = prop_oneof![
        "(bytes=)?[0-9]{0,12}-[0-9]{0,12}",
        "((gzip|br|zstd|identity|\\*)(;q=[01](\\.[0-9]{0,3})?)?,? ?){0,4}",
        "(W/)?\"[A-Za-z0-9_.-]{0,30}\"(, ?\\*)?",
        "[ -~]{0,30}",
    ];
    let as_map = |all: Vec<(HeaderName, String)>| {
        all.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?))).collect()
    };
    prop::collection::vec((name, value), 0..4).prop_map(as_map)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_request_has_an_answer_that_carries_its_corte(
        method in method(), path in path(), query in prop::option::of("[ -~]{0,10}"), headers in fields(), host_is_known: bool
    ) {
        let request = Request { method: &method, path: &path, query: query.as_deref(), fields: Fields::of(&headers), host_is_known, is_secure: true };
        let showing = SHOWING.load();
        let got = answer(&request, &showing);
        let of = got.corte.expect("the corte is carried").id.to_str().unwrap().to_owned();
        let is_kept = EDITION.all().any(|snapshot| snapshot.corte().id.to_string() == of);
        prop_assert!(is_kept);
        if let Some(named) = path.strip_prefix("/.prep/c/").and_then(|rest| rest.split('/').next())
            && matches!(got.what, What::Whole(..) | What::Part(..) | What::NotModified(..) | What::Moved(_))
        {
            prop_assert_eq!(&of, named);
        }
        match got.what {
            What::Part(_, chosen, part) => prop_assert!(part.start < part.end && part.end <= chosen.body.len()),
            What::Moved(to) => prop_assert!(to.starts_with('/') && !to.starts_with("//"), "{}", to),
            What::Notice(status, _) => prop_assert!(status.is_client_error() || status == StatusCode::NOT_IMPLEMENTED),
            _ => {}
        }
        let showing = NOTHING.load();
        let before_the_first = answer(&request, &showing);
        prop_assert!(before_the_first.corte.is_none());
        let is_own = path.starts_with("/.prep/");
        prop_assert!(is_own || matches!(before_the_first.what, What::Notice(..) | What::Options));
    }
}
