//! The plain request, recognised on the bytes as they came; everything else, and any doubt, is hyper's.
//!
//! Plain is a GET or HEAD of HTTP/1.1 in origin form, with one `Host`, without a body, without ranges, upgrades or
//! expectations, no field twice that an answer depends on. httparse reads it, as it does for hyper, so that both paths
//! take the same bytes for the same request.

use std::mem::MaybeUninit;

use super::fields::{Fields, Lines};
use super::framing::has_proper_lines;
use super::target::TARGET_MAX_BYTES;

/// Fields of a plain request at most; browsers send about 15.
pub(super) const FIELDS_MAX: usize = 40;

/// What the bytes begin with.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "it lives for one request, on the stack")]
pub enum Recognised<'b> {
    /// The beginning of a head.
    Partial,
    /// A plain request, and how many bytes it took.
    Plain(Plain<'b>, usize),
    /// No request, by the parser that hyper has too, or one whose lines end in more than one way.
    Malformed,
    Other,
}

/// See above.
#[derive(Debug, PartialEq, Eq)]
pub struct Plain<'b> {
    pub is_head: bool,
    pub path: &'b str,
    pub query: Option<&'b str>,
    /// The only line of `Host`.
    pub host: &'b [u8],
    pub fields: Fields<'b>,
    /// It says nothing to caches, and brings no credentials.
    pub is_bare: bool,
    /// The client wants no more on this connection.
    pub closes: bool,
}

/// Reads the first request in `bytes`.
pub fn recognise(bytes: &[u8]) -> Recognised<'_> {
    let mut room = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut []);
    let len = match request.parse_with_uninit_headers(bytes, &mut room) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Recognised::Partial,
        // hyper has more room.
        Err(httparse::Error::TooManyHeaders) => return Recognised::Other,
        Err(_) => return Recognised::Malformed,
    };
    if !has_proper_lines(&request, &bytes[..len]) {
        return Recognised::Malformed;
    }
    match plain(&request) {
        Some(plain) => Recognised::Plain(plain, len),
        None => Recognised::Other,
    }
}

fn plain<'b>(request: &httparse::Request<'_, 'b>) -> Option<Plain<'b>> {
    let is_head = match request.method? {
        "GET" => false,
        "HEAD" => true,
        _ => return None,
    };
    let target = request.path?;
    if request.version != Some(1) || !target.starts_with('/') || !is_usual(target) {
        return None;
    }
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let mut plain = Plain { is_head, path, query, host: b"", fields: Fields::default(), is_bare: true, closes: false };
    plain.host = fields(request.headers, &mut plain)?;
    Some(plain)
}

const IS_USUAL: [bool; 256] = {
    let mut table = [false; 256];
    let others = b"/-._~%!$&'()*+,;=:@?";
    let (mut b, mut n) = (0, 0);
    while b < table.len() {
        table[b] = (b as u8).is_ascii_alphanumeric();
        b += 1;
    }
    while n < others.len() {
        table[others[n] as usize] = true;
        n += 1;
    }
    table
};

/// Characters of RFC 3986 that every parser of targets takes as they are.
fn is_usual(target: &str) -> bool {
    target.len() <= TARGET_MAX_BYTES && target.bytes().all(|b| IS_USUAL[usize::from(b)])
}

/// Notes the fields that count, and returns `Host`; `None` where one of them makes the request more than plain.
fn fields<'b>(headers: &[httparse::Header<'b>], plain: &mut Plain<'b>) -> Option<&'b [u8]> {
    let Plain { fields, is_bare, closes, .. } = plain;
    let mut host = None;
    for header in headers {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        // By length first: most fields are told apart by it.
        match header.name.len() {
            4 if is("host") && host.replace(header.value).is_some() => return None,
            10 if is("connection") && header.value.eq_ignore_ascii_case(b"close") => *closes = true,
            10 if is("connection") && !header.value.eq_ignore_ascii_case(b"keep-alive") => return None,
            13 if is("if-none-match") => once(&mut fields.if_none_match, header.value)?,
            15 if is("accept-encoding") => once(&mut fields.accept_encoding, header.value)?,
            17 if is("if-modified-since") => once(&mut fields.if_modified_since, header.value)?,
            5 if is("range") => return None,
            6 if is("expect") => return None,
            6 if is("accept") => once(&mut fields.accept, header.value)?,
            7 if is("upgrade") => return None,
            8 if is("if-match") || is("if-range") => return None,
            14 if is("content-length") => return None,
            6 if is("origin") => once(&mut fields.origin, header.value)?,
            14 if is("sec-fetch-dest") => once(&mut fields.sec_fetch_dest, header.value)?,
            14 if is("sec-fetch-mode") => once(&mut fields.sec_fetch_mode, header.value)?,
            14 if is("sec-fetch-site") => once(&mut fields.sec_fetch_site, header.value)?,
            20 if is("available-dictionary") => once(&mut fields.available_dictionary, header.value)?,
            17 if is("transfer-encoding") => return None,
            13 if is("cache-control") || is("authorization") => *is_bare = false,
            6 if is("pragma") => *is_bare = false,
            19 if is("if-unmodified-since") => return None,
            _ => {}
        }
    }
    host
}

fn once<'b>(lines: &mut Lines<'b>, value: &'b [u8]) -> Option<()> {
    let is_first = lines.is_none();
    *lines = Lines::One(value);
    is_first.then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_browsers_send_is_plain() {
        let bytes = b"GET /datos/total.json?v=1 HTTP/1.1\r\nHost: prep.example.mx\r\nConnection: keep-alive\r\n\
            Accept-Encoding: gzip, br\r\nIf-None-Match: \"x\"\r\nUser-Agent: y\r\n\r\nGET /next";
        let Recognised::Plain(plain, len) = recognise(bytes) else { panic!("not plain") };
        assert_eq!(&bytes[len..], b"GET /next");
        assert_eq!((plain.is_head, plain.path, plain.query), (false, "/datos/total.json", Some("v=1")));
        assert_eq!((plain.host, plain.closes), (&b"prep.example.mx"[..], false));
        assert_eq!(plain.fields.accept_encoding, Lines::One(b"gzip, br"));
        assert_eq!(plain.fields.if_none_match, Lines::One(b"\"x\""));
        for cut in 0..len {
            assert_eq!(recognise(&bytes[..cut]), Recognised::Partial, "{cut}");
        }
    }

    #[test]
    fn who_asks_once_says_so() {
        let asked = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n";
        assert!(matches!(recognise(asked), Recognised::Plain(plain, _) if plain.closes));
    }

    #[test]
    fn any_doubt_is_left_to_hyper() {
        let cases = [
            "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a\"b HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /#f HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nIf-Match: *\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br\r\nAccept-Encoding: gzip\r\n\r\n",
        ];
        for case in cases {
            assert_eq!(recognise(case.as_bytes()), Recognised::Other, "{case:?}");
        }
        let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(60));
        assert_eq!(recognise(many.as_bytes()), Recognised::Other);
        for broken in [
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "\0",
            "GET /\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\n",
        ] {
            assert_eq!(recognise(broken.as_bytes()), Recognised::Malformed, "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = recognise(&bytes);
        }
    }
}
