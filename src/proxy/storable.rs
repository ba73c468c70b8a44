//! Whether a shared cache may store a response (RFC 9111, 3).

use http::header::{AUTHORIZATION, HeaderMap, SET_COOKIE};
use http::{Method, StatusCode};

use super::directives::Directives;
use super::vary::Vary;
use super::{freshness, request};

/// Why a response is not stored; named in `Cache-Status`, the log and the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Method,
    /// Interim, 206, 304, or one that `must-understand` keeps from us.
    Status,
    /// The origin finds fault with how this one asked (400, 431): others, of whom it may be told otherwise, ask for themselves.
    Blamed,
    RequestNoStore,
    NoStore,
    Private,
    /// 3.5
    Authorization,
    /// 4.1: no request could ever select it.
    VaryStar,
    /// A cookie without a word that it is for everybody (7.3).
    Cookie,
    /// Nothing allows it.
    Unmarked,
}

impl Refused {
    pub fn name(self) -> &'static str {
        match self {
            Refused::Method => "method",
            Refused::Status => "status",
            Refused::Blamed => "blamed",
            Refused::RequestNoStore => "request-no-store",
            Refused::NoStore => "no-store",
            Refused::Private => "private",
            Refused::Authorization => "authorization",
            Refused::VaryStar => "vary-star",
            Refused::Cookie => "cookie",
            Refused::Unmarked => "unmarked",
        }
    }
}

/// Final status codes whose meaning for a cache this one conforms to; 206 and 304 are answers about other responses.
fn understood(status: StatusCode) -> bool {
    freshness::is_heuristic(status) && status != StatusCode::PARTIAL_CONTENT
        || matches!(status.as_u16(), 302 | 303 | 307 | 403 | 500 | 502 | 503 | 504)
}

/// The origin finds fault with how it was asked.
pub fn is_blamed(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 431)
}

/// An answer that may be about who asks as well as about what he asks for: a guard's before the origin, or of an origin that
/// fails on what it hears.
pub fn is_of_client(status: StatusCode) -> bool {
    (status.is_client_error() && !matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE))
        || status.is_server_error()
}

/// `negative`: true where the operator gives this status a lifetime though the origin says nothing.
pub fn judge(
    method: &Method,
    asked: &HeaderMap,
    status: StatusCode,
    answered: &HeaderMap,
    negative: bool,
) -> Result<(), Refused> {
    let says = Directives::read(answered);
    let knows = understood(status);
    let partial = matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED);
    // 5.2.2.3: must-understand lifts no-store from who understands.
    let no_store = says.no_store && !(says.must_understand && knows);
    let for_all = says.public || says.s_maxage.is_some();
    let explicit = freshness::is_explicit(answered, &says);
    let refusals = [
        (*method != Method::GET, Refused::Method),
        (status.is_informational() || partial || (says.must_understand && !knows), Refused::Status),
        (is_blamed(status), Refused::Blamed),
        (request::Directives::read(asked).no_store, Refused::RequestNoStore),
        (no_store, Refused::NoStore),
        (says.private.is_whole(), Refused::Private),
        (asked.contains_key(AUTHORIZATION) && !for_all && !says.must_revalidate, Refused::Authorization),
        (Vary::read(answered) == Vary::Star, Refused::VaryStar),
        (answered.contains_key(SET_COOKIE) && !for_all && !names_cookie(&says), Refused::Cookie),
        (!explicit && !says.public && !negative && !freshness::is_heuristic(status), Refused::Unmarked),
    ];
    refusals.into_iter().find(|(holds, _)| *holds).map_or(Ok(()), |(_, why)| Err(why))
}

/// `private="Set-Cookie"` keeps the cookie out of the store, and the rest may be stored (5.2.2.7).
fn names_cookie(says: &Directives) -> bool {
    says.private.names().contains(&SET_COOKIE)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn head(lines: &str) -> HeaderMap {
        let parts = lines.split('|').filter_map(|line| line.split_once(": "));
        parts.map(|(n, v)| (HeaderName::try_from(n).unwrap(), HeaderValue::try_from(v).unwrap())).collect()
    }

    #[test]
    fn what_is_stored() {
        use Refused::*;
        let cc = |text: &str| format!("cache-control: {text}");
        // (section of RFC 9111, method, request, status, response, verdict)
        for (section, method, asked, status, answered, verdict) in [
            ("3", "GET", "", 200, String::new(), Ok(())),
            ("3", "GET", "", 302, String::new(), Err(Unmarked)),
            ("3", "GET", "", 302, cc("max-age=5"), Ok(())),
            ("3", "GET", "", 500, "expires: 0".into(), Ok(())),
            ("3", "POST", "", 200, cc("max-age=5"), Err(Method)),
            ("3", "GET", "", 103, cc("max-age=5"), Err(Status)),
            ("3", "GET", "", 304, cc("max-age=5"), Err(Status)),
            ("3", "GET", "", 299, cc("max-age=5"), Ok(())),
            ("5.2.1.5", "GET", "cache-control: no-store", 200, cc("max-age=5"), Err(RequestNoStore)),
            ("5.2.2.5", "GET", "", 200, cc("no-store, public, max-age=5"), Err(NoStore)),
            ("5.2.2.3", "GET", "", 200, cc("no-store, must-understand, max-age=5"), Ok(())),
            ("5.2.2.3", "GET", "", 299, cc("no-store, must-understand, max-age=5"), Err(Status)),
            ("5.2.2.7", "GET", "", 200, cc("private, max-age=5"), Err(Private)),
            ("5.2.2.7", "GET", "", 200, cc("private=\"x\", max-age=5"), Ok(())),
            ("3.5", "GET", "authorization: x", 200, cc("max-age=5"), Err(Authorization)),
            ("3.5", "GET", "authorization: x", 200, cc("s-maxage=5"), Ok(())),
            ("3.5", "GET", "authorization: x", 200, cc("public"), Ok(())),
            ("3.5", "GET", "authorization: x", 200, cc("must-revalidate, max-age=5"), Ok(())),
            ("4.1", "GET", "", 200, "vary: a, *".into(), Err(VaryStar)),
            ("7.3", "GET", "", 200, "set-cookie: a=b".into(), Err(Cookie)),
            ("7.3", "GET", "", 200, "set-cookie: a=b|cache-control: public".into(), Ok(())),
        ] {
            let got =
                judge(&method.parse().unwrap(), &head(asked), status.try_into().unwrap(), &head(&answered), false);
            assert_eq!(got, verdict, "{section} {method} {asked} {status} {answered}");
        }
    }
}
