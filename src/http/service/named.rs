//! Which host a request names, and whether it may stand in a target.

use std::net::Ipv6Addr;

use http::header::{HOST, HeaderValue};
use http::uri::{Authority, Scheme};
use http::{Request, Version};

use crate::http::host;

/// RFC 9112, 3.2: exactly one `Host` in HTTP/1.1, and a valid one; HTTP/2 has `:authority` instead. Of both, nobody's name is
/// part (RFC 9110, 4.2.4).
pub(super) fn host_is_known<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).into_iter();
    let (first, second) = (hosts.next(), hosts.next());
    let is_missing = first.is_none() && request.version() == Version::HTTP_11;
    let are_valid = first.is_none_or(|host| host::is_valid(host.as_bytes()))
        && request.uri().authority().is_none_or(|authority| host::is_valid(authority.as_str().as_bytes()));
    !is_missing && second.is_none() && are_valid
}

pub(super) fn https_location<B>(request: &Request<B>, port: u16) -> Option<String> {
    let host = request.headers().get(HOST).map(HeaderValue::as_bytes);
    let named: Authority = match host {
        Some(host) => Authority::try_from(host).ok()?,
        None => request.uri().authority()?.clone(),
    };
    if named.host().is_empty() || named.as_str().contains('@') {
        return None;
    }
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    let target = request.uri().path_and_query().filter(|target| target.path().starts_with('/'))?;
    Some(format!("https://{}{port}{target}", named.host()))
}

/// The host that is asked for, as it was sent. HTTP/1.1's absolute form comes before `Host` (RFC 9112, 3.2.2).
pub(super) fn host<B>(request: &Request<B>) -> Option<&str> {
    let named = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    request.uri().authority().map(Authority::as_str).or(named)
}

/// The same for an origin; `None` where it is none, or where HTTP/2 names two (RFC 9113, 8.3.1).
pub(super) fn authority<B>(request: &Request<B>) -> Option<Authority> {
    let host = host(request)?;
    // What else a target begins with is nobody's here (RFC 9110, 7.4).
    request.uri().scheme().is_none_or(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme)).then_some(())?;
    let is_one = request.version() != Version::HTTP_2
        || request.headers().get(HOST).is_none_or(|named| named.as_bytes().eq_ignore_ascii_case(host.as_bytes()));
    is_one.then(|| usable(host)).flatten()
}

/// What may stand in a target: a host, perhaps with a port, and nobody's name (RFC 9110, 4.2.4). Of all that RFC 3986 lets a
/// name be written with, only what names are written with: a comma there is read as two hosts by some.
pub fn usable(host: &str) -> Option<Authority> {
    Authority::try_from(host).ok().filter(|_| is_usable(host))
}

/// The same without making one.
pub fn is_usable(host: &str) -> bool {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
    let (is_name, rest) = match host.strip_prefix('[') {
        Some(inside) => match inside.split_once(']') {
            Some((address, rest)) => (address.parse::<Ipv6Addr>().is_ok(), rest.as_bytes()),
            None => return false,
        },
        None => {
            let length = host.bytes().take_while(is_of_name).count();
            (length > 0, &host.as_bytes()[length..])
        }
    };
    is_name && (rest.is_empty() || is_port(rest))
}

/// A colon and a number of 16 bits.
fn is_port(rest: &[u8]) -> bool {
    let Some((b':', digits @ [_, ..])) = rest.split_first() else { return false };
    let number = digits.iter().try_fold(0_u32, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u32::from(digit - b'0'))?;
        Some(number * 10 + digit).filter(|number| *number <= u32::from(u16::MAX))
    });
    number.is_some()
}
