//! Why a source gives nothing, each reason with a code that never changes (docs/codes.md).

use std::time::Duration;

use crate::base::shown::Shown;
use crate::base::units::show_size;

/// What went wrong at a poll.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("no connection to {to}: {why}; check that it runs, and the firewall on both sides")]
    Connect { to: String, why: String },
    #[error("{host} has no address here: {why}; check the name, and this machine's DNS")]
    Name { host: String, why: String },
    #[error("TLS with {host} failed: {why}; check the clock, and that `ca` has the root of its certificate")]
    Tls { host: String, why: String },
    #[error("{what} took longer than {}; it is tried again, and what has come is kept where the server can resume", show(*.limit))]
    Slow { what: &'static str, limit: Duration },
    #[error("{url} answered {status}; expected 200, 206 or 304{}", hint(*.status))]
    Status { url: Shown, status: u16, retry_after: Option<Duration> },
    #[error("{}; the limit is {}; raise `limits.package_bytes` if the size is right", told(*.announced), show_size(*.limit))]
    TooLarge { announced: Option<u64>, limit: u64 },
    #[error("the transfer broke: {why}; it is tried again")]
    Broken { why: String },
    #[error("{url} does not name a package: {why}; check `pointer`, and what is published there")]
    Document { url: Shown, why: String },
    #[error("{from} redirects {why}")]
    Redirect { from: Shown, why: String },
    #[error("{url} leads to {to}, which is another origin; add it to `hosts` if that is meant")]
    Elsewhere { url: Shown, to: String },
    #[error("what arrived has the SHA-256 {found}, announced is {expected}; it is thrown away and fetched again")]
    Digest { expected: String, found: String },
    #[error("the proxy {proxy} does not lead to {to}: {why}; check http_proxy, https_proxy and no_proxy")]
    Proxy { proxy: String, to: String, why: String },
    #[error("what arrives cannot be kept: {why}; check free space and rights of the `state` folder")]
    Disk { why: String },
    #[error("the program failed while it fetched; please report this with the log")]
    Ours,
}

impl Fault {
    pub fn code(&self) -> &'static str {
        match self {
            Fault::Connect { .. } => "S001",
            Fault::Name { .. } => "S002",
            Fault::Tls { .. } => "S003",
            Fault::Slow { .. } => "S004",
            Fault::Status { .. } => "S005",
            Fault::TooLarge { .. } => "S006",
            Fault::Broken { .. } => "S007",
            Fault::Document { .. } => "S008",
            Fault::Redirect { .. } => "S009",
            Fault::Elsewhere { .. } => "S010",
            Fault::Digest { .. } => "S011",
            Fault::Proxy { .. } => "S012",
            Fault::Disk { .. } => "S013",
            Fault::Ours => "S014",
        }
    }

    /// How long the server asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Fault::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether people would take it for the same trouble: counts and addresses in the text may differ.
    pub fn is_like(&self, other: &Fault) -> bool {
        let status = |fault: &Fault| if let Fault::Status { status, .. } = fault { Some(*status) } else { None };
        self.code() == other.code() && status(self) == status(other)
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Fault {
        Fault::Disk { why: error.to_string() }
    }
}

fn show(limit: Duration) -> String {
    format!("{} s", limit.as_secs_f32())
}

fn told(announced: Option<u64>) -> String {
    match announced {
        Some(bytes) => format!("the server announces {}", show_size(bytes)),
        None => "more arrives than may".into(),
    }
}

fn hint(status: u16) -> &'static str {
    match status {
        401 | 403 | 407 => "; check `authorization_file`, and whether this address is allowed there",
        404 | 410 => "; check `url` and `pointer`",
        500.. => "; the fault is the server's",
        _ => "",
    }
}
