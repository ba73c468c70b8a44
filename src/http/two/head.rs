//! A request's head: what RFC 9113, 8.3, asks of it, and the view that an answer is made from. Whatever could be read otherwise by
//! whoever it goes on to is malformed.

use std::borrow::Cow;

use http::uri::{Authority, Parts, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};

use super::hpack::{Block, Token};
use crate::http::answer;
use crate::http::dictionary::is_local;
use crate::http::fields::{Fields, Lines};
use crate::http::host;
use crate::http::service::Service;

/// No request (RFC 9113, 8.1.1): its stream ends with PROTOCOL_ERROR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// A request's head, borrowed from the block that it was decoded into.
#[derive(Debug)]
pub struct Head<'b> {
    block: &'b Block,
    pub method: Cow<'b, Method>,
    scheme: &'b str,
    authority: Option<&'b str>,
    hosts: Lines<'b>,
    pub path: &'b str,
    pub query: Option<&'b str>,
    pub fields: Fields<'b>,
    /// It says nothing to caches, and brings no credentials.
    pub is_bare: bool,
    /// RFC 9113, 8.1.1
    pub content_length: Option<u64>,
}

/// What is gathered while the fields are looked through.
#[derive(Default)]
struct Seen<'b> {
    method: Option<&'b [u8]>,
    scheme: Option<&'b [u8]>,
    authority: Option<&'b [u8]>,
    path: Option<&'b [u8]>,
    hosts: Lines<'b>,
    fields: Fields<'b>,
    has_ordinary: bool,
    speaks_to_caches: bool,
    content_length: Option<u64>,
}

impl<'b> Head<'b> {
    pub fn of(block: &'b Block) -> Result<Head<'b>, Malformed> {
        if block.is_malformed {
            return Err(Malformed);
        }
        let mut seen = Seen::default();
        for (token, _, value) in block.iter() {
            seen.take(token, value)?;
        }
        let method = method(seen.method.ok_or(Malformed)?)?;
        // RFC 9113, 8.5
        let is_connect = *method == Method::CONNECT;
        if seen.scheme.is_none() != is_connect || seen.path.is_none() != is_connect {
            return Err(Malformed);
        }
        let scheme = text(seen.scheme.unwrap_or_default())?;
        if !is_connect && Scheme::try_from(scheme).is_err() {
            return Err(Malformed);
        }
        let authority = seen.authority.map(text).transpose()?;
        if authority.is_some_and(|authority| !is_host(authority)) {
            return Err(Malformed);
        }
        let target = text(seen.path.unwrap_or_default())?;
        if !is_connect && !is_target(target) {
            return Err(Malformed);
        }
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let is_bare = !seen.speaks_to_caches;
        let (hosts, fields, content_length) = (seen.hosts, seen.fields, seen.content_length);
        Ok(Head { block, method, scheme, authority, hosts, path, query, fields, is_bare, content_length })
    }

    /// The view that an answer depends on.
    pub fn asked(&self, service: &Service) -> answer::Request<'_> {
        // RFC 9110, 4.2.4: nobody's name is part of a host.
        let are_valid = self.hosts.iter().all(host::is_valid)
            && self.authority.is_none_or(|authority| host::is_valid(authority.as_bytes()));
        answer::Request {
            method: &self.method,
            path: self.path,
            query: self.query,
            fields: self.fields.clone(),
            host_is_known: are_valid && !matches!(self.hosts, Lines::Many(_)),
            spread: service.spread,
            is_secure: service.is_tls || self.host().is_some_and(|host| is_local(host.as_bytes())),
        }
    }

    /// The lines of a field that is looked at seldom.
    pub fn lines(&self, name: &str) -> impl DoubleEndedIterator<Item = &'b [u8]> + use<'b> {
        let is_it = |known: &[u8]| known.eq_ignore_ascii_case(name.as_bytes());
        let all: Vec<_> = self.block.iter().filter(|(_, known, _)| is_it(known)).map(|(.., value)| value).collect();
        all.into_iter()
    }

    /// The host that is asked for.
    pub fn host(&self) -> Option<&'b str> {
        self.authority.or_else(|| self.hosts.single().and_then(|host| std::str::from_utf8(host).ok()))
    }

    /// The same for an origin; `None` where the target is no web's, or two are named (RFC 9113, 8.3.1).
    pub fn authority(&self) -> Option<&'b str> {
        let host = self.host()?;
        let is_one = self.hosts.iter().all(|named| named.eq_ignore_ascii_case(host.as_bytes()));
        let is_web = matches!(self.scheme, "http" | "https");
        (is_one && is_web && !matches!(self.hosts, Lines::Many(_))).then_some(host)
    }

    /// The request with all that it has, for who passes it on.
    pub fn to_request(&self) -> Option<Request<()>> {
        let mut parts = Parts::default();
        parts.authority = self.authority.and_then(|authority| Authority::try_from(authority).ok());
        if *self.method != Method::CONNECT {
            let target = self.query.map_or(Cow::Borrowed(self.path), |query| format!("{}?{query}", self.path).into());
            parts.path_and_query = Some(PathAndQuery::try_from(&*target).ok()?);
            parts.scheme = parts.authority.as_ref().and_then(|_| Scheme::try_from(self.scheme).ok());
        }
        let mut request = Request::new(());
        *request.uri_mut() = Uri::from_parts(parts).ok()?;
        *request.method_mut() = self.method.clone().into_owned();
        *request.version_mut() = Version::HTTP_2;
        *request.headers_mut() = map(self.block)?;
        Some(request)
    }
}

impl<'b> Seen<'b> {
    fn take(&mut self, token: Token, value: &'b [u8]) -> Result<(), Malformed> {
        if token.is_pseudo() {
            // Before all others, and once (RFC 9113, 8.3).
            let place = match token {
                Token::Method => &mut self.method,
                Token::Scheme => &mut self.scheme,
                Token::Authority => &mut self.authority,
                Token::Path => &mut self.path,
                _ => return Err(Malformed),
            };
            let is_second = place.replace(value).is_some();
            return if is_second || self.has_ordinary { Err(Malformed) } else { Ok(()) };
        }
        self.has_ordinary = true;
        let lines = match token {
            Token::Accept => &mut self.fields.accept,
            Token::AcceptEncoding => &mut self.fields.accept_encoding,
            Token::AvailableDictionary => &mut self.fields.available_dictionary,
            Token::IfMatch => &mut self.fields.if_match,
            Token::IfModifiedSince => &mut self.fields.if_modified_since,
            Token::IfNoneMatch => &mut self.fields.if_none_match,
            Token::IfRange => &mut self.fields.if_range,
            Token::IfUnmodifiedSince => &mut self.fields.if_unmodified_since,
            Token::Origin => &mut self.fields.origin,
            Token::Range => &mut self.fields.range,
            Token::SecFetchDest => &mut self.fields.sec_fetch_dest,
            Token::SecFetchMode => &mut self.fields.sec_fetch_mode,
            Token::SecFetchSite => &mut self.fields.sec_fetch_site,
            Token::Host => &mut self.hosts,
            Token::ContentLength => return self.length(value),
            Token::Te if !value.eq_ignore_ascii_case(b"trailers") => return Err(Malformed),
            Token::Connection => return Err(Malformed),
            Token::ToCaches => {
                self.speaks_to_caches = true;
                return Ok(());
            }
            _ => return Ok(()),
        };
        lines.add(value);
        Ok(())
    }

    /// One number, said once.
    fn length(&mut self, value: &[u8]) -> Result<(), Malformed> {
        let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let length = text(value)?.parse().ok().filter(|_| is_number).ok_or(Malformed)?;
        if self.content_length.replace(length).is_some() { Err(Malformed) } else { Ok(()) }
    }
}

/// Trailers: fields, and no pseudo-fields (RFC 9113, 8.1).
pub fn trailers(block: &Block) -> Result<HeaderMap, Malformed> {
    let is_refused = |(token, ..): (Token, &[u8], &[u8])| token.is_pseudo() || token == Token::Connection;
    if block.is_malformed || block.is_too_large || block.iter().any(is_refused) {
        return Err(Malformed);
    }
    map(block).ok_or(Malformed)
}

/// All but the pseudo-fields.
fn map(block: &Block) -> Option<HeaderMap> {
    let mut fields = HeaderMap::with_capacity(block.count());
    for (_, name, value) in block.iter().filter(|(token, ..)| !token.is_pseudo()) {
        fields.append(HeaderName::from_lowercase(name).ok()?, HeaderValue::from_bytes(value).ok()?);
    }
    Some(fields)
}

fn method<'b>(name: &[u8]) -> Result<Cow<'b, Method>, Malformed> {
    Ok(match name {
        b"GET" => Cow::Borrowed(&Method::GET),
        b"HEAD" => Cow::Borrowed(&Method::HEAD),
        other => Cow::Owned(Method::from_bytes(other).map_err(|_| Malformed)?),
    })
}

fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed)
}

fn is_host(authority: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-.".contains(&b);
    let is_port = |port: &str| matches!(port.len(), 1..=5) && port.bytes().all(|b| b.is_ascii_digit());
    let (name, has_usual_port) = match authority.split_once(':') {
        Some((name, port)) => (name, is_port(port)),
        None => (authority, true),
    };
    // Whatever else there is, at length.
    (has_usual_port && !name.is_empty() && name.bytes().all(is_plain)) || Authority::try_from(authority).is_ok()
}

/// A path, perhaps with a query, without a fragment, of which no server is told (RFC 9112, 3.2); or the asterisk.
fn is_target(target: &str) -> bool {
    let usual = |b: u8| b.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:@?".contains(&b);
    let is_path = target.starts_with('/') || target == "*";
    is_path && (target.bytes().all(usual) || (!target.contains('#') && PathAndQuery::try_from(target).is_ok()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_usual_in_a_host_is_nothing_else_than_an_authority(name in "[a-zA-Z0-9.:@\\[\\]-]{0,12}", port in "(:[0-9]{0,6})?") {
            let host = format!("{name}{port}");
            prop_assert_eq!(is_host(&host), Authority::try_from(&*host).is_ok(), "{}", host);
        }
    }
}
