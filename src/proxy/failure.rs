//! Why an origin gave nothing that can be used. Each has a name, for `Cache-Status`, the log, the metrics and the page.

use http::StatusCode;

/// See the names; each is the origin's fault, or the network's on the way to it, but for those of the last group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Failure {
    #[error("its name has no address; check the upstream's `addresses` and this machine's resolver")]
    Unresolved,
    #[error("no address of it takes connections")]
    Unreachable,
    #[error("no connection within `connect`")]
    ConnectTimeout,
    #[error("its certificate is not one that can be believed; check it, or name its authority with `ca`")]
    Certificate,
    #[error("TLS could not be spoken with it")]
    Tls,
    #[error("no response head within `first_byte`")]
    FirstByteTimeout,
    #[error("its body stood still for longer than `idle`")]
    IdleTimeout,
    #[error("it took longer than `total`")]
    TotalTimeout,
    #[error("it ended the connection before the response was whole")]
    Reset,
    #[error("its response is not HTTP as RFC 9112 and 9113 want it")]
    Malformed,
    #[error("its response head is too large")]
    HeadTooLarge,
    #[error("all connections to it are taken, and too many wait for one")]
    Full,

    #[error("its fields cannot be told from the connection's (`Connection` names what it must not)")]
    RequestMalformed,
    #[error("the request's body is longer than `body_bytes`")]
    RequestTooLarge,
    #[error("the client did not send the whole body of its request")]
    RequestAborted,
    #[error("the request has come here before (Via)")]
    Loop,
    #[error("only what is stored was asked for, and it is not")]
    NotStored,
    #[error("too many wait for the same answer, or waited too long")]
    Crowd,
}

impl Failure {
    /// Its name: a token of RFC 9110, 5.6.2.
    pub fn name(self) -> &'static str {
        match self {
            Failure::Unresolved => "unresolved",
            Failure::Unreachable => "unreachable",
            Failure::ConnectTimeout => "connect-timeout",
            Failure::Certificate => "certificate",
            Failure::Tls => "tls",
            Failure::FirstByteTimeout => "first-byte-timeout",
            Failure::IdleTimeout => "idle-timeout",
            Failure::TotalTimeout => "total-timeout",
            Failure::Reset => "reset",
            Failure::Malformed => "malformed",
            Failure::HeadTooLarge => "head-too-large",
            Failure::Full => "full",
            Failure::RequestMalformed => "request-malformed",
            Failure::RequestTooLarge => "request-too-large",
            Failure::RequestAborted => "request-aborted",
            Failure::Loop => "loop",
            Failure::NotStored => "not-stored",
            Failure::Crowd => "crowd",
        }
    }

    /// True where the request has gone on towards the origin.
    pub fn is_forwarded(self) -> bool {
        !matches!(self, Failure::Full | Failure::RequestMalformed | Failure::Loop | Failure::NotStored | Failure::Crowd)
    }

    /// True where an origin that is well may do so to one request.
    pub fn may_be_of_request(self) -> bool {
        matches!(self, Failure::Reset | Failure::Malformed | Failure::HeadTooLarge)
    }

    /// What the client is told (RFC 9110, 15.6; 508 of RFC 5842, 7.2; 504 of RFC 9111, 5.2.1.7).
    pub fn status(self) -> StatusCode {
        match self {
            Failure::ConnectTimeout
            | Failure::FirstByteTimeout
            | Failure::IdleTimeout
            | Failure::TotalTimeout
            | Failure::NotStored => StatusCode::GATEWAY_TIMEOUT,
            Failure::Full | Failure::Crowd => StatusCode::SERVICE_UNAVAILABLE,
            Failure::RequestTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Failure::RequestAborted | Failure::RequestMalformed => StatusCode::BAD_REQUEST,
            Failure::Loop => StatusCode::LOOP_DETECTED,
            _ => StatusCode::BAD_GATEWAY,
        }
    }
}
