//! Whether a stored response may be sent now (RFC 9111, 4 and 4.2.4; RFC 5861).

use super::freshness::Kept;
use super::request::{Directives, MaxStale};

/// What is done with a stored response that a request selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    Fresh,
    /// Sent stale, for the client takes it (5.2.1.2).
    MaxStale,
    /// Sent stale, and validated behind the client's back (RFC 5861, 3).
    WhileRevalidate,
    /// The origin is asked first.
    Validate(Why),
}

/// Why the origin is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    Stale,
    /// `no-cache` of the response (5.2.2.4).
    NoCache,
    /// The request wants it newer: `no-cache`, `max-age`, `min-fresh`.
    Request,
}

/// What the operator allows beyond the fields (4.2.4 calls it an out-of-band contract).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Contract {
    /// `stale-while-revalidate` and `stale-if-error` hold beside `s-maxage` too, which by 5.2.2.10 forbids anything stale.
    pub despite_s_maxage: bool,
    /// Seconds that any response may be stale when the origin fails.
    pub stale_if_error: u32,
}

/// Fields named by `no-cache="..."` must be left out of what is sent unvalidated (5.2.2.4).
pub fn decide(kept: &Kept, request: &Directives, contract: Contract, now: u64) -> Reuse {
    let (age, left) = (kept.age(now), kept.left(now));
    if kept.directives.no_cache.is_whole() {
        return Reuse::Validate(Why::NoCache);
    }
    if request.no_cache || request.max_age.is_some_and(|most| age > most) {
        return Reuse::Validate(Why::Request);
    }
    if left > 0 {
        let wants = i64::from(request.min_fresh.unwrap_or(0));
        return if left >= wants { Reuse::Fresh } else { Reuse::Validate(Why::Request) };
    }
    if request.min_fresh.is_some() {
        return Reuse::Validate(Why::Request);
    }
    if !stale_allowed(kept, contract) {
        return Reuse::Validate(Why::Stale);
    }
    let within = |seconds: u32| -left <= i64::from(seconds);
    match request.max_stale {
        Some(MaxStale::Any) if kept.directives.s_maxage.is_none() => return Reuse::MaxStale,
        Some(MaxStale::Up(most)) if within(most) && kept.directives.s_maxage.is_none() => return Reuse::MaxStale,
        _ => {}
    }
    match kept.directives.stale_while_revalidate {
        Some(seconds) if seconds > 0 && within(seconds) => Reuse::WhileRevalidate,
        _ => Reuse::Validate(Why::Stale),
    }
}

/// True where a stored response may be sent when the origin cannot be reached or answers 500, 502, 503 or 504 (RFC 5861, 4).
/// Otherwise 504, or the origin's own error.
pub fn on_error(kept: &Kept, request: &Directives, contract: Contract, now: u64) -> bool {
    let fresh = kept.left(now) > 0;
    let whole = kept.directives.no_cache.is_whole();
    let most = [kept.directives.stale_if_error, request.stale_if_error].into_iter().flatten().max();
    let most = most.unwrap_or(0).max(contract.stale_if_error);
    // 5.2.2.4: never without the origin's word.
    !whole && (fresh || (stale_allowed(kept, contract) && -kept.left(now) <= i64::from(most) && most > 0))
}

/// 4.2.4: false where the response forbids that it is sent stale, whoever else would allow it.
fn stale_allowed(kept: &Kept, contract: Contract) -> bool {
    let says = &kept.directives;
    !says.must_revalidate && !says.proxy_revalidate && (says.s_maxage.is_none() || contract.despite_s_maxage)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, StatusCode, header::CACHE_CONTROL};

    use super::*;

    fn map(text: &str) -> HeaderMap {
        HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_str(text).unwrap())])
    }

    #[test]
    fn what_is_sent_from_the_store() {
        let lenient = Contract { despite_s_maxage: true, stale_if_error: 0 };
        let strict = Contract::default();
        // (section, response, request, contract, age, decision, and after the origin's failure)
        for (section, response, request, contract, age, decision, on_failure) in [
            ("4.2", "max-age=10", "", strict, 9, Reuse::Fresh, true),
            ("4.2", "max-age=10", "", strict, 10, Reuse::Validate(Why::Stale), false),
            ("5.2.2.4", "max-age=10, no-cache", "", strict, 0, Reuse::Validate(Why::NoCache), false),
            ("5.2.2.4", "max-age=10, no-cache=x", "", strict, 0, Reuse::Fresh, true),
            ("5.2.1.1", "max-age=10", "max-age=4", strict, 4, Reuse::Fresh, true),
            ("5.2.1.1", "max-age=10", "max-age=4", strict, 5, Reuse::Validate(Why::Request), true),
            ("5.2.1.3", "max-age=10", "min-fresh=4", strict, 6, Reuse::Fresh, true),
            ("5.2.1.3", "max-age=10", "min-fresh=4", strict, 7, Reuse::Validate(Why::Request), true),
            ("5.2.1.4", "max-age=10", "no-cache", strict, 0, Reuse::Validate(Why::Request), true),
            ("5.2.1.2", "max-age=10", "max-stale", strict, 99, Reuse::MaxStale, false),
            ("5.2.1.2", "max-age=10", "max-stale=5", strict, 15, Reuse::MaxStale, false),
            ("5.2.1.2", "max-age=10", "max-stale=5", strict, 16, Reuse::Validate(Why::Stale), false),
            ("5.2.2.2", "max-age=10, must-revalidate", "max-stale", strict, 10, Reuse::Validate(Why::Stale), false),
            ("5.2.2.8", "max-age=10, proxy-revalidate", "max-stale", strict, 10, Reuse::Validate(Why::Stale), false),
            ("5.2.2.10", "s-maxage=10", "max-stale", lenient, 10, Reuse::Validate(Why::Stale), false),
            ("5.2.2.10", "s-maxage=10, stale-while-revalidate=5", "", strict, 10, Reuse::Validate(Why::Stale), false),
            ("5861 3", "s-maxage=10, stale-while-revalidate=5", "", lenient, 10, Reuse::WhileRevalidate, false),
            ("5861 3", "max-age=10, stale-while-revalidate=5", "", strict, 15, Reuse::WhileRevalidate, false),
            ("5861 3", "max-age=10, stale-while-revalidate=5", "", strict, 16, Reuse::Validate(Why::Stale), false),
            ("5861 4", "max-age=10, stale-if-error=5", "", strict, 15, Reuse::Validate(Why::Stale), true),
            ("5861 4", "max-age=10, stale-if-error=5", "", strict, 16, Reuse::Validate(Why::Stale), false),
        ] {
            let kept = Kept::of(StatusCode::OK, &map(response), 0, 0, None);
            let request = Directives::read(&map(request));
            let got = (decide(&kept, &request, contract, age), on_error(&kept, &request, contract, age));
            assert_eq!(got, (decision, on_failure), "{section} {response} {age}");
        }
    }
}
