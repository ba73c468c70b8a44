//! `Cache-Status` (RFC 9211): what the cache did, under the names that the log and the metrics have too.

use std::fmt::Write;

use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::structured;

pub const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
/// Characters of a key that are shown.
const KEY_MOST: usize = 256;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Hit,
    /// Sent stale from the store, as it may be.
    HitStale,
    Forwarded(Forward),
    /// Neither: it went no further than here.
    Refused,
}

/// Why a request went to the origin (2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forward {
    Bypass,
    Method,
    UriMiss,
    VaryMiss,
    Miss,
    Request,
    Stale,
    Partial,
}

impl Forward {
    pub(super) fn token(self) -> &'static str {
        match self {
            Forward::Bypass => "bypass",
            Forward::Method => "method",
            Forward::UriMiss => "uri-miss",
            Forward::VaryMiss => "vary-miss",
            Forward::Miss => "miss",
            Forward::Request => "request",
            Forward::Stale => "stale",
            Forward::Partial => "partial",
        }
    }
}

impl Outcome {
    pub const ALL: [Outcome; 11] = [
        Outcome::Hit,
        Outcome::HitStale,
        Outcome::Forwarded(Forward::Bypass),
        Outcome::Forwarded(Forward::Method),
        Outcome::Forwarded(Forward::UriMiss),
        Outcome::Forwarded(Forward::VaryMiss),
        Outcome::Forwarded(Forward::Miss),
        Outcome::Forwarded(Forward::Request),
        Outcome::Forwarded(Forward::Stale),
        Outcome::Forwarded(Forward::Partial),
        Outcome::Refused,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Outcome::Hit => "hit",
            Outcome::HitStale => "hit-stale",
            Outcome::Forwarded(why) => why.token(),
            Outcome::Refused => "refused",
        }
    }
}

/// One member of the field.
#[derive(Debug, Clone, Copy)]
pub struct Status<'s> {
    pub outcome: Outcome,
    /// What the origin answered (2.3).
    pub forward_status: Option<StatusCode>,
    /// Seconds of freshness left; negative where stale (2.4).
    pub ttl: Option<i64>,
    pub stored: bool,
    /// Joined a request that was already on its way (2.6).
    pub collapsed: bool,
    pub key: Option<&'s str>,
    /// A name of ours, such as that of a [`super::storable::Refused`].
    pub detail: Option<&'static str>,
}

impl<'s> Status<'s> {
    pub fn of(outcome: Outcome) -> Self {
        Status { outcome, forward_status: None, ttl: None, stored: false, collapsed: false, key: None, detail: None }
    }

    /// The member of the cache `name`, a token.
    pub fn print(&self, name: &str) -> String {
        let mut text = name.to_owned();
        match self.outcome {
            Outcome::Hit | Outcome::HitStale => text.push_str("; hit"),
            Outcome::Refused => {}
            Outcome::Forwarded(why) => {
                text.push_str("; fwd=");
                text.push_str(why.token());
                if let Some(status) = self.forward_status {
                    let _ = write!(text, "; fwd-status={}", status.as_u16());
                }
                // Only of what was forwarded (2.5, 2.6).
                text.push_str(if self.stored { "; stored" } else { "" });
                text.push_str(if self.collapsed { "; collapsed" } else { "" });
            }
        }
        if let Some(ttl) = self.ttl {
            let _ = write!(text, "; ttl={ttl}");
        }
        if let Some(key) = self.key {
            let _ = write!(text, "; key={}", structured::quoted(key, KEY_MOST));
        }
        if let Some(detail) = self.detail {
            let _ = write!(text, "; detail={detail}");
        }
        text
    }

    /// Behind the members of caches nearer to the origin (2).
    pub fn append(&self, headers: &mut HeaderMap, name: &str) {
        if let Ok(value) = HeaderValue::try_from(self.print(name)) {
            headers.append(CACHE_STATUS, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_structured() {
        let hit = Status { ttl: Some(-3), key: Some("/a?\"ñ"), ..Status::of(Outcome::HitStale) };
        let miss = Status {
            forward_status: Some(StatusCode::OK),
            stored: true,
            collapsed: true,
            detail: Some("x"),
            ..Status::of(Outcome::Forwarded(Forward::UriMiss))
        };
        for (status, text) in [
            (Status::of(Outcome::Hit), "difusor; hit"),
            (hit, r#"difusor; hit; ttl=-3; key="/a?\"?""#),
            (Status { detail: Some("loop"), ..Status::of(Outcome::Refused) }, "difusor; detail=loop"),
            (miss, "difusor; fwd=uri-miss; fwd-status=200; stored; collapsed; detail=x"),
        ] {
            assert_eq!(status.print("difusor"), text);
            assert!(structured::dictionary(text.replace("; ", ";").as_bytes()).is_some());
        }
    }
}
