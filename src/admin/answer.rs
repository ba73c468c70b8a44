//! Answers of the operators' side: never cached, never framed, never guessed at.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{Response, StatusCode};

use super::problem::Problem;
use crate::http::Body;

const FIELDS: [(HeaderName, &str); 3] = [
    (CACHE_CONTROL, "no-store"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

pub fn answer(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::of(body.into()));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    for (name, value) in FIELDS {
        fields.insert(name, HeaderValue::from_static(value));
    }
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

pub fn json(status: StatusCode, value: &serde_json::Value) -> Response<Body> {
    answer(status, "application/json", value.to_string())
}

pub fn refuse(problem: &Problem) -> Response<Body> {
    let mut response = answer(problem.status(), "application/problem+json", problem.json());
    let fields = response.headers_mut();
    match problem {
        Problem::Unauthorised { was_given } => {
            let challenge = if *was_given {
                "Bearer realm=\"difusor\", error=\"invalid_token\""
            } else {
                "Bearer realm=\"difusor\""
            };
            fields.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        Problem::Method(allowed) => drop(fields.insert(ALLOW, HeaderValue::from_static(allowed))),
        _ => {}
    }
    if let Some(seconds) = problem.retry_after() {
        fields.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    // A body that nobody wanted may still be coming.
    fields.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
