//! What an upstream is told.

use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;

use super::preface::Preface;

/// Where an origin listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// A name or an address, without brackets.
    pub host: String,
    pub port: u16,
}

/// What `Host` says upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostOut {
    /// What the client said.
    Client,
    /// This: by default the first origin's own.
    Named(String),
}

/// What a place is asked, how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// A target in origin form (RFC 9112, 3.2.1).
    pub target: PathAndQuery,
    pub every: Duration,
}

/// How long parts of one exchange may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// From the whole request sent to the response's head.
    pub first_byte: Duration,
    /// Between two pieces of a body.
    pub idle: Duration,
    /// For the whole exchange.
    pub total: Duration,
}

/// See the names.
#[derive(Debug, Clone)]
pub struct Plan {
    pub name: String,
    /// At least one; all of them serve the same.
    pub origins: Vec<Origin>,
    /// With TLS where it is there; certificates are verified for the origin's host. Its ALPN is set by us.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// HTTP/2, where the origin takes it by ALPN, or by prior knowledge without TLS.
    pub http2: bool,
    pub host: HostOut,
    /// Forwarded (RFC 7239) tells the origin who asks.
    pub forwarded: bool,
    /// X-Forwarded-For, -Proto and -Host do.
    pub x_forwarded: bool,
    /// Each connection begins with it; then it is for one request, and never HTTP/2.
    pub preface: Preface,
    /// How each place is asked whether it is well; without it, it is judged by what it answers alone.
    pub health: Option<Check>,
    /// How long a place that has come back gets less than its share.
    pub slow_start: Duration,
    /// For a name, a connection and its TLS handshake together; and before that, to wait until one more may be opened.
    pub connect: Duration,
    /// From the whole request sent to the response's head.
    pub first_byte: Duration,
    /// Between two pieces of a body.
    pub idle: Duration,
    /// For the whole exchange.
    pub total: Duration,
    /// Connections at once, all origins together, idle ones too; over HTTP/2, requests under way at once.
    pub connections: usize,
    /// Requests that may wait for a connection.
    pub waiting: usize,
}

impl Plan {
    /// The origin hears whether a client has asked in clear or over TLS, or at which port.
    pub fn tells_scheme(&self) -> bool {
        self.forwarded || self.x_forwarded || self.preface != Preface::Off
    }

    /// Those of whoever asks for nothing else.
    pub fn times(&self) -> Times {
        Times { first_byte: self.first_byte, idle: self.idle, total: self.total }
    }
}
