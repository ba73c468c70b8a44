//! HTTP/2 by its frames (RFC 9113), with fields that no library would send: HPACK's literals alone (RFC 7541, 6.2.2).

use super::secure::Client;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const ACK: u8 = 1;
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What SETTINGS may say (RFC 9113, 6.5.2).
const INITIAL_WINDOW_SIZE: u16 = 4;

/// Each character is one byte.
pub fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// What a connection begins with: each stream may be sent so many bytes, and all together as many as there can be.
pub fn open(window: u32) -> Vec<u8> {
    let said = [&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &window.to_be_bytes()].concat();
    let rest = 0x7fff_ffff_u32 - 65_535;
    [PREFACE.to_vec(), frame(SETTINGS, 0, 0, &said), frame(WINDOW_UPDATE, 0, 0, &rest.to_be_bytes())].concat()
}

/// A length with seven bits before it goes on (RFC 7541, 5.1).
fn integer(mut n: usize) -> Vec<u8> {
    if n < 127 {
        return vec![n as u8];
    }
    let mut out = vec![127];
    n -= 127;
    while n >= 128 {
        out.push((n % 128) as u8 | 128);
        n /= 128;
    }
    out.push(n as u8);
    out
}

pub fn block(fields: &[(String, String)]) -> Vec<u8> {
    let literal = |(name, value): &(String, String)| {
        let (name, value) = (bytes(name), bytes(value));
        [&[0][..], &integer(name.len()), &name, &integer(value.len()), &value].concat()
    };
    fields.iter().flat_map(literal).collect()
}

/// A request, as it is sent.
#[derive(Clone, Default)]
pub struct Asked {
    pub fields: Vec<(String, String)>,
    /// Pieces of a body; the last one ends the stream where there are no trailers.
    pub data: Vec<&'static str>,
    pub trailers: Option<Vec<(String, String)>>,
}

impl Asked {
    pub fn frames(&self, stream: u32) -> Vec<u8> {
        let ends = |is: bool| if is { END_STREAM } else { 0 };
        let is_all = self.data.is_empty() && self.trailers.is_none();
        let mut out = frame(HEADERS, END_HEADERS | ends(is_all), stream, &block(&self.fields));
        for (n, data) in self.data.iter().enumerate() {
            let is_last = n + 1 == self.data.len() && self.trailers.is_none();
            out.extend(frame(DATA, ends(is_last), stream, &bytes(data)));
        }
        if let Some(trailers) = &self.trailers {
            out.extend(frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(trailers)));
        }
        out
    }
}

/// What became of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A status that has an index of its own in HPACK (0 for others), and the body.
    Status(u16, Vec<u8>),
    Reset,
    /// The connection ended before.
    Gone,
}

/// Sends two requests, and tells what became of them.
pub fn ask(client: &mut Client, first: &Asked, second: &Asked) -> [Answer; 2] {
    client.say(&[PREFACE.to_vec(), frame(SETTINGS, 0, 0, b""), first.frames(1), second.frames(3)].concat());
    let mut answers = [Answer::Gone, Answer::Gone];
    let mut ended = [false; 2];
    let mut is_going = false;
    while ended != [true; 2] && !(is_going && ended[1]) {
        let Some((kind, flags, stream, payload)) = hear(client) else { break };
        is_going |= kind == GOAWAY;
        let at = match stream {
            1 => 0,
            3 => 1,
            _ => continue,
        };
        match kind {
            HEADERS if answers[at] == Answer::Gone => answers[at] = Answer::Status(status(&payload), Vec::new()),
            DATA => {
                let Answer::Status(_, body) = &mut answers[at] else { panic!("a body before its head") };
                body.extend(payload);
            }
            RST_STREAM if !ended[at] => (answers[at], ended[at]) = (Answer::Reset, true),
            _ => {}
        }
        ended[at] |= flags & END_STREAM != 0 && kind <= HEADERS;
    }
    answers
}

/// The next frame: kind, flags, stream, payload; `None` at the end.
pub fn hear(client: &mut Client) -> Option<(u8, u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    client.read_exact(&mut head).ok()?;
    let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    let mut payload = vec![0; length];
    client.read_exact(&mut payload).ok()?;
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Some((head[3], head[4], stream, payload))
}

/// RFC 7541, A; a change of the table's size may stand before it.
fn status(block: &[u8]) -> u16 {
    match block.iter().find(|byte| **byte & 0xe0 != 0x20) {
        Some(0x88) => 200,
        Some(0x89) => 204,
        Some(0x8b) => 304,
        Some(0x8c) => 400,
        Some(0x8d) => 404,
        Some(0x8e) => 500,
        _ => 0,
    }
}
