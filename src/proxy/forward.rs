//! A request's head as it goes to an origin: built anew from what one parser has read, never copied bytes.

use std::net::IpAddr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, IF_MATCH,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, MAX_FORWARDS, PROXY_AUTHORIZATION, RANGE, TRAILER,
    UPGRADE,
};
use http::request::Parts;
use http::uri::{Authority, Scheme, Uri};

use super::failure::Failure;
use super::hops::{self, Forwards};
use super::key;
use super::route::Route;
use super::upstream::{HostOut, Plan};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// Words about the client that only we may say: what he says himself is not believed.
const OURS: [HeaderName; 6] = [
    FORWARDED,
    X_FORWARDED_FOR,
    X_FORWARDED_PROTO,
    X_FORWARDED_HOST,
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-real-ip"),
];
/// What the cache answers itself, from the whole response that it asks for; and what tells of a body or a connection, for its
/// request has neither.
const NOT_FOR_ALL: [HeaderName; 10] = [
    IF_MATCH,
    IF_NONE_MATCH,
    IF_MODIFIED_SINCE,
    IF_UNMODIFIED_SINCE,
    IF_RANGE,
    RANGE,
    CONTENT_LENGTH,
    TRAILER,
    CONNECTION,
    UPGRADE,
];

/// Where a request goes: the origin's scheme, the host that it is told, and what the route leaves of path and query.
pub fn address(route: &Route, is_secure: bool, host: &HostOut, asked: &Uri, fields: &HeaderMap) -> Option<Uri> {
    let scheme = if is_secure { Scheme::HTTPS } else { Scheme::HTTP };
    let host = match host {
        HostOut::Named(name) => name.to_ascii_lowercase(),
        HostOut::Client => match asked.authority() {
            Some(authority) => authority.as_str().to_ascii_lowercase(),
            None => fields.get(HOST)?.to_str().ok()?.to_ascii_lowercase(),
        },
    };
    let host: Authority = host.parse().ok().filter(|host: &Authority| !host.as_str().contains('@'))?;
    let target = key::target(route, asked)?;
    Uri::builder().scheme(scheme).authority(host).path_and_query(target).build().ok()
}

/// The fields that go upstream. `own`: our name in `Via`.
pub fn fields(asked: &Parts, route: &Route, plan: &Plan, client: IpAddr, own: &str) -> Result<HeaderMap, Failure> {
    let mut fields = asked.headers.clone();
    if hops::is_loop(&fields, own) {
        return Err(Failure::Loop);
    }
    let upgrade = hops::upgrade(asked.version, &fields);
    hops::strip(&mut fields).map_err(|_| Failure::RequestMalformed)?;
    let host = fields.remove(HOST);
    for name in OURS.iter().chain([&EXPECT, &PROXY_AUTHORIZATION]) {
        fields.remove(name);
    }
    match hops::max_forwards(&asked.method, &fields) {
        Forwards::Unbounded => {}
        Forwards::Left(left) => drop(fields.insert(MAX_FORWARDS, left.into())),
        Forwards::Here => return Err(Failure::Loop),
    }
    // Leading zeros are eight times less to some.
    if let Some(length) = fields.get(CONTENT_LENGTH) {
        let length = length.to_str().ok().and_then(|text| text.parse::<u64>().ok()).ok_or(Failure::RequestMalformed)?;
        fields.insert(CONTENT_LENGTH, length.into());
    }
    if let Some(upgrade) = upgrade {
        fields.insert(UPGRADE, upgrade);
        fields.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
    hops::add_via(&mut fields, asked.version, own);
    let scheme = asked.uri.scheme_str().unwrap_or("http");
    if plan.forwarded {
        let node = if client.is_ipv6() { format!("\"[{client}]\"") } else { client.to_string() };
        insert(&mut fields, FORWARDED, &format!("for={node};proto={scheme}"));
    }
    if plan.x_forwarded {
        insert(&mut fields, X_FORWARDED_FOR, &client.to_string());
        insert(&mut fields, X_FORWARDED_PROTO, scheme);
        // Not part of a cache's key: an origin that writes it into its pages would poison them for others.
        if let Some(host) = host.filter(|_| !route.cache) {
            fields.insert(X_FORWARDED_HOST, host);
        }
    }
    Ok(fields)
}

/// Makes a request ask for the whole response, whatever its client holds.
pub fn ask_for_all(fields: &mut HeaderMap) {
    for name in &NOT_FOR_ALL {
        fields.remove(name);
    }
}

fn insert(fields: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::try_from(text) {
        fields.insert(name, value);
    }
}
