//! What an error of hyper, h2, rustls or the network says of the origin.

use std::error::Error;
use std::io;

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

/// An HTTP/2 stream that the origin has not begun to look at (RFC 9113, 8.7), or a connection that ended before it said
/// anything of the stream.
pub fn is_untouched(error: &hyper::Error) -> bool {
    let mut at = error.source();
    while let Some(source) = at {
        if let Some(error) = source.downcast_ref::<h2::Error>() {
            return error.is_io() || error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM);
        }
        at = source.source();
    }
    error.is_canceled() || error.is_closed()
}
