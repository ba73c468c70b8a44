//! An origin that writes down what it hears, byte for byte, and keeps its connections: a request that was hidden in another
//! would be answered like any other. Reads more strictly than any server does, so that nothing has two readings.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::server::DEADLINE;

/// How the end of a request's body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    None,
    Length,
    Chunked,
}

/// A request that came whole.
#[derive(Clone, Debug)]
pub struct Whole {
    pub method: String,
    pub target: String,
    /// Names in lower case.
    pub fields: Vec<(String, String)>,
    pub framing: Framing,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
}

impl Whole {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// What came of the bytes of one connection.
#[derive(Clone, Debug)]
pub enum Seen {
    Whole(Whole),
    /// The connection ended within a request, of which this came.
    Cut(String),
    /// No request by the letter of RFC 9112.
    Fault(String),
}

/// See above; its threads end with the process.
pub struct Recorder {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Recorder {
    pub fn start() -> Recorder {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let log = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let log = log.clone();
                std::thread::spawn(move || listen(stream.unwrap(), &log));
            }
        });
        Recorder { address, seen }
    }

    /// All that was seen since the last time.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

/// One connection: every whole request is answered with itself.
fn listen(mut stream: TcpStream, log: &Mutex<Vec<Seen>>) {
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut bytes = Vec::new();
    loop {
        match parse(&bytes) {
            Parsed::Whole(whole, len) => {
                let told = format!("{} {} {}", whole.method, whole.target, whole.body.len());
                log.lock().unwrap().push(Seen::Whole(whole));
                bytes.drain(..len);
                let body = if told.starts_with("HEAD ") { "" } else { &told };
                let fields = format!("Content-Length: {}\r\nCache-Control: max-age=60", told.len());
                if stream.write_all(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{body}").as_bytes()).is_err() {
                    return;
                }
            }
            Parsed::Fault(why) => {
                return log.lock().unwrap().push(Seen::Fault(format!("{why} in {}", bytes.escape_ascii())));
            }
            Parsed::Partial => {
                let mut room = [0; 4096];
                match stream.read(&mut room) {
                    Ok(n @ 1..) => bytes.extend_from_slice(&room[..n]),
                    _ if bytes.is_empty() => return,
                    _ => return log.lock().unwrap().push(Seen::Cut(bytes.escape_ascii().to_string())),
                }
            }
        }
    }
}

enum Parsed {
    Partial,
    Whole(Whole, usize),
    Fault(&'static str),
}

/// A line up to its CRLF, and what follows; `Err` for a CR or LF that is alone.
fn line(bytes: &[u8]) -> Result<Option<(String, &[u8])>, &'static str> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
    let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
    let line = line.strip_suffix(b"\r").ok_or("a bare LF")?;
    if line.iter().any(|byte| *byte == b'\r' || *byte == 0) {
        return Err("a bare CR or NUL");
    }
    // Bytes beyond ASCII are nobody's letters.
    Ok(Some((line.iter().map(|byte| char::from(*byte)).collect(), rest)))
}

type Lines<'b> = (Vec<(String, String)>, &'b [u8]);

/// Fields up to the empty line.
fn fields(mut bytes: &[u8]) -> Result<Option<Lines<'_>>, &'static str> {
    let mut fields = Vec::new();
    while let Some((text, rest)) = line(bytes)? {
        bytes = rest;
        if text.is_empty() {
            return Ok(Some((fields, bytes)));
        }
        let (name, value) =
            text.split_once(": ").or(text.strip_suffix(':').map(|name| (name, ""))).ok_or("no field")?;
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err("a name that is none");
        }
        fields.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    Ok(None)
}

fn parse(bytes: &[u8]) -> Parsed {
    match read(bytes) {
        Ok(None) => Parsed::Partial,
        Ok(Some((whole, rest))) => Parsed::Whole(whole, bytes.len() - rest.len()),
        Err(why) => Parsed::Fault(why),
    }
}

fn read(bytes: &[u8]) -> Result<Option<(Whole, &[u8])>, &'static str> {
    let Some((first, rest)) = line(bytes)? else { return Ok(None) };
    let parts: Vec<&str> = first.split(' ').collect();
    let [method, target, "HTTP/1.1"] = parts[..] else { return Err("no request line") };
    if method.is_empty() || !target.starts_with('/') || !target.bytes().all(|b| b.is_ascii_graphic() && b != b'#') {
        return Err("no target in origin form");
    }
    let Some((fields, rest)) = fields(rest)? else { return Ok(None) };
    let all = |name: &str| fields.iter().filter(|(own, _)| own == name).map(|(_, v)| v.as_str()).collect::<Vec<_>>();
    if all("host").len() != 1 {
        return Err("not one Host");
    }
    let (framing, read) = match (&all("content-length")[..], &all("transfer-encoding")[..]) {
        ([], []) => (Framing::None, Some((Vec::new(), Vec::new(), rest))),
        ([length], []) => {
            let is_plain = length.bytes().all(|b| b.is_ascii_digit()) && (*length == "0" || !length.starts_with('0'));
            let length: usize = length.parse().ok().filter(|_| is_plain).ok_or("a length that is none")?;
            let body = rest.split_at_checked(length);
            (Framing::Length, body.map(|(body, rest)| (body.to_vec(), Vec::new(), rest)))
        }
        ([], ["chunked"]) => (Framing::Chunked, chunked(rest)?),
        _ => return Err("two ways to tell its end"),
    };
    let Some((body, trailers, rest)) = read else { return Ok(None) };
    let (method, target) = (method.to_owned(), target.to_owned());
    Ok(Some((Whole { method, target, fields, framing, body, trailers }, rest)))
}

type Chunked<'b> = (Vec<u8>, Vec<(String, String)>, &'b [u8]);

fn chunked(mut bytes: &[u8]) -> Result<Option<Chunked<'_>>, &'static str> {
    let mut body = Vec::new();
    loop {
        let Some((size, rest)) = line(bytes)? else { return Ok(None) };
        if size.is_empty() || !size.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err("a chunk's size that is none");
        }
        let size = usize::from_str_radix(&size, 16).map_err(|_| "a chunk's size beyond all")?;
        if size == 0 {
            return Ok(fields(rest)?.map(|(trailers, rest)| (body, trailers, rest)));
        }
        let Some((chunk, rest)) = rest.split_at_checked(size) else { return Ok(None) };
        body.extend_from_slice(chunk);
        bytes = match rest {
            [b'\r', b'\n', rest @ ..] => rest,
            [] | [b'\r'] => return Ok(None),
            _ => return Err("a chunk longer than its size"),
        };
    }
}
