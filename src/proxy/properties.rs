//! What must hold of any fields.

use http::{HeaderMap, Method, StatusCode};
use proptest::prelude::*;

use super::freshness::Kept;
use super::reuse::{self, Contract, Reuse};
use super::{fuzz, request, storable};

/// Directives and what looks like them.
fn directive() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "public",
        "private",
        "no-cache",
        "no-store",
        "max-age",
        "s-maxage",
        "must-revalidate",
        "proxy-revalidate",
        "must-understand",
        "stale-while-revalidate",
        "stale-if-error",
        "x",
    ]);
    let argument =
        prop::sample::select(vec!["", "=0", "=5", "=\"60\"", "=900", "=x", "=\"a, b\"", "=\"a", "=-1", " = 3"]);
    (name, argument).prop_map(|(name, argument)| format!("{name}{argument}"))
}

fn lines() -> impl Strategy<Value = String> {
    let field = prop::sample::select(vec!["cache-control", "cache-control", "Cache-Control", "cdn-cache-control"]);
    let line =
        (field, prop::collection::vec(directive(), 0..4)).prop_map(|(f, all)| format!("{f}: {}\n", all.join(", ")));
    let other = prop::sample::select(vec![
        "expires: 0\n",
        "expires: Thu, 01 Jan 1970 00:10:00 GMT\n",
        "last-modified: Thu, 01 Jan 1970 00:00:00 GMT\n",
        "date: Thu, 01 Jan 1970 00:05:00 GMT\n",
        "age: 3\n",
        "vary: a\n",
    ]);
    prop::collection::vec(prop_oneof![line, other.prop_map(str::to_owned)], 0..5).prop_map(|all| all.concat())
}

fn is_stored(headers: &HeaderMap) -> bool {
    storable::judge(&Method::GET, &HeaderMap::new(), StatusCode::OK, headers, false).is_ok()
}

/// True where it is sent without a word of the origin, `age` seconds after it came.
fn is_sent(headers: &HeaderMap, age: u64) -> bool {
    let kept = Kept::of(StatusCode::OK, headers, 300, 300, None);
    let decided = reuse::decide(&kept, &request::Directives::default(), Contract::default(), 300 + age);
    is_stored(headers) && !matches!(decided, Reuse::Validate(_))
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzz::read(&bytes);
    }

    #[test]
    fn no_fields_make_it_panic(text in lines()) {
        fuzz::read(text.as_bytes());
    }

    /// A stricter directive more never makes anything sent that was not (4.2.1). Unquoted as a line of its own, for a quote
    /// that never ends takes no other line with it.
    #[test]
    fn stricter_is_never_looser(
        text in lines(),
        added in prop::sample::select(vec!["no-store", "private", "no-cache", "must-revalidate", "proxy-revalidate", "max-age=x"]),
        age in 0u64..1000,
    ) {
        let before = fuzz::head(text.as_bytes());
        let after = fuzz::head(format!("{text}cache-control: {added}\n").as_bytes());
        prop_assert!(is_sent(&before, age) || !is_sent(&after, age), "{added}");
    }

    /// 5.2.2.5; `CDN-Cache-Control` comes before it, and must-understand lifts it (5.2.2.3).
    #[test]
    fn no_store_is_not_stored(text in lines()) {
        prop_assume!(!text.contains("cdn-") && !text.contains("must-understand"));
        let text = format!("cache-control: no-store\n{text}");
        prop_assert!(!is_stored(&fuzz::head(text.as_bytes())));
    }

    #[test]
    fn age_only_grows(text in lines(), a in any::<u64>(), b in any::<u64>()) {
        let kept = Kept::of(StatusCode::OK, &fuzz::head(text.as_bytes()), 300, 302, None);
        prop_assert!(kept.age(a.min(b)) <= kept.age(a.max(b)));
        prop_assert!(kept.age(0) >= 2);
    }
}
