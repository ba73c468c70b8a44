//! One call over everything here that reads an origin's bytes: for the fuzz target `origin_response` and the property tests.

use bytes::BytesMut;
use http::HeaderMap;

use super::framing::{Decoder, Next};
use super::response;
use crate::proxy::failure::Failure;

/// Interim responses of one reading.
const INTERIM_MOST: usize = 16;

/// What was read: status, fields, body, and how that ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    heads: Vec<(u16, HeaderMap)>,
    body: Vec<u8>,
    end: Option<Result<(), Failure>>,
    /// Bytes behind it.
    rest: usize,
}

impl Seen {
    /// Status and fields of each.
    pub fn heads(&self) -> &[(u16, HeaderMap)] {
        &self.heads
    }

    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// How it ended, and how many bytes there are behind it.
    pub fn end(&self) -> (Option<Result<(), Failure>>, usize) {
        (self.end, self.rest)
    }
}

/// Reads `bytes` as a response that comes in pieces of `sizes`, the last of them over and over. Its connection ends with them.
pub fn read(bytes: &[u8], sizes: &[usize], to_head: bool) -> Seen {
    let (mut seen, mut inbox, mut decoder) = (Seen::default(), BytesMut::new(), None);
    let (mut rest, mut sizes) = (bytes, sizes.iter());
    let mut size = bytes.len().max(1);
    loop {
        match step(&mut inbox, &mut decoder, &mut seen, to_head) {
            Ok(true) => break,
            Ok(false) => {}
            Err(failure) => {
                seen.end = Some(Err(failure));
                return seen;
            }
        }
        if rest.is_empty() {
            let is_whole = decoder.as_mut().is_some_and(Decoder::ends);
            seen.end = Some(if is_whole { Ok(()) } else { Err(Failure::Reset) });
            return seen;
        }
        size = sizes.next().map_or(size, |size| *size).clamp(1, bytes.len());
        let (piece, left) = rest.split_at(size.min(rest.len()));
        inbox.extend_from_slice(piece);
        rest = left;
    }
    (seen.end, seen.rest) = (Some(Ok(())), inbox.len() + rest.len());
    seen
}

/// True at the end of the body, false where more is needed.
fn step(inbox: &mut BytesMut, decoder: &mut Option<Decoder>, seen: &mut Seen, to_head: bool) -> Result<bool, Failure> {
    while decoder.is_none() {
        let Some(head) = response::read(inbox, to_head)? else { return Ok(false) };
        let (parts, ()) = head.response.into_parts();
        seen.heads.push((parts.status.as_u16(), parts.headers));
        if !parts.status.is_informational() || seen.heads.len() > INTERIM_MOST {
            *decoder = Some(Decoder::new(head.framing));
        }
    }
    let Some(decoder) = decoder else { return Ok(false) };
    loop {
        match decoder.next(inbox)? {
            Next::Piece(piece) => {
                assert!(!piece.is_empty(), "it would be taken for the end");
                seen.body.extend_from_slice(&piece);
            }
            Next::Trailers(_) => {}
            Next::More => return Ok(false),
            Next::Over => return Ok(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn response() -> impl Strategy<Value = Vec<u8>> {
        let start = prop_oneof![
            Just("HTTP/1.1 200 OK\r\n".to_owned()),
            Just("HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\nHTTP/1.1 404 No\r\n".to_owned()),
            Just("HTTP/1.0 200 OK\r\n".to_owned()),
            Just("HTTP/1.1 204 No\r\n".to_owned()),
        ];
        let field = prop_oneof![
            3 => "[A-Za-z-]{1,8}: [ -~]{0,12}\r\n",
            1 => Just("Content-Length: 5\r\n".to_owned()),
            2 => Just("Transfer-Encoding: chunked\r\n".to_owned()),
            1 => Just("Connection: close\r\n".to_owned()),
        ];
        let body = prop_oneof![
            3 => "(5\r\nhola!\r\n|1;a=b\r\nx\r\n|0A\r\n0123456789\r\n){0,4}0\r\n(x: y\r\n){0,2}\r\n(mas)?",
            1 => "[ -~\r\n]{0,40}",
        ];
        (start, proptest::collection::vec(field, 0..4), body)
            .prop_map(|(start, fields, body)| format!("{start}{}\r\n{body}", fields.concat()).into_bytes())
    }

    proptest! {
        /// However a response is split on its way, it is the same one; of one that is refused, the same was seen.
        #[test]
        fn it_does_not_matter_how_it_comes(bytes in response(), sizes in proptest::collection::vec(1_usize..9, 1..40), to_head: bool) {
            let (whole, split) = (read(&bytes, &[], to_head), read(&bytes, &sizes, to_head));
            prop_assert_eq!(&whole, &split, "{}", String::from_utf8_lossy(&bytes));
        }
    }
}
