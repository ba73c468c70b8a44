//! The head of a response, read from bytes as they come (RFC 9112, 4 to 6). Knows nothing of connections.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Response, StatusCode, Version};

use super::super::connect::HEAD_MAX_BYTES;
use super::framing::Framing;
use crate::proxy::failure::Failure;

/// Fields of one head, as hyper's limit is.
pub const FIELDS_MOST: usize = 100;
/// Fields that a response gets on its way through here, so that the map need not grow.
const MORE: usize = 4;

/// A head, and what it says of what comes behind it.
#[derive(Debug)]
pub struct Head {
    pub response: Response<()>,
    pub framing: Framing,
    /// The connection may be used again (RFC 9112, 9.3).
    pub goes_on: bool,
}

/// Takes the next head off `inbox`, which is left alone until all of it is there. To HEAD there is no body.
pub fn read(inbox: &mut BytesMut, to_head: bool) -> Result<Option<Head>, Failure> {
    let mut room = [const { MaybeUninit::uninit() }; FIELDS_MOST];
    let mut read = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut read, &inbox[..], &mut room);
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) if length <= HEAD_MAX_BYTES as usize => length,
        Ok(httparse::Status::Partial) if inbox.len() < HEAD_MAX_BYTES as usize => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(Failure::HeadTooLarge),
        Err(_) => return Err(Failure::Malformed),
    };
    let status = StatusCode::from_u16(read.code.unwrap_or_default()).map_err(|_| Failure::Malformed)?;
    let version = if read.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let mut names = Vec::with_capacity(read.headers.len());
    for field in read.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Failure::Malformed)?;
        // Where it lies: the bytes are given away only when all have been looked at.
        names.push((name, field.value.as_ptr() as usize - inbox.as_ptr() as usize, field.value.len()));
    }
    let bytes = inbox.split_to(length).freeze();
    let mut fields = HeaderMap::with_capacity(names.len() + MORE);
    for (name, at, length) in names {
        fields.append(name, value(&bytes, at, length)?);
    }
    let framing = framing(status, version, &fields, to_head)?;
    let goes_on = goes_on(version, &fields) && framing != Framing::Close;
    let mut response = Response::new(());
    (*response.status_mut(), *response.version_mut(), *response.headers_mut()) = (status, version, fields);
    Ok(Some(Head { response, framing, goes_on }))
}

/// A part of the head's bytes, not a copy.
fn value(bytes: &Bytes, at: usize, length: usize) -> Result<HeaderValue, Failure> {
    // An empty one may lie anywhere.
    let end = at.wrapping_add(length);
    let part = if length == 0 || end > bytes.len() { Bytes::new() } else { bytes.slice(at..end) };
    HeaderValue::from_maybe_shared(part).map_err(|_| Failure::Malformed)
}

/// Where the body ends: told in one way, by a coding that is taken off here, or not at all (RFC 9112, 6.3). With two of them,
/// the next who reads it might find another end.
fn framing(status: StatusCode, version: Version, fields: &HeaderMap, to_head: bool) -> Result<Framing, Failure> {
    if status.is_informational() {
        return Ok(Framing::None);
    }
    let told = |name: &HeaderName| {
        let mut all = fields.get_all(name).iter().map(HeaderValue::as_bytes);
        (all.next(), all.next().is_some())
    };
    let told = match (told(&TRANSFER_ENCODING), told(&CONTENT_LENGTH)) {
        ((None, _), (None, _)) => Framing::Close,
        ((None, _), (Some(length), false)) => Framing::Length(number(length).ok_or(Failure::Malformed)?),
        ((Some(coding), false), (None, _)) if coding.eq_ignore_ascii_case(b"chunked") => Framing::Chunked,
        _ => return Err(Failure::Malformed),
    };
    let is_bare = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    match told {
        _ if to_head || is_bare => Ok(Framing::None),
        // It has no such coding (RFC 9112, 6.1).
        Framing::Chunked if version != Version::HTTP_11 => Err(Failure::Malformed),
        told => Ok(told),
    }
}

/// Digits alone (RFC 9110, 8.6).
fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}

fn goes_on(version: Version, fields: &HeaderMap) -> bool {
    let says = |option: &[u8]| {
        let values = fields.get_all(CONNECTION).iter().map(HeaderValue::as_bytes);
        let mut options = values.flat_map(|value| value.split(|byte| *byte == b','));
        options.any(|said| said.trim_ascii().eq_ignore_ascii_case(option))
    };
    !says(b"close") && (version == Version::HTTP_11 || says(b"keep-alive"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str, to_head: bool) -> Result<Option<Head>, Failure> {
        read(&mut BytesMut::from(text), to_head)
    }

    #[test]
    fn where_a_body_ends() {
        for (head, framing, goes_on) in [
            ("1.1 200 OK\r\nContent-Length: 007\r\n", Ok(Framing::Length(7)), true),
            ("1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n", Ok(Framing::Chunked), true),
            ("1.1 200 OK\r\n", Ok(Framing::Close), false),
            ("1.1 204 No\r\n", Ok(Framing::None), true),
            ("1.1 304 No\r\nContent-Length: 7\r\n", Ok(Framing::None), true),
            ("1.1 200 OK\r\nContent-Length: 7\r\nConnection: a, Close\r\n", Ok(Framing::Length(7)), false),
            ("1.0 200 OK\r\nContent-Length: 7\r\n", Ok(Framing::Length(7)), false),
            ("1.0 200 OK\r\nContent-Length: 7\r\nConnection: keep-alive\r\n", Ok(Framing::Length(7)), true),
            ("1.0 200 OK\r\nTransfer-Encoding: chunked\r\n", Err(Failure::Malformed), true),
            ("1.1 200 OK\r\nContent-Length:\r\n", Err(Failure::Malformed), true),
            ("1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n", Err(Failure::Malformed), true),
            ("1.1 204 No\r\nContent-Length: 1\r\nContent-Length: 1\r\n", Err(Failure::Malformed), true),
        ] {
            let read = read_all(&format!("HTTP/{head}\r\n"), false).map(Option::unwrap);
            assert_eq!(read.as_ref().map(|read| read.framing).map_err(|failure| *failure), framing, "{head}");
            assert!(read.is_err() || read.unwrap().goes_on == goes_on, "{head}");
        }
        let to_head = read_all("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nX:\r\n\r\n", true).unwrap().unwrap();
        assert_eq!((to_head.framing, &to_head.response.headers()["x"]), (Framing::None, &HeaderValue::from_static("")));
    }

    #[test]
    fn a_head_has_bounds() {
        let long = |bytes: usize| format!("HTTP/1.1 200 OK\r\nX: {}", "a".repeat(bytes));
        let most = HEAD_MAX_BYTES as usize;
        assert!(read_all(&long(most - 21), false).unwrap().is_none());
        assert!(matches!(read_all(&long(most), false), Err(Failure::HeadTooLarge)));
        assert!(matches!(read_all(&format!("{}\r\n\r\n", long(most)), false), Err(Failure::HeadTooLarge)));
        let many = |fields| read_all(&format!("HTTP/1.1 204 No\r\n{}\r\n", "x: a\r\n".repeat(fields)), false);
        assert!(many(FIELDS_MOST).is_ok() && matches!(many(FIELDS_MOST + 1), Err(Failure::HeadTooLarge)));
    }
}
