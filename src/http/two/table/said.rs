//! Frames as a client says them.

use crate::http::two::frame::*;
use crate::http::two::hpack::encoder::field;

pub(super) const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")];

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    [&Head { len: payload.len(), kind, flags, stream }.to_bytes()[..], payload].concat()
}

pub(super) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        field(name.as_bytes(), value.as_bytes(), &mut out);
    }
    out
}

pub(super) fn with(more: &[(&str, &str)]) -> Vec<u8> {
    block(&[&GET, more].concat())
}

pub(super) fn without(name: &str) -> Vec<u8> {
    let rest: Vec<_> = GET.into_iter().filter(|(known, _)| *known != name).collect();
    block(&rest)
}

/// GET, but for one pseudo-field.
pub(super) fn but(name: &str, value: &str) -> Vec<u8> {
    let all: Vec<_> = GET.into_iter().map(|(known, old)| (known, if known == name { value } else { old })).collect();
    block(&all)
}

pub(super) fn request(stream: u32, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, block)
}

pub(super) fn get(stream: u32) -> Vec<u8> {
    request(stream, &block(&GET))
}

/// A request whose body is to come, and which waits for it.
pub(super) fn post(stream: u32, more: &[(&str, &str)]) -> Vec<u8> {
    let fields = [&[(":method", "POST")], &GET[1..], more].concat();
    frame(HEADERS, END_HEADERS, stream, &block(&fields))
}

pub(super) fn data(stream: u32, text: &str, is_end: bool) -> Vec<u8> {
    frame(DATA, if is_end { END_STREAM } else { 0 }, stream, text.as_bytes())
}

pub(super) fn update(stream: u32, bytes: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())
}

pub(super) fn set(name: u16, value: u32) -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
}

pub(super) fn rst(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &8u32.to_be_bytes())
}

pub(super) fn priority(stream: u32, on: u32) -> Vec<u8> {
    frame(PRIORITY, 0, stream, &[&on.to_be_bytes()[..], &[9]].concat())
}
