//! Where one request of HTTP/1.1 ends and the next begins (RFC 9112, 6 and 7), with one reading alone: whatever another
//! server might read otherwise is refused. Pure: bytes in, how many of them are a request's out.

use std::mem::MaybeUninit;

use super::connection::HEAD_MAX_BYTES;
use super::target::TARGET_MAX_BYTES;

/// Fields of one request, as many as hyper takes; browsers send about 15.
const FIELDS_MAX: usize = 100;
/// Trailers, all together: those that exist hold a digest or a signature.
const TRAILERS_MAX_BYTES: usize = 8 << 10;
/// The line before a chunk. Nobody has a use for extensions.
const CHUNK_LINE_MAX_BYTES: usize = 1 << 10;
/// Hexadecimal digits of a chunk's size: 2^60 is more than anybody sends, and far from where numbers run over.
const CHUNK_DIGITS_MAX: usize = 15;
/// Fields that must not come behind a body: they say where it ends, whom it is for, who sends it and what it is (RFC 9110, 6.5.1).
pub const NEVER_TRAILERS: [&str; 15] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Why bytes are no request that is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Malformed,
    HeadTooLarge,
    TargetTooLong,
}

/// What the next bytes of a connection belong to.
#[derive(Debug, PartialEq, Eq)]
pub struct Framing(At);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Head,
    /// So many bytes of a body.
    Body(u64),
    /// The line before a chunk.
    Chunk,
    /// So many bytes of a chunk, then its CRLF.
    Data(u64),
    Trailers,
    /// Behind the last request of the connection (RFC 9112, 9.6): whatever comes is nobody's.
    Over,
}

/// One step: bytes that were taken, and what comes after them.
type Step = Result<Option<(usize, At)>, Refused>;

impl Default for Framing {
    fn default() -> Framing {
        Framing::new()
    }
}

impl Framing {
    pub fn new() -> Framing {
        Framing(At::Head)
    }

    /// True within a request.
    pub fn is_within(&self) -> bool {
        !matches!(self.0, At::Head | At::Over)
    }

    /// True once nothing more belongs to anybody.
    pub fn is_over(&self) -> bool {
        self.0 == At::Over
    }

    /// How many of `bytes` belong to requests; for the rest more has to come. What is refused is told once all before it was
    /// taken.
    pub fn read(&mut self, bytes: &[u8]) -> Result<usize, Refused> {
        let mut done = 0;
        while done < bytes.len() {
            match self.step(&bytes[done..]) {
                Ok(Some((len, next))) => (done, self.0) = (done + len, next),
                Err(refused) if done == 0 => return Err(refused),
                Ok(None) | Err(_) => break,
            }
        }
        Ok(done)
    }

    fn step(&self, bytes: &[u8]) -> Step {
        match self.0 {
            At::Head => head(bytes),
            At::Body(left) => {
                let len = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                let left = left - len as u64;
                Ok(Some((len, if left == 0 { At::Head } else { At::Body(left) })))
            }
            At::Chunk => chunk(bytes),
            At::Data(0) => match bytes {
                [b'\r', b'\n', ..] => Ok(Some((2, At::Chunk))),
                [b'\r'] => Ok(None),
                _ => Err(Refused::Malformed),
            },
            At::Data(left) => {
                let len = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                Ok(Some((len, At::Data(left - len as u64))))
            }
            At::Trailers => trailers(bytes),
            At::Over => Ok(None),
        }
    }
}

fn head(bytes: &[u8]) -> Step {
    let mut room = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut []);
    let len = match request.parse_with_uninit_headers(bytes, &mut room) {
        Ok(httparse::Status::Complete(len)) if len <= HEAD_MAX_BYTES => len,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_MAX_BYTES => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(too_large(bytes)),
        Err(_) => return Err(Refused::Malformed),
    };
    // Of a fragment no server is told (RFC 9112, 3.2). What else is no target, hyper would refuse without a word.
    let is_target = |target: &str| !target.contains('#') && http::Uri::try_from(target).is_ok();
    if !request.path.is_some_and(is_target) || !has_proper_lines(&request, &bytes[..len]) {
        return Err(Refused::Malformed);
    }
    Ok(Some((len, after(&request)?)))
}

/// What of a head is too large, whole or not: its target (RFC 9112, 3), or its fields (RFC 6585, 5).
pub fn too_large(head: &[u8]) -> Refused {
    // However much has come at once.
    let head = &head[..head.len().min(HEAD_MAX_BYTES)];
    let line = head.trim_ascii_start().split(|byte| *byte == b'\n').next().unwrap_or_default();
    match line.split(|byte| *byte == b' ').nth(1) {
        Some(target) if target.len() > TARGET_MAX_BYTES => Refused::TargetTooLong,
        Some(_) => Refused::HeadTooLarge,
        // A method without end is none.
        None => Refused::Malformed,
    }
}

/// True where every line of a head ends with CRLF, and nothing but empty lines stands before it: a bare LF, which may end a
/// line (RFC 9112, 2.2), is another's idea of a line within ours.
pub fn has_proper_lines(request: &httparse::Request, head: &[u8]) -> bool {
    let start = request.method.map_or(0, |method| offset(head, method));
    head[..start].chunks(2).all(|line| line == b"\r\n") && are_proper(request.headers, head)
}

/// The same of fields alone.
fn are_proper(fields: &[httparse::Header], bytes: &[u8]) -> bool {
    let mut starts = fields.iter().map(|field| offset(bytes, field.name));
    bytes.ends_with(b"\r\n") && starts.all(|start| start == 0 || bytes[..start].ends_with(b"\r\n")) && {
        let before = &bytes[..bytes.len() - 2];
        before.is_empty() || before.ends_with(b"\r\n")
    }
}

/// Where `part`, which is a part of `whole`, begins.
fn offset(whole: &[u8], part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize).min(whole.len())
}

/// What comes after a head: RFC 9112, 6.3, without anything that it leaves open.
fn after(request: &httparse::Request) -> Result<At, Refused> {
    let is_http_1_1 = request.version == Some(1);
    let (mut length, mut is_chunked, mut closes, mut keeps) = (None, false, false, false);
    for field in request.headers.iter() {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        if is("content-length") {
            if length.replace(number(field.value)?).is_some() {
                return Err(Refused::Malformed);
            }
        } else if is("transfer-encoding") {
            // Others than chunked are asked of nobody, and twice is once too often.
            if is_chunked || !is_http_1_1 || !field.value.eq_ignore_ascii_case(b"chunked") {
                return Err(Refused::Malformed);
            }
            is_chunked = true;
        } else if is("connection") {
            let mut options = field.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            closes |= options.clone().any(|option| option.eq_ignore_ascii_case(b"close"));
            keeps |= options.any(|option| option.eq_ignore_ascii_case(b"keep-alive"));
        }
    }
    let is_last = closes || !(is_http_1_1 || keeps);
    match (is_chunked, length) {
        (true, Some(_)) => Err(Refused::Malformed),
        (true, None) => Ok(At::Chunk),
        (false, Some(length @ 1..)) => Ok(At::Body(length)),
        // With a body it is hyper that ends after it.
        (false, _) => Ok(if is_last { At::Over } else { At::Head }),
    }
}

/// Digits alone, and no more of them than a length can have.
fn number(value: &[u8]) -> Result<u64, Refused> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(value).ok().filter(|_| is_number).and_then(|text| text.parse().ok());
    // Above it, hyper's numbers mean something else.
    number.filter(|number| *number <= i64::MAX as u64).ok_or(Refused::Malformed)
}

/// The line before a chunk: a size, and extensions that nobody reads.
fn chunk(bytes: &[u8]) -> Step {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let end = bytes.iter().take(CHUNK_LINE_MAX_BYTES).position(|byte| *byte == b'\n');
    let is_ok = |rest: &[u8]| rest.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..));
    let Some(end) = end else {
        let rest = bytes[digits..].strip_suffix(b"\r").unwrap_or(&bytes[digits..]);
        let may_go_on = digits <= CHUNK_DIGITS_MAX && bytes.len() < CHUNK_LINE_MAX_BYTES && is_ok(rest);
        return if may_go_on && (digits > 0 || bytes.is_empty()) { Ok(None) } else { Err(Refused::Malformed) };
    };
    let rest = bytes[digits..end].strip_suffix(b"\r").ok_or(Refused::Malformed)?;
    // RFC 9112, 7.1.1: white space may stand before a semicolon, and nowhere else.
    let is_extension = rest.is_empty() || rest.trim_ascii_start().starts_with(b";");
    if digits == 0 || digits > CHUNK_DIGITS_MAX || !is_extension || !is_ok(rest) {
        return Err(Refused::Malformed);
    }
    let size = std::str::from_utf8(&bytes[..digits]).ok().and_then(|text| u64::from_str_radix(text, 16).ok());
    match size.ok_or(Refused::Malformed)? {
        0 => Ok(Some((end + 1, At::Trailers))),
        size => Ok(Some((end + 1, At::Data(size)))),
    }
}

fn trailers(bytes: &[u8]) -> Step {
    let mut room = [httparse::EMPTY_HEADER; FIELDS_MAX];
    match httparse::parse_headers(bytes, &mut room) {
        Ok(httparse::Status::Complete((len, fields))) => {
            let is_known =
                |field: &httparse::Header| NEVER_TRAILERS.iter().any(|name| field.name.eq_ignore_ascii_case(name));
            let starts_well = fields.first().is_none_or(|field| offset(bytes, field.name) == 0);
            match starts_well && are_proper(fields, &bytes[..len]) && !fields.iter().any(is_known) {
                true => Ok(Some((len, At::Head))),
                false => Err(Refused::Malformed),
            }
        }
        Ok(httparse::Status::Partial) if bytes.len() < TRAILERS_MAX_BYTES => Ok(None),
        _ => Err(Refused::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    fn post(fields: &str, body: &str) -> Vec<u8> {
        format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}").into_bytes()
    }

    /// How much is taken when it comes byte by byte, or why not.
    fn slowly(bytes: &[u8]) -> Result<usize, Refused> {
        let (mut framing, mut done) = (Framing::new(), 0);
        for end in 1..=bytes.len() {
            done += framing.read(&bytes[done..end])?;
        }
        Ok(done)
    }

    #[test]
    fn one_request_ends_where_the_next_begins() {
        for (fields, body) in [
            ("", ""),
            ("Content-Length: 5\r\n", "12345"),
            ("Content-Length: 0\r\n", ""),
            ("Transfer-Encoding: Chunked\r\n", "3\r\nabc\r\n0A ;x=\"y\"\r\n0123456789\r\n0\r\n\r\n"),
            ("Transfer-Encoding: chunked\r\n", "0\r\nX-Suma: 1\r\n\r\n"),
        ] {
            let all = [&post(fields, body)[..], GET].concat();
            assert_eq!(Framing::new().read(&all), Ok(all.len()), "{fields} {body}");
            assert_eq!(slowly(&all), Ok(all.len()), "{fields} {body}");
            let cut = all.len() - GET.len() - 1;
            assert!(Framing::new().read(&all[..cut]).unwrap() <= cut, "{fields} {body}");
        }
    }

    #[test]
    fn what_another_would_read_otherwise_is_refused() {
        for (fields, body) in [
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", ""),
            ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", ""),
            ("Transfer-Encoding: gzip, chunked\r\n", ""),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", ""),
            ("Content-Length: 5\r\nContent-Length: 5\r\n", ""),
            ("Content-Length: +5\r\n", ""),
            ("Content-Length: 9223372036854775808\r\n", ""),
            ("X: a\nY: b\r\n", ""),
            ("Transfer-Encoding: chunked\r\n", "5 \r\n"),
            ("Transfer-Encoding: chunked\r\n", "5;\0\r\n"),
            ("Transfer-Encoding: chunked\r\n", "1000000000000000\r\n"),
            ("Transfer-Encoding: chunked\r\n", "1\r\nab"),
            ("Transfer-Encoding: chunked\r\n", "0\r\n\n"),
            ("Transfer-Encoding: chunked\r\n", "0\r\nX: a\n\r\n"),
            ("Transfer-Encoding: chunked\r\n", "0\r\nHost: b\r\n\r\n"),
            ("Transfer-Encoding: chunked\r\n", "0\r\nKeep-Alive: x\r\n\r\n"),
            ("Transfer-Encoding: chunked\r\n", "0\r\nProxy-Connection: x\r\n\r\n"),
        ] {
            assert_eq!(slowly(&post(fields, body)), Err(Refused::Malformed), "{fields} {body}");
        }
        let long = |len: usize| post(&format!("X: {}\r\n", "a".repeat(len)), "");
        assert_eq!(slowly(&long(HEAD_MAX_BYTES)), Err(Refused::HeadTooLarge));
        assert_eq!(Framing::new().read(&long(HEAD_MAX_BYTES)), Err(Refused::HeadTooLarge));
    }

    #[test]
    fn what_was_well_before_is_taken() {
        let mut framing = Framing::new();
        let all = [GET, b"que?\r\n\r\n"].concat();
        assert_eq!(framing.read(&all), Ok(GET.len()));
        assert_eq!(framing.read(&all[GET.len()..]), Err(Refused::Malformed));
    }

    #[test]
    fn nothing_comes_behind_the_last_request() {
        for last in ["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nConnection: x, Close\r\n\r\n"] {
            let mut framing = Framing::new();
            assert_eq!(framing.read(format!("{last}que?\r\n\r\n").as_bytes()), Ok(last.len()));
            assert!(framing.is_over());
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_never_depends_on_the_pieces(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\n", "Host: a\r\n", "Content-Length: 3\r\n", "\r\n", "\n", "abc",
                "Transfer-Encoding: chunked\r\n", "3\r\n", "0\r\n", "a;b\r\n", "X: y\r\n", "\r", "\0", " ",
            ]), 0..12),
        ) {
            let bytes = pieces.concat().into_bytes();
            let mut framing = Framing::new();
            let (mut done, mut end) = (0, Ok(()));
            loop {
                match framing.read(&bytes[done..]) {
                    Ok(0) => break,
                    Ok(len) => done += len,
                    Err(refused) => { end = Err(refused); break }
                }
            }
            match slowly(&bytes) {
                Ok(slow) => prop_assert!(end.is_ok() && slow == done),
                Err(refused) => prop_assert_eq!(end, Err(refused)),
            }
        }
    }
}
