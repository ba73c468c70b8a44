//! The head of a request without a body, as bytes (RFC 9112, 3). Knows nothing of connections.

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{Method, Request};
use http_body::Body;

use super::super::head;
use crate::proxy::failure::Failure;

/// Whether a request is of the kind that is written here.
pub fn takes<B: Body>(request: &Request<B>) -> bool {
    let fields = request.headers();
    matches!(*request.method(), Method::GET | Method::HEAD)
        && request.body().is_end_stream()
        && !fields.contains_key(CONTENT_LENGTH)
        && !fields.contains_key(TRANSFER_ENCODING)
        && !head::asks_upgrade(request)
}

/// In origin form, with the target's authority in `Host`. No name and no value holds a line end: `HeaderMap` takes none.
pub fn write<B>(request: &Request<B>) -> Result<Vec<u8>, Failure> {
    let authority = request.uri().authority().ok_or(Failure::Malformed)?;
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let fields = || request.headers().iter().filter(|(name, _)| *name != HOST);
    let length: usize = fields().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let mut out = Vec::with_capacity(length + target.len() + authority.as_str().len() + 32);
    out.extend_from_slice(request.method().as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
    out.extend_from_slice(head::host(authority).as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in fields() {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{Empty, Full};

    use super::*;

    #[test]
    fn a_head_is_these_bytes() {
        for (uri, expected) in [
            ("http://a.example/b?c=d", "GET /b?c=d HTTP/1.1\r\nhost: a.example\r\nx: 1\r\nx: 2\r\n\r\n"),
            ("https://yo:clave@a.example:81", "GET / HTTP/1.1\r\nhost: a.example:81\r\nx: 1\r\nx: 2\r\n\r\n"),
        ] {
            let request = Request::get(uri).header("x", "1").header("host", "otro").header("x", "2").body(()).unwrap();
            assert_eq!(String::from_utf8(write(&request).unwrap()).unwrap(), expected);
        }
        assert_eq!(write(&Request::get("/b").body(()).unwrap()), Err(Failure::Malformed));
    }

    #[test]
    fn what_is_not_of_this_kind() {
        let of = |method: &str, name: &str, value: &str| {
            let request = Request::builder().method(method).uri("http://a/").header(name, value);
            takes(&request.body(Empty::<Bytes>::new()).unwrap())
        };
        assert!(of("GET", "x", "1") && of("HEAD", "connection", "x") && of("GET", "upgrade", "eco"));
        assert!(!of("OPTIONS", "x", "1") && !of("GET", "content-length", "0"));
        let upgrade = Request::get("http://a/").header("upgrade", "eco").header("connection", "Upgrade");
        assert!(!takes(&upgrade.body(Empty::<Bytes>::new()).unwrap()));
        assert!(!takes(&Request::get("http://a/").body(Full::new(Bytes::from_static(b"x"))).unwrap()));
    }
}
