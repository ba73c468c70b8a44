//! A request's head as it goes to an origin: built anew from what one parser has read, never copied bytes.

use std::net::IpAddr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, IF_MATCH,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, MAX_FORWARDS, PROXY_AUTHORIZATION, RANGE, TRAILER,
    UPGRADE,
};
use http::request::Parts;
use http::uri::{Authority, Scheme, Uri};
use http::{Method, Request, Version};

use super::failure::Failure;
use super::hops::{self, Forwards};
use super::key;
use super::route::Route;
use super::upstream::{HostOut, Plan};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// Words about the client that only we may say: what he says himself is not believed. Their kin begins with `OURS_BEGIN`.
const OURS: [HeaderName; 2] = [FORWARDED, HeaderName::from_static("x-real-ip")];
const OURS_BEGIN: &str = "x-forwarded-";
/// By these, many frameworks take a request for another than its line says. None is part of a key by itself: who leads a crowd
/// would choose what everybody gets.
const OTHER_REQUEST: [HeaderName; 7] = [
    HeaderName::from_static("x-host"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-method-override"),
    HeaderName::from_static("x-original-host"),
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-rewrite-url"),
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

/// What a request says before its fields.
#[derive(Clone, Copy)]
pub struct Line<'r> {
    pub method: &'r Method,
    pub uri: &'r Uri,
    pub version: Version,
}

impl<'r> From<&'r Parts> for Line<'r> {
    fn from(head: &'r Parts) -> Line<'r> {
        Line { method: &head.method, uri: &head.uri, version: head.version }
    }
}

/// What of `fields`, the request's, goes upstream. `own`: our name in `Via`.
pub fn fields(
    asked: Line,
    mut fields: HeaderMap,
    route: &Route,
    plan: &Plan,
    client: IpAddr,
    own: &str,
) -> Result<HeaderMap, Failure> {
    if hops::is_loop(&fields, own) {
        return Err(Failure::Loop);
    }
    let upgrade = hops::upgrade(asked.version, &fields);
    hops::strip(&mut fields).map_err(|_| Failure::RequestMalformed)?;
    let host = fields.remove(HOST);
    let foreign: Vec<HeaderName> = fields.keys().filter(|name| is_foreign(name)).cloned().collect();
    for name in foreign.iter().chain(&OURS).chain([&EXPECT, &PROXY_AUTHORIZATION]) {
        fields.remove(name);
    }
    // What was to come no further than here has had its answer.
    if let Forwards::Left(left) = hops::max_forwards(asked.method, &fields) {
        fields.insert(MAX_FORWARDS, left.into());
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

/// What of a request goes upstream that everybody who asks alike shares the answer to: the whole, whatever its client holds, and
/// asked for as everybody would. By these fields alone, as the origin hears them, answers are told apart: what goes no further
/// selects nothing, and what we say of the client selects as well (RFC 9111, 4.1).
pub fn for_all<B>(
    asked: &Request<B>,
    route: &Route,
    plan: &Plan,
    client: IpAddr,
    own: &str,
) -> Result<HeaderMap, Failure> {
    let line = Line { method: asked.method(), uri: asked.uri(), version: asked.version() };
    let mut heard = fields(line, asked.headers().clone(), route, plan, client, own)?;
    ask_for_all(&mut heard, route);
    Ok(heard)
}

/// What no client may say to an origin. Gateways by the rules of CGI take `_` and `-` for the same, so that a name with the one
/// would pass for a name with the other that has been judged here.
fn is_foreign(name: &HeaderName) -> bool {
    name.as_str().starts_with(OURS_BEGIN) || name.as_str().contains('_')
}

/// Whether a field of a plain request, by its name in lower case, does not go on: [`fields`] by a look.
pub fn is_dropped(name: &[u8]) -> bool {
    let is_ours = matches!(name, b"forwarded" | b"x-real-ip");
    let is_foreign = name.starts_with(OURS_BEGIN.as_bytes()) || name.contains(&b'_');
    is_ours || is_foreign || hops::is_known(name) || matches!(name, b"host" | b"expect" | b"proxy-authorization")
}

/// See [`for_all`].
pub fn ask_for_all(fields: &mut HeaderMap, route: &Route) {
    for name in &NOT_FOR_ALL {
        fields.remove(name);
    }
    for name in OTHER_REQUEST.iter().filter(|name| !route.headers.contains(name)) {
        fields.remove(name);
    }
}

/// True where an origin may take a request with these fields for another than its line says, and its answer with it.
pub fn is_another(fields: &HeaderMap, route: &Route) -> bool {
    OTHER_REQUEST.iter().any(|name| fields.contains_key(name) && !route.headers.contains(name))
}

fn insert(fields: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::try_from(text) {
        fields.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::super::route::specimen;
    use super::super::upstream::Preface;
    use super::*;

    fn plan() -> Plan {
        let far = std::time::Duration::from_secs(60);
        Plan {
            name: "prueba".into(),
            origins: Vec::new(),
            tls: None,
            http2: false,
            host: HostOut::Client,
            forwarded: false,
            x_forwarded: false,
            preface: Preface::Off,
            health: None,
            slow_start: far,
            connect: far,
            first_byte: far,
            idle: far,
            total: far,
            connections: 1,
            waiting: 1,
        }
    }

    #[test]
    fn what_does_not_go_on_is_known_by_a_look() {
        let plain = [
            "host",
            "expect",
            "proxy-authorization",
            "x-forwarded-for",
            "x-forwarded-x",
            "a_b",
            "te",
            "x-a",
            "cookie",
            "via",
        ];
        for name in plain.into_iter().chain(OURS.iter().chain(&OTHER_REQUEST).map(HeaderName::as_str)) {
            let name: HeaderName = name.parse().unwrap();
            let (asked, ()) = Request::get("http://a/").header(&name, "1").body(()).unwrap().into_parts();
            let sent = fields(
                (&asked).into(),
                asked.headers.clone(),
                &specimen("/"),
                &plan(),
                [192, 0, 2, 1].into(),
                "difusor",
            )
            .unwrap();
            let stays = sent.get(&name).is_some_and(|value| value == "1");
            assert_eq!(is_dropped(name.as_str().as_bytes()), !stays, "{name}");
        }
    }

    /// Whether a field reaches the origin with a request of its client's own, and with one for all.
    fn reaches(name: &str, route: &Route) -> (bool, bool) {
        let (asked, ()) = Request::get("http://a/").header(name, "1").body(()).unwrap().into_parts();
        let mut fields =
            fields((&asked).into(), asked.headers.clone(), route, &plan(), [192, 0, 2, 1].into(), "difusor").unwrap();
        let own = fields.contains_key(name);
        ask_for_all(&mut fields, route);
        (own, fields.contains_key(name))
    }

    #[test]
    fn what_clients_say_goes_as_far_as_it_may() {
        for (name, expected) in [
            ("accept-language", (true, true)),
            ("x-forwarded-for", (false, false)),
            ("x-forwarded-scheme", (false, false)),
            ("x-forwarded-prefix", (false, false)),
            // Gateways of old make `HTTP_X_FORWARDED_FOR` of both.
            ("x_forwarded_for", (false, false)),
            ("content_length", (false, false)),
            // Another request than the one whose answer everybody gets.
            ("x-http-method-override", (true, false)),
            ("x-http-method", (true, false)),
            ("x-method-override", (true, false)),
            ("x-original-url", (true, false)),
            ("x-rewrite-url", (true, false)),
            ("x-original-host", (true, false)),
            ("x-host", (true, false)),
            ("range", (true, false)),
        ] {
            assert_eq!(reaches(name, &specimen("/")), expected, "{name}");
        }
        let keyed = Route { headers: vec!["x-original-url".parse().unwrap()], ..specimen("/") };
        assert_eq!(reaches("x-original-url", &keyed), (true, true), "it is part of the key");
    }
}
