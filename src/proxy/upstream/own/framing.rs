//! Where the body of a response ends (RFC 9112, 6.3 and 7.1). Pure: bytes come in, pieces of the body go out, never copied.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use crate::proxy::failure::Failure;

/// The line before a chunk, with its extensions. hyper's limit for those of a whole body is 16 KiB; honest lines have 6 bytes.
const LINE_MAX_BYTES: usize = 4 << 10;
/// Extensions of a whole body.
const EXTENSIONS_MAX_BYTES: usize = 16 << 10;
/// Hexadecimal digits of a chunk's size: 2^60 is more than anybody sends, and far from where numbers run over.
const DIGITS_MOST: usize = 15;
/// All trailers.
const TRAILERS_MAX_BYTES: usize = 16 << 10;
const TRAILERS_MOST: usize = 100;

/// How the end is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    Length(u64),
    Chunked,
    /// By the end of the connection.
    Close,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Piece(Bytes),
    Trailers(HeaderMap),
    /// More bytes are needed.
    More,
    Over,
}

/// ```text
/// Left --0--> Over          Close --(the connection ends)--> Over
/// Size --n--> Chunk --0--> ChunkEnd --CRLF--> Size
///   +----0--> Trailers --empty line--> Over
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// So many bytes are left of all.
    Left(u64),
    Close,
    Size,
    /// So many bytes are left of a chunk.
    Chunk(u64),
    ChunkEnd,
    Trailers,
    Over,
}

/// A body, as far as it has come.
#[derive(Debug)]
pub struct Decoder {
    at: At,
    extensions: usize,
}

impl Decoder {
    pub fn new(framing: Framing) -> Decoder {
        let at = match framing {
            Framing::None | Framing::Length(0) => At::Over,
            Framing::Length(length) => At::Left(length),
            Framing::Chunked => At::Size,
            Framing::Close => At::Close,
        };
        Decoder { at, extensions: 0 }
    }

    pub fn is_over(&self) -> bool {
        self.at == At::Over
    }

    /// Bytes that are still to come, where that was told.
    pub fn left(&self) -> Option<u64> {
        match self.at {
            At::Left(left) => Some(left),
            At::Over => Some(0),
            _ => None,
        }
    }

    /// The connection has ended: true where the body has, too.
    pub fn ends(&mut self) -> bool {
        if self.at == At::Close {
            self.at = At::Over;
        }
        self.is_over()
    }

    /// Takes what it can off `inbox`.
    pub fn next(&mut self, inbox: &mut BytesMut) -> Result<Next, Failure> {
        loop {
            match self.at {
                At::Over => return Ok(Next::Over),
                At::Left(_) | At::Close | At::Chunk(_) if inbox.is_empty() => return Ok(Next::More),
                At::Close => return Ok(Next::Piece(inbox.split().freeze())),
                At::Left(left) => {
                    let (piece, left) = part(inbox, left);
                    self.at = if left == 0 { At::Over } else { At::Left(left) };
                    return Ok(Next::Piece(piece));
                }
                At::Chunk(left) => {
                    let (piece, left) = part(inbox, left);
                    self.at = if left == 0 { At::ChunkEnd } else { At::Chunk(left) };
                    return Ok(Next::Piece(piece));
                }
                At::ChunkEnd => match &inbox[..] {
                    [b'\r', b'\n', ..] => {
                        inbox.advance(2);
                        self.at = At::Size;
                    }
                    [] | [b'\r'] => return Ok(Next::More),
                    _ => return Err(Failure::Malformed),
                },
                At::Size => {
                    let Some(size) = self.size(inbox)? else { return Ok(Next::More) };
                    self.at = if size == 0 { At::Trailers } else { At::Chunk(size) };
                }
                At::Trailers => {
                    let Some(trailers) = trailers(inbox)? else { return Ok(Next::More) };
                    self.at = At::Over;
                    return Ok(if trailers.is_empty() { Next::Over } else { Next::Trailers(trailers) });
                }
            }
        }
    }

    /// The size of the next chunk, once its line is there.
    fn size(&mut self, inbox: &mut BytesMut) -> Result<Option<u64>, Failure> {
        let seen = &inbox[..inbox.len().min(LINE_MAX_BYTES)];
        let digits = seen.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let Some(end) = seen.iter().position(|byte| *byte == b'\n') else {
            // What can be no size is not waited for.
            let is_none = digits > DIGITS_MOST || (digits == 0 && !seen.is_empty()) || seen.len() == LINE_MAX_BYTES;
            return if is_none { Err(Failure::Malformed) } else { Ok(None) };
        };
        let line = seen[..end].strip_suffix(b"\r").ok_or(Failure::Malformed)?;
        let (size, rest) = line.split_at_checked(digits).ok_or(Failure::Malformed)?;
        let extension = rest.trim_ascii_start();
        let is_proper = (1..=DIGITS_MOST).contains(&digits)
            && (extension.is_empty() || extension[0] == b';')
            && rest.iter().all(|byte| *byte == b'\t' || !byte.is_ascii_control());
        self.extensions += rest.len();
        if !is_proper || self.extensions > EXTENSIONS_MAX_BYTES {
            return Err(Failure::Malformed);
        }
        let size = size.iter().fold(0, |size, digit| size << 4 | u64::from(hex(*digit)));
        inbox.advance(end + 1);
        Ok(Some(size))
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// As much of so many bytes as is there, and how many are left.
fn part(inbox: &mut BytesMut, left: u64) -> (Bytes, u64) {
    let here = usize::try_from(left).unwrap_or(usize::MAX).min(inbox.len());
    (inbox.split_to(here).freeze(), left - here as u64)
}

/// All of them, once they are there.
fn trailers(inbox: &mut BytesMut) -> Result<Option<HeaderMap>, Failure> {
    let mut room = [httparse::EMPTY_HEADER; TRAILERS_MOST];
    let seen = &inbox[..inbox.len().min(TRAILERS_MAX_BYTES)];
    match httparse::parse_headers(seen, &mut room) {
        Ok(httparse::Status::Complete((length, read))) => {
            let mut fields = HeaderMap::with_capacity(read.len());
            for field in read {
                let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Failure::Malformed)?;
                fields.append(name, HeaderValue::from_bytes(field.value).map_err(|_| Failure::Malformed)?);
            }
            inbox.advance(length);
            Ok(Some(fields))
        }
        Ok(httparse::Status::Partial) if seen.len() < TRAILERS_MAX_BYTES => Ok(None),
        _ => Err(Failure::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body, or why there is none; `None` where more is needed.
    fn body(framing: Framing, text: &[u8]) -> Option<Result<Vec<u8>, Failure>> {
        let (mut decoder, mut inbox, mut all) = (Decoder::new(framing), BytesMut::from(text), Vec::new());
        loop {
            match decoder.next(&mut inbox) {
                Ok(Next::Piece(piece)) => all.extend_from_slice(&piece),
                Ok(Next::Trailers(_)) => {}
                Ok(Next::More) => return None,
                Ok(Next::Over) => return Some(Ok(all)),
                Err(failure) => return Some(Err(failure)),
            }
        }
    }

    #[test]
    fn chunks() {
        let good = |text: &str| Some(Ok(text.as_bytes().to_vec()));
        let bad = || Some(Err(Failure::Malformed));
        let line = |bytes: usize| format!("1;{}\r\na\r\n", "x".repeat(bytes));
        for (text, expected) in [
            ("5\r\nhola!\r\n0\r\n\r\n", good("hola!")),
            ("4;a=\"b\"\r\nhola\r\n1 \t;c\r\n!\r\n00;d\r\nx: y\r\n\r\n", good("hola!")),
            ("0A\r\n0123456789\r\n0\r\n\r\n", good("0123456789")),
            ("5\r\nhola!\r\n0\r\n", None),
            ("5\r\nhol", None),
            ("5", None),
            ("", None),
            ("zz", bad()),
            (" 5\r\nhola!\r\n", bad()),
            ("0x5\r\nhola!\r\n", bad()),
            ("+5\r\nhola!\r\n", bad()),
            ("5\nhola!\r\n", bad()),
            ("5\rx\r\nhola!\r\n", bad()),
            ("5;a\rb\r\nhola!\r\n", bad()),
            ("5\r\nhola!!\r\n", bad()),
            ("5\r\nhola!\n0\r\n\r\n", bad()),
            ("fffffffffffffffff\r\n", bad()),
            ("0\r\nx y: z\r\n\r\n", bad()),
            (&line(LINE_MAX_BYTES), bad()),
            (&line(LINE_MAX_BYTES - 4).repeat(5), bad()),
            (&format!("0\r\nx: {}", "y".repeat(TRAILERS_MAX_BYTES)), bad()),
            (&format!("0\r\n{}\r\n", "x: y\r\n".repeat(TRAILERS_MOST + 1)), bad()),
        ] {
            assert_eq!(body(Framing::Chunked, text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn what_comes_behind_a_body_is_left() {
        for (framing, text) in [(Framing::Length(5), "hola!mas"), (Framing::Chunked, "5\r\nhola!\r\n0\r\n\r\nmas")] {
            let (mut decoder, mut inbox) = (Decoder::new(framing), BytesMut::from(text));
            assert_eq!(decoder.next(&mut inbox), Ok(Next::Piece("hola!".into())));
            assert_eq!((decoder.next(&mut inbox), &inbox[..]), (Ok(Next::Over), &b"mas"[..]));
        }
        let mut decoder = Decoder::new(Framing::Close);
        assert_eq!(decoder.next(&mut "hola!".into()), Ok(Next::Piece("hola!".into())));
        assert!(decoder.ends() && !Decoder::new(Framing::Length(1)).ends() && !Decoder::new(Framing::Chunked).ends());
    }
}
