//! Fields of one connection, which go no further (RFC 9110, 7.6.1), `Via` (7.6.3) and `Max-Forwards` (7.6.2).

use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, COOKIE,
    HOST, HeaderMap, HeaderName, HeaderValue, MAX_FORWARDS, RANGE, SET_COOKIE, TE, TRANSFER_ENCODING, UPGRADE, VARY,
    VIA, WWW_AUTHENTICATE,
};
use http::{Method, Version};

use super::{directives::CDN_CACHE_CONTROL, list};

/// More names than any honest `Connection` has.
const OPTIONS_MOST: usize = 32;
/// Members of `Via`: more proxies in a row are a loop through names that are not ours.
const VIA_MOST: usize = 16;

/// Fields of the connection though `Connection` may not name them (7.6.1).
const KNOWN: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("keep-alive"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];
/// Meant for all recipients, so that a sender must not name them in `Connection` (7.6.1). Without them a message would mean
/// something else: whom it is for, who sends it, where it ends, what it is, who may keep it.
const ESSENTIAL: [HeaderName; 14] = [
    AUTHORIZATION,
    CACHE_CONTROL,
    CDN_CACHE_CONTROL,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    COOKIE,
    HOST,
    RANGE,
    SET_COOKIE,
    VARY,
    VIA,
    WWW_AUTHENTICATE,
];

/// Protocols that are HTTP itself, or what it runs on.
const OF_HTTP: [&[u8]; 5] = [b"h2c", b"h2", b"h3", b"http", b"tls"];

/// Why a message goes no further: 400 for a request, 502 for a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A member of `Connection` is no field name, or there are too many.
    Connection,
    /// `Connection` names a field that is not the connection's.
    Essential,
}

/// Takes out what belongs to the connection; `Upgrade` is read by the caller before.
pub fn strip(headers: &mut HeaderMap) -> Result<(), Fault> {
    let members = list::of(headers, CONNECTION).members;
    if members.len() > OPTIONS_MOST {
        return Err(Fault::Connection);
    }
    let named: Result<Vec<_>, _> = members.into_iter().map(HeaderName::from_bytes).collect();
    let named = named.map_err(|_| Fault::Connection)?;
    if named.iter().any(|name| ESSENTIAL.contains(name)) {
        return Err(Fault::Essential);
    }
    for name in named.iter().chain(&KNOWN) {
        headers.remove(name);
    }
    Ok(())
}

/// Whether a field, by its name in lower case, is a connection's though `Connection` may not name it: the same by a look.
pub fn is_known(name: &[u8]) -> bool {
    // By length first: most are told apart by it.
    match name.len() {
        2 => name == b"te",
        7 => name == b"upgrade",
        10 => matches!(name, b"connection" | b"keep-alive"),
        14 => name == b"http2-settings",
        16 => name == b"proxy-connection",
        17 => name == b"transfer-encoding",
        _ => false,
    }
}

/// What a client may have its connection turned into (7.8), as far as it goes on. Not another version of HTTP: what would
/// be asked of the origin then, nobody here would see.
pub fn upgrade(version: Version, headers: &HeaderMap) -> Option<HeaderValue> {
    // HTTP/1.1 alone has upgrades.
    if version != Version::HTTP_11 || !headers.contains_key(UPGRADE) {
        return None;
    }
    let options = list::of(headers, CONNECTION).members;
    if !options.iter().any(|option| option.eq_ignore_ascii_case(b"upgrade")) {
        return None;
    }
    let name = |protocol: &[u8]| protocol.split(|byte| *byte == b'/').next().unwrap_or_default().to_ascii_lowercase();
    let members = list::of(headers, UPGRADE).members;
    let kept: Vec<&[u8]> = members.into_iter().filter(|one| !OF_HTTP.contains(&&*name(one))).collect();
    HeaderValue::from_bytes(&kept.join(&b", "[..])).ok().filter(|_| !kept.is_empty())
}

/// Adds this hop to `Via`; `name` is a token of the configuration, that tells nothing of the machine.
pub fn add_via(headers: &mut HeaderMap, version: Version, name: &str) {
    let protocol = match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    };
    if let Ok(value) = HeaderValue::try_from(format!("{protocol} {name}")) {
        headers.append(VIA, value);
    }
}

/// True where a request has been here already, or has gone through more proxies than make sense.
pub fn is_loop(headers: &HeaderMap, name: &str) -> bool {
    let members = list::of(headers, VIA).members;
    let ours = |member: &&[u8]| {
        let mut words = member.split(|byte| b" \t".contains(byte)).filter(|word| !word.is_empty());
        words.nth(1).is_some_and(|by| by.eq_ignore_ascii_case(name.as_bytes()))
    };
    members.len() >= VIA_MOST || members.iter().any(ours)
}

/// What `Max-Forwards` asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwards {
    Unbounded,
    /// Forwarded with this value.
    Left(u32),
    /// This is the last recipient: it answers itself.
    Here,
}

/// For TRACE and OPTIONS alone; what is no number is ignored.
pub fn max_forwards(method: &Method, headers: &HeaderMap) -> Forwards {
    if !matches!(*method, Method::TRACE | Method::OPTIONS) {
        return Forwards::Unbounded;
    }
    match headers.get(MAX_FORWARDS).and_then(|value| list::seconds(value.as_bytes())) {
        None => Forwards::Unbounded,
        Some(0) => Forwards::Here,
        Some(left) => Forwards::Left(left - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn what_is_known_is_known_by_a_look() {
        assert!(KNOWN.iter().all(|name| is_known(name.as_str().as_bytes())));
        assert!(ESSENTIAL.iter().all(|name| !is_known(name.as_str().as_bytes())));
    }

    #[test]
    fn what_goes_no_further() {
        // RFC 9110, 7.6.1
        let mut headers = head(&[
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("keep-alive", "5"),
            ("x-end", "1"),
            ("te", "trailers"),
        ]);
        assert_eq!(strip(&mut headers), Ok(()));
        assert_eq!(headers, head(&[("x-end", "1")]));
        for (value, fault) in
            [("Cache-Control", Fault::Essential), ("a, host", Fault::Essential), ("a b", Fault::Connection)]
        {
            assert_eq!(strip(&mut head(&[("connection", value)])), Err(fault), "{value}");
        }
    }

    #[test]
    fn what_a_connection_may_become() {
        // RFC 9110, 7.8
        for (version, connection, upgrade_to, expected) in [
            (Version::HTTP_11, "Upgrade", "websocket", Some("websocket")),
            (Version::HTTP_11, "keep-alive, upgrade", "a/1, websocket", Some("a/1, websocket")),
            (Version::HTTP_11, "upgrade, http2-settings", "h2c", None),
            (Version::HTTP_11, "upgrade", "H2C, websocket, HTTP/2.0, TLS/1.2", Some("websocket")),
            (Version::HTTP_11, "upgrade", " , ", None),
            (Version::HTTP_11, "close", "websocket", None),
            (Version::HTTP_10, "upgrade", "websocket", None),
            (Version::HTTP_2, "upgrade", "websocket", None),
        ] {
            let headers = head(&[("connection", connection), ("upgrade", upgrade_to)]);
            let expected = expected.map(HeaderValue::from_static);
            assert_eq!(upgrade(version, &headers), expected, "{version:?} {connection} {upgrade_to}");
        }
    }

    #[test]
    fn loops_are_seen() {
        // RFC 9110, 7.6.3
        for (via, is) in
            [("1.1 other", false), ("1.0 a, HTTP/1.1 Ours (x, y)", true), ("1.1 a (ours)", false), ("ours", false)]
        {
            assert_eq!(is_loop(&head(&[("via", via)]), "ours"), is, "{via}");
        }
        let mut headers = HeaderMap::new();
        add_via(&mut headers, Version::HTTP_2, "ours");
        assert_eq!(headers[VIA], "2 ours");
        assert!(is_loop(&headers, "ours"));
    }

    #[test]
    fn forwards_are_counted() {
        // RFC 9110, 7.6.2
        for (method, value, expected) in [
            ("TRACE", "0", Forwards::Here),
            ("OPTIONS", "3", Forwards::Left(2)),
            ("OPTIONS", "x", Forwards::Unbounded),
            ("GET", "0", Forwards::Unbounded),
        ] {
            assert_eq!(
                max_forwards(&method.parse().unwrap(), &head(&[("max-forwards", value)])),
                expected,
                "{method} {value}"
            );
        }
    }
}
