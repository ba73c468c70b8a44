//! What an error of hyper, h2, rustls or the network says of the origin.

use std::error::Error;
use std::io;

use http::Request;

use super::body::Outgoing;
use crate::proxy::failure::Failure;

/// The failure behind an error while a response was waited for or read.
pub fn of(error: &(dyn Error + 'static)) -> Failure {
    let mut at = Some(error);
    // The innermost that can be told wins: what lies around it says only where it was met.
    let mut found = Failure::Reset;
    while let Some(error) = at {
        if let Some(told) = one(error) {
            found = told;
        }
        at = error.source();
    }
    found
}

fn one(error: &(dyn Error + 'static)) -> Option<Failure> {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return Some(*failure);
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return match () {
            () if error.is_parse_too_large() => Some(Failure::HeadTooLarge),
            () if error.is_parse() => Some(Failure::Malformed),
            () => None,
        };
    }
    if let Some(error) = error.downcast_ref::<h2::Error>() {
        // What h2 itself objects to is the origin's HTTP; what the origin sends as an error is its way to hang up.
        let objects = error.is_library() && !error.is_io() && error.reason() != Some(h2::Reason::NO_ERROR);
        return objects.then_some(Failure::Malformed);
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        if let Some(tls) = tls(error) {
            return Some(of_tls(tls));
        }
        // So hyper tells of chunks that are none.
        let nonsense = matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput);
        return nonsense.then_some(Failure::Malformed);
    }
    None
}

/// The failure of a TLS handshake.
pub fn of_handshake(error: &io::Error) -> Failure {
    tls(error).map_or(Failure::Tls, of_tls)
}

/// What rustls has put into an error of the network.
fn tls(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn of_tls(error: &rustls::Error) -> Failure {
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => Failure::Certificate,
        _ => Failure::Tls,
    }
}

/// Whether the origin can have begun to look at a request that got no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untouched {
    /// It can.
    No,
    /// The connection ended before it said anything.
    Perhaps,
    /// It says that it has not.
    Refused,
    /// The same, and that it takes nothing more on this connection.
    Leaving,
}

/// Of an HTTP/2 stream: what is refused, or comes after the last one of a GOAWAY, was not looked at (RFC 9113, 8.7).
fn untouched(error: &h2::Error) -> Untouched {
    match () {
        // So h2 tells of a connection that has ended.
        () if error.is_io() => Untouched::Perhaps,
        () if !error.is_remote() => Untouched::No,
        () if error.is_go_away() => Untouched::Leaving,
        () if error.reason() == Some(h2::Reason::REFUSED_STREAM) => Untouched::Refused,
        () => Untouched::No,
    }
}

/// What became of a request that got no response.
pub struct Lost {
    pub failure: Failure,
    pub untouched: Untouched,
    /// Nothing of it has left.
    pub unsent: Option<Box<Request<Outgoing>>>,
}

impl Lost {
    /// One that was on its way over HTTP/2.
    pub fn of(error: &h2::Error) -> Lost {
        Lost { failure: of(error), untouched: untouched(error), unsent: None }
    }
}

impl From<Failure> for Lost {
    fn from(failure: Failure) -> Lost {
        Lost { failure, untouched: Untouched::No, unsent: None }
    }
}
