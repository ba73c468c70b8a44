//! The answer to a plain request whose head came at once and says nothing out of the common, as the client gets it: head and body
//! are found where they lie. By the rules of the general way, `upstream::own::response` and [`pass`](super::super::pass); whatever would take more than a look is
//! not read here.

use std::mem::MaybeUninit;

use http::StatusCode;

use super::super::upstream::{FIELDS_MOST, HEAD_MAX_BYTES};
use super::super::{hops, instant};
use super::request::push_lower;

/// See above.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer<'b> {
    pub status: StatusCode,
    /// What has come of the body, ...
    pub body: &'b [u8],
    /// ... and how many bytes of it are still to come.
    pub left: u64,
    /// There is none by rule (HEAD, 204, 304).
    pub is_bare: bool,
    /// The origin has said when.
    pub is_dated: bool,
}

/// Reads `bytes`, an answer from its beginning on, and writes status line and fields behind `out`, without those of ours and the
/// empty line; `None`, and `out` has anything, where they are something else, or go on behind its end.
pub fn read<'b>(bytes: &'b [u8], to_head: bool, out: &mut Vec<u8>) -> Option<Answer<'b>> {
    let mut room = [const { MaybeUninit::uninit() }; FIELDS_MOST];
    let mut read = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut read, bytes, &mut room);
    let Ok(httparse::Status::Complete(length)) = parsed else { return None };
    let status = StatusCode::from_u16(read.code?).ok().filter(|status| is_usual(*status))?;
    if read.version != Some(1) || length > HEAD_MAX_BYTES as usize {
        return None;
    }
    for part in ["HTTP/1.1 ", status.as_str(), " ", status.canonical_reason()?, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    let body = &bytes[length..];
    let has_none = to_head || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let (mut told, mut is_dated) = (None, false);
    for field in read.headers.iter() {
        let from = out.len();
        push_lower(field.name.as_bytes(), out);
        let name = &out[from..];
        let is_left_out = match name {
            b"content-length" => {
                if told.replace(number(field.value)?).is_some() {
                    return None;
                }
                // Of what has a body it is said below; 204 never says it (RFC 9110, 8.6).
                !has_none || status == StatusCode::NO_CONTENT
            }
            // Another end than that, or none.
            b"transfer-encoding" => return None,
            b"connection" if !field.value.eq_ignore_ascii_case(b"keep-alive") => return None,
            b"date" => {
                is_dated = true;
                false
            }
            name => hops::is_known(name),
        };
        if is_left_out {
            out.truncate(from);
            continue;
        }
        out.extend_from_slice(b": ");
        out.extend_from_slice(field.value);
        out.extend_from_slice(b"\r\n");
    }
    let left = match (has_none, told) {
        (true, _) => 0_u64.checked_sub(body.len() as u64)?,
        (false, told) => {
            let length = told?;
            out.extend_from_slice(b"content-length: ");
            instant::number(length, out);
            out.extend_from_slice(b"\r\n");
            length.checked_sub(body.len() as u64)?
        }
    };
    Some(Answer { status, body, left, is_bare: has_none, is_dated })
}

/// Not what comes before an answer, nor what is said of a place that fails (500, 502 to 504), nor what may be asked once more (408).
fn is_usual(status: StatusCode) -> bool {
    (200..600).contains(&status.as_u16()) && !matches!(status.as_u16(), 408 | 500 | 502..=504)
}

/// Digits alone (RFC 9110, 8.6).
fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}
