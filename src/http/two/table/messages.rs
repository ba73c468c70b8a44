//! RFC 9113, 8: what is a request, and what is none.

use super::Row;
use super::Told::{Answered, Reset};
use super::said::*;
use crate::http::two::frame::*;

pub(super) fn rows() -> Vec<Row> {
    let malformed = |why, block: Vec<u8>| (why, vec![set(3, 1), request(1, &block)], Reset(1, Reason::Protocol));
    let trailers = |fields: &[(&str, &str)], flags| frame(HEADERS, END_HEADERS | flags, 1, &block(fields));
    vec![
        ("8.1 trailers", vec![set(3, 1), post(1, &[]), data(1, "x", false), trailers(&[("x", "y")], 1)], Answered(1)),
        (
            "8.1 trailers without the end",
            vec![set(3, 1), post(1, &[]), trailers(&[("x", "y")], 0)],
            Reset(1, Reason::Protocol),
        ),
        (
            "8.1 trailers with a pseudo-field",
            vec![set(3, 1), post(1, &[]), trailers(&[(":path", "/")], 1)],
            Reset(1, Reason::Protocol),
        ),
        (
            "8.1.1 more than its length",
            vec![set(3, 1), post(1, &[("content-length", "1")]), data(1, "xy", true)],
            Reset(1, Reason::Protocol),
        ),
        (
            "8.1.1 less than its length",
            vec![set(3, 1), post(1, &[("content-length", "3")]), data(1, "xy", true)],
            Reset(1, Reason::Protocol),
        ),
        (
            "8.1.1 its length, in pieces",
            vec![set(3, 1), post(1, &[("content-length", "3")]), data(1, "x", false), data(1, "yz", true)],
            Answered(1),
        ),
        malformed("8.1.1 a length and no body", with(&[("content-length", "3")])),
        malformed("8.1.1 two lengths", with(&[("content-length", "0"), ("content-length", "0")])),
        malformed("8.2.1 a name in upper case", with(&[("X-A", "b")])),
        malformed("8.2.1 a name with a space", with(&[("x a", "b")])),
        malformed("8.2.1 no name", with(&[("", "b")])),
        malformed("8.2.1 a value with a line end", with(&[("x", "a\nb")])),
        malformed("8.2.1 a value that begins with a space", with(&[("x", " a")])),
        malformed("8.2.1 a value that ends with a tab", with(&[("x", "a\t")])),
        malformed("8.2.2 connection", with(&[("connection", "keep-alive")])),
        malformed("8.2.2 transfer-encoding", with(&[("transfer-encoding", "chunked")])),
        malformed("8.2.2 te but trailers", with(&[("te", "trailers, deflate;q=0.5")])),
        ("8.2.2 te: trailers", vec![set(3, 1), request(1, &with(&[("te", "trailers")]))], Answered(1)),
        malformed("8.3 an unknown pseudo-field", with(&[(":test", "ok")])),
        malformed("8.3 a response's pseudo-field", with(&[(":status", "200")])),
        malformed("8.3 a pseudo-field behind others", block(&[GET[0], GET[1], GET[2], ("x", "y"), GET[3]])),
        malformed("8.3.1 an empty path", but(":path", "")),
        malformed("8.3.1 a path without its slash", but(":path", "x")),
        malformed("8.3.1 a path with a fragment", but(":path", "/x#y")),
        malformed("8.3.1 no method", without(":method")),
        malformed("8.3.1 no scheme", without(":scheme")),
        malformed("8.3.1 no path", without(":path")),
        malformed("8.3.1 two methods", with(&[(":method", "GET")])),
        malformed("8.3.1 two schemes", with(&[(":scheme", "http")])),
        malformed("8.3.1 two paths", with(&[(":path", "/")])),
        malformed("8.5 CONNECT with a path", block(&[(":method", "CONNECT"), GET[2], GET[3]])),
        ("8.3.1 no authority", vec![set(3, 1), request(1, &without(":authority"))], Answered(1)),
    ]
}
