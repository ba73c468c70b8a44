//! Ranges cut from a response (RFC 9110, 14): what a request wants of it, what its head then says, and its body, cut while
//! it arrives.

use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderName, HeaderValue, RANGE};
use http::{Method, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;

use super::failure::Failure;
use super::reply::{self, For};
use super::upstream::Arriving;
use super::{list, update, validate};
use crate::base::range::{self, Wanted};

/// What is read of a body and thrown away to come to a range; for one that begins later the origin is asked again.
const SKIPPED_MOST: u64 = 1 << 20;

/// What a request wants of a response to GET whose body has this length. Ranges are of GET alone (14.2).
pub fn wanted(asked: For, fields: &HeaderMap, length: usize) -> Wanted {
    let mut ranges = asked.fields.get_all(RANGE).iter();
    match (ranges.next(), ranges.next()) {
        (Some(wanted), None) if *asked.method == Method::GET && validate::range_holds(asked.fields, fields) => {
            range::read(wanted.as_bytes(), length)
        }
        _ => Wanted::Whole,
    }
}

/// Makes the head of 200 that of 206.
pub fn tell_part(fields: &mut HeaderMap, part: &Range<usize>, length: usize) -> StatusCode {
    set(fields, CONTENT_RANGE, &format!("bytes {}-{}/{length}", part.start, part.end - 1));
    fields.insert(CONTENT_LENGTH, part.len().into());
    for name in &update::OF_THE_MESSAGE {
        fields.remove(name);
    }
    StatusCode::PARTIAL_CONTENT
}

/// Makes the head of 200 that of 416.
pub fn tell_unsatisfiable(fields: &mut HeaderMap, length: usize) -> StatusCode {
    reply::brief(fields);
    set(fields, CONTENT_RANGE, &format!("bytes */{length}"));
    fields.insert(CONTENT_LENGTH, 0.into());
    StatusCode::RANGE_NOT_SATISFIABLE
}

fn set(fields: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::try_from(text) {
        fields.insert(name, value);
    }
}

/// The length that a head tells.
pub fn length(fields: &HeaderMap) -> Option<u64> {
    let text = fields.get(CONTENT_LENGTH)?.as_bytes();
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| is_number)?.parse().ok()
}

/// The answer to a request for all, as it has to be for one that has a condition or wants a range; `None` where the origin
/// had better be asked for that itself.
pub fn arriving(mut response: Response<Arriving>, asked: For, now: u64) -> Option<Response<Arriving>> {
    if response.status() != StatusCode::OK {
        return Some(response);
    }
    if reply::is_not_modified(asked.fields, response.headers(), now) {
        reply::brief(response.headers_mut());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Some(response.map(|_| super::fetch::empty()));
    }
    let told = length(response.headers()).and_then(|length| usize::try_from(length).ok());
    let Some(length) = told else {
        let wants_part = asked.fields.contains_key(RANGE) && validate::range_holds(asked.fields, response.headers());
        return (!wants_part || *asked.method != Method::GET).then_some(response);
    };
    match wanted(asked, response.headers(), length) {
        Wanted::Whole => Some(response),
        Wanted::Part(part) if part.start as u64 <= SKIPPED_MOST => {
            *response.status_mut() = tell_part(response.headers_mut(), &part, length);
            Some(response.map(|body| Slice::new(body, &part).boxed_unsync()))
        }
        Wanted::Part(_) => None,
        Wanted::Unsatisfiable => {
            *response.status_mut() = tell_unsatisfiable(response.headers_mut(), length);
            Some(response.map(|_| super::fetch::empty()))
        }
    }
}

/// What `Content-Range` says of a single part (14.4); `None` for anything else, and for an unknown whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub part: Range<u64>,
    pub whole: u64,
}

impl Told {
    pub fn read(fields: &HeaderMap) -> Option<Told> {
        let mut lines = fields.get_all(CONTENT_RANGE).iter();
        let (line, None) = (lines.next()?, lines.next()) else { return None };
        let text = std::str::from_utf8(list::trim(line.as_bytes())).ok()?;
        let (unit, rest) = text.split_once(' ')?;
        let (part, whole) = rest.split_once('/')?;
        let (first, last) = part.split_once('-')?;
        let (first, last, whole) = (number(first)?, number(last)?, number(whole)?);
        let holds = unit.eq_ignore_ascii_case("bytes") && first <= last && last < whole;
        holds.then(|| Told { part: first..last + 1, whole })
    }
}

fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// A range of a body: what comes before is passed over, what comes after is not waited for.
pub struct Slice<B> {
    /// Until it has given all that is wanted of it.
    inner: Option<B>,
    skip: u64,
    left: u64,
}

impl<B> Slice<B> {
    pub fn new(inner: B, part: &Range<usize>) -> Slice<B> {
        Slice { inner: Some(inner), skip: part.start as u64, left: part.len() as u64 }
    }
}

/// As many of `bytes` as a number that may be larger says.
fn at_most(most: u64, bytes: &Bytes) -> usize {
    usize::try_from(most).unwrap_or(usize::MAX).min(bytes.len())
}

impl<B: Body<Data = Bytes, Error = Failure> + Unpin> Body for Slice<B> {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        loop {
            let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
            let mut data = match ready!(Pin::new(inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => data,
                    // Trailers are the whole's.
                    Err(_) => continue,
                },
                failed => {
                    self.inner = None;
                    // Shorter than it was said to be.
                    let failure = failed.and_then(Result::err).unwrap_or(Failure::Malformed);
                    return Poll::Ready(Some(Err(failure)));
                }
            };
            let over = at_most(self.skip, &data);
            data.advance(over);
            self.skip -= over as u64;
            data.truncate(at_most(self.left, &data));
            self.left -= data.len() as u64;
            if self.left == 0 {
                self.inner = None;
            }
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    fn head(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect()
    }

    /// A body in pieces, which may break off.
    struct Pieces(VecDeque<Result<Frame<Bytes>, Failure>>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Failure;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
            Poll::Ready(self.0.pop_front())
        }
    }

    fn pieces(texts: &[&'static str], end: Option<Failure>) -> Pieces {
        let data = texts.iter().map(|text| Ok(Frame::data(Bytes::from_static(text.as_bytes()))));
        Pieces(data.chain(end.map(Err)).collect())
    }

    #[test]
    fn a_range_is_cut_wherever_pieces_end() {
        for texts in [&["0123456789"][..], &["0", "12", "", "345", "67", "89"], &["01234", "56789"]] {
            for start in 0..10 {
                for end in start + 1..=10 {
                    let slice = Slice::new(pieces(texts, None), &(start..end));
                    assert_eq!(slice.size_hint().exact(), Some((end - start) as u64));
                    let read = run(slice.collect()).unwrap().to_bytes();
                    assert_eq!(read, "0123456789"[start..end], "{texts:?} {start} {end}");
                }
            }
        }
    }

    #[test]
    fn what_breaks_off_after_a_range_is_not_waited_for_and_before_its_end_is_no_part() {
        let broken = || pieces(&["01", "23"], Some(Failure::Reset));
        assert_eq!(run(Slice::new(broken(), &(1..4)).collect()).unwrap().to_bytes(), "123");
        assert_eq!(run(Slice::new(broken(), &(1..5)).collect()).unwrap_err(), Failure::Reset);
        let short = Slice::new(pieces(&["01"], None), &(1..5));
        assert_eq!(run(short.collect()).unwrap_err(), Failure::Malformed);
        assert!(run(async {
            let mut slice = Slice::new(broken(), &(0..2));
            slice.frame().await.unwrap().unwrap();
            slice.is_end_stream()
        }));
    }

    #[test]
    fn what_a_content_range_tells() {
        for (text, told) in [
            ("bytes 0-0/1", Some((0..1, 1))),
            ("Bytes 2-5/10", Some((2..6, 10))),
            ("bytes 2-9/10", Some((2..10, 10))),
            ("bytes 2-10/10", None),
            ("bytes 5-2/10", None),
            ("bytes 2-5/*", None),
            ("bytes */10", None),
            ("bytes +2-5/10", None),
            ("lines 2-5/10", None),
            ("bytes=2-5/10", None),
            ("bytes 0-18446744073709551615/18446744073709551615", None),
            ("", None),
        ] {
            let read = Told::read(&head(&[("content-range", text)]));
            assert_eq!(read, told.map(|(part, whole)| Told { part, whole }), "{text}");
        }
        let mut twice = head(&[("content-range", "bytes 0-0/1")]);
        twice.append(CONTENT_RANGE, "bytes 0-0/1".parse().unwrap());
        assert_eq!(Told::read(&twice), None);
    }

    #[test]
    fn the_answer_to_all_is_made_what_was_asked_for() {
        // (method, request, its Content-Length, status; `None`: asked again)
        for (method, asked, length, status) in [
            (Method::GET, &[][..], Some("10"), Some(200)),
            (Method::GET, &[("range", "bytes=2-3")][..], Some("10"), Some(206)),
            (Method::GET, &[("range", "bytes=2-3")], None, None),
            (Method::GET, &[("range", "bytes=2-3"), ("if-range", "\"b\"")], None, Some(200)),
            (Method::GET, &[("range", "bytes=2-3"), ("if-range", "\"b\"")], Some("10"), Some(200)),
            (Method::GET, &[("range", "bytes=2-3"), ("if-range", "\"a\"")], Some("10"), Some(206)),
            (Method::GET, &[("range", "bytes=10-")], Some("10"), Some(416)),
            (Method::GET, &[("range", "bytes=-5")], Some("99999999"), None),
            (Method::HEAD, &[("range", "bytes=2-3")], Some("10"), Some(200)),
            (Method::HEAD, &[("range", "bytes=2-3")], None, Some(200)),
            (Method::GET, &[("if-none-match", "\"a\""), ("range", "bytes=2-3")], Some("10"), Some(304)),
        ] {
            let asked = head(asked);
            let mut response = Response::new(pieces(&["0123", "456789"], None).boxed_unsync());
            response.headers_mut().insert("etag", "\"a\"".parse().unwrap());
            if let Some(length) = length {
                response.headers_mut().insert(CONTENT_LENGTH, length.parse().unwrap());
            }
            let cut = arriving(response, For { method: &method, fields: &asked }, 0);
            assert_eq!(cut.as_ref().map(|cut| cut.status().as_u16()), status, "{asked:?} {length:?}");
            let Some(cut) = cut.filter(|cut| cut.status() == StatusCode::PARTIAL_CONTENT) else { continue };
            assert_eq!(cut.headers()[CONTENT_RANGE], "bytes 2-3/10");
            assert_eq!(run(cut.into_body().collect()).unwrap().to_bytes(), "23");
        }
    }
}
