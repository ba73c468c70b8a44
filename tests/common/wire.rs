//! HTTP from outside: exact bytes on a socket, and curl for the protocols.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use difusor::snapshot::Coding;

use super::server::{DEADLINE, Site};

/// A response as it came.
#[derive(Clone)]
pub struct Response {
    pub status: u16,
    /// Status line and fields, without the empty line.
    pub head: String,
    pub body: Vec<u8>,
}

impl Response {
    /// The next response on a connection; `None` at its end. `to_head` where it answers a HEAD.
    pub fn read(stream: &mut impl BufRead, to_head: bool) -> Option<Response> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).ok()? == 0 {
                assert!(head.is_empty(), "the connection ended within {head:?}");
                return None;
            }
        }
        let mut response = Response { status: status(&head), head: head.trim_end().to_owned(), body: Vec::new() };
        let length = response.field("content-length").map_or(0, |n| n.parse().unwrap());
        let is_empty = to_head || response.status == 204 || response.status == 304;
        response.body.resize(if is_empty { 0 } else { length }, 0);
        stream.read_exact(&mut response.body).unwrap();
        Some(response)
    }

    /// The value of a field that may come once.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields().filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let first = values.next();
        assert!(values.next().is_none(), "{name} comes twice:\n{}", self.head);
        first
    }

    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.head.lines().skip(1).filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim()))
    }

    /// The body without its content coding.
    pub fn decoded(&self) -> Vec<u8> {
        decode(self.field("content-encoding").unwrap_or("identity"), &self.body)
    }
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no status line: {head:?}"))
}

pub fn decode(coding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match coding {
        "identity" => out.extend_from_slice(bytes),
        "gzip" => drop(flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut out).unwrap()),
        "br" => drop(brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out).unwrap()),
        "zstd" => drop(zstd::Decoder::new(bytes).unwrap().read_to_end(&mut out).unwrap()),
        other => panic!("{other} was not asked for"),
    }
    out
}

pub const CODED: [Coding; 3] = [Coding::Gzip, Coding::Br, Coding::Zstd];

pub fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A connection that speaks HTTP/1.1.
pub struct Talk(BufReader<TcpStream>);

impl Talk {
    pub fn with(to: SocketAddr) -> Talk {
        Talk::over(connect(to))
    }

    /// A connection that is there already.
    pub fn over(stream: TcpStream) -> Talk {
        Talk(BufReader::new(stream))
    }

    /// Where it comes from.
    pub fn address(&self) -> SocketAddr {
        self.0.get_ref().local_addr().unwrap()
    }

    pub fn say(&mut self, bytes: impl AsRef<[u8]>) {
        // A server that has heard enough may have closed already.
        let _ = self.0.get_mut().write_all(bytes.as_ref());
    }

    /// The next response to something other than HEAD; `None` at the end.
    pub fn hear(&mut self) -> Option<Response> {
        Response::read(&mut self.0, false)
    }

    pub fn hear_head(&mut self) -> Option<Response> {
        Response::read(&mut self.0, true)
    }

    pub fn get(&mut self, path: &str, fields: &str) -> Response {
        self.say(format!("GET {path} HTTP/1.1\r\nHost: prep\r\n{fields}\r\n"));
        self.hear().unwrap_or_else(|| panic!("the connection ended before {path}"))
    }
}

impl Talk {
    /// True where the other side has ended the connection without a word.
    pub fn is_ended(&mut self) -> bool {
        !matches!(self.0.fill_buf(), Ok([_, ..]))
    }

    /// So many bytes, whatever they are.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// A request with a body.
    pub fn send(&mut self, method: &str, path: &str, fields: &str, body: &[u8]) -> Response {
        self.say(format!("{method} {path} HTTP/1.1\r\nHost: prep\r\nContent-Length: {}\r\n{fields}\r\n", body.len()));
        self.say(body);
        self.hear().unwrap_or_else(|| panic!("the connection ended before {path}"))
    }
}

/// One request on a connection of its own.
pub fn get(from: SocketAddr, path: &str) -> Response {
    Talk::with(from).get(path, "Connection: close\r\n")
}

/// Sends these bytes, then nothing more, and reads all there is.
pub fn raw(to: SocketAddr, bytes: impl AsRef<[u8]>) -> Vec<Response> {
    let mut talk = Talk::with(to);
    talk.say(bytes);
    let _ = talk.0.get_ref().shutdown(std::net::Shutdown::Write);
    std::iter::from_fn(|| talk.hear()).collect()
}

/// A protocol, with and without TLS.
#[derive(Clone, Debug)]
pub struct Way {
    pub name: &'static str,
    args: Vec<String>,
    base: String,
}

/// HTTP/1.1 and HTTP/2, in clear and over TLS, to a site that has a certificate for `name`.
pub fn ways(site: &Site, name: &str) -> Vec<Way> {
    let (clear, tls) = (site.http(), site.https());
    let ca = site.path(&format!("{name}.pem")).display().to_string();
    let in_clear = |title, arg: &str| Way { name: title, args: vec![arg.into()], base: format!("http://{clear}") };
    let over_tls = |title, arg: &str| Way {
        name: title,
        args: [arg, "--cacert", &ca, "--resolve", &format!("{name}:{}:{}", tls.port(), tls.ip())]
            .map(String::from)
            .into(),
        base: format!("https://{name}:{}", tls.port()),
    };
    vec![
        in_clear("HTTP/1.1", "--http1.1"),
        in_clear("HTTP/2", "--http2-prior-knowledge"),
        over_tls("HTTP/1.1 over TLS", "--http1.1"),
        over_tls("HTTP/2 over TLS", "--http2"),
    ]
}

impl Way {
    /// Asks for `path` with these further arguments of curl.
    pub fn curl(&self, path: &str, args: &[&str]) -> Response {
        let url = format!("{}{path}", self.base);
        let mut all: Vec<&str> = self.args.iter().map(String::as_str).collect();
        all.extend(args);
        all.push(&url);
        let response = curl(&all);
        let version = if self.name.starts_with("HTTP/2") { "HTTP/2 " } else { "HTTP/1.1 " };
        assert!(response.head.starts_with(version), "{}: {}", self.name, response.head);
        response
    }

    /// GET with these fields.
    pub fn get(&self, path: &str, fields: &[&str]) -> Response {
        self.curl(path, &fields.iter().flat_map(|field| ["-H", field]).collect::<Vec<_>>())
    }
}

/// What curl gets, byte for byte.
pub fn curl(args: &[&str]) -> Response {
    let mut command = Command::new("curl");
    command.args(["-sS", "-i", "--path-as-is", "--globoff", "--max-time", "30"]).args(args);
    let out = command.stdin(Stdio::null()).output().unwrap();
    assert!(out.status.success(), "curl {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    let end = out.stdout.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(out.stdout[..end].to_vec()).unwrap();
    Response { status: status(&head), head, body: out.stdout[end + 4..].to_vec() }
}
